"""The account of an agent: what its outcome says that it used, however it ended, and who else says the same."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    AgentManifest,
    AgentOutcome,
    AgentPool,
    AgentStatus,
    AssistantMessage,
    Backoff,
    Budget,
    Cancelled,
    CompletionFinished,
    CompletionResponse,
    CostExceeded,
    FunctionDriver,
    Inference,
    InferenceFailed,
    InvalidOutput,
    IterationsExceeded,
    LlmAgent,
    Overloaded,
    RestartPolicy,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    Spending,
    StopReason,
    TokensExceeded,
    TokenUsage,
    ToolCallsExceeded,
    ToolRegistry,
    UserMessage,
)
from actors.core.records.usage import NO_TOKENS
from actors.tools.agents import AGENT_TOOLS
from actors.tools.inference import ask_model, inference_tool

from ..waiting import BOUND, Gate, eventually
from .doubles import Probe, asks, doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import AgentHandle, CompletionRequest, Event

U = TokenUsage(10, 5, 4, 2, 3)
"""Of one completion."""
USD = 0.001
"""For one token."""
BOT = AgentManifest(name="bot")
FREE = AgentManifest(name="bot", capabilities=(Inference(), Spawn(max_depth=3)))
AT_ONCE = RestartPolicy(max_restarts=5, backoff=Backoff(base=0, jitter=0))


def times(count: int) -> TokenUsage:
    """Tokens of so many completions."""
    return sum([U] * count, NO_TOKENS)


def says(text: str) -> CompletionResponse:
    """An answer that ends the turn."""
    return CompletionResponse(text, usage=U)


def calls(*tools: str) -> CompletionResponse:
    """An answer that asks for *tools*, with different arguments."""
    return asks(*((name, {"prompt": f"p{number}"}) for number, name in enumerate(tools)), usage=U)


def paid(error: Any) -> Any:
    """*error*, after one completion's worth of work."""
    error.tokens, error.token_parts = (10, 5), (4, 2, 3)
    return error


def script(*answers: Any) -> ScriptedDriver:
    """A driver that costs something."""
    return ScriptedDriver(answers, usd_per_token=USD)


class Policy(FunctionDriver):
    """A driver that costs something, and does what a function says."""

    def estimate_cost(self, usage: TokenUsage) -> float:
        return usage.total * USD


@dataclass
class Books:
    """A pool whose accounts are looked at when it has ended."""

    pool: AgentPool
    budget: Budget
    events: list[Event] = field(default_factory=list)
    outcomes: dict[int, AgentOutcome[Any]] = field(default_factory=dict)

    def spawn(self, driver: Any = None, manifest: AgentManifest = BOT, **fields: Any) -> AgentHandle[Any]:
        """Start an ``LlmAgent``."""
        return self.pool.spawn(SpawnConfig(manifest, "q", driver=driver, **fields))

    def take(self, handle: AgentHandle[Any]) -> AgentOutcome[Any]:
        """Its outcome, which is looked at, too."""
        return self.look(handle.outcome(BOUND))

    def look(self, outcome: AgentOutcome[Any]) -> AgentOutcome[Any]:
        """Its own account and that of all below it."""
        self.outcomes[outcome.agent_id] = outcome
        return outcome

    def check(self) -> None:
        """Events, outcomes, results and the pool say the same."""
        told: dict[int, list[CompletionFinished]] = defaultdict(list)
        for event in self.events:
            if isinstance(event, CompletionFinished):
                told[event.agent_id].append(event)
        for id_, outcome in self.outcomes.items():
            assert sum(event.input_tokens for event in told[id_]) == outcome.usage.input_tokens, outcome
            assert sum(event.output_tokens for event in told[id_]) == outcome.usage.output_tokens
            assert sum(event.cost_usd for event in told[id_]) == outcome.cost_usd
            assert math.isclose(outcome.cost_usd, outcome.usage.total * USD, abs_tol=1e-12)
            below = [self.outcomes[one] for one in self.outcomes if self.is_below(one, id_)]
            assert outcome.usage_total == sum((one.usage for one in below), outcome.usage)
            assert outcome.cost_usd_total == pytest.approx(outcome.cost_usd + sum(one.cost_usd for one in below))
            if getattr(outcome.result, "usage", None) is not None:
                assert (outcome.result.usage, outcome.result.cost_usd) == (outcome.usage, outcome.cost_usd)
                assert (outcome.result.iterations, outcome.result.tool_calls) == (
                    outcome.iterations,
                    outcome.tool_calls,
                )
        stats, ended = self.pool.stats(), self.outcomes.values()
        assert sum(stats.ended.values()) == len(ended), "every outcome is to be looked at"
        assert stats.usage == sum((one.usage for one in ended), NO_TOKENS)
        assert stats.cost_usd == pytest.approx(sum(one.cost_usd for one in ended))
        assert stats.iterations == sum(one.iterations for one in ended)
        assert stats.tool_calls == sum(one.tool_calls for one in ended)
        assert self.budget.spent.iterations == stats.iterations
        assert self.budget.reserved == Spending()

    def is_below(self, id_: int, other: int) -> bool:
        """Is the one below the other?"""
        parent = self.outcomes[id_].parent_id
        return parent is not None and (parent == other or self.is_below(parent, other))


