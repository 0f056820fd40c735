"""The first sentence of a timeline says why the run took so long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.events import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentRestarted,
    AgentResumed,
    AgentStarted,
    ApprovalDecided,
    CompletionFailed,
    CompletionFinished,
    CompletionStarted,
    LimiterWaited,
    MessageRead,
    MessageSent,
    PhaseChanged,
    ToolEnded,
    ToolStarted,
)
from actors.inside.why import critical

from .told import Told, timeline_of

if TYPE_CHECKING:
    from collections.abc import Iterable

DONE = {"status": "completed"}
ANSWER = {"model": "m", "input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5, "stop_reason": "end_turn"}


def asks(number: int, begin: float, end: float, **fields: object) -> Told:
    """One that a model answers."""
    agent = Told(number, "writer", **fields).at(begin, AgentStarted, slots=9).at(begin, CompletionStarted, model="m")
    return agent.at(end, CompletionFinished, **ANSWER).at(end, AgentEnded, **DONE)


def parks(number: int, end: float, on: str) -> Told:
    """One that waits from the first second on."""
    agent = Told(number, "waiter").at(0.0, AgentStarted, slots=9).at(1.0, AgentParked, on=on)
    return agent.at(end, AgentResumed).at(end, AgentEnded, **DONE)


def few_slots() -> Iterable[Told]:
    for number in range(1, 9):
        agent = Told(number).at(0.0, AgentQueued).at(number - 1.0, AgentStarted, slots=1)
        agent.at(number - 1.0, CompletionStarted, model="m").at(number, CompletionFinished, **ANSWER)
        yield agent.at(number, AgentEnded, **DONE)


def slots_of_code() -> Iterable[Told]:
    for number in range(1, 9):
        turn = (number - 1) // 2
        yield Told(number).at(0.0, AgentQueued).at(turn, AgentStarted, slots=2).at(turn + 1, AgentEnded, **DONE)


def slow_model() -> Iterable[Told]:
    return [asks(number, 0.0, 4.0) for number in (1, 2, 3)]


def one_slow_answer() -> Iterable[Told]:
    parent = Told(1, "boss").at(0.0, AgentStarted, slots=9).at(0.0, AgentParked, on="the outcome of agent 4 (writer)")
    yield parent.at(8.0, AgentResumed).at(8.0, AgentEnded, **DONE)
    yield from (asks(number, 0.0, end, parent_id=1, depth=1) for number, end in ((2, 1.0), (3, 1.0), (4, 8.0)))


def one_slow_tool() -> Iterable[Told]:
    agent = Told(1, "writer").at(0.0, AgentStarted, slots=9)
    for lane, (call, tool) in enumerate((("a", "fetch"), ("b", "grep"), ("c", "fetch"))):
        agent.at(0.0, ToolStarted, call_id=call, tool=tool, lane=lane)
    for call, tool, end in (("a", "fetch", 1.0), ("b", "grep", 2.0), ("c", "fetch", 9.0)):
        agent.at(end, ToolEnded, call_id=call, tool=tool, duration=end, is_error=False)
    yield agent.at(10.0, AgentEnded, **DONE)


def a_bit_of_each() -> Iterable[Told]:
    agent = Told(1, "writer").at(0.0, AgentStarted, slots=9).at(3.0, CompletionStarted, model="m")
    agent.at(6.0, CompletionFinished, **ANSWER)
    for begin, end in ((6.0, 6.5), (6.5, 10.0)):
        agent.at(begin, ToolStarted, call_id=str(begin), tool="fetch", lane=0)
        agent.at(end, ToolEnded, call_id=str(begin), tool="fetch", duration=end - begin, is_error=False)
    yield agent.at(10.0, AgentEnded, **DONE)


def retries() -> Iterable[Told]:
    agent = Told(1, "writer").at(0.0, AgentStarted, slots=9)
    for attempt in (1, 2):
        agent.at(attempt * 5.0 - 5, CompletionStarted, model="m", attempt=attempt)
        agent.at(attempt * 5.0 - 4, CompletionFailed, error="busy", model="m", attempt=attempt, delay=4.0)
    yield agent.at(10.0, AgentEnded, **DONE)


def limiter() -> Iterable[Told]:
    agent = Told(1, "writer").at(0.0, AgentStarted, slots=9).at(0.0, CompletionStarted, model="m")
    agent.at(9.0, LimiterWaited, seconds=9.0).at(10.0, CompletionFinished, **ANSWER)
    yield agent.at(10.0, AgentEnded, **DONE)


def approval() -> Iterable[Told]:
    agent = Told(1, "waiter").at(0.0, AgentStarted, slots=9).at(1.0, AgentParked, on="approval of publish (call_7)")
    agent.at(9.0, ApprovalDecided, call_id="call_7", tool="publish", approved=False, reason="", by_default=True)
    yield agent.at(9.0, AgentResumed).at(10.0, AgentEnded, **DONE)


def two_that_listen() -> Iterable[Told]:
    return [parks(1, 9.0, "receive"), parks(2, 10.0, "receive")]


def own_code() -> Iterable[Told]:
    return [Told(number).at(0.0, AgentStarted, slots=9).at(4.0, AgentEnded, **DONE) for number in (1, 2, 3)]


def restarts() -> Iterable[Told]:
    agent = Told(1, "writer").at(0.0, AgentStarted, slots=9).at(1.0, AgentRestarted, attempt=1, delay=8.0)
    yield agent.at(10.0, AgentEnded, **DONE)


def late_program() -> Iterable[Told]:
    return [asks(1, 0.0, 1.0), asks(2, 9.0, 10.0)]


def out_of_time() -> Iterable[Told]:
    agent = Told(1, "writer").at(0.0, AgentStarted, slots=9).at(0.0, CompletionStarted, model="m")
    yield agent.at(10.0, AgentEnded, status="timed_out")


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (
            few_slots,
            "The only slot was in use for 100 % of the run, and 7 agents waited 4.0 s (median) for one: "
            "more slots would have helped.",
        ),
        (
            slots_of_code,
            "All 2 slots were in use for 100 % of the run, and 6 agents waited 2.0 s (median) for one: "
            "more slots would have helped if the agents' own code, which held them, waits rather than computes.",
        ),
        (slow_model, "Most of the time, 4.0 s of 4.0 s, went by with the model m: one answer for agent 3 (writer)."),
        (
            one_slow_answer,
            "Most of the time, 8.0 s of 8.0 s, went by with the model m: one answer for agent 4 (writer); "
            "the 2 others took 1.0 s each (mean).",
        ),
        (
            one_slow_tool,
            "Most of the time, 9.0 s of 10 s, went by in the tool fetch: one call of agent 1 (writer); "
            "the other one took 1.0 s.",
        ),
        (
            a_bit_of_each,
            "The longest chain of waits takes 10 s, through 1 agent: 4.0 s in the tool fetch, "
            "3.0 s in agents' own code and 3.0 s with the model m; its longest piece: "
            "3.5 s in the tool fetch, agent 1 (writer); the other one took 0.5 s.",
        ),
        (
            retries,
            "Most of the time, 8.0 s of 10 s, went by in backoffs after failed attempts: 2 waits of agent 1 (writer).",
        ),
        (
            limiter,
            "Most of the time, 9.0 s of 10 s, went by waiting for the rate limit: one wait of agent 1 (writer).",
        ),
        (
            approval,
            "Most of the time, 8.0 s of 10 s, went by waiting for an approval of publish: "
            "one wait of agent 1 (waiter); nobody answered in time; meanwhile no agent was at work.",
        ),
        (
            two_that_listen,
            "Most of the time, 9.0 s of 10 s, went by waiting for a message: one wait of agent 2 (waiter); "
            "no agent of this run sent it one until then; meanwhile no agent was at work.",
        ),
        (
            own_code,
            "Most of the time, 4.0 s of 4.0 s, went by in agents' own code: one stretch of agent 3 (writer); "
            "3.0 agents at a time were there: of code that computes, Python runs one at a time.",
        ),
        (restarts, "Most of the time, 8.0 s of 10 s, went by before restarts: one wait of agent 1 (writer)."),
        (late_program, "Most of the time, 8.0 s of 10 s, went by in the program, before it started the next agent."),
        (
            out_of_time,
            "Most of the time, 10 s of 10 s, went by with the model m: one answer for agent 1 (writer); "
            "it timed out there.",
        ),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_the_first_sentence_is_the_reason(run: object, sentence: str) -> None:
    """Of runs whose reason is known, with its numbers."""
    assert callable(run)
    assert timeline_of(*run()).picture().summary.sentences[0] == sentence


def test_a_chain_of_too_many_pieces_tells_of_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so: it is not all of the run."""
    monkeypatch.setattr(critical, "MOST", 3)
    sentences = timeline_of(*few_slots()).picture().summary.sentences
    assert any(each.startswith("Most of the time, 3.0 s of the last 3.0 s, went by") for each in sentences)


