"""How Anthropic's models are told to think, and with what that does not go together.

Source: https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InferenceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...agent.terms.settings import ModelSettings
    from .draft import Draft

LEAST_BUDGET = 1024
"""Tokens; fewer are refused."""
SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95}
"""What part of the answer's tokens may be thoughts. Source: https://openrouter.ai/docs/use-cases/reasoning-tokens"""
EFFORTS = {"minimal": "low"}
"""Words of ours that the models which choose how long to think call otherwise."""
LEAST_TOP_P = 0.95
THOUGHTS = ("thinking", "redacted_thinking")
OFF: Mapping[str, str] = {"type": "disabled"}
INSTEAD = "leave one of both out, or ask OpenAIDriver(..., api='responses')"


def thinking_fields(draft: Draft, turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that say how long to think; none where the settings say nothing of it.

    Whoever thinks draws its words as it does: without a temperature, where nobody has said one.

    Args:
        turns: The conversation, as it is sent.
    Raises:
        InferenceFailed: The answer may have too few tokens for it.
    """
    effort = draft.request.settings.reasoning_effort
    if effort is None:
        return {}
    if effort == "none":
        return {"thinking": dict(OFF)}
    if draft.request.max_tokens <= LEAST_BUDGET:
        raise InferenceFailed(f"nothing was sent: {_with(effort)} {_tokens(draft.request.max_tokens)}")
    if draft.profile.thinking == "adaptive":
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": EFFORTS.get(effort, effort)}}
    if draft.limit <= LEAST_BUDGET or not _may_begin(turns):
        return {}  # the window has no room for it, or another model is in the middle of its turn
    budget = max(LEAST_BUDGET, int(SHARES[effort] * draft.limit))
    return {"thinking": {"type": "enabled", "budget_tokens": min(budget, draft.limit - 1)}}


def misfit(settings: ModelSettings) -> str | None:
    """What of *settings* does not go together with a model that thinks, and who can; None when all does."""
    effort = settings.reasoning_effort
    if effort in (None, "none"):
        return None
    if settings.max_tokens is not None and settings.max_tokens <= LEAST_BUDGET:
        return f"{_with(effort)} {_tokens(settings.max_tokens)}"
    if settings.temperature not in (None, 1):
        return f"{_with(effort)} no temperature, got {settings.temperature}: {INSTEAD}"
    if settings.top_p is not None and settings.top_p < LEAST_TOP_P:
        return f"{_with(effort)} top_p from {LEAST_TOP_P} only, got {settings.top_p}: {INSTEAD}"
    if settings.tool_choice not in (None, "auto", "none"):
        return f"{_with(effort)} tool_choice 'auto' or 'none' only, got {settings.tool_choice!r}: {INSTEAD}"
    return None


def _with(effort: str) -> str:
    return f"with reasoning_effort={effort!r} Anthropic's models take"


def _tokens(given: int) -> str:
    return f"max_tokens above {LEAST_BUDGET} only, got {given}"


def _may_begin(turns: Sequence[Mapping[str, Any]]) -> bool:
    """May it think now? Within a turn that calls tools, only if that turn began with thoughts: those of another model
    cannot be shown.
    """
    for turn in reversed(turns):
        kinds = [block.get("type") for block in turn["content"]]
        if turn["role"] == "assistant":
            return "tool_use" not in kinds or kinds[0] in THOUGHTS
        if "tool_result" not in kinds:
            return True
    return True
