"""Which tools of an agent need something of the program, and whether its ``deps`` are that."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from ..core.shown import shown
from .terms.capability import capability_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .ports import Tool, Tools
    from .terms.manifest import AgentManifest


def refuse_deps(manifest: AgentManifest, tools: Iterable[Tool], deps: object) -> None:
    """Refuse *deps* that one of *tools*, which *manifest* grants, cannot take.

    Raises:
        TypeError: They are of another type, or there are none. It says nothing of what they hold.
    """
    for tool in tools:
        look = getattr(tool, "problem_of_deps", None)
        problem = look(deps) if callable(look) else None
        if problem is not None and _is_granted(manifest, tool):
            raise TypeError(f"agent {shown(manifest.name)}: its tool {tool.name} {problem}: SpawnConfig(deps=...)")


def known_tools(source: Any) -> Iterator[Tool]:
    """The tools in *source* that can be seen before an agent is built, not those that a function is yet to make; those
    that need nothing may be left out.
    """
    if hasattr(source, "with_deps"):
        yield from source.with_deps
    elif hasattr(source, "definitions_for"):
        tools = cast("Tools", source)
        yield from (tool for name in tools.names() if (tool := tools.get(name)) is not None)
    elif isinstance(source, Collection):  # one that can be gone through again
        yield from source


def _is_granted(manifest: AgentManifest, tool: Tool) -> bool:
    required = tool.required_capability
    return required is None or capability_matches(manifest.capabilities, required)
