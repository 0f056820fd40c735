"""The event delivery: every event to the sink, one at a time, in order."""

from __future__ import annotations

import ctypes
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors.core.clock import SYSTEM_CLOCK, WallTime
from actors.core.records.event import AgentStarted, Event, MessageSent
from actors.core.supervision.event_delivery import EventDelivery
from actors.core.supervision.event_sink import EventSink
from actors.core.supervision.posted import posted
from tests.waiting import eventually


class Delta(Event):
    """An event that may be merged with the one before it."""

    text: str

    @staticmethod
    def _merge(last: dict[str, Any], new: dict[str, Any]) -> dict[str, Any] | None:
        """Join the texts, unless the last one says stop."""
        return None if last["text"].endswith("!") else {"text": last["text"] + new["text"]}


class Delivery(EventDelivery):
    """An event delivery, and its first sink."""

    def __init__(self, fn: Any) -> None:
        super().__init__()
        self.sink = self.more(fn)

    def more(self, fn: Any) -> EventSink:
        """Another sink."""
        sink = EventSink(fn, "events", WallTime(SYSTEM_CLOCK), self.lock)
        sink.start()
        assert self.add(sink)
        return sink


@pytest.fixture
def dispatch() -> Any:
    """Makes event deliveries, and closes them."""
    made: list[Delivery] = []

    def make(sink: Any) -> Delivery:
        made.append(Delivery(sink))
        return made[-1]

    yield make
    for one in made:
        assert one.close(10)


def test_events_reach_the_sink_in_order_with_their_stamps(dispatch: Any) -> None:
    """seq rises by one; each says whose it is, and when it happened, not when it was delivered."""
    events: list[Any] = []
    event_delivery = dispatch(events.append)
    noted = posted(MessageSent, {"to": 5}, agent_id=3, agent="me", parent_id=1, depth=2, tag="mine")
    event_delivery.post(noted)
    event_delivery.post(posted(AgentStarted, {}))
    assert event_delivery.close(10)
    assert [(type(e), e.seq, e.agent_id, e.agent, e.parent_id, e.depth) for e in events] == [
        (MessageSent, 1, 3, "me", 1, 2),
        (AgentStarted, 2, 0, "", None, 0),
    ]
    assert events[0].moment == noted.moment
    assert events[0].at == pytest.approx(datetime.now(UTC), abs=timedelta(seconds=5))
    assert [event.tag for event in events] == ["mine", None]
    assert events[0].to == 5


def test_the_sink_runs_on_one_thread_of_its_own(dispatch: Any) -> None:
    """Never on the poster's; it sleeps between events and wakes for the next."""
    seen: list[Any] = []
    arrived = threading.Semaphore(0)

    def sink(event: Any) -> None:
        seen.append(threading.current_thread())
        arrived.release()

    event_delivery = dispatch(sink)
    for _ in range(3):
        event_delivery.post(posted(AgentStarted, {}))
        assert arrived.acquire(timeout=10)
    assert set(seen) == {event_delivery.sink.thread}
    assert event_delivery.sink.thread.daemon


def test_what_is_raised_in_its_thread_while_it_idles_ends_it_not(dispatch: Any) -> None:
    """A time limit of the sink, set in its thread, that comes when the sink has returned."""
    heard = threading.Semaphore(0)
    event_delivery = dispatch(lambda _: heard.release())
    for _ in range(3):
        event_delivery.post(posted(AgentStarted, {}))
        assert heard.acquire(timeout=10)
        eventually(lambda: event_delivery.sink._sleeper is not None)
        ident = ctypes.c_ulong(event_delivery.sink.thread.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(SystemExit))
    assert event_delivery.sink.thread.is_alive()


def test_posting_never_waits_for_a_slow_sink(dispatch: Any, gate: Any) -> None:
    """A stuck sink holds nobody; what was posted is delivered later."""
    events: list[Any] = []
    event_delivery = dispatch(lambda event: (gate.hold(), events.append(event)))
    for _ in range(100):
        event_delivery.post(posted(AgentStarted, {}))
    gate.await_reached()
    gate.open()
    assert event_delivery.close(10)
    assert [event.seq for event in events] == list(range(1, 101))


