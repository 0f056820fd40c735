"""Agents in the order in which they end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ..clock import SYSTEM_CLOCK
from ..waiting.wait_graph import AnyOf, wait_for
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..records.outcome import AgentOutcome
    from .handle import AgentHandle
    from .supervisor import Supervisor


class AsCompleted:
    """Yields each of some handles once, as its agent ends.

    Threads: one reads. ``_ended`` and ``_waiter`` change by single operations: the reader sets the waiter, then looks
    again; an agent that ends appends, then wakes.
    """

    def __init__(self, handles: Iterable[AgentHandle[Any]]) -> None:
        self._ended: deque[AgentHandle[Any]] = deque()
        self._waiter: Waiter | None = None
        self._any = AnyOf(lambda: [handle.member for handle in list(self._left.values())])
        self._left = {id(handle.member): handle for handle in handles}
        for handle in list(self._left.values()):
            handle.add_done_callback(self._end)

    def _end(self, handle: AgentHandle[Any]) -> None:
        self._ended.append(handle)
        waiter = self._waiter
        if waiter is not None:
            waiter.wake()

    def next(self, timeout: float | None = None) -> AgentHandle[Any] | None:
        """The next one that ended; None when there is none left.

        Raises:
            TimeoutError: None ended in time.
        """
        if not self._left:
            return None
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        while not self._ended:
            self._waiter = waiter = Waiter()
            if self._ended:
                break
            left = None if end is None else end - SYSTEM_CLOCK.monotonic()
            if not wait_for(waiter, left, "the next of some outcomes", self._any) and not self._ended:
                raise TimeoutError(f"{len(self._left)} agents have not ended in time; their outcomes are still owed")
        handle = self._ended.popleft()
        del self._left[id(handle.member)]
        return handle


def completed(
    supervisor: Supervisor, handles: list[AgentHandle[Any]] | None, timeout: float | None
) -> Iterator[AgentOutcome[Any]]:
    """The outcomes of *handles*, or of all that is owed, in order of completion; *timeout* seconds for all of them.

    Raises:
        TimeoutError: Not all ended in time.
    """
    end = None if timeout is None else supervisor.clock.monotonic() + timeout
    return _owed(supervisor, end) if handles is None else _of(supervisor, handles, end)


def _owed(supervisor: Supervisor, end: float | None) -> Iterator[AgentOutcome[Any]]:
    while (outcome := _here(supervisor).owed.next(supervisor.clock.left(end))) is not None:
        yield outcome


def _of(supervisor: Supervisor, handles: list[AgentHandle[Any]], end: float | None) -> Iterator[AgentOutcome[Any]]:
    queue = AsCompleted(handles)
    while (handle := queue.next(_here(supervisor).clock.left(end))) is not None:
        yield handle.outcome(0)


def _here(supervisor: Supervisor) -> Supervisor:
    """*supervisor*, in the process in which it lives."""
    supervisor.pool.refuse_after_fork()
    return supervisor
