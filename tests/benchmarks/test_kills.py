"""Kills: a few, and whether the one who looks would see what it looks for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from actors.storage.database import open_to_write
from benchmarks import __main__ as command
from benchmarks.kills import victims
from benchmarks.kills.writer import Writer
from benchmarks.kills.writing import insert, schema
from benchmarks.report import Report

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    """A victim that has written ten entries, of which three were acknowledged."""
    connection = open_to_write(tmp_path / "written.db", schema(1))
    insert(connection, [("0.0", number, "text", crc32(b"text")) for number in range(10)])
    connection.close()
    (tmp_path / "acknowledged.txt").write_text("0.0 0\n0.0 4\n0.0 9\n")
    return Writer(tmp_path, Random(0), 1)


@pytest.mark.process
def test_a_few_kills() -> None:
    """Nothing is lost."""
    (report,) = victims.kill(("writer",), 2, seed=7)
    assert not report.problems
    (row,) = report.tables[0].rows
    assert (row["kills"], row["violations"]) == (2, 0)
    assert row["entries"]


@pytest.mark.parametrize(
    ("change", "violation"),
    [
        ("DELETE FROM entry WHERE number = 9", ["0.0 9 was acknowledged, and is missing"]),
        ("DELETE FROM entry WHERE number = 5", ["after 5 entries of 0.0 comes 6"]),
        ("UPDATE entry SET payload = 'test' WHERE number = 5", ["entry 6 was changed"]),
        ("UPDATE entry SET number = number", []),
    ],
)
def test_what_is_missing_is_seen(written: Writer, tmp_path: Path, change: str, violation: list[str]) -> None:
    """The end, the middle, or a letter; and nothing where nothing is."""
    with closing(sqlite3.connect(tmp_path / "written.db", isolation_level=None)) as connection:
        connection.execute(change)
    written.look(1)
    assert written.violations == violation
    assert written.counts["acknowledged"] == 3


def test_what_was_there_and_is_gone_is_seen(written: Writer, tmp_path: Path) -> None:
    """Also long after."""
    written.look(1)
    with closing(sqlite3.connect(tmp_path / "written.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM entry WHERE number = 2")
    written.look(1)
    assert written.violations == ["10 entries were there, and are 9"]


@pytest.mark.process
def test_a_violation_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is shown, with the seed; who is unknown is bad usage."""
    found: list[tuple[int, int]] = []

    def kill_writer(number: int, *, seed: int, watch: object) -> Report:
        found.append((number, seed))
        return Report("kills writer", "Is it?", [], problems=["something is missing"])

    monkeypatch.setattr("benchmarks.kills.writer.kill_writer", kill_writer)
    for words, code in ((["writer", "--number", "3", "--seed", "5"], 1), (["nobody"], 2)):
        with pytest.raises(SystemExit) as end:
            command.main(["kills", *words])
        assert end.value.code == code
    assert found == [(3, 5)]
    told = capsys.readouterr()
    assert "something is missing" in told.out
    assert "nobody" in told.err
