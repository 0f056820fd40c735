"""What an agent is, as data: the tables of a manifest."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from .agent.approval_rules import ApprovalDefault
from .agent.capability import Capability
from .agent.ledger import Effect
from .agent.manifest import (
    AgentManifest,
    ApprovalRules,
    Count,
    McpServer,
    ModelConfig,
    Number,
    ObjectPath,
    Output,
    ResourceLimits,
    Text,
)
from .agent.mcp_transport import McpTransport
from .agent.ports import PrivacyTier
from .public import publish

__all__ = [
    "AgentManifest",
    "ApprovalDefault",
    "ApprovalRules",
    "McpServer",
    "McpTransport",
    "ModelConfig",
    "ResourceLimits",
]

publish(__name__, globals())
