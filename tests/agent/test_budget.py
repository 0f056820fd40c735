"""What several agents may spend together."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    Budget,
    BudgetWarned,
    CircuitBreak,
    CompletionResponse,
    CostExceeded,
    FunctionDriver,
    InferenceFailed,
    IterationsExceeded,
    ManifestError,
    Overloaded,
    ScriptedDriver,
    SpawnConfig,
    Spending,
    StopReason,
    TokensExceeded,
    TokenUsage,
    ToolCall,
    ToolCallsExceeded,
    ToolRegistry,
    tool,
)
from actors.agent.account import BudgetAccount

BOT = AgentManifest(name="bot")


@tool
def note(n: int) -> str:
    """Note a number."""
    return str(n)


def spends(tokens: int) -> CompletionResponse:
    return CompletionResponse("done", usage=TokenUsage(tokens, 0))


# A budget alone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "wanted", "error"),
    [
        ({"max_iterations": 2}, Spending(iterations=1), IterationsExceeded),
        ({"max_tool_calls": 2}, Spending(tool_calls=1), ToolCallsExceeded),
        ({"max_tokens": 2}, Spending(tokens=1), TokensExceeded),
        ({"max_cost_usd": 0.5}, Spending(cost_usd=0.25), CostExceeded),
    ],
)
def test_a_budget_is_used_up(limits: dict[str, Any], wanted: Spending, error: type[CircuitBreak]) -> None:
    """What is reserved counts like what is spent; the refusal names the budget and its limit."""
    budget = Budget(**limits, name="the team's budget")
    account = BudgetAccount([budget])
    account.reserve(wanted).settle(wanted)
    held = account.reserve(wanted)
    with pytest.raises(error, match=f"the team's budget is used up: .* \\({next(iter(limits))}\\)"):
        account.reserve(wanted)
    held.refund()
    account.spend(wanted)
    assert budget.spent == wanted + wanted
    assert budget.reserved == Spending()


def test_a_call_begins_while_anything_is_left() -> None:
    """And may cost more than that."""
    budget = Budget(max_tokens=100)
    account = BudgetAccount([budget])
    account.reserve(Spending(tokens=99)).settle(Spending(tokens=99))
    account.reserve(Spending(tokens=50)).settle(Spending(tokens=80))
    assert budget.spent.tokens == 179
    with pytest.raises(TokensExceeded):
        account.reserve(Spending(tokens=1))


def test_all_take_it_or_none() -> None:
    """A refusal of one leaves nothing reserved in the others."""
    wide, narrow = Budget(max_tokens=100), Budget(max_tokens=0)
    with pytest.raises(TokensExceeded):
        BudgetAccount([wide, narrow]).reserve(Spending(tokens=1))
    assert wide.reserved == Spending()


def test_what_is_not_settled_is_refunded() -> None:
    """When the block is left by an error; twice does nothing twice."""
    budget = Budget(max_tokens=100)
    with pytest.raises(KeyError), BudgetAccount([budget]).reserve(Spending(tokens=10)) as held:
        raise KeyError
    held.refund()
    held.settle(Spending(tokens=5))
    assert (budget.reserved, budget.spent) == (Spending(), Spending())


def test_it_warns_once_from_80_percent() -> None:
    """For each limit."""
    account = BudgetAccount([Budget(max_tokens=100, max_tool_calls=1, name="b")])
    assert account.spend(Spending(tokens=79)) == []
    assert account.spend(Spending(tokens=1)) == ["b: 80 of 100 tokens spent"]
    assert account.spend(Spending(tokens=1)) == []
    assert account.spend(Spending(tool_calls=1)) == ["b: 1 of 1 tool calls spent"]


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"max_tokens": -1}, ValueError),
        ({"max_cost_usd": -0.1}, ValueError),
        ({"max_cost_usd": float("nan")}, ValueError),
        ({"max_iterations": 1.5}, TypeError),
        ({"max_tool_calls": True}, TypeError),
        ({"max_tokens": "3"}, TypeError),
    ],
)
def test_bad_limits(limits: dict[str, Any], error: type[Exception]) -> None:
    """Are refused by name."""
    with pytest.raises(error, match=next(iter(limits))):
        Budget(**limits)


@pytest.mark.parametrize("options", [{"budget": 5}, {"group_budgets": {"g": 5}}])
def test_what_is_no_budget(options: dict[str, Any]) -> None:
    """Is refused when the pool is made."""
    with pytest.raises(TypeError, match="take Budgets"):
        AgentPool(**options)


def test_the_same_budget_twice_is_charged_once() -> None:
    """An agent of a group whose budget is the pool's, say."""
    budget = Budget(max_tokens=100)
    BudgetAccount([budget, budget]).spend(Spending(tokens=10))
    assert budget.spent.tokens == 10


