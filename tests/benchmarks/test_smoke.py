"""Every benchmark runs with tiny sizes: so that none rots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command
from benchmarks import abort_latency, questions, stop_overshoot
from benchmarks.report import Report, Table
from benchmarks.size import Size

if TYPE_CHECKING:
    from pathlib import Path

MEASURES = [name for name in questions.NAMES if name != "soak"]  # that one has a file of its own


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """What the benchmark ``nesting`` answers, in place of a measurement."""
    answer = Report("nesting", "Does it?", [Table("a title", [{"case": "ours", "median ms": 1.5, "runs": None}])])
    monkeypatch.setattr(questions.find("nesting"), "measure", lambda size: answer)
    return answer


def run(*words: str) -> int:
    """The exit code of the command line."""
    with pytest.raises(SystemExit) as end:
        command.main(list(words))
    return int(end.value.code or 0)


@pytest.mark.parametrize("name", MEASURES)
def test_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answers its own question, with figures in every row and without problems."""
    monkeypatch.setattr(abort_latency, "STILL", 0.005)
    monkeypatch.setattr(stop_overshoot, "TIMEOUT", 0.03)
    monkeypatch.setattr(stop_overshoot, "ABORT_TIMEOUT", 0.03)
    found = questions.find(name).measure(Size.SMOKE)
    assert found.name == name
    assert found.question == questions.find(name).QUESTION
    assert not found.problems
    assert found.tables
    for table in found.tables:
        assert all(any(isinstance(cell, int | float) for cell in row.values()) for row in table.rows)


def test_all_are_known() -> None:
    """Every module with a question is in the list, and each of the list has its sizes."""
    folder = command.Path(command.__file__).parent
    asking = {path.stem for path in folder.glob("*.py") if "\nQUESTION = " in path.read_text(encoding="utf-8")}
    assert asking | {"soak"} == set(questions.NAMES)


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a word it lists each with its question."""
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(questions.NAMES)
    assert all(line.endswith("?") for line in lines)


def test_saves(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name runs it: a table for people, and JSON with the machine for programs."""
    path = tmp_path / "found.json"
    assert run("nesting", "--json", str(path)) == 0
    assert "a title" in capsys.readouterr().out
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert saved["benchmarks"][0]["tables"][0]["rows"] == [{"case": "ours", "median ms": 1.5, "runs": None}]
    assert {"date", "commit", "python", "pykka", "cpus"} <= saved["machine"].keys()


def test_problem_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A problem is shown, and the exit code is 1."""
    answer = Report("nesting", "Does it?", [], problems=["it [does] not"])
    monkeypatch.setattr(questions.find("nesting"), "measure", lambda size: answer)
    assert run("nesting") == 1
    assert "it [does] not" in capsys.readouterr().out


def test_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is none is bad usage, and nothing runs."""
    assert run("nesting", "nestling") == 2
    assert "nestling" in capsys.readouterr().err
