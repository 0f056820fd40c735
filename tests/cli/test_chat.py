"""``actors chat``: a conversation, in a pipe and on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from actors import CompletionResponse, StopReason, TokenUsage, ToolCall
from tests.drivers.provider import Asked, Provider, Reply, failure, hang, say

from .conftest import LIMIT, START, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODEL = ("--driver", "openai", "--model", "m", "--base-url")
TALK = 'name = "talk"\nprivacy = "standard"\ntools = ["bot:shout"]\n'


def echo(asked: Asked) -> Reply:
    """Says how many messages it was sent, and the last one."""
    messages = [message for message in asked.body["messages"] if message["role"] != "system"]
    return say(f"{len(messages)} {messages[-1]['content']}", asked)


@pytest.fixture
def talk(folder: Path, start: Callable[..., subprocess.Popen[str]]) -> Iterator[Callable[..., Any]]:
    """``talk(answers, *lines)`` has the conversation; what was written, and the exit code."""
    (folder / "talk.toml").write_text(TALK)
    running: list[Provider] = []

    def converse(answers: Any, *lines: str, options: tuple[str, ...] = ()) -> tuple[str, str, int]:
        running.append(Provider(answers).__enter__())
        process = start("chat", "talk.toml", *MODEL, running[-1].url, *options)
        out, err = process.communicate("".join(f"{line}\n" for line in lines), timeout=LIMIT)
        return out, err, process.returncode

    yield converse
    for provider in running:
        provider.__exit__()


def test_it_remembers_what_was_said(talk: Any) -> None:
    """Each question is sent with the conversation before it; empty lines are none."""
    out, err, code = talk(echo, "hello", "", "and again", "and?")
    assert out == "1 hello\n3 and again\n5 and?\n"
    assert (err, code) == ("", 0)


def test_tools_are_shown(talk: Any) -> None:
    """By name, when they begin."""
    call = ToolCall("c", "shout", {"text": "x"})
    answers = [CompletionResponse("Listen: ", StopReason.TOOL_USE, (call,), TokenUsage(1, 1)), "X!"]
    out, _, code = talk(answers, "say x")
    assert out == "Listen: \n[shout]\nX!\n"
    assert code == 0


def test_a_failure_ends_nothing(talk: Any) -> None:
    """It is told, and the conversation goes on without that question; a script hears of it by the exit code."""
    out, err, code = talk([failure(400, "not like this"), "yes"], "bad", "good")
    assert out == "yes\n"
    assert "error: HTTP 400: not like this" in err
    assert code == 1


def test_an_answer_that_broke_off_is_asked_for_again(talk: Any) -> None:
    """And whoever reads is told."""
    answers = [Reply([b'data: {"choices":[{"index":0,"delta":{"content":"Half"}}]}\n\n'], cut=True), "Whole."]
    answers[0].content_type = "text/event-stream"  # type: ignore[attr-defined]
    out, _, code = talk(answers, "q")
    assert out == "Half\n[the answer broke off; once more]\nWhole.\n"
    assert code == 0


def test_a_timeout(talk: Any) -> None:
    """Ends the answer."""
    _, err, code = talk([hang()], "q", options=("--timeout", "0.3"))
    assert "timeout of 0.3 s" in err
    assert code == 1


def test_without_anybody_to_talk_to(cli: Any, folder: Path) -> None:
    """The refusal says how to name a driver."""
    result = cli("chat", "nodriver.toml")
    assert result.exit_code == 2
    assert "--driver" in result.stderr


def test_an_agent_of_ones_own_may_talk(cli: Any, folder: Path) -> None:
    """What it returns is its answer."""
    (folder / "own.toml").write_text('name = "own"\nagent = "bot:Wait"\n[model]\ndriver = "bot:make"\n')
    result = cli("chat", "own.toml", stdin="one\ntwo\n")
    assert (result.stdout, result.exit_code) == ("one\ntwo\n", 0)


@pytest.mark.process
def test_ctrl_c_cancels_the_answer_and_not_the_program(folder: Path) -> None:
    """On a terminal: in the middle of an answer, at the prompt; Ctrl-D ends."""
    (folder / "talk.toml").write_text(TALK)

    def answer(asked: Asked) -> Reply:
        if "stop" not in str(asked.body["messages"][-1]):
            return echo(asked)
        whole = say("first second third", asked)
        whole.pieces = [*whole.pieces[:3], None]
        return whole

    ours, theirs = pty.openpty()
    with Provider(answer) as provider:
        process = subprocess.Popen(
            [sys.executable, "-c", START, "chat", "talk.toml", *MODEL, provider.url],
            cwd=folder,
            env={**environment(), "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: _own_terminal(theirs),
        )
        os.close(theirs)
        try:
            read_until(ours, b"> ")
            os.write(ours, b"please stop\n")
            read_until(ours, b"second")
            os.write(ours, b"\x03")
            read_until(ours, b"cancelled")
            read_until(ours, b"> ")
            assert provider.gone.acquire(timeout=LIMIT)
            for _ in range(20):  # the interpreter may miss one that comes just as it begins to wait for a key
                os.write(ours, b"\x03")
                if read_until(ours, b"> ", seconds=1.0):
                    break
            os.write(ours, b"again\n")
            read_until(ours, b"1 again")
            read_until(ours, b"> ")
            os.write(ours, b"\x04")
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
            process.wait()
            os.close(ours)


@pytest.mark.parametrize("first", ["call", "handle"])
def test_a_stop_that_comes_before_there_is_somebody(first: str) -> None:
    """It is not lost."""
    from actors import AgentPool
    from actors.cli.chat import Stop

    stop, gate = Stop(), threading.Event()
    with AgentPool(max_concurrent=1) as pool:
        handle = pool.submit(gate.wait, 10)
        if first == "call":
            stop()
            stop.ends(handle)
        else:
            stop.ends(handle)
            stop()
        gate.set()
        assert handle.outcome(10).status in ("cancelled", "completed")
        assert not handle.cancel()
        assert handle.member.token.cancelled  # type: ignore[attr-defined]


def _own_terminal(number: int) -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(number, termios.TIOCSCTTY, 0)


def read_until(number: int, text: bytes, *, seconds: float | None = None) -> bool:
    """Read the terminal up to *text*; False when it does not come within *seconds* (None: that fails the test)."""
    seen, end = b"", time.monotonic() + (LIMIT if seconds is None else seconds)
    while text not in seen:
        ready, _, _ = select.select([number], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            assert seconds is not None, seen
            return False
        chunk = os.read(number, 1)
        assert chunk, seen
        seen += chunk
    return True
