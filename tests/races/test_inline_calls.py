"""A tool call in its agent's thread: who goes on with the agent, that thread or the one that leaves it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    FunctionDriver,
    LlmAgent,
    SpawnConfig,
    ToolRegistry,
    tool,
)
from actors.core.supervision.tool_threads import ToolThreads
from actors.core.waiting.crowd import crowd
from actors.ports import CompletionRequest, CompletionResponse, StopReason, TokenUsage, ToolCall

from ..waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentOutcome


class Model:
    """Calls the tool ``work``, then says what it was told; it notes in which thread it is asked."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.driver = FunctionDriver(self._answer)

    def _answer(self, request: CompletionRequest) -> CompletionResponse:
        self.threads.append(threading.get_ident())
        last: Any = request.messages[-1]
        if last.role == "tool":
            return CompletionResponse(last.content, usage=TokenUsage(1, 1))
        return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("c", "work", {}),), TokenUsage(1, 1))


def pool_of(model: Model, fn: Callable[..., Any], timeout: float | None, **fields: Any) -> AgentPool:
    """A pool whose agents call *fn*."""
    registry = ToolRegistry([tool(timeout=timeout, name="work")(fn)])
    return AgentPool(model.driver, 1, tools=registry, **({"abort_timeout": BOUND} | fields))


def spawn(pool: AgentPool, agent: type[Agent[Any]] | None = None, **fields: Any) -> Any:
    """An agent that asks the model."""
    return pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q", agent=agent, **fields))


@pytest.mark.parametrize("timeout", [None, BOUND])
def test_a_call_in_time_runs_where_its_agent_does(timeout: float | None) -> None:
    """No other thread takes part, with a timeout and without."""
    model, threads = Model(), list[int]()

    def work() -> str:
        threads.append(threading.get_ident())
        return "in time"

    with pool_of(model, work, timeout) as pool:
        assert spawn(pool).result(BOUND).text == "in time"
    assert model.threads == threads * 2


def test_a_call_past_its_time_is_left_in_its_thread() -> None:
    """The agent goes on in another one, and the thread is counted until the tool ends; then it is a worker again."""
    model, gate, tokens = Model(), Gate(), list[Any]()

    def work(cancel: Any) -> str:
        tokens.append(cancel)
        gate.hold()
        return "late"

    with pool_of(model, work, 0.01) as pool:
        outcome: AgentOutcome[Any] = spawn(pool).outcome(BOUND)
        assert outcome.unwrap().text == "work timed out after 0.01 s"
        assert (tokens[0].cancelled, tokens[0].timed_out) == (True, True)
        assert pool.stats().abandoned_threads == 1
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
        assert pool.submit(lambda: "free").result(BOUND) == "free"
    assert len(set(model.threads)) == 2
    assert outcome.iterations == 2


