"""``-v`` and ``-vv``: a line for what agents do, as they do it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from actors.agent.events import ApprovalDecided, ApprovalRequested, BudgetWarned, ToolEnded, ToolStarted
from actors.cli.contents import CONTENTS, without_content
from actors.cli.narrator import LONGEST, Narrator
from actors.cli.secrets import Secrets
from actors.core.records.answer import CompletionFailed, CompletionFinished, CompletionStarted, LimiterWaited, TextDelta
from actors.core.records.event import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentRestarted,
    AgentResumed,
    AgentStarted,
    Event,
    MessageRead,
    MessageSent,
)
from actors.core.records.outcome import AgentStatus

from .conftest import lines_of
from .test_trace import CODE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def told(level: int, *events: Event, secrets: dict[str, str] | None = None) -> list[str]:
    """What is written of *events*, without the times."""
    lines: list[str] = []
    narrator = Narrator(level, secrets=Secrets(secrets or {}), write=lines.append)
    for event in events:
        narrator(event)
    return [line.partition(" s  ")[2] for line in lines]


def at(kind: type[Event], moment: float, **fields: Any) -> Event:
    """An event of one agent."""
    return kind(**{"agent_id": 7, "agent": "bot", "moment": moment, **fields})


LIFE = [
    at(AgentQueued, 10.0),
    at(AgentStarted, 12.5, parent_id=3, key="docs/a.md", input="Why?"),
    at(CompletionStarted, 12.5, model="m-1"),
    at(CompletionFailed, 13.0, model="m-1", error="overloaded\nbusy", delay=0.5),
    at(CompletionStarted, 13.5, model="m-1", attempt=2),
    at(LimiterWaited, 13.6, seconds=0.1),
    at(TextDelta, 14.0, text="Because"),
    at(CompletionFinished, 14.5, model="m-1", attempt=2, input_tokens=1_200, output_tokens=34, cost_usd=0.01,
       stop_reason="tool_use", text="I look."),
    at(ToolStarted, 14.5, call_id="a", tool="look", input={"place": "attic"}),
    at(ToolEnded, 15.0, call_id="a", tool="look", is_error=False, duration=0.5, result="found"),
    at(MessageSent, 15.0, to=8, text="hello"),
    at(AgentParked, 15.0, on="a message"),
    at(AgentResumed, 17.0),
    at(MessageRead, 17.0, sender=8, text="hi"),
    at(AgentRestarted, 17.5, attempt=1, delay=0.1),
    at(AgentEnded, 22.5, status=AgentStatus.COMPLETED, result="Because of it."),
]  # fmt: skip


def test_verbose_tells_of_lives() -> None:
    """Once: how agents begin and end, with times and costs, and what goes wrong on the way."""
    assert told(1, *LIFE) == [
        "#7 bot  started, child of #3, key docs/a.md, after 2.50 s in the queue: Why?",
        "#7 bot  m-1 failed, asks again in 0.50 s: overloaded busy",
        "#7 bot  crashed: starts again, for the 1st time, in 0.10 s",
        "#7 bot  completed in 10.0 s, 1,234 tokens, $0.01, 1 tool call, 1 restart: Because of it.",
    ]


def test_twice_verbose_tells_of_the_work() -> None:
    """Each answer, each call with what it got and gave, each message and each wait."""
    lines = [line.removeprefix("#7 bot  ") for line in told(2, *LIFE)]
    assert lines[0] == "waits for a slot"
    assert lines[2:14] == [
        "asks m-1",
        "m-1 failed, asks again in 0.50 s: overloaded busy",
        "asks m-1, for the 2nd time",
        "waited 0.10 s for the limiter of its driver",
        "m-1: 1.00 s, 1,200 tokens in, 34 out, $0.01, tool use: I look.",
        'calls look {"place": "attic"}',
        "look returned after 0.50 s: found",
        "-> #8: hello",
        "waits for a message",
        "goes on after 2.00 s",
        "<- #8: hi",
        "crashed: starts again, for the 1st time, in 0.10 s",
    ]


def test_each_line_has_the_time_since_the_first_and_is_aligned() -> None:
    """On the pool's clock; labels stand below each other as soon as the widest was seen."""
    lines: list[str] = []
    narrator = Narrator(1, secrets=Secrets({}), write=lines.append)
    for number, name, moment in ((1, "a", 100.0), (22, "longer", 101.25), (3, "b", 3_700.0)):
        narrator(AgentStarted(agent_id=number, agent=name, moment=moment))
    narrator(BudgetWarned(message="most of it is spent", moment=3_700.5))
    assert lines == [
        "    0.000 s  #1 a  started",
        "    1.250 s  #22 longer  started",
        " 3600.000 s  #3 b        started",
        " 3600.500 s  pool        most of it is spent",
    ]


