"""Results files that exist: refused, emptied, or gone on with."""

from __future__ import annotations

import csv
import errno
import io
import os
from typing import TYPE_CHECKING, Any

import pytest

from actors.cli.output import lock, open_output
from actors.cli.refusal import RefusedError

from .conftest import lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KINDS = pytest.mark.parametrize("kind", ["jsonl", "csv"])


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return lines_of(path)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def resume(cli: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """Run six lines, of which two fail, into a file."""
    write_lines(folder / "in.jsonl", *({"id": n, "text": f"fail {n}" if n in (2, 4) else f"q\n{n}"} for n in range(6)))

    def run(out: str, *args: str) -> Any:
        return cli("run", "ask.toml", "--input", "in.jsonl", "--query", "{text}", "--key", "id", "--out", out, *args)

    return run


@KINDS
def test_a_file_that_exists(resume: Callable[..., Any], folder: Path, kind: str) -> None:
    """Is refused, and nothing in it is touched; --overwrite empties it."""
    out = folder / f"out.{kind}"
    out.write_text("precious\n")
    result = resume(out.name)
    assert result.exit_code == 2
    assert f"--out {out.name}: exists already: --resume goes on with it, --overwrite empties it" in result.stderr
    assert out.read_text() == "precious\n"
    assert resume(out.name, "--overwrite").exit_code == 1
    assert len(rows_of(out)) == 6


@KINDS
def test_resume_runs_what_has_not_completed(resume: Callable[..., Any], folder: Path, kind: str) -> None:
    """What completed stays as it is, what failed has its new row in place of the old one."""
    out = folder / f"out.{kind}"
    assert resume(out.name, "--resume").exit_code == 1
    before = {row["key"]: row for row in rows_of(out)}
    result = resume(out.name, "--resume", "--driver", "bot:make_other")
    assert result.exit_code == 0
    assert "2 agents: 2 completed · 4 completed before" in result.stdout
    assert "taken out, to be run again: 2 that did not complete" in result.stderr
    rows = rows_of(out)
    assert sorted(row["key"] for row in rows) == [str(n) for n in range(6)]
    assert all(row == before[row["key"]] for row in rows if row["key"] not in "24")
    assert {row["result"] for row in rows if row["key"] in "24"} == {"other"}
    again = resume(out.name, "--resume")
    assert (again.exit_code, "no agent ran · 6 completed before" in again.stdout) == (0, True)
    assert rows_of(out) == rows


@KINDS
@pytest.mark.parametrize("cut", [1, 20])
def test_a_last_line_that_was_broken_off(resume: Callable[..., Any], folder: Path, kind: str, cut: int) -> None:
    """Is taken out, and its agent runs again; only a line of JSON that lacks nothing but its end is one."""
    out = folder / f"out.{kind}"
    resume(out.name, "--max-concurrent", "1")
    whole = out.read_bytes()
    out.write_bytes(whole[:-cut])
    result = resume(out.name, "--resume")
    assert ("a last line that was broken off" in result.stderr) == (kind == "csv" or cut > 1)
    ran = 2 if kind == "jsonl" and cut == 1 else 3
    assert f"{ran} agents: {ran - 2} completed, 2 failed" in result.stdout or ran == 2
    assert sorted(row["key"] for row in rows_of(out)) == [str(n) for n in range(6)]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("out.jsonl", 'no json\n{"key": "1", "status": "completed"}\n', "out.jsonl:1: is no row of results (no JSON)"),
        ("out.jsonl", '{"other": 1}\n', "out.jsonl:1: is no row of results (without a key and a status)"),
        ("out.csv", "a,b\n1,2\n", "out.csv:1: is no row of results (without the columns key and status)"),
        ("out.csv", "key,status\n1,completed,2\n3,completed\n", "out.csv:2: is no row of results (has 3 cells"),
    ],
)
def test_what_is_no_file_of_results(
    resume: Callable[..., Any], folder: Path, name: str, text: str, problem: str
) -> None:
    """Is refused with the line, and stays as it is."""
    (folder / name).write_text(text)
    result = resume(name, "--resume")
    assert result.exit_code == 2
    assert problem in result.stderr
    assert (folder / name).read_text() == text
    assert sorted(path.name for path in folder.glob(".out*")) == []


