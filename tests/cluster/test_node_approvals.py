"""Agents on hosts ask for approval: whoever answers does so in the program."""

from __future__ import annotations

from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    ApprovalDecided,
    ApprovalRequested,
    Backoff,
    CompletionRequest,
    CompletionResponse,
    Event,
    FunctionDriver,
    RestartPolicy,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolResultMessage,
    tool,
)
from actors.cluster.approvals import WITHDRAW, PlacedApprovals
from actors.cluster.host.node_approvals import NodeApprovals
from actors.core.scheduling.approval import Decision
from actors.errors import Cancelled
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import BOUND, eventually
from .standing import Standing

NO = Decision(approved=False, by_default=True)


class Writer:
    """An agent that makes some calls at once, which need approval; what was written, and what its model was told."""

    def __init__(self, calls: int = 1, **rules: Any) -> None:
        self.calls = calls
        self.written: list[str] = []
        self.rules = {"tools": ["note"], **rules}
        outer = self

        @tool
        def note(text: str) -> str:
            """Write it down."""
            outer.written.append(text)
            return text

        self.tool = note

    def answer(self, request: CompletionRequest) -> CompletionResponse:
        told = [message.text for message in request.messages if isinstance(message, ToolResultMessage)]
        if told:
            return CompletionResponse(" | ".join(told))
        calls = tuple(ToolCall(f"c{number}", "note", {"text": str(number)}) for number in range(self.calls))
        return CompletionResponse("", tool_calls=calls, stop_reason=StopReason.TOOL_USE)

    def config(self) -> SpawnConfig[Any]:
        manifest = AgentManifest(name="writer", approval=self.rules)
        return SpawnConfig(manifest, "write", driver=FunctionDriver(self.answer), tools=[self.tool])


def asked(handle: Any, count: int = 1) -> list[str]:
    """Wait until the agent asks for approval; the ids of its questions."""
    eventually(lambda: len(handle.approvals) == count)
    return [pending.call_id for pending in handle.approvals]


def test_what_is_approved_is_done_and_what_is_denied_is_not() -> None:
    """Each once; an answer that comes too late is told so; events tell both."""
    events: list[Event] = []
    writer = Writer(calls=2)
    engine = LocalEngine(2, shares=True)
    with no_thread_left(), AgentPool(engine=engine, on_event=events.append) as pool:
        handle = pool.spawn(writer.config())
        first, second = asked(handle, 2)
        assert [(one.tool, one.input) for one in handle.approvals] == [("note", {"text": "0"}), ("note", {"text": "1"})]
        assert [one.call_id for one in pool.dump().agents[0].approvals] == [first, second]
        assert handle.approve(first)
        assert not handle.deny(first, "changed my mind")
        assert handle.deny(second, "not that")
        assert handle.result(BOUND).text == "0 | note was not called: it was denied: not that"
        assert handle.approvals == ()
        assert not handle.approve(second)
    assert writer.written == ["0"]
    kinds = [type(event) for event in events if isinstance(event, ApprovalRequested | ApprovalDecided)]
    assert kinds == [ApprovalRequested] * 2 + [ApprovalDecided] * 2


@pytest.mark.parametrize("default", ["approve", "deny"])
def test_silence_has_its_time(default: str) -> None:
    """It runs in the program; the default holds, on the host, too."""
    writer = Writer(timeout=0.05, default=default)
    with AgentPool(engine=LocalEngine(1, shares=True)) as pool:
        text = pool.spawn(writer.config()).result(BOUND).text
    assert text == ("0" if default == "approve" else "note was not called: nobody approved it within 0.05 s")


def test_a_cancelled_agent_withdraws_its_questions() -> None:
    """Nobody can answer them any more."""
    writer = Writer()
    with AgentPool(engine=LocalEngine(1, shares=True)) as pool:
        handle = pool.spawn(writer.config())
        (name,) = asked(handle)
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
        assert handle.approvals == ()
        assert not handle.approve(name)
    assert writer.written == []


