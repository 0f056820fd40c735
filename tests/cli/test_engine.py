"""``actors run --engine ray`` and ``actors nodes``: what is asked for, and what is told of nodes."""

from __future__ import annotations

import importlib.util
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentLost, AgentOutcome, AgentStatus, AgentTimedOut
from actors.cli.by_node import node_words
from actors.cli.engine import path_of
from actors.cli.progress import LiveDisplay, PlainLines
from actors.cli.results import ResultsFile
from actors.cli.summary import summary
from actors.cli.tally import Tally
from actors.cluster import probe as probing
from actors.cluster.link import LinkGone
from actors.cluster.node import NodeView
from actors.cluster.probe import Probed
from actors.testing.cluster import LocalEngine

from ..core.test_outcomes import outcome
from .conftest import lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def node(name: str, placed: int = 0, **fields: Any) -> NodeView:
    """A node with a lease of 10 slots, that is up."""
    given = {"pid": 1, "lease": 10, "parked": 0, "heard": 0.1, "state": "up", "why": ""} | fields
    return NodeView(node=name, placed=placed, **given)


def lost_with(name: str, number: int) -> AgentOutcome[Any]:
    """An agent that went with its node."""
    return outcome(number, AgentStatus.LOST, AgentLost("no answer", name))


# What is asked for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--address", "h:6379"], "--address is about other machines: give --engine ray"),
        (["--slots-per-node", "4"], "--slots-per-node is about other machines: give --engine ray"),
        (["--engine", "dask"], "--engine is dask: the one that there is is ray"),
        (["--engine", "ray", "--slots-per-node", "0"], "--slots-per-node is 0: it must be at least 1"),
        (["--engine", "ray", "--address", " "], "--address is empty: give that of the cluster's head"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused(
    cli: Callable[..., Any], folder: Path, options: list[str], problem: str
) -> None:
    """By the option, before anything runs or is written."""
    done = cli("run", "--driver", "echo", "--prompt", "hi", "nodriver.toml", "--out", "o.jsonl", *options)
    assert done.exit_code == 2
    assert problem in done.stderr
    assert not (folder / "o.jsonl").exists()


def test_nodes_find_modules_beside_the_manifests(folder: Path) -> None:
    """Where they have the same folders; then where they would look without us."""
    found = path_of([str(folder / "a" / "x.toml"), str(folder / "a" / "y.toml"), str(folder / "b" / "x.toml")])
    assert found.split(":")[:2] == [str(folder / "a"), str(folder / "b")]
    assert found.split(":")[-1] == "${PYTHONPATH}"


def test_a_run_on_other_machines(cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows and its summary are those of a run here, and the display has asked its engine for the nodes."""
    with closing(LocalEngine(nodes=2)) as engine:
        monkeypatch.setattr("actors.cli.run.engine_of", lambda options: engine)
        seen = []
        nodes = engine.nodes
        monkeypatch.setattr(engine, "nodes", lambda: seen.append(nodes()) or seen[-1])
        monkeypatch.setattr("actors.cli.progress.LINE_INTERVAL", -1.0)
        write_lines(folder / "in.jsonl", *({"query": word} for word in ("good", "fail", "more")))
        options = ("--input", "in.jsonl", "--out", "o.jsonl", "--engine", "ray", "--verbose")
        done = cli("run", "ask.toml", *options)
    rows = sorted((row["query"], row["status"], row["result"]) for row in lines_of(folder / "o.jsonl"))
    assert rows == [
        ("fail", "failed", None),
        ("good", "completed", "answer to good"),
        ("more", "completed", "answer to more"),
    ]
    assert done.exit_code == 1
    assert "3 agents: 2 completed, 1 failed" in done.stdout
    assert [node.node for node in seen[-1]] == ["node-1", "node-2"]
    assert "node-2: 0 running" in done.stderr


def test_a_cluster_that_is_not_there_ends_the_run(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As bad usage does, in one line; nothing is run here instead."""
    engine = LocalEngine(nodes=0, start_timeout=0.01)
    monkeypatch.setattr("actors.cli.run.engine_of", lambda options: engine)
    done = cli("run", "ask.toml", "--prompt", "good", "--engine", "ray")
    assert done.exit_code == 2
    assert "error: --engine ray: 0 of 1 nodes came up within 0.01 s" in done.stderr
    assert "completed" not in done.stdout


def test_a_cluster_that_goes_on_the_way_ends_the_run(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was placed is lost, what is left of the input is not run, and that is said once."""
    engine = LocalEngine(nodes=1)
    monkeypatch.setattr("actors.cli.run.engine_of", lambda options: engine)
    monkeypatch.setattr(ResultsFile, "write", lambda *_: engine.link.lose_engine())
    write_lines(folder / "in.jsonl", *({"query": f"wait {number}" if number else "go"} for number in range(200)))
    done = cli("run", "wait.toml", "--input", "in.jsonl", "--out", "o.jsonl", "--engine", "ray")
    assert done.exit_code == 1
    assert done.stderr.count("error: --engine ray: ") == 1
    assert "1 completed, " in done.stdout
    assert " lost" in done.stdout


def test_without_ray_one_line_says_what_to_install(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ray" else find(name, *more))
    for command in (("run", "ask.toml", "--prompt", "good", "--engine", "ray", "--out", "o.jsonl"), ("nodes",)):
        done = cli(*command)
        assert done.exit_code == 2
        assert 'pip install "actors[ray]"' in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (folder / "o.jsonl").exists()


# How it goes on each node ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "lost", "words"),
    [
        ([], {}, ""),
        ([node("a", 4)], {}, "a: 4 running"),
        ([node("a", 17, parked=3)], {}, "a: 10 running, 4 queued, 3 parked"),
        ([node("a", 2, parked=2), node("b", 5)], {}, "b: 5 running · a: 0 running, 2 parked"),
        ([node("a", 5), node("b", state="starting")], {}, "b: starting · a: 5 running"),
        (
            [node("a", 5), node("b", state="gone", why="no answer for 12 s", lease=0)],
            {"b": 3},
            "b: gone (no answer for 12 s), 3 lost · a: 5 running",
        ),
        ([node("a\x1b[2J", 1)], {}, "a\\x1b[2J: 1 running"),
    ],
    ids=["none", "one", "full", "parked", "starting", "gone", "what does not print"],
)
def test_the_line_of_the_nodes(nodes: list[NodeView], lost: dict[str, int], words: str) -> None:
    """Who is not up first, then the fullest; what has a slot is told from what waits for one."""
    assert node_words(nodes, lost) == words


def test_many_nodes_are_summed_up() -> None:
    """Six are named, and none of those that are not up is left out for one that is."""
    nodes = [node(f"n{number:02}", 10 + number % 2, parked=1) for number in range(40)]
    words = node_words([*nodes, node("bad", state="refused", why="Python 3.12 there")], {"n38": 2})
    assert words.startswith("bad: refused (Python 3.12 there) · n01: 10 running, 1 parked · ")
    assert words.endswith(" · 35 more: 330 running, 35 parked, 2 lost")
    assert words.count(" · ") == 6


def test_progress_has_a_line_for_the_nodes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the bar, and in plain lines where there is none; without an engine there is no such line."""
    monkeypatch.setattr("actors.cli.progress.LINE_INTERVAL", -1.0)
    tally = Tally()
    lines, display = PlainLines(tally, lambda: None, told=True), LiveDisplay(tally, lambda: None)
    lines.ended(lost_with("b", 1))
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert "\n" not in display._frame()[2]
    tally.nodes = lambda: [node("a", 4)]
    tally.count(lost_with("a", 1))
    tally.count(outcome(2, AgentStatus.TIMED_OUT, AgentTimedOut()))
    lines.ended(lost_with("a", 1))
    assert capsys.readouterr().err.splitlines()[-1] == "a: 4 running, 1 lost"
    assert display._frame()[2].splitlines()[-1] == "a: 4 running, 1 lost"
    assert "1 timed_out, 1 lost" in summary(tally, out=None)


# actors nodes ---------------------------------------------------------------------------------------------------

FOUND = [
    Probed("10.0.0.1", "a", "ready", "3.11", "0.1.0", "2.60.0"),
    Probed("10.0.0.2", "b", "refused", "3.12", "0.1.0", "2.60.0", "Python 3.12 there, 3.11 here"),
    Probed("10.0.0.3", "c", "gone", why="it has left the cluster"),
]


def test_the_table_of_nodes(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each, what is wrong with it, and on how many agents can live; exit code 0 if on one."""
    monkeypatch.setattr(probing, "look", lambda address, timeout: FOUND if address == "auto" else FOUND[1:])
    done = cli("nodes")
    assert done.exit_code == 0
    head, *rows, _, total = done.stdout.splitlines()
    assert head.split() == ["node", "state", "python", "actors", "ray", "why"]
    assert [row.split()[:2] for row in rows] == [[one.node, one.state] for one in FOUND]
    assert "Python 3.12 there, 3.11 here" in rows[1]
    assert total == "3 nodes: agents can live on 1"
    assert cli("nodes", "--address", "h:1").exit_code == 1


def test_nodes_as_json(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each, with all that is known."""
    monkeypatch.setattr(probing, "look", lambda _, timeout: FOUND)
    rows = [json.loads(line) for line in cli("nodes", "--json").stdout.splitlines()]
    assert [(row["id"], row["state"], row["why"]) for row in rows] == [(one.id, one.state, one.why) for one in FOUND]


@pytest.mark.parametrize("error", [LinkGone("no cluster at h:1"), ImportError('pip install "actors[ray]"')])
def test_no_cluster_is_told_in_a_line(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Nor is a missing package a traceback."""

    def fail(address: str, *, timeout: float) -> list[Probed]:
        raise error

    monkeypatch.setattr(probing, "look", fail)
    done = cli("nodes", "--address", "h:1")
    assert (done.exit_code, done.stderr) == (2, f"error: --address h:1: {error}\n")
