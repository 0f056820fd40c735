"""Models behind the Chat Completions protocol: OpenAI's own, vLLM, Ollama, llama.cpp, OpenRouter, a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from .edge.chat_answer import ChatAnswer
from .edge.chat_request import chat_tool, chat_turns
from .edge.profiles import ProfileName, ServerProfile, profile_named
from .remote import RemoteDriver, RemoteSettings

if TYPE_CHECKING:
    from ..agent.ports import CompletionRequest
    from .edge.answer import Asked
    from .edge.names import ToolNames


class OpenAIDriver(RemoteDriver):
    """Asks any server that speaks OpenAI's Chat Completions, through the official package (extra ``openai``).

    The arguments are those of :class:`RemoteDriver`, and *profile*; the environment has ``OPENAI_API_KEY`` and
    ``OPENAI_BASE_URL``.

    Args:
        profile: What is known of the server: ``openai``, ``azure``, ``gemini``, ``deepseek``, ``mistral``,
            ``openrouter``, ``ollama``, ``vllm``, ``llama.cpp``, ``kimi``, ``careful``, or a ``ServerProfile``; None
            takes that of the URL, and the careful one where the server is not known. What a server says of itself is
            learned.
    """

    package: ClassVar[str] = "openai"
    client_class: ClassVar[str] = "AsyncOpenAI"
    provider: ClassVar[str] = "openai"
    path: ClassVar[str] = "/chat/completions"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    usual_window: ClassVar[int] = 128_000
    optional: ClassVar[frozenset[str]] = frozenset({"temperature", "stream_options", "response_format"})

    def __init__(
        self, model: str, *, profile: ServerProfile | ProfileName | None = None, **settings: Unpack[RemoteSettings]
    ) -> None:
        super().__init__(model, **settings)
        self.profile = profile_named(profile, self.endpoint.url)

    def _fields(self, request: CompletionRequest, names: ToolNames, owner: str, limit: int) -> dict[str, Any]:
        profile = self.profile
        fields: dict[str, Any] = {
            "model": request.model or self.model,
            "messages": chat_turns(request, names, profile, owner),
            "temperature": request.temperature,
            profile.limit_field: limit,
            "stream_options": {"include_usage": True},
        }
        given = self._tools(request, profile.schemas)
        tools = [chat_tool(tool, names.said(tool.name), schema) for tool, schema in given]
        if tools:
            fields["tools"] = tools
        if request.output_schema is not None:
            schema = self._acceptable(request.output_schema, profile.schemas, "the answer's type")
            if schema is not None:
                answer = {"name": "answer", "schema": schema}
                fields["response_format"] = {"type": "json_schema", "json_schema": answer}
        return fields

    def _answer(self, asked: Asked) -> ChatAnswer:
        return ChatAnswer(asked)
