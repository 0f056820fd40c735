"""Agents that live on other machines: what happened to one, and what cannot go there."""

from __future__ import annotations

from .base import ActorsError, AgentError


class EngineLost(ActorsError):
    """The engine of the pool is gone, or no node came in time: no agent can live elsewhere, and what lived there is
    lost.
    """


class AgentLost(ActorsError):
    """The host of the agent went, and nobody knows what the agent had done by then.

    Args:
        reason: What happened to the host.
        node: The node that it lived on.
    """

    def __init__(self, reason: str, node: str = "") -> None:
        super().__init__(f"lost with node {node}: {reason}" if node else f"lost: {reason}")
        self.reason = reason
        self.node = node


class NotPortable(AgentError):
    """Something of an agent cannot go to another machine, or back.

    Args:
        what: Which part of it: ``query``, ``tools``, ``the result``, ...
        why: What forbids it, and what to do instead.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} cannot go to another machine: {why}")
        self.what = what
        self.why = why


class NotAcrossNodes(ActorsError):
    """This does not work where agents live on other machines.

    Args:
        feature: What does not.
        instead: What to do in place of it.
    """

    def __init__(self, feature: str, instead: str = "") -> None:
        super().__init__(f"{feature} does not work across nodes" + (f": {instead}" if instead else ""))
        self.feature = feature
        self.instead = instead
