"""Models behind Anthropic's Messages protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..agent.context_window import estimate_request
from ..agent.ports import AssistantMessage, CompletionResponse, StopReason, SystemMessage, ToolResultMessage
from ..errors import ContextOverflow, InferenceFailed, MalformedAnswer
from ..extras import need
from .remote import RemoteDriver, Wording
from .wording import AFTERWORDS, LAST_WORDS, Answer, ToolNames, pieces, sendable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.ports import CompletionRequest, Message

STOPS = {
    "end_turn": StopReason.END_TURN,
    "pause_turn": StopReason.END_TURN,
    "max_tokens": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE,
}
READ = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""What makes up the tokens that were read."""
HOTTEST = 1.0
"""The highest temperature that the protocol takes."""


class AnthropicDriver(RemoteDriver):
    """Asks any server that speaks Anthropic's Messages, through the official package (extra ``anthropic``).

    The arguments are those of :class:`RemoteDriver`; the environment has ``ANTHROPIC_API_KEY`` and
    ``ANTHROPIC_BASE_URL``.
    """

    package: ClassVar[str] = "anthropic"
    client_class: ClassVar[str] = "AsyncAnthropic"
    provider: ClassVar[str] = "anthropic"
    key_variable: ClassVar[str] = "ANTHROPIC_API_KEY"
    usual_window: ClassVar[int] = 200_000
    optional: ClassVar[tuple[str, ...]] = ("temperature", "output_config")

    def _wording(self, request: CompletionRequest) -> Wording:
        names = ToolNames.of(request)
        fields: dict[str, Any] = {
            "model": request.model or self.model,
            "messages": _messages(request, names),
            "max_tokens": request.max_tokens,
        }
        if request.system:
            fields["system"] = request.system
        if request.tools:
            fields["tools"] = [
                {
                    "name": names.said(tool.name),
                    "description": tool.description,
                    "input_schema": {"type": "object", **tool.input_schema},
                }
                for tool in request.tools
            ]
        if request.output_schema is not None:
            schema = need(self.package, self.package, type(self).__name__).transform_schema(dict(request.output_schema))
            fields["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        kept = self._kept(fields, {"temperature": min(request.temperature, HOTTEST)})
        return Wording(kept, names, estimate_request(request))

    def _answer(self, wording: Wording) -> MessageAnswer:
        return MessageAnswer(wording.names, wording.tokens)

    async def _ask(
        self, client: Any, wording: Wording, answer: Answer, put: Callable[[str], None] | None
    ) -> CompletionResponse:
        assert isinstance(answer, MessageAnswer)
        if put is None:
            answer.take_whole(await client.messages.create(**wording.fields))
            return answer.response()
        stream = await client.messages.create(**wording.fields, stream=True)
        async for event in pieces(stream, answer.patience):
            answer.take_event(event, put)
        return answer.response()


class MessageAnswer(Answer):
    """One answer of Messages."""

    def __init__(self, names: ToolNames, tokens: int) -> None:
        super().__init__(names, tokens)
        self._stop: str | None = None
        self._over = False
        self._counts: dict[str, int] = {}

    def take_whole(self, message: Any) -> None:
        """The answer in one piece."""
        content = getattr(message, "content", None)
        if not isinstance(content, list):
            raise MalformedAnswer("the server's answer has no content")
        for place, block in enumerate(content):
            self._begin_block(place, block, given=True)
        self._stop = getattr(message, "stop_reason", None) or "end_turn"
        self._count(getattr(message, "usage", None))

    def take_event(self, event: Any, put: Callable[[str], None]) -> None:
        """An event of a streamed answer; kinds that are not known are passed over."""
        kind = getattr(event, "type", None)
        if kind == "message_start":
            self._count(getattr(getattr(event, "message", None), "usage", None))
        elif kind == "content_block_start":
            for text in self._begin_block(getattr(event, "index", None), getattr(event, "content_block", None)):
                put(sendable(text))
        elif kind == "content_block_delta":
            self._take_delta(getattr(event, "index", None), getattr(event, "delta", None), put)
        elif kind == "message_delta":
            self._stop = getattr(getattr(event, "delta", None), "stop_reason", None) or self._stop
            self._count(getattr(event, "usage", None))
        elif kind == "message_stop":  # some servers give no reason before it
            self._over = True
            self._stop = self._stop or ("tool_use" if self._calls else "end_turn")

    def _begin_block(self, place: Any, block: Any, *, given: bool = False) -> list[str]:
        kind = getattr(block, "type", None)
        if kind == "tool_use":
            # While streaming the input comes in pieces of JSON, and what stands here is empty, or should be.
            arguments = getattr(block, "input", None)
            if not given and not arguments:
                arguments = ""
            self.begin_call(place, getattr(block, "id", None), getattr(block, "name", None), arguments)
        elif kind is None:
            raise MalformedAnswer("a block of the answer has no type")
        text = getattr(block, "text", None) if kind == "text" else ""
        if not isinstance(text, str):
            raise MalformedAnswer(f"a block of text must have a text, got {type(text).__name__}")
        texts = [text] if text else []
        self._text += texts
        return texts

    def _take_delta(self, place: Any, delta: Any, put: Callable[[str], None]) -> None:
        text = getattr(delta, "text", None)
        if isinstance(text, str) and text:
            self._text.append(text)
            put(sendable(text))
        piece = getattr(delta, "partial_json", None)
        call = self._current.get(place)
        if isinstance(piece, str) and call is not None and isinstance(call[2], str):
            call[2] += piece

    def patience(self) -> float | None:
        """How long the rest may take; None while the answer is not over."""
        if self._over:
            return LAST_WORDS
        return None if self._stop is None else AFTERWORDS

    def _count(self, usage: Any) -> None:
        for name in (*READ, "output_tokens"):
            tokens = getattr(usage, name, None)
            if isinstance(tokens, int) and tokens >= 0:
                self._counts[name] = tokens
        if READ[0] in self._counts:  # what a cache held was read, too
            self._read = sum(self._counts.get(name, 0) for name in READ)
        self._written = self._counts.get("output_tokens")

    def response(self) -> CompletionResponse:
        """All of it.

        Raises:
            InferenceFailed: The model refused.
            ContextOverflow: The window was full.
            MalformedAnswer: It broke off.
        """
        if self._stop == "refusal":
            raise InferenceFailed(f"the model refused: {self.text() or 'it gave no words'}")
        if self._stop == "model_context_window_exceeded":
            raise ContextOverflow(self._tokens + 1, self._tokens)
        if self._stop is None:
            raise MalformedAnswer("the stream ended before the answer did")
        return self.whole(STOPS.get(self._stop, StopReason.END_TURN))


def _messages(request: CompletionRequest, names: ToolNames) -> list[dict[str, Any]]:
    """The conversation, in turns: results stand in a turn of the user, and neighbours of one side are one turn."""
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        blocks = list(_blocks(message, names))
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message, names: ToolNames) -> list[dict[str, Any]]:
    if isinstance(message, ToolResultMessage):
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
        return [{**result, "is_error": True} if message.is_error else result]
    text = f"[system] {message.content}" if isinstance(message, SystemMessage) else message.content
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text.strip() else []
    if isinstance(message, AssistantMessage):
        blocks += [
            {"type": "tool_use", "id": call.id, "name": names.said(call.name), "input": dict(call.input)}
            for call in message.tool_calls
        ]
    return blocks
