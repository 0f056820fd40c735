"""``actors validate`` and ``actors status``."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from actors import Browser, FileRead, FileWrite, Mcp, Memory, Network, Shell, Spawn
from actors.cli import check
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
        '[model]\ndriver = "bot:make"\nreasoning_effort = "low"\nstop = "END"\n'
        "[resources]\nmax_iterations = 7\nmax_cost_usd = 2.5\n"
        '[[capabilities]]\ntype = "file_read"\nallowed_paths = ["src", "doc"]\n'
        '[guardrails]\nuse = ["bot:check"]\n[memory]\npath = "notes.db"\nremember = false\n'
    )
    result = cli("status", "full.toml")
    assert result.exit_code == 0
    for text in (
        "full 0.1.0",
        "Does [all].",
        "driver bot:make",
        "private: ",
        'temperature 0.3, reasoning_effort low, stop ["END"]',
        "7 iterations",
        "50 tool calls",
        "$2.50 at most",
        "no budget of tokens",
        "read files below src, doc",
        "shout: Say it loud. [needs no capability]",
        "no 'gone'",
        "checked by",
        "bot:check",
        "notes.db, where nothing is put of what is said",
    ):
        assert text in result.stdout


@pytest.mark.parametrize("imports", [(), ("--import",)], ids=["texts", "imports"])
@pytest.mark.parametrize(
    ("table", "place"),
    [
        ('[guardrails]\nuse = ["nowhere:check"]', "guardrails.use.0: no module 'nowhere'"),
        ('[guardrails]\nuse = ["rails:gone"]', "guardrails.use.0: module 'rails' has no 'gone'"),
        ('[guardrails]\nuse = ["rails:check_input", "rails:number"]', "guardrails.use.1: "),
        ('[guardrails]\nuse = ["rails:Strict"]', "guardrails.use.0: "),
        ('[guardrails]\nuse = ["rails:anything"]', "guardrails.use.0: "),
        ('[context]\npolicy = "rails:gone"', "context.policy: module 'rails' has no 'gone'"),
        ('[context]\npolicy = "rails:number"', "context.policy: 'rails:number' is no function"),
        ('[model]\nsystem_prompt = {function = "rails:gone"}', "model.system_prompt.function: module 'rails' has no"),
        ('[model]\nsystem_prompt = {function = "rails:number"}', "model.system_prompt.function: "),
    ],
    ids=["module", "name", "number", "class", "stage", "policy", "policy-number", "prompt", "prompt-number"],
)
def test_validate_looks_at_all_that_is_named(
    cli: Callable[..., Any], folder: Path, table: str, place: str, imports: tuple[str, ...]
) -> None:
    """Guardrails, policies and prompts, also those of a manifest that is named; what is good is not told."""
    (folder / "rails.py").write_text(
        "number = 5\n\n\nclass Strict:\n    def check_input(self, query): ...\n\n\n"
        "def anything(query): ...\n\n\ndef check_input(query): ...\n"
    )
    (folder / "inner.toml").write_text(f'name = "inner"\n{table}\n')
    (folder / "outer.toml").write_text('name = "outer"\n[[handoffs]]\nname = "inner"\nmanifest = "inner.toml"\n')
    result = cli("validate", *imports, "outer.toml")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: outer.toml: handoffs.0.manifest: {place}")


def test_validate_passes_what_may_be_a_guardrail(cli: Callable[..., Any], folder: Path) -> None:
    """One that is decorated, made by a call, or an object."""
    (folder / "rails.py").write_text(
        'import actors\n\n\n@actors.guardrail("check_input")\ndef look(query): ...\n\n\n'
        "class Strict(actors.Guardrail):\n    def check_input(self, query): ...\n\n\nstrict = Strict()\n"
        "def check_output(value): ...\n"
    )
    use = ", ".join(f'"rails:{name}"' for name in ("look", "strict", "check_output"))
    (folder / "good.toml").write_text(f'name = "good"\n[guardrails]\nuse = [{use}]\n')
    assert cli("validate", "good.toml").exit_code == cli("validate", "--import", "good.toml").exit_code == 0


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


@pytest.mark.process
def test_status_names_tools_that_cannot_be_used(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their server and the reason, and no sign that a terminal would obey."""
    monkeypatch.setenv("COLUMNS", "300")
    listed = [{"name": "good", "inputSchema": {}}, {"name": "bad", "inputSchema": []}, {"name": "a\x1b[31m\nb"}]
    (folder / "listed.json").write_text(json.dumps({"tools": listed}))
    (folder / "full.toml").write_text(
        f'[[mcp_servers]]\nname = "rogue"\ncommand = ["{sys.executable}", "{ROGUE}", "listed", "x", "listed.json"]\n'
        '[[capabilities]]\ntype = "mcp"\nserver = "rogue"\n'
    )
    result = cli("status", "full.toml")
    assert result.exit_code == 0
    for text in (
        "rogue.good:",
        "left out: rogue.bad: its inputSchema is no object but a list",
        "left out: rogue.'a\\x1b[31m\\nb': its name is not 1 to 100 of A-Z a-z 0-9 _ . / -",
    ):
        assert text in result.stdout, result.stdout


