"""Every benchmark runs with tiny sizes: so that none rots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from actors.extras import how_to_install
from benchmarks import __main__ as command, abort_latency, apart, beside, counts, plots, questions, stop_overshoot
from benchmarks.compare import compare
from benchmarks.contest import contest
from benchmarks.counts import counted
from benchmarks.peers import PACKAGES, Peers
from benchmarks.report import Report, Table
from benchmarks.size import Size

if TYPE_CHECKING:
    from pathlib import Path

MEASURES = [name for name in questions.NAMES if name not in questions.ENDLESS]  # these have files of their own


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """What the benchmark ``nesting`` answers, in place of a measurement."""
    answer = Report("nesting", "Does it?", [Table("a title", [{"case": "ours", "median ms": 1.5, "runs": None}])])
    monkeypatch.setattr(questions.find("nesting"), "measure", lambda size, peers: answer)
    return answer


def run(*words: str) -> int:
    """The exit code of the command line."""
    with pytest.raises(SystemExit) as end:
        command.main(list(words))
    return int(end.value.code or 0)


@pytest.mark.process
@pytest.mark.parametrize("name", MEASURES)
def test_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answers its own question, with figures in every row and without problems."""
    monkeypatch.setattr(abort_latency, "STILL", 0.005)
    monkeypatch.setattr(stop_overshoot, "TIMEOUT", 0.03)
    monkeypatch.setattr(stop_overshoot, "ABORT_TIMEOUT", 0.03)
    found = questions.find(name).measure(Size.SMOKE, Peers())
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
    assert asking | set(questions.ENDLESS) == set(questions.NAMES)


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a word it lists each with its question."""
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(questions.NAMES)
    assert all(line.endswith("?") for line in lines)


@pytest.mark.process
def test_saves(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name runs it: a table for people, and JSON with the machine for programs."""
    path = tmp_path / "found.json"
    assert run("nesting", "--json", str(path)) == 0
    assert "a title" in capsys.readouterr().out
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert saved["benchmarks"][0]["tables"][0]["rows"] == [{"case": "ours", "median ms": 1.5, "runs": None}]
    assert {"date", "commit", "python", "pykka", "cpus"} <= saved["machine"].keys()


