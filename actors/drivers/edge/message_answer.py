"""One answer of Anthropic's Messages, from its parsed JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...errors import MalformedAnswer
from .answer import AFTERWORDS, LAST_WORDS, Answer
from .counts import MESSAGES
from .message_request import BLOCKS
from .shown import short
from .text import sendable
from .thinking import THOUGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...agent.ports import CompletionResponse
    from .answer import Asked
    from .call_parts import OpenCall

PAUSED = "pause_turn"
OWN = frozenset({"text", "tool_use"})
"""The kinds of blocks that have a place in an answer; any other goes back to the server as it came."""


class MessageAnswer(Answer):
    """One answer of Messages."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked, MESSAGES)
        self._stop: str | None = None
        self._over = False
        self._spoke = False
        self._blocks: list[_Block] = []
        self._at: dict[int | str, _Block] = {}

    def take_whole(self, body: Any) -> None:
        """The answer in one piece."""
        content = body.get("content") if isinstance(body, dict) else None
        if not isinstance(content, list):
            raise MalformedAnswer(f"the server's answer has no content: {short(body)}")
        for place, block in enumerate(content):
            self._begin(place, block)
        self._stop = _word(body.get("stop_reason")) or "end_turn"
        self._counts.take(body.get("usage"))

    def take_event(self, name: str, data: Any) -> str:
        """Kinds of events that are not known are passed over."""
        kind = data.get("type") or name
        self._spoke = False
        if kind == "message_start":
            message = data.get("message")
            self._counts.take(message.get("usage") if isinstance(message, dict) else None)
        elif kind == "content_block_start":
            self._spoke = True
            return self._filter.feed(self._begin(data.get("index"), data.get("content_block")))
        elif kind == "content_block_delta":
            self._spoke = True
            return self._filter.feed(self._go_on(data.get("index"), data.get("delta")))
        elif kind == "content_block_stop":
            block = self._block_at(data.get("index"))
            if block is not None:
                block.is_open = False
        elif kind == "message_delta":
            delta = data.get("delta")
            self._stop = _word(delta.get("stop_reason") if isinstance(delta, dict) else None) or self._stop
            self._counts.take(data.get("usage"))
        elif kind == "message_stop":  # some servers give no reason before it
            self._over = True
        return ""

    def done(self) -> None:
        """The server says that no more comes."""
        self._over = True

    def _begin(self, place: Any, value: Any) -> str:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(kind, str):
            raise MalformedAnswer(f"a block of the answer has no type: {short(value)}")
        block = _Block(dict(value))
        self._blocks.append(block)
        if isinstance(place, int | str):
            self._at[place] = block
        if kind == "tool_use":
            # Empty arguments are none, or are still to come.
            block.call = self._parts.begin(value.get("id"), value.get("name"), value.get("input") or None)
            return ""
        thought = value.get("thinking") if kind == "thinking" else None
        if isinstance(thought, str):
            self._thoughts.append(thought)
        text = value.get("text", "") if kind == "text" else ""
        if not isinstance(text, str):
            raise MalformedAnswer(f"a block of text must have a text, got {type(text).__name__}")
        self._say(text)
        return text

    def _go_on(self, place: Any, delta: Any) -> str:
        block = self._block_at(place)
        if not isinstance(delta, dict):
            return ""
        text = delta.get("text")
        text = text if isinstance(text, str) else ""
        self._say(text)
        if isinstance(delta.get("thinking"), str):
            self._thoughts.append(delta["thinking"])
        if block is not None:
            piece = delta.get("partial_json")
            if block.call is not None:
                block.call.put(piece if isinstance(piece, str) else None)
            else:
                block.put(delta)
        return text

    def _block_at(self, place: Any) -> _Block | None:
        known = self._at.get(place) if isinstance(place, int | str) else None
        return known or (self._blocks[-1] if self._blocks else None)

    def _say(self, text: str) -> None:
        if text:
            self._text.append(text)

    def patience(self) -> float | None:
        """Seconds that the rest may take; None while nobody knows whether the answer is over."""
        if self._over:
            return LAST_WORDS
        return None if self._stop is None or self._spoke else AFTERWORDS

    def response(self, *, ended: bool = True) -> CompletionResponse:  # noqa: ARG002 - its end is always said
        """All of it."""
        if self._stop is None and self._over and self.has_begun() and not self._is_within_call():
            self._stop = "end_turn"
        if self._stop is None:
            raise MalformedAnswer("the stream ended before the answer did")
        return self._whole(self._end(self._stop), self._attachment(), paused=self._stop == PAUSED)

    def _withheld(self) -> str:
        return f"the model refused: {short(self.text(), 500) or 'it gave no words'}"

    def _is_within_call(self) -> bool:
        """Did the answer end before the arguments of its last call had come?"""
        block = self._blocks[-1] if self._blocks else None
        return block is not None and block.call is not None and block.is_open and not block.call.whole

    def _attachment(self) -> Mapping[str, Any]:
        """Where there is more than texts and calls, all blocks in their order."""
        blocks = [block.value() for block in self._blocks]
        while blocks and blocks[-1]["type"] in THOUGHTS:
            blocks.pop()  # nothing followed it, or its signature did not come: no answer may end so
        if all(block["type"] in OWN for block in blocks):
            return {}
        return {BLOCKS: sendable([block for block in blocks if block["type"] != "text" or block.get("text")])}


class _Block:
    """One block of an answer."""

    __slots__ = ("_citations", "_fields", "_json", "_texts", "call", "is_open")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.call: OpenCall | None = None
        self.is_open = True
        self._fields = fields
        self._texts: dict[str, list[str]] = {}
        self._json: list[str] = []
        self._citations: list[Any] = []

    def put(self, delta: Mapping[str, Any]) -> None:
        """Take a piece: its texts go on with the block's."""
        for name, value in delta.items():
            if name == "partial_json" and isinstance(value, str):
                self._json.append(value)
            elif name == "citation":
                self._citations.append(value)
            elif name != "type" and isinstance(value, str):
                self._texts.setdefault(name, []).append(value)

    def value(self) -> dict[str, Any]:
        """All of it, as it goes back."""
        if self.call is not None:
            return {"type": "tool_use"}
        block = {name: value for name, value in self._fields.items() if value is not None}
        for name, texts in self._texts.items():
            block[name] = "".join((block[name] if isinstance(block.get(name), str) else "", *texts))
        if self._citations:
            block["citations"] = [*(block.get("citations") or ()), *self._citations]
        if self._json:
            block["input"] = _json_of("".join(self._json), block.get("input"))
        return block


def _json_of(text: str, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return otherwise


def _word(word: Any) -> str | None:
    return word if isinstance(word, str) and word else None