@pytest.mark.process
def test_status_shows_which_calls_of_servers_may_be_made_again(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the server's hints and the manifest; a name in ``effects`` that fits none of its tools is told."""
    monkeypatch.setenv("COLUMNS", "300")
    reads = {"readOnlyHint": True}
    listed = [{"name": name, "description": "Do.", "annotations": reads} for name in ("look", "pay")]
    (folder / "listed.json").write_text(json.dumps({"tools": listed}))
    (folder / "full.toml").write_text(
        f'[[mcp_servers]]\nname = "rogue"\ncommand = ["{sys.executable}", "{ROGUE}", "listed", "x", "listed.json"]\n'
        'effects = { pay = "at_most_once", loko = "idempotent" }\n'
        '[[capabilities]]\ntype = "mcp"\nserver = "rogue"\n'
    )
    shown = cli("status", "full.toml").stdout
    for text in (
        "rogue.look: Do. [may call every tool of the MCP server rogue; idempotent]",
        "rogue.pay: Do. [may call every tool of the MCP server rogue]",
        "MCP server rogue: effects names 'loko', which is none of its tools, did you mean 'look'?",
    ):
        assert text in shown, shown


LOUD = "import pathlib; pathlib.Path('ran').touch()\n"


@pytest.fixture
def loud(folder: Path) -> Path:
    """Code beside a manifest that leaves a trace when it runs, in a module and in packages above one."""
    (folder / "loud.py").write_text(LOUD + (folder / "bot.py").read_text())
    (folder / "pack" / "inner").mkdir(parents=True)
    (folder / "pack" / "__init__.py").write_text(LOUD)
    (folder / "pack" / "inner" / "__init__.py").write_text(LOUD)
    (folder / "pack" / "inner" / "tools.py").write_text(LOUD + (folder / "bot.py").read_text())
    (folder / "openai.py").write_text(LOUD)
    (folder / "loud.toml").write_text(
        'name = "loud"\nagent = "loud:Wait"\ntools = ["loud:shout", "pack.inner.tools:shout"]\n'
        '[model]\ndriver = "loud:make"\n'
    )
    (folder / "openai.toml").write_text('[model]\ndriver = "openai"\n')
    return folder


def test_validate_runs_nothing_unless_it_is_asked(cli: Callable[..., Any], loud: Path) -> None:
    """It looks at the texts of the modules that are named, and not even at the packages above them."""
    result = cli("validate", "loud.toml", "openai.toml")
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert "warning: openai.toml: model: no model is named for the driver 'openai'" in result.stderr
    assert result.stdout.startswith("loud.toml: ok (loud 0.1.0)\nopenai.toml: ok")
    assert not (loud / "ran").exists()
    assert cli("validate", "--import", "loud.toml").exit_code == 0
    assert (loud / "ran").exists()


NAMED: dict[str, str | None] = {
    "from os import *\n": None,
    "def __getattr__(name): return 1\n": None,
    "globals()['it'] = 1\n": None,
    "import sys; sys.modules[__name__].it = 1\n": None,
    "if 1:\n    def it(): pass\nelse:\n    it = 2\n": None,
    "try:\n    import it\nexcept ImportError:\n    it = None\n": None,
    "for it in []: pass\n": None,
    "(it := 1)\n": None,
    "from os import path as it\n": None,
    "import it.other\n": None,
    "def f():\n    global it\n    it = 1\n": None,
    "a, (it, *b) = 1, (2, 3)\n": None,
    "x = '\\d'\nit = x\n": None,
    "it = make_it()\n": None,
    "it = 3\nit = f()\n": None,
    "@tool\ndef it(): pass\n": None,
    "it = 3\n": "'text:it' is no tool",
    "class it: pass\n": "'text:it' is no tool",
    "def it(): pass\n": "'text:it' is no tool",
    "": "module 'text' has no 'it'",
    "def f():\n    it = 1\n": "module 'text' has no 'it'",
    "class A:\n    it = 1\n": "module 'text' has no 'it'",
    "def it(:\n": "module 'text' cannot be read: SyntaxError",
    "x = " + "(" * 5_000 + ")" * 5_000 + "\n": "module 'text' cannot be read",
    "x = '\0'\n": "module 'text' cannot be read",
}


@pytest.mark.parametrize(("text", "problem"), NAMED.items(), ids=range(len(NAMED)))
def test_validate_believes_a_text_as_far_as_it_goes(
    cli: Callable[..., Any], folder: Path, text: str, problem: str | None
) -> None:
    """What cannot be told from the text is no problem; what can, is told as an import would."""
    (folder / "text.py").write_text(text)
    (folder / "text.toml").write_text('tools = ["text:it"]\n')
    result = cli("validate", "text.toml")
    assert result.exit_code == (0 if problem is None else 2)
    assert result.stderr.startswith("" if problem is None else f"error: text.toml: tools.0: {problem}")
    assert "Traceback" not in result.output


def test_validate_does_not_wait_for_a_pipe(cli: Callable[..., Any], folder: Path) -> None:
    """That stands in a module's place; nor reads without a bound."""
    os.mkfifo(folder / "pipe.py")
    (folder / "zero.py").symlink_to("/dev/zero")
    (folder / "pipe.toml").write_text('tools = ["pipe:it", "zero:it", "bot.more:it"]\n')
    result = cli("validate", "pipe.toml")
    assert result.exit_code == 2
    for index, module in enumerate(("pipe", "zero", "bot.more")):
        assert f"tools.{index}: no module {module!r}" in result.stderr


def test_validate_knows_the_names_of_tools_that_need_approval(cli: Callable[..., Any], folder: Path) -> None:
    """By the function, or by the name that stands above it; a name that is not to be seen could be any."""
    (folder / "named.py").write_text(
        "@tool\ndef one(): pass\n@tool(name='second', timeout=3)\ndef two(): pass\n"
        "@tool(name=NAME)\ndef three(): pass\n"
    )
    (folder / "good.toml").write_text('tools = ["named:one", "named:two"]\napproval = { tools = ["one", "second"] }\n')
    (folder / "bad.toml").write_text('tools = ["named:one", "named:two"]\napproval = { tools = ["two"] }\n')
    (folder / "open.toml").write_text('tools = ["named:one", "named:three"]\napproval = { tools = ["x"] }\n')
    result = cli("validate", "good.toml", "bad.toml", "open.toml")
    assert result.stderr == "error: bad.toml: approval.tools.0: 'two' is none of the tools (one, second)\n"


@pytest.fixture
def started(loud: Path) -> Path:
    """A manifest with a server that leaves a trace when it is started."""
    (loud / "server.py").write_text(f"{LOUD}import sys; sys.exit('no server')")
    (loud / "full.toml").write_text(
        f'name = "full"\ntools = ["loud:shout"]\n[[mcp_servers]]\nname = "own"\n'
        f'command = ["{sys.executable}", "server.py"]\n[[capabilities]]\ntype = "mcp"\nserver = "own"\n'
    )
    return loud


@pytest.mark.process
def test_status_says_what_it_will_run_before_it_does(cli: Callable[..., Any], started: Path, monkeypatch: Any) -> None:
    """Its code and its servers; with --no-run it runs none of it, and shows the rest."""
    order: list[str] = []
    monkeypatch.setattr(check, "say", lambda text: order.append(f"{text} {(started / 'ran').exists()}"))
    result = cli("status", "full.toml", "--no-run")
    assert (result.exit_code, order) == (0, [])
    assert "loud:shout" in result.stdout
    assert "not started: --run shows its tools" in result.stdout
    assert not (started / "ran").exists()
    for flags in ([], ["--run"]):
        order.clear()
        (started / "ran").unlink(missing_ok=True)
        assert "Say it loud." in cli("status", "full.toml", *flags).stdout
        said = f"full.toml: to show all, this imports loud:shout and starts own ({sys.executable} server.py)"
        assert order == [f"{said} False"]
        assert (started / "ran").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    ("answer", "runs"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_status_asks_on_a_terminal(
    cli: Callable[..., Any], started: Path, monkeypatch: Any, answer: str, runs: bool
) -> None:
    """And takes anything but a yes for a no."""
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(check, "sys", SimpleNamespace(stdin=terminal, stderr=terminal, stdout=sys.stdout))
    said: list[str] = []
    monkeypatch.setattr(check, "say", said.append)
    monkeypatch.setattr(check, "answering", contextlib.nullcontext)
    monkeypatch.setattr(check, "console", lambda _: SimpleNamespace(print=lambda _: None))
    assert cli("status", "full.toml").exit_code == 0
    assert "May it? [y/N]" in said[1]
    assert (started / "ran").exists() is runs


def test_status_of_a_manifest_that_runs_nothing_says_nothing(cli: Callable[..., Any], folder: Path) -> None:
    """Its tools are of this package."""
    (folder / "plain.toml").write_text('tools = ["actors.tools.files:read_file"]\n[model]\ndriver = "echo"\n')
    result = cli("status", "plain.toml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "read_file: Read a text file" in result.stdout


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
