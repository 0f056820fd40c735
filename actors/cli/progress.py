"""What is seen while agents run: a live display on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, Self

from ..core.records.outcome import AgentStatus
from ..progress.live import LiveBar
from .by_node import node_words
from .tally import row_of
from .terminal import may_redraw, say
from .wording import counted, dollars, rate, seconds, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from ..core.records.outcome import AgentOutcome
    from .tally import Tally

    Expected = Callable[[], int | None]

FIRST_LINES = 20
"""So many outcomes get a line each; then the lines come by the clock."""
LINE_INTERVAL = 2.0
"""Seconds between plain lines, after the first ones."""
FAILURES_SHOWN = 10


class Progress(Protocol):
    """Told of each outcome after it was counted."""

    def ended(self, outcome: AgentOutcome[Any]) -> None:
        """Show that an agent ended."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to somebody else meanwhile."""


class _NeverInTheWay:
    """Draws nothing that would have to be taken away."""

    def paused(self) -> AbstractContextManager[None]:
        """Nothing is to be done."""
        return nullcontext()


class Silence(_NeverInTheWay):
    """Shows nothing."""

    def ended(self, outcome: AgentOutcome[Any]) -> None:
        """Show nothing."""


class PlainLines(_NeverInTheWay):
    """One line for each of the first outcomes, then a line of counts every few seconds.

    Args:
        told: Somebody else tells of each outcome.
    """

    def __init__(self, tally: Tally, expected: Expected, *, told: bool = False) -> None:
        self._told = told
        self._tally = tally
        self._expected = expected
        self._last_line = time.monotonic()

    def ended(self, outcome: AgentOutcome[Any]) -> None:
        """Write a line, if one is due."""
        now = time.monotonic()
        if not self._told and self._tally.ran <= FIRST_LINES and not outcome.recalled:
            say(sentence(outcome))
        elif now - self._last_line >= LINE_INTERVAL:
            say(counts(self._tally, self._expected()))
            by_node = node_words(self._tally.nodes(), self._tally.lost_with)
            if by_node:
                say(by_node)
        else:
            return
        self._last_line = now


class LiveDisplay:
    """A bar and a line of counts that are drawn again and again; the first failures stand above it.

    Args:
        told: Somebody else tells of each outcome.
    """

    def __init__(self, tally: Tally, expected: Expected, *, told: bool = False) -> None:
        self._shown = FAILURES_SHOWN if told else 0
        self._tally = tally
        self._expected = expected
        self._bar = LiveBar(sys.stderr, self._frame, stays=False)

    def __enter__(self) -> Self:
        """Show it."""
        self._bar.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take it away."""
        self._bar.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take it away meanwhile."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()

    def ended(self, outcome: AgentOutcome[Any]) -> None:
        """Name the first failures; the display itself is drawn by the clock."""
        # After Ctrl-C everything is cancelled: nobody needs to be told of each.
        if not outcome.ok and outcome.status is not AgentStatus.CANCELLED and self._shown < FAILURES_SHOWN:
            self._shown += 1
            say(sentence(outcome))

    def _frame(self) -> tuple[int, int | None, str]:
        expected = self._expected()
        by_node = node_words(self._tally.nodes(), self._tally.lost_with)
        lines = [counts(self._tally, expected), *([by_node] if by_node else [])]
        return self._tally.done, expected, "\n".join(lines)


def open_progress(
    tally: Tally, expected: Expected, *, quiet: bool, redraw: bool, told: bool = False
) -> AbstractContextManager[Progress]:
    """Choose how to show progress.

    Args:
        told: Somebody else tells of each outcome.
    """
    if quiet:
        return nullcontext(Silence())
    if redraw and may_redraw():
        return LiveDisplay(tally, expected, told=told)
    return nullcontext(PlainLines(tally, expected, told=told))


def sentence(outcome: AgentOutcome[Any]) -> str:
    """One outcome as one line."""
    row = row_of(outcome)
    line = f"#{row.agent_id} {row.name}: {row.status} in {seconds(row.duration)}: {shortened(row.query, 60)}"
    return f"{line}: {': '.join(filter(None, (row.place, row.text)))}"


def counts(tally: Tally, expected: int | None) -> str:
    """The state of the run as one line."""
    running, queued = tally.gauge()
    done, elapsed = tally.done, tally.elapsed
    of_all = f" of {expected:,}" if expected is not None and expected > done else ""
    parts = [
        f"{running} running",
        f"{queued} queued",
        f"{done:,}{of_all} done",
        f"{tally.failed:,} failed",
        *([f"{tally.recalled:,} recalled"] if tally.recalled else []),
        *([f"{tally.skipped:,} there before"] if tally.skipped else []),
        *([counted(tally.bad_inputs, "bad input")] if tally.bad_inputs else []),
        *([f"{tally.tokens:,} tokens"] if tally.tokens else []),
        *([dollars(tally.cost_usd)] if tally.cost_usd else []),
    ]
    if tally.ran and elapsed:  # what is recalled takes no time, and says nothing of what is still to be run
        parts.append(rate(tally.ran / elapsed))
        if expected is not None and done < expected:
            parts.append(f"{seconds(elapsed / tally.ran * (expected - done))} left")
    return " · ".join(parts)
