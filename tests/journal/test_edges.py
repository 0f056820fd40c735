"""Whatever a file, a disk or a program does to a journal: nothing is lost silently, and nothing is begun in vain."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentLost,
    AgentPool,
    AgentStatus,
    Backoff,
    Durability,
    Journal,
    JournalBusy,
    JournalCorrupt,
    JournalError,
    JournalFailed,
    JournalGaveUp,
    JournalVersion,
    RestartPolicy,
)
from actors.journal import store
from actors.journal.records import JournalRecord
from actors.storage import database

from .programs import World, entries, left_over, run, states

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


# The door -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"durability": "disk"}, ValueError, "'process' or 'power'"),
        ({"durability": True}, TypeError, "'process' or 'power'"),
        ({"on_change": "ignore"}, ValueError, "'refuse' or 'rerun'"),
        ({"in_doubt": "guess"}, ValueError, "'tell' or 'ask' or 'fail'"),
        ({"in_doubt": None}, TypeError, "'tell' or 'ask' or 'fail'"),
        ({"final": "completed"}, TypeError, "final=("),
        ({"final": ("done",)}, ValueError, "completed, failed, crashed, cancelled, timed_out, abandoned, lost"),
        ({"final": ("running",)}, ValueError, "completed, failed"),
        ({"final": (1,)}, TypeError, "statuses"),
        ({"final": 3}, TypeError, "statuses"),
        ({"max_attempts": 0}, ValueError, "at least 1"),
        ({"max_attempts": 1.5}, TypeError, "whole number"),
        ({"max_attempts": True}, TypeError, "whole number"),
        ({"path": ""}, ValueError, "path of a file"),
        ({"path": b"run.db"}, TypeError, "path"),
        ({"path": None}, TypeError, "path"),
        ({"path": "a\0b"}, ValueError, "path of a file"),
    ],
)
def test_what_the_door_does_not_take(tmp_path: Path, fields: dict[str, Any], error: type[Exception], said: str) -> None:
    """It says what is allowed, and makes no file."""
    with pytest.raises(error) as caught:
        Journal(**{"path": tmp_path / "run.db", **fields})
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("journal", [1, b"x", ["run.db"]])
def test_a_pool_takes_a_path_or_a_journal(journal: Any) -> None:
    """And nothing else; no pool is left behind."""
    with pytest.raises(TypeError, match="journal"):
        AgentPool(journal=journal)


def test_words_and_members_are_one(path: Path) -> None:
    """Of each enumeration; any order of statuses, and none at all: then all are run again."""
    world = World()
    for final, runs in (([], 1), (("completed", "failed"), 2), (iter(["completed"]), 2)):
        with Journal(path, durability=Durability.POWER, final=final) as journal:
            run(journal, [world.config("a")])
        assert world.runs["a"] == runs


def test_a_journal_is_for_its_owner_alone(path: Path) -> None:
    """It holds prompts and answers in the clear."""
    run(path, [World().config("a")])
    assert path.stat().st_mode & 0o777 == 0o600
    with by_hand(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        numbers = connection.execute("SELECT number, pid, ended_at > started_at FROM process").fetchall()
    assert numbers == [(1, os.getpid(), 1)]


def test_after_the_end_nothing_is_left(path: Path) -> None:
    """No thread, no lock, no log; closing twice does nothing."""
    before = set(threading.enumerate())
    journal = Journal(path)
    run(journal, [World().config("a")])
    assert len(set(threading.enumerate()) - before) == 1
    journal.close()
    journal.close()
    assert set(threading.enumerate()) == before
    assert left_over(path) == []
    assert "run.db" in repr(journal)


WITHOUT = """
import sys, threading
from actors import Agent, AgentManifest, AgentPool, SpawnConfig
class A(Agent):
    def run(self, query):
        return query
with AgentPool() as pool:
    assert pool.spawn(SpawnConfig(AgentManifest(name="a"), 1, agent=A)).outcome(10).result == 1
    names = {thread.name for thread in threading.enumerate()}
