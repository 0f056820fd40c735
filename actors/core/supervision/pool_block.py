"""A pool as a context manager, and what becomes of one that is let go of."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Self

from ..process.threads import start_from_collector

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .shutdown import Shutdown
    from .supervisor import Supervisor


class PoolBlock:
    """What a pool is in ``with`` and ``async with``: leaving normally drains, leaving by an exception aborts."""

    name: str
    _supervisor: Supervisor | None
    _shutdown_timeout: float | None

    @property
    def _core(self) -> Supervisor:
        supervisor = self._supervisor
        assert supervisor is not None
        supervisor.pool.refuse_after_fork()
        return supervisor

    def _watch(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call *call* once when the pool has ended; what is returned ends that.

        Raises:
            PoolClosed: It is closed already.
        """
        return self._core.shutdown.watch(call)

    def __enter__(self) -> Self:
        self._core.pool.refuse_after_fork()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutdown = self._left_by(kind)
        if shutdown is not None:
            shutdown.leave_block(None if kind is None else kind.__name__, self._shutdown_timeout)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutdown = self._left_by(kind)
        if shutdown is not None:
            failed = None if kind is None else kind.__name__
            from .awaiting import leave_block

            await leave_block(shutdown, self.name, failed, self._shutdown_timeout)

    def _left_by(self, kind: type[BaseException] | None) -> Shutdown | None:
        """What ends the pool whose block is left; None in a child that leaves its parent's: it is not its to close."""
        supervisor = self._supervisor
        assert supervisor is not None
        return None if supervisor.pool.is_forked and kind is not None else supervisor.shutdown

    def __del__(self) -> None:
        supervisor = getattr(self, "_supervisor", None)
        if supervisor is None or supervisor.is_closed or supervisor.pool.is_forked:
            return
        close = supervisor.shutdown.close
        start_from_collector(lambda: close("its pool was garbage-collected"), f"{self.name}-end")
        # Last: where warnings are errors, it ends here.
        warnings.warn(f"{self.name} was not closed; its agents are aborted", ResourceWarning, source=self, stacklevel=2)
