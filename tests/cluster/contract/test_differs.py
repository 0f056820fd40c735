"""The list of what differs over nodes is of tests that there are; that each of them fails is strict."""

from __future__ import annotations

from importlib import import_module

import pytest

from actors import AgentPool, LiveView
from actors.cli.top.board import Board
from actors.cli.top.closely import close_lines
from actors.cli.top.state import Closeup, State

from ...contract.doubles import WAIT, doing, echo, held
from ...inside.visitor import Visitor
from ...waiting import at_once, eventually, until_parked
from .differs import DIFFERS, NOT_TRIED


@pytest.mark.parametrize("name", [*DIFFERS, *NOT_TRIED])
def test_what_differs_is_a_test_of_the_contract(name) -> None:
    """A name that is gone, or misspelt, excuses nothing."""
    file, test = name.split("::")
    assert hasattr(import_module(f"tests.contract.{file.removesuffix('.py')}"), test)
    assert not (set(DIFFERS) & set(NOT_TRIED))


def test_a_dump_shows_the_node_in_place_of_a_stack(gate) -> None:
    """Of one that was sent there: where it is, and since when; one that waits here is on none."""
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        there = pool.spawn(held(gate, name="there"))
        gate.next()
        pool.spawn(echo(name="waiting"))
        assert at_once(pool, lambda: there.status == "running")
        first, second = pool.dump().agents
        assert (first.node[:4], first.stack, str(first.state)) == ("node", "", "running")
        assert f"on node {first.node} (its stack is there)" in str(first)
        assert (second.node, str(second.state)) == (None, "queued")
        assert "on node" not in str(second)
        assert pool.dump(agent_id=there.id).node == first.node
        assert first.node in pool.dump()._repr_html_()
        gate.open()


def test_figures_of_agents_on_nodes_are_told(gate) -> None:
    """What is parked, and what was left behind, is counted as in a local pool; handle, repr and figures agree."""
    with AgentPool(max_concurrent=2, abort_timeout=0.2) as pool:
        parked = pool.spawn(doing(lambda agent, _: agent.receive()))
        stuck = pool.spawn(held(gate))
        gate.next()
        until_parked(pool, parked)
        assert at_once(pool, lambda: pool.stats().active == 2)
        assert (stuck.status, parked.status, pool.stats().queued) == ("running", "running", 0)
        assert "2 of 2 active, 0 queued" in repr(pool)
        stuck.cancel("enough")
        assert stuck.outcome(timeout=WAIT).status == "abandoned"
        assert at_once(pool, lambda: pool.stats().abandoned_threads == 1)
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
        parked.cancel()
        parked.outcome(timeout=WAIT)
        assert at_once(pool, lambda: pool.stats().parked == 0)


def test_views_show_the_node(gate) -> None:
    """That of the browser, and that of the terminal when one agent is looked at closely."""
    with AgentPool(max_concurrent=1) as pool, LiveView(pool) as view:
        handle = pool.spawn(held(gate))
        gate.next()
        visitor = Visitor(view)
        (row,) = visitor.get("/state").json["agents"]
        closeup = Closeup.of(visitor.get(f"/agent?id={handle.id}").json)
        assert row["node"] == closeup.agent.node == pool.dump(agent_id=handle.id).node
        board = Board(State.of(visitor.get("/state").json), closeup=closeup)
        lines = "\n".join(line.plain for line in close_lines(board, 100))
        assert f"its thread is on {row['node']}" in lines
        gate.open()
