"""What an agent may do: what manifests grant, and what tools need."""

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
from .public import publish

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

publish(__name__, globals())
