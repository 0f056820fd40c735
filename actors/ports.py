"""What drivers, memories and tools have to be, and the messages that they exchange with an agent."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any, ClassVar, Literal

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
    from .agent.takes import Takes
    from .agent.terms.effect import Effect
    from .agent.terms.settings import ModelSettings
    from .core.records.content_field import Content, LooseContent
    from .core.records.conversation import (
        AssistantMessage,
        Attachment,
        Message,
        SystemMessage,
        ToolCall,
        ToolResultMessage,
        UserMessage,
    )
    from .core.records.json_fields import Base64, Data, Text
    from .core.records.parts import AudioPart, FilePart, ImagePart, Part, TextPart
    from .core.records.usage import TokenUsage

__all__ = [
    "AssistantMessage",
    "Attachment",
    "AudioPart",
    "CompletionRequest",
    "CompletionResponse",
    "Content",
    "Effect",
    "FilePart",
    "ImagePart",
    "LlmDriver",
    "MemoryFilter",
    "MemoryFragment",
    "MemorySource",
    "MemorySubstrate",
    "Message",
    "Part",
    "PrivacyTier",
    "StopReason",
    "SystemMessage",
    "Takes",
    "TextPart",
    "TokenUsage",
    "Tool",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "ToolResultMessage",
    "UserMessage",
]

shelve(
    __name__,
    {
        "collections.abc": "Mapping Sequence",
        "datetime": "datetime",
        "typing": "Any ClassVar Literal",
        ".agent.ports": (
            "CompletionRequest CompletionResponse LlmDriver MemoryFilter MemoryFragment MemorySource "
            "MemorySubstrate PrivacyTier StopReason Tool ToolDefinition ToolResult"
        ),
        ".agent.takes": "Takes",
        ".agent.terms.effect": "Effect",
        ".agent.terms.settings": "ModelSettings",
        ".core.records.content_field": "Content LooseContent",
        ".core.records.conversation": (
            "AssistantMessage Attachment Message SystemMessage ToolCall ToolResultMessage UserMessage"
        ),
        ".core.records.json_fields": "Base64 Data Text",
        ".core.records.parts": "AudioPart FilePart ImagePart Part TextPart",
        ".core.records.usage": "TokenUsage",
    },
)
