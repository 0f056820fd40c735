"""Handles and dumps as tables of a notebook.

What is shown is not imported: it imports this, when a notebook asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..actors.actor_html import set_off
from ..figures import counted, seconds
from ..glance import plain
from ..html_stacks import folded_stacks
from ..html_table import HtmlTable, RowMark
from ..shown import shown

if TYPE_CHECKING:
    from ..scheduling.agent_cell import AgentCell

MOST_ROWS = 100


def agent_html(cell: AgentCell) -> str:
    """A table of what is known of an agent that has not ended."""
    table = HtmlTable(f"agent {cell.id} ({shown(cell.spec.name, 60)}): {cell.status}")
    state, on = cell.state_and_place()
    table.row("query", plain(cell.spec.query, 200))
    if on is not None:
        table.row("at", f"{state}: {on}")
    if cell.spec.tag is not None:
        table.row("tag", plain(cell.spec.tag))
    waiting = () if cell.approvals is None else cell.approvals.pending()
    if waiting:
        asked = ", ".join(f"{shown(call.tool, 60)} ({shown(call.call_id, 60)})" for call in waiting[:10])
        table.row("waits for approval", asked, mark=RowMark.WARN)
    return str(table)


def dump_html(dump: Any) -> str:
    """A table of the agents, with their stacks folded; what was abandoned comes first."""
    caption = [f"pool {shown(dump.name, 60)}", counted(len(dump.agents), "agent"), counted(dump.max_concurrent, "slot")]
    table = HtmlTable(", ".join(caption), ["", "agent", "state", "since", "unread", "waits for", "stack"])
    for stray in dump.abandoned[:MOST_ROWS]:
        state = "abandoned" if stray.on is None else f"abandoned, parked on {stray.on}"
        table.row(
            RowMark.BAD.sign,
            stray.label,
            state,
            seconds(stray.seconds),
            "",
            "",
            folded_stacks([stray]),
            mark=RowMark.BAD,
        )
    for agent in dump.agents[:MOST_ROWS]:
        state = str(agent.state) if agent.on is None else f"{agent.state}: {agent.on}"
        state += f", on {shown(agent.node, 60)}" if agent.node else ""
        threads = folded_stacks([agent, *agent.tools])
        waits = ", ".join(agent.waits_for[:10])
        table.row("", agent.label, state, seconds(agent.seconds), agent.inbox_depth, waits, threads)
    for actor in dump.actors[:MOST_ROWS]:
        waits = ", ".join(actor.waits_for[:10])
        table.row("", set_off(actor), actor.doing, "", actor.unread, waits, folded_stacks([actor]))
    missed = sum(max(0, len(told) - MOST_ROWS) for told in (dump.agents, dump.abandoned, dump.actors))
    if missed:
        table.after(f"and {missed:,} more")
    return str(table)
