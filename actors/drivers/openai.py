"""Models behind the Chat Completions protocol: OpenAI's own, vLLM, Ollama, llama.cpp, OpenRouter, a proxy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from ..agent.context_window import estimate_request
from ..agent.ports import AssistantMessage, CompletionResponse, StopReason, SystemMessage, ToolResultMessage
from ..errors import InferenceFailed, MalformedAnswer
from .remote import RemoteDriver, Wording
from .wording import AFTERWORDS, LAST_WORDS, Answer, ToolNames, pieces, sendable

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
        fields = {
            "model": request.model or self.model,
            "messages": [],  # the package insists on it
            "temperature": request.temperature,
            limit: request.max_tokens,
        }
        # These are in the protocol's words already: what the package would do to translate them takes longer than all
        # else of a call together.
        ready: dict[str, Any] = {"messages": [*system, *(_message(message, names) for message in request.messages)]}
        if request.tools:
            ready["tools"] = [
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
            ready["response_format"] = {"type": "json_schema", "json_schema": schema}
        return Wording(self._kept(fields, ready), names, estimate_request(request))

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
        async for chunk in pieces(stream, answer.patience):
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
        for place, call in enumerate(_listed(message)):
            function = getattr(call, "function", None)
            self.begin_call(
                place, getattr(call, "id", None), getattr(function, "name", None), getattr(function, "arguments", None)
            )
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
                put(sendable(text))
            for call in _listed(delta):
                self._take_part(call)
        self._finish = getattr(choice, "finish_reason", None) or self._finish

    def _take_text(self, part: Any) -> list[str]:
        texts = [text for text in _texts(getattr(part, "content", None)) if text]
        self._text += texts
        self._refusal += _texts(getattr(part, "refusal", None))
        return texts

    def _take_part(self, part: Any) -> None:
        """A piece of a tool call. Servers count differently: some call every call the first, some name no id."""
        index, id_ = getattr(part, "index", None), getattr(part, "id", None)
        function = getattr(part, "function", None)
        name, arguments = getattr(function, "name", None), getattr(function, "arguments", None)
        known = self._current.get(index)
        if known is None or (id_ and known[0] and id_ != known[0]) or (name and known[1] and _is_whole(known[2])):
            self.begin_call(index, id_, name, arguments if arguments is not None else "")
            return
        known[0], known[1] = known[0] or id_, known[1] or name
        if isinstance(arguments, str) and isinstance(known[2], str):
            known[2] += arguments
        elif arguments is not None:
            known[2] = arguments

    def patience(self) -> float | None:
        """How long the rest may take; None while the answer is not over."""
        if self._finish is None:
            return None
        return AFTERWORDS if self._written is None else LAST_WORDS

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


def _listed(part: Any) -> list[Any]:
    calls = getattr(part, "tool_calls", None)
    if calls is None or isinstance(calls, list):
        return calls or []
    raise MalformedAnswer(f"tool_calls must be a list, got {type(calls).__name__}")


def _texts(content: Any) -> list[str]:
    """The texts of what is a text, nothing, or a list of parts."""
    if content is None or isinstance(content, str):
        return [content] if content is not None else []
    if isinstance(content, list):
        texts: list[Any] = [
            part.get("text") if isinstance(part, dict) else getattr(part, "text", None) for part in content
        ]
        if all(isinstance(text, str) for text in texts):
            return texts
    raise MalformedAnswer(f"content must be a text, got {type(content).__name__}")


def _is_whole(arguments: Any) -> bool:
    """Are these the arguments of a call, to the end?"""
    if not isinstance(arguments, str):
        return arguments is not None
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True


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
