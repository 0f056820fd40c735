"""The process of a host on a node: what Ray calls there."""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

from .link import HostInfo, refusal, this_process


class RayHost:
    """Holds a host, if this process has the versions of the program. It takes and gives plain data alone: what it is
    made from has to be readable before versions are compared.
    """

    def __init__(self, incarnation: str, node: str) -> None:
        self._incarnation = incarnation
        self._node = node
        self._host: Any = None  # whatever class was named
        self._process: Any = None  # ``HostProcess``

    def begin(self, host: str, settings: bytes, here: tuple[int, str, str, str]) -> tuple[tuple[Any, ...], str | None]:
        """Begin, unless something forbids it. Returns what this process is, and what forbade it."""
        this = this_process()
        refused = refusal(HostInfo(*here), this)
        if refused is None:
            from .host_process import HostProcess

            self._process = HostProcess()
            module, _, name = host.partition(":")
            make = getattr(importlib.import_module(module), name)
            self._host = make(self._incarnation, self._node, settings, end_process=_end_process)
            begin = getattr(self._host, "have_process", None)
            if begin is not None:
                begin()
        return tuple(this), refused

    def stay(self) -> None:
        """Return never: whoever called sees by its failure that this process ended."""
        threading.Event().wait()

    def put(self, frame: bytes) -> bytes:
        """Take items."""
        answer: bytes = self._host.put(frame)
        return answer

    def drain(self, frame: bytes) -> bytes:
        """Give items."""
        answer: bytes = self._host.drain(frame)
        return answer


def _end_process() -> None:
    os._exit(1)  # whatever runs, runs no further: that is what it is for
