"""Shows how far the agents of a pool are, while a block runs or a loop takes outcomes."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self

from typing_extensions import TypeVar

from ..core.records.failed import has_failed
from ..core.records.outcome import AgentOutcome
from .figures import Figures

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
    from typing import IO

    from ..core.records.usage import TokenUsage

ItemT = TypeVar("ItemT", default=Any)


class Stats(Protocol):
    """What a pool tells of itself."""

    @property
    def active(self) -> int:
        """Running or parked."""

    @property
    def queued(self) -> int:
        """Waiting to start."""

    @property
    def ended(self) -> Mapping[Any, int]:
        """How many have ended, by status."""

    @property
    def usage(self) -> TokenUsage:
        """Tokens of all completions."""

    @property
    def cost_usd(self) -> float:
        """What they cost."""


class Display(Protocol):
    """Where progress is seen."""

    def start(self) -> None:
        """Show it."""

    def stop(self) -> None:
        """Show it for the last time."""


class PoolProgress(Generic[ItemT]):
    """What ``AgentPool.progress`` returns: a context manager, and an iterator over what it was given.

    Guarantees: its thread ends with it, and the terminal is left as it was, also by an exception or an interrupt.

    Threads: one.
    """

    def __init__(
        self,
        stats: Callable[[], Stats],
        begun: Callable[[], tuple[Stats, Collection[AgentOutcome[Any]]]],
        outcomes: Iterable[ItemT] | AsyncIterable[ItemT] | None,
        *,
        total: int | None,
        file: IO[str] | None,
    ) -> None:
        if file is not None and not hasattr(file, "write"):
            raise TypeError(f"file must be something to write texts to, got {file!r}")
        if total is None and hasattr(outcomes, "__len__"):
            total = len(outcomes)  # type: ignore[arg-type]
        self._stats = stats
        self._begun = begun
        self._outcomes: Any = outcomes if outcomes is None or hasattr(outcomes, "__aiter__") else iter(outcomes)
        self._counts_items = outcomes is not None
        self._total = total
        self._file = file
        self._taken = self._failed = 0
        self._display: Display | None = None
        self._before: Stats | None = None
        self._ready: Counter[str] = Counter()  # what had ended at the beginning, and waits to be taken: it counts
        self._ready_tokens = 0
        self._ready_cost = 0.0
        self._begin = 0.0
        self._process = 0

    def __enter__(self) -> Self:
        if self._display is not None:
            raise RuntimeError("this progress is shown already")
        self._before, ready = self._begun()
        self._ready = Counter(str(outcome.status) for outcome in ready)
        self._ready_tokens = sum(outcome.usage.total for outcome in ready)
        self._ready_cost = sum(outcome.cost_usd for outcome in ready)
        self._begin = time.monotonic()
        self._process = os.getpid()
        self._display = display = self._choose()
        try:
            display.start()
        except BaseException:  # an interrupt, say, when half of it is there
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def __iter__(self) -> Iterator[ItemT]:
        """Yield what it was given, each item once; it is shown meanwhile."""
        self._refuse_unless("__iter__")
        return self._steps(own=self._display is None)

    def __aiter__(self) -> AsyncIterator[ItemT]:
        """The same for what is asynchronous, ``pool.amap(...)`` say."""
        self._refuse_unless("__aiter__")
        return self._asteps(own=self._display is None)

    def _refuse_unless(self, way: str) -> None:
        if not self._counts_items:
            raise TypeError("nothing to iterate over: write pool.progress(pool.map(...))")
        if self._outcomes is None:
            raise RuntimeError("this progress was iterated over already: outcomes are taken once")
        if not hasattr(self._outcomes, way):
            word = "for" if way == "__aiter__" else "async for"
            raise TypeError(f"{type(self._outcomes).__name__} is iterated over with `{word}`")

    def figures(self) -> Figures:
        """How far it is."""
        before = self._before
        assert before is not None
        now = self._stats()
        done, failed, total = self._taken, self._failed, self._total
        tokens, cost = now.usage.total - before.usage.total, now.cost_usd - before.cost_usd
        if not self._counts_items:
            ended = Counter({str(status): number for status, number in now.ended.items()})
            ended.subtract({str(status): number for status, number in before.ended.items()})
            ended.update(self._ready)
            done = ended.total()
            failed = done - ended["completed"] - ended["cancelled"]
            total = done + now.active + now.queued if total is None else total
            tokens, cost = tokens + self._ready_tokens, cost + self._ready_cost
        elapsed = time.monotonic() - self._begin
        return Figures(done, total, now.active, now.queued, failed, tokens, cost, elapsed)

    def _steps(self, *, own: bool) -> Iterator[ItemT]:
        if own:
            self.__enter__()
        try:
            for item in self._let_go():
                self._take(item)
                yield item
        finally:
            if own:
                self._stop()

    async def _asteps(self, *, own: bool) -> AsyncIterator[ItemT]:
        if own:
            self.__enter__()
        try:
            async for item in self._let_go():
                self._take(item)
                yield item
        finally:
            if own:
                self._stop()

    def _take(self, item: ItemT) -> None:
        self._taken += 1
        self._failed += isinstance(item, AgentOutcome) and has_failed(item)

    def _let_go(self) -> Any:
        """What it iterates over. No frame of an error that is kept may hold that: a map cancels when it is let go."""
        outcomes, self._outcomes = self._outcomes, None
        return outcomes

    def _choose(self) -> Display:
        """How it can be shown here."""
        from .lines import Lines
        from .live import LiveBar, console, may_redraw

        stream = self._file or sys.stderr
        if self._file is None and stream is not None and console(stream).is_jupyter:
            from .notebook import CellBar

            return CellBar(self.figures)
        if stream is None:  # a program without a console
            return _Nowhere()
        if may_redraw(stream):
            return LiveBar(stream, self._frame, stays=True)
        return Lines(stream, lambda: str(self.figures()))

    def _frame(self) -> tuple[int, int | None, str]:
        figures = self.figures()
        return figures.done, figures.total, str(figures)

    def _stop(self) -> None:
        display, self._display = self._display, None
        if display is None or self._process != os.getpid():  # a forked child leaves its parent's block
            return
        try:
            display.stop()
        except (OSError, ValueError):  # nobody reads any more
            pass


class _Nowhere:
    """Shows nothing."""

    def start(self) -> None:
        """Nothing is to be done."""

    def stop(self) -> None:
        """Nothing is to be done."""
