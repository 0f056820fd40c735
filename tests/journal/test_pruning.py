"""The steps of agents that will not be run again are dropped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from actors.journal.findings import findings_of
from actors.journal.pruning import AT_ONCE, prune
from actors.journal.report import agents_of
from actors.storage.errand import Errand

from .filled import AT, Filled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Filled]:
    """Agents that ended, and one that did not."""
    filled = Filled(tmp_path / "run.db")
    for key, status, kept in (("a", "completed", True), ("b", "failed", True), ("c", "completed", False)):
        filled.begin(key)
        filled.completion(key, 0, "x" * 50_000)
        filled.entry(key, "", "ended", status=status, kept=kept, fields={"usage": {"input_tokens": 3}, "cost_usd": 1})
    filled.begin("d")
    filled.completion("d", 0)
    yield filled
    filled.connection.close()


def pruned(file: Filled, final: tuple[str, ...] = ("completed",), before: datetime | None = None) -> int:
    def run(do: Callable[[Any], Any]) -> Any:
        errand = Errand(do)
        file.connection.execute("BEGIN")
        errand.run(file.connection)
        file.connection.execute("COMMIT")
        return errand.result()

    return prune(run, process=1, final=final, before=before)


def steps(file: Filled) -> dict[str, int]:
    return {agent.key: agent.steps for agent in agents_of(file.ask, lambda: None)}


def test_outcomes_stay(file: Filled, tmp_path: Path) -> None:
    """Steps go of those that completed and whose result is there; the file gets shorter, and is whole."""
    before = {agent.key: agent for agent in agents_of(file.ask, lambda: None)}
    size = (tmp_path / "run.db").stat().st_size
    assert pruned(file) == 1
    assert steps(file) == {"a": 0, "b": 1, "c": 1, "d": 1}
    after = {agent.key: agent for agent in agents_of(file.ask, lambda: None)}
    assert (after["a"].status, after["a"].cost_usd, after["a"].pruned) == ("completed", before["a"].cost_usd, True)
    assert after["b"] == before["b"]
    assert (tmp_path / "run.db").stat().st_size < size - 40_000
    assert list(findings_of(file.ask)) == []
    assert pruned(file) == 0
    assert pruned(file, final=("completed", "failed")) == 1


def test_it_is_remembered_what_must_not_be_done_again(file: Filled) -> None:
    """That there was such an effect, after it is gone."""
    file.begin("e")
    file.entry("e", "pay", "begun", "step", name="pay", effect="at_most_once")
    file.entry("e", "pay", "done", "step", name="pay", effect="at_most_once", value=1)
    file.end("e")
    assert pruned(file) == 3
    words = dict(file.ask("SELECT agent, json_extract(payload, '$.at_most_once') FROM entry WHERE state = 'pruned'"))
    assert words == {"a": 0, "e": 1}


def test_only_those_that_ended_before(file: Filled) -> None:
    """A moment, in local time without a zone; a date is none."""
    assert pruned(file, ("completed", "failed"), datetime.fromtimestamp(AT + 4, UTC)) == 0
    assert pruned(file, ("completed", "failed"), datetime.fromtimestamp(AT + 5)) == 1
    assert steps(file) == {"a": 0, "b": 1, "c": 1, "d": 1}
    with pytest.raises(TypeError, match="before is a datetime, not date"):
        pruned(file, before=datetime.now(UTC).date())  # type: ignore[arg-type]


def test_many(file: Filled) -> None:
    """In one transaction after another."""
    file.ask("BEGIN")
    for number in range(2 * AT_ONCE):
        file.begin(f"k{number:04}")
        file.completion(f"k{number:04}", 0)
        file.end(f"k{number:04}")
    file.ask("COMMIT")
    assert pruned(file) == 2 * AT_ONCE + 1


def test_what_fails_leaves_no_trace(file: Filled) -> None:
    """And the transaction in which it was done goes on."""

    def half(connection: Any) -> None:
        connection.execute("DELETE FROM entry")
        raise OSError("no more")

    errand = Errand(half)
    file.connection.execute("BEGIN")
    errand.run(file.connection)
    file.entry("e", "", "admitted", name="e", parent=None)
    file.connection.execute("COMMIT")
    with pytest.raises(OSError, match="no more"):
        errand.result()
    assert list(steps(file)) == ["a", "b", "c", "d", "e"]


def test_a_file_that_gives_no_pages_back(file: Filled, tmp_path: Path) -> None:
    """Stays as long as it is."""
    file.ask("PRAGMA auto_vacuum = NONE")
    file.ask("VACUUM")
    size = (tmp_path / "run.db").stat().st_size
    assert pruned(file) == 1
    assert (tmp_path / "run.db").stat().st_size == size