ours = ("sqlite3", "actors.journal.", "actors.storage")
print([name for name in sys.modules if name.startswith(ours)], names)
"""


@pytest.mark.process
def test_without_a_journal_nothing_of_it_is_there() -> None:
    """No module, and no thread."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("[] ")
    assert "journal" not in done.stdout


# Folders and files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no/such/folder/run.db", "run.db/run.db", "."])
def test_where_no_journal_can_be(tmp_path: Path, name: str) -> None:
    """The folder is not there, or is none; the path is one."""
    (tmp_path / "run.db").write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(JournalError, match=r"folder|directory"):
        Journal(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_that_no_system_takes(tmp_path: Path) -> None:
    """Too long for one."""
    with pytest.raises(JournalError, match="too long"):
        Journal(tmp_path / ("x" * 300))


def test_a_file_with_two_names_is_refused(path: Path) -> None:
    """Each would have a lock and a log of its own."""
    run(path, [World().config("a")])
    other = path.with_name("other.db")
    other.hardlink_to(path)
    for name in (path, other):
        with pytest.raises(JournalError, match="2 names"):
            Journal(name)
    other.unlink()
    assert run(path, [World().config("a")])[0].recalled


@pytest.mark.process
def test_another_program_that_looks_into_the_file_takes_no_log_away(path: Path) -> None:
    """As the last one to close a file does. What a journal reads of itself lets go of no lock that says it is there."""
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(*c.execute('SELECT path FROM entry')); c.close()"
    )
    with Journal(path) as journal:
        run(journal, [World().config("a")])
        assert len(list(journal.agents())) == 1
        with pytest.raises(JournalBusy):
            Journal(path)
        subprocess.run([sys.executable, "-S", "-c", look, path], check=True, stdout=subprocess.PIPE)
        run(journal, [World().config("b")])
    assert len({agent for agent, *_ in entries(path)}) == 2


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here is read only for everybody")
def test_a_folder_that_is_read_only() -> None:
    """It says that the lock cannot be taken there."""
    with pytest.raises(JournalError, match=r"/proc/run\.db"):
        Journal("/proc/run.db")


