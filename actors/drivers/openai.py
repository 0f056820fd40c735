"""Models behind OpenAI's protocols: its own, vLLM, Ollama, llama.cpp, OpenRouter, a proxy."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, Unpack

from .edge.chat_answer import ChatAnswer
from .edge.chat_parts import CHAT_TAKES
from .edge.chat_request import chat_fields
from .edge.dialect import Dialect
from .edge.profiles import ProfileName, ServerProfile, profile_named
from .edge.responses_answer import ResponsesAnswer
from .edge.responses_parts import RESPONSES_TAKES
from .edge.responses_request import LIMIT_FIELD, responses_fields
from .openai_embedder import OpenAIEmbedder as OpenAIEmbedder
from .remote import RemoteDriver, RemoteSettings

if TYPE_CHECKING:
    from ..agent.terms.manifest import AgentManifest

ApiWord: TypeAlias = Literal["chat", "responses"]

CHAT = Dialect(
    "/chat/completions",
    chat_fields,
    ChatAnswer,
    frozenset({"temperature", "stream", "stream_options", "response_format"}),
    takes=CHAT_TAKES,
)
RESPONSES = Dialect(
    "/responses",
    responses_fields,
    ResponsesAnswer,
    # Not store: a server that cannot do without keeping a conversation has to be told by who uses it that it may.
    frozenset({"temperature", "stream", "text", "include"}),
    keeper="responses",
    unknown="if the server does not speak Responses, ask it with api='chat'; "
    "if it does, is base_url right? It ends before /responses, often with /v1",
    lacks=MappingProxyType(dict.fromkeys(("seed", "stop"), "OpenAIDriver(..., api='chat')")),
    takes=RESPONSES_TAKES,
)
APIS = {"chat": CHAT, "responses": RESPONSES}


class OpenAIDriver(RemoteDriver):
    """Asks any server that speaks one of OpenAI's protocols, through the official package (extra ``openai``).

    The arguments are those of :class:`RemoteDriver`, and these; the environment has ``OPENAI_API_KEY`` and
    ``OPENAI_BASE_URL``.

    Args:
        profile: What is known of the server: ``openai``, ``azure``, ``gemini``, ``deepseek``, ``mistral``,
            ``openrouter``, ``ollama``, ``vllm``, ``llama.cpp``, ``kimi``, ``careful``, or a ``ServerProfile``; None
            takes that of the URL, and the careful one where the server is not known. What a server says of itself is
            learned.
        api: ``chat``, Chat Completions, which nearly all servers speak; or ``responses``, in which what a reasoning
            model thought goes back with its calls. The conversation goes with each request, and the server is told to
            keep nothing (``store``).

    Raises:
        ValueError: There is no such *profile* or *api*, too.
    """

    package: ClassVar[str] = "openai"
    client_class: ClassVar[str] = "AsyncOpenAI"
    provider: ClassVar[str] = "openai"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    usual_window: ClassVar[int] = 128_000

    def __init__(
        self,
        model: str,
        *,
        profile: ServerProfile | ProfileName | None = None,
        api: ApiWord = "chat",
        **settings: Unpack[RemoteSettings],
    ) -> None:
        if not isinstance(api, str) or api not in APIS:
            raise ValueError(f"api must be one of {', '.join(map(repr, APIS))}; got {api!r}")
        self._given = profile
        self.api: ApiWord = api
        super().__init__(model, **settings)

    @classmethod
    def _of_manifest(cls, manifest: AgentManifest) -> dict[str, Any]:
        return {**super()._of_manifest(manifest), "api": manifest.model.api or "chat"}

    def _own_arguments(self) -> dict[str, Any]:
        return {"profile": self._given, "api": self.api}

    def _profile_of(self, url: str) -> ServerProfile:
        profile = profile_named(self._given, url)
        return profile if self.api == "chat" else replace(profile, limit_field=LIMIT_FIELD)

    def _dialect_of(self) -> Dialect:
        return APIS[self.api]
