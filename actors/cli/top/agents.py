"""The table of a pool's agents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from ...core.figures import dollars, seconds
from ...core.shown import one_line
from ..columns import is_wide, width_of
from ..distinct import distinct
from .lines import compact, cut, line
from .states import mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rich.text import Text

    from .state import Agent

GAP = 2
"""Between two columns."""
MARGIN = 2
"""Before the first one: where the chosen row has its sign."""
MOST_OF_NAME = 32
LEAST_OF_NAME = 8
LEAST_OF_ON = 12
"""Columns of what an agent is on; with less room it is left out."""
GOOD = 44
"""Columns for both with which they can be read: for them columns go that matter less."""


class Order(Enum):
    """What stands above the rest."""

    SINCE = "time in state"
    AGE = "age"
    COST = "cost"
    TOKENS = "tokens"
    NAME = "name"

    @property
    def following(self) -> Order:
        """The one that comes next, round and round."""
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


_KEYS: Final[dict[Order, Callable[[Agent], Any]]] = {
    Order.SINCE: lambda agent: (agent.state == "queued", -agent.seconds, agent.id),
    Order.AGE: lambda agent: (-agent.age, agent.id),
    Order.COST: lambda agent: (-agent.cost_usd, -agent.tokens, agent.id),
    Order.TOKENS: lambda agent: (-agent.tokens, agent.id),
    Order.NAME: lambda agent: (agent.name.casefold(), agent.id),
}
"""Who waits in the queue is long in its state, and is stuck on nothing: it comes after those who are at work."""


def ordered(agents: Sequence[Agent], order: Order, words: str) -> list[Agent]:
    """Those of *agents* that have all of *words* somewhere, in *order*."""
    wanted = words.casefold().split()
    found = [agent for agent in agents if not wanted or all(word in _text(agent) for word in wanted)]
    return sorted(found, key=_KEYS[order])


def _text(agent: Agent) -> str:
    """What a filter looks at."""
    state = f"{agent.state} {mark_of(agent.state).word}"
    parts = (f"#{agent.id}", agent.name, agent.key or "", agent.group or "", state, what(agent))
    return " ".join(parts).casefold()


def what(agent: Agent) -> str:
    """What it is at: a wait, tools; else whom it waits for."""
    if agent.on:
        return agent.on.removeprefix("the ")
    tools = ", ".join(tool.label for tool in agent.tools)
    return tools or ", ".join(agent.waits_for)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, its cells, and on which side they stand."""

    title: str
    cells: Sequence[str]
    is_number: bool = False

    @property
    def width(self) -> int:
        """As wide as its widest cell."""
        return width_of(self.title, self.cells)


def table(agents: Sequence[Agent], width: int, *, chosen: int | None = None) -> list[Text]:
    """The title and a row for each of *agents*, in *width* columns.

    Args:
        chosen: The id of the agent whose row is marked.
    """
    columns = _fitting(agents, width)
    widths = [column.width for column in columns]
    rows = [line((" " * MARGIN, ""), *_row([column.title for column in columns], columns, widths, "dim"))]
    for number, agent in enumerate(agents):
        is_chosen = agent.id == chosen
        style = "bold" if is_chosen else ""
        cells = [column.cells[number] for column in columns]
        parts = _row(cells, columns, widths, style, state=mark_of(agent.state).ink)
        row = line((f"{'>' if is_chosen else '':<{MARGIN}}", style), *parts)
        if is_chosen:
            row = cut(row, width)
            row.pad_right(max(0, width - row.cell_len))
            row.stylize("reverse")
        rows.append(row)
    return [cut(row, width) for row in rows]


