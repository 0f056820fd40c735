"""Thespian as a peer: runs one of its programs in an actor system of its own."""

from __future__ import annotations

import socket

PROCESSES, ONE_THREAD = "multiprocTCPBase", "simpleSystemBase"
"""Its actor systems: a process for each actor, and all of them in the calling thread."""


def on_thespian(base: str, name: str, count: int) -> float:
    """Seconds of a program on thespian, in a system of its own."""
    from thespian.actors import ActorSystem

    from . import thespian_programs  # needs thespian, which is not always installed

    if base == ONE_THREAD:
        system = ActorSystem(base, logDefs=False)
    else:  # at a port of its own: at the usual one it would join whatever else runs there
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        system = ActorSystem(base, {"Admin Port": port}, transientUnique=True)
    try:
        seconds: float = getattr(thespian_programs, name)(system, count)
    finally:
        system.shutdown()
    return seconds
