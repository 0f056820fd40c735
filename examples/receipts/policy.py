"""Reads receipts by rules, in place of a model that sees: so that the reader can be looked at without one."""

import json
import re

from drawing import read

from actors import CompletionRequest, FunctionDriver
from actors.ports import ImagePart

DATE = re.compile(r"DATE (\d{4}-\d{2}-\d{2})")
LINE = re.compile(r"(\d+) X (.+?) +(\d+\.\d{2})")
TOTAL = re.compile(r"TOTAL +(\d+\.\d{2})")


def answer(request: CompletionRequest) -> str:
    """The receipt in the image, as JSON."""
    parts = [part for message in request.messages for part in message.content]
    image = next(part for part in parts if isinstance(part, ImagePart))
    return json.dumps(receipt_of(read(image.data)))


def receipt_of(text: str) -> dict[str, object]:
    """What stands in a receipt."""
    shop, *lines = text.split("\n")
    found = {"shop": shop.strip().title(), "date": DATE.search(text), "total": TOTAL.search(text)}
    items = [
        {"count": int(line[1]), "name": line[2].strip().lower(), "price": float(line[3])}
        for line in map(LINE.match, lines)
        if line
    ]
    words = {name: value[1] if isinstance(value, re.Match) else value for name, value in found.items()}
    return {**words, "items": items}


reader = FunctionDriver(answer, context_window=32_000)
