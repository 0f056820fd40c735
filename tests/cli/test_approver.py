"""Approvals on the command line: by an option, on a terminal, and where there is none."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.events import ApprovalRequested
from actors.cli.approver import NOBODY, Approver

from .conftest import LIMIT, START, environment, lines_of
from .test_chat import _own_terminal, read_until

CAREFUL = """
from actors import Agent, AgentManifest, SpawnConfig
from actors import CompletionResponse, FunctionDriver, StopReason, ToolCall, ToolResultMessage, tool

@tool
def shout(text: str) -> str:
    "Say it loud."
    with open("made.txt", "a") as file:
        file.write(text + "\\n")
    return text.upper()

def answer(request):
    results = [message.content for message in request.messages if isinstance(message, ToolResultMessage)]
    if results:
        return "told: " + results[-1]
    call = ToolCall("c", "shout", {"text": request.messages[-1].content})
    return CompletionResponse("", StopReason.TOOL_USE, (call,))

def make(manifest):
    return FunctionDriver(answer)

class Parent(Agent):
    def run(self, query):
        child = AgentManifest(name="child", tools=["careful:shout"], model={"driver": "careful:make"})
        return self.spawn(SpawnConfig(child, query)).result().text
"""
MANIFEST = """
name = "careful"
tools = ["careful:shout"]
model = {{ driver = "careful:make" }}
[approval]
tools = ["shout"]
{more}
"""


@pytest.fixture
def careful(folder: Path) -> Callable[..., None]:
    """Write the manifest, perhaps with more rules."""
    (folder / "careful.py").write_text(CAREFUL)

    def write(more: str = "") -> None:
        (folder / "careful.toml").write_text(MANIFEST.format(more=more))

    write()
    return write


def made(folder: Path) -> list[str]:
    file = folder / "made.txt"
    return file.read_text().splitlines() if file.exists() else []


@contextmanager
def terminal(folder: Path, *args: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The command line on a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", START, *args],
        cwd=folder,
        env={**environment(), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: _own_terminal(theirs),
    )
    os.close(theirs)
    try:
        yield ours, process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_without_a_terminal_a_call_is_denied(careful: Any, cli: Any, folder: Path) -> None:
    """At once, with a word about the option; the agent goes on."""
    result = cli("run", "careful.toml", "--prompt", "hello", "--out", "out.jsonl")
    assert "may not call shout: there is no terminal" in result.stderr
    assert "--approve shout" in result.stderr
    (line,) = lines_of(folder / "out.jsonl")
    assert "it was denied: there is no terminal" in str(line["result"])
    assert made(folder) == []


def test_without_a_terminal_a_timeout_has_its_default(careful: Any, cli: Any, folder: Path) -> None:
    """As the manifest says."""
    careful('timeout = 0.05\ndefault = "approve"')
    assert cli("run", "careful.toml", "--prompt", "hello", "-q").exit_code == 0
    assert made(folder) == ["hello"]


@pytest.mark.parametrize("pattern", ["shout", "sh*", "*"])
def test_a_tool_is_approved_beforehand(careful: Any, cli: Any, folder: Path, pattern: str) -> None:
    """By its name or a pattern, in runs and chats."""
    assert cli("run", "careful.toml", "--prompt", "hello", "--approve", "x", "--approve", pattern).exit_code == 0
    assert "told: AGAIN" in cli("chat", "careful.toml", "--approve", pattern, stdin="again\n").stdout
    assert made(folder) == ["hello", "again"]


def test_a_chat_without_a_terminal_denies(careful: Any, cli: Any, folder: Path) -> None:
    """The conversation goes on."""
    result = cli("chat", "careful.toml", stdin="one\ntwo\n")
    assert result.stdout.count("told: shout was not called") == 2
    assert made(folder) == []


@pytest.mark.process
def test_a_run_asks_on_the_terminal(careful: Any, folder: Path) -> None:
    """One question at a time, whatever is drawn meanwhile; yes, no, why not, always."""
    (folder / "in.jsonl").write_text("".join(f'{{"query": "q{number}\\u001b[2J"}}\n' for number in range(6)))
    args = ("run", "careful.toml", "--input", "in.jsonl", "--max-concurrent", "1", "--out", "out.jsonl")
    with terminal(folder, *args) as (ours, process):
        for answer in (b"y\n", b"n\n", b"not that one\n", b"\nyes\n", b"a\n"):
            read_until(ours, b"careful asks to call shout:")
            read_until(ours, b'"text": "q')
            assert read_until(ours, b"\\u001b[2J")  # what a model sends moves no cursor
            read_until(ours, b"or why not: ")
            os.write(ours, answer)
        read_until(ours, b"6 agents")
        assert process.wait(LIMIT) == 0
    results = [line["result"] for line in lines_of(folder / "out.jsonl")]
    assert len(made(folder)) == 4
    assert sum("it was denied" in result for result in results) == 2
    assert sum(result.endswith("it was denied: not that one") for result in results) == 1


@pytest.mark.process
def test_what_was_typed_before_the_question_is_no_answer(careful: Any, folder: Path) -> None:
    """Somebody who leans on the keyboard approves nothing."""
    with terminal(folder, "run", "careful.toml", "--prompt", "hello") as (ours, process):
        os.write(ours, b"y\ny\ny\n")
        read_until(ours, b"or why not: ")
        os.write(ours, b"n\n")
        assert read_until(ours, b"1 agent")
        process.wait(LIMIT)
    assert made(folder) == []


@pytest.mark.process
def test_a_question_leaves_when_its_time_is_over(careful: Any, folder: Path) -> None:
    """And the run ends."""
    careful("timeout = 0.5")
    with terminal(folder, "run", "careful.toml", "--prompt", "hello") as (ours, process):
        read_until(ours, b"or why not: ")
        read_until(ours, b"no answer is needed any more")
        assert process.wait(LIMIT) == 0
    assert made(folder) == []


@pytest.mark.process
def test_ctrl_c_ends_a_run_that_asks(careful: Any, folder: Path) -> None:
    """Nobody has to answer first."""
    with terminal(folder, "run", "careful.toml", "--prompt", "hello") as (ours, process):
        read_until(ours, b"or why not: ")
        os.write(ours, b"\x03")
        assert process.wait(LIMIT) == 130
    assert made(folder) == []


@pytest.mark.process
def test_a_chat_asks_and_goes_on_to_the_prompt(careful: Any, folder: Path) -> None:
    """Ctrl-C at a question cancels the answer; the next line is a question to the agent again."""
    with terminal(folder, "chat", "careful.toml") as (ours, process):
        read_until(ours, b"> ")
        os.write(ours, b"one\n")
        read_until(ours, b"or why not: ")
        os.write(ours, b"\x03")
        read_until(ours, b"cancelled")
        read_until(ours, b"> ")
        os.write(ours, b"two\n")
        read_until(ours, b"or why not: ")
        os.write(ours, b"y\n")
        read_until(ours, b"told: TWO")
        read_until(ours, b"> ")
        os.write(ours, b"\x04")
        assert process.wait(LIMIT) == 0
    assert made(folder) == ["two"]


def test_many_questions_of_agents_that_end_leave_nothing_behind(careful: Any, cli: Any, folder: Path) -> None:
    """Twenty agents, each with its time over."""
    careful("timeout = 0.01")
    (folder / "in.jsonl").write_text("".join(f'{{"query": "q{number}"}}\n' for number in range(20)))
    assert cli("run", "careful.toml", "--input", "in.jsonl", "-q").exit_code == 0
    assert made(folder) == []


def test_always_means_this_tool_and_no_pattern() -> None:
    """A model may call a tool by a name that is one."""
    approver = Approver(("read_*",))
    approver._always.add("r.*")
    assert approver._is_approved("r.*")
    assert not approver._is_approved("r.delete")
    assert approver._is_approved("read_file")
    approver.__exit__()


@pytest.mark.parametrize(("option", "made_calls"), [((), []), (("--approve", "shout"), ["hello"])])
def test_children_of_an_agent_without_a_model_are_answered(
    careful: Any, cli: Any, folder: Path, option: tuple[str, ...], made_calls: list[str]
) -> None:
    """Their parent makes no completion, and they wait all the same."""
    (folder / "parent.toml").write_text(
        'name = "parent"\nagent = "careful:Parent"\n[approval]\ntools = ["*"]\n[[capabilities]]\ntype = "spawn"\n'
        "max_depth = 1\n"
    )
    assert cli("run", "parent.toml", "--prompt", "hello", *option).exit_code == 0
    assert made(folder) == made_calls


def test_a_rule_that_fits_no_tool_is_a_problem(careful: Any, cli: Any, folder: Path) -> None:
    """A typo would switch approval off; old transports are named, too."""
    text = MANIFEST.format(more="").replace('tools = ["shout"]', 'tools = ["shuot", "sh*", "server.x"]')
    servers = '[[mcp_servers]]\nname = "server"\ntransport = "sse"\nurl = "http://127.0.0.1/"\n'
    (folder / "typo.toml").write_text('privacy = "private"\n' + text)
    result = cli("validate", "typo.toml")
    assert result.exit_code == 2
    assert "approval.tools.0: 'shuot' is none of the tools (shout)" in result.stderr
    assert "approval.tools.2" in result.stderr
    assert "approval.tools.1" not in result.stderr
    (folder / "old.toml").write_text('privacy = "private"\n' + text.replace("shuot", "shout") + servers)
    result = cli("validate", "old.toml")
    assert "mcp_servers.0.transport: sse is not supported; use http or stdio" in result.stderr
    assert "approval.tools" not in result.stderr


def test_memory_tools_have_a_memory(folder: Path, cli: Any) -> None:
    """On the command line, too; who has no such tool begins afresh each time."""
    (folder / "noting.py").write_text(
        "from actors import CompletionResponse, FunctionDriver, StopReason, ToolCall, ToolResultMessage\n"
        "def answer(request):\n"
        "    told = [m.content for m in request.messages if isinstance(m, ToolResultMessage)]\n"
        "    if told:\n        return told[-1]\n"
        "    call = ToolCall('c', 'memory_set', {'key': 'k', 'value': 1})\n"
        "    return CompletionResponse('', StopReason.TOOL_USE, (call,))\n"
        "def make(manifest):\n    return FunctionDriver(answer)\n"
    )
    (folder / "noting.toml").write_text(
        'name = "noting"\ntools = ["actors.tools.memory_tools:memory_set"]\nmodel = { driver = "noting:make" }\n'
    )
    cli("run", "noting.toml", "--prompt", "x", "--out", "out.jsonl")
    assert lines_of(folder / "out.jsonl")[0]["result"] == "stored under 'k'"
    assert "stored under 'k'" in cli("chat", "noting.toml", stdin="x\n").stdout


def test_names_in_a_question_forge_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the agent, which a model may have named, and of a tool, which a server did."""
    forged = "x\n[approved]\x1b[2J" + "y" * 500
    event = ApprovalRequested(
        agent_id=3, agent=forged, parent_id=0, depth=0, call_id="c", tool=forged, input={}, timeout=None, default="deny"
    )
    approver = Approver(())
    approver._can_ask = False
    pool: Any = SimpleNamespace(deny=lambda *_: True)
    approver.answers_for(pool)
    approver(event)
    approver.__exit__()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(r"#3 x\n[approved]\x1b[2Jyyy")
    assert r"may not call x\n[approved]\x1b[2Jyyy" in line
    assert len(line) < 500


