"""The context window: what is left out, what always stays, and when nothing helps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from actors import (
    AssistantMessage,
    ContextOverflow,
    ContextWindow,
    SystemMessage,
    ToolCall,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)
from actors.agent.context_window import TOKENS_PER_MESSAGE, estimate, estimate_text, fitted, fitted_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors import Message


def user(tokens: int) -> UserMessage:
    """A message of that many estimated tokens."""
    return UserMessage("x" * 4 * (tokens - TOKENS_PER_MESSAGE))


def test_the_room_for_input() -> None:
    """Window minus the answer's room, which is never more than a quarter."""
    assert ContextWindow(4096, 1000).available == 3096
    assert ContextWindow(4096, 4096).available == 3072
    assert ContextWindow(100, 25).available == 75


def test_what_fits_stays_as_it_is() -> None:
    """Nothing is left out without need."""
    messages = [user(10), user(10), user(10)]
    assert ContextWindow(40, 10).fit(messages, messages[-1]) == messages


def test_the_oldest_go_first() -> None:
    """As few as needed."""
    messages = [user(10), user(10), user(10), user(10)]
    assert ContextWindow(40, 10).fit(messages, messages[-1]) == messages[1:]
    assert ContextWindow(28, 7).fit(messages, messages[-1]) == messages[2:]


def test_the_query_stays() -> None:
    """Even when it is the oldest."""
    messages = [user(10), user(11), user(12), user(13)]
    assert ContextWindow(32, 8).fit(messages, messages[0]) == [messages[0], messages[3]]


def test_the_query_is_known_by_identity() -> None:
    """An equal message is not the query."""
    query = user(10)
    messages: list[Message] = [user(10), user(10), query]
    kept = ContextWindow(28, 7).fit(messages, query)
    assert len(kept) == 2
    assert kept[1] is query


def test_at_least_two_stay() -> None:
    """Then it does not fit, and both numbers are told."""
    messages = [user(10), user(20), user(30)]
    with pytest.raises(ContextOverflow) as caught:
        ContextWindow(40, 10).fit(messages, messages[2])
    assert caught.value.required == 50
    assert caught.value.available == 30


def test_one_message_that_does_not_fit() -> None:
    """The query alone is too long."""
    query = user(50)
    with pytest.raises(ContextOverflow) as caught:
        ContextWindow(40, 10).fit([query], query)
    assert (caught.value.required, caught.value.available) == (50, 30)


def test_system_prompt_and_tools_take_room() -> None:
    """They are always sent, so the messages get what is left."""
    messages = [user(10), user(10), user(10)]
    window = ContextWindow(40, 10)
    assert window.fit(messages, messages[-1], system="x" * 4) == messages[1:]
    tool = ToolDefinition("t", "", {})
    assert window.fit(messages, messages[-1], tools=[tool]) == messages[1:]
    with pytest.raises(ContextOverflow):
        window.fit(messages, messages[-1], system="x" * 44)


def test_what_a_tool_takes() -> None:
    """Its name, description and schema, and a little more."""
    query = user(10)
    tool = ToolDefinition("read", "x" * 40, {"a": 1})
    with pytest.raises(ContextOverflow) as caught:
        ContextWindow(20, 5).fit([query], query, tools=[tool, tool])
    assert caught.value.required == 10 + 2 * (TOKENS_PER_MESSAGE + 13)


def call(*ids: str, text: str = "") -> AssistantMessage:
    return AssistantMessage(text, tuple(ToolCall(id_, "t", {}) for id_ in ids))


def test_a_result_goes_with_its_call() -> None:
    """Both results of an answer with two calls leave with it."""
    query = user(10)
    messages = [call("a", "b"), ToolResultMessage("a", "x" * 80), ToolResultMessage("b", "y"), user(10), query]
    assert ContextWindow(28, 7).fit(messages, query) == [messages[3], query]


def test_a_call_stays_with_its_results() -> None:
    """When it fits, call and result stay next to each other."""
    query = user(10)
    messages = [query, user(100), call("a"), ToolResultMessage("a", "x")]
    kept = ContextWindow(80, 20).fit(messages, query)
    assert kept == [query, messages[2], messages[3]]


def test_a_result_without_its_call_never_stays() -> None:
    """Not even when there is room."""
    query = user(10)
    messages = [ToolResultMessage("gone", "x"), query, call("a"), user(8), ToolResultMessage("a", "late")]
    assert ContextWindow(1000, 10).fit(messages, query) == [query, messages[2], messages[3]]


