"""``python -m benchmarks`` lists the benchmarks; ``python -m benchmarks NAME...`` runs them."""

# No "from __future__ import annotations": typer reads the annotations while the program runs.
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from actors.extras import how_to_install

from . import questions
from .apart import measure_apart
from .beside import disturbed
from .compare import compare as compare_runs
from .machine import facts
from .peers import Peers
from .quoted import FULL, MARKED, PAGE, MissingFigureError, Run, renewed
from .report import Report, drawn, save, show
from .savina import by_pykka
from .size import Size

WIDTH = 140
"""Columns where there is no terminal that has a width."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...",
        help="Benchmarks, in the order to run them; all = every one but soaks, fuzz, kills; savina = those of actors.",
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="A first look: fewer and smaller.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there, too.")]
PeerNames = Annotated[
    list[str] | None,
    typer.Option("--peers", metavar="NAME", help="Only next to this one; may be repeated, or several with commas."),
]
Beside = Annotated[int, typer.Option("--beside", metavar="N", min=0, help="Beside so many busy processes.")]
OneCore = Annotated[bool, typer.Option("--one-core", help="All of it on one core, where threads wake cheaply.")]
Plots = Annotated[Path | None, typer.Option("--plots", metavar="FOLDER", help="Draw the figures there, as PNG.")]
Old = Annotated[Path, typer.Argument(metavar="OLD.json")]
New = Annotated[Path, typer.Argument(metavar="NEW.json")]
Saved = Annotated[Path, typer.Argument(metavar="FILE.json", help="A run that was saved by --json.")]
Write = Annotated[bool, typer.Option("--write", help="Put them into the page.")]
Minutes = Annotated[float, typer.Option(metavar="N", min=0, help="How long; what runs then is finished.")]
Seed = Annotated[int | None, typer.Option(metavar="S", help="What is drawn; a violation names the one to repeat.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="NAME", help="Only this one; may be repeated, or several with commas."),
]
Corpus = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="What is in its folders is tried first; what is worth it is added."),
]


def main(words: list[str] | None = None) -> None:
    """Run the command line. A benchmark's name needs no command before it."""
    words = sys.argv[1:] if words is None else words
    commands = {"list", "run", "soak", "actor_soak", "fuzz", "kills", "scale_out", "counts", "compare", "quote"}
    if not words:
        words = ["list"]
    elif words[0] not in commands and words[0] not in ("-h", "--help"):
        words = ["run", *words]
    app(words, prog_name="python -m benchmarks")


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def about() -> None:
    """Measure the library, next to what one would use instead, in one run on this machine.

    Without a command: the list. A benchmark's name may stand in place of a command.
    """


@app.command("list")
def list_all() -> None:
    """List the benchmarks."""
    for name in questions.NAMES:
        typer.echo(f"{name:<16} {questions.find(name).QUESTION}")


@app.command()
def run(
    names: Names,
    quick: Quick = False,
    json: Json = None,
    peers: PeerNames = None,
    plots: Plots = None,
    beside: Beside = 0,
    one_core: OneCore = False,
) -> None:
    """Run benchmarks by name."""
    if names == ["all"]:
        names = [name for name in questions.NAMES if name not in questions.ENDLESS]
    is_savina = names == ["savina"]
    if is_savina:
        names = list(questions.SAVINA)
    unknown = [name for name in names if name not in questions.NAMES]
    if unknown:
        raise typer.BadParameter(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(questions.NAMES)}")
    chosen = _peers(peers)
    if plots is not None and find_spec("matplotlib") is None:
        raise typer.BadParameter(f"plots need matplotlib; install it with: {how_to_install('bench')}")
    size = Size.QUICK if quick else Size.FULL
    here = len(names) == 1  # more than one: each in a process of its own
    answers: Iterable[Report] = (
        questions.find(one).measure(size, chosen) if here else measure_apart(one, size, chosen) for one in names
    )
    if is_savina:
        answers = summed_up(answers)
    how: dict[str, str | int] = {"size": size.value, "peers": ",".join(sorted(chosen.wanted or ())) or "all"}
    if beside:
        how["beside"] = beside
    if one_core:
        how["one core"] = "yes"
    finish(disturbed(answers, beside=beside, on_one_core=one_core), json, plots, **how)


