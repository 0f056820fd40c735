"""The command ``actors``: its options, and the exit codes.

``actors --help`` must not wait for the pool: each command imports its room when it runs.
"""

# No "from __future__ import annotations": typer reads the annotations while the program runs.
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from .asked import (
    Address,
    AgentKey,
    All,
    Approve,
    AsJson,
    BaseUrl,
    Before,
    Control,
    DocumentName,
    Documents,
    Driver,
    EmbedBy,
    EngineWord,
    JournalFile,
    Last,
    Limit,
    Live,
    MayEmbedBy,
    MemoryFile,
    Model,
    Most,
    NodeAddress,
    NodesAsJson,
    Once,
    OneSession,
    Overlap,
    SearchFor,
    SessionFile,
    SessionName,
    SlotsPerNode,
    TimelineOutput,
    TimelineSource,
    View,
    Words,
)
from .live import LiveCommand
from .options import RunOptions
from .refusal import OutputLostError, RefusedError
from .terminal import prepare_streams, say

EXIT_INCOMPLETE = 1
EXIT_BAD_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_CODES = "Exit codes: 0 all completed, 1 some did not, 2 bad usage or manifest, 130 interrupted."

app = typer.Typer(
    name="actors",
    help="Run many agents at once, each on its own thread.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _group(name: str, about: str) -> typer.Typer:
    """A command that has commands of its own."""
    group = typer.Typer(
        name=name,
        help=about,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.add_typer(group)
    return group


journal_app = _group("journal", "Look into a journal of actors run --journal, check it, make it smaller.")
memory_app = _group("memory", "Put documents into a memory of agents, make its vectors, search in it.")
sessions_app = _group("sessions", "Look into the conversations of actors chat --session, and drop them.")

# What can be asked for ---------------------------------------------------------------------------------------------

Manifests = Annotated[list[str], typer.Argument(metavar="MANIFEST", help="TOML files, each describing an agent.")]
Manifest = Annotated[str, typer.Argument(metavar="MANIFEST", help="A TOML file.")]
Prompt = Annotated[str | None, typer.Option(help="The query; with --glob, {path} stands for the path of each file.")]
Input = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help='FILE.csv, or JSON lines: each has a "query", and "name" and "tag" if you like; - = standard input.',
    ),
]
Query = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help='The query of each line of --input: "Classify: {text}" takes a field.'),
]
Key = Annotated[
    str | None, typer.Option(metavar="FIELD", help="What tells one line from another; else all of the line does.")
]
Keep = Annotated[
    str | None, typer.Option(metavar="A,B", help="The fields of a line that come back in its row; else all.")
]
Glob = Annotated[
    str | None,
    typer.Option(metavar="PATTERN", help="One agent for each file that matches; quote it. ** goes into folders."),
]
MaxConcurrent = Annotated[int, typer.Option(metavar="N", help="Agents that run at once.")]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="Seconds of life of each agent.")]
Out = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="FILE.csv, or JSON lines: a row for each agent as it ends; - = standard output. No file that exists.",
    ),
]
Record = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="Record all that is bought and done, so that a run that was killed goes on. No file that exists.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the files of --out and --journal: what has completed is not run again."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Empty the file of --out first.")]
Events = Annotated[str | None, typer.Option(metavar="FILE.jsonl", help="One line for each event.")]
TimelineFile = Annotated[
    str | None,
    typer.Option(
        "--timeline", metavar="FILE", help="A picture of the run: a page (.html), or .json, .json.gz for Perfetto."
    ),
]
Imports = Annotated[
    bool, typer.Option("--import", help="Import what they name, too: that runs the code of its modules.")
]
Run = Annotated[
    bool | None,
    typer.Option("--run/--no-run", help="Import its code and start its servers without a question; or show the rest."),
]
Trace = Annotated[
    bool,
    typer.Option("--trace", help="Show what each agent was told, called and answered; secrets are masked."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        help="Tell how agents begin and end, with tracebacks and the log; -vv every answer, call and message.",
    ),
]

# The commands ------------------------------------------------------------------------------------------------------


