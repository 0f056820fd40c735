"""What a guardrail may answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not so: the model is told *reason*, and asked again within the limits."""

    reason: str


@dataclass(frozen=True, slots=True)
class Trip:
    """Not at all: the agent ends ``failed``, with a ``GuardrailTripped`` that has *reason*."""

    reason: str
