"""One frame of ``actors top``: what a board shows, as lines that fit a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.figures import counted, seconds
from ...core.shown import one_line
from .agents import Order, ordered, table
from .board import Deed
from .closely import close_lines
from .head import LABEL, head
from .lines import cut, flat, folded, joined, line, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from .board import Board, Question
    from .state import Agent, Approval, State, Thread

LEAST_ROWS = 3
"""Of the table, beside its title: for them the head gives up lines."""
MOST_APPROVALS = 4
MOST_STRAYS = 3
IN_DOUBT = "in doubt: it was begun before and interrupted: it may have been done already"


def frame(board: Board, width: int, height: int) -> list[Text]:
    """The lines of a screen of *width* columns and *height* rows: as many as it has, the keys on the last one."""
    foot = _foot(board, width)
    room = max(0, height - 1)
    if board.question is not None:
        above = _question(board.question, width, room)
    elif board.looked_at is not None:
        above = _scrolled(board, close_lines(board, width), room)
    else:
        above = _overview(board, width, room)
    above = above[:room]
    return [*above, *[line() for _ in range(room - len(above))], foot]


def snapshot(state: State, width: int) -> list[Text]:
    """All that is known, in as many lines as it takes, for those who look once."""
    rows = head(state, width, per_second=None)
    agents = ordered(state.agents, Order.SINCE, "")
    rows += _approvals(state.approvals, width, len(state.approvals))
    rows += _table(agents, width, len(agents) + 1, left_off=state.left_off)
    rows += _waits(state.waits, width, len(state.waits))
    rows += _strays(state.abandoned, width, len(state.abandoned))
    return rows


def _overview(board: Board, width: int, room: int) -> list[Text]:
    state = board.state
    top = head(state, width, per_second=board.pace.per_second())
    agents = board.agents()
    small = room < 20
    extras = [
        *_approvals(state.approvals, width, 1 if small else MOST_APPROVALS),
        *_waits(state.waits, width, 1),
        *_strays(state.abandoned, width, 1 if small else MOST_STRAYS),
    ]
    wanted = min(LEAST_ROWS, len(agents)) + 1
    while len(top) > 2 and len(top) + len(extras) + wanted > room:
        top.pop()
    extras = extras[: max(0, room - len(top) - wanted)]
    space = room - len(top) - len(extras)
    middle = [] if space < wanted + 1 or len(top) + len(extras) + len(agents) + 3 > room + len(agents) else [line()]
    rows = _rows(board, agents, width, space - len(middle))
    return [*top, *extras, *middle, *rows]


def _rows(board: Board, agents: Sequence[Agent], width: int, space: int) -> list[Text]:
    """The table, so far as there is space, with the chosen agent in sight."""
    place = next((place for place, agent in enumerate(agents) if agent.id == board.chosen), None)
    lines = max(1, space - 1)
    if len(agents) > lines:
        lines = max(1, lines - 1)  # the last one says how many there are besides
    if place is None:
        board.offset = 0
    else:
        board.offset = min(max(board.offset, place - lines + 1), place)
    board.offset = max(0, min(board.offset, len(agents) - lines))
    shown_ones = agents[board.offset : board.offset + lines]
    rows = table(shown_ones, width, chosen=board.chosen)
    hidden = len(agents) - len(shown_ones) + board.state.left_off
    if not agents:
        fits = "no agent fits the filter" if board.words else "no agents"
        rows = [line((f"  {fits}", "dim"))]
    if hidden:
        before = f"{board.offset:,} above, " if board.offset else ""
        rows.append(cut(line((f"  {before}{hidden - board.offset:,} more", "dim")), width))
    return rows


def _table(agents: Sequence[Agent], width: int, most: int, *, left_off: int) -> list[Text]:
    if not agents and not left_off:
        return []
    rows = [line(), *table(agents, width)[:most]]
    return [*rows, line((f"  {left_off:,} more", "dim"))] if left_off else rows


def _approvals(approvals: Sequence[Approval], width: int, most: int) -> list[Text]:
    waiting = sorted(approvals, key=lambda one: -one.seconds)
    rows = []
    for number, one in enumerate(waiting[:most]):
        left = "" if one.left is None else f"{seconds(one.left)} left, then {one_line(one.default, 20) or 'denied'}"
        parts = [
            f"{named(one.agent_id, one.agent, 24)} asks to call {one_line(one.tool, 30)}",
            f"since {seconds(one.seconds)}",
            left,
            "in doubt" if one.in_doubt else "",
            flat(one.input, 200),
        ]
        if number == most - 1 and len(waiting) > most:
            parts.insert(0, f"{len(waiting):,} in all")
        rows.append(cut(line(("asks   ", "bold yellow"), *joined((part, "yellow") for part in parts)), width))
    return rows


def _waits(waits: Sequence[tuple[str, str]], width: int, most: int) -> list[Text]:
    """Who waits for whom; when that is much, the one that most wait for comes first."""
    if not waits:
        return []
    pairs = [f"{one_line(one, 60)} -> {one_line(other, 60)}" for one, other in waits]
    if most > 1:
        return [cut(line((f"{'waits':<{LABEL}}", "dim"), pair), width) for pair in pairs[:most]]
    how_many = f"{len(pairs):,}: " if len(pairs) > 1 else ""
    return [cut(line((f"{'waits':<{LABEL}}", "dim"), how_many + "; ".join(pairs[:20])), width)]


def _strays(abandoned: Sequence[Thread], width: int, most: int) -> list[Text]:
    rows = []
    for number, one in enumerate(abandoned[:most]):
        more = f" · {len(abandoned) - most:,} more" if number == most - 1 and len(abandoned) > most else ""
        parts = joined(
            [one_line(one.label, 80), one_line(one.on or "", 60), f"still runs since {seconds(one.seconds)}"]
        )
        rows.append(cut(line(("lost   ", "bold magenta"), *parts, more), width))
    return rows


def _question(question: Question, width: int, room: int) -> list[Text]:
    """What is about to be done, with as much of the arguments as there is room for."""
    who = f"agent {question.agent_id} ({one_line(question.name)})"
    approval = question.approval
    if approval is None:
        return [cut(line((f"abort {who}?", "bold")), width)]
    word = "approve" if question.deed is Deed.APPROVE else "deny"
    rows = [cut(line((f"{word}: {who} asks to call {one_line(approval.tool, 60)}", "bold")), width)]
    if approval.in_doubt:
        rows += [line((text, "bold red")) for text in folded(IN_DOUBT, width)]
    inside = [line(f"  {text}") for text in folded(approval.input, width - 2)]
    left = max(1, room - len(rows))
    if len(inside) > left:
        inside = [*inside[: left - 1], line((f"  {counted(len(inside) - left + 1, 'more line')}", "bold"))]
    return [*rows, *inside]


def _scrolled(board: Board, rows: list[Text], room: int) -> list[Text]:
    """The part of *rows* that is to be seen; the first one always is."""
    inside = max(1, room - 1)
    board.offset = max(0, min(board.offset, len(rows) - 1 - inside))
    return [*rows[:1], *rows[1 + board.offset : 1 + board.offset + inside]]


def _foot(board: Board, width: int) -> Text:
    """The last line: a question, what is typed, a problem, or the keys."""
    question = board.question
    if question is not None and question.deed is Deed.APPROVE:
        return cut(line(("y approve, any other key: not", "bold reverse")), width)
    if question is not None:
        ask = "why not (Enter denies, Esc: not): " if question.deed is Deed.DENY else "why (Enter aborts, Esc: not): "
        return cut(line((ask, "bold reverse"), " ", _end_of(question.typed, width - len(ask) - 2), "_"), width)
    if board.is_typing:
        return cut(line(("filter: ", "bold reverse"), " ", _end_of(board.words, width - 10), "_"), width)
    if board.problem is not None:
        return cut(line((f" {one_line(board.problem)} ", "bold reverse red")), width)
    if board.note:
        return cut(line((f" {board.note} ", "bold reverse")), width)
    return cut(line((_keys(board), "dim")), width)


def _keys(board: Board) -> str:
    if not board.has_keys:
        return "Ctrl-C ends"
    deeds = "  a approve d deny x abort" if board.state.control else ""
    if board.looked_at is not None:
        return f"Esc back  up/down scroll{deeds}"
    found = f' "{one_line(board.words, 20)}"' if board.words else ""
    return f"q quit  s by {board.order.value}  / filter{found}  Enter stack{deeds}"


def _end_of(text: str, width: int) -> str:
    return one_line(text[-max(1, width) :], max(2, width))
