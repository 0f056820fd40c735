"""The room of the edge: each decision from plain data."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from actors import AssistantMessage, CompletionRequest, SystemMessage, ToolCall, ToolResultMessage, UserMessage
from actors.core.clock import Clock
from actors.drivers.edge.answer import AFTERWORDS, LAST_WORDS, Asked, arguments_of
from actors.drivers.edge.attachments import keep
from actors.drivers.edge.call_parts import CallParts
from actors.drivers.edge.chat_answer import ChatAnswer
from actors.drivers.edge.chat_request import chat_turns
from actors.drivers.edge.message_request import message_turns
from actors.drivers.edge.names import CallIds, ToolNames
from actors.drivers.edge.profiles import CAREFUL, PROFILES, ServerProfile, learn, profile_named, profile_of
from actors.drivers.edge.reading import Reading
from actors.drivers.edge.sse import EventStream
from actors.drivers.edge.stops import NoEnd, end_of
from actors.drivers.edge.text import body_of
from actors.drivers.edge.thoughts import MARKS, ThoughtFilter, split_thoughts
from actors.errors import MalformedAnswer
from actors.ports import Attachment, StopReason

# Pieces of calls --------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=3)
STYLES = ["usual", "id on each", "id and name on each", "no index", "index 0", "no ids", "repeated at the end"]
NAMES = st.sampled_from(["a", "b", "c"])


def put_together(pieces: list[tuple[Any, ...]]) -> list[tuple[str | None, str | None, Any]]:
    parts = CallParts()
    for piece in pieces:
        parts.take(*piece)
    return [(call.id, call.name, arguments_of(call.arguments)[0]) for call in parts.calls]


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(ends)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES, ARGUMENTS, st.lists(st.integers(0, 99), max_size=6)), min_size=1, max_size=4),
    st.sampled_from(
        ["usual", "id on each", "id and name on each", "no index", "index 0", "no ids", "repeated at the end"]
    ),
)
def test_calls_in_any_pieces(calls: list[tuple[str, dict[str, Any], list[int]]], style: str) -> None:
    """However a server counts and names them, and wherever it cuts."""
    pieces: list[tuple[Any, ...]] = []
    for number, (name, arguments, places) in enumerate(calls):
        text, id_ = json.dumps(arguments), f"id{number}"
        index = None if style == "no index" else 0 if style == "index 0" else number
        first, *rest = cut(text, places)
        begin_id = None if style == "no ids" else id_
        pieces.append((index, begin_id, name, first))
        later = (id_, name) if style == "id and name on each" else (id_ if style == "id on each" else None, None)
        pieces += [(index, *later, piece) for piece in rest]
        if style == "repeated at the end":
            pieces.append((index, id_, name, json.dumps(arguments, separators=(",", ":"))))
    expected = [
        (None if style == "no ids" else f"id{number}", name, arguments)
        for number, (name, arguments, _) in enumerate(calls)
    ]
    assert put_together(pieces) == expected


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=4), st.randoms())
def test_calls_whose_pieces_take_turns(calls: list[tuple[str, dict[str, Any]]], random: Any) -> None:
    """Each piece belongs to the call of its index."""
    begun = [(number, f"id{number}", name, "") for number, (name, _) in enumerate(calls)]
    waiting = [[(number, None, None, letter) for letter in json.dumps(args)] for number, (_, args) in enumerate(calls)]
    pieces = list(begun)
    while any(waiting):
        pieces.append(random.choice([line for line in waiting if line]).pop(0))
    assert put_together(pieces) == [(f"id{number}", name, args) for number, (name, args) in enumerate(calls)]


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.none() | st.integers(0, 2) | st.text(max_size=3)] * 3, VALUES | st.text(max_size=9))))
def test_any_pieces_are_taken(pieces: list[tuple[Any, ...]]) -> None:
    """Nonsense makes calls with problems, and no error; and no argument is believed that did not come."""
    answer = ChatAnswer(Asked(ToolNames([]), 1, "o", 99))
    for index, id_, name, arguments in pieces:
        call = {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}
        answer.take_event("", {"choices": [{"delta": {"tool_calls": [call]}}]})
    ids = [call.id for call in answer.calls(cut=True)]
    assert len(set(ids)) == len(ids)


def whole(*calls: dict[str, Any]) -> tuple[ToolCall, ...]:
    """The calls of an answer in one piece."""
    answer = ChatAnswer(Asked(ToolNames(["t"]), 1, "o", 99))
    answer.take_whole({"choices": [{"message": {"tool_calls": list(calls)}, "finish_reason": "tool_calls"}]})
    return answer.calls()


@pytest.mark.parametrize(
    ("arguments", "values", "problem"),
    [
        ('{"a": 1}', {"a": 1}, ""),
        ({"a": 1}, {"a": 1}, ""),
        ("", {}, ""),
        (None, {}, ""),
        ("{", {}, "not valid JSON"),
        ("[1]", {}, "must be a JSON object, got list"),
        ('"x"', {}, "must be a JSON object, got str"),
        (3, {}, "must be a JSON object, got int"),
        ("[" * 100_000, {}, "not valid JSON"),
    ],
)
def test_arguments(arguments: Any, values: Any, problem: str) -> None:
    """What is no JSON object is told, and not guessed."""
    (call,) = whole({"id": "1", "function": {"name": "t", "arguments": arguments}})
    assert dict(call.input) == values
    assert problem in call.problem
    assert bool(call.problem) == bool(problem)


def test_ids_are_made_unique() -> None:
    """Doubles, empty ones and what is no text."""
    function = {"name": "t", "arguments": "{}"}
    ids = [call.id for call in whole(*({"id": id_, "function": function} for id_ in ("a", "a", "", None, 7, "a")))]
    assert ids[0] == "a"
    assert len(set(ids)) == 6
    assert all(isinstance(id_, str) and id_ for id_ in ids)


@pytest.mark.parametrize("name", [None, 3, ["x"]])
def test_a_name_that_is_none(name: Any) -> None:
    """Is the name of an unknown tool: the model is told so."""
    (call,) = whole({"id": "1", "function": {"name": name, "arguments": "{}"}})
    assert call.name == ""


def test_many_calls_of_one_id() -> None:
    """Are told apart, each by one look."""
    answer = ChatAnswer(Asked(ToolNames([]), 1, "o", 99))
    call = {"id": "same", "function": {"name": "t", "arguments": '{"a": %d}'}}
    for number in range(20_000):
        function = {"name": "t", "arguments": f'{{"a": {number}}}'}
        answer.take_event("", {"choices": [{"delta": {"tool_calls": [{**call, "function": function}]}}]})
    assert len({call.id for call in answer.calls()}) == 20_000


# Events -----------------------------------------------------------------------------------------------------------


LINES = st.lists(st.sampled_from([b"data: x", b"event: e", b"a", b"\r", b"\n", b"\r\n"]), max_size=30).map(b"".join)


@example(b"data: x\rd\ndata: y\n", [9])  # the end of a piece is not the end of its last line
@given(st.binary(max_size=200) | LINES, st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_in_any_pieces_are_the_same_events(data: bytes, places: list[int]) -> None:
    """Whatever they are."""

    def events(pieces: list[bytes]) -> list[Any]:
        stream = EventStream()
        return [*(event for piece in pieces for event in stream.feed(piece)), *stream.end()]

    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    assert events([data[begin:end] for begin, end in itertools.pairwise(ends)]) == events([data])


# Ends -------------------------------------------------------------------------------------------------------------


@given(st.text())
def test_an_unknown_word_is_no_end(word: str) -> None:
    """Nobody takes half an answer for a whole one."""
    end = end_of(word)
    assert end is NoEnd.BROKEN or re.fullmatch(r"[\w -]+", word)


# Thoughts ---------------------------------------------------------------------------------------------------------

PROSE = st.text(st.characters(exclude_characters="<[◁`{/"), max_size=12)


@given(st.lists(st.tuples(st.sampled_from(MARKS), PROSE), max_size=2), PROSE, st.lists(st.integers(0, 99), max_size=8))
def test_thoughts_before_an_answer(thoughts: list[Any], answer: str, places: list[int]) -> None:
    """Are split off; and a reader of the stream is told the answer alone, wherever it is cut."""
    text = "".join(f"{begin}{thought}{end}" for (begin, end), thought in thoughts) + answer
    reasoning, rest = split_thoughts(text)
    assert rest == (answer.lstrip() if thoughts else answer)
    assert reasoning == "\n\n".join(filter(None, (thought.strip() for _, thought in thoughts)))
    told = ThoughtFilter()
    assert "".join(map(told.feed, cut(text, places))) + told.end() == rest


@pytest.mark.parametrize(
    "text", ["", "plain", "a <think> b", "`</think>` ends it", '{"a": "</think>"}', "x < y", "<b>"]
)
def test_a_text_without_thoughts(text: str) -> None:
    """Stays as it is, letter by letter, too."""
    assert split_thoughts(text) == ("", text)
    told = ThoughtFilter()
    assert "".join(map(told.feed, text)) + told.end() == text


# Names ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=70)))
def test_names_that_servers_take(names: list[str]) -> None:
    """A letter or an underscore first; and each comes back."""
    said = ToolNames(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", said.said(name))
        assert said.meant(said.said(name)) == name


def test_a_namespace_that_a_model_writes_before_a_name() -> None:
    """Is passed over."""
    names = ToolNames(["math.add"])
    assert [names.meant(f"{space}math_add") for space in ("", "functions.", "default_api:")] == ["math.add"] * 3
    assert names.meant("other.sub") == "other.sub"
    odd = ToolNames(["a", ".", "a.", "b:"])
    for said, meant in {"x.a": "a", "x:y.a": "a", ".a": "a", "a:": "a:", "": "", "x.a.": "x.a."}.items():
        assert odd.meant(said) == meant


def test_a_name_of_any_length_is_looked_at_once() -> None:
    """With an expression a million letters would hold everybody for minutes."""
    names = ToolNames(["add"])
    for long in ("x" * 2_000_000, ":" * 2_000_000):
        assert names.meant(long) == long
    assert names.meant(f"{'x.' * 1_000_000}add") == "add"


@given(st.lists(st.text(max_size=50)), st.sampled_from([(r"[A-Za-z0-9]{9}", 9), (r"[A-Za-z0-9_-]{1,64}", 24)]))
def test_ids_that_a_server_takes(ids: list[str], rule: tuple[str, int]) -> None:
    """Each call has its own, also where the conversation has one twice; its result has the same."""
    said = CallIds(re.compile(rule[0]), rule[1])
    seen = []
    for id_ in ids:
        seen.append(said.of_call(id_))
        assert said.of_result(id_) == seen[-1]
    assert len(set(seen)) == len(seen)
    assert all(re.fullmatch(rule[0], id_) for id_ in seen)


def test_an_id_that_is_used_in_each_answer() -> None:
    """However often: for each of its calls some ids are tried, not all that came before."""
    tried = []

    class Allowed:
        def fullmatch(self, id_: str) -> bool:
            tried.append(id_)
            return len(id_) == 9

    said = CallIds(Allowed(), 9)  # type: ignore[arg-type]
    assert len({said.of_call("functions.f:0") for _ in range(500)}) == 500
    assert len(tried) <= 3 * 500


@pytest.mark.parametrize(("length", "learned"), [("0", False), ("1", False), ("9", True), ("64", True), ("65", False)])
def test_ids_of_so_many_characters(length: str, learned: bool) -> None:
    """A server is believed as long as there are enough of them for a conversation."""
    assert (learn(CAREFUL, f"Tool call id was x but must have a length of {length}.") is not None) is learned


# The order of roles -----------------------------------------------------------------------------------------------

CALL = ToolCall("functions.f:0", "f", {})
TALK = (
    UserMessage("one"),
    UserMessage("two"),
    AssistantMessage("", (CALL,)),
    ToolResultMessage(CALL.id, "3"),
    UserMessage("four"),
    SystemMessage("five"),
)


def roles(profile: ServerProfile, *messages: Any) -> list[tuple[str, Any]]:
    request = CompletionRequest(messages or TALK, system="be")
    return [(turn["role"], turn["content"]) for turn in chat_turns(request, ToolNames.of(request), profile, "me")]


def test_neighbours_of_one_role_are_one_turn() -> None:
    """For every server."""
    assert roles(CAREFUL) == [
        ("system", "be"),
        ("user", "one\n\ntwo"),
        ("assistant", None),
        ("tool", "3"),
        ("user", "four"),
        ("system", "five"),
    ]


def test_a_server_that_wants_an_order() -> None:
    """After a result the assistant, and instructions first; its ids have nine letters."""
    mistral = PROFILES["mistral"]
    assert roles(mistral) == [
        ("system", "be"),
        ("user", "one\n\ntwo"),
        ("assistant", ""),
        ("tool", "3"),
        ("assistant", mistral.bridge),
        ("user", "four\n\n[system] five"),
    ]
    request = CompletionRequest(TALK)
    turns = chat_turns(request, ToolNames.of(request), mistral, "me")
    assert re.fullmatch(r"[A-Za-z0-9]{9}", turns[2]["tool_call_id"])
    assert turns[1]["tool_calls"][0]["id"] == turns[2]["tool_call_id"]


def test_a_server_that_knows_no_instructions() -> None:
    """Has them as words of the user."""
    assert roles(ServerProfile("x", system="none"), UserMessage("one")) == [("user", "be\n\none")]


def test_a_conversation_that_begins_with_the_assistant() -> None:
    """Some servers refuse it: somebody has to have spoken before."""
    assert roles(PROFILES["mistral"], AssistantMessage("a"), UserMessage("b"))[1][0] == "user"
    turns = message_turns(CompletionRequest((AssistantMessage("a"), UserMessage("b"))), ToolNames([]), "me")
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]


# What goes back ---------------------------------------------------------------------------------------------------


def test_what_another_driver_kept_is_not_sent() -> None:
    """A signature means nothing to another server."""
    theirs = Attachment("other", {"reasoning_content": "hm", "blocks": [{"type": "text", "text": "x"}]})
    request = CompletionRequest((AssistantMessage("x", (ToolCall("1", "f", {}, "", theirs),), "", theirs),))
    for profile in PROFILES.values():
        (turn, *_) = (t for t in chat_turns(request, ToolNames.of(request), profile, "me") if t["role"] == "assistant")
        assert "hm" not in json.dumps(turn)
    turns = message_turns(request, ToolNames.of(request), "me")
    assert turns[1]["content"][0] == {"type": "text", "text": "x"}
    assert turns[1]["content"][1]["type"] == "tool_use"


def test_what_a_server_insists_on_is_there_after_a_change_of_servers() -> None:
    """Empty thoughts, and a signature that says that there is none: on the first call alone."""
    request = CompletionRequest((AssistantMessage("", (CALL, ToolCall("2", "f", {}))),))
    for name in ("deepseek", "kimi"):
        turn, *results = chat_turns(request, ToolNames.of(request), PROFILES[name], "me")
        assert [result["content"] for result in results] == ["This call was not run."] * 2
        assert turn["reasoning_content"] == ""
    turn, *_ = chat_turns(request, ToolNames.of(request), PROFILES["gemini"], "me")
    assert ["extra_content" in call for call in turn["tool_calls"]] == [True, False]


def test_signatures_that_came_are_not_touched() -> None:
    """Google signs the first of parallel calls."""
    mine = Attachment("me", {"extra_content": {"google": {"thought_signature": "S"}}})
    request = CompletionRequest((AssistantMessage("", (ToolCall("1", "f", {}, "", mine), CALL)),))
    turn, *_ = chat_turns(request, ToolNames.of(request), PROFILES["gemini"], "me")
    assert [call.get("extra_content") for call in turn["tool_calls"]] == [mine.data["extra_content"], None]


@given(st.dictionaries(st.sampled_from(["reasoning_details", "thought", "x", "content"]), VALUES), st.lists(VALUES))
def test_anything_can_be_kept(fields: dict[str, Any], more: list[Any]) -> None:
    """As JSON, whatever a server sends in such fields."""
    kept: dict[str, Any] = {}
    keep(kept, fields, frozenset({"content"}))
    for value in more:
        keep(kept, {"reasoning_details": value}, frozenset())
    assert not kept.keys() - {"reasoning_details", "thought"}
    body_of(kept)


# Profiles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://me.openai.azure.com/openai/v1", "azure"),
        ("https://me.services.ai.azure.com/openai/v1", "azure"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gemini"),
        ("https://us-central1-aiplatform.googleapis.com/v1/projects/x", "gemini"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("http://localhost:11434/v1", "ollama"),
        ("https://api.moonshot.cn/v1", "kimi"),
        ("http://127.0.0.1:8000/v1", "careful"),
        ("https://notopenai.com/v1", "careful"),
        ("https://api.openai.com.example.com/v1", "careful"),
    ],
)
def test_a_server_is_known_by_its_url(url: str, name: str) -> None:
    """By its host, not by what looks like it."""
    assert profile_of(url).name == name


def test_a_profile_by_name() -> None:
    """Or one's own."""
    mine = ServerProfile("mine")
    assert profile_named(mine, "") is mine
    assert profile_named("vllm", "https://api.openai.com").name == "vllm"
    with pytest.raises(ValueError, match=r"one of careful, openai.*got 'gpt'"):
        profile_named("gpt", "")


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("Conversation roles must alternate user/assistant/user/assistant/...", {"system": "first"}),
        ("Unexpected role 'user' after role 'tool'", {"system": "first"}),
        ("System role not supported", {"system": "none"}),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", {"system": "none"}),
        ("System message must be at the beginning.", {"system": "first"}),
        (
            "Tool call id was abc but must be a-z, A-Z, 0-9, with a length of 9.",
            {"call_id": "[A-Za-z0-9]{9}", "call_id_length": 9},
        ),
        (
            "The reasoning_content in the thinking mode must be passed back to the API.",
            {"needs": {"reasoning_content": ""}},
        ),
        (
            "thinking is enabled but reasoning_content is missing in assistant tool call message at index 7",
            {"needs": {"reasoning_content": ""}},
        ),
        ("messages.2.content: Input should be a valid string, got null", {"null_content": False}),
        ("the weather is fine", None),
    ],
)
def test_what_a_server_says_of_itself(words: str, change: dict[str, Any] | None) -> None:
    """Is learned, once."""
    learned = learn(CAREFUL, words, null_sent=True)
    if change is None:
        assert learned is None
        return
    assert learned is not None
    assert {name: getattr(learned, name) for name in change} == change
    assert learn(learned, words, null_sent=True) is None


