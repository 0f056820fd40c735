"""How deep an agent may start children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .specialist import DEEPEST
from .terms.capability import Spawn

if TYPE_CHECKING:
    from .agent import Agent
    from .terms.manifest import AgentManifest


def max_depth(manifest: AgentManifest, parent: Agent[Any] | None, *, is_named: bool = False) -> int | None:
    """The deepest level at which its children may live; an agent without a spawn grant sets no limit of its own. Below
    one that a manifest names others may be named, perhaps in a circle.
    """
    depth, limit = (0, None) if parent is None else (parent._context.depth + 1, depth_limit(parent))
    if is_named and limit is None:
        limit = depth - 1 + DEEPEST
    return _within_grant(manifest, depth, limit)


def depth_limit(agent: Agent[Any]) -> int | None:
    """The deepest level at which children of *agent* may live under the manifest that it has now: a handoff may have
    led to one that grants less.
    """
    return _within_grant(agent.manifest, agent._context.depth, agent._context.max_depth)


def _within_grant(manifest: AgentManifest, depth: int, limit: int | None) -> int | None:
    """*limit*, or what the spawn grant of *manifest* allows at that *depth*, where that is less."""
    granted = [depth + grant.max_depth for grant in manifest.capabilities if isinstance(grant, Spawn)]
    if not granted:
        return limit
    return max(granted) if limit is None else min(limit, max(granted))
