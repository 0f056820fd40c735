"""Answers by rules, in place of a model: so that the desk can be looked at without one."""

import json
import re

from actors import CompletionRequest, CompletionResponse, FunctionDriver, ToolCall, UserMessage

MONEY = re.compile(r"\b(refund|charged|invoice|order|money|paid)\b", re.IGNORECASE)
TROUBLE = re.compile(r"\b(error|crash\w*|log ?in|login|password|screen|how do|export|import|app)\b", re.IGNORECASE)
NUMBER = re.compile(r"\b[A-Z]-\d{4}\b")
NAME = re.compile(r"\bmy name is (\w+)", re.IGNORECASE)


def answer(request: CompletionRequest) -> CompletionResponse | str:
    """What the desk says next. Which of the three is asked is seen by the tools that it has."""
    tools = {tool.name for tool in request.tools}
    last = request.messages[-1]
    if "find_order" in tools:
        return billing(request)
    if "search_documents" in tools:
        return tech(request)
    said = last.text
    if "transfer_to_billing" in tools and MONEY.search(said):
        return call("transfer_to_billing", reason="it is about an order")
    if "transfer_to_tech" in tools and TROUBLE.search(said):
        return call("transfer_to_tech", reason="something does not work")
    names = [found for message in request.messages for found in NAME.findall(message.text)]
    hello = f"Hello {names[-1]}!" if names else "Hello!"
    return f"{hello} I can help with orders and refunds, and with what does not work."


def billing(request: CompletionRequest) -> CompletionResponse | str:
    """Looks the order up, gives money back if that was asked for, and says what came of it."""
    question = asked(request)
    numbers = NUMBER.findall(question)
    if not numbers:
        return "Which order is it? Its number stands in the invoice, such as A-1001."
    done = called(request)
    if "find_order" not in done:
        return call("find_order", number=numbers[0])
    order = done["find_order"]
    if "refund" in question.lower() and "refund" not in done and (paid := re.search(r'"paid_eur":([\d.]+)', order)):
        return call("refund", number=numbers[0], amount=float(paid[1]))
    return done.get("refund", order)


def tech(request: CompletionRequest) -> CompletionResponse | str:
    """Searches the handbook, and quotes it."""
    done = called(request)
    if "search_documents" not in done:
        return call("search_documents", query=asked(request), limit=1)
    found = json.loads(done["search_documents"])
    if not found:
        return "The handbook says nothing of it."
    return f"The handbook, piece {found[0]['piece']}: {found[0]['content']}"


def asked(request: CompletionRequest) -> str:
    """The customer's last message."""
    return next(one.text for one in reversed(request.messages) if isinstance(one, UserMessage))


def called(request: CompletionRequest) -> dict[str, str]:
    """What the tools have answered since then, by their names."""
    names, results = {}, {}
    for message in request.messages:
        if isinstance(message, UserMessage):
            results = {}
        for made in getattr(message, "tool_calls", ()):
            names[made.id] = made.name
        if message.role == "tool":
            results[names.get(message.tool_call_id, "")] = message.text
    return results


def call(tool: str, **arguments: object) -> CompletionResponse:
    """An answer that asks for one tool call."""
    return CompletionResponse(tool_calls=[ToolCall(f"call_{tool}", tool, arguments)])


desk = FunctionDriver(answer, context_window=16_000)
