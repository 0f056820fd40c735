"""What the children of an agent have bought is not bought again when it is started again, also without a journal."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentEnded,
    AgentManifest,
    AgentPool,
    AgentQueued,
    AgentStarted,
    AgentStatus,
    AssistantMessage,
    Budget,
    Cancelled,
    CompletionResponse,
    FunctionDriver,
    LlmAgent,
    Spawn,
    SpawnConfig,
    TokenUsage,
    ToolResultMessage,
    UserMessage,
    tool,
)
from actors.agent.ledger import MemoryLedger
from actors.agent.loop.tool_effects import ToolEffects
from actors.errors import ModelNotFound

from ..waiting import BOUND, Gate
from .doubles import Doing, doing
from .test_recalled import AT_ONCE, USAGE, wants

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentOutcome, CancelToken, CompletionRequest, Event

MAY_SPAWN = AgentManifest(name="parent", capabilities=(Spawn(max_depth=3),))
CHILD = AgentManifest(name="child")


class Model:
    """Answers every query, and notes what it was asked: the query and how many answers there were.

    Args:
        answer: The answer to a query, and how many there were before it; None: it is done.
    """

    def __init__(self, answer: Callable[[str, int], CompletionResponse | None] = lambda *_: None) -> None:
        self.asked: Counter[tuple[str, int]] = Counter()
        self._answer = answer

    def __call__(self, request: CompletionRequest) -> CompletionResponse:
        query = next(message.content for message in request.messages if isinstance(message, UserMessage))
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        self.asked[query, turn] += 1
        return self._answer(query, turn) or CompletionResponse(f"{query} is done", usage=USAGE)


class Crashes:
    """Crashes so many times, wherever it is told to."""

    def __init__(self, times: int = 1) -> None:
        self.left = times

    def __call__(self) -> None:
        self.left -= 1
        if self.left >= 0:
            raise RuntimeError("boom")


def pool_of(model: Model, **more: Any) -> AgentPool:
    """A pool that starts who crashed again at once."""
    return AgentPool(FunctionDriver(model), restart=AT_ONCE, abort_timeout=BOUND, **more)


def parent(fn: Callable[[Agent[Any], Any], Any], **fields: Any) -> SpawnConfig[Any]:
    """An agent of one's own, that may have children."""
    return doing(fn, manifest=MAY_SPAWN, **fields)


def child(query: Any = "child", **fields: Any) -> SpawnConfig[Any]:
    """A child that asks the model."""
    return SpawnConfig(CHILD, query, **fields)


# Completed children -----------------------------------------------------------------------------------------------


def test_a_completed_child_is_not_run_again() -> None:
    """Its driver is asked once; its outcome is the one that it had, and all that it used counts once."""
    model, crash, budget = Model(), Crashes(2), Budget()
    outcomes: list[AgentOutcome[Any]] = []

    def run(agent: Agent[Any], _: Any) -> str:
        outcomes.append(agent.spawn(child(tag="mine", budget=Budget(max_tokens=50))).outcome())
        crash()
        return str(outcomes[-1].unwrap().text)

    with pool_of(model, budget=budget) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
        stats = pool.stats()
    assert outcome.unwrap() == "child is done"
    assert model.asked == {("child", 0): 1}
    assert outcome.restarts == 2
    first, second, third = outcomes
    assert second.result is first.result is third.result
    assert [one.recalled for one in outcomes] == [False, True, True]
    assert len({one.agent_id for one in outcomes}) == 3
    own = {"agent_id", "recalled", "result"}
    assert second.model_dump(exclude=own) == first.model_dump(exclude=own)
    assert (outcome.usage_total, outcome.usage) == (USAGE, TokenUsage(0, 0))
    assert (budget.spent.tokens, budget.spent.iterations) == (15, 1)
    assert (stats.usage, stats.iterations) == (USAGE, 1)
    assert stats.ended == {AgentStatus.COMPLETED: 4}


def test_its_events() -> None:
    """Each life of the parent tells of a start and an end; of the second it says that it was recalled."""
    crash = Crashes()
    events: list[Event] = []

    def run(agent: Agent[Any], _: Any) -> None:
        agent.spawn(child()).outcome()
        crash()

    with pool_of(Model(), on_event=events.append) as pool:
        pool.spawn(parent(run)).result(BOUND)
    lives = [[type(event) for event in events if event.agent_id == number] for number in (2, 3)]
    life = (AgentQueued, AgentStarted, AgentEnded)
    assert [[kind for kind in kinds if kind in life] for kinds in lives] == [
        [AgentStarted, AgentEnded],
        [AgentStarted, AgentEnded],
    ]
    ends = [event for event in events if isinstance(event, AgentEnded) and event.agent_id != 1]
    assert [(end.status, end.recalled) for end in ends] == [("completed", False), ("completed", True)]


