"""The agents of a journal: a table of those that matter most, and the sum of all."""

from __future__ import annotations

import heapq
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Literal

from ..core.shown import shown
from ..journal.journaled import JournaledStatus
from .columns import cell, is_wide, width_of
from .distinct import distinct
from .wording import counted, dollars, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from ..journal.journaled import JournaledAgent

STYLES = {
    JournaledStatus.QUEUED: "dim",
    JournaledStatus.RUNNING: "cyan",
    JournaledStatus.INTERRUPTED: "yellow",
    JournaledStatus.COMPLETED: "green",
    JournaledStatus.FAILED: "red",
    JournaledStatus.CRASHED: "bold red",
    JournaledStatus.CANCELLED: "yellow",
    JournaledStatus.TIMED_OUT: "magenta",
    JournaledStatus.ABANDONED: "bold magenta",
    JournaledStatus.LOST: "bold yellow",
}
_ORDER = [
    JournaledStatus.RUNNING,
    JournaledStatus.INTERRUPTED,
    JournaledStatus.FAILED,
    JournaledStatus.CRASHED,
    JournaledStatus.TIMED_OUT,
    JournaledStatus.ABANDONED,
    JournaledStatus.LOST,
    JournaledStatus.CANCELLED,
    JournaledStatus.QUEUED,
    JournaledStatus.COMPLETED,
]
_RANK = {status: rank for rank, status in enumerate(_ORDER)}
MOST_OF_KEY = 60
LEAST_OF_KEY = 12
GAP = 2
"""Between two columns."""
LEAST_OF_ERROR = 16
"""Characters of an error that are shown; with less room it is left out."""


class Agents:
    """Counts agents, and keeps those that matter most: what is in doubt first, then what has not completed, then the
    dearest.

    Args:
        most: So many at most; None keeps all.
    """

    MOST = 50

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._kept: list[tuple[tuple[float, ...], int, JournaledAgent]] = []
        self.count = 0
        self.statuses: Counter[str] = Counter()
        self.in_doubt = 0
        self.doubtful = 0
        """How many agents have something in doubt."""
        self.bought = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.cost_usd = 0.0

    def add(self, agent: JournaledAgent) -> None:
        """Count one more."""
        self.count += 1
        self.statuses[agent.status] += 1
        self.in_doubt += agent.in_doubt
        self.doubtful += bool(agent.in_doubt)
        self.bought += agent.bought
        self.tokens_in += agent.input_tokens
        self.tokens_out += agent.output_tokens
        self.cost_usd += agent.cost_usd
        weight = (float(agent.in_doubt > 0), float(-_RANK[agent.status]), agent.cost_usd, float(agent.steps))
        entry = (weight, -self.count, agent)
        if self._most is None or len(self._kept) < self._most:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def rows(self) -> list[JournaledAgent]:
        """Those that were kept, what matters most first."""
        return [agent for *_, agent in sorted(self._kept, reverse=True)]


def agents_table(agents: Sequence[JournaledAgent], width: int) -> Table:
    """A table of *agents*, in *width* columns."""
    errors = [shown(agent.error or "", 200) for agent in agents]
    columns = _figures(agents)
    left = width - sum(GAP + width_of(title, cells) for title, cells in columns.items())
    has_errors = any(errors)
    keys, widest = _keys(agents, max(LEAST_OF_KEY, left * 2 // 5 if has_errors else left))
    left -= GAP + widest
    has_errors = has_errors and left >= LEAST_OF_ERROR
    table = _empty(["agent", *columns])
    if has_errors:
        table.add_column("error", no_wrap=True)
    for number, agent in enumerate(agents):
        cells = [cell(keys[number], widest)]
        for title, column in columns.items():
            style = STYLES[agent.status] if title == "status" else "bold red" if title == "in doubt" else ""
            cells.append(cell(column[number], width, style))
        if has_errors:
            cells.append(cell(errors[number], left))
        table.add_row(*cells)
    return table


def _keys(agents: Sequence[JournaledAgent], room: int) -> tuple[list[str], int]:
    """Their keys, each told from the next in *room* columns where that can be, and how wide these are."""
    names = [shown(agent.key, 500) for agent in agents]
    limit = min(MOST_OF_KEY, room)
    wide = [name for name in names if is_wide(name)]
    narrow = [name for name in names if not is_wide(name)]
    cut = dict(zip([*narrow, *wide], [*distinct(narrow, limit), *distinct(wide, limit // 2)], strict=True))
    keys = [cut[name] for name in names]
    return keys, min(limit, width_of("agent", keys))


def _figures(agents: Sequence[JournaledAgent]) -> dict[str, list[str]]:
    """The columns between key and error; those of which there is nothing are left out."""
    columns = {
        "status": [str(agent.status).replace("_", " ") for agent in agents],
        "steps": [f"{agent.steps:,}" if not agent.pruned else "pruned" for agent in agents],
        "bought": [f"{agent.bought:,}" if not agent.pruned else "" for agent in agents],
        "in doubt": [f"{agent.in_doubt:,}" if agent.in_doubt else "" for agent in agents],
        "processes": [f"{agent.processes:,}" for agent in agents],
        "cost": [dollars(agent.cost_usd) if agent.cost_usd else "" for agent in agents],
    }
    if not any(agent.processes > 1 for agent in agents):
        del columns["processes"]
    return {title: cells for title, cells in columns.items() if any(cells) or title in ("steps", "bought")}


def _empty(titles: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, GAP - 1, 0, 0))
    for title in titles:
        justify: Literal["left", "right"] = "left" if title in ("agent", "status") else "right"
        table.add_column(title, justify=justify, no_wrap=True)
    return table


def totals(found: Agents, path: str, writer: str | None) -> Iterator[str]:
    """The sum of all, who writes, and what can be done now: each a line."""
    shown_rows = len(found.rows())
    if found.count > shown_rows:
        yield f"… and {found.count - shown_rows:,} more (--all shows them)"
    statuses = {status: found.statuses[status] for status in _ORDER}
    parts = [f"{counted(found.count, 'agent')}: {', '.join(in_words(statuses))}"]
    parts += [f"{counted(found.bought, 'answer')} bought"] if found.bought else []
    if found.tokens_in or found.tokens_out:
        parts.append(f"{found.tokens_in:,} tokens in, {found.tokens_out:,} out")
    if found.cost_usd:
        parts.append(dollars(found.cost_usd))
    yield " · ".join(parts)
    if writer is not None:
        yield writer
    file = shlex.quote(path)
    if found.in_doubt:
        yield (
            f"in doubt: {counted(found.in_doubt, 'effect')} of {counted(found.doubtful, 'agent')} begun, and nobody "
            f"knows whether done; actors journal show {file} --agent KEY tells which"
        )
    open_ones = found.count - found.statuses[JournaledStatus.COMPLETED]
    if open_ones and writer is None:
        yield (
            f"to go on: the program again, with the same work (actors run ... --journal {file} --resume); what was "
            "bought is not bought again"
        )
