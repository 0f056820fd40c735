"""A tool that asks a model once (``inference``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.assembly import resolve
from ..agent.loop.driver_call import DriverCalls
from ..agent.ports import CompletionRequest, StopReason
from ..agent.terms.capability import Inference
from ..agent.terms.model_config import ModelConfig
from ..core.records.conversation import UserMessage
from ..errors import DriverError, ToolFailed
from .tool import FunctionTool, tool

if TYPE_CHECKING:
    from ..agent.agent import Agent
    from ..agent.ports import CompletionResponse, LlmDriver
    from ..core.waiting.cancel import CancelToken

TIMEOUT = 300.0
"""Seconds that a call may take."""
OWN_PRICES = ModelConfig()
"""Another driver's model and prices are the driver's own, not those of the agent's manifest."""


def inference_tool(
    driver: LlmDriver | None = None,
    *,
    max_tokens: int = 4096,
    name: str = "ask_model",
    timeout: float = TIMEOUT,
) -> FunctionTool[..., str]:
    """Make a tool that asks *driver* one question: no tools, no conversation.

    What it costs is charged to the agent's budgets; an agent whose privacy is stricter than the driver's tier is
    refused.

    Args:
        driver: Who answers; None asks the agent's own.
        max_tokens: The longest answer.
        name: The tool's name.
        timeout: Seconds for a call, its retries included.
    """

    def ask_model(
        prompt: Annotated[str, Field(min_length=1)],
        system: str | None = None,
        temperature: Annotated[float, Field(ge=0, le=2)] = 0.3,
        *,
        agent: Agent[Any],
        cancel: CancelToken,
    ) -> str:
        """Ask a model one question. It sees nothing of this conversation and has no tools.

        Args:
            prompt: The question, with all that is needed to answer it.
            system: Who the model is to be.
            temperature: From 0 (always alike) to 2.
        """
        asked, model = _chosen(agent, driver)
        window = min(asked.context_window, agent.manifest.model.context_window or asked.context_window)
        request = CompletionRequest(
            (UserMessage(prompt),),
            system=system,
            max_tokens=max(1, min(max_tokens, window // 4)),
            temperature=temperature,
            model=model.name,
        )

        def ask(request: CompletionRequest, attempt: int) -> CompletionResponse:  # noqa: ARG001 - nothing is shown
            return asked.complete(request, cancel=cancel)

        def back_off(delay: float, why: str) -> None:  # noqa: ARG001 - it is in a tool, and nobody asks after more
            agent.sleep(delay)

        try:
            response, _ = DriverCalls(agent, asked, model).complete(request, ask, back_off)
        except DriverError as error:
            raise ToolFailed(f"the model does not answer: {error}") from error
        cut = "\n[the answer was cut here]" if response.stop_reason is StopReason.MAX_TOKENS else ""
        return response.text + cut

    return tool(ask_model, capability=Inference(), timeout=timeout, name=name, effect="idempotent")


ask_model = inference_tool()
"""The tool that asks the agent's own driver."""


def _chosen(agent: Agent[Any], driver: LlmDriver | None) -> tuple[LlmDriver, ModelConfig]:
    """Whom to ask, and for which model; refused when this agent may not."""
    manifest = agent.manifest
    if driver is None:
        if agent.driver is None:
            raise ToolFailed("this agent has no driver to ask")
        return agent.driver, manifest.model
    manifest = manifest.model_copy(update={"model": OWN_PRICES})
    misfit = resolve.misfit(manifest, type(agent), driver, counts_cost=agent._parts.account.limits_cost)
    if misfit is not None:
        raise ToolFailed(str(misfit))
    return driver, OWN_PRICES
