"""What commands can be asked for: those besides ``run``; which model answers; where agents live, and are seen."""

# No "from __future__ import annotations": typer reads these while the program runs.
from typing import Annotated

import typer

SessionName = Annotated[
    str | None,
    typer.Option(
        "--session", metavar="NAME", help="Go on with this conversation, also tomorrow; without it all is forgotten."
    ),
]
SessionFile = Annotated[
    str | None,
    typer.Option("--sessions", metavar="FILE", help="Where conversations are kept; else in the command's own folder."),
]
OneSession = Annotated[str, typer.Argument(metavar="NAME", help="The session.")]
Limit = Annotated[int, typer.Option(metavar="N", help="So many at most.")]
Last = Annotated[int | None, typer.Option(metavar="N", help="Only so many of its last turns.")]

TimelineSource = Annotated[
    str, typer.Argument(metavar="FILE", help="What --events or --journal wrote; - = events from standard input.")
]
TimelineOutput = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="FILE.html, .json or .json.gz; else beside it, as a page."),
]

View = Annotated[
    str | None,
    typer.Argument(
        metavar="[PID|URL]",
        help="The process with the pool, or what its view printed; else the only one.",
        show_default=False,
    ),
]
Once = Annotated[bool, typer.Option("--once", help="Show it once, as plain text; so it is where there is no terminal.")]
AsJson = Annotated[bool, typer.Option("--json", help="Show once what the view tells, as one line of JSON.")]

JournalFile = Annotated[str, typer.Argument(metavar="FILE", help="The journal.")]
AgentKey = Annotated[
    str | None, typer.Option("--agent", metavar="KEY", help="What this one has bought and done, step by step.")
]
All = Annotated[bool, typer.Option("--all", help="Show all agents, and not only those that matter most.")]
Before = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only of agents that ended earlier: 2026-01-31, or with T18:00.")
]

MemoryFile = Annotated[str, typer.Argument(metavar="FILE", help="The memory.")]
Documents = Annotated[list[str], typer.Argument(metavar="DOCUMENT", help="Files of text; each is one document.")]
SearchFor = Annotated[str, typer.Argument(metavar="QUERY", help="Words to look for.")]
DocumentName = Annotated[str | None, typer.Option("--name", help="What the document is called; else as its file.")]
Words = Annotated[int, typer.Option(min=1, help="Words of one piece, at most.")]
Overlap = Annotated[int, typer.Option(min=0, help="Words that a piece repeats of the one before.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="Tell so many, at most.")]
EmbedBy = Annotated[
    str, typer.Option("--embedder", metavar="MODEL", help="What makes vectors, as its server calls it.")
]
MayEmbedBy = Annotated[
    str | None, typer.Option("--embedder", metavar="MODEL", help="What makes vectors, as its server calls it.")
]

Driver = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What answers in place of the manifest's driver: openai:NAME@URL, anthropic, module:factory.",
    ),
]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="The model, as its server calls it.")]
BaseUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Where the model's server is. Its key is in the environment.")
]
Approve = Annotated[
    list[str] | None,
    typer.Option(metavar="TOOL", help="A tool (or pattern) whose calls need no approval by you; may be repeated."),
]

Live = Annotated[
    int | None,
    typer.Option(
        metavar="[PORT]",
        help="Show the run on a page for a browser on this machine, while it runs; without PORT on any that is free.",
    ),
]
Control = Annotated[bool, typer.Option("--control", help="Who looks at --live may abort agents, approve and deny.")]
EngineWord = Annotated[
    str | None,
    typer.Option("--engine", metavar="ray", help="Let the agents live on the nodes of a cluster."),
]
Address = Annotated[
    str | None, typer.Option(metavar="ADDR", help="Of its head, as HOST:6379; else of the cluster of this machine.")
]
SlotsPerNode = Annotated[int | None, typer.Option(metavar="N", help="Agents that run at once on one node, at most.")]
NodeAddress = Annotated[
    str, typer.Option("--address", metavar="ADDR", help="Of its head, as HOST:6379; auto = that of this machine.")
]
NodesAsJson = Annotated[bool, typer.Option("--json", help="One line of JSON for each node.")]
