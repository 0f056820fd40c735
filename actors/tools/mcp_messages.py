"""What an MCP server says, as the package may see it.

Everything that comes from a server comes through here, whatever brought it: bounded before objects are made of it, and
off the event loop when it is large. The package sees answers alone. It gets no ``outputSchema``, which it would compare
with each result on the loop, by patterns that may take for ever; tools are looked at one by one; requests of the server
are answered here; its notifications are of no use, and dropped.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from ..network.bounded_json import TooManyValues, loads
from .mcp_schema import Listing, clean_text

MAX_MESSAGE = 8_000_000
"""Bytes of a message; a longer one is dropped while it is read."""
SMALL = 16_000
"""Bytes that are read on the loop; more of them on a thread."""
MAX_BLOCKS = 1_000
"""Pieces of one result."""
LONGEST_ERROR = 1_000
"""Characters of an error that are told."""

ANSWERS = b'"id"'
"""What is in each message that is of use."""

_ID = rb'"id"\s*:\s*(?P<id>\d{1,18}|"[^"\\]{1,100}")\s*'
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"\s*'
_FIRST = re.compile(rb"\s*\{\s*(?:" + _VERSION + rb",\s*)?" + _ID + rb"[,}]")
_LAST = re.compile(rb"[,{]\s*" + _ID + rb"(?:,\s*" + _VERSION + rb")?\}\s*\Z")
HEAD = 500
"""Bytes at either end of a message in which its id is looked for."""

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INTERNAL_ERROR = -32700, -32600, -32601, -32603
"""Codes of JSON-RPC."""
CLOSED = -32000
"""The package's word for the end of a connection. A server may use the code for anything, and does not end by that."""

Message = dict[str, Any]
"""One of JSON-RPC. An answer has an ``id`` that is a number or a text, and a ``result`` or an ``error``."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the server, and its answer."""

    answer: str


class Messages:
    """Reads what one server says.

    Threads: its loop's; what is large is read on another one, of which the loop waits.
    """

    def __init__(self) -> None:
        self._listing = Listing()
        self._waited_for: set[str] = set()

    @property
    def left_out(self) -> dict[str, str]:
        """The tools of its list that cannot be used, with the reasons."""
        return self._listing.left_out

    def is_sent(self, message: Message) -> None:
        """*message* goes to the server: a list that is asked for from its beginning begins anew."""
        method, params = message.get("method"), message.get("params") or {}
        if method == "notifications/cancelled":
            self._waited_for.discard(str(params.get("requestId")))
        elif method is not None and "id" in message:
            self._waited_for.add(str(message["id"]))
            if method == "tools/list" and not params.get("cursor"):
                self._listing = Listing()

    def is_waited_for(self, answer: Message) -> bool:
        """Is *answer* one to something? The first one is."""
        id_ = str(answer["id"])
        if id_ not in self._waited_for:
            return False
        self._waited_for.discard(id_)
        return True

    async def read(self, data: bytes) -> Message | Asked | None:
        """The answer, or the request, that *data* is; None when that is of no use."""
        if len(data) <= SMALL:
            return self._read(data)
        return await asyncio.to_thread(self._read, data)

    def _read(self, data: bytes) -> Message | Asked | None:
        try:
            message = loads(data)
        except TooManyValues as error:
            return refused(data, f"its answer {error}")
        except ValueError:
            return None
        if not isinstance(message, dict):
            return None
        if "method" in message:
            return _asked(message)
        id_ = message.get("id")
        if not isinstance(id_, int | str) and "error" not in message:
            return None
        if "error" in message:
            return _failed(id_, message["error"])
        if not isinstance(message.get("result"), dict):
            return failure(id_, PARSE_ERROR, "its answer is no object")
        return {"jsonrpc": "2.0", "id": id_, "result": self._useful(message["result"])}

    def _useful(self, result: dict[str, Any]) -> dict[str, Any]:
        if isinstance(result.get("tools"), list):
            return {**result, "tools": self._listing.accepted(result["tools"])}
        if "content" in result or "structuredContent" in result:
            return _told(result)
        return result


def refused(data: bytes, why: str) -> Message | None:
    """An error in the place of a message that is not read, of which *data* is the beginning or the end; None when it
    does not say what it answers.
    """
    found = _FIRST.match(data[:HEAD]) or _LAST.search(data[-HEAD:])
    return None if found is None else failure(json.loads(found["id"]), PARSE_ERROR, why)


def failure(id_: Any, code: int, text: str, data: Any = None) -> Message:
    """An error as the answer to a request."""
    error = {"code": code, "message": clean_text(text[:LONGEST_ERROR]), "data": data}
    return {"jsonrpc": "2.0", "id": id_, "error": error}


def _failed(id_: Any, error: Any) -> Message:
    if not isinstance(error, dict):
        error = {"message": error}
    code, text = error.get("code"), error.get("message")
    if not isinstance(code, int) or abs(code) > 1_000_000 or code == CLOSED:
        code = INTERNAL_ERROR
    return failure(id_, code, text if isinstance(text, str) else "an error without words", error.get("data"))


def _asked(message: dict[str, Any]) -> Asked | None:
    id_ = message.get("id")
    if not isinstance(id_, int | str) or len(str(id_)) > HEAD:
        return None  # a notification
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": id_}
    if message["method"] == "ping":
        answer["result"] = {}
    else:
        answer["error"] = {"code": METHOD_NOT_FOUND, "message": "this client offers nothing to servers"}
    return Asked(json.dumps(answer))


def _told(result: dict[str, Any]) -> dict[str, Any]:
    """The result of a call: texts for the model. What is structured is told where there is no text."""
    content = result.get("content", [])
    kept = {key: value for key, value in result.items() if key not in ("content", "structuredContent")}
    if not isinstance(content, list):
        return {**kept, "content": content}  # nonsense, as the package says
    blocks = content[:MAX_BLOCKS]
    structured = result.get("structuredContent")
    if structured is not None and not any(_has_text(block) for block in blocks):
        blocks.append({"type": "text", "text": json.dumps(structured, ensure_ascii=False)})
    if len(content) > MAX_BLOCKS:
        blocks.append({"type": "text", "text": f"[{len(content) - MAX_BLOCKS:,} more pieces were cut]"})
    return {**kept, "content": blocks}


def _has_text(block: Any) -> bool:
    return isinstance(block, dict) and isinstance(block.get("text"), str) and bool(block["text"].strip())
