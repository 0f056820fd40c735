"""A journal is read: by who writes it, by others meanwhile, and afterwards."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from actors import Agent, AgentManifest, AgentPool, ForkedPoolError, Journal, SpawnConfig
from actors.errors import JournalBusy, JournalCorrupt, JournalError, JournalVersion
from actors.journal.owner import is_locked

from ..waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

BOT = AgentManifest(name="bot")


class Works(Agent):
    """Does two things, one of which must not be done twice."""

    def run(self, query: str) -> str:
        self.step("look", lambda: 1, effect="idempotent")
        self.step("pay", lambda: {"paid": query})
        return query.upper()


class Waits(Agent):
    """Waits until somebody ends it."""

    def run(self, query: str) -> None:
        self.step("look", lambda: 1)
        self.sleep(600)


def config(key: str, agent: type[Agent] = Works) -> SpawnConfig:
    return SpawnConfig(BOT, f"do {key}", key=key, agent=agent)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of three agents that completed."""
    path = tmp_path / "run.db"
    with AgentPool(journal=path) as pool:
        for key in ("a", "b", "c"):
            pool.spawn(config(key)).outcome()
    return path


def test_who_writes_it_reads_it(path: Path) -> None:
    """With all that was entered until now, and effect keys that are those of the tools."""
    with Journal(path) as journal, AgentPool(journal=journal) as pool:
        handle = pool.spawn(config("w", Waits))
        pool.spawn(config("d")).outcome()
        eventually(lambda: handle.status == "running" and any(each.key == "w" for each in journal.agents()))
        found = {agent.key: agent for agent in journal.agents()}
        assert [str(agent.status) for agent in found.values()] == ["completed"] * 4 + ["running"]
        assert (found["d"].steps, found["d"].process, found["a"].process) == (2, 2, 1)
        assert [(e.path, e.text) for e in journal.effects("d")] == [("look", "1"), ("pay", '{"paid": "do d"}')]
        assert len({effect.effect_key for key in "abd" for effect in journal.effects(key)}) == 6
        assert journal.check() == []
        pool.abort_all("enough")
    with pytest.raises(JournalError, match=r"run.db is closed: Journal.read\(path\) reads it"):
        next(journal.agents())


def test_others_read_it_meanwhile(path: Path) -> None:
    """Which keeps nobody from writing, and leaves nothing behind; who does not write it, sees whether one does."""
    with Journal.read(path) as reader:
        assert reader.owner() is None
        with Journal(path) as journal, AgentPool(journal=journal) as pool:
            pool.spawn(config("d")).outcome()
            assert reader.agent("d").status == "completed"
            owner = reader.owner()
            assert owner is not None
            assert owner[0] == os.getpid()
            handle = pool.spawn(config("w", Waits))
            eventually(lambda: any(agent.key == "w" and agent.steps for agent in reader.agents()))
            assert reader.agent("w").status == "running"
            handle.cancel()
            handle.outcome()
            with pytest.raises(JournalBusy):
                Journal(path)
        assert reader.owner() is None
        assert reader.agent("w").status == "cancelled"
    assert [file.name for file in path.parent.iterdir()] == ["run.db"]
    reader.close()
    with pytest.raises(JournalError, match=r"run\.db is closed"):
        reader.check()


def test_a_lock_is_looked_at_and_not_taken(tmp_path: Path) -> None:
    """Whoever holds it goes on to hold it."""
    lock = tmp_path / "lock"
    assert not is_locked(lock)
    lock.touch()
    assert not is_locked(lock)
    holder = sqlite3.connect(lock, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        assert is_locked(lock)
        assert is_locked(lock)
    finally:
        holder.close()
    assert not is_locked(lock)


def test_what_cannot_be_read(path: Path) -> None:
    """No file; another's; a newer one; one that is damaged."""
    with pytest.raises(FileNotFoundError):
        Journal.read(path.with_name("other"))
    path.with_name("text").write_text("hello, hello, hello")
    with pytest.raises(JournalCorrupt, match="text is no journal"):
        Journal.read(path.with_name("text"))
    with pytest.raises(TypeError):
        Journal.read(3)  # type: ignore[arg-type]
    connection = sqlite3.connect(path)
    connection.execute("UPDATE entry SET payload = '{' WHERE agent = 'b' AND state = 'ended'")
    connection.commit()
    with Journal.read(path) as reader:
        with pytest.raises(JournalCorrupt, match=r"entry \d+ \(agent b\) is no JSON; `actors journal check"):
            list(reader.agents())
        assert [finding.key for finding in reader.check()] == ["b"]
        with pytest.raises(TypeError, match="a key is text, not int"):
            reader.effects(3)  # type: ignore[arg-type]
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalVersion):
        Journal.read(path)


def test_pruned(path: Path) -> None:
    """Outcomes come back as before; nothing is begun that must not be done twice, whatever is final now."""
    with Journal(path) as journal:
        assert journal.prune(before=datetime.now(UTC) - timedelta(days=1)) == 0
        assert journal.prune() == 9
        assert journal.prune() == 0
        assert journal.effects("a") == []
        assert journal.check() == []
    with Journal(path, final=("failed",)) as journal, AgentPool(journal=journal) as pool:
        outcome = pool.spawn(config("a")).outcome()
        assert (outcome.result, outcome.recalled) == ("DO A", True)


@pytest.mark.process
def test_a_child_reads_nothing(path: Path) -> None:
    """Its copy of the connection is never touched."""
    with Journal.read(path) as reader:
        pid = os.fork()
        if not pid:
            try:
                reader.check()
            except ForkedPoolError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
