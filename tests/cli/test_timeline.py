"""``actors run --timeline`` and ``actors timeline``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from actors.cli.journal_events import timeline_of
from actors.journals import EffectState, JournaledAgent, JournaledEffect, JournaledStatus
from actors.monitoring import AgentState

from .conftest import write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STARTED = {"event": "agent_started", "agent_id": 1, "agent": "ask", "seq": 1, "moment": 1.0, "slots": 2}
ENDED = {"event": "agent_ended", "agent_id": 1, "agent": "ask", "seq": 2, "moment": 3.5, "status": "completed"}


def slices(path: Path) -> list[dict[str, Any]]:
    """The slices of a file of Chrome's JSON."""
    return [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == "X"]


def test_a_run_leaves_its_picture(cli: Callable[..., Any], folder: Path) -> None:
    """A page, and JSON for Perfetto; one that failed is in it."""
    write_lines(folder / "in.jsonl", {"query": "fine"}, {"query": "fail"})
    assert cli("run", "ask.toml", "--input", "in.jsonl", "--timeline", "run.json").exit_code == 1
    assert {each["args"].get("status") for each in slices(folder / "run.json")} >= {"completed", "failed"}
    assert cli("run", "ask.toml", "--prompt", "x", "--timeline", "run.html").exit_code == 0
    assert (folder / "run.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("run.txt", ".html, .json or .json.gz"),
        ("gone/run.html", "its folder is not there"),
        ("-", "--timeline needs a file"),
    ],
    ids=["ending", "folder", "stream"],
)
def test_where_a_picture_cannot_go_is_refused_before_the_run(
    cli: Callable[..., Any], folder: Path, path: str, says: str
) -> None:
    """With what to write instead; nothing is run, and no output is begun."""
    result = cli("run", "ask.toml", "--prompt", "x", "--out", "out.jsonl", "--timeline", path)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (folder / "out.jsonl").exists()


def test_a_picture_and_another_output_are_two_files(cli: Callable[..., Any]) -> None:
    """The same file is not written twice."""
    result = cli("run", "ask.toml", "--prompt", "x", "--out", "a.json", "--timeline", "a.json")
    assert result.exit_code == 2
    assert "--timeline and --out are the same file" in result.stderr


def test_events_become_a_page_beside_them(cli: Callable[..., Any], folder: Path) -> None:
    """Of what --events wrote; where the time went is said in words."""
    assert cli("run", "ask.toml", "--prompt", "x", "--events", "run.jsonl").exit_code == 0
    result = cli("timeline", "run.jsonl")
    assert result.exit_code == 0
    assert result.stdout.startswith("run.html: 1 agent in ")
    assert "(1 completed)" in result.stdout
    assert (folder / "run.html").is_file()
    again = cli("timeline", "run.jsonl")
    assert again.exit_code == 2
    assert "run.html: exists already: give -o FILE" in again.stderr
    assert cli("timeline", "run.jsonl", "-o", "run.html").exit_code == 0


def test_events_come_from_standard_input(cli: Callable[..., Any], folder: Path) -> None:
    """It has no name, so the picture needs one."""
    lines = "".join(json.dumps(each) + "\n" for each in (STARTED, ENDED))
    assert "give -o FILE" in cli("timeline", "-", stdin=lines).stderr
    result = cli("timeline", "-", "-o", "run.json", stdin=lines)
    assert result.exit_code == 0
    assert result.stdout.startswith("run.json: 1 agent in 2.5 s (1 completed)\n")
    assert [each["dur"] for each in slices(folder / "run.json")] == [2_500_000]


def test_the_half_line_of_a_killed_process_is_left_out(cli: Callable[..., Any], folder: Path) -> None:
    """And that is said; the agent has not ended."""
    (folder / "run.jsonl").write_text(json.dumps(STARTED) + "\n" + json.dumps(ENDED)[:40])
    result = cli("timeline", "run.jsonl", "-o", "run.json")
    assert result.exit_code == 0
    assert "the last line was broken off" in result.stderr
    assert "1 not ended" in result.stdout


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "run.jsonl:2: is no JSON"),
        ("3", "run.jsonl:2: is no event"),
        ('{"event": "agent_ended", "moment": 1}', "run.jsonl:2: is no agent_ended: status"),
        ('{"event": "agent_started", "agent_id": 2, "moment": NaN}', "run.jsonl:2: is no agent_started: moment"),
        ('{"event": "agent_started", "agent_id": 2}', "neither a moment nor a time"),
        ('{"event": "agent_started", "agent_id": "x", "moment": 1}', "run.jsonl:2: is no agent_started: agent_id"),
    ],
    ids=["json", "number", "field", "nan", "time", "id"],
)
def test_a_line_that_is_no_event_is_named(cli: Callable[..., Any], folder: Path, line: str, says: str) -> None:
    """With its file and number, and what is wrong with it."""
    (folder / "run.jsonl").write_text(json.dumps(STARTED) + "\n" + line + "\n")
    result = cli("timeline", "run.jsonl")
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (folder / "run.html").exists()


