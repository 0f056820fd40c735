"""What drivers, memories and tools have to be, and the messages that they exchange with an agent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from .agent.ledger import Effect
from .agent.ports import (
    CompletionRequest,
    CompletionResponse,
    LlmDriver,
    MemoryFilter,
    MemoryFragment,
    MemorySource,
    MemorySubstrate,
    PrivacyTier,
    StopReason,
    Tool,
    ToolDefinition,
    ToolResult,
)
from .agent.settings import ModelSettings
from .core.records.conversation import (
    AssistantMessage,
    Attachment,
    Message,
    SystemMessage,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from .core.records.json_fields import Data, Text
from .core.records.usage import TokenUsage
from .public import publish

__all__ = [
    "AssistantMessage",
    "Attachment",
    "CompletionRequest",
    "CompletionResponse",
    "Effect",
    "LlmDriver",
    "MemoryFilter",
    "MemoryFragment",
    "MemorySource",
    "MemorySubstrate",
    "Message",
    "PrivacyTier",
    "StopReason",
    "SystemMessage",
    "TokenUsage",
    "Tool",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "ToolResultMessage",
    "UserMessage",
]

publish(__name__, globals())