def asked_again(timeout: float | None) -> ApprovalRequested:
    """A question about a call that may have been made already."""
    fields: dict[str, Any] = {"agent_id": 3, "agent": "bot", "parent_id": 0, "depth": 0, "call_id": "c"}
    return ApprovalRequested(**fields, tool="pay", input={}, timeout=timeout, default="deny", in_doubt=True)


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_what_is_in_doubt_is_approved_by_no_option(timeout: float | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal nobody does it again; it is said that it may have been done."""
    answers: list[Any] = []
    pool: Any = SimpleNamespace(approve=lambda *_: answers.append("yes"), deny=lambda *more: answers.append(more[-1]))
    with Approver(("pay", "*")) as approver:
        approver._can_ask = False
        approver._always.add("pay")
        approver.answers_for(pool)
        approver(asked_again(timeout))
    assert answers == ([NOBODY] if timeout is None else [])
    (line,) = capsys.readouterr().err.splitlines()
    assert "may not call pay again: it was begun before and interrupted: it may have been done already" in line


@pytest.mark.parametrize(("typed", "answer"), [("y", "yes"), ("n", ""), ("look first", "look first")])
def test_what_is_in_doubt_is_asked(
    typed: str, answer: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time, whatever was approved beforehand, or for always."""
    answers: SimpleQueue[str] = SimpleQueue()
    lines = iter(["a", "always", typed])
    pool: Any = SimpleNamespace(
        approve=lambda *_: answers.put("yes") or True, deny=lambda *more: answers.put(more[-1]) or True
    )
    monkeypatch.setattr(Approver, "_read_line", lambda *_: next(lines))
    with Approver(("pay",)) as approver:
        approver._can_ask = True
        approver.answers_for(pool)
        approver(asked_again(None))
        assert answers.get(timeout=LIMIT) == answer
    assert not approver._always
    said = capsys.readouterr().err
    assert "#3 bot asks to call pay again (it was begun before and interrupted: it may have been done already):" in said
    assert "[y]es, do it again" in said
    assert "[a]lways" not in said
