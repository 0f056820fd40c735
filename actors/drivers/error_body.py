"""What a server's error says, whatever the shape of its body.

OpenAI nests ``{"error": {"message": ...}}``, Google wraps that in a list, FastAPI has ``{"detail": [{"loc", "msg"}]}``,
OpenRouter and gateways have the JSON of another server as text within theirs, proxies answer with a page.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .error_text import MOST_BYTES, decoded, harmless, is_markup, without_markup

LONGEST_TEXT = 4_000
"""Characters that decisions are made from."""
LONGEST_WORDS = 500
"""Characters of a server's own words that an error keeps."""
DEEPEST = 8
MOST_ITEMS = 8
MOST_VALUES = 100
MESSAGE_KEYS = (
    "message",
    "msg",
    "Message",
    "detail",
    "error_description",
    "error_message",
    "errorMessage",
    "error_msg",
    "errmsg",
    "status_msg",
    "error",
    "description",
    "title",
    "reason",
)
MORE_KEYS = ("detail", "details", "param", "remedy_hint")
"""Where some have what is missing in the message; a text of one word there is a name."""
NESTED_KEYS = ("error", "errors", "detail", "details", "message", "base_resp", "fault", "exception", "data", "Error")
INNER_KEYS = (*NESTED_KEYS, "innererror", "inner_error", "metadata", "raw", "violations")
KIND_KEYS = ("type", "code", "status", "__type", "error_type", "errorType", "errorCode", "reason", "name", "Code")
CODE_KEYS = ("code", "status", "status_code", "statusCode", "http_status", "httpStatus", "http_code", "errorCode")
SALVAGE = re.compile(
    r"\"(?:message|msg|detail|error|error_msg|errorMessage)\"\s{0,20}:\s{0,20}\"((?:[^\"\\]|\\.){1,2000})", re.DOTALL
)
"""The words in JSON that is broken, or longer than is looked at."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error says.

    Args:
        text: Its words, one line, at most 4,000 characters; "" when it has none.
        kind: Its words for the kind of error (type, code, status), in lower case.
        code: Its number, as it stands there; None when it has none.
        parts: Every object in it, from the outside in: for fields that some servers have.
    """

    text: str
    kind: str
    code: int | None
    parts: tuple[Mapping[str, Any], ...]

    @property
    def words(self) -> str:
        """The text as people are shown it."""
        return self.text if len(self.text) <= LONGEST_WORDS else f"{self.text[: LONGEST_WORDS - 1]}…"

    @classmethod
    def of(cls, body: object, content_type: str = "") -> ErrorBody:
        """Read *body*: bytes, text, or JSON that was parsed. Never raises."""
        value = _parsed(body, content_type)
        parts = _parts(value)
        kinds = [str(part[key])[:100] for part in parts for key in KIND_KEYS if isinstance(part.get(key), str | int)]
        text = harmless(_Words().of(value)[:MOST_BYTES])[:LONGEST_TEXT]
        return cls(text, " ".join(dict.fromkeys(kinds)).lower()[:LONGEST_TEXT], _code(parts), parts)


def _parsed(body: object, content_type: str) -> object:
    if isinstance(body, bytes | bytearray | memoryview):
        body = decoded(bytes(body), content_type)
    return _from_text(body[:MOST_BYTES]) if isinstance(body, str) else body


