"""ToolThreads: an agent's tool calls on threads of their own."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import pytest

from actors import Agent, AgentManifest, ScriptedDriver, Spawn, SpawnConfig, ToolRegistry, tool
from actors.core.records.event import AgentParked, AgentResumed
from actors.core.scheduling.tool_thread import LATE
from actors.core.waiting.wait_graph import current, wait_for
from actors.core.waiting.waiter import Waiter
from actors.errors import Cancelled, DeadlockError
from actors.ports import CompletionResponse, StopReason, ToolCall


def with_tools(supervisor: Any, start: Any, jobs: Any, **fields: Any) -> Any:
    """An agent that runs *jobs* (with their timeouts) and returns its tool threads."""
    return start(supervisor, lambda cell: supervisor.tool_threads.run(cell, jobs), **fields)


def test_jobs_run_at_the_same_time_and_answer_in_order(supervise: Any, start: Any) -> None:
    """Each on a thread that is not the agent's; the results stand in the order asked."""
    supervisor = supervise(max_concurrent=1)
    together = threading.Barrier(3)

    def job(n: int) -> Any:
        def run(_: Any) -> Any:
            together.wait(10)
            return n, threading.get_ident()

        return run

    def agent(cell: Any) -> Any:
        tool_threads = supervisor.tool_threads.run(cell, [(job(n), None) for n in range(3)])
        return threading.get_ident(), tool_threads

    mine, tool_threads = start(supervisor, agent).result(10)
    assert [tool_thread.result[0] for tool_thread in tool_threads] == [0, 1, 2]
    threads = {tool_thread.result[1] for tool_thread in tool_threads}
    assert len(threads) == 3
    assert mine not in threads
    assert all(
        tool_thread.done and not tool_thread.abandoned and tool_thread.error is None for tool_thread in tool_threads
    )


def test_no_jobs_are_no_wait(supervise: Any, start: Any) -> None:
    """An empty list is answered at once."""
    supervisor = supervise()
    assert with_tools(supervisor, start, []).result(10) == []


def test_a_failing_job_is_told_to_the_agent(supervise: Any, start: Any) -> None:
    """Whatever it raises; the others run on."""
    supervisor = supervise()

    def fail(_: Any) -> None:
        raise SystemExit("tool")

    failed, fine = with_tools(supervisor, start, [(fail, None), (lambda _: 1, None)]).result(10)
    assert isinstance(failed.error, SystemExit)
    assert failed.result is LATE
    assert fine.result == 1


def test_a_branch_has_its_agents_identity_and_context(supervise: Any, start: Any, log_lines: list[str]) -> None:
    """Context variables are copied in, waits are the agent's, log lines carry its id."""
    from loguru import logger

    supervisor = supervise()
    var: ContextVar[str] = ContextVar("var", default="unset")
    seen: list[Any] = []

    def job(_: Any) -> None:
        logger.patch(lambda record: record.update(name="actors.tool")).info("from a tool")
        me: Any = current()
        seen.append((var.get(), me.label, me.cell.id, me.is_here(), me.is_below(me.cell)))

    def agent(cell: Any) -> None:
        var.set("mine")
        supervisor.tool_threads.run(cell, [(job, None)])

    start(supervisor, agent, name="me").result(10)
    assert seen == [("mine", "agent 1 (me)", 1, True, True)]
    assert any("from a tool" in line and "'agent_id': 1" in line for line in log_lines)


# Time -----------------------------------------------------------------------------------------------------------