@pytest.mark.process
def test_others_are_busy_beside_it_on_one_core(report: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As long as it is measured, and the figures say so; then they are gone, and all cores are there again."""
    started: list[subprocess.Popen[bytes]] = []
    cores = os.sched_getaffinity(0)
    seen = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            started.append(self)

    def measure(*_: object) -> Report:
        seen.append((sum(one.poll() is None for one in started), len(os.sched_getaffinity(0))))
        return report

    monkeypatch.setattr(beside.subprocess, "Popen", Noted)
    monkeypatch.setattr(questions.find("nesting"), "measure", measure)
    path = tmp_path / "found.json"
    assert run("nesting", "--beside", "2", "--one-core", "--json", str(path)) == 0
    monkeypatch.undo()
    assert seen == [(2, 1)]
    assert all(one.returncode is not None for one in started)
    assert os.sched_getaffinity(0) == cores
    machine = json.loads(path.read_text(encoding="utf-8"))["machine"]
    assert (machine["beside"], machine["one core"], machine["cpus"]) == (2, "yes", len(cores))


@pytest.mark.process
def test_bytecodes_repeat(tmp_path: Path) -> None:
    """From run to run nearly the same, of all threads, and by function; what the counting itself does is not in it."""
    first, second = (counted("bytecodes", ["fan_out", "message"], 100, 1) for _ in range(2))
    for name in first:
        one, other = (sum(count for function, count in found[name][0].items() if function) for found in (first, second))
        assert one == pytest.approx(other, rel=0.05)
        assert not any("counted/program" in function for function in first[name][0])
    assert first["message"][0]["benchmarks/messages.py:Returns.run"] == pytest.approx(17, abs=8)
    assert first["message"][0]["benchmarks/messages.py:Serves.run"] == pytest.approx(15, abs=8)


@pytest.mark.process
def test_functions_are_counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that most is spent in; an unknown case is bad usage."""
    monkeypatch.setitem(counts.WORKLOADS, Size.QUICK, counts.WORKLOADS[Size.SMOKE])
    assert run("counts", "message", "--by-function", "--top", "3", "--quick") == 0
    assert "those of the first 3 functions" in " ".join(capsys.readouterr().out.split())
    assert run("counts", "massage") == 2
    assert "no case is named massage" in capsys.readouterr().err


@pytest.mark.process
def test_problem_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A problem is shown, and the exit code is 1."""
    answer = Report("nesting", "Does it?", [], problems=["it [does] not"])
    monkeypatch.setattr(questions.find("nesting"), "measure", lambda size, peers: answer)
    assert run("nesting") == 1
    assert "it [does] not" in capsys.readouterr().out


def test_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is none is bad usage, and nothing runs."""
    assert run("nesting", "nestling") == 2
    assert "nestling" in capsys.readouterr().err


@pytest.mark.process
def test_all_runs_every_one_that_ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of the list."""
    monkeypatch.setattr(command, "measure_apart", lambda name, size, peers: Report(name, "Does it?", []))
    assert run("all") == 0
    out = capsys.readouterr().out
    assert [line.partition(":")[0] for line in out.splitlines() if line.endswith("Does it?")] == MEASURES


@pytest.mark.process
def test_savina_is_all_programs_of_actors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One after another, and at the end what each takes of Pykka's time; one that has no peer is not in that table."""

    def measured(name: str, *_: object) -> Report:
        rows = [{"case": "shared", "by pykka": 0.125, "spread pykka": "0.1 to 0.2"}]
        tables = [] if name == "skynet_million" else [Table("ratios", rows)]
        return Report(name, "Does it?", tables)

    monkeypatch.setattr(command, "measure_apart", measured)
    assert run("savina") == 0
    told = capsys.readouterr().out
    assert [line.partition(":")[0] for line in told.splitlines() if line.endswith("Does it?")] == list(questions.SAVINA)
    summed_up = told.partition("By Pykka")[2]
    assert [name for name in questions.SAVINA if f" {name} " in summed_up] == list(questions.SAVINA[:-1])
    assert summed_up.count("0.125") == len(questions.SAVINA) - 1


@pytest.mark.process
def test_each_of_several_has_a_process_of_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What it found comes back whole."""
    found = apart.measure_apart("nesting", Size.SMOKE, Peers.named(["pykka"]))
    assert (found.name, found.problems) == ("nesting", [])
    assert [row["case"] for row in found.tables[0].rows] == ["bare threads", "agents", "LlmAgents, by a tool"]


@pytest.mark.process
def test_one_that_fails_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is a problem, the others are measured, and all of it is saved."""
    monkeypatch.setattr(apart, "CODE", "import sys; from benchmarks.apart import write; write(*sys.argv[1:3])")
    monkeypatch.setattr(command, "measure_apart", lambda *words: apart.measure_apart(*words))
    path = tmp_path / "found.json"
    assert run("nesting", "parked", "--quick", "--json", str(path)) == 1
    told = capfd.readouterr()
    assert "nesting failed (exit code 1)" in told.out
    assert "TypeError" in told.err
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert [one["name"] for one in saved["benchmarks"]] == ["nesting", "parked"]
    assert (saved["machine"]["size"], saved["machine"]["peers"]) == ("quick", "all")


def test_what_cannot_be_written_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is not there, plots without their package."""
    assert run("nesting", "--json", str(tmp_path / "no" / "such.json")) == 2
    assert "there is no folder" in capsys.readouterr().err
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    assert run("nesting", "--plots", str(tmp_path)) == 2
    assert "pip install 'autogen-core" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["http_throughput", "abort_latency", "parts"])
def test_what_needs_a_package_that_is_missing_is_skipped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    module = questions.find(name)
    monkeypatch.setattr(module, "is_there", lambda _: False)
    monkeypatch.setattr(abort_latency, "STILL", 0.005)
    found = module.measure(Size.SMOKE, Peers())
    assert any("openai is not installed" in note for note in found.notes)
    assert not found.problems


def test_peers_are_chosen_and_missed_ones_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name; one that is not installed is skipped, and said so."""
    monkeypatch.setitem(PACKAGES, "thespian", "no_such_package_anywhere")
    peers = Peers()
    assert peers.has("threads")
    assert not peers.has("thespian")
    assert peers.notes() == [f"thespian was skipped: not installed ({how_to_install('bench')})"]
    assert peers.notes() == []
    chosen = Peers.named(["pykka"])
    assert (chosen.has("pykka"), chosen.has("threads")) == (True, False)
    with pytest.raises(ValueError, match="no peer is named nobody"):
        Peers.named(["nobody"])


def test_a_peer_that_is_none_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing runs."""
    assert run("nesting", "--peers", "pykka,nobody") == 2
    assert "nobody" in capsys.readouterr().err


def test_a_contest_has_ratios_of_each_turn() -> None:
    """Ours by each peer, pair by pair."""
    ours, peers = iter([9.0, 1.0, 2.0, 3.0]), iter([9.0, 2.0, 2.0, 2.0])
    times, found = contest(
        "t", {"ours": lambda: next(ours)}, {"peer": lambda: next(peers)}, repeats=3, scale=1, unit="s"
    )
    assert times.rows[0] == {
        "case": "ours", "median s": 2.0, "p99 s": 3.0, "lowest s": 1.0, "highest s": 3.0, "repeats": 3,
    }  # fmt: skip
    assert found.rows == [{"case": "ours", "by peer": 1.0, "spread peer": "0.5 to 1.5"}]


def test_two_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figure by figure; what only one of them has is left out."""
    for name, value in (("old", 2.0), ("new", 3.0)):
        rows = [{"case": "ours", "median us": value, name: 1}]
        content = {"benchmarks": [{"name": "b", "tables": [{"title": "t", "rows": rows}]}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert run("compare", str(tmp_path / "old.json"), str(tmp_path / "new.json")) == 0
    out = capsys.readouterr().out
    assert "median us" in out
    assert "1.5" in out
    (tmp_path / "bad.json").write_text("[]")
    assert run("compare", str(tmp_path / "bad.json"), str(tmp_path / "new.json")) == 2
    assert "no file of figures" in capsys.readouterr().err


def test_rows_are_named_by_their_first_column(tmp_path: Path) -> None:
    """Also where that is a number: the points of a line are not one figure."""
    for name, factor in (("old", 1), ("new", 3)):
        rows = [{"bytes": size, "median us": factor * size} for size in (10, 20)]
        content = {"benchmarks": [{"name": "b", "tables": [{"title": "t", "rows": rows}]}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    table, differs = compare(tmp_path / "old.json", tmp_path / "new.json")
    assert differs == []
    assert [(row["row"], row["old"], row["new"], row["new by old"]) for row in table.rows] == [
        ("10", 10, 30, 3),
        ("20", 20, 60, 3),
    ]


def test_runs_that_cannot_be_compared_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another Python, or another size."""
    for name, size in (("old", "quick"), ("new", "full")):
        content = {"machine": {"python": "3.11.7", "size": size}, "benchmarks": []}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert run("compare", str(tmp_path / "old.json"), str(tmp_path / "new.json")) == 0
    assert "not to be compared: size was quick, and is full" in capsys.readouterr().out


def test_plots_need_their_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its absence names the command; with it there is a picture for each report that has bars."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install 'autogen-core"):
        plots.draw([], tmp_path)
    rows = [{"case": "actors", "median us": 1.0, "lowest us": 0.5, "highest us": 2.0}]
    assert plots._bars(Table("t", rows)) == [("actors", 1.0, 0.5, 2.0, "us")]
    assert plots._bars(Table("t", [{"case": "actors", "by pykka": 1.0}])) == []
    points = [{"agents": 10, "median us": 1.0, "lowest us": 0.5, "highest us": 2.0}, {"agents": 20, "median us": 3.0}]
    assert plots._line(Table("t", points)) == [(10.0, 1.0, 0.5, 2.0), (20.0, 3.0, 3.0, 3.0)]
    assert plots._line(Table("t", rows)) == []
