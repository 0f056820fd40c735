"""Budgets of agents that live on hosts: counted in the program, exactly, whatever becomes of hosts."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentPool, AgentStatus, Backoff, LlmAgent, RestartPolicy, SpawnConfig, tool
from actors.agent.ports import CompletionResponse
from actors.cluster.family import parts_of
from actors.cluster.host.node_account import Names, NodeAccount
from actors.core.records.usage import TokenUsage
from actors.drivers import FunctionDriver
from actors.errors import Cancelled, IterationsExceeded, TokensExceeded
from actors.limits import Budget, Spending
from actors.testing.cluster import LocalEngine

from ..waiting import Gate, eventually
from .test_node_ledger import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOT = AgentManifest(name="bot")


def test_240_agents_make_exactly_100_turns() -> None:
    """However many hosts ask at once, and whatever becomes of calls."""
    asked: list[int] = []

    def answer(_: Any) -> CompletionResponse:
        asked.append(1)
        return CompletionResponse("yes", usage=TokenUsage(3, 2))

    budget = Budget(max_iterations=100)
    engine = LocalEngine(3, seed=5, lost=0.03, lost_answers=0.03, doubled=0.2, late=0.2, late_by=0.002, shares=True)
    with AgentPool(FunctionDriver(answer), 30, max_queued=None, budget=budget, engine=engine) as pool:
        outcomes = [handle.outcome(30) for handle in pool.fan_out([SpawnConfig(BOT, "q")] * 240)]
    assert Counter(outcome.status for outcome in outcomes) == {AgentStatus.COMPLETED: 100, AgentStatus.FAILED: 140}
    assert {type(outcome.error) for outcome in outcomes} == {type(None), IterationsExceeded}
    assert (len(asked), budget.spent, budget.reserved) == (100, Spending(iterations=100, tokens=500), Spending())


def test_what_a_lost_host_had_reserved_is_spent_at_least() -> None:
    """Once; and nothing is reserved when all have ended."""
    gate = Gate()

    def answer(_: Any) -> CompletionResponse:
        gate.arrive(0)
        return CompletionResponse("yes", usage=TokenUsage(500, 500))

    budget = Budget(max_tokens=10_000)
    engine = LocalEngine(2, shares=True, prefetch=0)
    with AgentPool(FunctionDriver(answer), 4, budget=budget, engine=engine) as pool:
        handles = pool.fan_out([SpawnConfig(BOT, "q")] * 4)
        for _ in handles:
            gate.next()
        reserved = budget.reserved.tokens
        engine.link.kill_host("node-1")
        eventually(lambda: budget.reserved.tokens == reserved // 2)
        assert budget.spent.tokens == reserved // 2
        gate.open()
        statuses = Counter(handle.outcome(10).status for handle in handles)
    assert statuses == {AgentStatus.LOST: 2, AgentStatus.COMPLETED: 2}
    assert (budget.spent.tokens, budget.reserved) == (reserved // 2 + 2000, Spending())


def test_a_warning_is_told_once() -> None:
    """By an event of the agent whose call passed the mark, before its end."""
    heard: list[Any] = []
    pool_said: Callable[[Any], None] = heard.append
    budget = Budget(max_tokens=100, name="ours")
    driver = FunctionDriver(lambda _: CompletionResponse("yes", usage=TokenUsage(60, 30)))
    with AgentPool(driver, 2, budget=budget, engine=LocalEngine(2)) as pool:
        pool.subscribe(pool_said)
        pool.spawn(SpawnConfig(BOT, "q")).result(10)
        with pytest.raises(TokensExceeded, match="ours is used up"):
            pool.spawn(SpawnConfig(BOT, "a long question" * 40)).result(10)
            pool.spawn(SpawnConfig(BOT, "a long question" * 40)).result(10)
    told = [type(event).__name__ for event in heard]
    assert told.count("BudgetWarned") == 1
    assert told.index("BudgetWarned") < told.index("AgentEnded")


class GivesBudget(Agent[str]):
    """Gives its child a budget that one of its tools knows."""

    def run(self, query: str) -> str:
        """Spawn it, and say what is spent."""
        named: Any = self.tools.get("ours")
        budget = named()
        self.spawn(SpawnConfig(AgentManifest(name="child"), query, agent=LlmAgent, budget=budget)).result()
        return f"{budget.name}: {budget.spent.tokens} of {sorted(budget.limited)}, {type(budget).__name__}"


def test_a_budget_is_given_on() -> None:
    """By an agent of a host to its child: both spend of the one in the program, which the agent can look at."""
    budget = Budget(max_tokens=100, name="ours")

    @tool
    def ours() -> Any:
        """Know it."""
        return budget

    driver = FunctionDriver(lambda _: CompletionResponse("yes", usage=TokenUsage(20, 10)))
    manifest = AgentManifest(name="parent", capabilities=({"type": "spawn"},))
    with AgentPool(driver, 2, engine=LocalEngine(2)) as pool:
        handle = pool.spawn(SpawnConfig(manifest, "q", agent=GivesBudget, tools=[ours]))
        assert handle.result(10) == "ours: 30 of ['tokens'], NodeBudget"
    assert (budget.spent.tokens, budget.reserved) == (30, Spending())


class PlayedProgram:
    """The program, without lanes between: its functions are called at once, and answers may be lost."""

    def __init__(self, pool: AgentPool) -> None:
        self.desk: Any = pool._supervisor.pool.lives.state.desk  # type: ignore[attr-defined]
        self.is_heard = True

    def ask(self, what: str, agent_id: int, *args: Any, **_: Any) -> Any:
        """Ask, and be cancelled before the answer comes."""
        answer = self.desk._services[what].fn(agent_id, *args)
        if not self.is_heard:
            raise Cancelled("meanwhile")
        return answer

    def note(self, what: str, agent_id: int, *args: Any) -> None:
        """Tell it."""
        self.desk._listeners[what].fn(agent_id, *args)


def test_whoever_is_cancelled_before_the_answer_comes_holds_nothing() -> None:
    """Though the program had reserved it; and a refusal that nobody hears changes nothing either."""
    gate, budget = Gate(), Budget(max_iterations=2, max_tokens=10)
    engine = LocalEngine(1, shares=True)
    with AgentPool(None, 1, budget=budget, engine=engine) as pool:
        handle = pool.submit(gate.arrive, 0)
        gate.next()
        program = PlayedProgram(pool)
        account = NodeAccount(program, Names("played", itertools.count(1)), handle.id, ("iterations", "tokens"))
        program.is_heard = False
        for _ in range(3):
            with pytest.raises(Cancelled):
                account.spend(Spending(iterations=1))
        assert (budget.spent, budget.reserved) == (Spending(), Spending())
        program.is_heard = True
        account.spend(Spending(iterations=1), times=2)
        with pytest.raises(IterationsExceeded):
            account.spend(Spending(iterations=1))
        assert (budget.spent, budget.reserved) == (Spending(iterations=2), Spending())
        gate.open()
        handle.result(10)


def test_what_nothing_limits_is_only_told() -> None:
    """No agent waits for an answer that is known."""
    gate, budget = Gate(), Budget(max_cost_usd=10.0)
    with AgentPool(None, 1, budget=budget, engine=LocalEngine(1, shares=True)) as pool:
        handle = pool.submit(gate.arrive, 0)
        gate.next()
        program = PlayedProgram(pool)
        program.is_heard = False  # no question is answered
        account = NodeAccount(program, Names("played", itertools.count(1)), handle.id, ("cost_usd",))
        account.spend(Spending(iterations=1))
        account.spend(Spending(tool_calls=1), times=3)
        with pytest.raises(Cancelled):
            account.reserve(Spending(tokens=5, cost_usd=0.1))
        gate.open()
        handle.result(10)
    assert (budget.spent, budget.reserved) == (Spending(iterations=1, tool_calls=3), Spending())


def run_until_lost(engine: LocalEngine, world: World, handle: Any, gate: Gate) -> None:
    """Kill the host at the third answer, when all before it was entered."""
    gate.next()
    ledger: Any = parts_of(handle._cell).ledger
    eventually(partial(ledger.find, "1.0"))
    (node,) = [view.node for view in engine.nodes() if view.placed]
    engine.link.kill_host(node)
    gate.open()


LEAST = Spending(iterations=5, tool_calls=3, tokens=44)
"""Of a job of four turns, the third of which was begun twice; beside what the lost call cost at least."""


@pytest.mark.parametrize("has_journal", [True, False])
def test_what_a_lost_host_bought_is_charged_once(tmp_path: Path, *, has_journal: bool) -> None:
    """Another host recalls it: its guard counts it, and the budgets, which are the program's, do not."""
    world, gate, budget = World(), Gate(), Budget(max_iterations=100)
    world.holds[2] = gate
    options: dict[str, Any] = {"journal": tmp_path / "run.db"} if has_journal else {}
    engine = LocalEngine(2, shares=True)
    restart = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.01, jitter=0.0))
    with AgentPool(engine=engine, restart=restart, budget=budget, **options) as pool:
        handle = pool.spawn(world.config(key="k"))
        run_until_lost(engine, world, handle, gate)
        outcome = handle.outcome(10)
    assert outcome.status is AgentStatus.COMPLETED, outcome.error
    assert (budget.spent.iterations, budget.spent.tool_calls) == (LEAST.iterations, LEAST.tool_calls)
    # The call on its way: nothing limits tokens here, so that it began was only told, and may be lost with the host.
    assert LEAST.tokens <= budget.spent.tokens < 2 * LEAST.tokens + 200
    assert (outcome.iterations, outcome.tool_calls, outcome.usage_total.total) == (4, 3, 44)
    assert budget.reserved == Spending()


