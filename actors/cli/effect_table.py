"""What one agent of a journal has bought and done, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..core.shown import shown
from ..journal.journaled import EffectState
from .agent_table import GAP
from .columns import cell, width_of
from .wording import counted, dollars, first_line, one_line, seconds, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from rich.table import Table

    from ..journal.journaled import JournaledAgent, JournaledEffect

STYLES = {
    EffectState.BEGUN: "cyan",
    EffectState.DONE: "green",
    EffectState.RAISED: "red",
    EffectState.DENIED: "yellow",
    EffectState.IN_DOUBT: "bold red",
}
MOST_OF_PATH = 24
MOST_OF_NAME = 30
LEAST_OF_TEXT = 16


def headline(agent: JournaledAgent) -> Iterator[str]:
    """Who it is, how it stands, and what it has cost: each a line."""
    who = shown(agent.key, 500)
    name = f" ({shown(agent.name, 60)})" if agent.name else ""
    yield f"{who}{name}: {str(agent.status).replace('_', ' ')}" + (
        f", {counted(agent.in_doubt, 'effect')} in doubt" if agent.in_doubt else ""
    )
    if agent.parent is not None:
        yield f"started by {shown(agent.parent, 500)}"
    parts = [f"begun {_local(agent.started_at)}"] if agent.started_at else []
    parts += [f"ended {_local(agent.ended_at)}"] if agent.ended_at else []
    parts += [f"in {agent.processes:,} processes"] if agent.processes > 1 else []
    parts += [f"{agent.input_tokens:,} tokens in, {agent.output_tokens:,} out"] if agent.input_tokens else []
    parts += [dollars(agent.cost_usd)] if agent.cost_usd else []
    parts += ["its steps were dropped"] if agent.pruned else []
    if parts:
        yield " · ".join(parts)
    if agent.error:
        yield f"error: {one_line(agent.error, 1_000)}"


def effects_table(effects: Sequence[JournaledEffect], width: int) -> Table:
    """A table of *effects*, in *width* columns; where there is little room, without their times."""
    from rich import box
    from rich.table import Table

    columns = _columns(effects)
    left = _left(columns, width)
    if left < LEAST_OF_TEXT:
        columns = {title: cells for title, cells in columns.items() if title not in ("time", "took")}
        left = _left(columns, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, GAP - 1, 0, 0))
    for title in columns:
        justify: Literal["left", "right"] = "right" if title in ("took", "cost", "process") else "left"
        table.add_column(title, justify=justify, no_wrap=True)
    if left >= LEAST_OF_TEXT:
        table.add_column("what", no_wrap=True)
    for number, effect in enumerate(effects):
        cells = [
            cell(column[number], width, STYLES[effect.state] if title == "state" else "")
            for title, column in columns.items()
        ]
        if left >= LEAST_OF_TEXT:
            cells.append(cell(_what(effect), left))
        table.add_row(*cells)
    return table


def doubts(effects: Sequence[JournaledEffect]) -> Iterator[str]:
    """What is in doubt, with what is needed to ask the world outside: each a line."""
    for effect in effects:
        if effect.state is EffectState.IN_DOUBT:
            name = f" ({shown(effect.name, 60)})" if effect.name and effect.name != effect.path else ""
            yield (
                f"{shown(effect.path, 200)}{name}: begun, and nobody knows whether it was done; "
                f"its effect key is {effect.effect_key}"
            )


def _left(columns: Mapping[str, Sequence[str]], width: int) -> int:
    return width - sum(GAP + width_of(title, cells) for title, cells in columns.items())


def _columns(effects: Sequence[JournaledEffect]) -> dict[str, list[str]]:
    """The columns before the words; those of which there is nothing are left out."""
    columns = {
        "step": [shortened(shown(effect.path, 200), MOST_OF_PATH) for effect in effects],
        "time": _times([effect.at for effect in effects]),
        "kind": [effect.kind for effect in effects],
        "name": [shortened(shown(effect.name, 200), MOST_OF_NAME) for effect in effects],
        "state": [str(effect.state) for effect in effects],
        "took": ["" if effect.seconds is None else seconds(effect.seconds) for effect in effects],
        "cost": [dollars(effect.cost_usd) if effect.cost_usd else "" for effect in effects],
        "process": [str(effect.process) for effect in effects],
    }
    if len({effect.process for effect in effects}) == 1:
        del columns["process"]
    return {title: cells for title, cells in columns.items() if any(cells)}


def _what(effect: JournaledEffect) -> str:
    if effect.state is EffectState.IN_DOUBT:
        return "begun, and nobody knows whether done"
    return first_line(effect.text, 300)


def _times(moments: Sequence[datetime]) -> list[str]:
    """The time of day, with the date where it is another one than that before; local."""
    told: list[str] = []
    day = None
    for moment in moments:
        local = moment.astimezone()
        told.append(local.strftime("%H:%M:%S" if local.date() == day or day is None else "%m-%d %H:%M:%S"))
        day = local.date()
    return told


def _local(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
