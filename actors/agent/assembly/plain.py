"""Agents that ask nothing of their pool but a thread: what is found of them, once for all of a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.records.spec import AgentSpec
from ..budget import FamilyBudget
from ..depth import max_depth
from .llm_agent import LlmAgent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.records.spec import Runnable
    from ..agent import Agent
    from ..config import SpawnConfig
    from ..terms.manifest import AgentManifest

PLAIN = frozenset(
    {"manifest", "query", "agent", "kwargs", "timeout", "deadline", "priority", "group", "tag", "key", "on_event"}
)
"""The fields of a config that change nothing of what has to be found and checked for an agent."""
MOST = 64
"""So many plans are kept."""


class PlainPlan(NamedTuple):
    """What all plain agents of one manifest and one class have in common. It holds the manifest: nothing else gets the
    id by which it is found.
    """

    manifest: AgentManifest
    agent_class: type[Agent[Any]]
    name: str
    max_depth: int | None

    def spec(self, config: SpawnConfig[Any], build: Callable[[Any], Callable[[], Runnable]]) -> AgentSpec:
        """That of an agent with *config*, which *build* builds."""
        spec = AgentSpec(
            self.name, config.query, build, config.timeout, config.deadline, config.priority, config.group,
            config.tag, None, self.max_depth, None, config.on_event,
        )  # fmt: skip
        if config.key is not None:
            spec.key = config.key
        return spec


class PlainPlans:
    """The plans of a pool that gives its agents no driver, no memory and no budget, and records nothing of them.

    Threads: any.

    Locks: none; ``_known`` changes by single operations.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, type[Agent[Any]]], PlainPlan] = {}

    def of(self, config: SpawnConfig[Any]) -> PlainPlan | None:
        """That of an agent with *config*; None: it may ask for more, and is looked at for itself."""
        agent_class = config.agent
        if agent_class is None or not PLAIN.issuperset(config.__pydantic_fields_set__):
            return None
        return self._known.get((id(config.manifest), agent_class)) or self._find(config.manifest, agent_class)

    def _find(self, manifest: AgentManifest, agent_class: type[Agent[Any]]) -> PlainPlan | None:
        if issubclass(agent_class, LlmAgent) or agent_class.needs_driver or manifest.memory is not None:
            return None
        if manifest.model.driver is not None or manifest.output is not None or manifest.guardrails.use:
            return None
        if manifest.tools or manifest.mcp_servers or manifest.agents or manifest.handoffs:
            return None
        if FamilyBudget.granted_by(manifest):
            return None
        if len(self._known) >= MOST:  # manifests that are made up on the way
            self._known.clear()
        plan = PlainPlan(manifest, agent_class, manifest.name, max_depth(manifest, None))
        self._known[id(manifest), agent_class] = plan
        return plan
