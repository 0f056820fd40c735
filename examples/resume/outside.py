"""The world outside: a model that sends a bill, and a bank that pays. Both keep books that no kill can take back.

Each line is handed to the system with one ``write``, so it survives the program.
"""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

from actors import AssistantMessage, CompletionRequest, CompletionResponse, StopReason, TokenUsage, ToolCall

SLOW = 0.08
"""Seconds that an answer takes, or each half of a payment, at most."""
LUCK = random.Random()  # noqa: S311 - nothing secret


class Books:
    """Lines of JSON in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **line: Any) -> None:
        """One more line."""
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, json.dumps(line).encode() + b"\n")
        finally:
            os.close(file)

    def lines(self) -> list[dict[str, Any]]:
        """All of them."""
        return [json.loads(line) for line in self.path.read_bytes().splitlines()] if self.path.exists() else []


class Bank:
    """Pays whatever it is told to, as often as it is told to."""

    def __init__(self, folder: Path) -> None:
        self.books = Books(folder / "bank.jsonl")
        self.inquiries = Books(folder / "inquiries.jsonl")

    def transfer(self, invoice: str, account: str, amount: float, key: str) -> str:
        """Pay *amount* to *account*; the receipt."""
        time.sleep(LUCK.uniform(0, SLOW))
        self.books.write(invoice=invoice, account=account, amount=amount, key=key)
        time.sleep(LUCK.uniform(0, SLOW))  # it is paid, and nobody knows yet: here a kill hurts most
        return f"receipt {key[:8]}"

    def receipt_of(self, key: str) -> str | None:
        """The receipt of the payment of that key; None: there was none."""
        receipt = next((f"receipt {key[:8]}" for line in self.books.lines() if line["key"] == key), None)
        self.inquiries.write(key=key, receipt=receipt)
        return receipt


class Model:
    """Stands where a real one would: the next answer depends on the conversation, and each is on the bill."""

    def __init__(self, folder: Path) -> None:
        self.books = Books(folder / "bill.jsonl")

    def __call__(self, request: CompletionRequest) -> CompletionResponse:
        """Look the supplier up, then pay, then say so."""
        invoice, supplier, amount = request.messages[0].content.split(", ")
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        said = request.messages[-1].text
        time.sleep(LUCK.uniform(SLOW / 2, SLOW))
        self.books.write(invoice=invoice, answer=turn)
        calls = [
            ToolCall(f"look-{invoice}", "account_of", {"supplier": supplier}),
            ToolCall(f"pay-{invoice}", "pay", {"invoice": invoice, "account": said, "amount": float(amount)}),
        ]
        usage = TokenUsage(sum(len(message.content) for message in request.messages) // 4 + 1, 12)
        if turn == len(calls):
            return CompletionResponse(f"paid {amount} to {supplier}, {said}", usage=usage)
        return CompletionResponse("", StopReason.TOOL_USE, (calls[turn],), usage)
