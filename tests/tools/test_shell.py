"""The tool that runs commands."""

from __future__ import annotations

import os
import select
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.terms.capability import Capability, FileRead, Shell
from actors.agent.terms.commands import refusal
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools.shell import run_command, shell_tool

pytestmark = pytest.mark.process

PY = sys.executable


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    return tmp_path


def run(*command: str, allowed: tuple[str, ...] = ("*",), tool: Any = run_command, **arguments: Any) -> Any:
    grants: tuple[Capability, ...] = (Shell(allowed_commands=allowed), FileRead(allowed_paths=("sub",)))
    by: Any = SimpleNamespace(manifest=SimpleNamespace(capabilities=grants))
    return tool.execute({"command": list(command), **arguments}, cancel=CancelToken(), agent=by)


# Which commands are allowed --------------------------------------------------------------------------------------

GIT_LOG = ("git log --oneline --max-count=* -n[0-9]",)


@pytest.mark.parametrize(
    "command",
    [
        ["git", "log"],
        ["git", "log", "README.md", "HEAD~3"],
        ["git", "log", "--oneline", "--max-count=3", "-n5", "--", "README.md"],
        ["git", "log", "-"],
    ],
)
def test_what_an_item_allows(command: list[str]) -> None:
    """Its words, arguments that are no options, and the options that it names."""
    assert refusal(GIT_LOG, command) is None


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["git", "log", "--output=/etc/passwd"], "--output=/etc/passwd"),
        (["git", "log", "--outp=x"], "--outp=x"),
        (["git", "log", "-o", "x"], "-o"),
        (["git", "log", "HEAD", "--", "--output=x"], "--output=x"),
        (["git", "log", "--oneline=x"], "--oneline=x"),
        (["git", "log", "-n55"], "-n55"),
        (["git", "-c", "core.pager=sh", "log"], "git -c core.pager=sh log"),
        (["git", "--upload-pack=sh", "log"], "--upload-pack"),
        (["git"], "'git'"),
        (["git", "logs"], "git logs"),
        (["/usr/bin/git", "log"], "/usr/bin/git log"),
        (["./git", "log"], "./git log"),
        (["GIT", "log"], "GIT log"),
        (["git ", "log"], "git "),
        (["git log"], "git log"),
        (["git", "log;rm", "x"], "log;rm"),
        (["sh", "-c", "git log"], "sh -c"),
        (["ｇｉｔ", "log"], "ｇｉｔ"),
        (["-git", "log"], "-git"),
        (["git", "log", "@/tmp/options"], "@/tmp/options"),
        ([""], "''"),
    ],
)
def test_what_it_refuses(command: list[str], named: str) -> None:
    """Other words, options that it does not name, wherever they stand; the text says what, and what is allowed."""
    text = refusal(GIT_LOG, command)
    assert text is not None
    assert named in text.replace("'\"'\"'", "'")
    assert GIT_LOG[0] in text


def test_an_option_before_a_word_belongs_to_the_words() -> None:
    """As people write it."""
    items = ("python -m pytest -q", "git -C sub log")
    assert refusal(items, ["python", "-m", "pytest", "tests", "-q"]) is None
    assert refusal(items, ["git", "-C", "sub", "log", "README.md"]) is None
    for command in (["python", "pytest", "-m"], ["python", "-m", "pip"], ["git", "-C", "other", "log"], ["git", "log"]):
        assert refusal(items, command) is not None


def test_one_of_several_items_must_allow_all() -> None:
    """Their options do not add up."""
    items = ("git log --oneline", "git log --stat")
    assert refusal(items, ["git", "log", "--stat"]) is None
    assert refusal(items, ["git", "log", "--stat", "--oneline"]) is not None


@pytest.mark.parametrize("item", ["'git log", "--oneline", '""'])
def test_an_item_that_is_no_command_is_refused_in_the_manifest(item: str) -> None:
    """With the item."""
    with pytest.raises(ValueError, match=r"no command|no program"):
        Shell(allowed_commands=(item,))


@pytest.mark.parametrize(
    ("parent", "child", "covered"),
    [
        ("git", "git log", True),
        ("git log", "git", False),
        ("git log", "git log --oneline", False),
        ("git log --oneline", "git log --oneline", True),
        ("git log --max-count=*", "git log --max-count=3", True),
        ("git log --max*", "git log --max-count=*", True),
        ("git log -?", "git log -*", False),
        ("git log -[ab]", "git log -?", False),
        ("git log -[ab]", "git log -a", True),
        ("git log", "*", False),
        ("*", "git log --anything", True),
        ("git", "gitk", False),
        ("git log", "git log -p file", False),
        ("git log -p", "git log -p file", True),
    ],
)
def test_a_child_gets_no_more_than_its_parent(parent: str, child: str, covered: bool) -> None:
    """Its commands are cut down to those that the parent's items cover."""
    cut = Shell(allowed_commands=(child,)).narrowed(Shell(allowed_commands=(parent,)))
    if covered:
        assert cut == Shell(allowed_commands=(child,))
    else:
        assert cut is None or child not in cut.items()  # type: ignore[union-attr]


# What it runs ----------------------------------------------------------------------------------------------------


