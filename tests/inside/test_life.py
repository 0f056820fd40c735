"""One agent's events become stretches: which, from when to when, and what of them is not known."""

from __future__ import annotations

import random

import pytest

from actors import AgentStatus
from actors.events import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentRestarted,
    AgentResumed,
    AgentStarted,
    ApprovalDecided,
    ApprovalRequested,
    CompletionFailed,
    CompletionFinished,
    CompletionStarted,
    Event,
    EventsMissed,
    LimiterWaited,
    Phase,
    PhaseChanged,
    TextDelta,
    ToolEnded,
    ToolStarted,
)

from .told import Told, lanes, one, own, timeline_of, told

DONE = {"status": AgentStatus.COMPLETED}
ANSWER = {"model": "m", "input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5, "stop_reason": "end_turn"}
CALL = {"call_id": "c", "tool": "search"}


def test_a_life_is_told_from_its_admission_to_its_end() -> None:
    """The queue, its own code, the model, its tool: one begins where the other ends."""
    agent = Told()
    agent.at(1.0, AgentQueued, key="k", group="g").at(2.0, AgentStarted, key="k", group="g", slots=4)
    agent.at(2.5, CompletionStarted, model="m").at(4.0, CompletionFinished, **ANSWER)
    agent.at(4.0, ToolStarted, **CALL).at(5.0, ToolEnded, **CALL, is_error=False, duration=1.0)
    agent.at(6.0, AgentEnded, **DONE)
    found = one(timeline_of(agent))
    assert own(found.spans) == [
        ("queued", 0.0, 1.0, ""),
        ("running", 1.0, 1.5, ""),
        ("in_driver", 1.5, 3.0, "m"),
        ("in_tool", 3.0, 4.0, "search"),
        ("running", 4.0, 5.0, ""),
    ]
    assert lanes(found.spans) == [(0, 3.0, 4.0, "search")]
    assert (found.key, found.group, found.status, found.is_open, found.is_cut) == ("k", "g", "completed", False, False)
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (10, 2, 0.5)
    (completion,) = [span for span in found.spans if span.state == "in_driver"]
    assert (completion.input_tokens, completion.cost_usd, completion.error) == (10, 0.5, None)


def test_a_park_splits_the_completion_around_it() -> None:
    """It goes back to what it was at; the tokens stand on the last piece, once."""
    agent = Told().at(0.0, AgentStarted).at(1.0, CompletionStarted, model="m")
    agent.at(2.0, AgentParked, on="tea").at(3.0, AgentResumed).at(4.0, CompletionFinished, **ANSWER)
    found = one(timeline_of(agent.at(4.0, AgentEnded, **DONE)))
    assert own(found.spans) == [
        ("running", 0.0, 1.0, ""),
        ("in_driver", 1.0, 2.0, "m"),
        ("parked", 2.0, 3.0, "tea"),
        ("in_driver", 3.0, 4.0, "m"),
    ]
    assert [span.input_tokens for span in found.spans] == [0, 0, 0, 10]


def test_tools_at_the_same_time_have_lanes() -> None:
    """The agent's own track is at its tools as long as one works, and names them; while all wait it is parked."""
    agent = Told().at(0.0, AgentStarted)
    agent.at(1.0, ToolStarted, call_id="a", tool="x", lane=0).at(1.0, ToolStarted, call_id="b", tool="x", lane=1)
    agent.at(2.0, ToolEnded, call_id="a", tool="x", is_error=True, duration=1.0)
    agent.at(2.5, AgentParked, on="receive").at(3.0, AgentResumed)
    agent.at(4.0, ToolEnded, call_id="b", tool="x", is_error=False, duration=3.0).at(4.0, AgentEnded, **DONE)
    found = one(timeline_of(agent))
    assert own(found.spans) == [
        ("running", 0.0, 1.0, ""),
        ("in_tool", 1.0, 2.5, "x x2"),
        ("parked", 2.5, 3.0, "receive"),
        ("in_tool", 3.0, 4.0, "x"),
    ]
    assert lanes(found.spans) == [(0, 1.0, 2.0, "x"), (1, 1.0, 4.0, "x")]
    assert [span.error is not None for span in found.spans if span.lane is not None] == [True, False]


def test_a_lane_that_is_taken_is_not_given_twice() -> None:
    """Whatever lanes are told: events of before there were any say 0."""
    agent = Told().at(0.0, AgentStarted).at(1.0, ToolStarted, call_id="a", tool="x")
    agent.at(2.0, ToolStarted, call_id="b", tool="y").at(
        3.0, ToolEnded, call_id="a", tool="x", is_error=False, duration=2
    )
    agent.at(4.0, ToolEnded, call_id="b", tool="y", is_error=False, duration=2.0)
    assert lanes(one(timeline_of(agent)).spans) == [(0, 1.0, 3.0, "x"), (1, 2.0, 4.0, "y")]


def test_a_failed_completion_has_its_error_and_a_backoff_follows() -> None:
    """Until the next attempt; what it used by then stands on the attempt that failed."""
    agent = Told().at(0.0, AgentStarted).at(0.0, CompletionStarted, model="m", attempt=1)
    agent.at(1.0, CompletionFinished, **{**ANSWER, "stop_reason": None})
    agent.at(1.0, CompletionFailed, error="busy", model="m", attempt=1, delay=2.0)
    agent.at(1.0, AgentParked, on="a time").at(3.0, AgentResumed)
    agent.at(3.0, CompletionStarted, model="m", attempt=2).at(4.0, CompletionFinished, **{**ANSWER, "attempt": 2})
    found = one(timeline_of(agent.at(4.0, AgentEnded, **DONE)))
    assert own(found.spans) == [
        ("in_driver", 0.0, 1.0, "m"),
        ("in_backoff", 1.0, 3.0, ""),
        ("in_driver", 3.0, 4.0, "m"),
    ]
    first, _, second = found.spans
    assert (first.error, first.attempt, first.input_tokens) == ("busy", 1, 10)
    assert (second.error, second.attempt, second.input_tokens) == (None, 2, 10)


def test_a_wait_for_the_limiter_is_cut_out_of_its_completion() -> None:
    """It is told when it is over."""
    agent = Told().at(0.0, AgentStarted).at(1.0, CompletionStarted, model="m").at(3.0, LimiterWaited, seconds=1.5)
    agent.at(5.0, CompletionFinished, **ANSWER).at(5.0, AgentEnded, **DONE)
    assert own(one(timeline_of(agent)).spans) == [
        ("running", 0.0, 1.0, ""),
        ("in_driver", 1.0, 1.5, "m"),
        ("in_backoff", 1.5, 3.0, "rate limit"),
        ("in_driver", 3.0, 5.0, "m"),
    ]


def test_a_restart_ends_what_was_open() -> None:
    """The completion that crashed it is open; it restarts until it goes on."""
    agent = Told().at(0.0, AgentStarted).at(0.0, CompletionStarted, model="m")
    agent.at(1.0, AgentRestarted, attempt=1, delay=2.0).at(1.0, AgentParked, on="restart").at(3.5, AgentResumed)
    found = one(timeline_of(agent.at(4.0, AgentEnded, **DONE)))
    assert own(found.spans) == [("in_driver", 0.0, 1.0, "m"), ("restarting", 1.0, 3.5, ""), ("running", 3.5, 4.0, "")]
    assert [span.is_open for span in found.spans] == [True, False, False]
    assert found.restarts == 1


def test_a_tool_that_was_left_behind_ends_when_its_agent_goes_on() -> None:
    """Its late end changes nothing."""
    agent = Told().at(0.0, AgentStarted).at(0.0, ToolStarted, **CALL)
    agent.at(2.0, PhaseChanged, phase=Phase.REASON).at(2.0, CompletionStarted, model="m")
    agent.at(3.0, ToolEnded, **CALL, is_error=True, duration=3.0).at(4.0, CompletionFinished, **ANSWER)
    found = one(timeline_of(agent.at(4.0, AgentEnded, **DONE)))
    assert own(found.spans) == [("in_tool", 0.0, 2.0, "search"), ("in_driver", 2.0, 4.0, "m")]
    (lane,) = [span for span in found.spans if span.lane is not None]
    assert (lane.end, lane.is_open, lane.error) == (2.0, True, "left behind: its agent went on without it")


def test_a_completion_inside_a_tool_is_its_tools() -> None:
    """The agent is at its tool; where two tools run nobody knows whose tokens they are, but the agent's."""
    agent = Told().at(0.0, AgentStarted).at(0.0, ToolStarted, **CALL).at(1.0, CompletionStarted, model="m")
    agent.at(2.0, CompletionFinished, **ANSWER).at(3.0, ToolEnded, **CALL, is_error=False, duration=3.0)
    found = one(timeline_of(agent.at(3.0, AgentEnded, **DONE)))
    assert own(found.spans) == [("in_tool", 0.0, 3.0, "search")]
    assert [span.input_tokens for span in found.spans if span.lane == 0] == [10]
    assert found.input_tokens == 10


def test_what_has_no_end_is_open_up_to_the_last_moment() -> None:
    """Of an agent that has not ended; of one that has it ends there."""
    alive = Told(1).at(0.0, AgentStarted).at(1.0, CompletionStarted, model="m").at(1.5, ToolStarted, **CALL)
    ended = Told(2).at(0.0, AgentStarted).at(1.0, ToolStarted, **CALL).at(4.0, AgentEnded, status="abandoned")
    first, second = timeline_of(alive, ended).picture().agents
    assert (first.end, first.is_open, first.status) == (4.0, True, None)
    assert [(span.end, span.is_open) for span in first.spans] == [(1.0, False), (1.5, False), (4.0, True), (4.0, True)]
    assert (second.end, second.is_open, second.status) == (4.0, False, "abandoned")
    assert not any(span.is_open for span in second.spans)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ((AgentResumed, {}), ("parked", 0.0, 2.0, "")),
        ((AgentParked, {"on": "tea"}), ("running", 0.0, 2.0, "")),
        ((CompletionFinished, ANSWER), ("in_driver", 0.0, 2.0, "m")),
        ((CompletionFailed, {"error": "x", "model": "m"}), ("in_driver", 0.0, 2.0, "m")),
        ((ToolEnded, {**CALL, "is_error": False, "duration": 9.0}), ("in_tool", 0.0, 2.0, "search")),
        ((AgentEnded, DONE), ("running", 0.0, 2.0, "")),
    ],
    ids=["resumed", "parked", "finished", "failed", "tool", "ended"],
)
def test_what_was_not_told_to_begin_begins_with_the_timeline(
    first: tuple[type[Event], dict[str, object]], expected: tuple[str, float, float, str]
) -> None:
    """By its first event one knows what it was at."""
    other = Told(2).at(0.0, AgentStarted).at(5.0, AgentEnded, **DONE)
    late = Told(1).at(2.0, first[0], **first[1])
    agent = next(each for each in timeline_of(other, late).picture().agents if each.id == 1)
    assert agent.is_cut
    assert own(agent.spans)[0] == expected


