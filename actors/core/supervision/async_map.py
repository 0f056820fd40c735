"""Runs any number of agents through a pool, in bounded memory: for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, Generic, Self

from typing_extensions import TypeVar

from ..clock import SYSTEM_CLOCK
from ..records.outcomes import FailurePolicy
from .awaiting import ended, next_outcome
from .map_line import MapLine, close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..records.outcome import AgentOutcome
    from ..records.spec import AgentSpec
    from .supervisor import Supervisor

T_co = TypeVar("T_co", covariant=True, default=Any)


class _Reader:
    """Reads an async source in a task of its own, so that what ends a wait for an outcome ends no read, and the source
    is begun, read and closed in one task.

    Threads: those of the loop in which it was made, but for :meth:`end_from_anywhere`.
    """

    def __init__(self, line: MapLine[Any], source: AsyncIterable[Any]) -> None:
        self._line = line
        self._source = aiter(source)
        self._loop = asyncio.get_running_loop()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._is_ended = False
        self._task = self._loop.create_task(self._read())

    async def _read(self) -> None:
        try:
            try:
                await self._read_all()
            finally:
                await self._close()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - raised once what was admitted is yielded
            if not (self._is_ended and isinstance(error, asyncio.CancelledError)):
                self._line.error = error
        finally:
            self._news.set()

    async def _read_all(self) -> None:
        line = self._line
        async for config in self._source:
            if line.is_closed:
                return
            line.pulled.append(config)
            line.admit()
            self._news.set()
            while len(line) >= line.bound:
                self._room.clear()
                await self._room.wait()
            if line.is_broken():
                return

    async def _close(self) -> None:
        end = getattr(self._source, "aclose", None)
        if callable(end):
            await end()

    def refuse_other_loop(self) -> None:
        """Raise in another loop than its own."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this amap() reads an async source on another event loop: go on there")

    def make_room(self) -> None:
        """An outcome is being yielded: go on; or end, when one has failed that takes the rest along."""
        self._room.set()
        if self._line.is_broken():
            self._cancel()

    async def hear(self, timeout: float | None) -> bool:
        """Wait until something was admitted, or there is nothing more to be read; False for the latter.

        Raises:
            TimeoutError: Neither came in time.
        """
        if self._task.done():
            return False
        self._news.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"the source gave nothing within {timeout} s; the iterator goes on") from None
        return True

    async def end(self) -> None:
        """Read no further, and wait until the source is closed; raises what that raises."""
        if asyncio.get_running_loop() is not self._loop:
            self.end_from_anywhere()
            return
        self._cancel()
        await asyncio.wait({self._task})
        self._line.raise_error()

    def _cancel(self) -> None:
        self._is_ended = True
        self._task.cancel()

    def end_from_anywhere(self) -> None:
        """Read no further."""
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:  # the loop was closed, and has ended its tasks
            pass


class _AsyncSteps(Generic[T_co]):
    """What an ``AsyncMapIterator`` does. Apart from it: frames and tasks hold this, and not the iterator."""

    def __init__(self, line: MapLine[T_co], source: AsyncIterable[Any] | Iterable[Any], timeout: float | None) -> None:
        self.line = line
        self.unread: AsyncIterable[Any] | None = None
        self.source: Iterator[Any] | None = None
        if isinstance(source, AsyncIterable):
            self.unread = source
        else:
            self.source = iter(source)
        self.reader: _Reader | None = None
        self.timeout = timeout
        self.is_read = False

    async def next(self) -> AgentOutcome[T_co]:
        """Admit what there is room for, and wait for the next outcome."""
        self.line.supervisor.pool.refuse_after_fork()
        if self.is_read:
            raise RuntimeError("this iterator is being read by another task: one at a time")
        self.is_read = True
        try:
            return await self._next()
        finally:
            self.is_read = False

    async def _next(self) -> AgentOutcome[T_co]:
        line, timeout = self.line, self.timeout
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        self._fill()
        while not line:
            if (self.reader is None or not await self.reader.hear(SYSTEM_CLOCK.left(end))) and not line:
                line.raise_error()
                raise StopAsyncIteration
        outcome = await (self._first(SYSTEM_CLOCK.left(end)) if line.ordered else self._any(SYSTEM_CLOCK.left(end)))
        if line.is_closed:
            raise StopAsyncIteration
        if self.reader is not None:
            self.reader.make_room()
        return outcome

    def _fill(self) -> None:
        if self.unread is not None:
            source, self.unread = self.unread, None
            self.reader = _Reader(self.line, source)
        if self.reader is not None:
            self.reader.refuse_other_loop()
        elif self.source is not None and not self.line.fill(self.source):
            self.source = None

    async def _first(self, timeout: float | None) -> AgentOutcome[T_co]:
        line = self.line
        cell = line.first()
        if cell.outcome is not None:
            await asyncio.sleep(0)  # the loop's other tasks get their turn, also when all outcomes are there
        elif not await ended(line.supervisor, cell, timeout):
            raise line.too_late(self.timeout)
        if line.is_closed:
            raise StopAsyncIteration
        return line.take_first()

    async def _any(self, timeout: float | None) -> AgentOutcome[T_co]:
        await asyncio.sleep(0)
        outcome = await next_outcome(self.line.owed, timeout)
        if outcome is None:
            raise StopAsyncIteration
        return outcome

    async def close(self) -> None:
        """Cancel what was admitted and not yielded, and close the source."""
        source, self.source, self.unread = self.source, None, None
        try:
            self.line.close()
            if source is not None:
                close(source)
        finally:
            if self.reader is not None:
                await self.reader.end()

    def let_go(self) -> None:
        """As :meth:`close`, from a finalizer."""
        self.source = self.unread = None
        self.line.let_go()
        if self.reader is not None:
            self.reader.end_from_anywhere()


class AsyncMapIterator(Generic[T_co]):
    """The async iterator that ``AgentPool.amap`` returns: what ``MapIterator`` is, for a coroutine.

    An async context manager: ``async with pool.amap(...) as outcomes`` cancels what still runs when the block is left.
    Without it, that is done as soon as the iterator is let go: when an ``async for`` is left early, by an exception or
    by a cancel of its task.

    Guarantees: those of ``MapIterator``. A step that is cancelled, or takes too long, loses nothing if the iteration
    goes on. No thread is held, and the loop's other tasks get their turn.

    Threads: one task at a time; an async source is read on the loop of the first step.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        configs: AsyncIterable[Any] | Iterable[Any],
        spec: Callable[[Any], AgentSpec],
        *,
        ordered: bool,
        timeout: float | None,
        failure: FailurePolicy = FailurePolicy.COLLECT,
    ) -> None:
        line: MapLine[T_co] = MapLine(supervisor, spec, ordered=ordered, failure=failure)
        self._steps = _AsyncSteps(line, configs, timeout)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AgentOutcome[T_co]:
        try:
            return await self._steps.next()
        finally:
            del self  # the frame of an error that is kept must not keep the iterator, which cancels when it is let go

    async def aclose(self) -> None:
        """Read no further, and cancel what was admitted and not yielded."""
        self._steps.line.supervisor.pool.refuse_after_fork()
        await self._steps.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        steps = getattr(self, "_steps", None)
        if steps is not None:
            steps.let_go()
