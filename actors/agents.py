"""Agents: what they are started with, what they do, how they end."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime
    from typing import Annotated, Any

    from pydantic import Field

    from .agent.agent import Agent
    from .agent.assembly.llm_agent import LlmAgent
    from .agent.budget import Budget
    from .agent.config import Seconds, SpawnConfig
    from .agent.guardrail import Guardrail, GuardrailStage, Refuse, Trip, guardrail
    from .agent.terms.handoff import Handoff, HistoryFilter
    from .agent.terms.manifest import AgentManifest
    from .agent.terms.settings import ModelSettings
    from .conversation import Conversation
    from .core.clock import Clock
    from .core.records.conversation import AssistantMessage, Message, SystemMessage, ToolResultMessage, UserMessage
    from .core.records.json_fields import AnError, AnyValue, Text
    from .core.records.loop_result import AgentLoopResult
    from .core.records.message import AgentId
    from .core.records.outcome import AgentOutcome, AgentStatus, T_co
    from .core.records.outcomes import FailurePolicy, Outcomes
    from .core.records.result_field import RESULT
    from .core.records.spec import Backoff, RestartPolicy
    from .core.records.usage import TokenUsage
    from .core.supervision.async_map import AsyncMapIterator
    from .core.supervision.handle import AgentHandle
    from .core.supervision.map import MapIterator
    from .core.waiting.cancel import CancelToken, Deadline
    from .errors import ActorsError
    from .pool import AgentPool
    from .question import ask, outcome_of

__all__ = [
    "Agent",
    "AgentHandle",
    "AgentLoopResult",
    "AgentOutcome",
    "AgentPool",
    "AgentStatus",
    "AsyncMapIterator",
    "Backoff",
    "CancelToken",
    "Conversation",
    "Deadline",
    "FailurePolicy",
    "Guardrail",
    "GuardrailStage",
    "Handoff",
    "LlmAgent",
    "MapIterator",
    "Outcomes",
    "Refuse",
    "RestartPolicy",
    "SpawnConfig",
    "Trip",
    "ask",
    "guardrail",
    "outcome_of",
]

shelve(
    __name__,
    {
        "collections.abc": "Callable Hashable",
        "datetime": "datetime",
        "typing": "Annotated Any",
        "pydantic": "Field",
        ".agent.agent": "Agent",
        ".agent.assembly.llm_agent": "LlmAgent",
        ".agent.budget": "Budget",
        ".agent.config": "Seconds SpawnConfig",
        ".agent.guardrail": "Guardrail GuardrailStage Refuse Trip guardrail",
        ".agent.terms.handoff": "Handoff HistoryFilter",
        ".agent.terms.manifest": "AgentManifest",
        ".agent.terms.settings": "ModelSettings",
        ".question": "ask outcome_of",
        ".conversation": "Conversation",
        ".core.clock": "Clock",
        ".core.records.conversation": "AssistantMessage Message SystemMessage ToolResultMessage UserMessage",
        ".core.records.json_fields": "AnError AnyValue Text",
        ".core.records.loop_result": "AgentLoopResult",
        ".core.records.message": "AgentId",
        ".core.records.outcome": "AgentOutcome AgentStatus T_co",
        ".core.records.outcomes": "FailurePolicy Outcomes",
        ".core.records.result_field": "RESULT",
        ".core.records.spec": "Backoff RestartPolicy",
        ".core.records.usage": "TokenUsage",
        ".core.supervision.async_map": "AsyncMapIterator",
        ".core.supervision.handle": "AgentHandle",
        ".core.supervision.map": "MapIterator",
        ".core.waiting.cancel": "CancelToken Deadline",
        ".errors": "ActorsError",
        ".pool": "AgentPool",
    },
)