# In a pool ------------------------------------------------------------------------------------------------------------


def test_the_budget_of_a_pool(make_pool: Any) -> None:
    """Whoever comes when it is used up is refused, before anything is asked; an answer that used it up stands."""
    driver = ScriptedDriver([], default=spends(60))
    budget = Budget(max_tokens=100, name="the pool's budget")
    pool = make_pool(driver, 1, max_queued=None, budget=budget)
    outcomes = [pool.spawn(SpawnConfig(BOT, "q")).outcome(10) for _ in range(4)]
    assert [outcome.status for outcome in outcomes] == ["completed", "completed", "failed", "failed"]
    assert isinstance(outcomes[2].error, TokensExceeded)
    assert len(driver.requests) == 2
    assert budget.spent == Spending(iterations=4, tokens=120)
    assert budget.reserved == Spending()


def test_the_budget_of_a_group(make_pool: Any) -> None:
    """Holds for its agents only; one of a config for its agent, besides."""
    pool = make_pool(
        ScriptedDriver([], default=spends(60)), 1, max_queued=None, group_budgets={"a": Budget(max_iterations=1)}
    )
    ask = lambda **fields: pool.spawn(SpawnConfig(BOT, "q", **fields)).outcome(10).status  # noqa: E731
    assert [ask(group="a"), ask(group="a"), ask(group="b"), ask()] == ["completed", "failed", "completed", "completed"]
    assert ask(budget=Budget(max_iterations=0)) == "failed"


def test_tool_calls_are_counted_exactly(make_pool: Any) -> None:
    """Those that are run: an answer that asks for one too many ends its agent, and none of its calls is run or paid."""
    calls = tuple(ToolCall(str(n), "note", {"n": n}) for n in range(3))
    driver = ScriptedDriver([], default=CompletionResponse("", StopReason.TOOL_USE, calls, TokenUsage(1, 1)))
    budget = Budget(max_tool_calls=5)
    pool = make_pool(driver, 1, tools=ToolRegistry([note]), budget=budget)
    outcome = pool.spawn(SpawnConfig(BOT, "q")).outcome(10)
    assert isinstance(outcome.error, ToolCallsExceeded)
    assert (budget.spent.tool_calls, budget.reserved) == (3, Spending())


def test_a_call_that_did_not_happen_costs_nothing(make_pool: Any) -> None:
    """Nothing stays reserved for it."""
    budget = Budget(max_tokens=1000)
    pool = make_pool(ScriptedDriver([InferenceFailed("no")]), 1, budget=budget)
    assert pool.spawn(SpawnConfig(BOT, "q")).outcome(10).status == "failed"
    assert (budget.spent.tokens, budget.reserved) == (0, Spending())


def test_a_retry_is_paid_once(make_pool: Any) -> None:
    """The one that was answered."""
    budget = Budget(max_tokens=1000)
    pool = make_pool(ScriptedDriver([Overloaded("busy", retry_after=0.01), spends(70)]), 1, budget=budget)
    assert pool.spawn(SpawnConfig(BOT, "q")).outcome(10).ok
    assert (budget.spent.tokens, budget.reserved) == (70, Spending())