def test_what_was_recalled_is_zero_long() -> None:
    """It was not done now, and costs nothing now."""
    agent = Told().at(0.0, AgentStarted).at(1.0, CompletionFinished, **ANSWER, recalled=True)
    agent.at(2.0, AgentEnded, **DONE)
    found = one(timeline_of(agent))
    assert [(span.begin, span.end) for span in found.spans if span.recalled] == [(1.0, 1.0)]
    assert (found.input_tokens, found.cost_usd) == (0, 0.0)
    recalled = one(timeline_of(Told().at(3.0, AgentEnded, **DONE, recalled=True)))
    assert (recalled.begin, recalled.end, recalled.recalled) == (0.0, 0.0, True)


def test_events_that_were_missed_end_what_was_open() -> None:
    """Nobody knows what became of it."""
    agent = Told().at(0.0, AgentStarted).at(0.0, CompletionStarted, model="m").at(1.0, EventsMissed, count=7)
    found = one(timeline_of(agent.at(2.0, AgentEnded, **DONE)))
    assert own(found.spans) == [("in_driver", 0.0, 1.0, "m"), ("running", 1.0, 2.0, "")]
    assert [(mark.at, mark.kind, mark.text) for mark in found.marks] == [(1.0, "events missed", "7")]


def test_marks_are_what_happens_in_a_moment() -> None:
    """Approvals among them; events of a program's own by their name alone, as what is in them may be private."""

    class Sighted(Event):
        """A program's own."""

        where: str

    question = {"call_id": "c", "tool": "pay"}
    agent = Told().at(0.0, AgentStarted)
    agent.at(1.0, ApprovalRequested, **question, input={}, timeout=None, default="deny")
    agent.at(2.0, ApprovalDecided, **question, approved=False, reason="no", by_default=True)
    agent.at(3.0, Sighted, where="secret").at(4.0, TextDelta, text="a").at(4.0, AgentEnded, **DONE)
    assert [(mark.at, mark.kind, mark.text) for mark in one(timeline_of(agent)).marks] == [
        (1.0, "approval asked", "pay"),
        (2.0, "denied", "pay (nobody answered in time)"),
        (3.0, "Sighted", ""),
    ]