def test_a_failing_sink_is_logged_once_and_called_again(dispatch: Any, log_lines: list[str]) -> None:
    """Whatever it raises."""
    calls: list[int] = []

    def sink(event: Any) -> None:
        calls.append(event.seq)
        raise SystemExit("sink")

    event_delivery = dispatch(sink)
    for _ in range(3):
        event_delivery.post(posted(AgentStarted, {}))
    assert event_delivery.close(10)
    assert calls == [1, 2, 3]
    assert sum("event sink failed" in line for line in log_lines) == 1


# Merging --------------------------------------------------------------------------------------------------------


def merged(dispatch: Any, gates: Any, posts: list[Any], *, above: int) -> list[Any]:
    """What a sink that was stuck while *posts* came gets, without the first event that stuck it."""
    events: list[Any] = []
    gate = gates()
    event_delivery = dispatch(lambda event: (gate.hold(), events.append(event)))
    event_delivery.sink.MERGE_ABOVE = above
    event_delivery.post(posted(AgentStarted, {}))
    gate.await_reached()
    for post in posts:
        event_delivery.post(post)
    gate.open()
    assert event_delivery.close(10)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return events[1:]


def delta(text: str, agent: int = 1) -> Any:
    return posted(Delta, {"text": text}, agent_id=agent)


def test_text_deltas_that_stand_next_to_each_other_may_be_merged(dispatch: Any, gates: Any) -> None:
    """Only when the sink is behind; the text is whole."""
    events = merged(dispatch, gates, [delta(c) for c in "abcd"], above=1)
    assert [event.text for event in events] == ["a", "bcd"]


def test_below_the_bound_nothing_is_merged(dispatch: Any, gates: Any) -> None:
    """A sink that keeps up gets each one."""
    events = merged(dispatch, gates, [delta(c) for c in "abcd"], above=100)
    assert [event.text for event in events] == ["a", "b", "c", "d"]


def test_nothing_else_is_ever_merged_or_dropped(dispatch: Any, gates: Any) -> None:
    """Not with another agent's, not across another event, not when the event says no, and no other kind."""
    posts = [
        delta("a", 1),
        delta("b", 2),
        posted(MessageSent, {"to": 1}, agent_id=2),
        posted(MessageSent, {"to": 1}, agent_id=2),
        delta("c!", 2),
        delta("d", 2),
    ]
    events = merged(dispatch, gates, posts, above=0)
    assert [event.text or "sent" for event in events] == ["a", "b", "sent", "sent", "c!", "d"]


# The end --------------------------------------------------------------------------------------------------------


def test_close_delivers_what_is_queued_and_refuses_the_rest(dispatch: Any) -> None:
    """Flushed when close returns; later posts go nowhere."""
    events: list[Any] = []
    event_delivery = dispatch(events.append)
    for _ in range(50):
        event_delivery.post(posted(AgentStarted, {}))
    assert event_delivery.close(10)
    assert len(events) == 50
    event_delivery.post(posted(AgentStarted, {}))
    assert event_delivery.close(10)
    assert len(events) == 50
    assert not event_delivery.sink.thread.is_alive()


def test_close_gives_a_stuck_sink_up_in_time(dispatch: Any, gate: Any) -> None:
    """False, and the caller goes on."""
    event_delivery = dispatch(gate.hold)
    event_delivery.post(posted(AgentStarted, {}))
    gate.await_reached()
    assert event_delivery.close(0.01) is False
    gate.open()


def test_the_sink_itself_may_close(dispatch: Any) -> None:
    """It does not wait for itself."""
    answers: list[bool] = []
    done = threading.Event()

    def sink(event: Any) -> None:
        answers.append(event_delivery.close(10))
        done.set()

    event_delivery = dispatch(sink)
    event_delivery.post(posted(AgentStarted, {}))
    assert done.wait(10)
    assert answers == [True]


def test_an_event_is_frozen_and_takes_nothing_unknown() -> None:
    """Whoever makes one leaves the first fields out."""
    event = MessageSent(to=1)
    assert (event.agent_id, event.agent, event.seq, event.at) == (0, "", 0, None)
    with pytest.raises(ValueError):
        event.to = 2  # type: ignore[misc]
    with pytest.raises(ValueError):
        MessageSent(to=1, other=2)
