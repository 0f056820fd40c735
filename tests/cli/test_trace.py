"""``--trace``: the conversations, without secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from actors.cli.secrets import Secrets
from actors.cli.trace import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODE = '''
from actors import CompletionResponse, FunctionDriver, StopReason, TokenUsage, ToolCall, tool

@tool
def look(place: str) -> str:
    """Look."""
    if place == "nowhere":
        raise ValueError("no such place")
    return "found s3cr3t-value there " + "x" * 5_000

def answer(request):
    if len(request.messages) == 1:
        calls = [ToolCall("a", "look", {"place": "s3cr3t-value"}), ToolCall("b", "look", {"place": "nowhere"})]
        return CompletionResponse("I look.", StopReason.TOOL_USE, calls, TokenUsage(4, 2))
    return CompletionResponse("It is\\nthere.", usage=TokenUsage(4, 2))

def make(manifest):
    return FunctionDriver(answer, context_window=100_000)
'''


def test_trace(cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an agent was told, what it answered, its calls with their arguments and what came back, bounded."""
    monkeypatch.setenv("SOME_API_KEY", "s3cr3t-value")
    (folder / "seer.py").write_text(CODE)
    (folder / "seer.toml").write_text('tools = ["seer:look"]\n[model]\ndriver = "seer:make"\nsystem_prompt = "See."\n')
    result = cli("run", "seer.toml", "--prompt", "Where is s3cr3t-value?", "--trace", "--out", "-")
    lines = [line for line in result.stderr.splitlines() if line.startswith("  ")]
    assert lines[:6] == [
        "  system:   See.",
        "  told:     Where is [SOME_API_KEY]?",
        "  answered: I look.",
        '  called:   look {"place": "[SOME_API_KEY]"}',
        '  called:   look {"place": "nowhere"}',
        lines[5],
    ]
    assert lines[5].startswith("  returned: look: found [SOME_API_KEY] there xxx")
    assert lines[5].endswith(" more characters]")
    assert len(lines[5]) < LONGEST + 60
    assert lines[6].startswith("  failed:   look: ")
    assert "no such place" in lines[6]
    assert lines[7:9] == ["  answered: It is", "    there."]
    assert "12 tokens, 2 tool calls" in lines[9]
    assert "told:" not in result.stdout


def test_trace_of_an_agent_without_a_model(cli: Callable[..., Any]) -> None:
    """Its query, and its result or its error with its place."""
    assert "  told:     hi\n" in (said := cli("run", "wait.toml", "--prompt", "hi", "--trace").stderr)
    assert "  result:   hi\n" in said
    said = cli("run", "ask.toml", "--prompt", "boom", "--trace").stderr
    assert "  error:    bot.py:11 in answer: ValueError: boom [red]x[/nothing]\n" in said
    assert "told:" not in cli("run", "wait.toml", "--prompt", "hi").stderr


def test_secrets() -> None:
    """Values of variables whose names say so, long enough to be one, also as they stand in JSON; long ones first."""
    secrets = Secrets({"A_TOKEN": 'to"ken-1', "MY_PASSWORD": 'to"ken-1-longer', "KEY": "abc", "HOME": "/home/me"})
    assert secrets.masked('a to"ken-1-longer, to\\"ken-1, abc, /home/me') == "a [MY_PASSWORD], [A_TOKEN], abc, /home/me"
    assert Secrets({}).masked("x") == "x"
    accented = Secrets({"DB_PASS": 'g"eh\u00e9im'})
    for text in ('g"eh\u00e9im', json.dumps('g"eh\u00e9im'), json.dumps('g"eh\u00e9im', ensure_ascii=False)):
        assert accented.masked(text).strip('"') == "[DB_PASS]"
