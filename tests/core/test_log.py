"""The library's log: silent until somebody turns it on."""

from __future__ import annotations

import ast
import subprocess
import sys
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from loguru import logger

from actors.core.process import log as log_module
from actors.core.process.log import labelled, log

PROGRAM = """
import sys
from loguru import logger
import actors
from actors.core.actors.reply import ReplyFuture

def fail():
    future = ReplyFuture()
    future.add_done_callback(lambda _: 1 / 0)
    future.set(1)

mine = []
logger.add(lambda line: mine.append(str(line)))
fail()
print("silent", len(mine))
actors.log("ERROR")
fail()
print("loud", len(mine))
actors.log("CRITICAL")
"""


@pytest.mark.process
def test_the_library_is_silent_until_log_is_called() -> None:
    """Importing it adds no sink and enables nothing; log() writes to stderr once, and keeps sinks of the user."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["silent", "0", "loud", "1"]
    assert done.stderr.count("callback failed") == 1


def test_it_answers_the_sinks_id(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing that sink turns it off; the level holds."""
    removed: list[Any] = []
    monkeypatch.setattr(logger, "remove", lambda sink: removed.append(sink))
    sink = log("WARNING")
    monkeypatch.undo()
    try:
        assert removed == [0], "loguru's own sink would print every line a second time"
        patched = logger.patch(lambda record: record.update(name="actors.test"))
        patched.info("quiet")
        patched.warning("loud")
        text = capsys.readouterr().err
        assert "loud" in text
        assert "quiet" not in text
    finally:
        logger.remove(sink)
        logger.disable("actors")


@pytest.mark.process
def test_a_default_sink_that_was_removed_before_is_no_error() -> None:
    """The user has set up loguru already."""
    text = "from loguru import logger; import actors; logger.remove(); print(actors.log(), actors.log())"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["1", "2"], "two sinks of ours, and no error"


@pytest.mark.parametrize("variable", [True, False])
def test_a_labelled_call_names_its_agent(
    log_lines: list[str], monkeypatch: pytest.MonkeyPatch, *, variable: bool
) -> None:
    """Beside what is bound already; whether loguru keeps it where we know it or not."""
    if not variable:
        monkeypatch.setattr(log_module, "_extra", None)

    def speak(word: str) -> str:
        logger.info(word)
        return word

    with logger.contextualize(mine=1):
        assert copy_context().run(labelled, 7, "reader", speak, "hello") == "hello"
        logger.info("after")
    assert any("hello {'mine': 1, 'agent_id': 7, 'agent': 'reader'}" in line for line in log_lines)
    assert any("after {'mine': 1}" in line for line in log_lines)


def test_the_variable_behind_the_log_is_where_we_know_it() -> None:
    """Else every agent takes the long way, and nobody would notice."""
    assert isinstance(log_module._extra, ContextVar)


def test_the_name_of_an_agent_forges_no_line(log_lines: list[str]) -> None:
    """A format may show it as it is bound."""
    copy_context().run(labelled, 7, "x\nERROR \x1b[31m" + "y" * 500, logger.info, "hello")
    (line,) = (line for line in log_lines if "hello" in line)
    name = ast.literal_eval(line.partition("hello ")[2])["agent"]
    assert name.startswith(r"x\nERROR \x1b[31myyy")
    assert len(name) == 100