def main() -> None:
    """Run the command line; the entry point."""
    prepare_streams()
    # As "python -m" does: what --driver names may stand in the current folder.
    sys.path.append("")
    app(prog_name="actors")


def show_version(wanted: bool) -> None:
    """Print the version and end, if *wanted*."""
    if wanted:
        from .. import __version__

        typer.echo(f"actors {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Run many agents at once, each on its own thread."""


@app.command(epilog=EXIT_CODES, cls=LiveCommand)
def run(
    manifests: Manifests,
    prompt: Prompt = None,
    input: Input = None,  # noqa: A002 - the option's name
    query: Query = None,
    key: Key = None,
    keep: Keep = None,
    glob: Glob = None,
    max_concurrent: MaxConcurrent = 4,
    timeout: Timeout = None,
    out: Out = None,
    journal: Record = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    events: Events = None,
    timeline: TimelineFile = None,
    live: Live = None,
    control: Control = False,
    engine: EngineWord = None,
    address: Address = None,
    slots_per_node: SlotsPerNode = None,
    driver: Driver = None,
    model: Model = None,
    base_url: BaseUrl = None,
    approve: Approve = None,
    trace: Trace = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Run agents: one for each job and manifest.

    Jobs come from --prompt, --input or --glob.
    """
    asked = RunOptions(
        manifests=tuple(manifests),
        prompt=prompt,
        input=input,
        query=query,
        key=key,
        keep=None if keep is None else tuple(name.strip() for name in keep.split(",")),
        glob=glob,
        max_concurrent=max_concurrent,
        timeout=timeout,
        out=out,
        journal=journal,
        resume=resume,
        overwrite=overwrite,
        events=events,
        timeline=timeline,
        live=live,
        control=control,
        engine=engine,
        address=address,
        slots_per_node=slots_per_node,
        driver=driver,
        model=model,
        base_url=base_url,
        approve=tuple(approve or ()),
        trace=trace,
        quiet=quiet,
        verbose=verbose,
    )

    def command() -> int:
        from .run import run as run_agents

        return run_agents(asked)

    carry_out(command)


@app.command()
def chat(
    manifest: Manifest,
    driver: Driver = None,
    model: Model = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    approve: Approve = None,
    session: SessionName = None,
    sessions: SessionFile = None,
) -> None:
    """Talk with an agent: it answers as it thinks, and remembers what was said."""

    def command() -> int:
        from .chat import chat as talk
        from .recipe import ModelChoice

        choice, approved = ModelChoice(driver, model, base_url), tuple(approve or ())
        return talk(manifest, choice, timeout=timeout, approved=approved, session=session, file=sessions)

    carry_out(command)


@app.command()
def validate(manifests: Manifests, imports: Imports = False) -> None:
    """Check manifests, and that all they name is there. Nothing that they name is run."""

    def command() -> int:
        from .check import validate as validate_all

        return validate_all(manifests, imports=imports)

    carry_out(command)


@app.command()
def status(manifest: Manifest, run: Run = None) -> None:
    """Tell what the agents of a manifest are, what they may do, and their limits.

    For that its code is imported and its MCP servers are started. What, is said before, and asked on a terminal.
    """

    def command() -> int:
        from .check import status as show_status

        return show_status(manifest, run=run)

    carry_out(command)


@app.command(epilog="Exit codes: 0 written, 1 could not be written, 2 bad usage, or nothing to draw.")
def timeline(source: TimelineSource, output: TimelineOutput = None) -> None:
    """Draw a run that is over: who did what, when, and why it took so long."""

    def command() -> int:
        from .timeline import draw

        return draw(source, output=output)

    carry_out(command)


@app.command(epilog="Exit codes: 0 it was seen, 1 it cannot be reached, 2 bad usage.")
def top(view: View = None, once: Once = False, json: AsJson = False) -> None:
    """Watch a pool that runs, on a terminal: who is stuck on what, since when, and what it cost so far.

    The program has opened a live view: actors run --live, or LiveView(pool). Keys: q quits, s sorts, / filters, arrows
    and Enter show an agent's stack; a, d and x approve, deny and abort, where the view lets them.
    """

    def command() -> int:
        from .top.command import top as watch

        return watch(view, once=once, as_json=json)

    carry_out(command)


@app.command(epilog="Exit codes: 0 agents can live on a node, 1 on none, 2 bad usage, or no cluster.")
def nodes(address: NodeAddress = "auto", json: NodesAsJson = False) -> None:
    """Tell which nodes a cluster has, and whether agents can live there: a host is started on each, and ended again."""

    def command() -> int:
        from .nodes import nodes as look_at_all

        return look_at_all(address, as_json=json)

    carry_out(command)


@journal_app.command("show")
def show_journal(file: JournalFile, agent: AgentKey = None, all_: All = False) -> None:
    """Tell how the agents of a journal stand, also while a run writes it; with --agent what one of them has done."""

    def command() -> int:
        from .journal import show

        return show(file, agent=agent, everything=all_)

    carry_out(command)


@journal_app.command("check", epilog="Exit codes: 0 whole, 1 something was found, 2 no journal.")
def check_journal(file: JournalFile) -> None:
    """Look whether a journal is whole: its pages, its checksums, and that nothing is missing in between."""

    def command() -> int:
        from .journal import check

        return check(file)

    carry_out(command)


@journal_app.command("prune")
def prune_journal(file: JournalFile, before: Before = None) -> None:
    """Drop the steps of agents that completed: their outcomes stay, and come back as before.

    Not while a run writes it.
    """

    def command() -> int:
        from .journal import prune

        return prune(file, before=before)

    carry_out(command)


@sessions_app.command("list")
def list_sessions(sessions: SessionFile = None, limit: Limit = 50) -> None:
    """Show the sessions, the one that was updated last first."""

    def command() -> int:
        from .sessions import list_all

        return list_all(sessions, limit=limit)

    carry_out(command)


@sessions_app.command("show")
def show_session(name: OneSession, sessions: SessionFile = None, last: Last = None) -> None:
    """Show what was said in a session."""

    def command() -> int:
        from .sessions import show

        return show(name, sessions, last=last)

    carry_out(command)


@sessions_app.command("delete")
def delete_session(name: OneSession, sessions: SessionFile = None) -> None:
    """Drop a session with all its turns."""

    def command() -> int:
        from .sessions import delete

        return delete(name, sessions)

    carry_out(command)


@memory_app.command("add")
def add_to_memory(
    file: MemoryFile,
    documents: Documents,
    name: DocumentName = None,
    words: Words = 200,
    overlap: Overlap = 40,
    embedder: MayEmbedBy = None,
    base_url: BaseUrl = None,
) -> None:
    """Store documents, in place of earlier versions; the memory is made if there is none."""

    def command() -> int:
        from .memory import add

        return add(file, documents, name=name, words=words, overlap=overlap, model=embedder, base_url=base_url)

    carry_out(command)


@memory_app.command("embed")
def embed_memory(file: MemoryFile, embedder: EmbedBy, base_url: BaseUrl = None) -> None:
    """Make the vectors that are missing, or of another model; what was interrupted goes on."""

    def command() -> int:
        from .memory import embed

        return embed(file, model=embedder, base_url=base_url)

    carry_out(command)


@memory_app.command("search", epilog="Exit codes: 0 something was found, 1 nothing, 2 no memory.")
def search_memory(
    file: MemoryFile, query: SearchFor, limit: Most = 5, embedder: MayEmbedBy = None, base_url: BaseUrl = None
) -> None:
    """Tell what is found, the best first."""

    def command() -> int:
        from .memory import search

        return search(file, query, limit=limit, model=embedder, base_url=base_url)

    carry_out(command)


def carry_out(command: Callable[[], int]) -> None:
    """Run *command* and end with its exit code; what its user can mend is told without a traceback."""
    try:
        code = command()
    except RefusedError as error:
        for problem in error.problems:
            say(f"error: {problem}")
        code = EXIT_BAD_USAGE
    except OutputLostError as error:
        say(f"error: {error}")
        code = EXIT_INCOMPLETE
    except KeyboardInterrupt:
        say("interrupted")
        code = EXIT_INTERRUPTED
    raise typer.Exit(code)
