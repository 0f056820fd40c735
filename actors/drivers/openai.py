"""Models behind the Chat Completions protocol: OpenAI's own, vLLM, Ollama, llama.cpp, OpenRouter, a proxy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from ..agent.context_window import estimate_request
from ..agent.ports import AssistantMessage, CompletionResponse, StopReason, SystemMessage, ToolResultMessage
from ..errors import InferenceFailed, MalformedAnswer
from .remote import RemoteDriver, Wording
from .wording import Answer, ToolNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..agent.ports import CompletionRequest, Message

STOPS = {
    "stop": StopReason.END_TURN,
    "length": StopReason.MAX_TOKENS,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
}
OPENAI = "api.openai.com"
FILTERED = "content_filter"
CALLS_AT_MOST = 1024
"""Places for tool calls in one answer; a server that counts higher talks nonsense."""


class OpenAIDriver(RemoteDriver):
    """Asks any server that speaks OpenAI's Chat Completions, through the official package (extra ``openai``).

    The arguments are those of :class:`RemoteDriver`; the environment has ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL``.
    """

    package: ClassVar[str] = "openai"
    client_class: ClassVar[str] = "AsyncOpenAI"
    provider: ClassVar[str] = "openai"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    usual_window: ClassVar[int] = 128_000
    optional: ClassVar[tuple[str, ...]] = ("temperature", "stream_options", "response_format")

    def _wording(self, request: CompletionRequest) -> Wording:
        names = ToolNames.of(request)
        system = [{"role": "system", "content": request.system}] if request.system else []
        # OpenAI's own newer models know only the one word, other servers only the other.
        limit = "max_completion_tokens" if urlsplit(self.endpoint.url).hostname == OPENAI else "max_tokens"
        fields: dict[str, Any] = {
            "model": request.model or self.model,
            "messages": [*system, *(_message(message, names) for message in request.messages)],
            "temperature": request.temperature,
            limit: request.max_tokens,
        }
        if request.tools:
            fields["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": names.said(tool.name),
                        "description": tool.description,
                        "parameters": dict(tool.input_schema),
                    },
                }
                for tool in request.tools
            ]
        if request.output_schema is not None:
            schema = {"name": "answer", "schema": dict(request.output_schema)}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        return Wording(self._kept(fields), names, estimate_request(request))

    def _answer(self, wording: Wording) -> ChatAnswer:
        return ChatAnswer(wording.names, wording.tokens)

    async def _ask(
        self, client: Any, wording: Wording, answer: Answer, put: Callable[[str], None] | None
    ) -> CompletionResponse:
        assert isinstance(answer, ChatAnswer)
        if put is None:
            answer.take_whole(await client.chat.completions.create(**wording.fields))
            return answer.response()
        if "stream_options" not in self._left_out:
            wording.fields["stream_options"] = {"include_usage": True}
        stream = await client.chat.completions.create(**wording.fields, stream=True)
        async for chunk in stream:
            answer.take_piece(chunk, put)
        return answer.response()


class ChatAnswer(Answer):
    """One answer of Chat Completions."""

    def __init__(self, names: ToolNames, tokens: int) -> None:
        super().__init__(names, tokens)
        self._refusal: list[str] = []
        self._finish: str | None = None

    def take_whole(self, completion: Any) -> None:
        """The answer in one piece."""
        choice = _first_choice(completion)
        message = None if choice is None else getattr(choice, "message", None)
        if choice is None or message is None:
            raise MalformedAnswer(f"the server's answer has no choice with a message: {_short(completion)}")
        self._take_text(message)
        for place, call in enumerate(getattr(message, "tool_calls", None) or ()):
            function = getattr(call, "function", None)
            self._calls[place] = [
                getattr(call, "id", None),
                getattr(function, "name", None),
                getattr(function, "arguments", None),
            ]
        self._finish = getattr(choice, "finish_reason", None) or "stop"
        self._count(getattr(completion, "usage", None))

    def take_piece(self, chunk: Any, put: Callable[[str], None]) -> None:
        """A piece of a streamed answer."""
        self._count(getattr(chunk, "usage", None))
        choice = _first_choice(chunk)
        if choice is None:  # the last piece, with the usage
            return
        delta = getattr(choice, "delta", None)
        if delta is not None:
            for text in self._take_text(delta):
                put(text)
            for call in getattr(delta, "tool_calls", None) or ():
                self._take_part(call)
        self._finish = getattr(choice, "finish_reason", None) or self._finish

    def _take_text(self, part: Any) -> list[str]:
        texts = [text for text in (getattr(part, "content", None),) if isinstance(text, str) and text]
        self._text += texts
        refusal = getattr(part, "refusal", None)
        if isinstance(refusal, str):
            self._refusal.append(refusal)
        return texts

    def _take_part(self, part: Any) -> None:
        place = getattr(part, "index", None)
        id_ = getattr(part, "id", None)
        if not isinstance(place, int) or not 0 <= place < CALLS_AT_MOST:
            place = max(self._calls, default=0)
        known = self._calls.get(place)
        if known is not None and id_ and known[0] and id_ != known[0]:
            # Some servers count every call as the first: another id is another call.
            place = max(self._calls) + 1
            known = None
        if known is None:
            known = self._calls[place] = [None, None, ""]
        function = getattr(part, "function", None)
        known[0] = known[0] or id_
        known[1] = known[1] or getattr(function, "name", None)
        arguments = getattr(function, "arguments", None)
        if isinstance(arguments, str):
            known[2] += arguments

    def _count(self, usage: Any) -> None:
        if usage is not None:
            self._read = getattr(usage, "prompt_tokens", None)
            self._written = getattr(usage, "completion_tokens", None)

    def response(self) -> CompletionResponse:
        """All of it.

        Raises:
            InferenceFailed: The model refused, or the provider filtered its answer.
            MalformedAnswer: It broke off.
        """
        refusal = "".join(self._refusal)
        if refusal and not self._text:
            raise InferenceFailed(f"the model refused: {refusal}")
        if self._finish == FILTERED:
            raise InferenceFailed("the provider's content filter withheld the answer")
        if self._finish is None and not self._all_whole():
            raise MalformedAnswer("the stream ended before the answer did")
        return self.whole(STOPS.get(str(self._finish), StopReason.END_TURN))

    def _all_whole(self) -> bool:
        """Some servers end a stream of tool calls without a reason; arguments that can be read are whole."""
        calls = self.calls()
        return bool(calls) and not any(call.problem for call in calls)


def _first_choice(answer: Any) -> Any:
    choices = getattr(answer, "choices", None)
    return choices[0] if isinstance(choices, list) and choices else None


def _message(message: Message, names: ToolNames) -> dict[str, Any]:
    if isinstance(message, AssistantMessage):
        said: dict[str, Any] = {"role": "assistant", "content": message.content or None}
        calls = list(_calls_of(message, names))
        if calls:
            said["tool_calls"] = calls
        elif not message.content:
            said["content"] = ""
        return said
    if isinstance(message, ToolResultMessage):
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
    return {"role": "system" if isinstance(message, SystemMessage) else "user", "content": message.content}


def _calls_of(message: AssistantMessage, names: ToolNames) -> Iterator[dict[str, Any]]:
    for call in message.tool_calls:
        arguments = json.dumps(dict(call.input), default=str, ensure_ascii=False)
        yield {
            "id": call.id,
            "type": "function",
            "function": {"name": names.said(call.name), "arguments": arguments},
        }


def _short(answer: Any) -> str:
    text = str(answer)
    return text if len(text) <= 200 else f"{text[:200]}…"
