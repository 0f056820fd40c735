"""J1 to J10: what holds of a journal at every moment, each with a test that fails without it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentEnded,
    AgentManifest,
    AgentPool,
    AgentStatus,
    ApprovalRequested,
    ApprovalRules,
    AssistantMessage,
    CompletionResponse,
    Effect,
    FunctionDriver,
    Journal,
    JournalChanged,
    JournalFailed,
    LlmAgent,
    ModelConfig,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    tool,
)
from actors.storage.commit import Committer
from actors.testing.leaks import running
from benchmarks.kills import books

from ..waiting import Gate, eventually
from .random_programs import Camera, Program, Talker, World, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors import CompletionRequest, Event

ROOT = Path(__file__).parents[2]
TURNS = tuple(f"{number} done" for number in range(9))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where the journal of a test is."""
    return tmp_path / "run.db"


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[list[str]], object]], None]:
    """``commits(look)`` has *look* called before each commit with what is in it: ``0 done``, ``ended``."""
    commit = Committer._commit

    def watch(look: Callable[[list[str]], object]) -> None:
        def committed(line: Committer, batch: Sequence[Any]) -> None:
            entries = [getattr(entry, "entry", entry) for entry in batch]
            look([f"{entry[1]} {entry[2]}".strip() for entry in entries if type(entry) is tuple])
            commit(line, batch)

        monkeypatch.setattr(Committer, "_commit", committed)

    return watch


class Asked:
    """A driver that pays once in each conversation, and remembers what it was asked."""

    def __init__(self, *words: str) -> None:
        self.requests: list[CompletionRequest] = []
        self._words = words or ("pay",)

    def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.requests.append(request)
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        if turn:
            return CompletionResponse("done", usage=TokenUsage(5, 1))
        calls = tuple(ToolCall(word, word, {}) for word in self._words)
        return CompletionResponse("", StopReason.TOOL_USE, calls, TokenUsage(5, 1))


@tool(effect="at_most_once")
def pay() -> str:
    """Pay."""
    return "paid"


def states(journal: Path) -> list[str]:
    """What is in the file: ``0 done``, ``ended``, in order."""
    return [f"{entry.path} {entry.state}".strip() for entry in books.read(journal)]


def spawn(pool: AgentPool, **more: Any) -> Any:
    return pool.spawn(SpawnConfig(AgentManifest(name="payer"), "the bill", key="a", **more))


# The file -----------------------------------------------------------------------------------------------------------


def test_j1_what_was_acknowledged_is_there(journal: Path, gate: Gate, commits: Any) -> None:
    """J1: as long as its outcome is not on disk, nobody sees that an agent has completed."""
    commits(lambda names: gate.hold() if "ended" in names else None)
    with AgentPool(FunctionDriver(Asked()), tools=[pay], journal=journal) as pool:
        handle = spawn(pool)
        gate.await_reached()
        assert not handle.done()
        assert "ended" not in states(journal)
        gate.open()
        assert handle.outcome().ok
        assert "ended" in states(journal)


def test_j2_the_file_is_a_prefix_at_every_moment(journal: Path, tmp_path: Path, commits: Any) -> None:
    """J2: whenever the program dies, what is there is the beginning of what happened, step after step."""
    images: list[list[str]] = []
    commits(lambda names: images.append(states(journal)))
    with AgentPool(FunctionDriver(Asked()), tools=[pay], journal=journal) as pool:
        assert spawn(pool).outcome().ok
    last = states(journal)
    assert last == ["admitted", "begun", "0 done", "0.0 begun", "0.0 done", "1 done", "ended"]
    assert len(images) > 2
    for image in images:
        assert image == last[: len(image)]