def _fitting(agents: Sequence[Agent], width: int) -> list[Column]:
    """The columns that fit, what matters least left out first; names and what agents are on share what is left."""
    fixed = {
        "id": Column("id", [f"#{agent.id}" for agent in agents]),
        "state": Column("state", [_state(agent) for agent in agents]),
        "since": Column("since", [seconds(agent.seconds) for agent in agents], is_number=True),
        "age": Column("age", [seconds(agent.age) for agent in agents], is_number=True),
        "tokens": Column("tokens", [compact(agent.tokens) if agent.tokens else "" for agent in agents], is_number=True),
        "cost": Column("cost", [dollars(agent.cost_usd) if agent.cost_usd else "" for agent in agents], is_number=True),
        "inbox": Column("inbox", [f"{agent.inbox:,}" if agent.inbox else "" for agent in agents], is_number=True),
        "restarts": Column("again", [f"{agent.restarts:,}" if agent.restarts else "" for agent in agents], True),
    }
    fixed = {name: column for name, column in fixed.items() if any(column.cells) or name in ("id", "state", "since")}
    least = LEAST_OF_NAME + GAP + LEAST_OF_ON
    for name, needed in (("restarts", GOOD), ("inbox", GOOD), ("age", GOOD), ("tokens", least), ("cost", least)):
        if _room(fixed, width) < needed:
            fixed.pop(name, None)
    room = _room(fixed, width)
    names = _names(agents, min(MOST_OF_NAME, room - least + LEAST_OF_NAME))
    ons = [one_line(what(agent), 200) for agent in agents]
    has_on = any(ons) and room >= least
    # What one of the two does not need is the other's; a name is worth more than half of what both want.
    wanted = min(width_of("on", ons), max(LEAST_OF_ON, room // 2 - GAP)) + GAP if has_on else 0
    widest = min(MOST_OF_NAME, width_of("agent", names), max(LEAST_OF_NAME, room - wanted))
    flexible = {"name": Column("agent", _told_apart(names, widest))}
    if has_on:
        flexible["on"] = Column("on", [_cell(on, room - widest - GAP) for on in ons])
    shown_ones = {**fixed, **flexible}
    order = ("id", "name", "state", "on", "since", "age", "tokens", "cost", "inbox", "restarts")
    return [shown_ones[name] for name in order if name in shown_ones]


def _room(fixed: dict[str, Column], width: int) -> int:
    """Columns that are left for names and what agents are on."""
    return width - MARGIN - sum(column.width + GAP for column in fixed.values())


def _state(agent: Agent) -> str:
    mark = mark_of(agent.state)
    return f"{mark.letter} {mark.word if mark.word != '?' else one_line(agent.state, 12)}"


def _names(agents: Sequence[Agent], room: int) -> list[str]:
    """Name and key of each; where that is too much, of those with a key the key alone, which no other one has."""
    names = [one_line(agent.name, 60) for agent in agents]
    keys = ["" if agent.key in (None, agent.name) else one_line(agent.key or "", 60) for agent in agents]
    pairs = list(zip(names, keys, strict=True))
    whole = [f"{name} {key}" if key else name for name, key in pairs]
    return whole if width_of("", whole) <= room else [key or name for name, key in pairs]


def _told_apart(names: Sequence[str], width: int) -> list[str]:
    """*names* cut to *width* columns, so that each can be told from the others where that can be."""
    cut_ones = distinct(names, width)
    return [_cell(name, width) for name in (names if any(map(is_wide, names)) else cut_ones)]


def _cell(text: str, width: int) -> str:
    from rich.text import Text

    found = Text(text)
    found.truncate(max(width, 1), overflow="ellipsis")
    return found.plain


def _row(
    cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], style: str, *, state: str = ""
) -> list[tuple[str, str]]:
    from rich.cells import cell_len

    parts = []
    for number, (text, column, width) in enumerate(zip(cells, columns, widths, strict=True)):
        fill = " " * (width - cell_len(text))
        padded = fill + text if column.is_number else text + fill
        gap = " " * GAP if number + 1 < len(columns) else ""
        parts.append((padded + gap, f"{style} {state}".strip() if column.title == "state" else style))
    return parts
