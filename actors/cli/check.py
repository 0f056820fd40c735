"""``actors validate`` and ``actors status``: what a manifest says, without running its agents."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from ..agent.assembly import resolve
from ..agent.terms.settings import NUMBERS
from ..drivers.builtin import find_driver
from ..errors import ManifestError
from . import doubts, named
from .permissions import in_words
from .recipe import load_manifest
from .refusal import RefusedError
from .terminal import answering, console, say
from .toolbox import server_lines, tool_line
from .wording import counted, dollars, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..agent.terms.manifest import AgentManifest
    from ..agent.terms.manifest_tables import AgentTable, HandoffTable, MemoryTable

EXIT_OK = 0
EXIT_BAD_MANIFEST = 2
NO_CODE = "the loop of LlmAgent"

PRIVACY = {
    "sovereign": "its data stays on this machine",
    "private": "its data may go to services under your own control",
    "standard": "its data may go to any service",
}


def validate(paths: Sequence[str], *, imports: bool = False) -> int:
    """Check manifests and all that they name; tell each that is good, and every problem of the others.

    Args:
        paths: Of the manifests.
        imports: Import what they name, which runs it; else the texts of the modules are looked at, and nothing runs.
    """
    bad = 0
    for path in paths:
        try:
            manifest = load_manifest(path)
            found = resolve.problems(manifest, find_driver) if imports else named.problems(manifest)
            if found:
                raise RefusedError(*(f"{path}: {problem}" for problem in found))
        except RefusedError as error:
            bad += 1
            for problem in error.problems:
                say(f"error: {problem}")
        else:
            tools = (
                [doubts.named_tool(manifest, at, resolve.tool(manifest, at)) for at in range(len(manifest.tools))]
                if imports
                else named.tools_of(manifest)
            )
            doubts.say_doubts(f"{path}: {doubt}" for doubt in doubts.of_manifest(manifest, tools))
            answer(f"{path}: ok ({one_line(manifest.name)} {one_line(manifest.version)})")
    return EXIT_BAD_MANIFEST if bad else EXIT_OK


def status(path: str, *, run: bool | None = None) -> int:
    """Tell what the agents of a manifest are, and what they may do.

    For that its code is imported and its MCP servers are started; which, is said before.

    Args:
        path: Of the manifest.
        run: False: none of it; None: whoever sits at the terminal is asked, without one it is done.
    """
    from rich.table import Table
    from rich.text import Text

    manifest = load_manifest(path)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for label, value in rows_of(manifest, path, run=_may_run(manifest, path, run)):
        table.add_row(label, Text(printable(value)))
    with answering():
        console(sys.stdout).print(table)
    return EXIT_OK


def _may_run(manifest: AgentManifest, path: str, run: bool | None) -> bool:
    """Say what is imported and started to look at it; may it be?"""
    deeds = [
        f"{deed} {one_line(', '.join(things), 2_000)}"
        for deed, things in (("imports", named.code_of(manifest)), ("starts", named.commands_of(manifest)))
        if things
    ]
    if not deeds or run is False:
        return run is not False
    say(f"{path}: to show all, this {' and '.join(deeds)}")
    if run is None and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        say("May it? [y/N] (--run and --no-run answer beforehand)")
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    return True


def answer(text: str) -> None:
    """Write a line to standard output."""
    with answering():
        print(printable(text))  # noqa: T201 - the command line may print


def rows_of(manifest: AgentManifest, path: str, *, run: bool) -> Iterator[tuple[str, str]]:
    """Label and text of each line of ``actors status``; without *run* nothing is imported or started for them."""
    yield "agent", f"{one_line(manifest.name)} {one_line(manifest.version)}"
    if manifest.description:
        yield "", manifest.description
    yield "manifest", path
    yield "code", _code(manifest) if run else manifest.agent or NO_CODE
    yield "model", _model(manifest, run=run)
    yield "privacy", f"{manifest.privacy}: {PRIVACY[manifest.privacy]}"
    yield from _listed("limits", _limits(manifest))
    yield from _listed("may", [in_words(capability) for capability in manifest.capabilities])
    yield from _listed("tools", [_tool(manifest, index) if run else name for index, name in enumerate(manifest.tools)])
    if manifest.handoffs:
        yield from _listed("hands on to", [_link(entry) for entry in manifest.handoffs])
    if manifest.agents:
        yield from _listed("may ask", [_link(entry) for entry in manifest.agents])
    if manifest.guardrails.use:
        yield from _listed("checked by", list(manifest.guardrails.use))
    if manifest.memory is not None:
        yield "memory", _memory(manifest.memory)
    for server in manifest.mcp_servers:
        yield from _listed(f"server {server.name}", server_lines(manifest, server, run=run))


def _link(entry: HandoffTable | AgentTable) -> str:
    where = entry.manifest if isinstance(entry.manifest, str) else "in this file"
    own = ", with grants of its own" if getattr(entry, "own_grants", False) else ""
    about = f": {one_line(entry.description)}" if entry.description else ""
    return f"{entry.name} ({where}{own}){about}"


def _memory(memory: MemoryTable) -> str:
    where = memory.path or "that of the program"
    return where if memory.remember else f"{where}, where nothing is put of what is said"


def _listed(label: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines or ["nothing" if label == "may" else "none"]):
        yield "" if number else label, line


def _code(manifest: AgentManifest) -> str:
    try:
        agent = resolve.agent_class(manifest)
    except ManifestError as error:
        return "; ".join(error.problems)
    return f"{manifest.agent}: {_first_line(agent)}" if manifest.agent else NO_CODE


def _model(manifest: AgentManifest, *, run: bool) -> str:
    model = manifest.model
    source = model.remote_model or model.model_path or model.model_repo
    place = f"at {model.base_url}" if model.base_url else None
    driver = _driver(manifest) if run else model.driver and f"driver {model.driver}"
    parts = [part for part in (source, driver, place) if part]
    window = f", context window {model.context_window:,} tokens" if model.context_window else ""
    settings = f"at most {model.max_tokens:,} tokens an answer, temperature {model.temperature:g}{window}"
    more = [f"{name} {_said(value)}" for name, value in model.settings.given().items() if name not in NUMBERS]
    return "; ".join([*(parts or ["no driver named; --driver can give one"]), ", ".join([settings, *sorted(more)])])


def _said(value: object) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value), 200)


def _driver(manifest: AgentManifest) -> str | None:
    name = manifest.model.driver
    if name is None:
        return None
    try:
        resolve.driver_factory(manifest, find_driver)
    except ManifestError as error:
        return "; ".join(error.problems)
    return f"driver {name}"


def _limits(manifest: AgentManifest) -> list[str]:
    limits = manifest.resources
    budget = limits.max_tokens_budget
    return [
        counted(limits.max_iterations, "iteration"),
        counted(limits.max_tool_calls, "tool call"),
        f"{dollars(limits.max_cost_usd)} at most" if limits.max_cost_usd else "no limit of cost",
        f"{budget:,} tokens in all" if budget else "no budget of tokens",
    ]


def _tool(manifest: AgentManifest, index: int) -> str:
    try:
        tool = resolve.tool(manifest, index)
    except ManifestError as error:
        return "; ".join(error.problems)
    return tool_line(manifest, tool)


def _first_line(thing: Any) -> str:
    return one_line((thing.__doc__ or "no description").strip().partition("\n")[0])