def test_a_file_system_without_a_log_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One writer behind, and readers meanwhile, need it."""
    monkeypatch.setattr(
        database,
        "_connect",
        lambda path, mode, *_: sqlite3.connect(
            f"file:{path}?mode={mode}&vfs=unix-none", uri=True, isolation_level=None, check_same_thread=False
        ),
    )
    with pytest.raises(JournalError, match="write-ahead log"):
        Journal(path)
    assert left_over(path) == []


def test_another_programs_file_is_left_as_it_is(path: Path) -> None:
    """A text, or a database of others."""
    path.write_text("notes\n" * 1000)
    with pytest.raises(JournalCorrupt, match="another path"):
        Journal(path)
    assert path.read_text() == "notes\n" * 1000
    path.unlink()
    with by_hand(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    with pytest.raises(JournalCorrupt, match="another program's"):
        AgentPool(journal=path)
    assert left_over(path) == []


@pytest.mark.parametrize("change", ["DROP TABLE process", "DROP TABLE entry", "ALTER TABLE process RENAME pid TO p"])
def test_a_file_without_its_tables_is_damaged(path: Path, change: str) -> None:
    """It says that it is a journal, and is none."""
    run(path, [World().config("a")])
    with by_hand(path) as connection:
        connection.execute(change)
    with pytest.raises(JournalCorrupt, match="actors journal check"):
        Journal(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    """And not changed."""
    run(path, [World().config("a")])
    with by_hand(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalVersion, match="update the library"):
        Journal(path)
    with by_hand(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_newer_entry_is_refused_for_its_agent(path: Path) -> None:
    """Other agents go on."""
    world = World()
    run(path, [world.config("a", key="a"), world.config("b", key="b")])
    alter(path, "a", "ended", '{"v":2}')
    with AgentPool(journal=path) as pool:
        with pytest.raises(JournalVersion, match="version 2"):
            pool.spawn(world.config("a", key="a"))
        assert pool.spawn(world.config("b", key="b")).outcome(10).recalled


def alter(path: Path, agent: str, state: str, payload: str) -> None:
    """Write other words there, with a checksum that fits."""
    import zlib

    with by_hand(path) as connection:
        connection.execute(
            "UPDATE entry SET payload = ?, checksum = ? WHERE agent = ? AND state = ?",
            (payload, zlib.crc32(payload.encode()), agent, state),
        )


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_file_that_was_cut_is_told(path: Path, part: float) -> None:
    """At the opening; it is not begun anew."""
    run(path, [World().config("x" * 5000, key=f"k{number}") for number in range(100)])
    size = path.stat().st_size
    os.truncate(path, int(size * part))
    with pytest.raises(JournalCorrupt, match="actors journal check"):
        Journal(path)
    assert path.stat().st_size == int(size * part)
    assert left_over(path) == []


@pytest.mark.parametrize("byte", [ord("Z"), 0xFF])
def test_a_flipped_byte_is_told_for_its_agent(path: Path, byte: int) -> None:
    """With its place; all others are recalled."""
    world = World()
    run(path, [world.config(f"query {number}", key=f"k{number}") for number in range(20)])
    data = bytearray(path.read_bytes())
    at = data.index(b'"query 7"')
    data[at + 3] = byte
    path.write_bytes(bytes(data))
    with AgentPool(journal=path) as pool:
        with pytest.raises(JournalCorrupt, match=r"'k7'.*actors journal check"):
            pool.spawn(world.config("query 7", key="k7"))
        for number in (6, 8):
            assert pool.spawn(world.config(f"query {number}", key=f"k{number}")).outcome(10).recalled
    assert world.runs["query 7"] == 1


OPENING = """
import os, sys
from actors.storage import database
from actors.journal import store
name, path = sys.argv[1:]
def kill(*_, **__): os.kill(os.getpid(), 9)
before = {"lock": (store, "open_to_write"), "made": (database, "_migrate"), "open": (store, "_enter_process"),
          "entered": (store, "open_to_read"), "writer": (store, "Committer")}
setattr(*before[name], kill)
from actors import Journal
Journal(path)
"""


@pytest.mark.process
@pytest.mark.parametrize("point", ["lock", "made", "open", "entered", "writer"])
def test_a_process_that_is_killed_while_it_opens_leaves_all_or_nothing(path: Path, point: str) -> None:
    """The next one opens it, and its agents are as they were."""
    world = World()
    run(path, [world.config("a")]) if point in ("open", "entered") else None
    done = subprocess.run([sys.executable, "-c", OPENING, point, str(path)], check=False, timeout=60)
    assert done.returncode == -9
    outcomes = run(path, [world.config("a"), world.config("b")])
    assert [outcome.status for outcome in outcomes] == ["completed", "completed"]
    assert outcomes[0].recalled is (point in ("open", "entered"))
    assert left_over(path) == []


# The disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files have at most 40 pages."""
    open_it = store.open_to_write

    def opened(*args: Any) -> sqlite3.Connection:
        connection = open_it(*args)
        connection.execute("PRAGMA max_page_count = 40")
        return connection

    monkeypatch.setattr(store, "open_to_write", opened)


@pytest.mark.usefixtures("small_disk")
def test_on_a_full_disk_the_journal_stops(path: Path, log_lines: list[str]) -> None:
    """Who could not be kept failed; nothing is begun after it, also what would fit; functions are not touched."""
    world = World(big=lambda _: "x" * 400_000)
    with AgentPool(journal=path, max_concurrent=1, max_queued=None) as pool:
        assert pool.spawn(world.config("small")).outcome(10).ok
        failed = pool.spawn(world.config("big")).outcome(10)
        assert (failed.status, type(failed.error)) == ("failed", JournalFailed)
        assert "full" in str(failed.error)
        for _ in range(2):
            with pytest.raises(JournalFailed, match="full"):
                pool.spawn(world.config("later"))
        with pytest.raises(JournalFailed):
            next(pool.map([world.config("later")]))
        assert pool.submit(divmod, 7, 2).outcome(10).result == (3, 1)
    assert world.runs == {"small": 1, "big": 1}
    assert len([line for line in log_lines if line.startswith("ERROR")]) == 1
    assert "run.db.lock" not in left_over(path)


