"""What whoever traces an agent is told of its completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.crash import text_of
from ...core.tracing import CompletionEnding, TracedCompletion
from ..provider import model_asked, provider_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.usage import TokenUsage
    from ..ports import CompletionRequest, CompletionResponse, LlmDriver


def traced(
    request: CompletionRequest, driver: LlmDriver, *, attempt: int = 1, recalled: bool = False
) -> TracedCompletion:
    """What is known of *request* when *driver* is asked."""
    return TracedCompletion(
        provider_of(driver),
        model_asked(request.model, driver),
        attempt=attempt,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        recalled=recalled,
        system=request.system,
        messages=request.messages,
    )


def completion_ending(
    error: BaseException | None, response: CompletionResponse | None, paid: Sequence[tuple[TokenUsage, float]]
) -> CompletionEnding:
    """How it ended: *paid* is what this call alone has cost."""
    return CompletionEnding(
        error,
        stop_reason=None if response is None else text_of(response.stop_reason),
        input_tokens=sum(usage.input_tokens for usage, _ in paid) if paid else None,
        output_tokens=sum(usage.output_tokens for usage, _ in paid) if paid else None,
        cost_usd=float(sum(cost for _, cost in paid)) if paid else None,  # a driver's estimate may be a whole number
        response=response,
    )