@contextmanager
def books(driver: Any = None, *, tools: Any = None, listen: bool = True, **fields: Any) -> Iterator[Books]:
    """A pool, and its accounts when it has ended."""
    events: list[Event] = []
    budget = Budget(max_tokens=10**9)
    tools = ToolRegistry([Probe(), ask_model, *AGENT_TOOLS]) if tools is None else ToolRegistry(tools)
    fields = {"max_concurrent": 4, "abort_timeout": BOUND, **fields}
    with AgentPool(driver, tools=tools, on_event=events.append if listen else None, budget=budget, **fields) as pool:
        kept = Books(pool, budget, events)
        yield kept
    if listen:
        kept.check()


# However it ends ------------------------------------------------------------------------------------------------


def test_completed() -> None:
    """Tokens with their parts, cost, steps, conversation, model."""
    driver = script(calls("note"), says("done"))
    driver.model = "the-model"  # type: ignore[attr-defined]
    with books(driver) as kept:
        outcome = kept.take(kept.spawn())
    assert (outcome.usage, outcome.cost_usd) == (times(2), pytest.approx(0.03))
    assert (outcome.iterations, outcome.tool_calls, outcome.model) == (2, 1, "the-model")
    assert (outcome.usage_total, outcome.cost_usd_total) == (outcome.usage, outcome.cost_usd)
    assert outcome.messages == outcome.unwrap().messages
    assert outcome.messages[0] == UserMessage("q")
    assert kept.budget.spent == Spending(iterations=2, tool_calls=1, tokens=30, cost_usd=pytest.approx(0.03))


def test_the_model_of_the_manifest_wins() -> None:
    """It is the one that was asked."""
    manifest = AgentManifest(name="bot", privacy="standard", model={"remote_model": "named"})
    driver = script(says("done"))
    driver.model = "own"  # type: ignore[attr-defined]
    with books(driver) as kept:
        assert kept.take(kept.spawn(manifest=manifest)).model == "named"


@pytest.mark.parametrize(
    ("last", "status", "spent"),
    [
        (InferenceFailed("no"), "failed", 1),
        (paid(InferenceFailed("no")), "failed", 2),
        (ValueError("boom"), "crashed", 1),
        (Cancelled("by itself"), "cancelled", 1),
        (paid(Cancelled("by itself")), "cancelled", 2),
    ],
    ids=["failed", "failed and paid", "crashed", "cancelled", "cancelled and paid"],
)
def test_a_driver_that_raises(last: Any, status: str, spent: int) -> None:
    """What was used before stands, and what the last call used, as far as it knows."""
    with books(script(calls("note"), last)) as kept:
        outcome = kept.take(kept.spawn())
    assert outcome.status == status
    assert (outcome.usage, outcome.iterations, outcome.tool_calls) == (times(spent), 2, 1)
    assert [type(message).__name__ for message in outcome.messages] == [
        "UserMessage",
        "AssistantMessage",
        "ToolResultMessage",
    ]