def test_it_tells_how_it_went(home: Path) -> None:
    """The exit code, and both outputs."""
    result = run(PY, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert result.content == "exit code 3\nstandard output:\nout\n\nstandard error:\nerr\n"
    assert result.is_error
    assert run("true").content == "exit code 0"
    assert not run("true").is_error


def test_no_shell_reads_the_command(home: Path) -> None:
    """Its words reach the program as they are."""
    words = ["$HOME", "`id`", ";", "*", "a b", "|", "\n"]
    result = run(PY, "-c", "import sys; print(sys.argv[1:])", *words)
    assert result.content == f"exit code 0\nstandard output:\n{words!r}\n"


def test_the_environment_is_cleared_but_for_a_list(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets stay here, unless they are handed on by name."""
    monkeypatch.setenv("API_KEY", "secret")
    monkeypatch.setenv("TOKEN", "handed on")
    show = (PY, "-c", "import os; print(sorted(os.environ.items()))")
    assert "secret" not in run(*show).content
    told = run(*show, tool=shell_tool(hand_on=("TOKEN",), env={"MODE": "test"})).content
    assert "('TOKEN', 'handed on')" in told
    assert "('MODE', 'test')" in told
    assert "secret" not in told


def test_it_has_no_input(home: Path) -> None:
    """A program that asks gets an end at once, also from a terminal of its own."""
    assert "b''" in run(PY, "-c", "import sys; print(sys.stdin.buffer.read())").content
    assert run(PY, "-c", "open('/dev/tty')").is_error


def test_it_runs_where_it_is_told(home: Path) -> None:
    """In a folder that the agent may read, or in the working directory."""
    where = (PY, "-c", "import os; print(os.getcwd())")
    assert run(*where).content.endswith(f"\n{home}\n")
    assert run(*where, cwd="sub").content.endswith(f"\n{home / 'sub'}\n")
    (home / "sub/link").symlink_to("/")
    for folder in ("..", "/", "sub/link", "sub/none", "nul\0"):
        with pytest.raises(ToolFailed):
            run(*where, cwd=folder)


def test_a_program_in_the_current_folder_is_not_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the search path has it: an agent may have written it there."""
    script = home / "evil"
    script.write_text("#!/bin/sh\necho evil\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ToolFailed, match="no program 'evil'"):
        run("evil")
    with pytest.raises(ToolFailed, match="absolute path"):
        run("./evil")


@pytest.mark.parametrize(
    "arguments",
    [
        {"command": []},
        {"command": "git log"},
        {"command": ["true"], "timeout": 0},
        {"command": ["true"], "timeout": 1e9},
        {"command": ["x"] * 1001},
        {"command": ["true"], "shell": True},
    ],
)
def test_bad_arguments_are_named(home: Path, arguments: dict[str, Any]) -> None:
    """And nothing is run."""
    by: Any = SimpleNamespace(manifest=SimpleNamespace(capabilities=(Shell(allowed_commands=("*",)),)))
    result = run_command.execute(arguments, cancel=CancelToken(), agent=by)
    assert result.is_error
    assert "invalid arguments" in result.content


def test_a_nul_in_a_word(home: Path) -> None:
    """No program can be given one."""
    with pytest.raises(ToolFailed, match="could not be started"):
        run("true", "a\0b")


def test_a_flood_of_output_is_cut(home: Path) -> None:
    """So much reaches the model; the program is not held up."""
    flood = "import sys\nfor _ in range(3000): sys.stdout.write('x' * 10_000)"
    result = run(PY, "-c", flood, tool=shell_tool(max_output_bytes=1000))
    assert result.content.startswith("exit code 0 (its output was cut)")
    assert len(result.content) < 1200


@pytest.mark.parametrize("attack", ["fsmonitor", "uploadpack"])
def test_git_runs_nothing_from_a_repository_that_an_agent_has_made(home: Path, attack: str) -> None:
    """A folder with a few files is a bare repository for git, and its configuration names programs."""
    bare = home / "sub/y"
    for name in ("objects/k", "refs/heads"):
        (bare / name).mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    program = f"touch {home}/pwned; false"
    config = f'[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\nfsmonitor = "{program}"\n'
    if attack == "uploadpack":
        (bare / "refs/heads/main").write_text("1" * 40 + "\n")
        config = (
            "[core]\nrepositoryformatversion = 1\n[extensions]\npartialClone = origin\n"
            f'[remote "origin"]\nurl = {bare}\nuploadpack = "{program}"\npromisor = true\n'
        )
    (bare / "config").write_text(config)
    verb = "status" if attack == "fsmonitor" else "log"
    result = run("git", verb, allowed=("git",), cwd="sub/y")
    assert result.is_error
    assert "bare repository" in result.content
    assert not (home / "pwned").exists()


def has_ended(pid: int) -> bool:
    """Wait for the end of a process that was killed."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def test_its_time_runs_out_for_its_children_too(home: Path) -> None:
    """The whole group is killed, and the model is told."""
    family = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('pid', 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(ToolFailed, match=r"ran longer than 0.5 s and was killed"):
        run(PY, "-c", family, timeout=0.5)
    assert has_ended(int((home / "pid").read_text()))


def test_a_cancel_kills_it(home: Path) -> None:
    """At once."""
    token = CancelToken()
    started = home / "started"
    os.mkfifo(started)
    by: Any = SimpleNamespace(manifest=SimpleNamespace(capabilities=(Shell(allowed_commands=("*",)),)))
    code = "import os, time; f = open('started', 'w'); f.write(str(os.getpid())); f.close(); time.sleep(60)"
    errors: list[BaseException] = []

    def call() -> None:
        try:
            run_command.execute({"command": [PY, "-c", code]}, cancel=token, agent=by)
        except BaseException as error:
            errors.append(error)

    calling = threading.Thread(target=call)
    calling.start()
    pid = int(started.read_text())
    token.cancel("enough")
    calling.join(10)
    assert not calling.is_alive()
    assert isinstance(errors[0], Cancelled)
    assert has_ended(pid)