def test_what_an_earlier_process_bought_is_charged_once(tmp_path: Path) -> None:
    """However many hosts recall it in this one."""
    path, world, gates = tmp_path / "run.db", World(), (Gate(), Gate())
    restart = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.01, jitter=0.0))
    world.holds[2] = gates[0]
    first = LocalEngine(1, shares=True)
    with AgentPool(engine=first, journal=path) as pool:
        handle = pool.spawn(world.config(key="k"))
        gates[0].next()
        first.link.lose_engine()
        assert handle.outcome(10).status is AgentStatus.LOST
        gates[0].open()
    budget = Budget(max_iterations=100)
    world.holds[2] = gates[1]
    engine = LocalEngine(2, shares=True)
    with AgentPool(engine=engine, restart=restart, journal=path, budget=budget) as pool:
        handle = pool.spawn(world.config(key="k"))
        run_until_lost(engine, world, handle, gates[1])
        outcome = handle.outcome(10)
    assert outcome.status is AgentStatus.COMPLETED, outcome.error
    assert (budget.spent.iterations, budget.spent.tool_calls) == (LEAST.iterations, LEAST.tool_calls)
    assert (outcome.iterations, outcome.tool_calls, outcome.usage_total.total) == (4, 3, 44)
    assert budget.reserved == Spending()
    again = Budget()
    with AgentPool(engine=LocalEngine(1, shares=True), journal=path, budget=again) as pool:
        assert pool.spawn(world.config(key="k")).outcome(10).recalled
    assert again.spent == Spending(iterations=4, tool_calls=3, tokens=44)
