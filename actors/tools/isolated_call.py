"""The other side of :mod:`.isolation`: what runs in the process that a call of a tool has for itself."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from multiprocessing import spawn
from typing import Any

from ..agent.tool_result import result_of
from ..core.crash import text_of
from ..core.records.content import bytes_of, is_told
from ..core.records.content_field import content_to_data
from ..errors import ToolFailed

READY = b"!"
"""Written before the function is called; what follows is the answer, JSON on one line."""
MAX_ANSWER = 1_000_000
"""Characters of an answer; what is longer is cut."""
MAX_ANSWER_BYTES = 6 * MAX_ANSWER + 1_000
"""So large it can be: a control character is written as six bytes."""
MAX_PARTS = 4_000_000
"""Bytes of images, audio and files in an answer: as base64 they are a third more."""


def main(host: int, answer: int) -> None:
    """Read what to call from *host*, call it, and write to *answer*; both are descriptors."""
    for descriptor in (host, answer):  # what the tool starts must not hold them open
        os.set_inheritable(descriptor, False)
    with open(host, "rb", closefd=False) as job:
        module, name, root, preparation, arguments = pickle.load(job)  # noqa: S301 - this program's own
    threading.Thread(target=_end_with, args=(host,), daemon=True).start()
    pid = os.getpid()
    try:
        told = _answer(module, name, root, preparation, arguments, answer)
    finally:
        if os.getpid() != pid:  # the tool has forked, and this is the child: it must not answer, too
            os._exit(0)
    _flush()
    data = json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    with open(answer, "wb", closefd=False) as file:
        file.write(data)
    os._exit(0)  # what the tool has left running is not waited for


def _answer(
    module: str | None, name: str, root: str | None, preparation: dict[str, Any], arguments: bytes, answer: int
) -> tuple[Any, bool, str | None]:
    """What the tool answered: content as JSON has it, whether it is an error, and what it raised."""
    try:
        _prepare(root, preparation)
        if module is None:  # it can be imported nowhere, and came along
            function, given = pickle.loads(arguments)  # noqa: S301 - this program's own
        else:
            function, given = _function(module, name), pickle.loads(arguments)  # noqa: S301 - this program's own
        os.write(answer, READY)
        value = function(**given)
        result = result_of(asyncio.run(value) if inspect.iscoroutine(value) else value)
        content: Any = result.content
        if isinstance(content, str):
            return _cut(str.__str__(content)), bool(result.is_error), None
        if not is_told(content):
            return "", True, f"{name} failed: it gave no result with a text"
        if bytes_of([content]) > MAX_PARTS:
            return "", True, f"{name} failed: its parts have more than {MAX_PARTS:,} bytes"
        return content_to_data(content), bool(result.is_error), None
    except ToolFailed as error:
        return "", True, _cut(text_of(error))
    except BaseException as error:  # noqa: BLE001 - told to the model
        return "", True, _cut(f"{name} failed: {type(error).__name__}: {text_of(error)}")


def _prepare(root: str | None, preparation: dict[str, Any]) -> None:
    process: Any = multiprocessing.current_process()
    # A main program that starts processes while it is imported is refused by that, and told what it lacks.
    process._inheriting = True  # noqa: SLF001 - as multiprocessing itself says it
    try:
        spawn.prepare(preparation)
    finally:
        del process._inheriting  # noqa: SLF001
    if root is not None and root not in sys.path:
        sys.path.insert(0, root)  # a module that stands beside a manifest


def _function(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found.function if hasattr(found, "execute") else found  # what stands there is the tool


def _cut(text: str) -> str:
    return text if len(text) <= MAX_ANSWER else f"{text[:MAX_ANSWER]}\n[cut: {len(text):,} characters were answered]"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001 - closed, or None: nothing can be said there
            pass


def _end_with(host: int) -> None:
    """End with the program that wants the answer, however that ends: it holds the other end of *host* open."""
    try:
        while os.read(host, 1):
            pass
    except OSError:  # the tool has closed it
        return
    os.killpg(os.getpid(), signal.SIGKILL)