def test_the_estimate() -> None:
    """A token for four ASCII characters or one other; messages and calls cost a little more."""
    assert [estimate_text(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]
    assert estimate_text("日本語") == 3
    assert estimate_text("abcd日本") == 3
    assert estimate(UserMessage("abcd")) == 5
    assert estimate(SystemMessage("abcd")) == 5
    assert estimate(AssistantMessage("abcd", (ToolCall("1", "t", {"a": 1}),))) == 5 + 4 + 1 + 2


def test_arguments_that_json_cannot_hold_are_estimated() -> None:
    """A driver may hand over anything."""
    assert estimate(AssistantMessage("", (ToolCall("1", "t", {"a": {1, 2}}),))) > 9


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[Message], Message]:
    """Conversations with calls and results, and their query."""
    messages: list[Message] = []
    texts = st.text(alphabet="ab日", max_size=60)
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["user", "assistant", "calls", "stray"]))
        if kind == "user":
            messages.append(UserMessage(draw(texts)))
        elif kind == "assistant":
            messages.append(AssistantMessage(draw(texts)))
        elif kind == "stray":
            messages.append(ToolResultMessage(f"stray{number}", draw(texts)))
        else:
            ids = [f"c{number}.{index}" for index in range(draw(st.integers(1, 3)))]
            messages.append(call(*ids, text=draw(texts)))
            messages += [ToolResultMessage(id_, draw(texts)) for id_ in ids]
    query = UserMessage(draw(texts))
    messages.insert(draw(st.sampled_from([0, len(messages)])), query)
    return messages, query


@settings(max_examples=150, deadline=None)
@given(conversations(), st.integers(8, 200))
def test_whatever_is_left_out_the_rest_is_sound(conversation: tuple[list[Message], Message], window: int) -> None:
    """It fits, the order is kept, the query is there, calls and results are together, or it is an overflow."""
    messages, query = conversation
    room = ContextWindow(window, window)
    try:
        kept = room.fit(messages, query)
    except ContextOverflow as error:
        overflow = error
    else:
        overflow = None
    if overflow is not None:
        assert overflow.required > overflow.available == room.available
        return
    assert sum(map(estimate, kept)) <= room.available
    assert any(message is query for message in kept)
    places = [next(place for place, one in enumerate(messages) if one is message) for message in kept]
    assert places == sorted(set(places))
    asked = {one.id for message in kept if isinstance(message, AssistantMessage) for one in message.tool_calls}
    answered = {message.tool_call_id for message in kept if isinstance(message, ToolResultMessage)}
    assert answered == asked


def test_what_was_estimated_once_is_right_the_next_time() -> None:
    """A conversation that grows fits as it does into a window that has never seen it."""
    window, messages = ContextWindow(60, 15), [user(10)]
    tools = [ToolDefinition("t", "", {})]
    for size in (10, 5, 15, 20, 10):
        messages.append(user(size))
        assert window.fit(messages, messages[0], tools=tools) == ContextWindow(60, 15).fit(
            messages, messages[0], tools=tools
        )


def test_it_keeps_nothing_of_an_earlier_conversation() -> None:
    """One window may serve many."""
    window, first, second = ContextWindow(60, 15), [user(10), user(10)], [user(5)]
    window.fit(first, first[0])
    window.fit(second, second[0])
    assert [thing for thing, _ in window._known.values()] == second


# What is cut ----------------------------------------------------------------------------------------------------


ROOM = 12_000  # of a window of 16,000 tokens
NOTE = "characters left out"


def result_of(kept: Sequence[Message], id_: str = "a") -> ToolResultMessage:
    """The result of that call."""
    (found,) = [one for one in kept if isinstance(one, ToolResultMessage) and one.tool_call_id == id_]
    return found


