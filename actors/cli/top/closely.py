"""One agent, closely: what it is at, the stacks of its threads, and what it did last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.figures import counted, dollars, seconds
from ...core.shown import one_line
from .agents import what
from .lines import cut, flat, folded, joined, line, named
from .states import mark_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from .board import Board
    from .state import Agent, Closeup, Fields

_OWN = ("event", "agent_id", "agent", "parent_id", "depth", "tag", "seq", "at", "moment")
"""What each event has."""


def close_lines(board: Board, width: int) -> list[Text]:
    """All lines about the agent that is looked at."""
    closeup = board.closeup
    agent = board.chosen_agent() or (None if closeup is None else closeup.agent)
    if agent is None:
        return [line((f"#{board.looked_at}", "bold"), "  it has ended")]
    rows = list(_about(agent, board))
    if closeup is None:
        rows.append(line(("…", "dim")))
    else:
        rows += _threads(closeup, width)
        rows += _events(closeup)
    return [cut(row, width) for row in rows]


def _about(agent: Agent, board: Board) -> Iterator[Text]:
    mark = mark_of(agent.state)
    has_ended = all(agent.id != one.id for one in board.state.agents) and not board.state.left_off
    yield line((named(agent.id, agent.name), "bold"), "  has ended: as it was" if has_ended else "")
    at = one_line(what(agent), 200)
    yield line(
        (f" {mark.letter} ", mark.fill),
        (f" {mark.word if mark.word != '?' else one_line(agent.state, 20)}", mark.ink),
        f" {at}" if at else "",
        f" since {seconds(agent.seconds)}",
    )
    family = "" if agent.parent_id is None else f"child of #{agent.parent_id}"
    children = () if board.closeup is None else board.closeup.children
    yield line(
        *joined(
            [
                f"{seconds(agent.age)} old",
                f"{agent.inbox:,} unread",
                f"{agent.input_tokens:,} tokens in, {agent.output_tokens:,} out" if agent.tokens else "",
                dollars(agent.cost_usd) if agent.cost_usd else "",
                counted(agent.restarts, "restart") if agent.restarts else "",
                f"on {one_line(agent.node, 60)}" if agent.node else "",
                f"key {one_line(agent.key, 60)}" if agent.key else "",
                f"group {one_line(agent.group, 30)}" if agent.group else "",
                family,
                "children " + ", ".join(f"#{child}" for child in children[:20]) if children else "",
            ]
        )
    )
    for label in agent.waits_for:
        yield line("waits for ", one_line(label, 100))
    for approval in board.state.approvals:
        if approval.agent_id == agent.id:
            yield line((f"asks to call {one_line(approval.tool, 60)}: {flat(approval.input, 300)}", "yellow"))


def _threads(closeup: Closeup, width: int) -> Iterator[Text]:
    yield line()
    if closeup.stack.strip():
        yield line(("stack", "bold"))
        yield from _stack(closeup.stack, width)
    else:
        node = closeup.agent.node
        yield line((f"its thread is on {one_line(node, 60)}" if node else "no thread of its own now", "dim"))
    for tool in closeup.tools:
        on = f", on {one_line(tool.on, 100)}" if tool.on else ""
        yield line()
        yield line((f"{one_line(tool.label, 100)}{on}, {seconds(tool.seconds)}", "bold"))
        yield from _stack(tool.stack, width)


def _stack(text: str, width: int) -> Iterator[Text]:
    for row in folded(text.rstrip("\n"), width - 2):
        yield line("  ", (row, "dim" if row.lstrip().startswith("File ") else ""))


def _events(closeup: Closeup) -> Iterator[Text]:
    if not closeup.events:
        return
    yield line()
    yield line(("what it did last", "bold"))
    for event in reversed(closeup.events):
        yield line("  ", *_event(event))


def _event(event: Fields) -> Iterator[str | tuple[str, str]]:
    moment = event.text("at")[11:19]
    yield (f"{one_line(moment, 8):<10}", "dim")
    yield one_line(event.text("event").replace("_", " "), 40)
    rest = [(name, event.maybe_text(name)) for name in event.names() if name not in _OWN]
    said = ", ".join(
        f"{one_line(name, 20)} {one_line(text, 100)}" for name, text in rest if text not in (None, "", "False")
    )
    yield (f"  {said}", "dim")