def test_a_lost_agent_asks_again_elsewhere_under_another_name() -> None:
    """So no answer to the lost one meets the next."""
    writer = Writer()
    engine, restart = LocalEngine(2, shares=True), RestartPolicy(max_restarts=1, backoff=Backoff(base=0.01, jitter=0.0))
    with AgentPool(engine=engine, restart=restart) as pool:
        handle = pool.spawn(writer.config())
        (name,) = asked(handle)
        (node,) = [view.node for view in engine.nodes() if view.placed]
        engine.link.kill_host(node)
        eventually(lambda: [one.call_id for one in handle.approvals] not in ([], [name]))
        (again,) = asked(handle)
        assert not handle.approve(name)
        assert handle.approve(again)
        assert handle.result(BOUND).text == "0"
    assert writer.written == ["0"]


@pytest.mark.parametrize("seed", range(2))
def test_bad_calls_change_no_answer(seed: int) -> None:
    """Lost, doubled and late: each question has the answer that it was given."""
    writers = [Writer(calls=3) for _ in range(5)]
    faults = {"lost": 0.15, "lost_answers": 0.15, "doubled": 0.15, "late": 0.15, "late_by": 0.005}
    engine = LocalEngine(2, seed=seed, shares=True, **faults)
    with AgentPool(engine=engine, max_queued=None) as pool:
        handles = [pool.spawn(writer.config()) for writer in writers]
        for handle in handles:
            names = asked(handle, 3)
            assert [handle.approve(names[0]), handle.deny(names[1]), handle.approve(names[2])] == [True] * 3
        for handle in handles:
            handle.result(BOUND)
    assert [sorted(writer.written) for writer in writers] == [["0", "2"]] * 5


# Both winners ---------------------------------------------------------------------------------------------------


def placed() -> tuple[PlacedApprovals, list[str]]:
    """The questions of one agent in the program, and whom the host is told of."""
    told: list[str] = []
    return PlacedApprovals(told.append), told


def test_of_an_answer_and_the_time_the_first_counts() -> None:
    """Whichever it is, the other one changes nothing, and the host is told once."""
    approvals, told = placed()
    for number in range(2):
        approvals.ask(f"c{number}", "note", {}, 60.0, NO)
    assert approvals.decide("c0", Decision(approved=True))
    approvals.expire("c0")
    approvals.expire("c1")
    assert not approvals.decide("c1", Decision(approved=True))
    assert set(told) == {"c0", "c1"}
    assert [approvals.take_decided(name) for name in ("c0", "c0", "c1", "c1")] == [
        Decision(approved=True),
        None,
        NO,
        None,
    ]


@pytest.mark.parametrize("is_early", [True, False])
def test_an_answer_may_be_there_before_the_name(is_early: bool) -> None:
    """The host hears of it in another thread than the one that asks."""
    standing = Standing()
    approvals = NodeApprovals(standing, 1)
    yes = Decision(approved=True)

    def ask(*_: Any) -> str:
        if is_early:
            approvals.decided("c0", yes)
        return "c0"

    standing.serve("approval.ask", ask)
    question = approvals.ask("c0", "note", {}, None, NO)
    if not is_early:
        approvals.decided("c0", yes)
    assert question.decision == yes
    approvals.wait([question])
    assert standing.notes == []


def test_what_was_not_decided_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, when the wait is broken off."""
    standing = Standing()
    withdrawn: list[Any] = []
    standing.serve("approval.ask", lambda agent_id, call_id, *_: call_id)
    standing.hear(WITHDRAW, lambda agent_id, *names: withdrawn.append((agent_id, names)))
    approvals = NodeApprovals(standing, 1)
    questions = [approvals.ask(f"c{number}", "note", {}, None, NO) for number in range(2)]
    approvals.decided("c0", Decision(approved=True))

    def broken(*_: Any) -> bool:
        raise Cancelled("enough")

    monkeypatch.setattr("actors.core.scheduling.approval.wait_for", broken)
    with pytest.raises(Cancelled):
        approvals.wait(questions)
    assert withdrawn == [(1, ("c1",))]