def test_a_late_branch_does_not_hold_its_agent(supervise: Any, start: Any, gate: Any, eventually: Any) -> None:
    """Past its time it is abandoned: its token is cancelled, its thread counted until it ends."""
    supervisor = supervise()
    tokens: list[Any] = []

    def stuck(token: Any) -> str:
        tokens.append(token)
        gate.hold()
        return "late"

    late, fine = with_tools(supervisor, start, [(stuck, 0.01), (lambda _: "in time", 10.0)]).result(10)
    assert (late.abandoned, late.result, late.error) == (True, LATE, None)
    assert (fine.abandoned, fine.result) == (False, "in time")
    assert tokens[0].cancelled
    assert tokens[0].timed_out
    assert supervisor.figures().abandoned_threads == 1
    gate.open()
    eventually(lambda: supervisor.figures().abandoned_threads == 0)


def test_each_branch_has_its_own_time(supervise: Any, start: Any, gate: Any) -> None:
    """The nearest end comes first; the others are waited for."""
    supervisor = supervise()
    jobs = [(lambda _: gate.hold(), 0.01), (lambda token: token.wait(0.03), 5.0), (lambda _: 3, None)]
    first, second, third = with_tools(supervisor, start, jobs).result(10)
    assert first.abandoned
    assert (second.abandoned, second.result) == (False, False)
    assert third.result == 3
    gate.open()


def test_a_late_branch_that_looks_at_its_token_ends(supervise: Any, start: Any, eventually: Any) -> None:
    """A tool that waits on its token is woken by its timeout."""
    supervisor = supervise()
    ended: list[bool] = []
    (late,) = with_tools(supervisor, start, [(lambda token: ended.append(token.wait(10)), 0.01)]).result(10)
    assert late.abandoned
    eventually(lambda: ended == [True])
    eventually(lambda: supervisor.figures().abandoned_threads == 0)


# Cancel ---------------------------------------------------------------------------------------------------------


def test_a_cancel_of_the_agent_reaches_its_branches(supervise: Any, start: Any, gate: Any) -> None:
    """Their token is cancelled with the reason; the agent unwinds without them."""
    supervisor = supervise()
    seen: list[Any] = []
    begun = threading.Event()
    ended = threading.Event()

    def job(token: Any) -> None:
        begun.set()
        token.wait(10)
        seen.append(token.reason)
        ended.set()

    handle = with_tools(supervisor, start, [(job, None)])
    assert begun.wait(10)
    handle.cancel("enough")
    assert handle.outcome(10).status == "cancelled"
    assert ended.wait(10)
    assert seen == ["enough"]


def test_a_cancelled_agent_leaves_a_stuck_branch_behind(supervise: Any, start: Any, gate: Any, eventually: Any) -> None:
    """It does not wait for it; the thread is counted."""
    supervisor = supervise()
    handle = with_tools(supervisor, start, [(lambda _: gate.hold(), None)])
    gate.await_reached()
    handle.cancel("enough")
    assert handle.outcome(10).status == "cancelled"
    assert supervisor.figures().abandoned_threads == 1
    gate.open()
    eventually(lambda: supervisor.figures().abandoned_threads == 0)


def test_after_a_cancel_no_branch_starts(supervise: Any, start: Any, gate: Any) -> None:
    """Not even the first."""
    supervisor = supervise()
    ran: list[str] = []

    def agent(cell: Any) -> None:
        gate.hold()
        supervisor.tool_threads.run(cell, [(lambda _: ran.append("ran"), None)])

    handle = start(supervisor, agent)
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    assert handle.outcome(10).status == "cancelled"
    assert ran == []


