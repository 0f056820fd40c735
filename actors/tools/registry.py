"""The set of tools that an agent is offered."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..agent.effects import refuse_bad_effect
from ..agent.ports import Tool
from ..agent.terms.capability import capability_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..agent.ports import ToolDefinition
    from ..agent.terms.capability import Capability


class ToolRegistry:
    """Tools by name, in order of registration.

    Guarantees: a reader sees all of a registration or nothing of it; a name never changes its tool.

    Locks: ``_lock`` orders the writers. ``_tools`` and ``with_deps`` are replaced, never changed, so readers need none.
    """

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._lock = threading.Lock()
        self._tools: dict[str, Tool] = {}
        self.with_deps: tuple[Tool, ...] = ()
        """Those that need something of the program: of each agent that is spawned only these are asked."""
        for tool in tools:
            self.register(tool)

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has the tools, as they are then."""
        return type(self), (list(self._tools.values()),)

    def __len__(self) -> int:
        return len(self._tools)

    def __bool__(self) -> bool:
        return True  # an empty registry is still a registry

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def register(self, tool: Tool) -> None:
        """Add *tool* under its name.

        Raises:
            TypeError: It is no tool, or its ``reconcile`` cannot be called.
            ValueError: The name is taken, or its ``effect`` is none.
        """
        if isinstance(tool, type) or not isinstance(tool, Tool):
            shown = getattr(tool, "__qualname__", None) or repr(tool)
            raise TypeError(f"not a tool: {shown}; put @tool above the function, or pass an object like it")
        name = tool.name
        refuse_bad_effect(tool)
        with self._lock:
            if name in self._tools:
                raise ValueError(f"a tool named {name!r} is already registered")
            self._tools = {**self._tools, name: tool}
            if getattr(tool, "problem_of_deps", None) is not None:
                self.with_deps = (*self.with_deps, tool)

    def get(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    def names(self) -> list[str]:
        """All names, in order of registration."""
        return list(self._tools)

    def definitions_for(self, capabilities: Sequence[Capability]) -> list[ToolDefinition]:
        """What the model is told: the tools that need nothing, and those that *capabilities* allow."""
        tools = self._tools.values()
        return [
            tool.definition
            for tool in tools
            if tool.required_capability is None or capability_matches(capabilities, tool.required_capability)
        ]
