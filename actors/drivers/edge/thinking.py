"""How Anthropic's models are told to think, and with what that does not go together.

Source: https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InferenceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def thinking_fields(draft: Draft, turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that say how long to think; none where the settings say nothing of it.

    Whoever thinks draws its words as it does: without a temperature.

    Args:
        turns: The conversation, as it is sent.
    Raises:
        InferenceFailed: Other settings do not go together with it.
    """
    effort = draft.request.settings.reasoning_effort
    if effort is None:
        return {}
    if effort == "none":
        return {"thinking": dict(OFF)}
    _check(draft, effort)
    if draft.profile.thinking == "adaptive":
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": EFFORTS.get(effort, effort)}}
    if draft.limit <= LEAST_BUDGET or not _may_begin(turns):
        return {}  # the window has no room for it, or another model is in the middle of its turn
    budget = max(LEAST_BUDGET, int(SHARES[effort] * draft.limit))
    return {"thinking": {"type": "enabled", "budget_tokens": min(budget, draft.limit - 1)}}


def _check(draft: Draft, effort: str) -> None:
    settings = draft.request.settings
    what = f"nothing was sent: with reasoning_effort={effort!r} Anthropic's models take"
    if draft.request.max_tokens <= LEAST_BUDGET:
        raise InferenceFailed(f"{what} max_tokens above {LEAST_BUDGET} only, got {draft.request.max_tokens}")
    if settings.top_p is not None and settings.top_p < LEAST_TOP_P:
        raise InferenceFailed(f"{what} top_p from {LEAST_TOP_P} only, got {settings.top_p}")
    if settings.tool_choice not in (None, "auto", "none"):
        raise InferenceFailed(
            f"{what} tool_choice 'auto' or 'none' only, got {settings.tool_choice!r}: "
            "leave one of both out, or ask OpenAIDriver(..., api='responses')"
        )


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
