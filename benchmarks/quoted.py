"""The figures that a page quotes: tables made of a run that was saved, between two marks in the page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FULL: Final = Path(__file__).parent / "results" / "full.json"
PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
MARKED: Final = re.compile(r"(<!-- figures: (?P<name>[\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)

Row: TypeAlias = "Mapping[str, Any]"


class MissingFigureError(LookupError):
    """The run does not have what a page wants to quote."""


class Run:
    """A run that was saved as JSON."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        self.machine: Mapping[str, Any] = saved["machine"]
        self._reports = {report["name"]: report for report in saved["benchmarks"]}

    @classmethod
    def read(cls, path: Path) -> Run:
        """The run in the file at *path*."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def rows(self, name: str, title: str = "", column: str = "") -> list[Row]:
        """The first table of a benchmark whose title has *title* in it, and whose rows have *column*.

        Raises:
            MissingFigureError: There is none.
        """
        for table in self._reports.get(name, {}).get("tables", ()):
            if title in table["title"] and table["rows"] and (not column or column in table["rows"][0]):
                return list(table["rows"])
        raise MissingFigureError(f"the run has no table of {name} with {title!r} in its title and a column {column!r}")

    def row(self, name: str, title: str, case: str, column: str) -> Row:
        """The row of a *case* in such a table.

        Raises:
            MissingFigureError: There is none.
        """
        for row in self.rows(name, title, column):
            if row.get("case") == case:
                return row
        raise MissingFigureError(f"{name}, {title!r}: no row {case!r}")


@dataclass(frozen=True, slots=True)
class Beside:
    """One line: ours next to a peer's."""

    question: str
    name: str
    title: str
    ours: str
    unit: str
    peer: str
    said: str
    ratio: str = "by {peer}"
    spread: str = "spread {peer}"

    def line(self, run: Run, before: str) -> str:
        """As Markdown; a *question* that the line *before* had is not said again."""
        median = f"median {self.unit}"
        ours = amount(run.row(self.name, self.title, self.ours, median)[median], self.unit)
        theirs = amount(run.row(self.name, self.title, self.peer, median)[median], self.unit)
        by = self.ratio.format(peer=self.peer)
        compared = run.row(self.name, self.title, self.ours, by)
        low, high = compared[self.spread.format(peer=self.peer)].split(" to ")
        ratio = f"{digits(compared[by])} ({digits(float(low))} to {digits(float(high))})"
        question, ours = ("", "") if before == self.question else (self.question, ours)
        return f"| {question} | {ours} | {self.said} {theirs} | {ratio} |"


NOTHING: Final = "start, run and join an agent that does nothing, 8 at once, by `fan_out`"
LOOP: Final = "a run of an `LlmAgent` with one tool call, the model a function"
TALK: Final = "a message there and back between two running agents"
BESIDE: Final = (
    Beside(NOTHING, "spawn_join", "10,000", "fan_out + join_all", "us", "threads", "`ThreadPoolExecutor`"),
    Beside(NOTHING, "spawn_join", "10,000", "fan_out + join_all", "us", "pykka", "Pykka (start, ask, stop)"),
    Beside(NOTHING, "spawn_join", "10,000", "fan_out + join_all", "us", "asyncio", "`asyncio` tasks"),
    Beside("the same with a sink for events", "spawn_join", "10,000", "the same with a sink", "us", "threads",
           "`ThreadPoolExecutor`, which has none"),
    Beside("the same by `spawn` and `join_next`", "spawn_join", "10,000", "spawn + join_next", "us", "threads",
           "`ThreadPoolExecutor`"),
    Beside("the same by `spawn` and `join_next`", "spawn_join", "10,000", "spawn + join_next", "us", "pykka", "Pykka"),
    Beside(LOOP, "llm_overhead", "one after another", "actors", "us", "pydantic-ai", "pydantic-ai"),
    Beside(LOOP, "llm_overhead", "one after another", "actors", "us", "openai-agents", "openai-agents"),
    Beside("the same, eight at once", "llm_overhead", "8 at once", "actors", "us", "pydantic-ai", "pydantic-ai"),
    Beside("the same, eight at once", "llm_overhead", "8 at once", "actors", "us", "openai-agents", "openai-agents"),
    Beside("`tell` to a long-lived actor", "actor_calls", "tell", "pinned", "us", "pykka", "Pykka"),
    Beside("`ask` and its reply", "actor_calls", "ask: ", "pinned", "us", "pykka", "Pykka"),
    Beside("`ask`, 64 in flight", "actor_calls", "ask, 64 in flight", "pinned", "us", "pykka", "Pykka"),
    Beside(TALK, "messages", "there and back", "actors", "us", "two queues", "two `queue.Queue`"),
    Beside(TALK, "messages", "there and back", "actors", "us", "autogen-core", "autogen-core"),
    Beside("4,000 actors made, told one thing, and ended", "fork_join", "4,000", "pinned", "ms", "pykka", "Pykka"),
    Beside("64 calls at once to a model that takes 0.2 s", "http_throughput", "64 calls", "actors", "ms", "asyncio",
           "the bare async client"),
    Beside("memory of an agent that is parked", "parked", "5,000", "agents", "KB", "threads", "a bare thread",
           spread="spread"),
    Beside("`import actors`, from the start of Python to its end", "import_time", "fresh Python", "import actors", "ms",
           "what it needs", "pykka, loguru, pydantic"),
)  # fmt: skip