@pytest.mark.parametrize("tool_wins", [True, False])
def test_the_end_of_a_call_and_its_time_have_one_winner(*, tool_wins: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have begun: whoever takes the turn first goes on, and the model is told once."""
    model, ended, left = Model(), Gate(), Gate()
    real_end, real_leave = ToolThreads.end_inline, ToolThreads.leave_inline
    late = threading.Event()

    def end_inline(self: ToolThreads, *args: Any) -> bool:
        if tool_wins:
            goes_on = real_end(self, *args)
            left.open()
            return goes_on
        ended.hold()
        return real_end(self, *args)

    def leave_inline(self: ToolThreads, *args: Any) -> bool:
        late.set()
        if tool_wins:
            left.hold()
            return real_leave(self, *args)
        ended.await_reached()
        goes_on = real_leave(self, *args)
        ended.open()
        return goes_on

    monkeypatch.setattr(ToolThreads, "end_inline", end_inline)
    monkeypatch.setattr(ToolThreads, "leave_inline", leave_inline)

    def work() -> str:
        assert late.wait(BOUND)
        return "in time"

    with pool_of(model, work, 0.01) as pool:
        text = spawn(pool).result(BOUND).text
        eventually(lambda: pool.stats().abandoned_threads == 0)
    assert text == ("in time" if tool_wins else "work timed out after 0.01 s")
    assert len(model.threads) == 2


@pytest.mark.parametrize("how", ["cancel", "deadline", "abort"])
def test_a_stopped_agent_leaves_its_call_at_once(how: str) -> None:
    """It ends, with ``on_end`` in another thread, while the tool is still in its own."""
    model, gate, ends = Model(), Gate(), list[tuple[int, str]]()

    class Bot(LlmAgent):
        def on_end(self, outcome: AgentOutcome[Any]) -> None:
            ends.append((threading.get_ident(), str(outcome.status)))

    with pool_of(model, lambda: gate.hold(), None) as pool:
        handle = spawn(pool, Bot, timeout=0.05 if how == "deadline" else None)
        gate.await_reached()
        if how == "cancel":
            handle.cancel("enough")
        elif how == "abort":
            pool.abort_all("enough")
        outcome = handle.outcome(BOUND)
        assert outcome.status is (AgentStatus.TIMED_OUT if how == "deadline" else AgentStatus.CANCELLED)
        assert pool.stats().abandoned_threads == 1
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
    assert [status for _, status in ends] == [str(outcome.status)]
    assert ends[0][0] != model.threads[0]


def test_a_cancel_that_comes_after_the_call_ends_the_agent_in_its_own_thread() -> None:
    """The other winner: nobody is left behind."""
    model, handles, known = Model(), list[Any](), threading.Event()

    def work() -> str:
        return "in time"

    class Bot(LlmAgent):
        def instructions(self) -> str:
            assert known.wait(BOUND)
            handles[0].cancel("enough")
            return ""

    with pool_of(model, work, BOUND) as pool:
        handles.append(spawn(pool, Bot))
        known.set()
        assert handles[0].outcome(BOUND).status is AgentStatus.CANCELLED
        assert pool.stats().abandoned_threads == 0


def test_without_a_thread_the_call_is_left_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread can be started as its time runs out: it is tried again, and nothing is lost."""
    model, gate, refused, in_tool = Model(), Gate(), list[int](), threading.Event()

    def work() -> None:
        in_tool.set()
        gate.hold()

    with pool_of(model, work, 0.01) as pool:
        assert pool._supervisor is not None
        crew = pool._supervisor.pool.crew
        real = crew.start

        def start(job: Any) -> None:
            if in_tool.is_set() and not refused:
                refused.append(1)
                raise RuntimeError("can't start new thread")
            real(job)

        monkeypatch.setattr(crew, "start", start)
        assert spawn(pool).result(BOUND).text == "work timed out after 0.01 s"
        assert refused == [1]
        gate.open()


def test_without_an_alarm_the_call_is_made_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread cannot be started: the agent's own waits for the time of the call."""
    model, gate, where = Model(), Gate(), list[int]()

    def work() -> None:
        where.append(threading.get_ident())
        gate.hold()

    monkeypatch.setattr(crowd().alarm, "mind", lambda *_: False)
    with pool_of(model, work, 0.01) as pool:
        assert spawn(pool).result(BOUND).text == "work timed out after 0.01 s"
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
    assert len(set(model.threads)) == 1
    assert where[0] not in model.threads


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_a_call_raises_is_told_to_the_model(error: type[BaseException]) -> None:
    """Also what would end a program: it ends neither the thread nor the agent."""
    model = Model()

    def work() -> str:
        raise error("no")

    with pool_of(model, work, BOUND) as pool:
        assert spawn(pool).result(BOUND).text == f"work failed: {error.__name__}: no"


def test_a_call_that_waits_for_a_child_lays_the_slot_out() -> None:
    """In a pool of one slot the child runs meanwhile, and the agent goes on in its own thread."""
    model = Model()

    class Child(Agent[str]):
        def run(self, query: str) -> str:
            return query.upper()

    def work(agent: Agent[Any]) -> str:
        return str(agent.spawn(SpawnConfig(AgentManifest(name="child"), "ho", agent=Child)).result(BOUND))

    with pool_of(model, work, BOUND) as pool:
        assert spawn(pool).result(BOUND).text == "HO"
    assert len(set(model.threads)) == 1


def test_a_call_that_waits_past_its_time_gives_the_slot_back() -> None:
    """Its agent was parked with it; it goes on in another thread, with a slot."""
    model = Model()

    def work(agent: Agent[Any]) -> str:
        agent.receive()
        return "late"

    with pool_of(model, work, 0.02) as pool:
        assert spawn(pool).result(BOUND).text == "work timed out after 0.02 s"
        eventually(lambda: pool.stats().abandoned_threads == 0)
        assert pool.submit(lambda: "free").result(BOUND) == "free"
    assert len(set(model.threads)) == 2


def test_an_agent_with_a_run_of_its_own_stays_in_its_thread() -> None:
    """Its stack is a user's: the call has a thread of its own, and the agent goes on where it was."""
    model, gate, where = Model(), Gate(), list[int]()

    class Bot(LlmAgent[str]):
        def run(self, query: str) -> str:
            where.append(threading.get_ident())
            text = str(super().run(query).text)
            where.append(threading.get_ident())
            return text

    with pool_of(model, lambda: gate.hold(), 0.01) as pool:
        assert spawn(pool, Bot).result(BOUND) == "work timed out after 0.01 s"
        gate.open()
    assert len({*where, *model.threads}) == 1
