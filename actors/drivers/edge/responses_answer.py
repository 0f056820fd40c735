"""One answer of OpenAI's Responses, from its parsed JSON.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InferenceFailed, MalformedAnswer
from .answer import LAST_WORDS, Answer
from .counts import CHAT
from .output_item import OutputItem
from .refusals import error_in
from .responses_request import CALL, ITEMS, MESSAGE, REASONING, SEAM
from .shown import short
from .text import sendable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...agent.ports import CompletionResponse
    from .answer import Asked

COMPLETED, INCOMPLETE, FAILED = "completed", "incomplete", "failed"
ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
PIECES = {
    "response.output_text": (MESSAGE, "content"),
    "response.refusal": (MESSAGE, "refusal"),
    "response.reasoning_summary_text": (REASONING, "summary"),
    "response.reasoning_text": (REASONING, "content"),
    "response.function_call_arguments": (CALL, "arguments"),
}
"""What comes in pieces: of which kind of item, and which part of it."""


class ResponsesAnswer(Answer):
    """One answer of Responses.

    Guarantees: an item goes back as the server sent it when it was done, in its place among the others, or not at all.
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked, CHAT)
        self._items: list[OutputItem] = []
        self._at: dict[int | str, OutputItem] = {}  # by place, and by id
        self._speaker: OutputItem | None = None  # the message whose text came last
        self._refusal: list[str] = []
        self._end_word: str | None = None
        self._is_stored = False
        self._over = False

    def take_whole(self, body: Any) -> None:
        """The answer in one piece."""
        output = body.get("output") if isinstance(body, dict) else None
        if not isinstance(output, list):
            raise MalformedAnswer(f"the server's answer has no output: {short(body)}")
        for place, value in enumerate(output):
            self._finish(place, value)
        self._close({"status": COMPLETED, **body})

    def take_event(self, name: str, data: Any) -> str:
        """Kinds of events that are not known are passed over."""
        kind = data.get("type")
        kind = kind if isinstance(kind, str) and kind else name
        piece = PIECES.get(kind.rpartition(".")[0])
        if piece is not None:
            told = self._take_piece(data, *piece, is_whole=not kind.endswith(".delta"))
        elif kind == "response.output_item.added":
            told = self._begin(data.get("output_index"), data.get("item"))
        elif kind == "response.output_item.done":
            told = self._finish(data.get("output_index"), data.get("item"))
        elif kind in ENDS:
            response = data.get("response")
            told = self._take_end(kind, response if isinstance(response, dict) else {})
        else:
            return ""
        return self._filter.feed(told)

    def done(self) -> None:
        """The server says that no more comes."""
        self._over = True

    # Items ------------------------------------------------------------------------------------------------------

    def _begin(self, place: Any, value: Any) -> str:
        """An item is announced. Its texts are taken where they come, be it here."""
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(kind, str):
            raise MalformedAnswer(f"an item of the answer has no type: {short(value)}")
        item = self._known(place, value.get("id"), kind) or self._open(place, kind, value)
        return "" if item.is_done else self._take_parts(item, value)

    def _open(self, place: Any, kind: str, fields: Mapping[str, Any]) -> OutputItem:
        call = None
        if kind == CALL:
            call = self._parts.begin(fields.get("call_id"), fields.get("name"), fields.get("arguments"))
        item = OutputItem(kind, fields, call)
        self._items.append(item)
        for key in (place, fields.get("id")):
            if isinstance(key, int) or (isinstance(key, str) and key):
                self._at[key] = item
        return item

    def _known(self, place: Any, id_: Any, kind: str, *, is_late: bool = False) -> OutputItem | None:
        """The item of that id, or at that place, if it is one of that kind.

        Some servers give one item several ids, others several items one place: a place counts until its item is done.
        """
        for key in (id_, place):
            item = self._at.get(key) if isinstance(key, int | str) else None
            if item is None or item.kind != kind:
                continue
            is_other = item.is_done and key is not id_ and _word(id_) is not None and id_ != item.id
            if is_late or not is_other:
                return item
        return None

    def _finish(self, place: Any, value: Any) -> str:
        """An item as a whole: what of its texts has not come before is told."""
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(kind, str):
            raise MalformedAnswer(f"an item of the answer has no type: {short(value)}")
        item = self._known(place, value.get("id"), kind)
        if item is not None and item.is_done and item.is_same(value):
            return ""
        if item is None or item.is_done:
            item = self._open(place, kind, value if kind == CALL else {"id": value.get("id")})
        told = self._take_parts(item, value)
        if item.call is not None:
            item.call.id = item.call.id or _word(value.get("call_id"))
            item.call.name = item.call.name or _word(value.get("name"))
            self._take_arguments(item, value.get("arguments"))
        item.finish(value)
        return told

    def _take_parts(self, item: OutputItem, value: Mapping[str, Any]) -> str:
        """Its texts, as far as they have not come before."""
        told: list[str] = []
        if item.kind not in (MESSAGE, REASONING):
            return ""
        for name in ("summary", "content"):
            parts = value.get(name)
            if isinstance(parts, str):  # some say it in a text
                parts = [{"text": parts}]
            for index, part in enumerate(parts if isinstance(parts, list) else ()):
                said = part if isinstance(part, dict) else {}
                if isinstance(said.get("text"), str):
                    told.append(self._say(item, name, index, item.missing(name, index, said["text"])))
                elif isinstance(said.get("refusal"), str):
                    self._say(item, "refusal", index, item.missing("refusal", index, said["refusal"]))
        return "".join(told)

    def _take_piece(self, data: Mapping[str, Any], kind: str, part: str, *, is_whole: bool) -> str:
        """A piece of a text, or (*is_whole*) all of it once more."""
        place = data.get("output_index")
        item = self._known(place, data.get("item_id"), kind)
        if item is None:  # some announce nothing
            item = self._open(place, kind, {"id": data.get("item_id")})
        if item.is_done:
            return ""
        index = data.get("summary_index") if part == "summary" else data.get("content_index")
        if part == "arguments":
            if is_whole:
                self._take_arguments(item, data.get("arguments"))
            elif item.call is not None:
                item.call.put(_word(data.get("delta")))
            return ""
        text = data.get("refusal" if part == "refusal" else "text") if is_whole else data.get("delta")
        if not isinstance(text, str):
            return ""
        return self._say(item, part, index, item.missing(part, index, text) if is_whole else text)

    @staticmethod
    def _take_arguments(item: OutputItem, arguments: Any) -> None:
        """All of them, from their beginning."""
        if item.call is None or arguments is None:
            return
        if not isinstance(arguments, str):
            item.call.put(arguments)
        elif arguments and arguments != item.call.arguments:
            item.call.replace(arguments)

    def _say(self, item: OutputItem, part: str, index: Any, piece: str) -> str:
        """Take a piece of a text.

        Returns:
            What it adds to the answer's text.
        """
        if not piece:
            return ""
        is_first = item.put(part, index, piece)
        if part == "refusal":
            self._refusal.append(piece)
            return ""
        if item.kind == REASONING:
            self._thoughts += [SEAM, piece] if is_first and self._thoughts else [piece]
            return ""
        if item.kind != MESSAGE or part != "content":
            return ""
        if self._text and item is not self._speaker:
            piece = SEAM + piece
        self._speaker = item
        self._text.append(piece)
        return piece

    # The end ----------------------------------------------------------------------------------------------------

    def _take_end(self, kind: str, response: Mapping[str, Any]) -> str:
        """The last event has the answer once more: what of it did not come before is taken."""
        told = "".join(self._late(response.get("output")))
        word = kind.removeprefix("response.")
        self._close({**response, "status": _word(response.get("status")) or word})
        return told

    def _late(self, output: Any) -> Iterator[str]:
        for place, value in enumerate(output if isinstance(output, list) else ()):
            if not isinstance(value, dict) or not isinstance(value.get("type"), str):
                continue
            known = self._known(place, value.get("id"), value["type"], is_late=True)
            if not (known.is_done if known is not None else place < len(self._items)):
                yield self._finish(place, value)

    def _close(self, response: Mapping[str, Any]) -> None:
        """Take what is said of the whole answer."""
        self._counts.take(response.get("usage"))
        self._is_stored = response.get("store") is True
        word = _word(response.get("status")) or COMPLETED
        failure = response.get("error")
        error = error_in({"error": failure}, {}) if failure and word != COMPLETED else None
        if error is not None:
            raise error
        if word == INCOMPLETE:
            details = response.get("incomplete_details")
            word = _word(details.get("reason") if isinstance(details, dict) else None) or word
        self._end_word, self._over = word, True

    def patience(self) -> float | None:
        """Seconds that the rest may take; None while nobody knows whether the answer is over."""
        return LAST_WORDS if self._over else None

    def response(self, *, ended: bool = True) -> CompletionResponse:  # noqa: ARG002 - its end is always said
        """All of it."""
        if self._end_word is None and self._over and self._items and all(item.is_done for item in self._items):
            self._end_word = COMPLETED
        if self._end_word is None:
            raise MalformedAnswer("the stream ended before the answer did")
        if self._refusal and not self._text:
            raise InferenceFailed(f"the model refused: {short(''.join(self._refusal), 500)}")
        return self._whole(self._end(self._end_word), self._attachment())

    def _withheld(self) -> str:
        return "the provider's content filter withheld the answer"

    def _attachment(self) -> Mapping[str, Any]:
        """Where there is more than a text and calls, all items in their order."""
        if all(item.is_plain() for item in self._items):
            return {}
        values = [item.value(is_stored=self._is_stored) for item in self._items]
        while values and (values[-1] is None or values[-1]["type"] == REASONING):
            values.pop()  # thoughts that nothing followed are refused
        kept = [value for value in values if value is not None]
        lost = sum(item.kind == REASONING for item in self._items) - sum(each["type"] == REASONING for each in kept)
        if lost and not self._is_stored:  # an id without the thoughts that belong to it is refused
            kept = [{name: value for name, value in each.items() if name != "id"} for each in kept]
        return {ITEMS: sendable(kept)} if kept else {}


def _word(word: Any) -> str | None:
    return word if isinstance(word, str) and word else None