def test_new_columns(resume: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """A file of CSV gets the columns that are new, and keeps those that it had."""
    resume("out.csv")
    write_lines(folder / "in.jsonl", {"id": 0, "more": "m"}, {"id": 9, "text": "new", "more": "m"})
    result = cli(
        *("run", "ask.toml", "--input", "in.jsonl", "--query", "{id}", "--key", "id", "--out", "out.csv", "--resume")
    )
    assert result.exit_code == 0
    rows = {row["key"]: row for row in rows_of(folder / "out.csv")}
    assert (rows["0"]["text"], rows["0"]["more"], rows["9"]["more"]) == ("q\n0", "", "m")


def test_each_manifest_has_its_own_rows(cli: Callable[..., Any], folder: Path) -> None:
    """A job that completed with one manifest is still run with another one."""
    write_lines(folder / "in.jsonl", {"query": "a"}, {"query": "fail"})
    args = ("run", "ask.toml", "second.toml", "--input", "in.jsonl", "--out", "out.jsonl", "--resume")
    assert "3 completed, 1 failed" in cli(*args).stdout
    assert "1 agent: 1 failed · 3 completed before" in cli(*args).stdout
    assert len({row["key"] for row in lines_of(folder / "out.jsonl")}) == 4


def test_one_writer(resume: Callable[..., Any], folder: Path) -> None:
    """While one process writes a file, another one is refused."""
    file = open_output(str(folder / "out.jsonl"), option="--out")
    try:
        for option in ("--resume", "--overwrite"):
            result = resume("out.jsonl", option)
            assert result.exit_code == 2
            assert "another process is writing it" in result.stderr
    finally:
        file.close()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--resume"], "--resume is about the file of --out"),
        (["--overwrite", "--out", "-"], "--overwrite is about the file of --out"),
        (["--resume", "--overwrite", "--out", "x"], "exclude each other"),
        (["--resume", "--out", "/dev/null"], "is no file that one could go on with"),
    ],
)
def test_refused(cli: Callable[..., Any], args: list[str], message: str) -> None:
    """What cannot be gone on with."""
    result = cli("run", "ask.toml", "--prompt", "x", *args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_one_writer_while_a_file_takes_its_place(folder: Path) -> None:
    """Who opened the file before another process put a new one in its place writes nothing into what nobody sees."""
    place = folder / "out.csv"
    with place.open("ab") as old:
        (folder / "new.csv").write_text("new")
        (folder / "new.csv").replace(place)
        with pytest.raises(RefusedError, match="out: another process is writing it"):
            lock(old, "out", place=str(place))
        assert old.closed


@KINDS
def test_no_room_to_write_it_again(
    resume: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The file stays as it was, and nothing is left beside it."""
    out = folder / f"out.{kind}"
    resume(out.name)
    before, names = out.read_bytes(), set(folder.iterdir())
    monkeypatch.setattr("actors.cli.kept.open", FullDisk.instead_of_temporary, raising=False)
    result = resume(out.name, "--resume")
    assert result.exit_code == 2
    assert f"--out {out.name}: cannot be read and written again: No space left on device" in result.stderr
    assert out.read_bytes() == before
    assert set(folder.iterdir()) == names


class FullDisk(io.FileIO):
    """A file on a disk that is full."""

    @staticmethod
    def instead_of_temporary(file: str | int, mode: str) -> Any:
        """As ``open``, but what is opened by its number is on that disk."""
        return io.BufferedRandom(FullDisk(file, mode)) if isinstance(file, int) else open(file, mode)

    def write(self, data: Any) -> int:
        """Fail."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