def test_a_guard() -> None:
    """The turn that it refused was not made; a call that it refused was asked for."""
    with books(script(calls("note"), calls("note"), says("x"))) as kept:
        turns = kept.take(kept.spawn(manifest=AgentManifest(name="bot", resources={"max_iterations": 1})))
        many = kept.take(
            kept.spawn(script(calls("note", "note")), AgentManifest(name="bot", resources={"max_tool_calls": 1}))
        )
    assert isinstance(turns.error, IterationsExceeded)
    assert (turns.usage, turns.iterations, turns.tool_calls) == (times(1), 1, 1)
    assert (turns.error.used, turns.error.limit, turns.error.budget) == (2, 1, None)
    assert isinstance(many.error, ToolCallsExceeded)
    assert (many.usage, many.iterations, many.tool_calls) == (times(1), 1, 2)


@pytest.mark.parametrize("limit", [{"max_tokens_budget": 10}, {"max_cost_usd": USD}])
def test_the_answer_that_was_too_much(limit: Any) -> None:
    """It was paid, so it stands in the conversation."""
    with books(script(says("dear"))) as kept:
        dear = kept.take(kept.spawn(manifest=AgentManifest(name="bot", resources=limit)))
    assert isinstance(dear.error, TokensExceeded | CostExceeded)
    assert (dear.usage, dear.iterations) == (times(1), 1)
    assert dear.messages == (UserMessage("q"), AssistantMessage("dear"))


class Verdict(BaseModel):
    """An answer."""

    score: int


def test_an_output_type() -> None:
    """A value has no room for an account: the outcome has. Corrections count; the last answer is in the error."""
    with books(script(says("good"), says('{"score": 3}'))) as kept:
        good = kept.take(kept.spawn(output_type=Verdict))
        bad = kept.take(kept.spawn(script(*[says(f"bad {n}") for n in range(9)]), output_type=Verdict))
    assert (good.result, good.usage, good.iterations) == (Verdict(score=3), times(2), 2)
    assert isinstance(bad.error, InvalidOutput)
    assert (bad.error.text, bad.usage, bad.iterations) == ("bad 3", times(4), 4)


def test_a_subclass_that_crashes_after_its_loop() -> None:
    """Its tokens were spent."""

    class Crashes(LlmAgent):
        def run(self, query: Any) -> Any:
            super().run(query)
            raise KeyError("after")

    with books(script(says("done"))) as kept:
        outcome = kept.take(kept.spawn(agent=Crashes))
    assert (outcome.status, outcome.usage, outcome.iterations) == ("crashed", times(1), 1)
    assert outcome.messages[-1] == AssistantMessage("done")


def test_two_conversations_of_one_agent() -> None:
    """The outcome has both, also when the second begins after the result of the first was made."""

    class Twice(LlmAgent):
        def run(self, query: Any) -> Any:
            return super().run(query).text + super().run(query).text

    with books(script(says("a"), says("b"))) as kept:
        outcome = kept.take(kept.spawn(agent=Twice))
    assert (outcome.result, outcome.usage, outcome.iterations) == ("ab", times(2), 2)