def test_a_cancelled_call_costs_what_it_cost_at_least(make_pool: Any, eventually: Any) -> None:
    """The model was asked, and nobody was told how much it worked."""
    budget = Budget(max_tokens=1000)
    driver = ScriptedDriver([], latency=60, default="late")
    pool = make_pool(driver, 1, budget=budget)
    handle = pool.spawn(SpawnConfig(BOT, "a question"))
    eventually(lambda: len(driver.requests) == 1)
    least = budget.reserved.tokens
    assert least > 0
    handle.cancel()
    assert handle.outcome(10).status == "cancelled"
    assert (budget.spent.tokens, budget.reserved) == (least, Spending())


class Parent(Agent[Any]):
    def run(self, query: Any) -> Any:
        """Start children, one after another."""
        return [str(self.spawn(SpawnConfig(BOT, "q")).outcome(10).status) for _ in range(query)]


def test_children_are_charged_to_all_above(make_pool: Any) -> None:
    """To the pool, to the group of their parent, and to what its manifest grants."""
    pool_budget, group = Budget(max_tokens=10_000), Budget(max_tokens=10_000)
    parent = AgentManifest(name="parent", resources={"max_tokens_budget": 100})
    driver = ScriptedDriver([], default=spends(60))
    pool = make_pool(driver, 1, budget=pool_budget, group_budgets={"g": group})
    result = pool.spawn(SpawnConfig(parent, 4, agent=Parent, group="g")).result(10)
    assert result == ["completed", "completed", "failed", "failed"]
    assert pool_budget.spent.tokens == group.spent.tokens == 120


@pytest.mark.parametrize("seed", range(8))
def test_many_at_once(seed: int, make_pool: Any) -> None:
    """64 agents, one budget: counts are exact, tokens pass the limit by at most what each call in flight costs."""
    numbers = itertools.count()
    limit, cost = 50 * (seed + 1), 7 + seed

    def answer(_: Any) -> CompletionResponse:
        call = ToolCall("c", "note", {"n": next(numbers)})
        return CompletionResponse("", StopReason.TOOL_USE, (call,), TokenUsage(cost, cost))

    tokens, calls = Budget(max_tokens=limit, name="tokens"), Budget(max_tool_calls=31, max_iterations=100)
    pool: AgentPool = make_pool(
        FunctionDriver(answer),
        64,
        tools=ToolRegistry([note]),
        budget=tokens,
        group_budgets={"g": calls},
    )
    outcomes = list(pool.map([SpawnConfig(BOT, "q", group="g")] * 64))
    assert {type(outcome.error) for outcome in outcomes} <= {TokensExceeded, ToolCallsExceeded, IterationsExceeded}
    assert calls.spent.tool_calls <= 31
    assert calls.spent.iterations <= 100
    assert tokens.spent.tokens <= limit + 64 * 2 * cost
    assert tokens.reserved == calls.reserved == Spending()


def test_a_warning_is_an_event(make_pool: Any) -> None:
    """Of the agent that spent it."""
    events: list[Any] = []
    pool = make_pool(ScriptedDriver([spends(90)]), 1, budget=Budget(max_tokens=100, name="b"), on_event=events.append)
    handle = pool.spawn(SpawnConfig(BOT, "q"))
    handle.outcome(10)
    pool.close()
    (warned,) = [event for event in events if isinstance(event, BudgetWarned)]
    assert (warned.agent_id, warned.message) == (handle.id, "b: 90 of 100 tokens spent")


# Prices ---------------------------------------------------------------------------------------------------------------


class Unpriced(ScriptedDriver):
    def has_price(self, model: str = "") -> bool:
        return model == "known"

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        return usage.total * 0.5


PRICES = {"usd_per_million_input_tokens": 2e6, "usd_per_million_output_tokens": 4e6}


def test_a_limit_of_cost_needs_a_price(make_pool: Any) -> None:
    """The driver's, or the manifest's; without a limit none is needed."""
    limited = {"max_cost_usd": 100.0}
    pool = make_pool(Unpriced([], default=spends(3)), 1)
    with pytest.raises(ManifestError, match=r"the price of the model .* is not known; declare model\.usd_per_million"):
        pool.spawn(SpawnConfig(AgentManifest(name="a", resources=limited), "q"))
    known = AgentManifest(name="a", resources=limited, model={"model_repo": "known"})
    assert pool.spawn(SpawnConfig(known, "q")).result(10).cost_usd == 1.5
    declared = AgentManifest(name="a", resources=limited, model={"model_repo": "mine", **PRICES})
    assert pool.spawn(SpawnConfig(declared, "q")).result(10).cost_usd == 6.0
    assert pool.spawn(SpawnConfig(AgentManifest(name="a"), "q")).outcome(10).ok


