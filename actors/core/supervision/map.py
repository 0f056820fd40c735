"""Runs any number of agents through a pool, in bounded memory: for threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self

from typing_extensions import TypeVar

from ..clock import SYSTEM_CLOCK
from ..records.outcomes import FailurePolicy
from .map_line import MapLine, close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..records.outcome import AgentOutcome
    from ..records.spec import AgentSpec
    from .supervisor import Supervisor

T_co = TypeVar("T_co", covariant=True, default=Any)


class _Steps(Generic[T_co]):
    """What a ``MapIterator`` does. Apart from it: frames that a traceback keeps hold this, and not the iterator."""

    def __init__(self, line: MapLine[T_co], source: Iterator[Any], timeout: float | None) -> None:
        self.line = line
        self.source: Iterator[Any] | None = source
        self.timeout = timeout

    def next(self) -> AgentOutcome[T_co]:
        """Admit what there is room for, and wait for the next outcome."""
        line = self.line
        line.supervisor.pool.refuse_after_fork()
        end = None if self.timeout is None else SYSTEM_CLOCK.monotonic() + self.timeout
        if self.source is not None and not line.fill(self.source):
            self.source = None
        if not line:
            line.raise_error()
            raise StopIteration
        left = SYSTEM_CLOCK.left(end)
        if not line.ordered:
            outcome = line.owed.next(left)
            assert outcome is not None
            return outcome
        cell = line.first()
        if cell.outcome is None and not line.supervisor.wait_ended(cell, left):
            raise line.too_late(self.timeout)
        return line.take_first()

    def close(self) -> None:
        """Close the source, and cancel what was admitted and not yielded."""
        source, self.source = self.source, None
        try:
            if source is not None:
                close(source)
        finally:
            self.line.close()

    def let_go(self) -> None:
        """As :meth:`close`, from a finalizer."""
        self.source = None
        self.line.let_go()


class MapIterator(Generic[T_co]):
    """The iterator that ``AgentPool.map`` returns.

    A context manager: ``with pool.map(...) as outcomes: for outcome in outcomes: ...`` cancels what still runs when the
    block is left. Without it, that is done as soon as the iterator is let go: when a ``for`` is left early, by an
    exception or by an interrupt, also if the traceback is kept.

    Guarantees: pulled from the source and not yet yielded are at most ``2 * max_concurrent + 16``; the agents are owed
    to this iterator alone; :meth:`close` cancels what it still waits for. When one fails that takes the rest along,
    the source is read no further. An interrupt, or a step that takes too long, loses nothing if the iteration goes on.

    Threads: one at a time.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        configs: Iterable[Any],
        spec: Callable[[Any], AgentSpec],
        *,
        ordered: bool,
        timeout: float | None,
        failure: FailurePolicy = FailurePolicy.COLLECT,
    ) -> None:
        self._steps: _Steps[T_co] = _Steps(
            MapLine(supervisor, spec, ordered=ordered, failure=failure), iter(configs), timeout
        )

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> AgentOutcome[T_co]:
        try:
            return self._steps.next()
        finally:
            del self  # the frame of an error that is kept must not keep the iterator, which cancels when it is let go

    def close(self) -> None:
        """Read no further, and cancel what was admitted and not yielded."""
        self._steps.line.supervisor.pool.refuse_after_fork()
        self._steps.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        steps = getattr(self, "_steps", None)
        if steps is not None:
            steps.let_go()