def test_lines_without_moments_are_drawn_by_the_time_of_day(cli: Callable[..., Any], folder: Path) -> None:
    """Earlier versions wrote none."""
    times = ("2026-01-01T12:00:00+00:00", "2026-01-01T12:00:04+00:00")
    lines = [{**each, "at": at} for each, at in zip((STARTED, ENDED), times, strict=True)]
    for each in lines:
        del each["moment"]
    write_lines(folder / "run.jsonl", *lines)
    assert "1 agent in 4.0 s" in cli("timeline", "run.jsonl").stdout


def test_of_a_file_with_two_runs_the_last_one_is_drawn(cli: Callable[..., Any], folder: Path) -> None:
    """--resume goes on with the file; events of other kinds are counted."""
    other = {"event": "sighted", "agent_id": 1, "seq": 3, "moment": 3.6}
    write_lines(folder / "run.jsonl", STARTED, ENDED, other, STARTED, {**ENDED, "status": "failed"})
    result = cli("timeline", "run.jsonl")
    assert "has 2 runs, one after the other: the last one is drawn" in result.stderr
    assert "1 event of other kinds" in result.stderr
    assert "1 agent in 2.5 s (1 failed)" in result.stdout


@pytest.mark.parametrize("text", ["", "\n\n"], ids=["empty", "blank"])
def test_nothing_to_draw_is_said(cli: Callable[..., Any], folder: Path, text: str) -> None:
    """A file without events, or no file."""
    (folder / "run.jsonl").write_text(text)
    assert "run.jsonl: has no events" in cli("timeline", "run.jsonl").stderr
    assert "cannot be read" in cli("timeline", "gone.jsonl").stderr


def test_a_journal_is_drawn(cli: Callable[..., Any], folder: Path) -> None:
    """Agents by their keys, with the completions that were bought."""
    write_lines(folder / "in.jsonl", {"query": "one"}, {"query": "two"})
    assert cli("run", "ask.toml", "--input", "in.jsonl", "--journal", "run.db").exit_code == 0
    result = cli("timeline", "run.db", "-o", "run.json")
    assert result.exit_code == 0, result.stderr
    assert "2 agents in " in result.stdout
    assert "(2 completed)" in result.stdout
    assert sum(each["cat"] == "in_driver" for each in slices(folder / "run.json")) == 2


def test_a_tool_that_may_be_called_again_has_its_time_in_a_journal() -> None:
    """Such a call is entered when it has ended; one of which only the beginning was entered goes on from there."""
    start = datetime(2026, 1, 2, tzinfo=UTC)

    def effect(kind: str, at: float, state: EffectState = EffectState.DONE) -> JournaledEffect:
        name = "m" if kind == "completion" else f"t{at:.0f}"
        when = start + timedelta(seconds=at)
        return JournaledEffect(kind, kind, name, state, None, None, 1, when, None, 0, 0, 0.0, "")

    effects = [effect("completion", 1), effect("tool", 3), effect("tool", 4), effect("completion", 5)]
    agent = JournaledAgent(
        "k", "ask", None, JournaledStatus.INTERRUPTED, 1, 5, 2, 0, 0, 0, 0.0, True, False, 1, None, start, None, None
    )
    journal: Any = SimpleNamespace(
        agents=lambda: [agent], effects=lambda _: [*effects, effect("tool", 8, EffectState.BEGUN)]
    )
    spans = timeline_of(journal).spans()
    called = [span for span in spans if span.lane is not None]
    assert [(span.label, span.begin, span.end) for span in called] == [
        ("t3", 1.0, 3.0),
        ("t4", 1.0, 4.0),
        ("t8", 8.0, 8.0),
    ]
    assert [(span.begin, span.end) for span in spans if span.state is AgentState.IN_DRIVER] == [(0.0, 1.0), (4.0, 5.0)]
