"""A tool whose calls need somebody's approval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ports import Tool, ToolResult
from .terms.approval_rules import ApprovalDefault, ApprovalRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.waiting.cancel import CancelToken
    from .ports import ToolDefinition
    from .terms.approval_rules import ApprovalWord
    from .terms.capability import Capability


class _Approved:
    """A tool whose calls need approval; for the rest it is the tool that it wraps, callable if that is."""

    def __init__(self, tool: Tool, rule: ApprovalRule) -> None:
        self._tool = tool
        self._rule = rule

    def __repr__(self) -> str:
        return f"<{self._tool!r} that needs approval>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function: Any = self._tool
        return function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_tool":  # of a copy that is just being made
            raise AttributeError(name)
        return getattr(self._tool, name)

    # What makes it a tool stands here by name: since 3.12 a protocol asks no __getattr__.

    @property
    def name(self) -> str:
        return self._tool.name

    @property
    def definition(self) -> ToolDefinition:
        return self._tool.definition

    @property
    def required_capability(self) -> Capability | None:
        return self._tool.required_capability

    @property
    def timeout(self) -> float | None:
        return self._tool.timeout

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002
        return self._tool.execute(input, cancel=cancel, agent=agent)

    @property
    def approval(self) -> ApprovalRule:
        inner = getattr(self._tool, "approval", None)
        return self._rule if inner is None else self._rule & inner


def needs_approval(
    tool: Tool, *, timeout: float | None = None, default: ApprovalDefault | ApprovalWord = ApprovalDefault.DENY
) -> Tool:
    """Wrap *tool*: each call waits, parked, until ``handle.approve(call_id)`` or ``handle.deny(call_id)``.

    Args:
        timeout: Seconds to wait for an answer; None waits for ever.
        default: ``deny`` or ``approve``: what holds when none comes in time.
    Raises:
        TypeError: *tool* is none.
        ValueError: The timeout or the default is not possible.
    """
    if isinstance(tool, type) or not isinstance(tool, Tool):
        raise TypeError(f"not a tool: {tool!r}; put @tool above the function")
    return _Approved(tool, ApprovalRule(timeout, ApprovalDefault(default)))


def check(tool: Tool, input: Mapping[str, Any]) -> ToolResult | None:  # noqa: A002 - the port's name
    """Why *tool* will not take *input*; None when it will, or cannot say beforehand."""
    look = getattr(tool, "check", None)
    found: ToolResult | None = look(input) if callable(look) else None
    return found
