"""Models behind the Chat Completions protocol: OpenAI's own, vLLM, Ollama, llama.cpp, OpenRouter, a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from .edge.chat_answer import ChatAnswer
from .edge.chat_request import chat_fields
from .edge.profiles import ProfileName, ServerProfile, profile_named
from .remote import RemoteDriver, RemoteSettings

if TYPE_CHECKING:
    from .edge.answer import Asked
    from .edge.draft import Draft


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
    optional: ClassVar[frozenset[str]] = frozenset({"temperature", "stream", "stream_options", "response_format"})

    def __init__(
        self, model: str, *, profile: ServerProfile | ProfileName | None = None, **settings: Unpack[RemoteSettings]
    ) -> None:
        self._given = profile
        super().__init__(model, **settings)

    def _profile_of(self, url: str) -> ServerProfile:
        return profile_named(self._given, url)

    @classmethod
    def _fields(cls, draft: Draft) -> dict[str, Any]:
        return chat_fields(draft)

    def _answer(self, asked: Asked) -> ChatAnswer:
        return ChatAnswer(asked)
