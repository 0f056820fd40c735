"""Any valid stream of either dialect, made of what it means, and cut anywhere: what it meant is what is seen."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import event, example, given, settings, strategies as st

from actors import CompletionResponse
from actors.drivers.edge.answer import Answer, Asked
from actors.drivers.edge.chat_answer import ChatAnswer
from actors.drivers.edge.message_answer import MessageAnswer
from actors.drivers.edge.message_request import BLOCKS
from actors.drivers.edge.names import ToolNames
from actors.drivers.edge.reading import Reading
from actors.drivers.edge.refusals import ServerError
from actors.drivers.edge.sse import MARK
from actors.errors import MalformedAnswer
from actors.ports import StopReason

# What an answer means ---------------------------------------------------------------------------------------------

PROSE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<[◁`{"), max_size=20)
LEAVES = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=6)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
CUTS = st.lists(st.integers(0, 10**6), max_size=6)


@dataclass
class Meant:
    """An answer before anybody has put it into words of a protocol."""

    text: str
    thoughts: str
    calls: list[tuple[str, dict[str, Any]]]
    read: int
    written: int
    is_cut: bool = field(default=False)  # at its limit of tokens, after a whole text

    @property
    def stop(self) -> StopReason:
        """Why it ends."""
        if self.calls:
            return StopReason.TOOL_USE
        return StopReason.MAX_TOKENS if self.is_cut else StopReason.END_TURN


MEANT = st.builds(
    Meant,
    text=PROSE,
    thoughts=PROSE,
    calls=st.lists(
        st.tuples(st.sampled_from(["wipe", "math.add", "x"]), st.dictionaries(st.text(max_size=5), VALUES, max_size=3)),
        max_size=4,
    ),
    read=st.integers(0, 10**6),
    written=st.integers(0, 10**6),
    is_cut=st.booleans(),
)

# How it is written ------------------------------------------------------------------------------------------------


@dataclass
class Manner:
    """The ways of one server."""

    random: Any
    thoughts_in: str
    calls: str
    usage: str
    done: bool
    end: str
    space: str
    mark: bool
    noise: bool
    ascii: bool

    def pieces(self, text: str) -> list[str]:
        """*text* in pieces, some of them empty."""
        ends = sorted({0, len(text), *(self.random.randint(0, len(text)) for _ in range(self.random.randint(0, 4)))})
        found = [text[begin:end] for begin, end in itertools.pairwise(ends)]
        if self.random.random() < 0.2:
            found.insert(self.random.randint(0, len(found)), "")
        return found or [""]

    def wire(self, events: list[tuple[str, Any]]) -> bytes:
        """*events*, by name and data, as bytes."""
        lines: list[str] = []
        for name, data in events:
            if self.noise:
                lines += self.random.choice(NOISE)
            if name:
                lines.append(f"event:{self.space}{name}")
            # A value over several lines is allowed, too.
            indent = 1 if self.noise and self.random.random() < 0.2 else None
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=self.ascii, indent=indent)
            lines += [f"data:{self.space}{part}" for part in text.split("\n")]
            lines.append("")
        data = "".join(line + self.end for line in lines).encode()
        return b"\xef\xbb\xbf" + data if self.mark else data


NOISE = (
    [],
    [],
    [": ping", ""],
    ["retry: 3000", ""],
    ["id: 7"],
    ["event: ping", "data: {}", ""],
    ["data:", ""],
    [":", ":"],
)
MANNER = st.builds(
    Manner,
    random=st.randoms(use_true_random=False),
    thoughts_in=st.sampled_from(["reasoning_content", "reasoning", "<think>", "parts"]),
    calls=st.sampled_from(["usual", "id on each", "id and name on each", "no index", "index 0", "repeated", "in turn"]),
    usage=st.sampled_from(["last", "finish", "x_groq", "each", "none"]),
    done=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    space=st.sampled_from(["", " "]),
    mark=st.booleans(),
    noise=st.booleans(),
    ascii=st.booleans(),
)


def chat_events(meant: Meant, manner: Manner) -> list[tuple[str, Any]]:
    """A stream of Chat Completions."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    text = meant.text
    if meant.thoughts and manner.thoughts_in == "<think>":
        text = f"<think>{meant.thoughts}</think>\n\n{text}"
    elif meant.thoughts and manner.thoughts_in == "parts":
        parts = [{"type": "thinking", "thinking": [{"type": "text", "text": meant.thoughts}]}]
        deltas.append({"content": parts})
    elif meant.thoughts:
        deltas += [{manner.thoughts_in: piece} for piece in manner.pieces(meant.thoughts)]
    deltas += [{"content": piece} for piece in manner.pieces(text)]
    deltas += [{"tool_calls": [piece]} for piece in call_pieces(meant, manner)]
    usage = {"prompt_tokens": meant.read, "completion_tokens": meant.written}
    chunks = [{"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if manner.usage == "each":
        for chunk in chunks:
            chunk["usage"] = {"prompt_tokens": meant.read, "completion_tokens": 0}
    reason = "tool_calls" if meant.calls else "length" if meant.is_cut else "stop"
    finish: dict[str, Any] = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    if manner.usage in ("finish", "each"):
        finish["usage"] = usage
    elif manner.usage == "x_groq":
        finish["x_groq"] = {"id": "r", "usage": usage}
    chunks.append(finish)
    if manner.usage == "last":
        chunks.append({"id": "c", "choices": [], "usage": usage})
    return [("", chunk) for chunk in chunks] + ([("", "[DONE]")] if manner.done else [])


def call_pieces(meant: Meant, manner: Manner) -> list[dict[str, Any]]:
    """Its calls, as a server of that manner streams them."""
    lines: list[list[dict[str, Any]]] = []
    for number, (name, arguments) in enumerate(meant.calls):
        text, id_ = json.dumps(arguments, ensure_ascii=manner.ascii), f"id{number}"
        index = {} if manner.calls == "no index" else {"index": 0 if manner.calls == "index 0" else number}
        first, *rest = manner.pieces(text)
        begin = {"type": "function", "id": id_, "function": {"name": name, "arguments": first}}
        line = [{**index, **begin}]
        for piece in rest:
            more: dict[str, Any] = {**index, "function": {"arguments": piece}}
            if manner.calls in ("id on each", "id and name on each"):
                more["id"] = id_
            if manner.calls == "id and name on each":
                more["function"]["name"] = name
            line.append(more)
        if manner.calls == "repeated":
            line.append({**index, "id": id_, "function": {"name": name, "arguments": text}})
        lines.append(line)
    if manner.calls != "in turn":
        return [piece for line in lines for piece in line]
    pieces = [line.pop(0) for line in lines]  # all are announced, then their pieces come as they come
    while any(lines):
        pieces.append(manner.random.choice([line for line in lines if line]).pop(0))
    return pieces


def message_events(meant: Meant, manner: Manner) -> list[tuple[str, Any]]:
    """A stream of Messages."""
    events: list[tuple[str, Any]] = []
    blocks = 0

    def say(kind: str, **fields: Any) -> None:
        events.append((kind, {"type": kind, **fields}))

    def block(begin: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
        nonlocal blocks
        say("content_block_start", index=blocks, content_block=begin)
        for delta in deltas:
            say("content_block_delta", index=blocks, delta=delta)
        say("content_block_stop", index=blocks)
        blocks += 1

    say("message_start", message={"content": [], "usage": {"input_tokens": meant.read, "output_tokens": 1}})
    if meant.thoughts:
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in manner.pieces(meant.thoughts)]
        block({"type": "thinking", "thinking": ""}, [*thoughts, {"type": "signature_delta", "signature": "S"}])
    if meant.text:
        block(
            {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in manner.pieces(meant.text)]
        )
    for number, (name, arguments) in enumerate(meant.calls):
        pieces = manner.pieces(json.dumps(arguments, ensure_ascii=manner.ascii)) if arguments else [""]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        block({"type": "tool_use", "id": f"id{number}", "name": name, "input": {}}, deltas)
    reason = "tool_use" if meant.calls else "max_tokens" if meant.is_cut else "end_turn"
    say("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": meant.written})
    say("message_stop")
    return events


# What is seen of it -----------------------------------------------------------------------------------------------


def read(answer: Answer, data: bytes, cuts: list[int]) -> tuple[CompletionResponse, str]:
    """The answer, and what a reader of the stream was told."""
    reading = Reading(answer)
    ends = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    told = [reading.take(data[begin:end]) for begin, end in itertools.pairwise(ends)]
    told.append(reading.end())
    return answer.response(), "".join(told)


def asked() -> Asked:
    return Asked(ToolNames(["wipe", "math.add", "x"]), 10, "me", 99)


def check(meant: Meant, response: CompletionResponse, told: str, *, counted: bool = True) -> None:
    """Is it what was meant?"""
    assert [(call.id, call.name, dict(call.input), call.problem) for call in response.tool_calls] == [
        (f"id{number}", name, arguments, "") for number, (name, arguments) in enumerate(meant.calls)
    ]
    assert response.stop_reason is meant.stop
    if counted:
        assert (response.usage.input_tokens, response.usage.output_tokens) == (meant.read, meant.written)
    # A blank may stand before a mark of thoughts: its driver tells a text of blanks alone at its end.
    assert told == response.text if response.text.strip() else not told.strip()


@settings(deadline=None)
@given(MEANT, MANNER, CUTS)
def test_any_stream_of_chat_completions(meant: Meant, manner: Manner, cuts: list[int]) -> None:
    """Whatever the server's ways are."""
    event(f"thoughts in {manner.thoughts_in}, calls {manner.calls}")
    data = manner.wire(chat_events(meant, manner))
    response, told = read(ChatAnswer(asked()), data, cuts)
    check(meant, response, told, counted=manner.usage != "none")
    in_text = bool(meant.thoughts) and manner.thoughts_in == "<think>"
    assert response.text == (meant.text.lstrip() if in_text else meant.text)
    assert response.reasoning == (meant.thoughts.strip() if in_text else meant.thoughts)


@settings(deadline=None)
@given(MEANT, MANNER, CUTS)
def test_any_stream_of_messages(meant: Meant, manner: Manner, cuts: list[int]) -> None:
    """And what goes back with it is there, block by block."""
    data = manner.wire(message_events(meant, manner))
    response, told = read(MessageAnswer(asked()), data, cuts)
    check(meant, response, told)
    assert (response.text, response.reasoning) == (meant.text, meant.thoughts)
    if not meant.thoughts or not (meant.text or meant.calls):  # nothing followed them
        assert response.attachment is None
        return
    assert response.attachment is not None
    first, *others = response.attachment.data[BLOCKS]
    assert first == {"type": "thinking", "thinking": meant.thoughts, "signature": "S"}
    assert [block["type"] for block in others] == ["text"] * bool(meant.text) + ["tool_use"] * len(meant.calls)


@settings(deadline=None)
@given(MEANT, st.booleans(), CUTS)
def test_any_answer_in_one_piece(meant: Meant, as_text: bool, cuts: list[int]) -> None:
    """The same without a stream; some servers send arguments as an object."""
    calls = [
        {
            "id": f"id{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments) if as_text else arguments},
        }
        for number, (name, arguments) in enumerate(meant.calls)
    ]
    message = {
        "role": "assistant",
        "content": meant.text or None,
        "reasoning_content": meant.thoughts,
        "tool_calls": calls,
    }
    reason = "tool_calls" if calls else "length" if meant.is_cut else "stop"
    usage = {"prompt_tokens": meant.read, "completion_tokens": meant.written}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage}
    response, told = read(ChatAnswer(asked()), json.dumps(body).encode(), cuts)
    assert told == ""
    check(meant, response, response.text)
    assert (response.text, response.reasoning) == (meant.text, meant.thoughts)


