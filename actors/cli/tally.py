"""What a run has counted so far. Bounded: it keeps counts, and a few rows for the table at the end."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.records.outcome import AgentStatus
from ..core.shown import shown
from .results import text_of
from .wording import first_line, one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.records.outcome import AgentOutcome

MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    agent_id: int
    name: str
    status: AgentStatus
    duration: float
    query: str
    text: str


class Tally:
    """Counts outcomes, bad input, tokens and money.

    Guarantees:
        Its size does not grow with the number of agents.

    Locks:
        None: each value has one writer. The main thread counts outcomes, the thread that reads the input counts
        that, the pool's dispatcher counts tokens and money; the live display only reads.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._end: float | None = None
        self.by_status: Counter[AgentStatus] = Counter()
        self.done = 0
        self.failed = 0
        self.admitted = 0
        self.jobs_read = 0
        self.bad_inputs = 0
        self.input_ended = False
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd = 0.0
        self.last: AgentOutcome[Any] | None = None
        self._good: list[Row] = []
        self._bad: list[Row] = []
        self._cancelled: list[Row] = []
        self.gauge: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Agents running and agents queued, asked of the pool while there is one."""

    def count(self, outcome: AgentOutcome[Any]) -> None:
        """Count *outcome*; keep its row while there is room."""
        self.by_status[outcome.status] += 1
        self.done += 1
        self.failed += not outcome.ok
        self.last = outcome
        cancelled = outcome.status is AgentStatus.CANCELLED
        rows = self._good if outcome.ok else self._cancelled if cancelled else self._bad
        if len(rows) < MOST_ROWS:
            rows.append(row_of(outcome))

    def spend(self, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        """Count one completion."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cost_usd += cost_usd

    def stop_clock(self) -> None:
        """Fix ``elapsed``."""
        self._end = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self._end or time.monotonic()) - self._begin

    @property
    def tokens(self) -> int:
        """Tokens in both directions."""
        return self.input_tokens + self.output_tokens

    def rows(self) -> list[Row]:
        """At most ``MOST_ROWS``: those that failed first, those that Ctrl-C cancelled last."""
        return (self._bad + self._good + self._cancelled)[:MOST_ROWS]


def row_of(outcome: AgentOutcome[Any]) -> Row:
    """The row of one outcome, with texts cut short."""
    return Row(
        agent_id=outcome.agent_id,
        name=shown(outcome.name, 40),
        status=outcome.status,
        duration=outcome.duration,
        query=one_line(shortened(str(outcome.query), 200)),
        text=first_line(text_of(outcome)),
    )
