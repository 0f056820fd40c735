"""What an agent is, as data: the tables of a manifest."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from .agent.approval_rules import ApprovalDefault
from .agent.capability import Capability
from .agent.ledger import Effect
from .agent.manifest import (
    AgentManifest,
    ApprovalRules,
    McpServer,
    Output,
    ResourceLimits,
)
from .agent.manifest_table import Count, ManifestOrPath, Number, ObjectPath, Text, ToolName, Word
from .agent.manifest_tables import AgentTable, ContextTable, GuardrailTable, HandoffTable, MemoryTable
from .agent.mcp_transport import McpTransport
from .agent.model_config import ModelConfig
from .agent.ports import PrivacyTier
from .agent.prompt_function import PromptFunction, PromptMaker, SystemPrompt
from .agent.settings import ModelSettings, Options, ReasoningEffort, Seed, Stop, Temperature, TopP, YesOrNo
from .public import publish

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

publish(__name__, globals())