class Awkward:
    """It cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise KeyError("compared")

    __hash__ = object.__hash__


class Other(Doing):
    """Another class."""


ONE = FunctionDriver(Model())
RUNS: list[Any] = []


def work(agent: Agent[Any], query: Any) -> None:
    """It is noted."""
    RUNS.append(query)


def more_work(agent: Agent[Any], query: Any) -> None:
    """As well."""
    RUNS.append(query)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ({"query": "a"}, {"query": "b"}, False),
        ({"query": 1}, {"query": True}, False),
        ({"query": {"deep": [1, "a"]}}, {"query": {"deep": [1, "a"]}}, True),
        ({"query": {"deep": [1]}}, {"query": {"deep": [2]}}, False),
        ({"query": Awkward()}, {"query": Awkward()}, False),
        ({"messages": (UserMessage("a"),)}, {"messages": (UserMessage("a"),)}, True),
        ({"messages": (UserMessage("a"),)}, {"messages": (UserMessage("b"),)}, False),
        ({"kwargs": {"fn": work}}, {"kwargs": {"fn": more_work}}, False),
        ({"agent": Other}, {}, False),
        ({"manifest": AgentManifest(name="b")}, {}, False),
        ({"driver": ONE}, {"driver": ONE}, True),
        ({"driver": ONE}, {"driver": FunctionDriver(Model())}, False),
        ({"key": "a"}, {"key": "a"}, True),
        ({"key": "a"}, {"key": "b"}, False),
        ({"tag": "a", "timeout": 100.0}, {"tag": "b", "timeout": 90.0}, True),
    ],
)
def test_another_job(first: dict[str, Any], second: dict[str, Any], is_same: bool) -> None:
    """A child that has something else to do in the next life is run; the next life but one has what that one had."""
    crash, lives = Crashes(2), iter([first, second, second])
    RUNS.clear()

    def run(agent: Agent[Any], _: Any) -> None:
        fields = {"query": "q", "manifest": CHILD, "agent": Doing, "kwargs": {"fn": work}, **next(lives)}
        agent.spawn(SpawnConfig(**fields)).result()
        crash()

    with pool_of(Model()) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
    assert (outcome.status, outcome.restarts) == (AgentStatus.COMPLETED, 2)
    assert len(RUNS) == (1 if is_same else 2)


def test_data_that_was_changed_meanwhile() -> None:
    """A query that the parent has added to is another one, also if it is the same object."""
    crash, todo, seen = Crashes(), ["a"], []

    def look(agent: Agent[Any], query: Any) -> None:
        seen.append(list(query))

    def run(agent: Agent[Any], _: Any) -> None:
        agent.spawn(SpawnConfig(CHILD, todo, agent=Doing, kwargs={"fn": look})).outcome()
        todo.append("b")
        crash()

    with pool_of(Model()) as pool:
        pool.spawn(parent(run)).result(BOUND)
    assert seen == [["a"], ["a", "b"]]


def test_without_a_restart_policy() -> None:
    """Nothing of it is there: a child has no record."""
    with AgentPool(FunctionDriver(Model())) as pool:
        records: list[Any] = []

        def run(agent: Agent[Any], _: Any) -> None:
            handle = agent.spawn(child())
            records.append((handle._cell.spec.record, agent._parts.ledger))
            handle.result()

        pool.spawn(parent(run)).result(BOUND)
    assert records == [(None, None)]


# Children under way -----------------------------------------------------------------------------------------------


class Holding:
    """A tool that holds its first call until that is cancelled; who waits for that is told when it began."""

    def __init__(self, effect: Any) -> None:
        self.began = threading.Event()
        self.calls = 0

        @tool(effect=effect, timeout=None)
        def hold(cancel: CancelToken) -> str:
            """Hold."""
            self.calls += 1
            if self.calls == 1:
                self.began.set()
                cancel.wait(BOUND)
                cancel.check()
            return "held"

        self.tool = hold


@pytest.mark.parametrize(("effect", "calls"), [("idempotent", 2), ("at_most_once", 1)])
def test_a_child_under_way(effect: str, calls: int) -> None:
    """It goes on where it stood: its answers are not bought again, and what was begun is in doubt as ever."""
    holding, crash, told = Holding(effect), Crashes(), []
    model = Model(lambda _, turn: (wants(("note", {})), wants(("hold", {})), None)[turn])

    @tool(effect="at_most_once")
    def note() -> str:
        """Note."""
        told.append("noted")
        return "noted"

    def run(agent: Agent[Any], _: Any) -> Any:
        handle = agent.spawn(child())
        assert holding.began.wait(BOUND)
        crash()
        return handle.outcome()

    budget = Budget()
    with pool_of(model, tools=[note, holding.tool], budget=budget, max_concurrent=2) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
        stats = pool.stats()
    of_child = outcome.unwrap()
    assert of_child.unwrap().text == "child is done"
    assert model.asked == {("child", turn): 1 for turn in range(3)}
    assert (told, holding.calls) == (["noted"], calls)
    results = [message.content for message in of_child.messages if isinstance(message, ToolResultMessage)]
    assert results[0] == "noted"
    assert (results[1] == "held") == (calls == 2)
    assert ("may or may not" in results[1]) == (calls == 1)
    assert not of_child.recalled
    assert outcome.usage_total == stats.usage == TokenUsage(30, 15)
    assert budget.spent.tokens == 45
    assert (budget.spent.iterations, stats.iterations) == (3, 3)
    assert budget.spent.tool_calls == stats.tool_calls == 2
    assert stats.ended == {AgentStatus.COMPLETED: 2, AgentStatus.CANCELLED: 1}


def test_a_child_that_failed() -> None:
    """It is run again, from where it stood."""
    crash, failures = Crashes(), iter([True, False])

    def answer(_: str, turn: int) -> CompletionResponse | None:
        if turn == 0:
            return wants(("note", {}))
        if next(failures):
            raise ModelNotFound("no")
        return None

    @tool
    def note() -> str:
        """Note."""
        return "noted"

    statuses = []

    def run(agent: Agent[Any], _: Any) -> None:
        statuses.append(agent.spawn(child()).outcome().status)
        crash()

    model = Model(answer)
    with pool_of(model, tools=[note]) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
    assert outcome.ok
    assert statuses == ["failed", "completed"]
    assert model.asked == {("child", 0): 1, ("child", 1): 2}
    assert outcome.usage_total == TokenUsage(20, 10)


def test_an_abandoned_child() -> None:
    """It has a ledger of its own: what its thread does late does not meet the one that goes on in its place."""
    crash, gate, began, ended = Crashes(), Gate(), threading.Event(), threading.Event()
    steps: list[str] = []

    def noted(step: str, result: str) -> str:
        steps.append(step)
        return result

    def stuck(agent: Agent[Any], _: Any) -> list[str]:
        first = agent.step("one", lambda: noted("one", "1"))
        if not began.is_set():
            began.set()
            gate.hold()
            with pytest.raises(Cancelled):
                agent.step("two", lambda: noted("late", ""))
            ended.set()
        return [first, agent.step("two", lambda: noted("two", "2"))]

    def run(agent: Agent[Any], _: Any) -> Any:
        handle = agent.spawn(doing(stuck, manifest=CHILD))
        assert began.wait(BOUND)
        crash()
        try:
            return handle.result()
        finally:
            gate.open()

    with AgentPool(FunctionDriver(Model()), 2, restart=AT_ONCE, abort_timeout=0.05) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
        assert pool.stats().ended[AgentStatus.ABANDONED] == 1
        assert ended.wait(BOUND)
    assert outcome.unwrap() == ["1", "2"]
    assert steps == ["one", "two"]


# Where they are started ---------------------------------------------------------------------------------------------


def test_several_children() -> None:
    """Each has a place of its own, alike or not; those that the first life had not come to are new."""
    crash, count = Crashes(), iter([2, 4])

    def run(agent: Agent[Any], _: Any) -> list[str]:
        handles = [agent.spawn(child(query)) for query in ["a", "a", "b", "c"][: next(count)]]
        texts = [handle.result().text for handle in handles]
        crash()
        return texts

    model = Model()
    with pool_of(model) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
    assert outcome.unwrap() == ["a is done", "a is done", "b is done", "c is done"]
    assert model.asked == {("a", 0): 2, ("b", 0): 1, ("c", 0): 1}
    assert outcome.usage_total == TokenUsage(40, 20)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first life of whoever has called tools ends before the end of any of these calls is known."""
    enter, crashed = MemoryLedger.enter, set[Any]()

    def lose(ledger: MemoryLedger, path: str, state: Any, kind: str, *args: Any, **more: Any) -> None:
        if kind != "tool" or ledger in crashed:
            enter(ledger, path, state, kind, *args, **more)

    def crash(effects: ToolEffects, ends: Any) -> Any:
        if effects._ledger in crashed:
            return answers(effects, ends)
        crashed.add(effects._ledger)
        raise RuntimeError("boom")

    answers = ToolEffects.answers
    monkeypatch.setattr(MemoryLedger, "enter", lose)
    monkeypatch.setattr(ToolEffects, "answers", crash)


