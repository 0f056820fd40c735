"""A plain function as an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .agent import Agent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .terms.manifest import AgentManifest

MOST_NAMES = 256
"""So many manifests are kept."""


class FunctionAgent(Agent[Any]):
    """Calls a function once; what it returns is the result."""

    def __init__(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._fn = fn
        self._args = args
        self._kwargs = kwargs

    def run(self, query: Any) -> Any:  # noqa: ARG002 - it has its arguments
        """Call the function."""
        return self._fn(*self._args, **self._kwargs)


class FunctionManifests:
    """What functions are, as agents: of one name, all agents have the same manifest.

    Threads: any.

    Locks: none; ``_known`` changes by single operations.
    """

    def __init__(self, manifest: AgentManifest) -> None:
        self._manifest = manifest
        self._known: dict[str, AgentManifest] = {}

    def of(self, name: str) -> AgentManifest:
        """That of a function of this name."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= MOST_NAMES:  # names that are made up on the way
                self._known.clear()
            known = self._known[name] = self._manifest.model_copy(update={"name": name})
        return known