@pytest.mark.parametrize("where", ["pool", "group", "config"])
def test_a_budget_of_cost_needs_a_price(make_pool: Any, where: str) -> None:
    """Wherever it comes from."""
    budget = Budget(max_cost_usd=1.0)
    pool = make_pool(
        Unpriced([], default="yes"),
        1,
        budget=budget if where == "pool" else None,
        group_budgets={"g": budget} if where == "group" else None,
    )
    config = SpawnConfig(BOT, "q", group="g", budget=budget if where == "config" else None)
    with pytest.raises(ManifestError):
        pool.spawn(config)


def test_a_price_alone_is_refused() -> None:
    """Both or none."""
    with pytest.raises(ManifestError, match=r"model\.usd_per_million_output_tokens: declare both"):
        AgentManifest(model={"usd_per_million_input_tokens": 1.0})


def test_a_limit_of_cost_holds_where_input_is_free(make_pool: Any) -> None:
    """Nothing is reserved for such a call, but when the money is spent none begins."""
    prices = {"usd_per_million_input_tokens": 0.0, "usd_per_million_output_tokens": 1e6}
    driver = ScriptedDriver([], default=CompletionResponse("x", usage=TokenUsage(5, 1)))
    pool = make_pool(driver, 1, budget=Budget(max_cost_usd=2.0))
    statuses = [pool.spawn(SpawnConfig(AgentManifest(name="a", model=prices), "q")).outcome(10).status for _ in "1234"]
    assert statuses == ["completed", "completed", "failed", "failed"]


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1.0])
def test_a_cost_that_is_no_number(make_pool: Any, cost: float) -> None:
    """Is the driver's defect, and spoils no budget."""

    class Odd(ScriptedDriver):
        def estimate_cost(self, usage: TokenUsage) -> float:
            return cost

    budget = Budget(max_cost_usd=2.0)
    outcome = make_pool(Odd(["x"]), 1, budget=budget).spawn(SpawnConfig(BOT, "q")).outcome(10)
    assert "estimates a cost of" in str(outcome.error)
    assert budget.spent.cost_usd == 0.0


def test_nothing_is_left_of_fractions() -> None:
    """What is reserved is nothing when nobody calls."""
    budget = Budget(max_cost_usd=100.0)
    account = BudgetAccount([budget])
    held = [account.reserve(Spending(cost_usd=0.1 * number)) for number in range(1, 20)]
    for reservation in held:
        reservation.settle(Spending(cost_usd=0.3))
    assert budget.reserved == Spending()


def test_what_a_failed_call_used_is_spent(make_pool: Any) -> None:
    """Where its driver knows."""

    def fail(_: Any) -> CompletionResponse:
        error = InferenceFailed("refused")
        error.tokens = (30, 12)
        raise error

    budget = Budget(max_tokens=1000)
    assert make_pool(FunctionDriver(fail), 1, budget=budget).spawn(SpawnConfig(BOT, "q")).outcome(10).status == "failed"
    assert (budget.spent.tokens, budget.reserved) == (42, Spending())


def test_the_cost_of_a_group(make_pool: Any) -> None:
    """Is spent by the manifest's prices, and stops the group."""
    manifest = AgentManifest(name="a", model=PRICES)
    budget = Budget(max_cost_usd=5.0)
    pool = make_pool(ScriptedDriver([], default=spends(2)), 1, budget=budget)
    statuses = [pool.spawn(SpawnConfig(manifest, "q")).outcome(10).status for _ in range(3)]
    assert statuses == ["completed", "completed", "failed"]
    assert budget.spent.cost_usd == 8.0
