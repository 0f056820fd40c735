"""``actors validate`` and ``actors status``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from actors import Browser, FileRead, FileWrite, Mcp, Memory, Network, Shell, Spawn
from actors.cli.permissions import in_words
from tests.tools.test_mcp import ROGUE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_validate_good(cli: Callable[..., Any]) -> None:
    """Each good manifest gets a line; exit code 0."""
    result = cli("validate", "ask.toml", "wait.toml")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["ask.toml: ok (ask 0.1.0)", "wait.toml: ok (wait 0.1.0)"]
    assert result.stderr == ""


def test_validate_goes_on_after_a_bad_one(cli: Callable[..., Any], folder: Path) -> None:
    """A bad manifest does not hide the good ones, nor the other way round."""
    result = cli("validate", "tools.toml", "ask.toml", "missing.toml")
    assert result.exit_code == 2
    assert result.stdout == "ask.toml: ok (ask 0.1.0)\n"
    assert "tools.toml: tools.1: " in result.stderr
    assert "missing.toml: cannot be read: No such file" in result.stderr


def test_status(cli: Callable[..., Any], folder: Path) -> None:
    """Status tells the limits, the permissions, the driver and the tools, and what is wrong with them."""
    (folder / "full.toml").write_text(
        'name = "full"\ndescription = "Does [all]."\ntools = ["bot:shout", "bot:gone"]\nprivacy = "private"\n'
        '[model]\ndriver = "bot:make"\n[resources]\nmax_iterations = 7\nmax_cost_usd = 2.5\n'
        '[[capabilities]]\ntype = "file_read"\nallowed_paths = ["src", "doc"]\n'
    )
    result = cli("status", "full.toml")
    assert result.exit_code == 0
    for text in (
        "full 0.1.0",
        "Does [all].",
        "driver bot:make",
        "private: ",
        "7 iterations",
        "50 tool calls",
        "$2.50 at most",
        "no budget of tokens",
        "read files below src, doc",
        "shout: Say it loud. [needs no capability]",
        "no 'gone'",
    ):
        assert text in result.stdout


@pytest.mark.process
def test_status_shows_every_tool_with_what_it_may_do(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own and those of its servers: granted, not granted, refused, asked for; a server that fails says why."""
    monkeypatch.setenv("COLUMNS", "300")
    servers = "".join(
        f'[[mcp_servers]]\nname = "{name}"\ncommand = ["{sys.executable}", "{ROGUE}", "{mode}"]\n'
        for name, mode in (("rogue", "good"), ("broken", "exits"), ("spare", "good"))
    )
    (folder / "full.toml").write_text(
        'name = "full"\ntools = ["bot:shout", "actors.tools.files:read_file", "actors.tools.file_changes:write_file",\n'
        '"actors.tools.fetch:fetch_url", "actors.tools.shell:run_command"]\n'
        'approval = { tools = ["run_*", "rogue.die"] }\n'
        '[[capabilities]]\ntype = "file_read"\nallowed_paths = ["src"]\n'
        '[[capabilities]]\ntype = "network"\nallowed_hosts = ["example.org"]\n'
        '[[capabilities]]\ntype = "shell"\nallowed_commands = ["git log"]\n'
        '[[capabilities]]\ntype = "mcp"\nserver = "rogue"\n[[capabilities]]\ntype = "mcp"\nserver = "broken"\n'
        + servers
    )
    result = cli("status", "full.toml")
    assert result.exit_code == 0
    for text in (
        "shout: Say it loud. [needs no capability]",
        "[may read files below src]",
        "[not granted: needs file_write]",
        "[refused: the privacy is sovereign]",
        "[may run the commands git log; asks first]",
        "rogue.echo: echo [SANITIZED] it [may call every tool of the MCP server rogue]",
        "rogue.die: die [SANITIZED] it [may call every tool of the MCP server rogue; asks first]",
        "MCP server 'broken' could not be opened: no such repository",
        "not granted: needs mcp",
    ):
        assert text in result.stdout, text


def test_status_of_a_bad_manifest(cli: Callable[..., Any], folder: Path) -> None:
    """Without a manifest there is nothing to tell: exit code 2."""
    (folder / "bad.toml").write_text("typo = 1\n")
    result = cli("status", "bad.toml")
    assert result.exit_code == 2
    assert "bad.toml: typo" in result.stderr


WORDS = {
    "read files below a, b": FileRead(allowed_paths=("a", "b")),
    "read every file": FileRead(allowed_paths=("*",)),
    "write files below … (but nothing is listed)": FileWrite(),
    "read the file that --glob gives it, and no other": FileRead(),
    "run every command": Shell(allowed_commands=("ls", "*")),
    "connect to example.org": Network(allowed_hosts=("example.org",)),
    "call every tool of the MCP server files": Mcp(server="files"),
    "call the tool read of every MCP server": Mcp(server="*", tool="read"),
    "start children, down to depth 3": Spawn(max_depth=3),
    "remember and recall": Memory(),
    "drive a browser": Browser(),
}


@pytest.mark.parametrize(("words", "capability"), WORDS.items(), ids=WORDS)
def test_capability_in_words(words: str, capability: Any) -> None:
    """A capability in words says what it allows, not more."""
    assert in_words(capability) == words
