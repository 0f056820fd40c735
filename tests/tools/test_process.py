"""Child processes of tools end with the tool, whatever ends it."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    Cancelled,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolFailed,
    ToolRegistry,
    tool,
)
from actors.tools import process as room, watched_process
from actors.tools.process import run_process

pytestmark = pytest.mark.process

PYTHON = sys.executable
# It starts a child of its own, tells both ids, and never ends by itself.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    """Does a process of that id run (and is no zombie)?"""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # gone before, or while it was read
        return False


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``pids()`` waits until a FAMILY has told its ids."""
    told = threading.Event()
    seen: list[int] = []
    real = room._Kept.add

    def add(self: Any, data: bytes) -> None:
        real(self, data)
        if data and self.text().endswith("\n"):
            seen.extend(int(word) for word in self.text().split())
            told.set()

    monkeypatch.setattr(room._Kept, "add", add)

    def pids() -> list[int]:
        assert told.wait(10)
        return seen

    pids.told = told  # type: ignore[attr-defined]
    return pids


def test_it_tells_how_it_ended_and_what_was_written() -> None:
    """Exit code and both outputs; standard input is empty."""
    text = "import sys; print(sys.stdin.read() + 'out'); print('err', file=sys.stderr); sys.exit(3)"
    result = run_process([PYTHON, "-c", text], cancel=CancelToken())
    assert (result.code, result.stdout, result.stderr, result.truncated) == (3, "out\n", "err\n", False)


def test_a_signal_that_ended_it_is_a_negative_code() -> None:
    """As subprocess says it."""
    assert run_process([PYTHON, "-c", "import os; os.kill(os.getpid(), 15)"], cancel=CancelToken()).code == -15


def test_it_runs_where_and_with_what_it_is_told(tmp_path: Any) -> None:
    """cwd, and nothing but the given environment."""
    text = "import os; print(os.getcwd()); print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    result = run_process([PYTHON, "-c", text], cancel=CancelToken(), cwd=tmp_path, env={"ONLY": "this"})
    assert result.stdout.splitlines() == [os.path.realpath(tmp_path), "['ONLY']"]


def test_an_output_flood_is_cut_and_does_not_block() -> None:
    """All of it is read, so that the process goes on; the limit holds for each output."""
    text = "import sys; sys.stdout.write('a' * 1_000_000 + 'z' * 1_000_000); sys.stderr.write('y' * 10)"
    result = run_process([PYTHON, "-c", text], cancel=CancelToken(), max_output_bytes=1000)
    assert result.stdout == "a" * 500 + "\n[1,999,000 bytes left out]\n" + "z" * 500
    assert (result.stderr, result.code) == ("y" * 10, 0)
    assert result.truncated
    with pytest.raises(ToolFailed, match=r"was killed; its output: …half done"):
        waits = "import threading; print('half done', end='', flush=True); threading.Event().wait()"
        run_process([PYTHON, "-c", waits], cancel=CancelToken(), timeout=1)


def test_bytes_that_are_no_text_are_replaced() -> None:
    """The model reads text."""
    result = run_process([PYTHON, "-c", "import os; os.write(1, b'a\\xffb')"], cancel=CancelToken())
    assert result.stdout == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("argv", [["no-such-program-anywhere"], ["/"], ["a\0b"], []])
def test_what_cannot_be_started_is_a_tool_error(argv: list[str]) -> None:
    """The model is told, and nothing is left."""
    with pytest.raises(ToolFailed, match=r"could (not )?be started"):
        run_process(argv, cancel=CancelToken())


def test_a_cancelled_call_starts_nothing(tmp_path: Any) -> None:
    """The token is looked at first."""
    token = CancelToken()
    token.cancel("before")
    with pytest.raises(Cancelled, match="before"):
        run_process(["touch", str(tmp_path / "made")], cancel=token)
    assert not list(tmp_path.iterdir())


def test_a_cancel_kills_the_whole_family(family: Any, eventually: Any) -> None:
    """The child, and what it started."""
    token = CancelToken()
    threading.Thread(target=lambda: (family(), token.cancel("enough"))).start()
    with pytest.raises(Cancelled, match="enough"):
        run_process([PYTHON, "-c", FAMILY], cancel=token)
    eventually(lambda: not any(is_alive(pid) for pid in family()))


def test_a_timeout_kills_the_whole_family(family: Any, eventually: Any, monkeypatch: Any) -> None:
    """And is an error that says so; here the time is over as soon as it has spoken."""
    real = watched_process.WatchedProcess._read

    def read(run: Any, output: int) -> bool:
        more = real(run, output)
        if family.told.is_set() and not run._killed:
            run.allow(0)
        return more

    monkeypatch.setattr(watched_process.WatchedProcess, "_read", read)
    with pytest.raises(ToolFailed, match="longer than 600 s and was killed"):
        run_process([PYTHON, "-c", FAMILY], cancel=CancelToken(), timeout=600)
    eventually(lambda: not any(is_alive(pid) for pid in family()))


