"""Why is it stuck?"""

from __future__ import annotations

from typing import Any

from actors.core.records.message import AgentMessage
from actors.core.supervision.dump_look import look_at_pool
from actors.core.waiting.wait_graph import wait_for
from actors.core.waiting.waiter import Waiter


def stuck_here(gate: Any) -> None:
    gate.hold()


def test_it_shows_each_agent_and_the_line_where_it_stands(supervise: Any, start: Any, gate: Any) -> None:
    """State, since when, unread messages, and the stack of its thread; queued ones have none."""
    supervisor = supervise(max_concurrent=1)
    start(supervisor, lambda _: stuck_here(gate), name="runner")
    gate.await_reached()
    start(supervisor, name="waiter")
    supervisor.pool.router.send(AgentMessage(0, 2, "unread"))
    picture = look_at_pool(supervisor)
    assert (picture.name, picture.max_concurrent, len(picture.agents)) == ("team", 1, 2)
    runner, waiter = picture.agents
    assert (runner.id, runner.name, runner.state, runner.on, runner.inbox_depth) == (1, "runner", "running", None, 0)
    assert runner.seconds >= 0
    assert "stuck_here" in runner.stack
    assert (waiter.state, waiter.inbox_depth, waiter.stack, waiter.parent_id) == ("queued", 1, "", None)
    text = str(picture)
    assert "pool team: 2 agents, 1 slots" in text
    assert "agent 1 (runner): running" in text
    assert "1 unread" in text
    gate.open()


def test_it_shows_who_waits_for_whom(supervise: Any, start: Any, gate: Any, eventually: Any) -> None:
    """And on what; a child names its parent."""
    supervisor = supervise()

    def parent(cell: Any) -> None:
        start(supervisor, lambda _: gate.hold(), parent=cell, name="child").result(10)

    handle = start(supervisor, parent, name="parent")
    eventually(lambda: handle.status == "parked")
    top, child = look_at_pool(supervisor).agents
    assert (top.state, top.on, top.waits_for) == (
        "parked",
        "the outcome of agent 2 (child)",
        ("agent 2 (child)",),
    )
    assert child.parent_id == 1
    assert "waits for agent 2 (child)" in str(top)
    assert look_at_pool(supervisor).waits == (("agent 1 (parent)", "agent 2 (child)"),)
    assert "who waits for whom: agent 1 (parent) -> agent 2 (child)" in str(look_at_pool(supervisor))
    assert "parked on the outcome of agent 2 (child)" in str(top)
    gate.open()
    handle.result(10)


def test_it_shows_the_threads_that_were_abandoned(supervise: Any, start: Any, gates: Any, eventually: Any) -> None:
    """Of agents and of tools."""
    supervisor = supervise(abort_timeout=0.02)
    tool, agent = gates(), gates()
    start(supervisor, lambda cell: supervisor.tool_threads.run(cell, [(lambda _: stuck_here(tool), 0.01)])).result(10)
    handle = start(supervisor, lambda _: stuck_here(agent))
    agent.await_reached()
    handle.cancel("enough")
    handle.outcome(10)
    picture = look_at_pool(supervisor)
    assert picture.agents == ()
    assert len(picture.abandoned) == 2
    assert all("stuck_here" in stray.stack for stray in picture.abandoned)
    assert {stray.label for stray in picture.abandoned} == {"tool a tool of agent 1 (job)", "agent 2 (job)"}
    assert str(picture).count("abandoned: ") == 2
    tool.open()
    agent.open()
    eventually(lambda: look_at_pool(supervisor).abandoned == ())


def test_it_stops_nobody(supervise: Any, start: Any, eventually: Any) -> None:
    """Looking at a parked agent leaves it parked."""
    supervisor = supervise()
    waiter = Waiter()
    handle = start(supervisor, lambda _: wait_for(waiter, 10, "tea"))
    eventually(lambda: handle.status == "parked")
    for _ in range(3):
        assert look_at_pool(supervisor).agents[0].on == "tea"
    waiter.wake()
    assert handle.result(10) is True


def test_an_empty_pool_is_a_short_story(supervise: Any) -> None:
    """One line."""
    assert str(look_at_pool(supervise())) == "pool team: 0 agents, 4 slots"


FORGED = "x\n\x1b[2Jagent 2 (admin): completed\u202e\U000e0041" + "y" * 500


def test_names_that_a_model_chose_forge_no_line(supervise: Any, start: Any, gate: Any, eventually: Any) -> None:
    """Of an agent, of its tools, of whom it waits for: escaped, and no longer than a line has room for."""
    supervisor = supervise()

    def parent(cell: Any) -> None:
        child = start(supervisor, lambda _: gate.hold(), parent=cell, name=FORGED)
        supervisor.tool_threads.run(cell, [(lambda _: child.result(10), None)], [FORGED])

    top = start(supervisor, parent, name=FORGED)
    gate.await_reached()
    eventually(lambda: top.status == "parked")
    text = str(look_at_pool(supervisor))
    assert look_at_pool(supervisor).agents[0].name == FORGED
    label = r"agent 1 (x\n\x1b[2Jagent 2 (admin): completed\u202e\U000e0041yyy"
    assert label in text
    assert r"tool x\n\x1b[2Jagent" in text
    assert "parked on the outcome of agent 2 (x\\n" in text
    assert not any(line.lstrip().startswith("agent 2 (admin)") for line in text.splitlines())
    assert all(line.isprintable() for line in text.splitlines())
    assert all(len(line) < 500 for line in text.splitlines())
    gate.open()
    top.result(10)
