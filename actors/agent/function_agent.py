"""A plain function as an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .agent import Agent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class FunctionAgent(Agent[Any]):
    """Calls a function once; what it returns is the result."""

    def __init__(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._fn = fn
        self._args = args
        self._kwargs = kwargs

    def run(self, query: Any) -> Any:  # noqa: ARG002 - it has its arguments
        """Call the function."""
        return self._fn(*self._args, **self._kwargs)
