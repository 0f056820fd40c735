"""What all dialects have in common: an answer, whole or streamed, cut in any way."""

from __future__ import annotations

import itertools
import json
import math
import re
import zlib
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.agent.bounds import within_bounds
from actors.core.records.usage import clamped
from actors.drivers.edge.answer import Asked
from actors.drivers.edge.chat_request import chat_turns
from actors.drivers.edge.counts import MOST_TOKENS
from actors.drivers.edge.message_request import CALL_ID, message_turns
from actors.drivers.edge.names import ToolNames
from actors.drivers.edge.profiles import PROFILES
from actors.drivers.edge.reading import Reading
from actors.drivers.edge.refusals import ServerError
from actors.drivers.edge.responses_request import response_items
from actors.drivers.edge.text import body_of
from actors.drivers.provider_errors import refusal_of, translate
from actors.errors import ActorsError
from actors.ports import (
    AssistantMessage,
    CompletionRequest,
    CompletionResponse,
    Message,
    StopReason,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)

from ..target import Target, Violation, files, hold, hold_message, hold_plain, strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from actors.drivers.edge.answer import Answer
    from actors.drivers.edge.profiles import ServerProfile

WIPE = ToolDefinition("wipe", "Wipes.", {"type": "object", "properties": {"path": {"type": "string"}}})
OWNER = "fuzz"
SIZES = (1, 2, 3, 7, 64)
"""Bytes of each piece."""
FEW = 2_000
"""Bytes of an answer that is cut into single ones."""
RANDOM_CUTS = 3
LONG_TEXT = 40
TEXT = re.compile(rb"(?<=\")[^\"\\\r\n]*(?=\")")
"""The inside of a text in JSON, without escapes."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class Seen(NamedTuple):
    """What came of an answer: the answer or what is told of the error, and what the reader of the stream was told."""

    response: CompletionResponse | None
    error: ActorsError | None
    told: str

    def same(self) -> str:
        """What must not depend on how the answer was cut. An error may come before all is told that came."""
        return repr((self.response, self.told)) if self.error is None else f"{type(self.error).__name__}: {self.error}"


class Answers(Target):
    """Answers of one dialect."""

    words = (
        *(b"[DONE]", b"data: ", b"event: ", b"event: error\n", b": comment\n", b"data:\n\n", b"retry: 1\n"),
        *(b"<think>", b"</think>", b"\\n\\n", b'{"error": {"message": "x", "code": 429}}', b"data: [DONE]\n\n"),
    )

    def __init__(self, dialect: str, answer: Callable[[Asked], Answer]) -> None:
        self.about = f"whole and streamed answers of {dialect}"
        self._dialect = dialect
        self._answer = answer

    def seeds(self) -> Iterable[bytes]:
        """Those that the tests know."""
        for content in files("drivers/shapes/*.txt"):
            head, _, body = content.partition(b"\n---\n")
            if f'dialect = "{self._dialect}"'.encode() in head:
                yield body

    def work(self, data: bytes) -> object:
        """In one piece."""
        return self._read(data, ())

    def grown(self, data: bytes, times: int) -> bytes | None:
        """So many events, or each text in them so many times as long."""
        if zlib.crc32(data) % 2:
            return data * times
        return TEXT.sub(lambda found: found[0] * times if len(found[0]) >= LONG_TEXT else found[0], data)

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:
        """However it is cut, it is the same; and an agent can go on with what it is."""
        seen = self._read(data, ())
        random = Random(zlib.crc32(data))
        sizes = [size for size in SIZES if thorough and size * FEW >= len(data)]
        ways = [list(range(0, len(data), size)) for size in sizes]
        ways += [sorted(random.choices(range(len(data) + 1), k=8)) for _ in range(RANDOM_CUTS if thorough else 1)]
        for cuts in ways:
            other = self._read(data, cuts, looks=True)
            hold(
                seen.same() == other.same(), "any split gives the same", f"{seen.same()}\n{other.same()} cut at {cuts}"
            )
        if seen.error is not None:
            return type(seen.error), _kind(str(seen.error))
        assert seen.response is not None
        profiles = list(PROFILES.values())
        return self._hold_response(data, seen.response, profiles if thorough else [random.choice(profiles)])

    def _read(self, data: bytes, cuts: Sequence[int], *, looks: bool = False) -> Seen:
        """What comes of *data*.

        Args:
            looks: Ask between two pieces what is asked when a call ends there.
        """
        answer = self._answer(Asked(ToolNames(["wipe"]), 10, OWNER, 8_000))
        reading = Reading(answer)
        told: list[str] = []
        try:
            for number, (begin, end) in enumerate(itertools.pairwise((0, *cuts, len(data)))):
                told.append(reading.take(data[begin:end]))
                if looks:
                    _hold_patience(reading.patience())
                    if number < 8:
                        answer.used()
            told.append(reading.end())
            return Seen(answer.response(), None, "".join(told))
        except (ActorsError, ServerError) as error:
            ours = translate(
                error, refusal_of(error, 10), model="m", url="https://models.example.com/v1", window=8_000, tokens=10
            )
            hold_message(str(ours))
            return Seen(None, ours, "")

    def _hold_response(self, data: bytes, response: CompletionResponse, profiles: Sequence[ServerProfile]) -> Hashable:
        hold_plain([response.text, response.reasoning], "texts can be sent and shown")
        usage = response.usage
        for count in (usage.input_tokens, usage.output_tokens):
            hold(type(count) is int and 0 <= count <= MOST_TOKENS, "tokens are counted in numbers", usage)
        parts = usage.cached_input_tokens, usage.cache_write_tokens, usage.reasoning_tokens
        is_part = all(type(count) is int and count >= 0 for count in parts) and clamped(usage) == usage
        hold(is_part, "what was cached or thought is a part of the whole", usage)
        calls = response.tool_calls
        hold(len({call.id for call in calls}) == len(calls), "each call has an id of its own", calls)
        hold(all(type(call.id) is str and call.id for call in calls), "each call has an id", calls)
        for call in calls:
            hold(type(call.name) is str, "a name is a text", call)
            hold_message(call.problem, 2_000)
            hold(not (call.problem and call.input), "a call with a problem has no arguments", call)
        self._hold_came(data, response)
        hold(
            response.stop_reason is not StopReason.TOOL_USE or calls,
            "an answer that ends for its calls has some",
            response,
        )
        bounded = within_bounds(response)
        for call in bounded.tool_calls:
            hold_plain(dict(call.input), "arguments are plain")
        self._hold_next(bounded, profiles)
        kinds = sorted({(_kind(call.problem), bool(call.input), call.attachment is not None) for call in calls})
        return (
            response.stop_reason,
            tuple(kinds),
            min(len(calls), 3),
            bool(response.text),
            bool(response.reasoning),
            response.attachment is not None,
        )

    def _hold_came(self, data: bytes, response: CompletionResponse) -> None:
        """No argument is there that did not come: each name of one was sent, letter for letter."""
        came = set(_decoded(data))
        for call in response.tool_calls:
            for name in call.input:
                hold(set(name) <= came, "arguments are those that came", call)
        if response.stop_reason is StopReason.MAX_TOKENS and response.tool_calls:
            last = response.tool_calls[-1]
            hold(
                last.problem or last.input or b"{" in data.partition(b"arguments")[2] or b"input" in data,
                "a call that was cut before its arguments is not run",
                last,
            )

    def _hold_next(self, response: CompletionResponse, profiles: Sequence[ServerProfile]) -> None:
        """The request after it can be written, for each of these servers."""
        for owner in (OWNER, "another"):
            request = _next(response)
            names = ToolNames.of(request)
            for profile in profiles:
                body = body_of({"messages": chat_turns(request, names, profile, owner)})
                _hold_chat(_strict(body), re.compile(profile.call_id))
                body = body_of({"input": list(response_items(request, names, profile, owner))})
                _hold_items(_strict(body), re.compile(profile.call_id))
            _hold_blocks(_strict(body_of({"messages": message_turns(request, names, owner)})))


def _next(response: CompletionResponse) -> CompletionRequest:
    said = AssistantMessage(response.text, response.tool_calls, response.reasoning, response.attachment)
    results: list[Message] = [ToolResultMessage(call.id, "done") for call in response.tool_calls]
    return CompletionRequest((UserMessage("q"), said, *(results or [UserMessage("and?")])), (WIPE,))


def _strict(body: bytes) -> Any:
    try:
        return strict_json(body.decode())
    except (ValueError, RecursionError) as error:
        raise Violation("the next request is JSON that every server reads", f"{error}: {body[:500]!r}") from error


def _hold_chat(fields: Any, id_: re.Pattern[str]) -> None:
    turns = fields["messages"]
    calls = [call for turn in turns for call in turn.get("tool_calls", ())]
    results = [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"]
    hold([call["id"] for call in calls] == results, "each result has the id of its call", turns)
    hold(len(set(results)) == len(results), "each call that is sent has an id of its own", turns)
    hold(all(id_.fullmatch(call["id"]) for call in calls), "ids are such as the server takes", turns)
    for call in calls:
        hold(NAME.fullmatch(call["function"]["name"]), "names are such as servers take", call)
        hold(isinstance(strict_json(call["function"]["arguments"]), dict), "arguments are sent as an object", call)


def _hold_items(fields: Any, id_: re.Pattern[str]) -> None:
    items = fields["input"]
    calls = [item for item in items if item.get("type") == "function_call"]
    results = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    hold(
        [call["call_id"] for call in calls] == results[-len(calls) :] or not calls, "results follow their calls", items
    )
    hold(all(id_.fullmatch(call["call_id"]) for call in calls), "ids are such as the server takes", items)
    for call in calls:
        hold(NAME.fullmatch(call["name"]), "names are such as servers take", call)
        hold(isinstance(strict_json(call["arguments"]), dict), "arguments are sent as an object", call)
    after = [item.get("type") for item in items]
    alone = [
        kind == "reasoning" and after[n + 1] in (None, "function_call_output") for n, kind in enumerate(after[:-1])
    ]
    hold(not any(alone), "what was thought is followed by what came of it", items)


def _hold_blocks(fields: Any) -> None:
    turns = fields["messages"]
    hold([turn["role"] for turn in turns] == ["user", "assistant", "user"][: len(turns)], "sides take turns", turns)
    blocks = [block for turn in turns for block in turn["content"]]
    calls = [block["id"] for block in blocks if block.get("type") == "tool_use"]
    results = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
    hold(calls == results, "each result has the id of its call", turns)
    hold(all(CALL_ID.fullmatch(id_) for id_ in calls), "ids are such as the server takes", turns)
    hold(
        all(isinstance(block["input"], dict) for block in blocks if block.get("type") == "tool_use"),
        "arguments are sent as an object",
        turns,
    )


def _hold_patience(patience: float | None) -> None:
    hold(patience is None or (math.isfinite(patience) and 0 <= patience <= 60), "patience is bounded", patience)


def _decoded(data: bytes) -> str:
    """All letters that *data* may mean: as they stand, and as JSON escapes them, twice."""
    text = data.decode("utf-8", "replace")
    found = [text]
    for _ in range(3):
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: json.loads(f'"{match.group()}"'), text)
        text = re.sub(
            r"\\(.)",
            lambda match: {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}.get(match[1], match[1]),
            text,
        )
        found += [text, text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")]
    return "".join(found)


def _kind(text: str) -> str:
    """A message without what differs from input to input."""
    return re.sub(r"[^A-Za-z ]+.*", "", text)[:40]
