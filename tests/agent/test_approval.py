"""Tool calls that need somebody's approval."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from actors import (
    AgentEnded,
    AgentManifest,
    AgentPool,
    AgentStatus,
    ApprovalDecided,
    ApprovalDefault,
    ApprovalRequested,
    Budget,
    Event,
    FunctionDriver,
    ManifestError,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    ToolRegistry,
    ToolResult,
    needs_approval,
    tool,
)
from actors.agent.terms.manifest import ApprovalRules
from actors.core.scheduling.approval import Approvals, Decision
from actors.core.supervision import tool_threads as branch
from actors.core.waiting.waiter import Waiter

from ..waiting import BOUND, Gate, eventually
from .doubles import Probe, asks, results_of

RULES = {"tools": ["note"]}


def driver(*calls: tuple[str, Mapping[str, Any]]) -> ScriptedDriver:
    return ScriptedDriver([asks(*(calls or (("note", {"text": "hi"}),))), "done"])


def config(**rules: Any) -> SpawnConfig:
    return SpawnConfig(AgentManifest(name="writer", approval={**RULES, **rules}), "Write.")


def asked(handle: Any, count: int = 1) -> list[str]:
    """Wait until the agent asks for approval; the ids of its questions."""
    eventually(lambda: len(handle.approvals) == count)
    return [pending.call_id for pending in handle.approvals]


# What is asked, and what the answers do --------------------------------------------------------------------------


def test_an_approved_call_is_made() -> None:
    """The agent parks until then."""
    probe = Probe()
    with AgentPool(driver(), tools=ToolRegistry([probe])) as pool:
        handle = pool.spawn(config())
        (call_id,) = asked(handle)
        eventually(lambda: handle.status is AgentStatus.PARKED)
        assert "approval of note (c1)" in str(pool.dump())
        assert (handle.approvals[0].tool, handle.approvals[0].input) == ("note", {"text": "hi"})
        assert probe.calls == []
        assert handle.approve(call_id)
        assert handle.outcome(BOUND).ok
        assert probe.calls == [{"text": "hi"}]
        assert not handle.approve(call_id)
        assert not handle.deny(call_id)
        assert handle.approvals == ()


def test_a_denied_call_is_not_made() -> None:
    """The model is told why, and goes on."""
    probe = Probe()
    with AgentPool(driver(), tools=ToolRegistry([probe]), budget=Budget(max_tool_calls=1)) as pool:
        handle = pool.spawn(config())
        assert handle.deny(asked(handle)[0], "not today")
        outcome = handle.outcome(BOUND)
    assert [(result.content, result.is_error) for result in results_of(outcome)] == [
        ("note was not called: it was denied: not today", True)
    ]
    assert probe.calls == []


@pytest.mark.parametrize(("default", "made"), [("deny", 0), ("approve", 1)])
def test_when_nobody_answers_the_default_holds(default: str, made: int) -> None:
    """After the timeout; an answer that comes later is told so."""
    probe = Probe()
    with AgentPool(driver(), tools=ToolRegistry([probe])) as pool:
        handle = pool.spawn(config(timeout=0.05, default=default))
        outcome = handle.outcome(BOUND)
        assert not handle.approve("c1")
    (result,) = results_of(outcome)
    assert len(probe.calls) == made
    assert result.content == ("done" if made else "note was not called: nobody approved it within 0.05 s")


def test_a_wrapper_asks_for_one_tool_everywhere() -> None:
    """Without a word in the manifest; for the rest it is the tool."""
    probe = Probe()
    wrapped = needs_approval(probe, timeout=0)
    assert (wrapped.name, wrapped.timeout, wrapped.definition) == (probe.name, probe.timeout, probe.definition)
    with AgentPool(driver(), tools=ToolRegistry([wrapped])) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(name="x"), "Write.")).outcome(BOUND)
    assert "nobody approved it" in results_of(outcome)[0].content
    assert probe.calls == []


def test_the_stricter_rule_holds() -> None:
    """Of wrapper and manifest, in each respect."""
    probe = Probe()
    wrapped = needs_approval(needs_approval(probe, timeout=60, default="approve"), default=ApprovalDefault.APPROVE)
    with AgentPool(driver(), tools=ToolRegistry([wrapped])) as pool:
        outcome = pool.spawn(config(timeout=0, default="deny")).outcome(BOUND)
    assert "within 0 s" in results_of(outcome)[0].content
    assert probe.calls == []


def test_a_pattern_names_many_tools() -> None:
    """And leaves the others alone."""
    one, other = Probe(name="git-log"), Probe(name="read")
    calls = driver(("git-log", {}), ("read", {}))
    with AgentPool(calls, tools=ToolRegistry([one, other])) as pool:
        outcome = pool.spawn(config(tools=["git*"], timeout=0)).outcome(BOUND)
    assert [result.is_error for result in results_of(outcome)] == [True, False]
    assert (len(one.calls), len(other.calls)) == (0, 1)


def test_calls_of_one_answer_are_asked_for_at_the_same_time() -> None:
    """Each is decided by itself, in any order; the results stand in the order asked."""
    probe = Probe(lambda given, cancel, agent: given["n"])
    calls = driver(*(("note", {"n": str(number)}) for number in range(3)))
    with AgentPool(calls, tools=ToolRegistry([probe])) as pool:
        handle = pool.spawn(config())
        first, second, third = asked(handle, 3)
        assert handle.approve(third)
        assert handle.deny(second)
        assert handle.status is not AgentStatus.COMPLETED
        assert handle.approve(first)
        outcome = handle.outcome(BOUND)
    assert [result.content for result in results_of(outcome)] == ["0", "note was not called: it was denied", "2"]


def test_an_answer_never_meets_another_call_of_the_same_id() -> None:
    """A model may use an id again, at once or later: what is asked for has a name of its own."""
    probe = Probe()
    same = asks(("note", {"n": 1}), ("note", {"n": 2}))
    twice = type(same)(
        "", same.stop_reason, tuple(type(call)("same", call.name, call.input) for call in same.tool_calls), same.usage
    )
    third = type(same)("", same.stop_reason, (type(same.tool_calls[0])("same", "note", {"n": 3}),), same.usage)
    with AgentPool(ScriptedDriver([twice, third, "done"]), tools=ToolRegistry([probe])) as pool:
        handle = pool.spawn(config())
        assert asked(handle, 2) == ["same", "same#2"]
        assert handle.deny("same")
        assert handle.approve("same#2")
        eventually(lambda: [pending.call_id for pending in handle.approvals] == ["same#3"])
        assert not handle.approve("same")
        assert not handle.approve("same#2")
        assert handle.deny("same#3")
        handle.outcome(BOUND)
    assert probe.calls == [{"n": 2}]


def test_nobody_is_asked_about_a_call_that_would_fail() -> None:
    """Arguments that do not fit, a tool without its capability, one that is unknown."""

    @tool
    def note(text: str) -> str:
        """Note."""
        return text

    calls = driver(("note", {"txt": "hi"}), ("none", {}))
    with AgentPool(calls, tools=ToolRegistry([needs_approval(note)])) as pool:
        outcome = pool.spawn(config(tools=["*"])).outcome(BOUND)
    bad, unknown = results_of(outcome)
    assert "invalid arguments" in bad.content
    assert "unknown tool" in unknown.content


# Who is told -----------------------------------------------------------------------------------------------------


def test_events_tell_of_it() -> None:
    """A request with all that is needed to answer, from the sink itself; then the decision."""
    events: list[Event] = []

    def sink(event: Event) -> None:
        events.append(event)
        if isinstance(event, ApprovalRequested):
            assert pool.deny(event.agent_id, event.call_id, "no")

    with AgentPool(driver(), tools=ToolRegistry([Probe()]), on_event=sink) as pool:
        handle = pool.spawn(config(timeout=60))
        handle.outcome(BOUND)
    told = [event for event in events if isinstance(event, ApprovalRequested | ApprovalDecided)]
    assert [event.model_dump(exclude={"seq", "at", "moment", "depth", "parent_id"}) for event in told] == [
        {
            "agent_id": 1, "agent": "writer", "tag": None, "call_id": "c1", "tool": "note", "input": {"text": "hi"},
            "timeout": 60.0, "default": "deny", "in_doubt": False,
        },
        {
            "agent_id": 1, "agent": "writer", "tag": None, "call_id": "c1", "tool": "note", "approved": False,
            "reason": "no", "by_default": False,
        },
    ]  # fmt: skip
    assert not pool.approve(1, "c1")


def test_a_child_needs_leave_for_what_its_parent_needs_it_for() -> None:
    """Its own rules may add to that; the program answers by the pool, as it has no handle."""
    parent = ApprovalRules(tools=("write",), timeout=5, default=ApprovalDefault.DENY)
    assert ApprovalRules().narrowed(parent) == parent
    own = ApprovalRules(tools=("read",), timeout=10, default=ApprovalDefault.APPROVE)
    assert own.narrowed(parent) == ApprovalRules(tools=("read", "write"), timeout=5, default=ApprovalDefault.DENY)
    assert own.narrowed(ApprovalRules()) == own
    manifest = AgentManifest(approval=parent)
    assert AgentManifest(capabilities=(Spawn(max_depth=1),)).narrowed(manifest).approval == parent


# Slots, cancels, races -------------------------------------------------------------------------------------------


def test_a_hundred_that_wait_hold_no_slot() -> None:
    """At a limit of two, another agent runs beside them; answers come in any order, and some are cancelled."""
    probe = Probe()

    def answer(request: Any) -> Any:
        results = [message for message in request.messages if hasattr(message, "tool_call_id")]
        return results[-1].content if results else asks(("note", {}))

    with AgentPool(FunctionDriver(answer), 2, max_queued=None, max_live=500, tools=ToolRegistry([probe])) as pool:
        handles = [pool.spawn(config()) for _ in range(80)]
        handles += [pool.spawn(config(timeout=0.2, default="approve")) for _ in range(20)]
        eventually(lambda: all(handle.approvals or handle.done() for handle in handles))
        eventually(lambda: pool.stats().parked == pool.active_count)
        assert pool.submit(lambda: "runs").result(BOUND) == "runs"
        todo = handles[:80]
        random.Random(7).shuffle(todo)
        for number, handle in enumerate(todo):
            call_id = handle.approvals[0].call_id
            if number % 3 == 0:
                assert handle.approve(call_id)
            elif number % 3 == 1:
                assert handle.deny(call_id)
            else:
                assert handle.cancel("enough")
                eventually(lambda handle=handle: not handle.approvals)  # type: ignore[misc]
                assert not handle.approve(call_id)
        outcomes = pool.join_all(BOUND)
    statuses = [outcome.status for outcome in outcomes.values()]
    assert statuses.count(AgentStatus.CANCELLED) == 26
    assert statuses.count(AgentStatus.COMPLETED) == 74
    assert len(probe.calls) == 27 + 20


def test_a_cancel_withdraws_the_question() -> None:
    """No call is made, and an answer comes too late."""
    probe = Probe()
    events: list[Event] = []
    with AgentPool(driver(), tools=ToolRegistry([probe]), on_event=events.append) as pool:
        handle = pool.spawn(config())
        (call_id,) = asked(handle)
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
        assert not handle.approve(call_id)
        assert handle.approvals == ()
    assert probe.calls == []
    assert isinstance(events[-1], AgentEnded)


def test_a_deadline_of_the_agent_ends_the_wait() -> None:
    """The time of an agent goes on while it waits for approval."""
    with AgentPool(driver(), tools=ToolRegistry([Probe()])) as pool:
        outcome = pool.spawn(config().model_copy(update={"timeout": 0.05})).outcome(BOUND)
    assert outcome.status is AgentStatus.TIMED_OUT


def test_the_time_of_the_tool_begins_with_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with the question: a person may take an hour."""

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(branch, "SYSTEM_CLOCK", clock)
    probe = Probe(lambda given, cancel, agent: "in time", timeout=60)
    with AgentPool(driver(), tools=ToolRegistry([probe])) as pool:
        handle = pool.spawn(config())
        (call_id,) = asked(handle)
        clock.now = 3600.0
        assert handle.approve(call_id)
        (result,) = results_of(handle.outcome(BOUND))
    assert result.content == "in time"