def test_questions_are_told_with_their_answers() -> None:
    """Who asks to call what, until when, and what became of it."""
    asked = at(ApprovalRequested, 1.0, call_id="c", tool="rm", input={"path": "x"}, timeout=60.0, default="deny")
    denied = at(ApprovalDecided, 2.0, call_id="c", tool="rm", approved=False, reason="no", by_default=True)
    assert told(1, asked, denied) == [
        '#7 bot  asks for approval of rm within 1 min 00 s, else deny: {"path": "x"}',
        "#7 bot  rm was denied (nobody answered in time): no",
    ]


def test_hostile_texts_stay_on_their_line() -> None:
    """Nothing moves the cursor or reads backwards, secrets are masked before the cut, and lines are bounded."""
    text = "\x1b[2J\r\n\u202e\ud800\u2028s3cr3t-value" + "z" * 1_000_000
    events = [
        at(AgentStarted, 1.0, agent=text, key=text, input=text),
        at(ToolStarted, 2.0, agent=text, call_id=text, tool=text, input={text: text}),
        at(ToolEnded, 2.0, agent=text, call_id=text, tool=text, is_error=True, duration=1e9, result=text),
        at(AgentParked, 2.0, agent=text, on=text),
        at(AgentEnded, 3.0, agent=text, status=AgentStatus.FAILED, error=text),
    ]
    lines = told(2, *events, secrets={"A_KEY": "s3cr3t-value"})
    assert len(lines) == 5
    for line in lines:
        assert all(sign.isprintable() or sign == "\N{REPLACEMENT CHARACTER}" for sign in line)
        assert len(line) < 2 * LONGEST + 150
    assert "[A_KEY]" in lines[0].rpartition(": ")[2]


def test_what_ends_is_forgotten() -> None:
    """The narrator of a million agents keeps those that live."""
    narrator = Narrator(1, secrets=Secrets({}), write=lambda _: None)
    for number in range(1, 101):
        narrator(AgentStarted(agent_id=number))
        narrator(AgentEnded(agent_id=number, status=AgentStatus.COMPLETED))
    narrator(AgentEnded(agent_id=5, status=AgentStatus.COMPLETED))
    assert narrator._alive == {}


def test_every_content_has_a_field_that_is_left_out() -> None:
    """The list of contents names fields that there are, and leaves nothing of them."""
    for kind, field in CONTENTS.items():
        assert field in kind.model_fields
    event = at(ToolStarted, 1.0, call_id="a", tool="look", input={"place": "attic"})
    assert without_content(event) == at(ToolStarted, 1.0, call_id="a", tool="look")
    assert without_content(LIFE[0]) is LIFE[0]


@pytest.fixture
def seer(folder: Path) -> None:
    """A manifest with a tool that finds something, and fails once."""
    (folder / "seer.py").write_text(CODE)
    (folder / "seer.toml").write_text('name = "seer"\ntools = ["seer:look"]\n[model]\ndriver = "seer:make"\n')


def test_a_clean_run_is_told(cli: Callable[..., Any], folder: Path, seer: None) -> None:
    """-vv shows a tool call of a run, on standard error alone; the file of events has no more than without."""
    run = ("run", "seer.toml", "--prompt", "Where?", "--out", "-", "--events")
    loud, quiet, silent = cli(*run, "a.jsonl", "-vv"), cli(*run, "b.jsonl"), cli(*run, "c.jsonl", "-vv", "-q")
    said = [line.partition("#1 seer  ")[2] for line in loud.stderr.splitlines() if "#1 seer  " in line]
    assert said[0] == "started: Where?"
    assert 'calls look {"place": "nowhere"}' in said
    assert any(re.match(r"look failed after \d\.\d\d s: .*no such place", line) for line in said)
    assert any(re.match(r"the model: .*4 tokens in, 2 out, end turn: It is there\.", line) for line in said)
    assert said[-1].startswith("completed in ")
    assert "#1 seer  " not in loud.stdout + quiet.stderr + silent.stderr
    files = [[set(record) for record in lines_of(folder / name)] for name in ("a.jsonl", "b.jsonl")]
    assert sorted(map(sorted, files[0])) == sorted(map(sorted, files[1]))
    assert "nowhere" not in (folder / "a.jsonl").read_text()
    assert "completed in" not in cli("run", "seer.toml", "--prompt", "x", "-v").stdout
