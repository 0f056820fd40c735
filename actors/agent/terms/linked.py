"""Other manifests that a manifest names: for handoffs, and as agents of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...errors import ManifestError
from .manifest import AgentManifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .manifest_table import ManifestOrPath

LinkTable = Literal["handoffs", "agents"]
TABLES: tuple[LinkTable, ...] = ("handoffs", "agents")

TRANSFER, SPECIALIST = "transfer_to_", "agent_"
"""How the names of their tools begin."""
MOST_FILES = 200
"""Manifests that are looked at for one."""


def linked(manifest: AgentManifest, table: LinkTable, index: int) -> AgentManifest:
    """The manifest that entry *index* of *table* names, or is.

    Raises:
        ManifestError: Its file cannot be read, or is no good manifest.
    """
    named: ManifestOrPath = getattr(manifest, table)[index].manifest
    if isinstance(named, str):
        return _loaded(Path(named) if manifest.folder is None else manifest.folder / named, f"{table}.{index}.manifest")
    assert isinstance(named, AgentManifest)  # as it was checked
    if named.folder is not None or manifest.folder is None:
        return named
    inner: AgentManifest = named.model_copy()
    inner._folder = manifest.folder  # type: ignore[misc]  # only fields are frozen
    return inner


def _loaded(path: Path, place: str) -> AgentManifest:
    try:
        return AgentManifest.load(path)
    except ManifestError as error:
        raise ManifestError([f"{place}: {path}: {problem}" for problem in error.problems]) from error


def reached(manifest: AgentManifest, problems: list[str]) -> Iterator[tuple[str, AgentManifest]]:
    """The manifests that *manifest* names, and those that they name, each with its place; each is met once, in whatever
    circles they lead.

    Args:
        problems: Into which goes what is wrong with those that cannot be had.
    """
    seen, places = [manifest], [""]
    for outer, place in zip(seen, places, strict=True):  # both grow
        for table in TABLES:
            for index in range(len(getattr(outer, table))):
                try:
                    inner = linked(outer, table, index)
                except ManifestError as error:
                    problems += [f"{place}{problem}" for problem in error.problems]
                    continue
                if inner not in seen and len(seen) <= MOST_FILES:
                    seen.append(inner)
                    places.append(f"{place}{table}.{index}.manifest: ")
                    yield places[-1], inner


def names_of_linked(manifest: AgentManifest) -> list[str]:
    """The tools by which an agent of *manifest* hands on and asks others."""
    return [
        *(f"{TRANSFER}{handoff.name}" for handoff in manifest.handoffs),
        *(f"{SPECIALIST}{agent.name}" for agent in manifest.agents),
    ]