def _from_text(text: str) -> object:
    """The JSON that *text* is, or begins with; else *text*."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith(("data:", "event:", "id:", "retry:", ":")):  # an event of a stream
        data = "\n".join(line[5:].strip() for line in start.splitlines() if line.startswith("data:"))
        start = data or start
    if start[:1] not in ("{", "["):
        return text
    try:
        return json.JSONDecoder(strict=False).raw_decode(start)[0]
    except (ValueError, RecursionError):
        pass
    found = SALVAGE.search(start)
    if found is None:
        return text
    try:
        return {"message": json.loads(f'"{found[1]}"', strict=False)}
    except ValueError:
        return {"message": found[1]}


def _parts(value: object) -> tuple[Mapping[str, Any], ...]:
    """The objects that may say what happened, from the outside in."""
    found: list[Mapping[str, Any]] = []
    line: deque[object] = deque([value])
    for _ in range(MOST_VALUES):
        if not line:
            break
        value = line.popleft()
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            value = _from_text(value[:MOST_BYTES])
        if isinstance(value, list | tuple):
            line.extend(value[:MOST_ITEMS])
        elif isinstance(value, Mapping):
            found.append(value)
            line.extend(inner for key in INNER_KEYS if (inner := value.get(key)) is not None)
    return tuple(found)


class _Words:
    """Finds the words of one error. So many values are looked at, whatever it is."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def of(self, value: object, depth: int = 0) -> str:
        self._left -= 1
        if depth > DEEPEST or self._left < 0 or value is None or isinstance(value, bool):
            return ""
        if isinstance(value, str):
            inner = _from_text(value[:MOST_BYTES])
            if not isinstance(inner, str):
                return self.of(inner, depth + 1)
            return without_markup(inner) if is_markup(inner) else inner
        if isinstance(value, list | tuple):
            said = dict.fromkeys(filter(None, (self.of(item, depth + 1) for item in value[:MOST_ITEMS])))
            return "; ".join(said)
        return self._of_object(value, depth) if isinstance(value, Mapping) else _plain(value)

    def _of_object(self, value: Mapping[Any, Any], depth: int) -> str:
        said = self._message(value, depth)
        more = [value[key] for key in MORE_KEYS if isinstance(value.get(key), str) and " " in value[key].strip()]
        for text in (*more, self._of_upstream(value.get("metadata"), depth)):
            if text and text not in said:
                said = f"{said}: {text}" if said else text
        place = value.get("loc")
        if said and isinstance(place, list | tuple):  # FastAPI's: which field it is about
            path = ".".join(_plain(step)[:100] for step in place[:DEEPEST] if step != "body")
            said = f"{path}: {said}" if path else said
        return said or (_written(value) if depth == 0 else "")

    def _message(self, value: Mapping[Any, Any], depth: int) -> str:
        error = value.get("error")
        if not isinstance(error, str) and (said := self.of(error, depth + 1)):
            return said
        for key in MESSAGE_KEYS:
            if isinstance(value.get(key), str) and value[key].strip():
                return self.of(value[key], depth + 1)
        return next(filter(None, (self.of(value[key], depth + 1) for key in NESTED_KEYS if value.get(key))), "")

    def _of_upstream(self, metadata: object, depth: int) -> str:
        """What the server behind this one said (OpenRouter)."""
        if not isinstance(metadata, Mapping):
            return ""
        said = self.of(metadata.get("raw"), depth + 1)
        name = metadata.get("provider_name")
        return f"{name[:100]}: {said}" if said and isinstance(name, str) else said


def _plain(value: object) -> str:
    """A step of a path, a number."""
    return str(value)[:LONGEST_WORDS] if isinstance(value, str | float) else _integer(value)


def _integer(value: object) -> str:
    return str(value) if isinstance(value, int) and abs(value) < 10**18 else ""


def _written(value: Mapping[Any, Any]) -> str:
    """As JSON, where no field has words."""
    written: list[str] = []
    try:
        for chunk in json.JSONEncoder(ensure_ascii=False, default=lambda _: "…").iterencode(dict(value)):
            written.append(chunk[:LONGEST_WORDS])
            if len(written) > LONGEST_WORDS:
                break
    except (TypeError, ValueError, RecursionError):
        pass
    return "".join(written) if value else ""


def _code(parts: tuple[Mapping[str, Any], ...]) -> int | None:
    """The outermost that can be a status; else the outermost."""
    found = [number for key in CODE_KEYS for part in parts if (number := _number(part.get(key))) is not None]
    return next((number for number in found if 400 <= number < 600), found[0] if found else None)


def _number(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{0,8}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        return None
    return int(value)
