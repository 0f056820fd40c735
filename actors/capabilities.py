"""What an agent may do: what manifests grant, and what tools need."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from typing import Annotated, Literal

    from pydantic import Field

    from .agent.terms.capability import (
        Browser,
        Capability,
        Compute,
        FileRead,
        FileWrite,
        Inference,
        Items,
        Mcp,
        Memory,
        Network,
        Rag,
        Shell,
        Spawn,
        capability_matches,
    )

__all__ = [
    "Browser",
    "Capability",
    "Compute",
    "FileRead",
    "FileWrite",
    "Inference",
    "Mcp",
    "Memory",
    "Network",
    "Rag",
    "Shell",
    "Spawn",
    "capability_matches",
]

shelve(
    __name__,
    {
        "typing": "Annotated Literal",
        "pydantic": "Field",
        ".agent.terms.capability": (
            "Browser Capability Compute FileRead FileWrite Inference Items Mcp Memory Network Rag Shell Spawn "
            "capability_matches"
        ),
    },
)