def test_a_missing_signature_is_learned() -> None:
    """As Google words it."""
    learned = learn(CAREFUL, "Function call is missing a thought_signature in functionCall parts.")
    assert learned is not None
    assert "extra_content" in learned.call_needs


def test_stop_words_of_the_protocols() -> None:
    """The ones that everybody has."""
    assert [end_of(word) for word in ("stop", "length", "tool_calls", "max_tokens", "end_turn")] == [
        StopReason.END_TURN,
        StopReason.MAX_TOKENS,
        StopReason.TOOL_USE,
        StopReason.MAX_TOKENS,
        StopReason.END_TURN,
    ]


# How long the rest may take ---------------------------------------------------------------------------------------


def said(*pieces: tuple[dict[str, Any], str | None], usage: bool = False) -> ChatAnswer:
    """An answer of which these pieces have come."""
    answer = ChatAnswer(Asked(ToolNames([]), 1, "o", 99))
    for delta, finish in pieces:
        answer.take_event("", {"choices": [{"delta": delta, "finish_reason": finish}]})
    if usage:
        answer.take_event("", {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    return answer


WORD, NOTHING = {"content": "x"}, {"content": ""}


@pytest.mark.parametrize(
    ("answer", "patience"),
    [
        (said((WORD, None)), None),
        (said((WORD, "stop")), None),
        (said((WORD, "stop"), (NOTHING, "stop")), AFTERWORDS),
        (said((WORD, None), (NOTHING, "stop")), AFTERWORDS),
        (said((WORD, None), (NOTHING, "stop"), usage=True), LAST_WORDS),
        (said((WORD, "stop"), (WORD, "stop"), (NOTHING, "stop"), usage=True), None),
        (said((NOTHING, "stop"), usage=True), None),
    ],
)
def test_when_a_clock_may_end_a_stream(answer: ChatAnswer, patience: float | None) -> None:
    """After a piece that says nothing; not where each piece says that it is the last, nor before a word."""
    assert answer.patience() == patience
    answer.done()
    assert answer.patience() == LAST_WORDS


def test_what_says_nothing_keeps_no_stream_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes on from the end of the answer; a word sets it back."""
    now = 0.0
    monkeypatch.setattr(Clock, "monotonic", lambda _: now)
    reading = Reading(ChatAnswer(Asked(ToolNames([]), 1, "o", 99)))

    def take(delta: dict[str, Any], finish: str | None) -> None:
        reading.take(b"data: %s\n\n" % json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}).encode())

    take(WORD, None)
    assert reading.patience() is None
    take(NOTHING, "stop")
    now = 3.0
    reading.take(b": still here\n\n")
    take(NOTHING, None)
    assert reading.patience() == AFTERWORDS - 3.0
    take(WORD, None)
    assert reading.patience() is None


# Bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('{"a":' * 500 + "1" + "}" * 500, "nested more than 100 levels"),
        ('{"a":' * 20_000 + "1" + "}" * 20_000, "nested more than 100 levels"),
        ('{"a": NaN}', "no number"),
        ('{"a": -Infinity}', "no number"),
        ('{"a": 1e400}', "no number"),
        ({"a": float("inf")}, "no number"),
        ('{"a": "' + "x" * 1_000_001 + '"}', "characters"),
        ('{"a": ' + "9" * 5000 + "}", "valid JSON"),
    ],
)
def test_arguments_that_could_not_be_written_again(arguments: Any, problem: str) -> None:
    """Are told to the model; the next request is the same as if they had been empty."""
    answer = ChatAnswer(Asked(ToolNames([]), 1, "o", 99))
    function = {"name": "t", "arguments": arguments}
    answer.take_event("", {"choices": [{"delta": {"tool_calls": [{"id": "1", "function": function}]}}]})
    (call,) = answer.calls()
    assert problem in call.problem
    assert call.input == {}


def with_extra(value: str) -> Attachment | None:
    """What of it goes back."""
    reading = Reading(answer := ChatAnswer(Asked(ToolNames([]), 1, "o", 99)))
    message = f'{{"role": "assistant", "content": "x", "extra_content": {value}}}'
    reading.take(f'{{"choices": [{{"message": {message}, "finish_reason": "stop"}}]}}'.encode())
    reading.end()
    return answer.response().attachment


def test_what_could_not_be_written_is_not_attached() -> None:
    """Else no further request could be sent."""
    assert with_extra('"x"') == Attachment("o", {"extra_content": "x"})
    for value in ("[1e400]", "[NaN]", "[" * 200 + "]" * 200, "[" * 20_000 + "]" * 20_000):
        assert with_extra(value) is None


def test_more_values_than_an_answer_has() -> None:
    """Are refused before objects are made of them."""
    reading = Reading(ChatAnswer(Asked(ToolNames([]), 1, "o", 99)))
    reading.take(b'{"choices": [' + b"{}," * 600_000 + b"{}]}")
    with pytest.raises(MalformedAnswer, match="more than 500,000 values"):
        reading.end()


def test_numbers_that_json_has_not() -> None:
    """Some servers write them beside an answer: that spoils nothing."""
    reading = Reading(answer := ChatAnswer(Asked(ToolNames([]), 1, "o", 99)))
    reading.take(b'{"choices": [{"message": {"content": "x"}, "logprobs": [-Infinity, NaN], "finish_reason": "stop"}]}')
    reading.end()
    assert answer.response().text == "x"