@pytest.mark.usefixtures("interrupted")
def test_in_tools_at_the_same_time() -> None:
    """Each call finds its own children again, whichever is first in which life."""
    calls = wants(("have", {"what": "a"}), ("have", {"what": "b"}))
    model = Model(lambda query, turn: calls if (query, turn) == ("q", 0) else None)
    order, ended, called = [], {what: threading.Event() for what in ("a0", "b0", "b1", "a1")}, Counter[str]()

    @tool(effect="idempotent", timeout=None)
    def have(what: str, agent: Agent[Any]) -> str:
        """Have it done, twice."""
        name = f"{what}{called[what]}"
        called[what] += 1
        if name in ("b0", "a1"):  # first a and then b; in the next life first b
            assert ended["a0" if name == "b0" else "b1"].wait(BOUND)
        texts = [agent.spawn(child(f"{what}{number}")).result().text for number in range(2)]
        order.append(name)
        ended[name].set()
        return ", ".join(texts)

    with pool_of(model, tools=[have], max_concurrent=4) as pool:
        outcome = pool.spawn(SpawnConfig(MAY_SPAWN, "q")).outcome(BOUND)
        stats = pool.stats()
    assert outcome.restarts == 1
    assert order == ["a0", "b0", "b1", "a1"]
    results = [message.content for message in outcome.messages if isinstance(message, ToolResultMessage)]
    assert results == ["a0 is done, a1 is done", "b0 is done, b1 is done"]
    assert set(model.asked.values()) == {1}
    assert outcome.usage_total == stats.usage == TokenUsage(60, 30)
    assert stats.ended == {AgentStatus.COMPLETED: 9}


