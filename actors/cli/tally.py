"""What a run has counted so far. Bounded: it keeps counts, and a few rows for the table at the end."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.records.outcome import AgentStatus
from ..core.shown import shown
from ..errors import AgentLost
from .row import place_text, text_of
from .wording import first_line, one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..cluster.node import NodeView
    from ..core.records.outcome import AgentOutcome

MOST_ROWS = 20
MOST_FAILED = 12
"""So many of them at most, while there are others to be shown."""
EXTREMES = 3
"""So many of the slowest, and of the dearest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``place`` is where a failed one raised, and ``text`` what."""

    agent_id: int
    key: str
    name: str
    status: AgentStatus
    duration: float
    cost_usd: float
    query: str
    place: str
    text: str


class Saved:
    """What was recalled, and not bought again."""

    def __init__(self) -> None:
        self.tokens = 0
        self.cost_usd = 0.0

    def add(self, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        """Count some more."""
        self.tokens += input_tokens + output_tokens
        self.cost_usd += cost_usd


class Most:
    """The rows with the highest value.

    Args:
        count: So many at most.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, int, Row]] = []

    def offer(self, value: float, number: int, make: Callable[[], Row]) -> None:
        """Keep the row that *make* makes, if *value* is high enough. *number* tells equal ones apart."""
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, (value, -number, make()))
        elif value > self._heap[0][0]:
            heapq.heapreplace(self._heap, (value, -number, make()))

    def rows(self) -> list[Row]:
        """Those that were kept, the highest first."""
        return [row for *_, row in sorted(self._heap, reverse=True)]


class Tally:
    """Counts outcomes, bad input, tokens and money.

    Guarantees:
        Its size does not grow with the number of agents.

    Locks:
        None: each value has one writer. The main thread counts outcomes and what the recalled ones have saved, the
        thread that reads the input counts that, the pool's event delivery counts tokens and money; the live display
        only reads.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._end: float | None = None
        self.by_status: Counter[AgentStatus] = Counter()
        self.done = 0
        self.failed = 0
        self.admitted = 0
        self.skipped = 0
        self.bad_inputs = 0
        self.refused = 0
        """Agents that were not what the journal says of them."""
        self.recalled = 0
        """Agents that ended in an earlier process: the journal tells how."""
        self.input_ended = False
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd = 0.0
        self._saved = Saved()
        self._saved_at_once = Saved()
        self.last: AgentOutcome[Any] | None = None
        self._good: list[Row] = []
        self._bad: list[Row] = []
        self._cancelled: list[Row] = []
        self._recalled: list[Row] = []
        self._slowest = Most(EXTREMES)
        self._dearest = Most(EXTREMES)
        self.nodes: Callable[[], Sequence[NodeView]] = lambda: ()
        """The nodes on which agents live, asked of the engine while there is one."""
        self.lost_with: Counter[str] = Counter()
        """Agents that were lost, by the node that they lived on."""
        self.gauge: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Agents running and agents queued, asked of the pool while there is one."""

    def count(self, outcome: AgentOutcome[Any], key: str = "") -> None:
        """Count *outcome*; keep its row while there is room, or if it is an extreme."""
        self.by_status[outcome.status] += 1
        self.done += 1
        self.failed += not outcome.ok
        self.last = outcome
        if isinstance(outcome.error, AgentLost):
            self.lost_with[outcome.error.node] += 1
        if outcome.recalled:
            self._count_recalled(outcome, key)
            return
        cancelled = outcome.status is AgentStatus.CANCELLED
        rows = self._good if outcome.ok else self._cancelled if cancelled else self._bad
        if len(rows) < MOST_ROWS:
            rows.append(row_of(outcome, key))
        if outcome.ok:
            self._slowest.offer(outcome.duration, self.done, lambda: row_of(outcome, key))
            if outcome.cost_usd:
                self._dearest.offer(outcome.cost_usd, self.done, lambda: row_of(outcome, key))

    def _count_recalled(self, outcome: AgentOutcome[Any], key: str) -> None:
        self.recalled += 1
        usage = outcome.usage_total
        self._saved_at_once.add(usage.input_tokens, usage.output_tokens, outcome.cost_usd_total)
        if len(self._recalled) < MOST_ROWS:
            self._recalled.append(row_of(outcome, key))

    def save(self, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        """Count one completion that an earlier process has paid."""
        self._saved.add(input_tokens, output_tokens, cost_usd)

    @property
    def saved_tokens(self) -> int:
        """Tokens, in both directions, that were not bought again."""
        return self._saved.tokens + self._saved_at_once.tokens

    @property
    def saved_usd(self) -> float:
        """What they have cost when they were bought."""
        return self._saved.cost_usd + self._saved_at_once.cost_usd

    def spend(self, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        """Count one completion."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cost_usd += cost_usd

    @property
    def ran(self) -> int:
        """How many ended now, and were not recalled."""
        return self.done - self.recalled

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

    def groups(self) -> list[tuple[str, list[Row]]]:
        """At most ``MOST_ROWS`` rows, each once, with what they have in common: those that failed first, then the
        slowest and the dearest, then others that completed, those that Ctrl-C cancelled; those that were recalled last.
        """
        seen: set[int] = set()
        left = MOST_ROWS

        def some(rows: list[Row], most: int = MOST_ROWS) -> list[Row]:
            nonlocal left
            found = [row for row in rows if row.agent_id not in seen][: min(most, left)]
            seen.update(row.agent_id for row in found)
            left -= len(found)
            return found

        others = len({row.agent_id for row in [*self._good, *self._slowest.rows(), *self._dearest.rows()]})
        groups = [
            ("failed", some(self._bad, max(MOST_FAILED, MOST_ROWS - others))),
            ("slowest", some(self._slowest.rows())),
            ("dearest", some(self._dearest.rows())),
            ("others that completed", some(self._good)),
            ("cancelled", some(self._cancelled)),
            ("recalled", some(self._recalled)),
        ]
        return [(title, rows) for title, rows in groups if rows]


def row_of(outcome: AgentOutcome[Any], key: str = "") -> Row:
    """The row of one outcome, with texts cut short."""
    place = place_text(outcome) or ""
    return Row(
        agent_id=outcome.agent_id,
        key=shown(key, 200),
        name=shown(outcome.name, 200),
        status=outcome.status,
        duration=outcome.duration,
        cost_usd=outcome.cost_usd,
        query=one_line(shortened(str(outcome.query), 200)),
        place=one_line(place),
        text=first_line(text_of(outcome)),
    )
