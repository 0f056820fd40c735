"""A dump of actors as a table of a notebook.

What is shown is not imported: it imports this, when a notebook asks.
"""

from __future__ import annotations

from typing import Any

from ..html_stacks import folded_stacks
from ..html_table import HtmlTable, RowMark
from ..shown import shown

MOST_ROWS = 100
DEEPEST = 20
"""Levels of a tree that are set off."""


def dump_html(dump: Any) -> str:
    """A table of the actors, children set off below their parents, with their stacks folded."""
    caption = "; ".join([dump.summary, *map(str, dump.dispatchers)])
    table = HtmlTable(caption, ["actor", "state", "unread", "restarts", "waits for", "stack"])
    for actor in dump.actors[:MOST_ROWS]:
        _row(table, actor)
    missed = sum(actor.count for actor in dump.actors[MOST_ROWS:])
    if missed:
        table.after(f"and {missed:,} more")
    return str(table)


def _row(table: HtmlTable, actor: Any) -> None:
    name = set_off(actor)
    if actor.pool is not None and not actor.depth:
        name += f" of pool {shown(actor.pool, 60)}"
    waits = ", ".join(actor.waits_for[:10])
    mark = RowMark.WARN if actor.state == "restarting" else None
    table.row(name, actor.doing, actor.unread, actor.restarts, waits, folded_stacks([actor]), mark=mark)


def set_off(actor: Any) -> str:
    """Its label, set off below its parent's."""
    return f"{'· ' * min(actor.depth, DEEPEST)}{actor.label}"