def test_a_branch_whose_thread_starts_after_the_cancel_does_nothing(
    supervise: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled between the start of its thread and its first line: the tool is not called."""
    supervisor = supervise()
    ran: list[str] = []
    real = supervisor.pool.crew.start

    def late(job: Any) -> None:
        handle.cancel("in between")
        real(job)

    ready = threading.Event()

    def agent(cell: Any) -> None:
        assert ready.wait(10)
        monkeypatch.setattr(supervisor.pool.crew, "start", late)
        supervisor.tool_threads.run(cell, [(lambda _: ran.append("ran"), None)])

    handle = start(supervisor, agent)
    ready.set()
    assert handle.outcome(10).status == "cancelled"
    assert ran == []


def test_no_thread_for_a_branch(supervise: Any, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is told by the tool thread's error, and goes on."""
    supervisor = supervise(max_concurrent=1)

    def refuse(job: Any) -> None:
        raise RuntimeError("can't start new thread")

    def agent(cell: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(supervisor.pool.crew, "start", refuse)
            tool_threads = supervisor.tool_threads.run(cell, [(lambda _: 1, None), (lambda _: 2, None)])
        return [str(tool_thread.error) for tool_thread in tool_threads], cell.has_slot

    assert start(supervisor, agent).result(10) == (["can't start new thread"] * 2, True)


# Slots ----------------------------------------------------------------------------------------------------------


def test_a_tool_that_parks_lays_its_agents_slot_out(supervise: Any, start: Any) -> None:
    """While all its tool threads wait, the agent needs no slot: with one slot another agent runs meanwhile."""
    supervisor = supervise(max_concurrent=1)
    waiter = Waiter()

    def tool(_: Any) -> bool:
        return wait_for(waiter, 10, "tea")

    one = with_tools(supervisor, start, [(tool, None), (tool_child(waiter), None)])
    two = start(supervisor, lambda _: (waiter.wake(), "ran")[1])
    assert two.result(10) == "ran"
    assert one.result(10)[0].result is True
    assert supervisor.pool.slots.held == 0


def tool_child(waiter: Waiter) -> Any:
    """A tool that ends at once."""
    return lambda _: None


def test_the_slot_is_kept_while_one_branch_works(supervise: Any, start: Any, gate: Any, eventually: Any) -> None:
    """One waits, one works: the queue gets nothing until the working one ends."""
    supervisor = supervise(max_concurrent=1)
    waiter = Waiter()
    one = with_tools(supervisor, start, [(lambda _: wait_for(waiter, 10, "tea"), None), (lambda _: gate.hold(), None)])
    gate.await_reached()
    eventually(lambda: one._cell.works())
    two = start(supervisor, lambda _: waiter.wake())
    assert two.status == "queued"
    assert one.status == "running"
    gate.open()
    two.result(10)
    one.result(10)


def test_a_parked_tool_is_seen_from_outside(supervise: Any, start: Any, eventually: Any) -> None:
    """The agent is parked on what its tools wait for; a wake makes it run again."""
    supervisor = supervise()
    waiter = Waiter()
    one = with_tools(supervisor, start, [(lambda _: wait_for(waiter, 10, "tea"), None)])
    eventually(lambda: one.status == "parked")
    assert one._cell.parked_on == "tea"
    assert supervisor.figures().parked == 1
    waiter.wake()
    one.result(10)


def test_a_tool_that_wakes_waits_for_its_agents_slot(supervise: Any, start: Any, gates: Any, eventually: Any) -> None:
    """Its slot was taken meanwhile: it goes on when the thief ends, with the slot."""
    supervisor = supervise(max_concurrent=1)
    waiter = Waiter()
    thief = gates()
    order: list[str] = []

    def tool(_: Any) -> None:
        wait_for(waiter, 10, "tea")
        order.append("tool")

    one = with_tools(supervisor, start, [(tool, None)])
    eventually(lambda: one.status == "parked")
    two = start(supervisor, lambda _: (thief.hold(), order.append("thief")))
    thief.await_reached()
    waiter.wake()
    eventually(lambda: one._cell in supervisor.pool.slots.woken)
    thief.open()
    two.result(10)
    one.result(10)
    assert order == ["thief", "tool"]


def test_a_parked_branch_that_runs_late_is_abandoned_once(supervise: Any, start: Any, eventually: Any) -> None:
    """Its wait ends by its own token; its agent has long gone on, with its slot."""
    supervisor = supervise(max_concurrent=1)
    errors: list[BaseException] = []

    def tool(_: Any) -> None:
        try:
            wait_for(Waiter(), 10, "tea")
        except Cancelled as error:
            errors.append(error)
            raise

    (late,) = with_tools(supervisor, start, [(tool, 0.05)]).result(10)
    assert late.abandoned
    eventually(lambda: supervisor.figures().abandoned_threads == 0)
    assert [error.timed_out for error in errors] == [True]
    assert supervisor.pool.slots.held == 0
    assert start(supervisor, lambda _: "free").result(10) == "free"


def test_a_branch_that_parks_after_it_was_abandoned_changes_nothing(
    supervise: Any, start: Any, gates: Any, eventually: Any
) -> None:
    """What it does with its agent's slot counts no more, neither going in nor coming out."""
    supervisor = supervise(max_concurrent=1)
    stuck, running = gates(), gates()
    tool_threads: list[Any] = []

    def tool(_: Any) -> None:
        me = current()
        tool_threads.append(me)
        stuck.hold()
        supervisor.parking.tool_lot.park(me, "too late")
        supervisor.parking.tool_lot.unpark(me)

    def agent(cell: Any) -> None:
        supervisor.tool_threads.run(cell, [(tool, 0.01)])
        running.hold()

    handle = start(supervisor, agent)
    running.await_reached()
    stuck.open()
    eventually(lambda: supervisor.figures().abandoned_threads == 0)
    assert (supervisor.pool.slots.held, handle._cell.state, supervisor.pool.slots.idle) == (1, "running", {})
    running.open()
    handle.result(10)


def test_an_agent_whose_tools_all_wait_is_told_to_be_parked(supervise: Any, start: Any, eventually: Any) -> None:
    """Once, on what the first of them waits for; that it goes on is told when it has its slot again."""
    events: list[Any] = []
    supervisor = supervise(sink=events.append)
    first, second = Waiter(), Waiter()
    jobs = [(lambda _: wait_for(first, 10, "tea"), None), (lambda _: wait_for(second, 10, "milk"), None)]
    one = with_tools(supervisor, start, jobs)
    eventually(lambda: one.status == "parked")
    first.wake()
    eventually(lambda: any(isinstance(event, AgentResumed) for event in events))
    second.wake()
    one.result(10)
    supervisor.shutdown.close()
    told = [event for event in events if isinstance(event, AgentParked | AgentResumed)]
    assert [type(event) for event in told] == [AgentParked, AgentResumed] * (len(told) // 2)
    assert {event.on for event in told if isinstance(event, AgentParked)} <= {"tea", "milk"}
    assert told[0].moment <= told[1].moment


def test_an_agent_that_leaves_parked_tools_behind_goes_on(supervise: Any, start: Any) -> None:
    """It was told to be parked; when it no longer waits for them it is told to go on."""
    events: list[Any] = []
    supervisor = supervise(sink=events.append)
    (late,) = with_tools(supervisor, start, [(lambda _: wait_for(Waiter(), 10, "tea"), 0.05)]).result(10)
    assert late.abandoned
    supervisor.shutdown.close()
    assert [type(event).__name__ for event in events] == ["AgentStarted", "AgentParked", "AgentResumed", "AgentEnded"]


def test_parking_twice_is_once(supervise: Any, start: Any) -> None:
    """Nested waits of one tool thread count one."""
    supervisor = supervise(max_concurrent=1)
    seen: list[int] = []

    def tool(_: Any) -> None:
        me: Any = current()
        for step in (supervisor.parking.tool_lot.park, supervisor.parking.tool_lot.park):
            step(me, "tea")
            seen.append(me.cell.works())
        for _ in range(2):
            supervisor.parking.tool_lot.unpark(me)
            seen.append(me.cell.works())

    with_tools(supervisor, start, [(tool, None)]).result(10)
    assert seen == [False, False, False, True]


def test_a_tool_that_asks_for_its_own_agent_is_refused(supervise: Any, start: Any) -> None:
    """Waiting for the agent that waits for the tool: DeadlockError in the tool, the wait is not noted."""
    supervisor = supervise()
    mine: list[Any] = []
    ready = threading.Event()

    def tool(_: Any) -> None:
        assert ready.wait(10)
        mine[0].outcome(10)

    handle = with_tools(supervisor, start, [(tool, None)])
    mine.append(handle)
    ready.set()
    (tool_thread,) = handle.result(10)
    assert isinstance(tool_thread.error, DeadlockError)
    assert handle._cell.waits == []


def test_a_tool_may_wait_for_a_child(supervise: Any, start: Any) -> None:
    """With one slot: the child runs in the slot that the waiting tool laid out."""
    supervisor = supervise(max_concurrent=1)

    def tool(_: Any) -> Any:
        me: Any = current()
        return start(supervisor, lambda _: "child", parent=me.cell).result(10)

    (tool_thread,) = with_tools(supervisor, start, [(tool, None)]).result(10)
    assert tool_thread.result == "child"


def test_many_branches_that_park_and_wake_keep_the_books(supervise: Any, start: Any) -> None:
    """Whatever the order, in the end every slot is back and nobody waits."""
    supervisor = supervise(max_concurrent=2)

    def tool(_: Any) -> None:
        me: Any = current()
        for _ in range(10):
            supervisor.parking.tool_lot.park(me, "tea")
            supervisor.parking.tool_lot.unpark(me)

    handles = [with_tools(supervisor, start, [(tool, None)] * 3) for _ in range(6)]
    for handle in handles:
        assert [tool_thread.error for tool_thread in handle.result(20)] == [None] * 3
    assert (supervisor.pool.slots.held, supervisor.pool.slots.idle, supervisor.pool.slots.woken) == (0, {}, {})


def test_a_slot_does_not_stay_with_an_agent_whose_tools_all_wait(make_pool: Any, gate: Any) -> None:
    """One of them was left, past its time, while it waited; the other waits for children that need the slot."""
    begun = threading.Event()

    class Child(Agent[Any]):
        def run(self, query: Any) -> Any:
            if query == 1:
                begun.set()
                gate.hold()
            return query

    @tool(timeout=0.05)
    def listens(*, agent: Agent[Any]) -> str:
        """Listen."""
        try:
            return str(agent.receive(10))
        finally:
            gate.open()

    @tool(timeout=None)
    def asks(*, agent: Agent[Any]) -> str:
        """Ask two, one after the other."""
        manifest = AgentManifest(name="child")
        first, second = [agent.spawn(SpawnConfig(manifest, number, agent=Child)) for number in (1, 2)]
        return str(second.result(10) + first.result(10))

    calls = (ToolCall("1", "listens", {}), ToolCall("2", "asks", {}))
    driver = ScriptedDriver([CompletionResponse("", StopReason.TOOL_USE, calls), "done"])
    pool = make_pool(driver, max_concurrent=1, max_queued=None, tools=ToolRegistry([listens, asks]))
    manifest = AgentManifest(name="top", capabilities=(Spawn(max_depth=2),))
    assert pool.spawn(SpawnConfig(manifest, "go")).result(10).text == "done"
    assert begun.is_set()


def test_a_branch_sees_the_cancel_of_its_agent_at_once(supervise: Any, start: Any) -> None:
    """Agents are marked at once, their branches with their wave: what was stopped meanwhile is no result for them."""
    supervisor = supervise()
    seen: list[Any] = []

    def agent(cell: Any) -> Any:
        def job(token: Any) -> None:
            cell.token.mark("stop")
            member: Any = current()
            seen.append(token.cancelled)
            with pytest.raises(Cancelled, match="stop"):
                member.check()
            seen.append("stopped")

        return supervisor.tool_threads.run(cell, [(job, None)])

    assert start(supervisor, agent).outcome(10).status == "cancelled"
    assert seen == [False, "stopped"]
