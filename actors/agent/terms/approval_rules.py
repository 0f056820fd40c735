"""Which tool calls need somebody's approval."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ...public import publish


class ApprovalDefault(StrEnum):
    """What holds when nobody answers in time."""

    DENY = "deny"
    APPROVE = "approve"


ApprovalWord = Literal["deny", "approve"]


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """A call needs approval.

    Args:
        timeout: Seconds to wait for an answer; None waits for ever.
        default: What holds when none comes.
    """

    timeout: float | None = None
    default: ApprovalDefault = ApprovalDefault.DENY

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout >= 0:
            raise ValueError(f"timeout must be at least 0 seconds, or None for no bound; got {self.timeout!r}")
        object.__setattr__(self, "default", ApprovalDefault(self.default))

    def __and__(self, other: ApprovalRule) -> ApprovalRule:
        """The stricter of both, in each respect."""
        timeouts = [one for one in (self.timeout, other.timeout) if one is not None]
        denies = ApprovalDefault.DENY in (self.default, other.default)
        default = ApprovalDefault.DENY if denies else ApprovalDefault.APPROVE
        return ApprovalRule(min(timeouts, default=None), default)


publish("actors.manifests", ApprovalDefault)
