"""What rules do on threads of their own, and which threads there are."""

from __future__ import annotations

import threading
from typing import Any

from .stage import BOUND


def threads() -> set[threading.Thread]:
    """The threads that the end of a pool has to end."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("actors-loop")}


def in_threads(*calls: Any) -> list[Any]:
    """Call each in a thread of its own, all at once; what they returned."""
    results: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(index: int) -> None:
        try:
            barrier.wait(BOUND)
            results[index] = calls[index]()
        except BaseException as error:
            results[index] = error

    started = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(calls))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(3 * BOUND)
        assert not thread.is_alive(), "a thread is blocked"
    return results
