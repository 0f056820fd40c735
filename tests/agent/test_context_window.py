"""The context window: what is left out, what always stays, and when nothing helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from actors.agent.context_window import TOKENS_PER_MESSAGE, estimate, estimate_text

if TYPE_CHECKING:
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
