"""A manifest under which a conversation may go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..core.records.conversation import Message
from .manifest import AgentManifest  # noqa: TC001

HistoryFilter: TypeAlias = Callable[[Sequence[Message]], Sequence[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    name: str | None = None
    description: str = ""
    filter: HistoryFilter | None = None


@dataclass(frozen=True, slots=True)
class Handoff(_Words):
    """Another manifest under which the conversation may go on: the model sees a tool ``transfer_to_NAME``.

    Args:
        manifest: Who goes on.
        name: Of the tool; None takes the manifest's.
        description: When to hand off, for the model; empty takes the manifest's.
        filter: What of the conversation the other one sees; None: all of it.
    """

    manifest: AgentManifest