def test_j3_who_ends_twice_has_one_end(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J3: whoever comes second, be it the thread of the agent or whoever gave it up, enters nothing."""
    from actors.journal.records import JournalRecord

    keep = JournalRecord.keep

    def keep_twice(record: JournalRecord, outcome: Any) -> None:
        keep(record, outcome)
        keep(record, outcome)

    monkeypatch.setattr(JournalRecord, "keep", keep_twice)
    with AgentPool(FunctionDriver(Asked()), tools=[pay], journal=journal) as pool:
        assert spawn(pool).outcome().ok
    assert states(journal).count("ended") == 1


def test_j3_one_final_end_for_a_key(journal: Path, gate: Gate) -> None:
    """J3: who is given up, and completes all the same when nobody waits any more, has one end; and one of the next."""

    class Deaf(Agent[str]):
        def run(self, query: Any) -> str:
            gate.hold()
            return "late"

    with AgentPool(journal=journal, abort_timeout=0.01) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "", key="a", agent=Deaf))
        gate.await_reached()
        handle.cancel("enough")
        assert handle.outcome().status is AgentStatus.ABANDONED
        gate.open()
        eventually(lambda: not pool.stats().abandoned_threads)
    for recalled in (False, True):
        with AgentPool(journal=journal) as pool:
            outcome = pool.spawn(SpawnConfig(AgentManifest(), "", key="a", agent=Deaf)).outcome()
        assert (outcome.status, outcome.result, outcome.recalled) == (AgentStatus.COMPLETED, "late", recalled)
    ends = [entry.payload["status"] for entry in books.read(journal) if entry.state == "ended"]
    assert ends == ["abandoned", "completed"]


@pytest.mark.parametrize("at", [3, 9, 15])
def test_j4_what_is_recorded_is_not_asked_again(journal: Path, tmp_path: Path, at: int) -> None:
    """J4: whichever of many agents go on first, in another order and with other parallelism."""
    agents = tuple(Talker((("pay",), ("note", "pay"), ("child",))) for _ in range(8))
    world = World()
    camera = Camera(journal, tmp_path / "image", at, world)
    with contextmanager(camera.watch)():
        run(Program(agents, 5), world, journal)
    assert camera.image is not None
    known = sum(entry.kind == "completion" for entry in books.read(camera.image))
    later = World(camera.events)
    assert len(run(Program(agents, 2), later, camera.image)) == len(agents)
    assert later.here("bought").total() == 8 * 6 - known
    assert max(later.here("bought").values()) == 1


@pytest.mark.parametrize("effect", ["idempotent", "at_most_once"])
def test_j4_no_answer_is_bought_before_all_else_is_on_disk(
    journal: Path, effect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J4: so a kill costs an agent one answer at most, however quick the model, and however slow the disk; and what was
    done before it is not in doubt.
    """
    monkeypatch.setattr("actors.storage.commit.GATHER", 10.0)  # what nobody waits for takes so long
    images: list[list[str]] = []

    def answer(request: CompletionRequest) -> CompletionResponse:
        images.append(states(journal))
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        calls = (ToolCall(f"{turn}", "note", {"turn": turn}),) if turn < 3 else ()
        return CompletionResponse("done", StopReason.TOOL_USE if calls else StopReason.END_TURN, calls)

    @tool(effect=Effect(effect))
    def note(turn: int) -> str:
        """Note."""
        return "noted"

    with AgentPool(FunctionDriver(answer), tools=[note], journal=journal) as pool:
        assert spawn(pool).outcome().ok
    for turn, image in enumerate(images):
        assert [f"{number} done" for number in range(turn)] == [name for name in image if name in TURNS], images
        assert all(f"{number}.0 done" in image for number in range(turn)), images


def test_j4_nobody_is_asked_about_an_answer_that_is_not_on_disk(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J4: whoever dies while somebody is asked does not buy the answer again."""
    monkeypatch.setattr("actors.storage.commit.GATHER", 10.0)  # what nobody waits for takes so long
    images: list[list[str]] = []

    def approve(event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            images.append(states(journal))
            assert pool.approve(event.agent_id, event.call_id)

    manifest = AgentManifest(approval=ApprovalRules(tools=("pay",)))
    with AgentPool(FunctionDriver(Asked()), tools=[pay], journal=journal, on_event=approve) as pool:
        assert pool.spawn(SpawnConfig(manifest, "", key="a")).outcome().ok
    assert images == [["admitted", "begun", "0 done"]]


@pytest.mark.parametrize("kind", ["tool", "step"])
def test_j5_begun_is_on_disk_before_the_first_instruction(journal: Path, kind: str) -> None:
    """J5: the effect itself sees in the file that it was begun."""
    seen: list[list[str]] = []

    def look() -> str:
        seen.append(states(journal))
        return "done"

    class Stepping(Agent[str]):
        def run(self, query: Any) -> str:
            return self.step("look", look)

    config = SpawnConfig(AgentManifest(), "", key="a", agent=Stepping if kind == "step" else LlmAgent)
    with AgentPool(FunctionDriver(Asked("look")), tools=[tool(look)], journal=journal) as pool:
        assert pool.spawn(config).outcome().ok
    assert [image[-1] for image in seen] == ["look begun" if kind == "step" else "0.0 begun"]


# Resuming -----------------------------------------------------------------------------------------------------------


def test_j6_recalled_takes_nothing(journal: Path) -> None:
    """J6: an agent that is known takes no driver call and no approval, and no object of it is built."""

    class Built(LlmAgent):
        built = 0

        def __init__(self) -> None:
            type(self).built += 1

    def decide(event: Event) -> None:
        events.append(event)
        if isinstance(event, ApprovalRequested):
            pool.approve(event.agent_id, event.call_id)

    events: list[Event] = []
    rules = ApprovalRules(tools=("pay",))
    config = SpawnConfig(AgentManifest(name="payer", approval=rules), "the bill", key="a", agent=Built)
    driver = Asked()
    for _ in range(2):
        with AgentPool(FunctionDriver(driver), tools=[pay], on_event=decide, journal=journal) as pool:
            outcome = pool.spawn(config).outcome()
            assert outcome.ok
    assert outcome.recalled
    assert Built.built == 1
    assert len(driver.requests) == 2
    assert sum(isinstance(event, ApprovalRequested) for event in events) == 1
    assert [event.recalled for event in events if isinstance(event, AgentEnded)] == [False, True]


def other_prompt(manifest: AgentManifest) -> dict[str, Any]:
    return {"manifest": manifest.model_copy(update={"model": ModelConfig(system_prompt="Be rude.")})}


def other_model(manifest: AgentManifest) -> dict[str, Any]:
    return {"manifest": manifest.model_copy(update={"model": ModelConfig(remote_model="other")})}


def other_query(manifest: AgentManifest) -> dict[str, Any]:
    return {"query": "another bill"}


def other_tools(manifest: AgentManifest) -> dict[str, Any]:
    @tool
    def more() -> str:
        """More."""
        return "more"

    return {"tools": [pay, more]}


@pytest.mark.parametrize(
    ("change", "what"),
    [(other_prompt, "model"), (other_model, "model"), (other_query, "query"), (other_tools, "tools")],
)
def test_j7_a_change_is_noticed_before_anything_is_bought(
    journal: Path, change: Callable[[AgentManifest], dict[str, Any]], what: str
) -> None:
    """J7: another prompt, model, query or list of tools than that of the answer which is recorded."""
    manifest = AgentManifest(name="payer")
    with AgentPool(FunctionDriver(fails_at(1)), tools=[pay], journal=journal) as pool:
        assert pool.spawn(SpawnConfig(manifest, "the bill", key="a")).outcome().status is AgentStatus.CRASHED
    driver = Asked()
    fields = {"manifest": manifest, "query": "the bill", "key": "a", "tools": [pay], **change(manifest)}
    with AgentPool(FunctionDriver(driver), journal=journal) as pool, pytest.raises(JournalChanged) as caught:
        pool.spawn(SpawnConfig(**fields)).result()
    assert what in caught.value.what
    assert caught.value.key == "a"
    assert driver.requests == []


def fails_at(turn: int) -> Callable[[CompletionRequest], CompletionResponse]:
    """A model that breaks at that answer."""
    answer = Asked()

    def ask(request: CompletionRequest) -> CompletionResponse:
        if len(answer.requests) == turn:
            raise ZeroDivisionError("broken")
        return answer(request)

    return ask


# Failing, and the end -------------------------------------------------------------------------------------------------


def test_j8_after_a_failed_write_nothing_is_begun(journal: Path, gate: Gate, commits: Any) -> None:
    """J8: the agent that runs does not pay and asks no more, and no other is started."""
    full = threading.Event()

    def look(names: list[str]) -> None:
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")

    paid: list[str] = []

    @tool(name="pay")
    def really_pay() -> str:
        """Pay."""
        paid.append("once")
        return "paid"

    def answer(request: CompletionRequest) -> CompletionResponse:
        gate.hold()
        return driver(request)

    commits(look)
    driver = Asked()
    kept = Journal(journal)
    with AgentPool(FunctionDriver(answer), tools=[really_pay], journal=kept) as pool:
        handle = spawn(pool)
        gate.await_reached()
        full.set()
        gate.open()
        outcome = handle.outcome()
        assert (outcome.status, type(outcome.error)) == (AgentStatus.FAILED, JournalFailed)
        assert paid == []
        assert len(driver.requests) == 1
        with pytest.raises(JournalFailed):
            pool.spawn(SpawnConfig(AgentManifest(), "another", key="b")).result()
        assert len(driver.requests) == 1
        full.clear()  # there is room again: it stays stopped
        with pytest.raises(JournalFailed):
            pool.spawn(SpawnConfig(AgentManifest(), "another", key="c")).result()
    with pytest.raises(JournalFailed):
        kept.close()
    kept.close()  # it has let go of the file, and has said why


NOTHING_OF_IT = """
import sys
from actors import AgentManifest, AgentPool, ScriptedDriver, LlmAgent, SpawnConfig

class Looking(LlmAgent):
    def run(self, query):
        assert self._parts.ledger is None
        assert self.key is None
        return super().run(query)

with AgentPool(ScriptedDriver(["yes"])) as pool:
    assert pool.spawn(SpawnConfig(AgentManifest(), "hello", agent=Looking)).result().text == "yes"
    assert pool.spawn(SpawnConfig(AgentManifest(), "hello", agent=Looking, driver=ScriptedDriver(["no"]))).outcome().ok
parts = ("sqlite3", "_sqlite3", "actors.journal.", "actors.storage")
print(sorted(name for name in sys.modules if name.startswith(parts)))
"""


@pytest.mark.process
def test_j9_without_a_journal_nothing_of_it_is_there() -> None:
    """J9: nothing is imported, and no agent has a ledger."""
    done = subprocess.run(
        [sys.executable, "-c", NOTHING_OF_IT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_j10_after_close_nothing_is_left(journal: Path) -> None:
    """J10: no thread, no lock, no log, no open file; the next may open it at once."""
    before = running()
    for _ in range(2):
        with AgentPool(FunctionDriver(Asked()), tools=[pay], journal=journal) as pool:
            assert spawn(pool).outcome().ok
        assert [path.name for path in journal.parent.iterdir()] == [journal.name]
        assert running() - before == set()
        folder = Path("/proc/self/fd")
        if folder.exists():
            links = [os.readlink(link) for link in folder.iterdir() if link.exists()]
            assert [link for link in links if link.startswith(str(journal))] == []
    with closing(sqlite3.connect(journal)) as connection:
        assert connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone() == ("exclusive",)
        connection.execute("BEGIN EXCLUSIVE")
