"""Runs a tool's function in a process of its own, which can be killed. Needs the extra ``process``."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pebble
from pebble import concurrent

from ..agent.ports import ToolResult
from ..core.crash import text_of
from ..core.waiter import Waiter
from ..errors import ToolFailed
from .result import result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

    from ..core.cancel import CancelToken

START_TIMEOUT = 30.0
"""Seconds that a process may take to say that it is there."""


def run_isolated(
    function: Callable[..., Any], arguments: Mapping[str, Any], *, name: str, cancel: CancelToken, timeout: float | None
) -> ToolResult:
    """Call *function* with *arguments* in a new process, and wait for its end.

    The process is started afresh (``spawn``): it imports the function's module. It has a process group of its own,
    which is killed as a whole at a cancel and at the timeout.

    Args:
        function: One at the top of a module.
        name: The tool's, for errors.
        timeout: Seconds, then it is killed.
    Raises:
        ToolFailed: It raised, ran longer than *timeout*, or its process died.
        Cancelled: The call was cancelled; the process is dead.
    """
    cancel.check()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process: Any = concurrent.process  # its annotations do not know its own "context"
    start = process(name=f"actors-tool-{name}", context=context)(_call)
    try:
        future = start(theirs, *_place_of(function), dict(arguments))
    except Exception as error:  # no process can be started, or the arguments cannot be sent to it
        raise ToolFailed(f"{name} could not be given a process: {error}") from error
    finally:
        theirs.close()
    ended = Waiter()
    future.add_done_callback(lambda _: ended.wake())
    forget = cancel.on_cancel(ended.wake)
    left = None if cancel.deadline is None else cancel.deadline.remaining()
    try:
        # Its time is kept here: the package would end the process alone, and not what it has started.
        ended.wait(min((bound for bound in (timeout, left) if bound is not None), default=None))
    finally:
        forget()
        is_late = not future.done()
        if is_late:
            _kill(ours)
        ours.close()
    if is_late:
        cancel.check()
        raise ToolFailed(f"{name} ran longer than {timeout} s, and its process was killed")
    try:
        text, is_error, problem = future.result()
    except pebble.ProcessExpired as error:
        raise ToolFailed(f"the process of {name} died: {error} (exit code {error.exitcode})") from error
    if problem is not None:
        raise ToolFailed(problem)
    return ToolResult(text, is_error)


def _place_of(function: Callable[..., Any]) -> tuple[str, str, str | None]:
    """Where the process finds *function*: module, name, and the folder that has to be on its path."""
    module = function.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    root = None if file is None or module == "__main__" else str(_root(Path(file), module))
    return module, function.__qualname__, root


def _root(file: Path, module: str) -> Path:
    depth = module.count(".") + (file.name == "__init__.py")
    return file.absolute().parents[depth]


def _kill(ours: Connection) -> None:
    """Kill the group of the process, once it has said who it is: before that nothing of the tool's has run."""
    try:
        if not ours.poll(START_TIMEOUT):
            return
        pid = ours.recv()
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)
    except (EOFError, OSError):  # it is dead already
        pass


# In the new process -------------------------------------------------------------------------------------------------


def _call(
    writer: Connection, module: str, name: str, root: str | None, arguments: dict[str, Any]
) -> tuple[str, bool, str | None]:
    """What the tool answered: text, whether it is an error, and what it raised."""
    if hasattr(os, "setsid"):
        os.setsid()
    writer.send(os.getpid())
    writer.close()
    if root is not None and root not in sys.path:
        sys.path.insert(0, root)  # a module that stands beside a manifest
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        function = found.function if hasattr(found, "execute") else found  # what stands there is the tool
        value = function(**arguments)
        result = result_of(asyncio.run(value) if inspect.iscoroutine(value) else value)
    except ToolFailed as error:
        return "", True, text_of(error)
    except BaseException as error:  # noqa: BLE001 - told to the model
        return "", True, f"{name} failed: {type(error).__name__}: {text_of(error)}"
    return result.content, result.is_error, None