@pytest.mark.usefixtures("interrupted")
def test_an_answer_that_is_another_one() -> None:
    """What was started for an answer that does not stand any more is started anew."""
    more, calls = iter(["", "!"]), wants(("have", {}))

    class Changing(LlmAgent):
        """It asks something else in each life."""

        def run(self, query: Any) -> Any:
            return super().run(f"{query}{next(more)}")

    @tool(effect="idempotent", timeout=None)
    def have(agent: Agent[Any]) -> str:
        """Have it done."""
        return str(agent.spawn(child()).result().text)

    model = Model(lambda query, turn: calls if query[0] == "q" and turn == 0 else None)
    with pool_of(model, tools=[have], max_concurrent=2) as pool:
        outcome = pool.spawn(SpawnConfig(MAY_SPAWN, "q", agent=Changing)).outcome(BOUND)
    assert outcome.unwrap().text == "q! is done"
    assert model.asked == {("q", 0): 1, ("child", 0): 2, ("q!", 0): 1, ("q!", 1): 1}


def test_in_a_step_that_raised() -> None:
    """It is called again, and finds its child; one outside it is another one."""
    crash = Crashes()

    def run(agent: Agent[Any], _: Any) -> list[str]:
        def have() -> str:
            text = agent.spawn(child("inside")).result().text
            crash()
            return str(text)

        outside = agent.spawn(child("outside")).result().text
        return [agent.step("have", have), outside]

    model = Model()
    with pool_of(model) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
    assert outcome.unwrap() == ["inside is done", "outside is done"]
    assert model.asked == {("inside", 0): 1, ("outside", 0): 1}


def test_a_grandchild() -> None:
    """The child that goes on knows its own children: of one that completed it has the outcome."""
    crash, began, model = Crashes(), threading.Event(), Model()
    seen: list[AgentOutcome[Any]] = []

    def middle(agent: Agent[Any], _: Any) -> str:
        seen.append(agent.spawn(child("grandchild")).outcome())
        if not began.is_set():
            began.set()
            agent.sleep(BOUND)
        return str(seen[-1].unwrap().text)

    def run(agent: Agent[Any], _: Any) -> str:
        handle = agent.spawn(doing(middle, manifest=MAY_SPAWN))
        assert began.wait(BOUND)
        crash()
        return str(handle.result())

    with pool_of(model, max_concurrent=2) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
        stats = pool.stats()
    assert outcome.unwrap() == "grandchild is done"
    assert model.asked == {("grandchild", 0): 1}
    assert seen[0].result is seen[1].result
    assert outcome.usage_total == stats.usage == USAGE


def test_an_own_restart_of_a_child() -> None:
    """A child that is started again by itself is the same child: it has what it had."""
    crash, model, own = Crashes(), Model(), Crashes(2)

    class Clumsy(LlmAgent):
        """It crashes when all is bought."""

        def run(self, query: Any) -> Any:
            result = super().run(query)
            own()
            return result

    def run(agent: Agent[Any], _: Any) -> Any:
        outcome = agent.spawn(child(agent=Clumsy)).outcome()
        crash()
        return outcome

    with pool_of(model) as pool:
        outcome = pool.spawn(parent(run)).outcome(BOUND)
    assert (outcome.unwrap().restarts, outcome.unwrap().recalled) == (2, True)
    assert model.asked == {("child", 0): 1}
    assert outcome.usage_total == USAGE
