"""What an agent is, as data: the tables of a manifest."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Annotated, Any, Literal

    from pydantic import Field

    from .agent.ports import PrivacyTier
    from .agent.terms.approval_rules import ApprovalDefault
    from .agent.terms.capability import Capability
    from .agent.terms.effect import Effect
    from .agent.terms.manifest import (
        AgentManifest,
        ApprovalRules,
        McpServer,
        Output,
        ResourceLimits,
    )
    from .agent.terms.manifest_table import (
        Count,
        ManifestOrPath,
        Number,
        ObjectPath,
        Text,
        ToolName,
        Word,
    )
    from .agent.terms.manifest_tables import (
        AgentTable,
        ContextTable,
        GuardrailTable,
        HandoffTable,
        MemoryTable,
    )
    from .agent.terms.mcp_transport import McpTransport
    from .agent.terms.model_config import ModelConfig
    from .agent.terms.prompt_function import PromptFunction, PromptMaker, SystemPrompt
    from .agent.terms.settings import (
        ModelSettings,
        Options,
        ReasoningEffort,
        Seed,
        Stop,
        Temperature,
        TopP,
        YesOrNo,
    )

__all__ = [
    "AgentManifest",
    "AgentTable",
    "ApprovalDefault",
    "ApprovalRules",
    "ContextTable",
    "GuardrailTable",
    "HandoffTable",
    "McpServer",
    "McpTransport",
    "MemoryTable",
    "ModelConfig",
    "ModelSettings",
    "PromptFunction",
    "ResourceLimits",
]

shelve(
    __name__,
    {
        "pathlib": "Path",
        "typing": "Annotated Any Literal",
        "pydantic": "Field",
        ".agent.ports": "PrivacyTier",
        ".agent.terms.approval_rules": "ApprovalDefault",
        ".agent.terms.capability": "Capability",
        ".agent.terms.effect": "Effect",
        ".agent.terms.manifest": "AgentManifest ApprovalRules McpServer Output ResourceLimits",
        ".agent.terms.manifest_table": "Count ManifestOrPath Number ObjectPath Text ToolName Word",
        ".agent.terms.manifest_tables": "AgentTable ContextTable GuardrailTable HandoffTable MemoryTable",
        ".agent.terms.mcp_transport": "McpTransport",
        ".agent.terms.model_config": "ModelConfig",
        ".agent.terms.prompt_function": "PromptFunction PromptMaker SystemPrompt",
        ".agent.terms.settings": "ModelSettings Options ReasoningEffort Seed Stop Temperature TopP YesOrNo",
    },
)