@pytest.mark.usefixtures("small_disk")
def test_after_a_full_disk_it_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is room again."""
    world = World(big=lambda _: "x" * 400_000)
    journal = Journal(path)
    first = run(journal, [world.config("small"), world.config("big")], max_concurrent=1)
    with pytest.raises(JournalFailed, match="full"):
        AgentPool(journal=journal)
    with pytest.raises(JournalFailed, match="full"):
        journal.close()
    journal.close()
    assert [outcome.status for outcome in first] == ["completed", "failed"]
    monkeypatch.undo()
    again = run(path, [world.config("small"), world.config("big")])
    assert [outcome.recalled for outcome in again] == [True, False]
    assert [outcome.status for outcome in again] == ["completed", "completed"]


@pytest.mark.usefixtures("small_disk")
def test_what_waits_for_a_slot_is_not_begun_after_a_failure(path: Path, gate: Any) -> None:
    """It was admitted before, and fails without having run."""
    world = World(big=lambda _: "x" * 400_000, hold=lambda _: gate.hold())
    with AgentPool(journal=path, max_concurrent=1, max_queued=None) as pool:
        handles = [pool.spawn(world.config(query)) for query in ("hold", "big", "queued")]
        gate.open()
        outcomes = [handle.outcome(10) for handle in handles]
    assert [outcome.status for outcome in outcomes] == ["completed", "failed", "failed"]
    assert type(outcomes[2].error) is JournalFailed
    assert world.runs == {"hold": 1, "big": 1}


def test_a_journal_that_is_closed_under_its_agents(path: Path, gate: Any) -> None:
    """They fail, nothing more is begun, and they go on the next time."""
    world = World(hold=lambda _: gate.hold())
    journal = Journal(path)
    with AgentPool(journal=journal, max_concurrent=1, max_queued=None) as pool:
        running, queued = pool.spawn(world.config("hold")), pool.spawn(world.config("queued"))
        gate.await_reached()
        journal.close()
        with pytest.raises(JournalFailed, match="closed"):
            pool.spawn(world.config("later"))
        gate.open()
        for handle in (running, queued):
            outcome = handle.outcome(10)
            assert (outcome.status, type(outcome.error)) == ("failed", JournalFailed)
    with pytest.raises(JournalFailed, match="closed"):
        AgentPool(journal=journal)
    assert world.runs == {"hold": 1}
    assert left_over(path) == []
    assert [o.status for o in run(path, [world.config("hold"), world.config("queued")])] == ["completed", "completed"]


# Processes that die ---------------------------------------------------------------------------------------------

DYING = """
import os, sys
from tests.journal.programs import *
from actors import Journal, SpawnConfig
class Deadly(Counting):
    def run(self, query):
        os.kill(os.getpid(), 9)
with Journal(sys.argv[1], max_attempts=int(sys.argv[2]) or None) as journal:
    run(journal, [SpawnConfig(MANIFEST, "q", agent=Deadly, key="k")])