TEXTS = {
    "words": "word " * 20_000,
    "no spaces": "x" * 100_000,
    "no ASCII": "日本" * 50_000,
    "mixed": "日b" * 50_000,
    "lines": "line\n" * 20_000,
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_result_that_is_larger_than_the_window(kind: str) -> None:
    """It is cut to about half of the room, head and tail stay, and the note says how much was left out."""
    query, text = user(100), f"BEGIN{TEXTS[kind]}END"
    messages: list[Message] = [query, call("a"), ToolResultMessage("a", text)]
    kept = ContextWindow(16_000, 4_096).fit(messages, query)
    assert kept[:2] == messages[:2]
    cut = result_of(kept)
    assert cut.content.startswith("BEGIN")
    assert cut.content.endswith("END")
    head, _, rest = cut.content.partition("\n[... ")
    number, _, tail = rest.partition(f" {NOTE} ...]\n")
    assert int(number.replace(",", "")) == len(text) - len(head) - len(tail)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert ROOM // 3 < estimate(cut) <= ROOM // 2
    assert messages[2] == ToolResultMessage("a", text)  # the conversation itself stays whole


def test_several_large_results_at_once() -> None:
    """Each gets its part, and a small one stays whole."""
    query = user(100)
    big = [ToolResultMessage(id_, "x" * size) for id_, size in (("a", 100_000), ("b", 90_000), ("c", 300_000))]
    messages = [query, call("a", "b", "c", "d"), *big, ToolResultMessage("d", "small")]
    kept = ContextWindow(16_000, 4_096).fit(messages, query)
    assert [result_of(kept, id_).content.count(NOTE) for id_ in "abcd"] == [1, 1, 1, 0]
    sizes = [estimate(result_of(kept, id_)) for id_ in "abc"]
    assert max(sizes) - min(sizes) <= 4
    assert sum(map(estimate, kept)) <= ROOM


def test_an_error_result_stays_one() -> None:
    """However much of it is left."""
    query = user(10)
    messages = [query, call("a"), ToolResultMessage("a", "x" * 100_000, is_error=True)]
    assert result_of(ContextWindow(4_000, 1_000).fit(messages, query)).is_error


def test_a_large_result_goes_on_fitting() -> None:
    """In the following turns it is the same message, until it is the oldest."""
    query, window = user(100), ContextWindow(16_000, 4_096)
    messages: list[Message] = [query, call("a"), ToolResultMessage("a", "x" * 100_000)]
    first = result_of(window.fit(messages, query))
    for number in range(5):
        messages += [call(f"b{number}"), ToolResultMessage(f"b{number}", "fine")]
        assert result_of(window.fit(messages, query)) is first
    for number in range(6):
        messages += [call(f"c{number}"), ToolResultMessage(f"c{number}", "y" * 8_000)]
        kept = window.fit(messages, query)
        assert result_of(kept, f"c{number}").content == "y" * 8_000
        assert sum(map(estimate, kept)) <= ROOM
    assert not any(isinstance(one, ToolResultMessage) and one.tool_call_id == "a" for one in kept)


@pytest.mark.parametrize(
    "message",
    [UserMessage("m" * 100_000), AssistantMessage("m" * 100_000), SystemMessage("m" * 100_000)],
    ids=lambda message: type(message).__name__,
)
@pytest.mark.parametrize("before", [True, False])
def test_any_other_message_that_is_too_long(message: Message, before: bool) -> None:
    """An inbox message, an answer, an instruction: before the query and after it."""
    query = user(100)
    messages = [message, query] if before else [query, message]
    kept = ContextWindow(16_000, 4_096).fit(messages, query)
    assert len(kept) == 2
    cut = kept[0 if before else 1]
    assert type(cut) is type(message)
    assert NOTE in cut.content
    assert sum(map(estimate, kept)) <= ROOM


@pytest.mark.parametrize(
    "given",
    [
        {"content": "y" * 200_000, "path": "/tmp/x"},
        {"content": "\n" * 100_000, "path": "/tmp/x"},
        {"content": ["日本"] * 30_000, "path": "/tmp/x"},
        {f"key{number}": "y" * 10 for number in range(20_000)},
        {"k" * 200_000: 1},
    ],
    ids=["text", "escapes", "list", "many keys", "a long key"],
)
def test_arguments_that_are_too_long(given: dict[str, Any]) -> None:
    """A file that the model has written: its call is shortened in later requests, and stays the call that it was."""
    query = user(100)
    asked = AssistantMessage("", (ToolCall("a", "write", given), ToolCall("b", "write", {"path": "/tmp/y"})))
    messages = [query, asked, ToolResultMessage("a", "ok"), ToolResultMessage("b", "ok")]
    kept = ContextWindow(16_000, 4_096).fit(messages, query)
    cut = kept[1]
    assert isinstance(cut, AssistantMessage)
    assert [(one.id, one.name) for one in cut.tool_calls] == [("a", "write"), ("b", "write")]
    assert NOTE in json.dumps(dict(cut.tool_calls[0].input))
    assert cut.tool_calls[1] is asked.tool_calls[1]
    if "path" in given:
        assert cut.tool_calls[0].input["path"] == "/tmp/x"
    assert sum(map(estimate, kept)) <= ROOM
    assert kept[2:] == messages[2:]


def test_what_the_model_has_not_seen_is_cut_and_not_left_out() -> None:
    """Results and messages since its last answer; older turns go before."""
    query = user(100)
    old: list[Message] = [user(3_000), call("old"), ToolResultMessage("old", "o" * 12_000)]
    news = [call("a"), ToolResultMessage("a", "x" * 40_000), UserMessage("m" * 40_000)]
    kept = ContextWindow(16_000, 4_096).fit([*old, query, *news], query)
    assert [type(one) for one in kept] == [UserMessage, AssistantMessage, ToolResultMessage, UserMessage]
    assert kept[0] is query


def test_more_news_than_can_be_cut() -> None:
    """Then the oldest of it goes, and the rest is cut."""
    query = user(100)
    messages = [query, call("a"), ToolResultMessage("a", "r"), *(UserMessage("m" * 100_000) for _ in range(1_000))]
    kept = ContextWindow(16_000, 4_096).fit(messages, query)
    assert kept[0] is query
    assert len(kept) > 100
    assert sum(map(estimate, kept)) <= ROOM


def test_the_query_is_never_cut() -> None:
    """It is named, with what it takes."""
    query = user(20_000)
    with pytest.raises(ContextOverflow, match=r"20000 tokens required, 12000 available.* the query, with 20000"):
        ContextWindow(16_000, 4_096).fit([query], query)


def test_what_does_not_fit_is_named() -> None:
    """A result, the system prompt, the tools."""
    query, window = user(10), ContextWindow(120, 30)
    messages = [query, call("a"), ToolResultMessage("a", "x" * 100_000)]
    with pytest.raises(ContextOverflow, match="most of it is the result of 't', with 4"):
        window.fit(messages, query, system="s" * 120)
    with pytest.raises(ContextOverflow, match="most of it is the system prompt, with 100"):
        window.fit(messages, query, system="s" * 400)
    with pytest.raises(ContextOverflow, match="most of it is what is told of the tools, with 10"):
        window.fit(messages, query, tools=[ToolDefinition("t", "d" * 400, {})])


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab 日\ud800😀\n", max_size=2_000), st.integers(0, 600))
def test_a_text_is_fitted(text: str, tokens: int) -> None:
    """Into any room that has room for the note."""
    made = fitted(text, tokens)
    assert made == text or NOTE in made
    assert estimate_text(made) <= max(tokens, 12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5_000), max_size=20), st.integers(0, 20_000))
