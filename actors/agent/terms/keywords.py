"""What the tables of a manifest take by name, as a person may write it, for type checkers and editors: in a call of its
class, or in a dict in its place. How it is kept stands in the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .approval_rules import ApprovalDefault, ApprovalWord
    from .capability import Texts
    from .effect import Effect, EffectWord
    from .manifest_table import ManifestTable
    from .mcp_transport import McpTransport, TransportWord
    from .prompt_function import PromptFunction
    from .settings import ReasoningEffort, ToolChoice


ContextPolicy = Literal["drop_oldest", "summarize"]
"""Any other word is a ``package.module:function``."""


class PromptKeywords(TypedDict):
    """Of a ``PromptFunction``."""

    function: str


class ModelKeywords(TypedDict, total=False):
    """Of a ``ModelConfig``."""

    model_path: str | None
    remote_model: str | None
    model_repo: str | None
    model_quantization: str | None
    max_tokens: int
    temperature: float
    system_prompt: str | PromptFunction | PromptKeywords | Callable[..., str]
    prompt_template: bool
    context_window: int | None
    driver: str | None
    base_url: str | None
    private_hosts: Texts
    usd_per_million_input_tokens: float | None
    usd_per_million_output_tokens: float | None
    usd_per_million_cached_input_tokens: float | None
    usd_per_million_cache_write_tokens: float | None
    api: Literal["chat", "responses"] | None
    top_p: float | None
    seed: int | None
    stop: Texts | None
    reasoning_effort: ReasoningEffort | None
    tool_choice: ToolChoice | str | None
    parallel_tool_calls: bool | None
    prompt_cache: bool | None
    options: Mapping[str, Any]


class LimitKeywords(TypedDict, total=False):
    """Of ``ResourceLimits``."""

    max_iterations: int
    max_tool_calls: int
    max_cost_usd: float
    max_tokens_budget: int | None
    max_handoffs: int


class ApprovalKeywords(TypedDict, total=False):
    """Of ``ApprovalRules``."""

    tools: Texts
    timeout: float | None
    default: ApprovalDefault | ApprovalWord


class McpKeywords(TypedDict, total=False):
    """Of an ``McpServer``."""

    name: Required[str]
    transport: McpTransport | TransportWord
    command: Texts
    env: Texts
    url: str | None
    headers: dict[str, str]
    timeout: float
    start_timeout: float
    effects: Mapping[str, Effect | EffectWord]


class ContextKeywords(TypedDict, total=False):
    """Of a ``ContextTable``."""

    policy: ContextPolicy | str
    keep_last: int
    summary_model: str | None
    summary_every: int


class HandoffKeywords(TypedDict, total=False):
    """Of a ``HandoffTable``."""

    name: Required[str]
    manifest: Required[str | ManifestTable]
    description: str


class AgentKeywords(TypedDict, total=False):
    """Of an ``AgentTable``."""

    name: Required[str]
    manifest: Required[str | ManifestTable]
    description: str
    own_grants: bool


class GuardrailKeywords(TypedDict, total=False):
    """Of a ``GuardrailTable``."""

    use: Texts
    concurrent: bool


class MemoryKeywords(TypedDict, total=False):
    """Of a ``MemoryTable``."""

    path: str | None
    remember: bool
