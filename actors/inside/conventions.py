"""Names of OpenTelemetry's conventions for generative AI, as spans have them.

They are those of the semantic conventions 1.44 (``opentelemetry-semantic-conventions`` 0.66b2), which has handed them
on to a repository of their own, where all of them are still in development: they move, so they stand here alone, and
nothing depends on the package of constants. What has no name there begins with ``actors.``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

OPERATION: Final = "gen_ai.operation.name"
INVOKE_AGENT: Final = "invoke_agent"
CHAT: Final = "chat"
EXECUTE_TOOL: Final = "execute_tool"

ERROR_TYPE: Final = "error.type"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
MAX_TOKENS: Final = "gen_ai.request.max_tokens"
TEMPERATURE: Final = "gen_ai.request.temperature"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
AGENT_DESCRIPTION: Final = "gen_ai.agent.description"
CONVERSATION: Final = "gen_ai.conversation.id"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
FUNCTION: Final = "function"
CALL_ID: Final = "gen_ai.tool.call.id"

INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
ARGUMENTS: Final = "gen_ai.tool.call.arguments"
RESULT: Final = "gen_ai.tool.call.result"

AGENT_ID: Final = "actors.agent.id"
KEY: Final = "actors.agent.key"
GROUP: Final = "actors.agent.group"
RESTARTS: Final = "actors.agent.restarts"
QUEUED: Final = "actors.queued_seconds"
OUTCOME: Final = "actors.outcome"
ATTEMPT: Final = "actors.attempt"
COST: Final = "actors.cost_usd"
RECALLED: Final = "actors.recalled"
IS_ERROR: Final = "actors.is_error"

PROVIDERS: Final = MappingProxyType({"azure": "azure.ai.openai", "gemini": "gcp.gemini", "mistral": "mistral_ai"})
"""Our word for a server -> that of the conventions, where it is another one."""

FINISHED: Final = MappingProxyType(
    {"end_turn": "stop", "tool_use": "tool_call", "max_tokens": "length", "stop_sequence": "stop"}
)
"""Our word for the end of an answer -> that of an output message."""