def test_texts_share_their_room(sizes: list[int], tokens: int) -> None:
    """Together they fit, but for the notes; those that are smaller than the others stay whole."""
    texts = ["x" * size for size in sizes]
    made = fitted_all(texts, tokens)
    assert sum(map(estimate_text, made)) <= tokens + 12 * len(texts)
    cut = [len(text) for text, one in zip(texts, made, strict=True) if text != one]
    assert all(len(text) <= min(cut) for text, one in zip(texts, made, strict=True) if text == one) if cut else True


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("umar"), st.integers(0, 9_000)), max_size=12), st.integers(300, 4_000))
def test_whatever_is_cut_the_rest_is_sound(pieces: list[tuple[str, int]], window: int) -> None:
    """It fits and calls have their results, in a conversation of long messages; the last answer is there."""
    query = user(20)
    messages: list[Message] = [query]
    for number, (kind, size) in enumerate(pieces):
        if kind == "r":
            messages += [call(f"c{number}"), ToolResultMessage(f"c{number}", "x" * size)]
        else:
            messages.append({"u": UserMessage, "m": SystemMessage, "a": AssistantMessage}[kind]("日" * size))
    room = ContextWindow(window, window)
    kept = room.fit(messages, query)
    assert sum(map(estimate, kept)) <= room.available
    assert query in kept
    asked = [one.id for message in kept if isinstance(message, AssistantMessage) for one in message.tool_calls]
    assert asked == [message.tool_call_id for message in kept if isinstance(message, ToolResultMessage)]
    assert room.fit(messages, query) == kept
