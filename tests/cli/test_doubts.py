"""Warnings of what is good enough to run, and most probably not meant."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from actors.extras import how_to_install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOOLS = '''
from actors import tool
from actors.capabilities import Network, Shell
import actors

@tool(capability=Network(allowed_hosts=("a.b",)))
def call(text: str) -> str:
    """Call."""
    return text

@tool(name="told", capability=Shell())
def other(text: str) -> str:
    """Tell."""
    return text
'''
MODEL = '[model]\ndriver = "bot:make"\n'
SERVER = MODEL + '[[mcp_servers]]\nname = "far"\ncommand = ["no-such-program"]\n'
NOT_GRANTED = "is not granted: it needs the capability"
DOUBTS = {
    "tool of ours": ('tools = ["actors.tools.files:read_file"]\n', MODEL, [], f"read_file' {NOT_GRANTED} file_read"),
    "tool of theirs": ('tools = ["kit:call"]\n', MODEL, [], f"tools.0: 'kit:call' {NOT_GRANTED} network"),
    "tool that is refused": (
        'tools = ["kit:call"]\n',
        MODEL + '[[capabilities]]\ntype = "network"\nallowed_hosts = ["*"]\n',
        [],
        "tools.0: 'kit:call' is refused: the privacy is sovereign",
    ),
    "server not granted": ("", SERVER, [], "mcp_servers.0: the tools of 'far' are not granted"),
    "server that cannot start": (
        "",
        SERVER + '[[capabilities]]\ntype = "mcp"\nserver = "*"\n',
        [],
        "mcp_servers.0: 'far' cannot be started: there is no program 'no-such-program'",
    ),
    "model of a function": ("", MODEL, ["--model", "gpt"], "--model gpt: FunctionDriver asks no model"),
    "model of nobody": ('agent = "bot:Wait"\n', "", ["--model", "gpt"], "--model gpt: no driver is there to ask it"),
    "approval of nothing": ("", MODEL, ["--approve", "git.*"], "--approve git.*: fits none of the tools (none)"),
    "approval of another": (
        'tools = ["bot:shout"]\n',
        MODEL,
        ["--approve", "shot"],
        "--approve shot: fits none of the tools (shout)",
    ),
}


@pytest.mark.parametrize(
    ("top", "rest", "args", "message"),
    [
        pytest.param(*doubt, id=name, marks=[pytest.mark.process] * ("cannot start" in name))
        for name, doubt in DOUBTS.items()
    ],
)
def test_warned(cli: Callable[..., Any], folder: Path, top: str, rest: str, args: list[str], message: str) -> None:
    """``run`` and ``validate`` warn, each once and on standard error, and go on."""
    (folder / "kit.py").write_text(TOOLS)
    (folder / "odd.toml").write_text(top + rest)
    commands = [("run", "odd.toml", "--prompt", "x", *args)] + [("validate", "odd.toml")] * (not args)
    for command in commands:
        result = cli(*command)
        assert result.stderr.count("warning: ") == 1, command
        assert message in result.stderr
        assert (result.exit_code == 0) == ("far" not in rest or "capabilities" not in rest or command[0] == "validate")
    assert "warning" not in cli("run", "odd.toml", "--prompt", "x", *args, "-q").stderr


GOOD = {
    "granted": ('tools = ["kit:other"]\n' + MODEL + '[[capabilities]]\ntype = "shell"\n', []),
    "approved": ('tools = ["kit:other"]\n' + MODEL + '[[capabilities]]\ntype = "shell"\n', ["--approve", "to*"]),
    "code of its own": ('agent = "bot:Wait"\n', ["--approve", "anything"]),
    "file of a glob": ('tools = ["actors.tools.files:read_file"]\n' + MODEL, ["--glob", "bot.py"]),
}


@pytest.mark.parametrize(("text", "args"), GOOD.values(), ids=GOOD)
def test_nothing_to_warn_of(cli: Callable[..., Any], folder: Path, text: str, args: list[str]) -> None:
    """What is granted, what fits a tool, and what cannot be known."""
    (folder / "kit.py").write_text(TOOLS)
    (folder / "good.toml").write_text(text)
    query = [] if "--glob" in args else ["--prompt", "x"]
    assert "warning" not in cli("run", "good.toml", *query, *args).stderr


def test_approval_of_a_server(cli: Callable[..., Any], folder: Path) -> None:
    """The tools of a server are known when it runs: a pattern of its name fits."""
    (folder / "odd.toml").write_text(SERVER)
    result = cli("run", "odd.toml", "--prompt", "x", "--approve", "far.look", "--approve", "near.look")
    assert "--approve near.look: fits none of the tools (far.*)" in result.stderr
    assert "--approve far.look" not in result.stderr


def test_the_package_for_servers_is_missing(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before an agent crashes for it, with the whole command."""
    monkeypatch.setitem(sys.modules, "mcp", None)
    (folder / "odd.toml").write_text(SERVER + '[[capabilities]]\ntype = "mcp"\nserver = "*"\n')
    result = cli("validate", "odd.toml")
    assert result.exit_code == 0
    assert "warning: odd.toml: mcp_servers.0: 'far' cannot be used: 'mcp' is not installed; " in result.stderr
    assert f"install it with: {how_to_install('mcp')}\n" in result.stderr