def _peers(words: list[str] | None) -> Peers:
    """Those that were asked for."""
    try:
        return Peers.named(name for word in words or () for name in word.split(",") if name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def summed_up(reports: Iterable[Report]) -> Iterator[Report]:
    """The programs of actors, and what each takes of Pykka's time in one table."""
    done = []
    for report in reports:
        yield report
        done.append(report)
    yield by_pykka(done)


@app.command()
def compare(old: Old, new: New) -> None:
    """Show what has changed between two runs."""
    try:
        table, differs = compare_runs(old, new)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(drawn(table))
    for line in differs:
        console.print(line, style="yellow", highlight=False, markup=False)


@app.command()
def quote(saved: Saved = FULL, write: Write = False) -> None:
    """Show the tables of docs/performance.md as a run that was saved has them; or put them into the page."""
    try:
        page = renewed(PAGE.read_text(encoding="utf-8"), Run.read(saved))
    except MissingFigureError as error:
        raise typer.BadParameter(str(error)) from None
    if write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        typer.echo("\n\n".join(found.group() for found in MARKED.finditer(page)))


@app.command()
def soak(minutes: Minutes = 1.0, seed: Seed = None, quick: Quick = False, json: Json = None) -> None:
    """Random work and faults: does anything get lost, hang, leak or grow?"""
    from .soak import endure

    console = Console(stderr=True)
    size = Size.QUICK if quick else Size.FULL
    finish([endure(seconds=6.0 if quick else minutes * 60, seed=seed, watch=console)], json, size=size.value)


@app.command("actor_soak")
def soak_actors(
    minutes: Minutes = 1.0,
    seed: Seed = None,
    on: Annotated[
        str, typer.Option(help="What the actors run on: pinned, shared or both; each in turn if not said.")
    ] = "",
    json: Json = None,
) -> None:
    """Actors that crash, are killed and restarted: does anything get lost, hang, overlap or leak?"""
    from .actor_soak import KINDS, endure

    if on and on not in KINDS:
        raise typer.BadParameter(f"actors run on {', '.join(KINDS)}, not on {on}")
    kinds = (on,) if on else KINDS
    finish([endure(minutes * 60, seed=seed, kinds=kinds, watch=Console(stderr=True))], json)


@app.command()
def fuzz(
    minutes: Minutes = 1.0, target: Targets = None, seed: Seed = None, corpus: Corpus = None, json: Json = None
) -> None:
    """What a model or a server may send: does anything of it break what must hold?

    --minutes 0 tries what is in the corpus alone.
    """
    from .fuzz import fuzz as run_fuzz, targets

    names = [name for word in target or () for name in word.split(",") if name]
    unknown = [name for name in names if name not in targets.NAMES]
    if unknown:
        raise typer.BadParameter(f"no target is named {', '.join(unknown)}; there are {', '.join(targets.NAMES)}")
    console = Console(stderr=True)
    finish([run_fuzz(minutes * 60, names=names, seed=seed, corpus=corpus, watch=console)], json)


@app.command("counts")
def count(
    cases: Annotated[
        list[str] | None, typer.Argument(metavar="CASE...", help="Only these, and their peers; all without any.")
    ] = None,
    by_function: Annotated[
        bool, typer.Option("--by-function", help="The functions that each case spends most bytecodes in.")
    ] = False,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="So many of them.")] = 40,
    quick: Quick = False,
    json: Json = None,
    peers: PeerNames = None,
) -> None:
    """How much work is an agent, a message, a tool call, counted in bytecodes?"""
    from . import counts as question
    from .counted.cases import CASES

    unknown = [name for name in cases or () if name not in CASES]
    if unknown:
        raise typer.BadParameter(f"no case is named {', '.join(unknown)}; there are {', '.join(CASES)}")
    size = Size.QUICK if quick else Size.FULL
    if by_function:
        reports = [question.by_function(name, size, top) for name in cases or ("fan_out",)]
    else:
        reports = [question.measure(size, _peers(peers), cases or ())]
    finish(reports, json, size=size.value)


@app.command("scale_out")
def scale_out(
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Only with nodes that are played, as many as there are to be.")
    ] = False,
    nodes: Annotated[int, typer.Option(metavar="N", min=1, help="Played nodes.")] = 1_000,
    agents: Annotated[int, typer.Option(metavar="N", min=1, help="Agents that go through them.")] = 1_000_000,
    quick: Quick = False,
    json: Json = None,
    peers: PeerNames = None,
    plots: Plots = None,
    beside: Beside = 0,
    one_core: OneCore = False,
) -> None:
    """Agents on other machines: what does one cost, and how far does one supervisor go?"""
    from . import scale_out as question
    from .many_machines.simulation import Case

    if not simulate:
        run(["scale_out"], quick, json, peers, plots, beside, one_core)
    case = Case(f"{nodes:,} nodes, by map", nodes=nodes, agents=agents, slots=20 * nodes)
    finish([Report("scale_out", question.QUESTION, [question.simulated([case])])], json, plots)


@app.command()
def kills(
    who: Annotated[
        str, typer.Argument(metavar="WHO", help="Whom: writer, pool, races (one agent, at each named point) or all.")
    ] = "all",
    number: Annotated[int, typer.Option(metavar="N", min=1, help="So many times each.")] = 200,
    seed: Seed = None,
    json: Json = None,
) -> None:
    """Kill a program again and again: is anything lost, bought or done twice?"""
    from .kills import victims

    if who not in (*victims.NAMES, "all"):
        raise typer.BadParameter(f"nobody is named {who}; there are {', '.join((*victims.NAMES, 'all'))}")
    names = () if who == "all" else (who,)
    finish(victims.kill(names, number, seed=seed, watch=Console(stderr=True)), json)


def finish(reports: Iterable[Report], json: Path | None, plots: Path | None = None, **how: str | int) -> None:
    """Show each report as it comes, save it with those before, and end with 1 if one has problems."""
    if json is not None and not json.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {json.absolute().parent}")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    machine = {**facts(), **how}
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), style="dim", highlight=False)
    done = []
    for report in reports:
        show(report, console)
        done.append(report)
        if json is not None:
            save(done, machine, json)
    if plots is not None:
        from .plots import draw

        for path in draw(done, plots):
            console.print(f"drawn: {path}", style="dim", highlight=False)
    raise typer.Exit(1 if any(report.problems for report in done) else 0)


if __name__ == "__main__":
    main()
