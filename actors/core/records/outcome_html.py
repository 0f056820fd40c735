"""Outcomes as tables of a notebook.

What is shown is not imported: it imports this, when a notebook asks.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..figures import counted, dollars, in_words, seconds, spent
from ..glance import plain
from ..html_table import Cell, Folded, HtmlTable, RowMark
from ..shown import shown
from .failed import has_failed
from .outcome_words import error_in_words, status_of

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_ROWS = 100


def outcome_html(outcome: Any) -> str:
    """A table of what it tells."""
    mark = mark_of(outcome)
    table = HtmlTable(f"{mark.sign} agent {outcome.agent_id} ({shown(outcome.name, 60)}): {status_of(outcome)}")
    if outcome.key is not None:
        table.row("key", shown(outcome.key, 200))
    table.row("query", plain(outcome.query, 200))
    if outcome.error is None:
        table.row("result", plain(outcome.result, 200))
    else:
        table.row("error", error_in_words(outcome.error), mark=mark)
        if outcome.traceback:
            table.row("traceback", Folded("show", outcome.traceback))
    if outcome.tag is not None:
        table.row("tag", plain(outcome.tag))
    table.row("time", seconds(outcome.duration) + (f", restarts: {outcome.restarts}" if outcome.restarts else ""))
    if outcome.model is not None:
        steps = [counted(outcome.iterations, "iteration"), counted(outcome.tool_calls, "tool call")]
        was_handed_on = outcome.answered_by not in (None, outcome.name)
        by = [f"answered by {shown(outcome.answered_by, 60)}"] if was_handed_on else []
        table.row("model", ", ".join([outcome.model, *by, *steps, *spent(outcome.usage.total, outcome.cost_usd)]))
    below = outcome.usage_total.total - outcome.usage.total, outcome.cost_usd_total - outcome.cost_usd
    if below[0]:
        table.row("its children", ", ".join(spent(*below)))
    return str(table)


def outcomes_html(outcomes: Collection[Any]) -> str:
    """A table of them: those that failed first, then those that were cancelled, then so many of the others."""
    found: dict[RowMark, list[Any]] = {RowMark.BAD: [], RowMark.WARN: [], RowMark.GOOD: []}
    for outcome in outcomes:
        found[mark_of(outcome)].append(outcome)
    in_order = [one for some in found.values() for one in some]
    tokens = sum(one.usage.total for one in outcomes)
    cost = sum(one.cost_usd for one in outcomes)
    statuses = Counter(str(one.status) for one in in_order)
    recalled = sum(one.recalled for one in in_order)
    tally = [*in_words(statuses), *([f"{recalled:,} recalled"] if recalled else [])]
    caption = ", ".join([counted(len(outcomes), "outcome"), *tally, *spent(tokens, cost)])
    columns = ["", "id", "name", "status", "query", "result or error", "time"]
    table = HtmlTable(caption, columns + ["tokens"] * bool(tokens) + ["cost"] * bool(cost))
    for one in in_order[:MOST_ROWS]:
        said = plain(one.result, 120) if one.error is None else error_in_words(one.error)
        cells: list[Cell] = [plain(one.query, 80), said, seconds(one.duration), *([one.usage.total] if tokens else [])]
        mark = mark_of(one)
        cells += [dollars(one.cost_usd)] if cost else []
        table.row(mark.sign, str(one.agent_id), one.name[:60], status_of(one), *cells, mark=mark)
    if len(outcomes) > MOST_ROWS:
        table.after(f"and {len(outcomes) - MOST_ROWS:,} more")
    return str(table)


def mark_of(outcome: Any) -> RowMark:
    """Did it fail, was it cancelled, or is it good?"""
    return RowMark.GOOD if outcome.ok else RowMark.BAD if has_failed(outcome) else RowMark.WARN


def stats_html(stats: Any) -> str:
    """A table of the figures of a pool; what is wrong is marked."""
    table = HtmlTable("pool now", ())
    for name in ("active", "parked", "queued", "outstanding", "started"):
        table.row(name, getattr(stats, name))
    for status, number in stats.ended.items():
        mark = RowMark.GOOD if status == "completed" else RowMark.WARN if status == "cancelled" else RowMark.BAD
        table.row(str(status).replace("_", " "), number, mark=mark)
    for name in ("abandoned_threads", "dead_letters"):
        number = getattr(stats, name)
        table.row(name.replace("_", " "), number, mark=RowMark.WARN if number else None)
    if stats.usage.total:
        table.row("tokens", stats.usage.total)
        table.row("iterations", stats.iterations)
        table.row("tool calls", stats.tool_calls)
    if stats.cost_usd:
        table.row("cost", dollars(stats.cost_usd))
    return str(table)
