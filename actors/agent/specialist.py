"""Another agent as a tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..core.records.loop_result import AgentLoopResult
from ..core.shown import agent_label
from ..errors import CapabilityDenied, ToolFailed
from .config import SpawnConfig
from .ports import ToolDefinition, ToolResult
from .terms.effect import Effect
from .terms.linked import SPECIALIST
from .tool_result import result_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.supervision.handle import AgentHandle
    from ..core.waiting.cancel import CancelToken
    from .terms.manifest import AgentManifest

DEEPEST = 5
"""Levels that agents named in manifests may start below the first one, where no ``spawn`` grant says how many:
manifests may name one another in a circle.
"""
_INPUT = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "description": "What it has to do, with all that it needs to know."}
    },
    "required": ["query"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, eq=False)
class Specialist:
    """``agent_NAME(query)``: starts the agent that a manifest names, and waits for its answer. That it is named there
    grants the call.

    Args:
        word: The name that the tool ends with.
        description: What it is good for; empty takes that of its manifest.
        manifest: As it was written.
        own_grants: It has the grants of its manifest, also those that its caller has not.
    """

    word: str
    description: str
    manifest: AgentManifest
    own_grants: bool = False

    required_capability = None
    timeout = None
    effect = Effect.IDEMPOTENT  # what it buys and does is known of itself

    @property
    def name(self) -> str:
        """``agent_research``."""
        return f"{SPECIALIST}{self.word}"

    @property
    def definition(self) -> ToolDefinition:
        """What the model is told."""
        about = self.description or self.manifest.description
        words = f"Ask the agent {self.manifest.name}, and wait for its answer. It knows nothing but what you tell it."
        return ToolDefinition(self.name, f"{words} {about}".strip(), _INPUT)

    def check(self, input: Mapping[str, Any]) -> ToolResult | None:  # noqa: A002 - the port's name
        """Why it will not take *input*; None when it will."""
        query = input.get("query")
        if not isinstance(query, str) or not query.strip():
            return ToolResult(f"{self.name} takes a query, a text that is not empty", is_error=True)
        if unknown := [str(name) for name in input if name != "query"]:
            return ToolResult(f"{self.name} takes a query, and no {', '.join(unknown)}", is_error=True)
        return None

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002, ARG002
        """Ask it.

        Raises:
            ToolFailed: It may not be started, or did not complete.
            Cancelled: The caller was cancelled; so is it.
        """
        if (refused := self.check(input)) is not None:
            return refused
        return result_of(answer_of(agent, SpawnConfig(self.manifest, input["query"]), specialist=self))


class StartsChildren(Protocol):
    """What an agent was given, as far as its children go."""

    def spawn_child(
        self, config: SpawnConfig[Any], parent: Any, specialist: Specialist | None = None
    ) -> AgentHandle[Any]:
        """Start a child of *parent*."""


class Parent(Protocol):
    """An agent, as far as its children go."""

    @property
    def _parts(self) -> StartsChildren: ...


def answer_of(agent: Parent, config: SpawnConfig[Any], *, specialist: Specialist | None = None) -> Any:
    """What a child of *agent* answers; of an ``LlmAgent`` the text.

    Args:
        specialist: It is one that the manifest of *agent* names.
    Raises:
        ToolFailed: It may not be started, or did not complete.
        Cancelled: *agent* was cancelled; so is the child.
    """
    try:
        handle = agent._parts.spawn_child(config, agent, specialist)
    except CapabilityDenied as error:
        raise ToolFailed(str(error)) from error
    try:
        outcome = handle.outcome()
    finally:
        handle.cancel("nobody waits for its answer any more")
    if not outcome.ok:
        raise ToolFailed(f"{agent_label(outcome.agent_id, outcome.name)} {outcome.status}: {outcome.error}")
    return outcome.result.text if isinstance(outcome.result, AgentLoopResult) else outcome.result