def test_of_equal_moments_the_order_of_the_events_counts() -> None:
    """And one that comes late is put where it belongs."""
    agent = Told().at(0.0, AgentStarted).at(0.0, CompletionStarted, model="m").at(0.0, CompletionFinished, **ANSWER)
    agent.at(0.0, AgentEnded, **DONE)
    found = one(told(agent.events))
    assert own(found.spans) == [("in_driver", 0.0, 0.0, "m")]
    assert found.spans[0].input_tokens == 10
    late = Told().at(0.0, AgentStarted).at(3.0, AgentResumed).at(2.0, AgentParked, on="tea").at(4.0, AgentEnded, **DONE)
    assert own(one(told(late.events)).spans)[1] == ("parked", 2.0, 3.0, "tea")


def test_numbers_that_are_none_are_nothing() -> None:
    """A driver may tell any cost."""
    agent = Told().at(0.0, AgentStarted).at(1.0, CompletionFinished, **{**ANSWER, "cost_usd": float("nan")})
    assert one(timeline_of(agent)).cost_usd == 0.0


KINDS: list[tuple[type[Event], dict[str, object]]] = [
    (AgentQueued, {}),
    (AgentStarted, {}),
    (AgentParked, {"on": "tea"}),
    (AgentResumed, {}),
    (AgentRestarted, {"attempt": 1, "delay": 0.5}),
    (CompletionStarted, {"model": "m"}),
    (CompletionFinished, ANSWER),
    (CompletionFinished, {**ANSWER, "recalled": True}),
    (CompletionFailed, {"error": "x", "model": "m", "delay": 0.5}),
    (LimiterWaited, {"seconds": 0.7}),
    (PhaseChanged, {"phase": Phase.REASON}),
    (ToolStarted, CALL),
    (ToolStarted, {"call_id": "d", "tool": "fetch", "lane": 3}),
    (ToolEnded, {**CALL, "is_error": False, "duration": 1.2}),
    (EventsMissed, {"count": 3}),
]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_nothing_overlaps(seed: int) -> None:
    """In any order, with any beginning: a track has one thing at a time, and nothing goes beyond the life."""
    draw = random.Random(seed)
    agent, moment = Told(), 0.0
    for _ in range(draw.randrange(1, 60)):
        kind, fields = draw.choice(KINDS[2:] if agent.events else KINDS)
        moment += draw.choice((0.0, 0.1, 1.0))
        agent.at(moment - draw.choice((0.0, 0.0, 0.05)), kind, **fields)
    if draw.random() < 0.7:
        agent.at(moment, AgentEnded, **DONE)
    found = one(told(agent.events))
    ends: dict[int | None, float] = {}
    for span in found.spans:
        assert found.begin <= span.begin <= span.end <= found.end
        assert span.begin >= ends.get(span.lane, 0.0)
        ends[span.lane] = span.end
