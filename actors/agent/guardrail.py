"""What a guardrail is, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..public import publish

if TYPE_CHECKING:
    from ..core.records.conversation import ToolCall
    from .ports import CompletionRequest, CompletionResponse, ToolResult

FnT = TypeVar("FnT", bound=Callable[..., Any])


class GuardrailStage(StrEnum):
    """Where a guardrail looks: each is the name of the method, or of the function, that does."""

    CHECK_INPUT = "check_input"
    BEFORE_COMPLETION = "before_completion"
    AFTER_COMPLETION = "after_completion"
    BEFORE_TOOL = "before_tool"
    AFTER_TOOL = "after_tool"
    CHECK_OUTPUT = "check_output"


GuardrailStageWord = Literal[
    "check_input", "before_completion", "after_completion", "before_tool", "after_tool", "check_output"
]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not so: the model is told *reason*, and asked again within the limits."""

    reason: str


@dataclass(frozen=True, slots=True)
class Trip:
    """Not at all: the agent ends ``failed``, with a ``GuardrailTripped`` that has *reason*."""

    reason: str


class Guardrail:
    """What an ``LlmAgent`` is checked by on its way. Subclass it and define what you need; any other object with such
    methods is as good, and so is a function with the name of one of them.

    Each returns None (go on), a changed object in place of the one that it was given, ``Refuse(reason)`` or
    ``Trip(reason)``. One that raises trips. What it changes in place changes nothing. A parameter ``agent`` gets the
    agent, one called ``cancel`` its cancel token, for those that take long.

    Threads: the agent's own, but for a concurrent ``check_input``; one guardrail serves many agents at once.

    Example:
        ```python
        from actors import AgentManifest, Guardrail, Refuse, SpawnConfig, ToolCall

        class NoRefunds(Guardrail):
            def before_tool(self, call: ToolCall) -> Refuse | None:
                return Refuse("refunds are made by people") if call.name == "refund" else None

        config = SpawnConfig(AgentManifest(name="clerk"), "Refund order 7.", guardrails=[NoRefunds()])
        ```
    """

    concurrent: bool = False
    """May :meth:`check_input` run beside the first completion? What that says is dropped when it does not pass."""

    def check_input(self, query: Any) -> Any:
        """Look at what the agent is asked: text, or a list of parts.

        Args:
            query: As the agent was given it.
        """

    def before_completion(self, request: CompletionRequest) -> CompletionRequest | Refuse | Trip | None:
        """Look at what is about to be sent: it fits the window, and is sanitized.

        Args:
            request: A copy: what is changed in place changes nothing.
        """

    def after_completion(self, response: CompletionResponse) -> CompletionResponse | Refuse | Trip | None:
        """Look at an answer, before anything is made of it.

        Args:
            response: A copy: what is changed in place changes nothing.
        """

    def before_tool(self, call: ToolCall) -> ToolCall | Refuse | Trip | None:
        """Look at a call, before anybody is asked for approval."""

    def after_tool(self, call: ToolCall, result: ToolResult) -> ToolResult | Refuse | Trip | None:
        """Look at the result of a call that was run, as the model is about to be told it."""

    def check_output(self, value: Any) -> Any:
        """Look at the last answer: its text, or with an ``output_type`` the value."""


def guardrail(stage: GuardrailStage | GuardrailStageWord, *, concurrent: bool = False) -> Callable[[FnT], FnT]:
    """Say where the function below looks: for one whose name does not.

    Args:
        concurrent: Of ``check_input``: may it run beside the first completion?
    Raises:
        ValueError: There is no such stage, or it can not be concurrent.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, Refuse, ScriptedDriver, SpawnConfig, guardrail

        @guardrail("check_output")
        def no_prices(value: str) -> Refuse | None:
            return Refuse("name no prices") if "EUR" in value else None

        driver = ScriptedDriver(["It costs 3 EUR.", "Ask at the desk."])
        with AgentPool(driver) as pool:
            clerk = SpawnConfig(AgentManifest(name="clerk"), "What is it?", guardrails=[no_prices])
            print(pool.spawn(clerk).result().text)
        ```

        ```text
        Ask at the desk.
        ```
    """
    if stage not in list(GuardrailStage):
        raise ValueError(f"{stage!r} is no stage of a guardrail: they are {', '.join(GuardrailStage)}")
    if concurrent and stage != GuardrailStage.CHECK_INPUT:
        raise ValueError(f"only check_input can be concurrent: {stage!s} has to be waited for")

    def mark(fn: FnT) -> FnT:
        vars(fn).update(stage=GuardrailStage(stage), concurrent=concurrent)
        return fn

    return mark


publish("actors.agents", GuardrailStage, Refuse, Trip)
