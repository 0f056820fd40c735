"""A program that takes an image of its journal, and is killed before it does anything else."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path

from .random_programs import Camera, Program, Talker, Walker, World, run

PROGRAM = Program((Talker((("pay", "note"), ("child",))), Walker(("pay", "note", "pay")), Talker((("note",),))))


class LastCamera(Camera):
    """Its picture is the last that anybody sees."""

    def take(self) -> None:
        super().take()
        os.kill(os.getpid(), signal.SIGKILL)


def die(folder: str, commits: int) -> None:
    """Run a program up to so many commits."""
    here, world = Path(folder), World()
    with contextmanager(LastCamera(here / "run.db", here / "image", commits, world).watch)():
        run(PROGRAM, world, here / "run.db")
