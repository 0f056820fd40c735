"""The process that a host is alone in, made ready for it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

from loguru import logger

from ..tools.environment import HOST
from . import reaper

SWITCH_INTERVAL = 0.05
"""Seconds that a thread runs while others wait: hundreds of agents that wake at once hold each other up otherwise."""


class HostProcess:
    """Makes this process ready for a host.

    Guarantees: when it has ended, however it did, no process that was started in it is left: one beside it sees to
    that, and finds them by ``mark``. On Linux alone: elsewhere ``mark`` is empty, and nobody finds them.

    Threads: any; once in a process.
    """

    def __init__(self) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL)
        self.mark = ""
        if not sys.platform.startswith("linux"):
            return
        mark = uuid.uuid4().hex
        try:
            self._line = _start(f"{HOST}={mark}")  # kept open
        except OSError as error:
            logger.warning("if this host is killed, its child processes stay: nothing could be started ({})", error)
            return
        self.mark = os.environ[HOST] = mark  # after it: it is not to find itself


def _start(mark: str) -> object:
    """Start it in a session of its own: what kills the host's group does not kill it first. Return when it watches."""
    first = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-I", "-S", reaper.__file__, str(os.getpid()), mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if first.wait():
        raise ChildProcessError(f"it ended with {first.returncode}")
    return first.stdin
