"""Capabilities in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..agent.terms.capability import (
    EVERYTHING,
    Browser,
    Compute,
    FileRead,
    FileWrite,
    Inference,
    Mcp,
    Memory,
    Network,
    Rag,
    Shell,
    Spawn,
)

if TYPE_CHECKING:
    from ..agent.terms.capability import Capability

Listed: TypeAlias = Shell | FileRead | FileWrite | Network

SENTENCES = {
    Rag: "search in documents",
    Memory: "remember and recall",
    Browser: "drive a browser",
    Inference: "ask other models",
    Compute: "run computations",
}
# What is listed: with a list, with "*".
LISTS: dict[type[Listed], tuple[str, str]] = {
    Shell: ("run the commands {}", "run every command"),
    FileRead: ("read files below {}", "read every file"),
    FileWrite: ("write files below {}", "write every file"),
    Network: ("connect to {}", "connect to every host"),
}
# With an empty list.
NOTHING: dict[type[Listed], str] = {FileRead: "read the file that --glob gives it, and no other"}


def in_words(capability: Capability) -> str:
    """What *capability* allows, as the end of "it may ..."."""
    if isinstance(capability, Listed):
        return _listed(capability)
    if isinstance(capability, Mcp):
        tool = "every tool" if capability.tool == EVERYTHING else f"the tool {capability.tool}"
        server = "every MCP server" if capability.server == EVERYTHING else f"the MCP server {capability.server}"
        return f"call {tool} of {server}"
    if isinstance(capability, Spawn):
        if capability.max_depth == 0:
            return "exchange messages with other agents, and start none"
        return f"start children, down to depth {capability.max_depth}"
    return SENTENCES[type(capability)]


def _listed(capability: Listed) -> str:
    some, every = LISTS[type(capability)]
    items = capability.items()
    if EVERYTHING in items:
        return every
    if not items:
        return NOTHING.get(type(capability), f"{some.format('…')} (but nothing is listed)")
    return some.format(", ".join(items))
