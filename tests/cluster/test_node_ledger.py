"""Ledgers of agents on hosts: nothing is bought or done twice, whichever node had bought it."""

from __future__ import annotations

import itertools
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    AssistantMessage,
    Backoff,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    Journal,
    RestartPolicy,
    Spawn,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    tool,
)
from actors.agent.ledger import BEGUN, DONE, MemoryLedger
from actors.cluster.family import parts_of
from actors.cluster.ledgers import ENTER_SAFE, SECURE, Ledgers
from actors.errors import JournalFailed
from actors.testing import LedgerConformance, no_thread_left
from actors.testing.cluster import LocalEngine

from ..journal.test_journal_ledger import begun
from ..waiting import Gate, eventually
from .standing import Standing

if TYPE_CHECKING:
    from pathlib import Path

    from actors.agent.ledger import Ledger

BOT = AgentManifest(name="bot")


class TestNodeLedger(LedgerConformance):
    """In place of one that is in the program, it keeps what every ledger promises."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "run.db"
        self.journal: Journal | None = None
        self.numbers = itertools.count(1)
        self.keys: dict[int, str] = {}

    def make_ledger(self) -> Ledger:
        return self.placed(f"agent {next(self.numbers)}")

    def placed(self, key: str) -> Ledger:
        if self.journal is None:
            self.journal = Journal(self.path, on_change="rerun")
            self.cleanup.callback(lambda: self.journal and self.journal.close())
            self.standing = Standing()
            Ledgers(self.standing)  # type: ignore[arg-type]  # as far as they look
        ledger: Ledger = self.standing.place(next(self.numbers), ledger=begun(self.journal, key)).ledger
        ledger.begin_life()
        self.keys[id(ledger)] = key
        return ledger

    def reopen(self, ledger: Ledger) -> Ledger:
        assert self.journal is not None
        self.journal.close()
        self.journal = None
        return self.placed(self.keys[id(ledger)])


def standing_ledger(ledger: MemoryLedger) -> tuple[Standing, Any]:
    """What stands on a host for *ledger*, and both sides of it."""
    standing = Standing()
    Ledgers(standing)  # type: ignore[arg-type]  # as far as they look
    there = standing.place(1, ledger=ledger).ledger
    there.begin_life()
    return standing, there


def test_only_what_has_to_be_safe_is_asked(tmp_path: Path) -> None:
    """All else is told; before the next answer is bought one question makes sure of all that was bought, if any was."""
    with Journal(tmp_path / "run.db") as journal:
        standing, ledger = standing_ledger(begun(journal, "k"))
        ledger.secure()
        ledger.enter("0/@heard", DONE, "heard", {"texts": []})
        ledger.secure()
        assert standing.questions == []
        ledger.enter("0", DONE, "completion", {}, digest="d")
        ledger.enter("0.0", DONE, "tool", {})
        ledger.secure()
        ledger.secure()
        ledger.enter("1.0", BEGUN, "tool", {}, safe=True)
        assert standing.questions == [SECURE, ENTER_SAFE]


def test_without_a_journal_only_what_must_not_be_done_twice_is_asked() -> None:
    """All else is told, for a life on another node."""
    known = MemoryLedger()
    standing, ledger = standing_ledger(known)
    ledger.enter("0", DONE, "completion", {"n": 0}, digest="d")
    ledger.enter("0.0", BEGUN, "tool", {}, safe=True)
    ledger.secure()
    assert standing.questions == [ENTER_SAFE]
    assert [(each.path, each.state, dict(each.data)) for each in known.entries.values()] == [
        ("0", DONE, {"n": 0}),
        ("0.0", BEGUN, {}),
    ]
    assert ledger.effect_key("0.0") == known.effect_key("0.0")


def test_another_host_counts_all_of_it_once() -> None:
    """Its guard and its account are new there; what it enters itself they have counted."""
    known = MemoryLedger()
    standing, first = standing_ledger(known)
    first.enter("0", DONE, "completion", {}, digest="d")
    assert not first.count("0")
    standing.stand_ins.forget(1)
    second = standing.place(1, ledger=known).ledger
    second.begin_life()
    second.enter("1", DONE, "completion", {}, digest="d")
    assert [second.count(path) for path in ("0", "0", "1")] == [True, False, False]


def test_another_agent_with_the_same_job_counts_nothing_again() -> None:
    """A child that its parent starts anew: the one before has counted it, and told its parent."""
    known = MemoryLedger()
    standing, first = standing_ledger(known)
    first.enter("0", DONE, "completion", {}, digest="d")
    second = standing.place(2, ledger=known.copied()).ledger
    second.begin_life()
    assert not second.count("0")
    assert "0" in second.counted


def test_what_cannot_be_recorded_stops_the_agent(tmp_path: Path) -> None:
    """It is told after the entry, and buys nothing more."""
    journal = Journal(tmp_path / "run.db")
    _, ledger = standing_ledger(begun(journal, "k"))
    journal.close()
    ledger.enter("0", DONE, "completion", {}, digest="d")
    for refused in (ledger.secure, ledger.refuse_when_failed, lambda: ledger.enter("1", DONE, "completion", {})):
        with pytest.raises(JournalFailed):
            refused()


@pytest.mark.parametrize(("path", "data"), [("a\ud800", {}), ("step", {"value": float("nan")})])
def test_what_no_file_can_hold_is_refused_where_it_is_entered(tmp_path: Path, path: str, data: dict[str, Any]) -> None:
    """As without a host between."""
    with Journal(tmp_path / "run.db") as journal:
        _, ledger = standing_ledger(begun(journal, "k"))
        with pytest.raises(ValueError, match=r"cannot be recorded|JSON|float"):
            ledger.enter(path, DONE, "step", data)


# Agents on hosts --------------------------------------------------------------------------------------------------


class World:
    """A model and a tool that count what is bought and done, over all processes and nodes."""

    def __init__(self, turns: int = 3) -> None:
        self.turns = turns
        self.bought: list[int] = []
        self.done: list[int] = []
        self.holds: dict[int, Gate] = {}
        self.lock = threading.Lock()
        self.driver = FunctionDriver(self.answer)
        outer = self

        @tool
        def work(number: int) -> int:
            """Do the work of that number."""
            outer.done.append(number)
            return number

        self.tool = work

    def answer(self, request: CompletionRequest) -> CompletionResponse:
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        with self.lock:
            hold = self.holds.pop(turn, None)
        if hold is not None:
            hold.arrive(turn)
        self.bought.append(turn)
        usage = TokenUsage(10, 1)
        if turn == self.turns:
            return CompletionResponse("done", usage=usage)
        call = ToolCall(f"c{turn}", "work", {"number": turn})
        return CompletionResponse("", tool_calls=(call,), usage=usage, stop_reason=StopReason.TOOL_USE)

    def config(self, **more: Any) -> SpawnConfig[Any]:
        return SpawnConfig(BOT, "go", driver=self.driver, tools=[self.tool], **more)


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_lost_agent_goes_on_elsewhere(tmp_path: Path, *, has_journal: bool) -> None:
    """With a restart policy: what the first node has bought is known on the second, and is in its outcome."""
    world, gate = World(), Gate()
    world.holds[2] = gate
    engine = LocalEngine(2, shares=True)
    options: dict[str, Any] = {"journal": tmp_path / "run.db"} if has_journal else {}
    restart = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.01, jitter=0.0))
    with no_thread_left(), AgentPool(engine=engine, restart=restart, **options) as pool:
        handle = pool.spawn(world.config(key="k"))
        gate.next()
        ledger = parts_of(handle._cell).ledger
        assert ledger is not None
        eventually(partial(ledger.find, "1.0"))
        (node,) = [view.node for view in engine.nodes() if view.placed]
        engine.link.kill_host(node)
        gate.open()
        outcome = handle.outcome()
    assert outcome.status is AgentStatus.COMPLETED, outcome.error
    assert world.done == [0, 1, 2]
    assert sorted(set(world.bought)) == [0, 1, 2, 3]
    assert (world.bought.count(0), world.bought.count(1)) == (1, 1)
    assert (outcome.iterations, outcome.tool_calls, outcome.usage.input_tokens) == (4, 3, 40)


def test_a_lost_run_resumes(tmp_path: Path) -> None:
    """A later program, on other nodes, buys and does nothing that was bought and done."""
    world, gate = World(), Gate()
    world.holds[2] = gate
    path = tmp_path / "run.db"
    engine = LocalEngine(1, shares=True)
    with AgentPool(engine=engine, journal=path) as pool:
        handle = pool.spawn(world.config(key="k"))
        gate.next()
        engine.link.lose_engine()
        assert handle.outcome().status is AgentStatus.LOST
        gate.open()
    assert world.done == [0, 1]
    del world.bought[2:]
    with AgentPool(engine=LocalEngine(1, shares=True), journal=path) as pool:
        outcome = pool.spawn(world.config(key="k")).outcome()
    assert outcome.status is AgentStatus.COMPLETED, outcome.error
    assert (world.bought, world.done) == ([0, 1, 2, 3], [0, 1, 2])
    assert (outcome.iterations, outcome.tool_calls, outcome.usage.input_tokens) == (4, 3, 40)
    with AgentPool(engine=LocalEngine(1, shares=True), journal=path) as pool:
        again = pool.spawn(world.config(key="k")).outcome()
    assert again.recalled
    assert len(world.bought) == 4
    with AgentPool(journal=path) as pool:  # what a node has bought is known without nodes, too
        assert pool.spawn(world.config(key="k")).outcome().recalled


class Parent(Agent[Any]):
    """Starts three children, one after the other."""

    def run(self, query: Any) -> Any:
        return [self.spawn(SpawnConfig(BOT, f"{query} {number}")).result().text for number in range(3)]


def test_children_of_a_lost_run_are_known_by_their_places(tmp_path: Path) -> None:
    """Those that completed come back with what they said; the one under way goes on."""
    gate = Gate()
    path = tmp_path / "run.db"
    manifest = AgentManifest(name="parent", capabilities=(Spawn(max_depth=2),))
    answered: list[int] = []

    def answer(request: CompletionRequest) -> CompletionResponse:
        answered.append(len(answered))
        if len(answered) == 3:
            gate.arrive(3)
        return CompletionResponse(f"child {len(answered)}", usage=TokenUsage(10, 1))

    config = SpawnConfig(manifest, "child", agent=Parent, driver=FunctionDriver(answer), key="p")
    engine = LocalEngine(2, shares=True)
    with AgentPool(engine=engine, journal=path) as pool:
        handle = pool.spawn(config)
        gate.next()
        engine.link.lose_engine()
        assert handle.outcome().status is AgentStatus.LOST
        gate.open()
    del answered[2:]
    with AgentPool(engine=LocalEngine(2, shares=True), journal=path) as pool:
        outcome = pool.spawn(config).outcome()
    assert outcome.result == ["child 1", "child 2", "child 3"], outcome.error
    assert len(answered) == 3
