"""The first lines of a frame: how the pool stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.figures import counted, dollars, rate, seconds
from ...core.shown import one_line
from .lines import BETWEEN, compact, cut, joined, line
from .states import ENDS, MARKS, UNKNOWN, mark_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.text import Text

    from .state import State

LEAST_OF_BAR = 10
MOST_OF_BAR = 60
LABEL = 7
"""Columns of the word at the start of a line."""


def head(state: State, width: int, *, per_second: float | None) -> list[Text]:
    """What the pool is and how it stands, in the order in which lines may be left out from the end.

    Args:
        per_second: Agents that end now; None: nobody has counted yet.
    """
    rows = [_title(state), _slots(state, width), _states(state.states, width), _ended(state, per_second), _spent(state)]
    return [cut(row, width) for row in rows]


def _title(state: State) -> Text:
    phase = (state.phase, "bold yellow") if state.phase != "open" else state.phase
    return line(
        (one_line(state.name, 60) or "pool", "bold"),
        "  ",
        *joined([f"process {state.pid}", phase, f"up {seconds(state.seconds)}"]),
        *([("  may be controlled", "dim")] if state.control else []),
    )


def _label(word: str) -> tuple[str, str]:
    return f"{word:<{LABEL}}", "dim"


def _slots(state: State, width: int) -> Text:
    """A cell for each slot, with the letter of what is done in it; of more slots than fit, in proportion."""
    at_work = {str(name): state.states.get(name, 0) for name, mark in MARKS.items() if mark.has_slot}
    used, queued = sum(at_work.values()), state.states.get("queued", 0)
    threads = state.figures.whole("abandoned_threads")
    words = [
        f"{used:,} of {counted(state.slots, 'slot')}",
        f"{queued:,} queued" if queued else "",
        f"{counted(threads, 'abandoned thread')}" if threads else "",
    ]
    room = width - LABEL
    while len(words) > 1 and room - len(BETWEEN.join(filter(None, words))) < LEAST_OF_BAR:
        words.pop()
    tail = BETWEEN.join(filter(None, words))
    return line(
        _label("slots"), *bar(at_work, max(state.slots, used), min(room - len(tail) - 1, MOST_OF_BAR)), " ", tail
    )


def bar(numbers: Mapping[str, int], total: int, width: int) -> Iterator[tuple[str, str]]:
    """*numbers* of *total* as cells, at most *width*: each state has one at least, what is left is free."""
    if width < 4 or total < 1:
        return
    cells = min(total, width)
    left = cells
    there = [(name, number) for name, number in numbers.items() if number]
    for place, (name, number) in enumerate(there):
        share = max(1, round(number * cells / total))
        share = max(0, min(share, left - (len(there) - place - 1)))
        left -= share
        mark = mark_of(name)
        yield mark.letter * share, mark.fill
    yield "-" * left, "dim"


def _states(states: Mapping[str, int], width: int) -> Text:
    """The legend of the bar: letter, number and word of each state that there is; where it is narrow, no words."""
    there = [*(name for name in MARKS if name in states), *(name for name in states if name not in set(MARKS))]
    words = {name: mark_of(name).word if mark_of(name) is not UNKNOWN else one_line(name, 20) for name in there}
    size = LABEL + sum(len(f"R {states[name]:,} {word}  ") for name, word in words.items())
    parts: list[str | tuple[str, str]] = [_label("agents")]
    for name, word in words.items():
        mark = mark_of(name)
        said = f" {states[name]:,} {word}  " if size - 2 <= width else f" {states[name]:,} "
        parts += [(mark.letter, mark.fill), (said, mark.ink)]
    return line(*parts, *(["none"] if not there else []))


def _ended(state: State, per_second: float | None) -> Text:
    known = [name for name in ENDS if name in state.ended]
    names = [*known, *(name for name in state.ended if name not in known)]
    words = [(f"{state.ended[name]:,} {one_line(name, 20).replace('_', ' ')}", ENDS.get(name, "")) for name in names]
    pace = [rate(per_second)] if per_second else []
    return line(_label("ended"), *(joined([*words, *pace]) or ["none yet"]))


def _spent(state: State) -> Text:
    figures = state.figures
    taken, given, calls = figures.whole("input_tokens"), figures.whole("output_tokens"), figures.whole("tool_calls")
    cost, letters = figures.number("cost_usd"), figures.whole("dead_letters")
    parts = [
        f"{compact(taken)} tokens in, {compact(given)} out" if taken or given else "",
        dollars(cost) if cost else "",
        counted(calls, "tool call") if calls else "",
        counted(letters, "dead letter") if letters else "",
    ]
    return line(_label("spent"), *(joined(parts) or ["nothing"]))