def test_a_sentence_knows_its_place() -> None:
    """Which agent it speaks of, from when to when; None where it is all of the run."""
    summary = timeline_of(*one_slow_answer()).picture().summary
    (place,) = [place for place in summary.places if place is not None]
    assert (summary.places[0], place.agent_id, place.begin, place.end) == (place, 4, 0.0, 8.0)
    assert len(summary.places) == len(summary.sentences)


def test_who_was_told_something_is_not_said_to_have_heard_nothing() -> None:
    """Though the chain of waits does not lead on to the sender, as each waits for the other."""
    one, other = parks(1, 9.0, "receive"), parks(2, 9.0, "receive")
    for agent, peer in ((one, 2), (other, 1)):
        agent.at(9.0, MessageSent, to=peer).at(9.0, MessageRead, sender=peer)
    for agent in (one, other):
        agent.events.sort(key=lambda event: (event.moment, isinstance(event, AgentEnded)))
    assert "sent it" not in timeline_of(one, other).picture().summary.sentences[0]


def test_agents_that_waited_are_not_told_that_more_slots_would_not_have_helped() -> None:
    """Though on average few slots were used: they were short for a while."""
    agents = [Told(number).at(0.0, AgentQueued).at(0.0, AgentStarted, slots=4) for number in range(1, 5)]
    agents += [Told(number).at(0.0, AgentQueued).at(2.0, AgentStarted, slots=4) for number in range(5, 9)]
    for number, agent in enumerate(agents, 1):
        agent.at((number > 4) * 2.0 + (18.0 if number == 8 else 2.0), AgentEnded, **DONE)
    sentences = timeline_of(*agents).picture().summary.sentences
    assert not [each for each in sentences if "more slots" in each]


def test_a_tool_that_waits_for_somebody_does_not_work() -> None:
    """While its agent is parked its time is the wait's; of the page's table, too."""
    agent = Told(1, "writer").at(0.0, AgentStarted, slots=9).at(1.0, ToolStarted, call_id="a", tool="listen", lane=0)
    agent.at(2.0, AgentParked, on="receive").at(8.0, AgentResumed)
    agent.at(9.0, ToolEnded, call_id="a", tool="listen", duration=8.0, is_error=False).at(
        9.0, PhaseChanged, phase="reason"
    )
    summary = timeline_of(agent.at(10.0, AgentEnded, **DONE)).picture().summary
    ((state, label, calls, seconds),) = summary.labels
    assert (str(state), label, calls, round(seconds, 6)) == ("in_tool", "listen", 1, 2.0)
    assert summary.parked_on == (("a message", pytest.approx(6.0)),)