def beside(run: Run) -> str:
    """Ours next to what one would use instead."""
    lines = ["| question | ours | next to | ratio |", "| --- | --- | --- | --- |"]
    before = ""
    for one in BESIDE:
        lines.append(one.line(run, before))
        before = one.question
    return "\n".join(lines)


def agents(run: Run) -> str:
    """What an agent costs, by how many there are, and by how many at once."""
    lines = ["| agents that do nothing | at once | each takes |", "| --- | --- | --- |"]
    many = run.rows("scaling", "agents that do nothing, 8 at once")
    lines += [f"| {row['agents']:,} | 8 | {amount(row['median us'], 'us')} |" for row in many]
    at_once = run.rows("scaling", "10,000 agents that do nothing", "at once")
    lines += [f"| 10,000 | {row['at once']:,} | {amount(row['median us'], 'us')} |" for row in at_once]
    through = run.rows("map_growth", "through map()")
    lines += [f"| {row['agents']:,} through `map` | 8 | {amount(row['median us'], 'us')} of CPU |" for row in through]
    return "\n".join(lines)


def waiting(run: Run) -> str:
    """The knee: what many that wait together take beyond their wait."""
    lines = ["| agents that wait together | beyond the wait | for each | lost of a wait of 0.5 s | of 5 s |",
             "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for row in run.rows("scaling", "that wait 0.2 s"):
        ms = float(row["median ms"])
        lost = [f"{100 * ms / (ms + wait):.2g} %" for wait in (500, 5_000)]
        lines.append(
            f"| {row['agents']:,} | {amount(ms, 'ms')} | {amount(ms / row['agents'], 'ms')} | {' | '.join(lost)} |"
        )
    return "\n".join(lines)


def hidden(run: Run) -> str:
    """How near to the ideal time agents with a slow model are."""
    lines = ["| at once | ideal | taken | share of the ideal |", "| --- | --- | --- | --- |"]
    for row in run.rows("latency_hidden", "two completions"):
        ideal, taken = (amount(row[column], "s") for column in ("ideal s", "median s"))
        lines.append(
            f"| {row['case'].removesuffix(' at once')} | {ideal} | {taken} | {row['share of the ideal']:.3f} |"
        )
    return "\n".join(lines)


def stops(run: Run) -> str:
    """How late a timeout stops what."""
    lines = ["| what runs when its time is over | how it ends | late by | at most |", "| --- | --- | --- | --- |"]
    for row in run.rows("stop_overshoot"):
        late, most = (amount(row[column], "ms") for column in ("median ms", "highest ms"))
        lines.append(f"| {row['case']} | {row['ends']} | {late} | {most} |")
    return "\n".join(lines)


def aborts(run: Run) -> str:
    """How long from an abort to the outcomes."""
    rows = run.rows("abort_latency", "512 waiting agents")
    lines = ["| 512 that wait in | median | p99 | p99 by bare threads |", "| --- | --- | --- | --- |"]
    for row in rows:
        median, p99 = (amount(row[column], "ms") for column in ("median ms", "p99 ms"))
        lines.append(f"| {row['case']} | {median} | {p99} | {digits(row['p99 by threads'])} |")
    return "\n".join(lines)


TABLES: Final[Mapping[str, Callable[[Run], str]]] = {
    "beside": beside,
    "agents": agents,
    "waiting": waiting,
    "hidden": hidden,
    "stops": stops,
    "aborts": aborts,
}


def renewed(page: str, run: Run) -> str:
    """*page* with the figures of *run* between its marks."""
    return MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found['name']](run)}\n\n{found[3]}", page)


def amount(value: float, unit: str) -> str:
    """A time in the unit in which it reads well, else a number with its *unit*."""
    units = ("us", "ms", "s")
    if unit in units:
        at = units.index(unit)
        while value < 1 and at > 0:
            value, at = value * 1_000, at - 1
        while value >= 1_000 and at < len(units) - 1:
            value, at = value / 1_000, at + 1
        unit = units[at]
    return f"{digits(value)} {unit}"


def digits(value: float) -> str:
    """Two that count; all in front of the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:#.2g}"