"""


@pytest.mark.process
def test_an_agent_that_kills_its_process_is_given_up(path: Path) -> None:
    """After so many attempts; with one more, or without a limit, it is begun again. An orderly end is none."""
    world = World()
    from actors import SpawnConfig

    from .programs import MANIFEST, Counting

    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", DYING, str(path), "2"], check=False, timeout=60)
        assert done.returncode == -9
    config = SpawnConfig(MANIFEST, "q", agent=type("Deadly", (Counting,), {"__module__": "__main__"}), key="k")
    with Journal(path, max_attempts=2) as journal:
        gave_up, other = run(journal, [config, world.config("other")])
    assert (gave_up.status, type(gave_up.error)) == ("failed", JournalGaveUp)
    assert "'k'" in str(gave_up.error)
    assert other.ok
    with Journal(path, max_attempts=3) as journal:
        assert run(journal, [config])[0].result == "q"
    assert states(path, "k") == ["admitted", "begun", "begun", "begun", "ended"]


def test_a_cancelled_attempt_is_no_death(path: Path, gate: Any) -> None:
    """Nor is a crash, which has an end."""
    world = World(q=lambda agent: (gate.note(), agent.receive()))
    for _ in range(3):
        with Journal(path, max_attempts=1) as journal, AgentPool(journal=journal) as pool:
            handle = pool.spawn(world.config("q"))
            gate.next()
            handle.cancel()
    world.answers["q"] = ValueError("no")
    with Journal(path, max_attempts=1) as journal:
        assert run(journal, [world.config("q")])[0].status == "crashed"
    world.answers["q"] = 1
    with Journal(path, max_attempts=1) as journal:
        assert run(journal, [world.config("q")])[0].result == 1


@pytest.mark.parametrize("losses", [1, 2])
def test_a_lost_agent_goes_on_and_each_loss_was_a_death(
    path: Path, losses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went with another machine, and its end says so; it is run again until so many of its hosts have died."""
    world = World(q=ValueError("no"))
    keep = JournalRecord.keep

    def keep_lost(record: JournalRecord, outcome: Any) -> None:
        lost = {"status": AgentStatus.LOST, "error": AgentLost("its process ended", "n1")}
        keep(record, outcome.model_copy(update=lost))

    monkeypatch.setattr(JournalRecord, "keep", keep_lost)
    for _ in range(losses):
        with Journal(path, max_attempts=2) as journal:
            run(journal, [world.config("q", key="k")])
    monkeypatch.undo()
    with Journal.read(path) as reader:
        (agent,) = reader.agents()
        assert (agent.status, agent.error) == ("lost", "AgentLost: lost with node n1: its process ended")
        assert not list(reader.check())
    world.answers["q"] = "done"
    with Journal(path, max_attempts=2) as journal:
        (outcome,) = run(journal, [world.config("q", key="k")])
    assert (outcome.result, type(outcome.error)) == (("done", type(None)) if losses < 2 else (None, JournalGaveUp))


# Pools ----------------------------------------------------------------------------------------------------------


def test_an_agent_that_is_started_again_has_one_end(path: Path) -> None:
    """Its lives are one agent: begun once in each process."""
    lives = iter([ValueError("no"), ValueError("no"), None])

    def calm_at_last(_: Any) -> str:
        if (error := next(lives)) is not None:
            raise error
        return "calm"

    world = World(q=calm_at_last)
    restart = RestartPolicy(max_restarts=5, backoff=Backoff(base=0.0))
    (outcome,) = run(path, [world.config("q", key="k")], restart=restart)
    assert outcome.result == "calm"
    assert states(path, "k") == ["admitted", "begun", "ended"]
    (again,) = run(path, [world.config("q", key="k")])
    assert (again.recalled, again.restarts) == (True, 2)


def test_a_pool_without_a_block(path: Path) -> None:
    """Its end closes the journal that it has opened."""
    pool = AgentPool(journal=path)
    pool.spawn(World().config("a")).outcome(10)
    pool.close()
    assert left_over(path) == []


