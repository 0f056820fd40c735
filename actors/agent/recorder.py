"""What records agents, as the factory sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..core.records.spec import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .account import Account
    from .agent import Agent
    from .config import SpawnConfig
    from .ledger import Ledger
    from .session_keys import KnownAgent
    from .terms.manifest import AgentManifest
    from .terms.structured import Shape


@dataclass(frozen=True, slots=True)
class Identity:
    """What an agent is and has to do, for whoever records it.

    Args:
        config: As it was given.
        manifest: A child's is cut down to what its parent has.
        account: What recalled answers are charged to.
        parent: Who starts it; None for the program.
        shapes: What its answer has to be where it was handed on, by the names of the manifests.
    """

    config: SpawnConfig[Any]
    manifest: AgentManifest
    agent_class: type[Agent[Any]]
    shape: Shape | None
    account: Account
    parent: Agent[Any] | None = None
    shapes: Mapping[str, Shape | None] = field(default_factory=dict)

    def shape_of(self, answered_by: str | None) -> Shape | None:
        """What the answer has to be that was given under the manifest of that name."""
        is_own = answered_by in (None, self.manifest.name)
        return self.shape if is_own or answered_by is None else self.shapes.get(answered_by, self.shape)


class AgentRecord(Record, Protocol):
    """What is recorded of one agent."""

    @property
    def ledger(self) -> Ledger:
        """Its ledger; it knows nothing of earlier processes before :meth:`recall`."""


class Recorder(Protocol):
    """What records agents: a journal."""

    def record(self, identity: Identity) -> AgentRecord:
        """What is recorded of the agent that is about to be started."""

    def known(self, key: str, path: str) -> KnownAgent | None:
        """What is known of the agent of *key*, with what stands at *path* of its ledger; None: nothing."""