def test_an_approval_that_meets_a_cancel() -> None:
    """Approved first: the call may be made or not, never after the cancel was seen. Cancelled first: never made."""
    for first in ("approve", "cancel"):
        probe = Probe()
        with AgentPool(driver(), tools=ToolRegistry([probe])) as pool:
            handle = pool.spawn(config())
            (call_id,) = asked(handle)
            if first == "approve":
                assert handle.approve(call_id)
                handle.cancel("enough")
                assert handle.outcome(BOUND).status in (AgentStatus.CANCELLED, AgentStatus.COMPLETED)
            else:
                handle.cancel("enough")
                handle.approve(call_id)
                assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
                assert probe.calls == []


def test_of_many_answers_one_counts() -> None:
    """Approvals and denials from many threads at once: exactly one is told that it counted, and what it said holds."""
    for round_ in range(200):
        approvals = Approvals()
        question = approvals.ask("c", "note", {}, None, Decision(approved=False, by_default=True))
        start = threading.Barrier(4)
        told: list[tuple[bool, bool]] = []

        def answer(approved: bool, approvals: Approvals = approvals, start: threading.Barrier = start) -> None:
            start.wait(BOUND)
            told.append((approved, approvals.decide("c", Decision(approved))))  # noqa: B023 - joined below

        threads = [threading.Thread(target=answer, args=(number % 2 == round_ % 2,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        approvals.wait([question])
        assert question.decision is not None
        assert [approved for approved, counted in told if counted] == [question.decision.approved]


@pytest.mark.parametrize("winner", ["answer", "time"])
def test_an_answer_at_the_last_moment(winner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts, or the time does; its giver is told which."""
    approvals = Approvals()
    question = approvals.ask("c", "note", {}, 0.02, Decision(approved=False, by_default=True))
    if winner == "answer":
        assert approvals.decide("c", Decision(approved=True))
        approvals.wait([question])
    else:
        real = Waiter.wait

        def late(self: Waiter, timeout: float | None = None, *, looks_up: bool = False, must: bool = True) -> bool:
            woken = real(self, timeout)
            assert not approvals.decide("c", Decision(approved=True))  # after the time, before the agent looks
            return woken

        monkeypatch.setattr(Waiter, "wait", late)
        approvals.wait([question])
    assert question.decision == Decision(approved=winner == "answer", by_default=winner == "time")


def test_an_answer_is_there_before_the_wait() -> None:
    """A sink may be quicker than the agent."""
    approvals = Approvals()
    questions = [approvals.ask(name, "note", {}, None, Decision(approved=False)) for name in "ab"]
    assert approvals.decide("a", Decision(approved=True))
    assert approvals.decide("b", Decision(approved=True))
    approvals.wait(questions)
    assert all(question.decision == Decision(approved=True) for question in questions)


def test_some_run_out_of_time_while_others_wait() -> None:
    """One question has a bound, the other has none."""
    bounded, unbounded = Probe(name="a"), Probe(name="b")
    tools = ToolRegistry([needs_approval(bounded, timeout=0.05), needs_approval(unbounded)])
    with AgentPool(driver(("a", {}), ("b", {})), tools=tools) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(name="x"), "q"))
        asked(handle, 2)
        eventually(lambda: [pending.tool for pending in handle.approvals] == ["b"])
        assert not handle.approve("c1")
        assert handle.approve("c2")
        handle.outcome(BOUND)
    assert (len(bounded.calls), len(unbounded.calls)) == (0, 1)


# Bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"tool": ["x"]}, "approval.tool: unknown key"),
        ({"tools": "x"}, "approval.tools"),
        ({"tools": [""]}, "approval.tools.0"),
        ({"tools": ["x"], "timeout": -1}, "approval.timeout"),
        ({"tools": ["x"], "default": "maybe"}, "approval.default"),
    ],
)
def test_bad_rules_are_problems_of_the_manifest(rules: dict[str, Any], problem: str) -> None:
    """With their place."""
    with pytest.raises(ManifestError) as info:
        AgentManifest(approval=rules)
    assert any(found.startswith(problem) for found in info.value.problems)


def test_a_bad_wrapper_is_refused() -> None:
    """No tool, no time, no default."""
    makes: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: needs_approval(len), TypeError, "not a tool"),  # type: ignore[arg-type]
        (lambda: needs_approval(Probe(), timeout=-1), ValueError, "at least 0"),
        (lambda: needs_approval(Probe(), default="maybe"), ValueError, "maybe"),
    ]
    for make, error, text in makes:
        with pytest.raises(error, match=text):
            make()


def test_a_tool_without_a_check_is_asked_for_as_it_is() -> None:
    """Of a tool of one's own, nobody knows beforehand what it takes."""

    class Own:
        name, timeout, required_capability = "note", None, None
        definition = Probe().definition

        def execute(self, input: Mapping[str, Any], *, cancel: Any, agent: Any) -> ToolResult:  # noqa: A002
            return ToolResult("made")

    with AgentPool(driver(), tools=ToolRegistry([Own()])) as pool:
        handle = pool.spawn(config())
        assert handle.approve(asked(handle)[0])
        assert results_of(handle.outcome(BOUND))[0].content == "made"


def test_a_gate_is_not_needed_for_what_needs_no_leave() -> None:
    """Tools beside the pattern run at once, also while another agent waits."""
    gate = Gate()
    slow = Probe(lambda given, cancel, agent: gate.hold() or "ok", name="free")
    with AgentPool(driver(("free", {})), tools=ToolRegistry([slow])) as pool:
        handle = pool.spawn(config())
        gate.await_reached()
        assert handle.approvals == ()
        gate.open()
        assert handle.outcome(BOUND).ok


def test_an_interrupted_answer_can_be_given_again() -> None:
    """A Ctrl-C between the decision and the wake: whoever answers next wakes the agent, and is told who won."""
    approvals = Approvals()
    question = approvals.ask("c", "note", {}, None, Decision(approved=False))
    assert question.decide(Decision(approved=True))  # and no further
    waiting = threading.Thread(target=approvals.wait, args=([approvals.ask("d", "note", {}, None, Decision(False))],))
    waiting.start()
    assert not approvals.decide("c", Decision(approved=False))
    assert approvals.decide("d", Decision(approved=True))
    waiting.join(BOUND)
    assert not waiting.is_alive()
    assert question.decision == Decision(approved=True)


def test_what_is_shown_is_a_copy() -> None:
    """Whoever changes it changes no call."""
    probe = Probe()
    with AgentPool(driver(("note", {"list": [1]})), tools=ToolRegistry([probe])) as pool:
        handle = pool.spawn(config())
        (call_id,) = asked(handle)
        handle.approvals[0].input["list"].append(2)
        assert handle.approve(call_id)
        handle.outcome(BOUND)
    assert probe.calls == [{"list": [1]}]


def test_a_check_that_fails_is_an_error_for_the_model() -> None:
    """Nobody is asked about it."""

    class Odd(Probe):
        def check(self, input: Mapping[str, Any]) -> Any:  # noqa: A002
            raise ValueError("mine")

    with AgentPool(driver(), tools=ToolRegistry([Odd()])) as pool:
        (result,) = results_of(pool.spawn(config()).outcome(BOUND))
    assert result.content == "note failed: ValueError: mine"


def test_an_approval_that_is_no_rule_is_named() -> None:
    """It would be taken for one, or for none."""
    probe = Probe()
    probe.approval = True  # type: ignore[attr-defined]
    with AgentPool(driver(), tools=ToolRegistry([probe])) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    assert "approval of the tool note must be an ApprovalRule" in str(outcome.error)
    assert probe.calls == []
