"""One item of an answer of Responses: a message, thoughts, a call, or something of the server's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .responses_request import CALL, MESSAGE, REASONING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .call_parts import OpenCall

OF_CALL = frozenset({"type", "call_id", "name", "arguments"})
"""What the message itself says of a call."""
PLAIN = frozenset({"type", "id", "role", "status", "content", *OF_CALL})
"""Fields that say no more than a message does."""


class OutputItem:
    """One item whose pieces still come, or that is there as a whole."""

    __slots__ = ("_fields", "_texts", "call", "is_done", "kind")

    def __init__(self, kind: str, fields: Mapping[str, Any], call: OpenCall | None) -> None:
        self.kind = kind
        self.call = call
        self.is_done = False
        self._fields = dict(fields)
        self._texts: dict[tuple[str, object], list[str]] = {}

    @property
    def id(self) -> object:
        """What the server calls it; None for nothing."""
        return self._fields.get("id")

    def is_same(self, value: Mapping[str, Any]) -> bool:
        """Is *value* what is here, once more?"""
        return bool(self.id and value.get("id") == self.id) or value == self._fields

    def put(self, part: str, index: object, piece: str) -> bool:
        """Take a piece of a text.

        Args:
            part: What it is a text of.
            index: Which of those.
        Returns:
            Is it the first of that text?
        """
        key = part, index if isinstance(index, int | str) else 0
        is_first = key not in self._texts
        self._texts.setdefault(key, []).append(piece)
        return is_first

    def missing(self, part: str, index: object, whole: str) -> str:
        """What of the *whole* text has not come in pieces."""
        pieces = self._texts.get((part, index if isinstance(index, int | str) else 0), [])
        if not pieces:
            return whole
        if len(pieces) > 1:
            pieces[:] = ["".join(pieces)]
        return whole[len(pieces[0]) :] if len(whole) > len(pieces[0]) and whole.startswith(pieces[0]) else ""

    def finish(self, fields: Mapping[str, Any]) -> None:
        """It is there as a whole."""
        self._fields = dict(fields)
        self.is_done = True

    def is_plain(self) -> bool:
        """Does a message say all that there is to it?"""
        if self.kind not in (MESSAGE, CALL):
            return False
        return all(name in PLAIN or value in (None, [], {}) for name, value in self._fields.items())

    def value(self, *, is_stored: bool) -> dict[str, Any] | None:
        """It as it goes back; None where it cannot.

        Args:
            is_stored: The server keeps it, and knows it by its id.
        """
        fields = {name: value for name, value in self._fields.items() if value is not None}
        if self.kind == CALL:
            if self.call is None or not (self.call.name or self.call.has_begun):
                return None
            kept = {name: value for name, value in fields.items() if name not in OF_CALL}
            if kept.get("status") != "completed":
                kept.pop("status", None)
            return {"type": CALL, **kept}
        if self.kind == REASONING:
            # Without what was sealed, or said in the open, there would be nothing but an id that the server forgot.
            can_go = fields.get("encrypted_content") or fields.get("content") or is_stored
            return fields if self.is_done and can_go else None
        if self.kind == MESSAGE and not self.is_done:
            texts = ["".join(pieces) for (part, _), pieces in self._texts.items() if part == "content"]
            return {"type": MESSAGE, "role": "assistant", "content": [_text(text) for text in texts]} if texts else None
        if self.kind == MESSAGE and not fields.get("content"):
            return None
        return fields if self.is_done else None


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}