BLANKS = st.lists(st.sampled_from([MARK, b"\n", b"\r\n", b" ", b"\x0b"]), max_size=4).map(b"".join)


@example(b"\x0b" + MARK, b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n')
@given(
    BLANKS, st.sampled_from([b'{"choices": [{"text": "a", "finish_reason": "stop"}]}', b"data", b"dataid", b"x", b""])
)
def test_what_stands_before_an_answer(blanks: bytes, data: bytes) -> None:
    """Says nothing, in one piece and letter by letter."""

    def seen(data: bytes, cuts: list[int]) -> str:
        try:
            return repr(read(ChatAnswer(asked()), data, cuts))
        except MalformedAnswer as error:
            return str(error)

    expected = seen(data, [])
    assert seen(blanks + data, []) == expected
    assert seen(blanks + data, list(range(99))) == expected


@settings(deadline=None)
@given(MEANT, MANNER, CUTS, st.integers(0, 10**6))
def test_any_stream_that_breaks_off(meant: Meant, manner: Manner, cuts: list[int], end: int) -> None:
    """Half an answer is an error, or a part of what was meant: no other call, and none with other arguments."""
    data = manner.wire(chat_events(meant, manner))
    try:
        response, _ = read(ChatAnswer(asked()), data[: end % (len(data) + 1)], cuts)
    except (MalformedAnswer, ServerError):
        return
    assert (meant.text.lstrip() if manner.thoughts_in == "<think>" else meant.text).startswith(response.text)
    for call, (name, arguments) in zip(response.tool_calls, meant.calls, strict=False):
        assert call.problem or (call.name, dict(call.input)) == (name, arguments)
    assert len(response.tool_calls) <= len(meant.calls)
