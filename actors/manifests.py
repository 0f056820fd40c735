"""What an agent is, as data: the tables of a manifest."""

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
