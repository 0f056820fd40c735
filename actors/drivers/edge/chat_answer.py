"""One answer of Chat Completions, from its parsed JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...agent.ports import CompletionResponse, StopReason
from ...errors import InferenceFailed, MalformedAnswer
from .answer import AFTERWORDS, LAST_WORDS, Answer
from .attachments import keep
from .counts import CHAT
from .refusals import error_in
from .shown import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .answer import Asked

THOUGHTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""Where servers put what the model thinks aloud; the first that is there counts."""
MESSAGE = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "audio", "annotations", "name"})
CALL = frozenset({"index", "id", "type", "function", "name", "arguments"})


class ChatAnswer(Answer):
    """One answer of Chat Completions."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked, CHAT)
        self._refusal: list[str] = []
        self._kept: dict[str, Any] = {}
        self._finish: str | None = None
        self._early = False  # it said that it was over, and went on
        self._spoke = False  # the last piece had something to say
        self._done = False

    def take_whole(self, body: Any) -> None:
        """The answer in one piece."""
        choice = _first_choice(body)
        if choice is not None and isinstance(choice.get("text"), str) and "message" not in choice:
            choice = {**choice, "message": {"content": choice["text"]}}  # of the protocol before this one
        message = choice.get("message") if choice else None
        if choice is None or not isinstance(message, dict):
            raise MalformedAnswer(f"the server's answer has no choice with a message: {short(body)}")
        self._take_message(message)
        self._finish = _word(choice) or "stop"
        self._count(body, choice)

    def take_event(self, name: str, data: Any) -> str:  # noqa: ARG002 - the protocol has no names
        """A piece of a streamed answer."""
        choice = _first_choice(data)
        self._count(data, choice)
        if choice is None:  # the last piece, with the usage
            self._spoke = False
            return ""
        part = choice.get("delta")
        if not isinstance(part, dict):
            part = choice.get("message")  # some send the whole message once more, or instead
            if not isinstance(part, dict) or self.has_begun():
                part = {"content": choice["text"]} if isinstance(choice.get("text"), str) else {}
        told, self._spoke = self._take_message(part, is_piece=True)
        self._early = self._early or (self._spoke and self._finish is not None)
        self._finish = _word(choice) or self._finish
        return told

    def done(self) -> None:
        """The server says that no more comes."""
        self._done = True

    def _take_message(self, message: Mapping[str, Any], *, is_piece: bool = False) -> tuple[str, bool]:
        """Take a message, or a piece of one; the text of it that may be told, and whether it said anything."""
        texts = list(self._texts(message.get("content"), is_piece=is_piece or bool(message.get("tool_calls"))))
        self._text += texts
        thought = next((text for name in THOUGHTS if isinstance(text := message.get(name), str) and text), None)
        if thought is not None:
            self._thoughts.append(thought)
        if isinstance(message.get("refusal"), str):
            self._refusal.append(message["refusal"])
        keep(self._kept, message, MESSAGE)
        calls = list(_listed(message))
        for call in calls:
            function = call.get("function", call)  # some say it all in one object
            function = function if isinstance(function, dict) else {}
            said = call.get("id"), function.get("name"), function.get("arguments")
            # In one piece nothing comes twice: what is equal was asked for twice.
            part = self._parts.take(call.get("index"), *said) if is_piece else self._parts.begin(*said)
            keep(part.extra, call, CALL)
            if function is not call:
                keep(part.extra, function, CALL)
        return "".join(map(self._filter.feed, texts)), bool(texts or calls or thought)

    def _texts(self, content: Any, *, is_piece: bool) -> Iterator[str]:
        """The texts of what is a text, nothing, or a list of parts; a piece of an answer may have none."""
        if isinstance(content, str | dict):
            content = [content]
        elif content is not None and not isinstance(content, list):
            raise MalformedAnswer(f"content must be a text, got {type(content).__name__}")
        known = is_piece or not content
        for part in content or ():
            if isinstance(part, str):
                known = True
                if part:
                    yield part
            elif isinstance(part, dict):
                kind = part.get("type")
                if isinstance(part.get("thinking") or part.get("reasoning"), str | list):
                    known = True
                    self._thoughts += _thoughts(part.get("thinking") or part.get("reasoning"))
                elif isinstance(part.get("refusal"), str):
                    known = True
                    self._refusal.append(part["refusal"])
                elif isinstance(part.get("text"), str):
                    known = True
                    if kind in ("thinking", "reasoning"):
                        self._thoughts.append(part["text"])
                    elif part["text"]:
                        yield part["text"]
        if not known:
            raise MalformedAnswer(f"content must be a text, or have parts that are: {short(content)}")

    def patience(self) -> float | None:
        """Seconds that the rest may take; None while nobody knows whether the answer is over."""
        if self._done:
            return LAST_WORDS
        # A server that says with each piece that it is over says nothing by it.
        if self._finish is None or self._spoke or self._early or not (self._text or self._parts.calls):
            return None
        return AFTERWORDS if self._counts.written is None else LAST_WORDS

    def _count(self, body: Mapping[str, Any], choice: Mapping[str, Any] | None) -> None:
        for place in (choice, body.get("x_groq"), body):
            if isinstance(place, dict):
                self._counts.take(place.get("usage"))

    def response(self, *, ended: bool = True) -> CompletionResponse:
        """All of it."""
        refusal = "".join(self._refusal)
        if refusal and not self._text:
            raise InferenceFailed(f"the model refused: {short(refusal, 500)}")
        if self._finish is None or (self._early and not ended and not self._done):
            if not self._has_all(ended=ended):
                raise MalformedAnswer("the stream ended before the answer did")
            return self._whole(StopReason.END_TURN, self._kept)
        return self._whole(self._end(self._finish), self._kept)

    def _withheld(self) -> str:
        return "the provider's content filter withheld the answer"

    def _has_all(self, *, ended: bool) -> bool:
        """Some servers end a stream without a reason: the mark of its end counts, and calls that are whole."""
        if self._done:
            return self.has_begun() and not self._is_cut()
        return (
            ended and bool(self._parts.calls) and all(call.whole for call in self._parts.calls) and not self._is_cut()
        )

    def _is_cut(self) -> bool:
        return any(call.problem for call in self.calls(cut=True)[-1:])


def _thoughts(value: Any) -> Iterator[str]:
    for part in value if isinstance(value, list) else [value]:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text


def _listed(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise MalformedAnswer(f"tool_calls must be a list, got {type(calls).__name__}")
    yield from (call for call in calls or () if isinstance(call, dict))
    old = message.get("function_call")
    if isinstance(old, dict) and not calls:  # what came before tool_calls; some say both
        yield {"index": "function_call", "function": old}


def _first_choice(body: Any) -> dict[str, Any] | None:
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return None
    if choice.get("error"):
        error = error_in({"error": choice["error"]}, {})
        if error is not None:
            raise error
    return choice


def _word(choice: Mapping[str, Any]) -> str | None:
    word = choice.get("finish_reason")
    return word if isinstance(word, str) and word else None
