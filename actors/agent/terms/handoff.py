"""A manifest under which a conversation may go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...core.glance import glance
from ...core.records.conversation import Message
from ...public import publish
from .manifest import AgentManifest

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

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
        filter: What of the conversation the other one sees, and whoever comes after it; None: all of it. It gets the
            messages, the call of the tool and its result included, and returns messages.

    Raises:
        TypeError: *manifest* is none, or *filter* no function.
        ValueError: No provider takes a tool of that name.

    Example:
        ```python
        from actors import AgentManifest, Handoff, SpawnConfig

        billing = Handoff(AgentManifest(name="billing"), description="Invoices, refunds and payments.")
        config = SpawnConfig(AgentManifest(name="triage"), "Where is my refund?", handoffs=[billing])
        ```
    """

    manifest: AgentManifest

    def __post_init__(self) -> None:
        if not isinstance(self.manifest, AgentManifest):
            raise TypeError(f"a handoff leads to an AgentManifest, not to {glance(self.manifest, 60)}")
        if self.name is not None and not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise ValueError(f"the name of a handoff has 1 to 64 of A-Z a-z 0-9 _ -, not {glance(self.name, 80)}")
        if self.filter is not None and not callable(self.filter):
            raise TypeError(f"the filter of a handoff is a function of the messages, not {glance(self.filter, 60)}")


publish("actors.agents", Handoff)
