"""An agent cannot do its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterable


class InvalidOutput(AgentError):
    """The model's answer did not fit the ``output_type``, however often it was told why.

    Args:
        text: The last answer, as the model gave it.
    """

    def __init__(self, *args: object, text: str = "") -> None:
        super().__init__(*args)
        self.text = text


class ContextOverflow(AgentError):
    """The conversation does not fit the context window, and nothing more may be trimmed.

    Args:
        required: Tokens.
        available: Tokens.
        largest: What takes most of them, in words.
    """

    def __init__(self, required: int, available: int, largest: str = "") -> None:
        what = f"{largest}; shorten that" if largest else "shorten the query"
        super().__init__(
            f"context overflow: {required} tokens required, {available} available; {what} "
            "or use a model with a larger context window"
        )
        self.required = required
        self.available = available
        self.largest = largest


class GuardrailTripped(AgentError):
    """A guardrail ended the agent.

    Args:
        guardrail: Its name.
        stage: Where: ``check_input``, ``before_completion``, ``after_completion``, ``before_tool``, ``after_tool`` or
            ``check_output``.
        reason: What it said.
    """

    def __init__(self, guardrail: str, stage: str, reason: str) -> None:
        super().__init__(f"guardrail {guardrail} tripped in {stage}: {reason}")
        self.guardrail = guardrail
        self.stage = stage
        self.reason = reason


class CapabilityDenied(AgentError):
    """The manifest does not grant what was asked for."""


class ToolFailed(AgentError):
    """A tool failed. Raised by a tool, it becomes an error result for the model."""


class ManifestError(AgentError):
    """A manifest is refused.

    Args:
        problems: Every reason, with its place, the line of the file where it is known, and what may have been meant.
        source: The file.
        places: The keys and indexes that lead to each of them; empty for what is wrong with the file as a whole.
    """

    def __init__(
        self, problems: Iterable[str], *, source: str = "", places: Iterable[tuple[str | int, ...]] = ()
    ) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        self.places: tuple[tuple[str | int, ...], ...] = tuple(places)
        self.source = source
        where = f" {source}" if source else ""
        super().__init__(f"invalid manifest{where}: " + "; ".join(self.problems))


class MemoryFailed(AgentError):
    """A memory could not store or find something."""
