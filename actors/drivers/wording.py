"""What the providers' dialects share: names that they accept, ids that are unique, arguments that are JSON."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..agent.context_window import estimate_text
from ..agent.ports import CompletionResponse, StopReason, TokenUsage, ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from ..agent.ports import CompletionRequest

LONGEST_NAME = 64
MOST_TOKENS = 10**9
"""Of one call; a server that counts more talks nonsense."""
NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")
"""Characters that no provider accepts in the name of a tool."""


class ToolNames:
    """The names of a request's tools as providers accept them, and back.

    Args:
        names: The real ones, also those that stand in the conversation.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._said: dict[str, str] = {}
        self._meant: dict[str, str] = {}
        for name in names:
            if name in self._said:
                continue
            said = plain = (NOT_ALLOWED.sub("_", name) or "_")[:LONGEST_NAME]
            number = 1
            while said in self._meant:
                number += 1
                said = f"{plain[: LONGEST_NAME - 5]}_{number}"
            self._said[name] = said
            self._meant[said] = name

    @classmethod
    def of(cls, request: CompletionRequest) -> ToolNames:
        """Those of *request*, of its tools first."""
        called = [call.name for message in request.messages for call in getattr(message, "tool_calls", ())]
        return cls([*(tool.name for tool in request.tools), *called])

    def said(self, name: str) -> str:
        """How the provider is told *name*."""
        return self._said.get(name, name)

    def meant(self, name: str) -> str:
        """What the provider's *name* means; one that it made up stays as it is."""
        return self._meant.get(name, name)


class Calls:
    """Collects the tool calls of one answer.

    Guarantees: each has an id of its own, whatever the server said; arguments that are no JSON object leave ``input``
    empty and are told in ``problem``, so that the model hears of it.
    """

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._calls: list[ToolCall] = []
        self._ids: set[str] = set()

    def add(self, id_: object, name: object, arguments: object) -> None:
        """Take one call in."""
        text = id_ if isinstance(id_, str) and id_ else "call"
        unique, number = text, 1
        while unique in self._ids or not unique.strip() or unique == "call":
            number += 1
            unique = f"{text}_{number}"
        self._ids.add(unique)
        values, problem = _arguments(arguments)
        meant = self._names.meant(name) if isinstance(name, str) else ""
        self._calls.append(ToolCall(sendable(unique), meant, sendable(values), problem))

    def all(self) -> tuple[ToolCall, ...]:
        """The calls, in the order in which they came."""
        return tuple(self._calls)


def _arguments(given: object) -> tuple[Mapping[str, Any], str]:
    if isinstance(given, str):
        if not given.strip():
            return {}, ""
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            return {}, f"its arguments are not valid JSON ({error}); send the call again with a JSON object"
    if given is None:
        return {}, ""
    if not isinstance(given, Mapping):
        return {}, f"its arguments must be a JSON object, got {type(given).__name__}; send the call again"
    return given, ""


def usage_of(
    given_input: object, given_output: object, request_tokens: int, text: str, calls: Sequence[ToolCall]
) -> TokenUsage:
    """The tokens that the server counted; estimated where it did not say, so that limits hold all the same."""
    counted = [
        isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MOST_TOKENS
        for count in (given_input, given_output)
    ]
    written = estimate_text(text) + sum(estimate_text(json.dumps(dict(call.input), default=str)) for call in calls)
    return TokenUsage(
        int(given_input) if counted[0] else request_tokens,  # type: ignore[call-overload]
        int(given_output) if counted[1] else max(1, written),  # type: ignore[call-overload]
    )


LAST_WORDS = 0.5
"""Seconds in which a server that has said everything should end its stream."""
AFTERWORDS = 5.0
"""Seconds for what usually comes after the end of an answer: the tokens that it took."""


async def pieces(stream: Any, patience: Callable[[], float | None]) -> AsyncIterator[Any]:
    """The pieces of *stream*, which is closed whatever happens.

    Some servers never end a stream although all is said, or break it off then: that ends it.

    Args:
        patience: Seconds to wait for the next piece; None, while the answer is not over, waits as long as it takes.
    """
    iterator = aiter(stream)
    try:
        while True:
            try:
                yield await asyncio.wait_for(anext(iterator), patience())
            except StopAsyncIteration:
                return
            except Exception:
                if patience() is None:
                    raise
                return
    finally:
        await stream.close()


def sendable(value: Any) -> Any:
    """*value*, of what JSON can hold, with every text such that UTF-8 can hold it: models and files contain halves of
    characters, which no server accepts.
    """
    if isinstance(value, str):
        return value if value.isascii() else _whole_characters(value)
    if isinstance(value, dict):
        return {sendable(key): sendable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(entry) for entry in value]
    return value


def _whole_characters(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Answer:
    """One answer, as it comes in. The packages check no types: whatever the server sent stands in their fields.

    Args:
        names: How the tools were called.
        tokens: Estimated, of the request.
    """

    def __init__(self, names: ToolNames, tokens: int) -> None:
        self._names = names
        self._tokens = tokens
        self._text: list[str] = []
        self._calls: list[list[Any]] = []  # id, name, arguments
        self._current: dict[Any, list[Any]] = {}  # the latest at each index that the server names
        self._read: Any = None
        self._written: Any = None

    def text(self) -> str:
        """What has come so far."""
        return str(sendable("".join(self._text)))

    def has_begun(self) -> bool:
        """Has the model begun to answer?"""
        return bool(self._text or self._calls or self._read is not None or self._written is not None)

    def begin_call(self, index: Any, id_: Any, name: Any, arguments: Any) -> None:
        """A tool call begins, at the server's *index*."""
        call = [id_, name, arguments]
        self._calls.append(call)
        self._current[index] = call

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that have come so far."""
        calls = Calls(self._names)
        for id_, name, arguments in self._calls:
            calls.add(id_, name, arguments)
        return calls.all()

    def usage(self) -> TokenUsage:
        """The tokens of what has come so far: counted by the server, or else estimated."""
        return usage_of(self._read, self._written, self._tokens, self.text(), self.calls())

    def used(self) -> tuple[int, int]:
        """The same of half an answer, read and written, as errors tell it. A server counts what it wrote at the end."""
        usage, estimated = self.usage(), usage_of(None, None, 0, self.text(), self.calls())
        return usage.input_tokens, max(usage.output_tokens, estimated.output_tokens)

    def whole(self, stop: StopReason) -> CompletionResponse:
        """All of it. Calls that came are meant to be made, whatever reason the server gives."""
        calls = self.calls()
        if calls:
            stop = StopReason.TOOL_USE
        elif stop is StopReason.TOOL_USE:
            stop = StopReason.END_TURN
        return CompletionResponse(self.text(), stop, calls, self.usage())