def test_a_pool_that_cannot_be_made_leaves_no_journal_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its other arguments are wrong."""
    with pytest.raises(ValueError, match="failure"):
        AgentPool(journal=path, failure="never")  # type: ignore[arg-type]
    monkeypatch.setattr("actors.pool_parts.Supervisor", None)
    with pytest.raises(TypeError, match="NoneType"):
        AgentPool(journal=path)
    assert left_over(path) == []


def test_a_journal_that_is_let_go_of_is_closed(path: Path, eventually: Any) -> None:
    """With a warning."""
    journal = Journal(path)
    with pytest.warns(ResourceWarning, match=r"run\.db was not closed"):
        del journal
    eventually(lambda: left_over(path) == [])


AT_THE_END = """
import sys, warnings
warnings.simplefilter("ignore")
from tests.journal.programs import *
from actors import Journal
journal = Journal(sys.argv[1])
pool = AgentPool(journal=journal if sys.argv[2] == "journal" else None)
for number in range(50):
    pool.spawn(World().config(number), timeout=None)
"""


@pytest.mark.process
def test_a_program_that_closes_nothing_ends_well(path: Path) -> None:
    """What it entered is on disk, and the process is known to have ended."""
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_END, str(path), "journal"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert left_over(path) == []
    with by_hand(path) as connection:
        assert connection.execute("SELECT ended_at IS NULL FROM process").fetchall() == [(0,)]
    assert len({key for key, *_ in entries(path)}) == 50


def test_thousands_are_recalled(path: Path) -> None:
    """By a map, each with its own outcome."""
    configs = [World().config(number) for number in range(2_000)]
    assert not any(outcome.recalled for outcome in run(path, configs, max_concurrent=8))
    assert all(outcome.recalled and outcome.result == outcome.query for outcome in run(path, configs, max_concurrent=8))


@pytest.mark.parametrize(
    "name", ["run #1?%20&x=.db", "\u00fcber.db", "a b", "run.db.lock", ":memory:", "no utf-8 \udcff"]
)
def test_odd_names_of_files(tmp_path: Path, name: str) -> None:
    """They are taken as they are."""
    for _ in range(2):
        (outcome,) = run(str(tmp_path / name), [World().config("a")])
    assert outcome.recalled
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("key", ["a\0b", "a/b~2", "\U0001f600" * 500, " ", "'; DROP TABLE entry; --", "k%_"])
def test_odd_keys(path: Path, key: str) -> None:
    """They are names like any other."""
    for _ in range(2):
        (outcome,) = run(path, [World().config("a", key=key)])
    assert (outcome.key, outcome.recalled) == (key, True)


def test_what_is_too_large_for_the_file_harms_its_agent_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal goes on."""
    monkeypatch.setattr(store, "LARGEST", 10_000)
    large, small = run(path, [World(q=lambda _: "x" * 20_000).config("q"), World().config("a")])
    assert (large.status, type(large.error)) == ("failed", JournalFailed)
    assert "too many" in str(large.error)
    assert small.ok


def test_a_spawn_that_is_interrupted_leaves_its_key_free(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the interrupt comes."""
    from actors.journal.records import JournalRecord

    world = World()
    with AgentPool(journal=path) as pool:
        for name in ("_look_back", "_compare", "_admit"):
            with monkeypatch.context() as patch:
                patch.setattr(JournalRecord, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
                with pytest.raises(KeyboardInterrupt):
                    pool.spawn(world.config("a", key="k"))
        assert pool.spawn(world.config("a", key="k")).outcome(10).ok


def test_threads_that_read_at_once_get_their_own_lines(path: Path) -> None:
    """Agents start children at the same time: none may be given the past of another, or none at all."""
    kept = store.Store(path, Durability.PROCESS)
    for number in range(100):
        for place in range(1 + number % 5):
            kept.write(f"k{number}", f"{place}", "done", "tool", f'{{"v":1,"of":{number}}}')
    kept.flush()
    wrong: list[object] = []

    def read(first: int) -> None:
        for step in range(300):
            number = (first * 13 + step * 7) % 100
            try:
                lines = [(row.path, row.payload) for row in kept.rows(f"k{number}")]
            except JournalError as error:
                wrong.append(error)
                continue
            if lines != [(f"{place}", f'{{"v":1,"of":{number}}}') for place in range(1 + number % 5)]:
                wrong.append((number, lines))

    readers = [threading.Thread(target=read, args=(first,)) for first in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    kept.close()
    assert wrong == []