def test_cancelled_in_the_driver_in_a_tool_and_in_the_queue() -> None:
    """And timed out."""
    in_driver, in_tool = Gate(), Gate()

    def answer(request: CompletionRequest) -> CompletionResponse:
        if isinstance(request.messages[-1], UserMessage):
            return calls("note")
        in_driver.arrive()
        return calls("note")

    def hold(input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        in_tool.note()
        cancel.wait(BOUND)
        return "x"

    with books(Policy(answer), max_concurrent=2, max_queued=None) as kept:
        first = kept.spawn()
        in_driver.await_reached()
        second = kept.spawn(tools=ToolRegistry([Probe(hold)]))
        in_tool.await_reached()
        third = kept.spawn()
        for handle in (first, second, third):
            handle.cancel("enough")
        in_driver.open()
        late = kept.spawn(tools=ToolRegistry([Probe(hold)]), timeout=0.05)
        outcomes = [kept.take(handle) for handle in (first, second, third, late)]
    assert [str(outcome.status) for outcome in outcomes] == ["cancelled", "cancelled", "cancelled", "timed_out"]
    # The first one's answer came, although nobody wanted it any more: it has to be paid.
    assert [outcome.usage for outcome in outcomes] == [times(2), times(1), NO_TOKENS, times(1)]
    assert [outcome.iterations for outcome in outcomes] == [2, 1, 0, 1]
    assert [len(outcome.messages) for outcome in outcomes] == [4, 2, 0, 2]
    assert outcomes[2].model is None


def test_abandoned() -> None:
    """Its outcome stands, whatever its thread spends after that, and nobody is told of it."""
    gate = Gate()

    def answer(request: CompletionRequest) -> CompletionResponse:
        if isinstance(request.messages[-1], UserMessage):
            return calls("note")
        gate.arrive()
        return says("after the end")

    with books(Policy(answer), abort_timeout=0.01) as kept:
        handle = kept.spawn()
        gate.await_reached()
        handle.cancel()
        outcome = kept.take(handle)
        gate.open()
        eventually(lambda: kept.pool.stats().abandoned_threads == 0)
        assert handle.outcome() is outcome
        assert kept.budget.spent.tokens == 30  # what was spent is spent
    assert (outcome.status, outcome.usage, outcome.iterations, len(outcome.messages)) == ("abandoned", times(1), 2, 3)


def test_over_restarts() -> None:
    """All lives together, each step once: what the first has bought is recalled by the second."""
    answers = [calls("note"), ValueError("boom"), calls("note"), says("done")]
    with books(script(*answers), restart=AT_ONCE) as kept:
        outcome = kept.take(kept.spawn())
    assert (outcome.restarts, outcome.usage, outcome.iterations, outcome.tool_calls) == (1, times(3), 4, 2)
    assert len(outcome.messages) == 6


def test_attempts_that_failed_and_were_paid() -> None:
    """Each is told, also when the next one never ends: by its own event."""
    gate = Gate()
    soon = paid(Overloaded("busy", retry_after=0.0))
    held = iter([soon, gate])

    def answer(request: CompletionRequest) -> CompletionResponse:
        if next(held) is gate:
            gate.arrive()
            return says("late")
        raise soon

    with books(script(soon, Overloaded("busy", retry_after=0.0), says("done")), abort_timeout=0.01) as kept:
        outcome = kept.take(kept.spawn())
        stuck = kept.spawn(Policy(answer))
        gate.await_reached()
        stuck.cancel()
        abandoned = kept.take(stuck)
        gate.open()
        eventually(lambda: kept.budget.reserved == Spending())  # what was left behind gives back what it had
    assert (outcome.usage, outcome.iterations) == (times(2), 1)
    assert (abandoned.status, abandoned.usage) == ("abandoned", times(1))


def test_a_driver_that_cannot_say_what_its_answer_costs() -> None:
    """The tokens count all the same, in the account and in budgets."""

    class Odd(ScriptedDriver):
        def estimate_cost(self, usage: TokenUsage) -> float:
            if usage.output_tokens:
                raise LookupError("no price")
            return 0.0

    budget = Budget(max_tokens=1000)
    with AgentPool(Odd([says("done")]), 1, budget=budget) as pool:
        outcome = pool.spawn(SpawnConfig(BOT, "q")).outcome(BOUND)
        assert pool.stats().usage == U
    assert (outcome.status, outcome.usage, outcome.cost_usd) == ("crashed", U, 0.0)
    assert (budget.spent.tokens, budget.reserved) == (15, Spending())


def test_agents_without_a_model() -> None:
    """Zeros, None and ()."""
    with books() as kept:
        outcomes = [
            kept.take(kept.pool.spawn(doing(lambda agent, query: query))),
            kept.take(kept.pool.spawn(doing(lambda agent, query: 1 / 0))),
            kept.take(kept.pool.submit(len, "four")),
        ]
    for outcome in outcomes:
        assert (outcome.usage, outcome.usage_total, outcome.cost_usd, outcome.cost_usd_total) == (
            NO_TOKENS,
            NO_TOKENS,
            0.0,
            0.0,
        )
        assert (outcome.iterations, outcome.tool_calls, outcome.messages, outcome.model) == (0, 0, (), None)
        assert (outcome.parent_id, outcome.depth) == (None, 0)


def test_without_the_conversation() -> None:
    """It is kept neither in the outcome nor in the result; all else is."""
    with books(script(calls("note"), says("done"))) as kept:
        outcome = kept.take(kept.spawn(keep_messages=False))
        failed = kept.take(kept.spawn(script(says("x"), ValueError("boom")), output_type=int, keep_messages=False))
    assert (outcome.messages, outcome.result.messages, failed.messages) == ((), (), ())
    assert (outcome.usage, failed.usage, failed.iterations) == (times(2), times(1), 2)


# Tools that ask a model -----------------------------------------------------------------------------------------


def by_prompt(request: CompletionRequest) -> CompletionResponse:
    """Asks three times at once, and then answers."""
    if request.messages[0] == UserMessage("q"):
        return calls(*["ask_model"] * 3) if len(request.messages) == 1 else says("done")
    return says("so")


def test_tools_that_ask_a_model_at_the_same_time() -> None:
    """What they use is the agent's."""
    with books(Policy(by_prompt)) as kept:
        outcome = kept.take(kept.spawn(manifest=FREE))
    assert (outcome.usage, outcome.iterations, outcome.tool_calls) == (times(5), 2, 3)


@pytest.mark.parametrize("wins", ["the tool", "the result"])
def test_a_tool_past_its_time(wins: str) -> None:
    """What it spends counts as long as its agent works. Once the result is made, that and the outcome stand."""
    late, second, at_end = Gate(), Gate(), Gate()

    def answer(request: CompletionRequest) -> CompletionResponse:
        if request.messages[0] != UserMessage("q"):
            late.arrive()
            return says("so")
        if len(request.messages) == 1:
            return calls("ask_model")
        second.arrive()
        return says("done")

    class Holds(LlmAgent):
        def on_end(self, outcome: AgentOutcome[Any]) -> None:
            seen.append(outcome)
            at_end.arrive()

    seen: list[AgentOutcome[Any]] = []
    with books(Policy(answer), tools=[inference_tool(timeout=0.01)], max_concurrent=1) as kept:
        handle = kept.spawn(manifest=FREE, agent=Holds)
        second.await_reached()
        if wins == "the result":
            second.open()
            at_end.await_reached()
        late.open()
        eventually(lambda: kept.pool.stats().abandoned_threads == 0)
        second.open()
        at_end.open()
        outcome = kept.take(handle)
        assert kept.budget.spent.tokens == 45
    assert outcome.usage == (times(3) if wins == "the tool" else times(2))
    assert outcome.usage == seen[0].usage


# Children -------------------------------------------------------------------------------------------------------


def child_of(agent: Any, kept: Books, driver: Any, **fields: Any) -> AgentOutcome[Any]:
    """The outcome of a child that has ended."""
    return kept.take(agent.spawn(SpawnConfig(BOT, "q", driver=driver, agent=LlmAgent, **fields)))


def test_children_and_grandchildren() -> None:
    """Each has its own account, and who is above has all of them in its total: plain agents, too."""

    def middle(agent: Any, query: Any) -> None:
        for _ in range(2):
            child_of(agent, kept, script(calls("note"), says("done")))

    def top(agent: Any, query: Any) -> None:
        kept.take(agent.spawn(doing(middle, manifest=FREE)))
        child_of(agent, kept, script(says("x"), ValueError("boom")), output_type=int)

    with books() as kept:
        outcome = kept.take(kept.pool.spawn(doing(top, manifest=FREE)))
    assert (outcome.usage, outcome.usage_total, outcome.iterations) == (NO_TOKENS, times(5), 0)
    assert sorted(one.depth for one in kept.outcomes.values()) == [0, 1, 1, 2, 2]
    assert [one.parent_id for one in kept.outcomes.values()].count(outcome.agent_id) == 2


def test_children_by_a_tool() -> None:
    """A model starts them, and they start others."""

    def answer(request: CompletionRequest) -> CompletionResponse:
        task = request.messages[0].content
        if len(request.messages) > 1 or task == "leaf":
            return says("done")
        deeper = {"q": "middle", "middle": "leaf"}[task]
        return asks(*(("spawn_agent", {"task": deeper, "name": name}) for name in "ab"), usage=U)

    events: list[Event] = []
    with AgentPool(Policy(answer), 2, tools=ToolRegistry(AGENT_TOOLS), on_event=events.append) as pool:
        outcome = pool.spawn(SpawnConfig(FREE, "q")).outcome(BOUND)
        assert pool.stats().usage == outcome.usage_total
    told = [event for event in events if isinstance(event, CompletionFinished)]
    assert (outcome.usage, outcome.usage_total, len(told)) == (times(2), times(10), 10)
    assert outcome.cost_usd_total == pytest.approx(sum(event.cost_usd for event in told))


def test_children_that_were_not_waited_for() -> None:
    """One that is detached, one that is cancelled as its parent ends, one that on_end starts, and one that is
    abandoned: all end before their parent does, and count.
    """
    gate, handles = Gate(), []

    def hold(request: CompletionRequest) -> CompletionResponse:
        if isinstance(request.messages[-1], UserMessage):
            return calls("note")
        gate.arrive()
        return says("late")

    class Leaves(LlmAgent):
        def _child(self, driver: Any) -> Any:
            handles.append(self.spawn(SpawnConfig(BOT, "q", driver=driver, agent=LlmAgent)))
            return handles[-1]

        def run(self, query: Any) -> Any:
            result = super().run(query)
            self._child(script(says("done"))).detach()
            handles[-1].outcome(BOUND)
            self._child(Policy(hold))
            gate.await_reached()
            return result

        def on_end(self, outcome: AgentOutcome[Any]) -> None:
            seen.append(outcome)
            self._child(script(says("done"))).outcome(BOUND)
            self._child(script(says("done"))).outcome(BOUND)

    seen: list[AgentOutcome[Any]] = []
    with books(script(says("done")), abort_timeout=0.05) as kept:
        outcome = kept.take(kept.spawn(manifest=FREE, agent=Leaves))
        for handle in handles:
            kept.take(handle)
        gate.open()
        eventually(lambda: kept.pool.stats().abandoned_threads == 0)
    assert [str(handle.status) for handle in handles] == ["completed", "abandoned", "completed", "completed"]
    assert (seen[0].usage_total, outcome.usage_total) == (times(3), times(5))
    assert outcome.usage == seen[0].usage == times(1)


def test_a_child_that_ends_with_its_abandoned_parent() -> None:
    """Its account is settled before that of its parent."""
    gate, handles = Gate(), []

    def run(agent: Any, query: Any) -> None:
        handles.append(agent.spawn(SpawnConfig(BOT, "q", agent=LlmAgent, driver=Policy(hold))))
        gate.arrive()

    def hold(request: CompletionRequest) -> CompletionResponse:
        if isinstance(request.messages[-1], UserMessage):
            return calls("note")
        gate.arrive("driver")
        return says("late")

    with books(abort_timeout=0.01) as kept:
        top = kept.pool.spawn(doing(run, manifest=FREE))
        eventually(lambda: handles and kept.pool.stats().iterations == 2)
        top.cancel()
        outcome = kept.take(top)
        kept.take(handles[0])
        gate.open()
        eventually(lambda: kept.pool.stats().abandoned_threads == 0)
    assert (outcome.status, outcome.usage_total) == (AgentStatus.ABANDONED, times(1))


# When it is there -----------------------------------------------------------------------------------------------


def test_it_is_settled_before_the_outcome_is_visible() -> None:
    """For a thread that spins on done(), for a callback, and for on_end."""
    looked: list[tuple[str, TokenUsage, TokenUsage]] = []

    class Sees(LlmAgent):
        def on_end(self, outcome: AgentOutcome[Any]) -> None:
            looked.append(("on_end", outcome.usage, U))

    def spin() -> None:
        while not handle.done():
            pass
        looked.append(("spin", handle.outcome(0).usage, kept.pool.stats().usage))

    def called(_: Any) -> None:
        looked.append(("callback", handle.outcome(0).usage, kept.pool.stats().usage))

    gate = Gate()

    def answer(_: Any) -> CompletionResponse:
        gate.arrive()
        return says("done")

    with books(Policy(answer)) as kept:
        handle = kept.spawn(agent=Sees)
        handle.add_done_callback(called)
        thread = threading.Thread(target=spin)
        thread.start()
        gate.open()
        thread.join(BOUND)
        kept.take(handle)
    assert sorted(looked) == [("callback", U, U), ("on_end", U, U), ("spin", U, U)]


def test_many_at_once() -> None:
    """Ends of every kind, by every thread: the books agree."""
    kinds: list[Callable[[Books], AgentHandle[Any]]] = [
        lambda kept: kept.spawn(script(calls("note"), says("done"))),
        lambda kept: kept.spawn(script(calls("note"), ValueError("boom"))),
        lambda kept: kept.spawn(script(calls("note"), paid(InferenceFailed("no")))),
        lambda kept: kept.spawn(Policy(by_prompt), FREE),
        lambda kept: kept.spawn(Policy(by_prompt), FREE, timeout=0.001),
        lambda kept: kept.spawn(script(*[says("x")] * 9), output_type=int),
    ]
    with books(max_concurrent=8, max_queued=None, restart=AT_ONCE) as kept:
        handles = [make(kept) for _ in range(15) for make in kinds]
        for handle in handles[::4]:
            handle.cancel()
        for handle in handles:
            kept.take(handle)


@pytest.mark.parametrize("listen", [True, False])
def test_without_a_sink_it_is_the_same(listen: bool) -> None:
    """Who listens changes nothing."""
    with books(Policy(by_prompt), listen=listen) as kept:
        outcome = kept.take(kept.spawn(manifest=FREE))
        assert kept.pool.stats().usage == outcome.usage == times(5)


def test_the_stream_of_one_agent() -> None:
    """Adds up to its outcome, also without a sink."""
    driver = Policy(by_prompt)
    with books(driver, listen=False) as kept:
        handle = kept.spawn(manifest=FREE)
        told = [event for event in handle.events(BOUND) if isinstance(event, CompletionFinished)]
        outcome = kept.take(handle)
    assert outcome.usage == times(5)
    assert sum(event.input_tokens for event in told) == outcome.usage.input_tokens
    assert sum(event.cost_usd for event in told) == outcome.cost_usd


# Errors ---------------------------------------------------------------------------------------------------------


def test_what_a_budget_counted() -> None:
    """Its error names it."""
    budget = Budget(max_tokens=20, name="the week")
    with books(script(calls("note"), says("done"), says("x"))) as kept:
        assert kept.take(kept.spawn(budget=budget)).ok
        outcome = kept.take(kept.spawn(budget=budget))
        error = outcome.error
    assert (type(error).__name__, error.kind) == ("TokensExceeded", "tokens")  # type: ignore[union-attr]
    assert (error.used, error.limit, error.budget) == (30, 20, "the week")  # type: ignore[union-attr]
    assert (outcome.usage, outcome.iterations) == (NO_TOKENS, 1)


def test_cut_answers() -> None:
    """Are counted, too."""
    cut = CompletionResponse("x", StopReason.MAX_TOKENS, usage=U)
    with books(script(*[cut] * 9)) as kept:
        outcome = kept.take(kept.spawn())
    error: Any = outcome.error
    assert (error.kind, error.used, error.limit) == ("truncations", 5, 5)
    assert (outcome.usage, outcome.iterations) == (times(5), 5)