def test_what_it_left_in_the_background_ends_with_it(eventually: Any) -> None:
    """Although it still holds the output: nobody waits for it."""
    result = run_process(["sh", "-c", "sleep 600 & echo $!"], cancel=CancelToken())
    assert result.code == 0
    eventually(lambda: not is_alive(int(result.stdout)))


def test_without_a_pidfd_it_is_the_same(monkeypatch: Any) -> None:
    """Not every system has one."""
    without = {name: value for name, value in vars(os).items() if name != "pidfd_open"}
    monkeypatch.setattr(
        watched_process, "os", SimpleNamespace(**without)
    )  # here alone: subprocess has its own use for it
    assert run_process([PYTHON, "-c", "print(1)"], cancel=CancelToken()).stdout == "1\n"


def test_a_text_is_no_list_of_arguments() -> None:
    """It would run its first letter."""
    with pytest.raises(TypeError, match="ls -l"):
        run_process("ls -l", cancel=CancelToken())


def test_a_pidfd_that_is_refused_is_done_without(monkeypatch: Any) -> None:
    """Old kernels and sandboxes do not allow it."""

    def refuse(_: int) -> int:
        raise OSError("not implemented")

    monkeypatch.setattr(watched_process, "os", SimpleNamespace(**{**vars(os), "pidfd_open": refuse}))
    assert run_process([PYTHON, "-c", "print(1)"], cancel=CancelToken()).stdout == "1\n"


def test_a_process_that_cannot_be_watched_is_killed(monkeypatch: Any, tmp_path: Any) -> None:
    """No file descriptor is left: an error, and nobody waits for the program."""

    def refuse() -> tuple[int, int]:
        raise OSError("too many open files")

    monkeypatch.setattr(watched_process.os, "pipe", refuse)
    killed: list[int] = []
    monkeypatch.setattr(room, "kill_group", killed.append)
    monkeypatch.setattr(room.subprocess, "Popen", lambda *args, **kwargs: Started(killed))
    with pytest.raises(ToolFailed, match="could not be watched"):
        run_process(["sleep", "600"], cancel=CancelToken())
    assert killed == [Started.pid]


class Started:
    """A process that was started, as far as this is looked at."""

    pid = 2**30

    def __init__(self, killed: list[int]) -> None:
        self.killed = killed
        self.stdout, self.stderr = (os.fdopen(os.open(os.devnull, os.O_RDONLY)) for _ in "oe")

    def wait(self, timeout: float | None = None) -> int:
        assert self.killed, "its end would be waited for"
        return -9


def test_an_ignored_sigchld_is_no_obstacle() -> None:
    """The system reaps the process before anybody asks."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        result = run_process([PYTHON, "-c", "print(1); exit(3)"], cancel=CancelToken())
        assert (result.stdout, result.code) == ("1\n", None)
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is still running
def test_one_that_cannot_be_killed_is_not_waited_for(monkeypatch: Any, tmp_path: Any) -> None:
    """It runs as another user, say: an error that says so, after a bound."""
    kills: list[int] = []
    monkeypatch.setattr(watched_process, "kill_group", kills.append)
    monkeypatch.setattr(watched_process, "LAST_WORDS", 0.1)
    waits = "import threading; threading.Event().wait(5)"
    with pytest.raises(ToolFailed, match="could not be killed"):
        run_process([PYTHON, "-c", waits], cancel=CancelToken(), timeout=0.2)
    assert kills
    os.killpg(kills[0], signal.SIGKILL)
    os.waitpid(kills[0], 0)


def test_no_file_descriptor_is_left() -> None:
    """Whatever the end is."""
    gc.collect()  # what earlier tests left to it would be closed in between
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run_process(["true"], cancel=CancelToken())
        with pytest.raises(ToolFailed):
            run_process(["no-such-program-anywhere"], cancel=CancelToken())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_cancelled_agent_takes_the_process_of_its_tool_along(family: Any, eventually: Any) -> None:
    """The ladder: the agent's token, the tool's token, the process group."""

    @tool
    def long_job(cancel: CancelToken) -> str:
        "Take long."
        return run_process([PYTHON, "-c", FAMILY], cancel=cancel).stdout

    def answer(_: CompletionRequest) -> CompletionResponse:
        return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("1", "long_job", {}),))

    with AgentPool(FunctionDriver(answer), tools=ToolRegistry([long_job])) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "go"))
        pids = family()
        handle.cancel("enough")
        assert handle.outcome(10).status == "cancelled"
        eventually(lambda: not any(is_alive(pid) for pid in pids))
        eventually(lambda: pool.stats().abandoned_threads == 0)
