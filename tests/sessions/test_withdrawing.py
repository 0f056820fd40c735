"""What becomes of a turn that was stored, and whose agent did not complete after all, or that was dropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentManifest, AgentPool, AgentStatus, FunctionDriver, Journal, LlmAgent, Sessions, SpawnConfig
from actors.errors import JournalFailed
from actors.testing.sessions import make_turn
from benchmarks.kills import books
from tests.waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOT = AgentManifest(name="bot")
AGAIN = FunctionDriver(lambda request: f"{len(request.messages)} messages")


@pytest.fixture(params=["file", "memory"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "chats.db") if request.param == "file" else Sessions.in_memory() as made:
        made.store.append("s", make_turn(1, "before"))
        yield made


def numbers(sessions: Sessions) -> list[int]:
    return [turn.number for turn in sessions.get("s").turns()]


def after(sessions: Sessions, then: Callable[[], None]) -> None:
    """*then* is called whenever a turn was stored, by its agent."""
    append = sessions.store.append

    def appended(*args: Any, **kwargs: Any) -> None:
        append(*args, **kwargs)
        then()

    sessions.store.append = appended  # type: ignore[method-assign]


def test_abandoned_while_it_is_stored(sessions: Sessions) -> None:
    """S1: a turn that is on disk when its agent has long been given up is taken back."""
    gate = Gate()
    after(sessions, gate.hold)
    with AgentPool(AGAIN, sessions=sessions, abort_timeout=0.05) as pool:
        handle = pool.spawn(SpawnConfig(BOT, "q", session="s"))
        gate.await_reached()
        assert numbers(sessions) == [1, 2]
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.ABANDONED
        gate.open()
        eventually(lambda: numbers(sessions) == [1])
        assert pool.converse(BOT, "s").ask("next").unwrap().text == "3 messages"
    assert [turn.query for turn in sessions.get("s").turns()] == ["before", "next"]


def test_abandoned_after_it_was_stored(sessions: Sessions) -> None:
    """S1: so is that of one that never comes back from its ``on_end``."""
    gate = Gate()

    class Slow(LlmAgent[Any]):
        def on_end(self, outcome: Any) -> None:
            gate.hold()

    with AgentPool(AGAIN, sessions=sessions, abort_timeout=0.05) as pool:
        handle = pool.spawn(SpawnConfig(BOT, "q", session="s", agent=Slow))
        gate.await_reached()
        assert numbers(sessions) == [1, 2]
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.ABANDONED
        eventually(lambda: numbers(sessions) == [1])
        gate.open()


def test_what_another_one_has_built_on_stays(sessions: Sessions) -> None:
    """A turn that is no longer the last one is not taken back: the next one was answered with it."""
    gate = Gate()

    class Slow(LlmAgent[Any]):
        def on_end(self, outcome: Any) -> None:
            gate.hold()

    with AgentPool(AGAIN, sessions=sessions, abort_timeout=0.05) as pool:
        handle = pool.spawn(SpawnConfig(BOT, "q", session="s", agent=Slow))
        gate.await_reached()
        assert pool.converse(BOT, "s").ask("next").ok
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.ABANDONED
        gate.open()
    assert numbers(sessions) == [1, 2, 3]


def test_an_outcome_that_cannot_be_recorded(sessions: Sessions, tmp_path: Path) -> None:
    """S1: where the journal fails after the turn was stored, the agent fails, and the turn is taken back."""
    with Journal(tmp_path / "run.db") as journal, AgentPool(AGAIN, sessions=sessions, journal=journal) as pool:

        def fail(*_: Any, **__: Any) -> None:
            raise JournalFailed("no")

        after(sessions, lambda: setattr(journal._desk.store, "write", fail))
        outcome = pool.converse(BOT, "s").ask("q")
    assert (outcome.status, type(outcome.error)) == (AgentStatus.FAILED, JournalFailed)
    assert numbers(sessions) == [1]


@pytest.mark.parametrize("drop", ["undo", "delete"])
def test_what_was_dropped_is_asked_anew(tmp_path: Path, drop: str) -> None:
    """S7: a turn that was told of, and then dropped, is no turn that broke off: the same words are a new one."""
    image = tmp_path / "image"
    image.mkdir()
    for folder in (tmp_path, image):
        with (
            Sessions(folder / "chats.db") as sessions,
            Journal(folder / "run.db") as journal,
            AgentPool(AGAIN, sessions=sessions, journal=journal) as pool,
        ):
            talk = pool.converse(BOT, "s")
            assert talk.resume() is None
            assert talk.ask("one").ok
            assert len(talk.session) == 1
            if folder == tmp_path:
                assert sessions.delete("s") if drop == "delete" else talk.session.undo()
                for name in ("run.db", "chats.db"):  # what a kill leaves
                    books.image(tmp_path / name, image)
