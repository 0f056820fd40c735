"""The records of the ports as data that JSON can hold, and back; and what tells two requests apart.

Messages carry their ``role``. Nothing is lost: lone surrogates, numbers that are none and bytes are marked
(``core/records/json_marks.py``), and come back as they were.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from ..core.records.content import is_told
from ..core.records.content_field import outline_of_part
from ..core.records.conversation import Message
from ..core.records.plain_records import (
    NotPlainError,
    data_of_calls,
    data_of_message,
    data_of_usage,
    flag_of,
    message_of_data,
    text_of,
)
from ..core.records.usage import TokenUsage
from .ledger import digest_of
from .ports import (
    AssistantMessage,
    CompletionRequest,
    CompletionResponse,
    StopReason,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)
from .same import Same
from .terms.settings import NUMBERS, ModelSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SHORT: Final = 8
"""Hexadecimal digits of a digest that only has to say which part differs."""

SHARED: Final = 64
"""Of so many system prompts, sets of tools and schemas the digests are kept."""
LONG: Final = 100_000
"""Characters of a text that is not kept for that."""

to_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
"""Data as one line of ASCII: the same text for the same data."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made when it is first needed: it takes a millisecond."""
    return TypeAdapter(kind)


def _data(kind: Any, value: object) -> Any:
    # Without warnings: drivers of a user's own put into their answers what they please.
    return _adapter(kind).dump_python(value, mode="json", warnings=False)


def request_to_data(request: CompletionRequest) -> dict[str, Any]:
    """*request* as data that JSON can hold."""
    data: dict[str, Any] = _data(CompletionRequest, request)
    data["settings"] = settings_to_data(request.settings)
    return data if data["settings"] else {name: value for name, value in data.items() if name != "settings"}


def settings_to_data(settings: ModelSettings) -> dict[str, Any]:
    """What *settings* do not leave open, as data that JSON can hold."""
    return settings.model_dump(mode="json", exclude=settings.open_names(), warnings=False)


def request_from_data(data: Mapping[str, Any]) -> CompletionRequest:
    """The request that :func:`request_to_data` wrote.

    Raises:
        ValueError: It is none.
    """
    request: CompletionRequest = _adapter(CompletionRequest).validate_python(data)
    return request


def response_to_data(response: CompletionResponse) -> dict[str, Any]:
    """*response* as data that JSON can hold."""
    try:
        return _plain_response(response)
    except NotPlainError:
        data: dict[str, Any] = _data(CompletionResponse, response)
        return data


def _plain_response(response: CompletionResponse) -> dict[str, Any]:
    if type(response) is not CompletionResponse or response.attachment is not None:
        raise NotPlainError
    if type(response.stop_reason) is not StopReason:
        raise NotPlainError
    data: dict[str, Any] = {
        "text": text_of(response.text),
        "stop_reason": str(response.stop_reason),
        "tool_calls": data_of_calls(response.tool_calls),
        "reasoning": text_of(response.reasoning),
        "is_paused": flag_of(response.is_paused),
    }
    said = {name: value for name, value in data.items() if value}  # whoever reads it fills in the defaults
    said["usage"] = data_of_usage(response.usage)
    return said


def response_from_data(data: Mapping[str, Any]) -> CompletionResponse:
    """The answer that :func:`response_to_data` wrote.

    Raises:
        ValueError: It is none.
    """
    response: CompletionResponse = _adapter(CompletionResponse).validate_python(data)
    return response


def message_to_data(message: Message) -> dict[str, Any]:
    """*message*, with its role, as data that JSON can hold."""
    try:
        return data_of_message(message)
    except NotPlainError:
        data: dict[str, Any] = _data(type(message), message)
        return data


def message_from_data(data: Mapping[str, Any]) -> Message:
    """The message that :func:`message_to_data` wrote.

    Raises:
        ValueError: It is none, or has no role.
    """
    try:
        return message_of_data(data)
    except NotPlainError:
        message: Message = _adapter(Message).validate_python(data)
        return message


def messages_to_data(messages: Sequence[Message], among: Sequence[Message]) -> list[Any]:
    """*messages* as data: those that are *among* others, which are known, by their places."""
    places = {id(message): place for place, message in enumerate(among)}
    return [_place_or_data(at, message, places, among) for at, message in enumerate(messages)]


def _place_or_data(at: int, message: Message, places: Mapping[int, int], among: Sequence[Message]) -> Any:
    place = places.get(id(message))
    if place is None and at < len(among) and among[at] == message:  # a copy that was not changed
        place = at
    return message_to_data(message) if place is None else place


def messages_from_data(data: Sequence[Any], among: Sequence[Message]) -> list[Message]:
    """What :func:`messages_to_data` wrote, of the same *among*."""
    return [among[each] if isinstance(each, int) else message_from_data(each) for each in data]


def paid_to_data(paid: Iterable[tuple[TokenUsage, float]]) -> list[Any]:
    """What was paid as data that JSON can hold: a pair of usage and USD for each call."""
    return [[_usage_to_data(usage), cost_usd] for usage, cost_usd in paid]


def _usage_to_data(usage: TokenUsage) -> Any:
    try:
        return data_of_usage(usage)
    except NotPlainError:
        return _data(TokenUsage, usage)


def paid_from_data(data: Iterable[Sequence[Any]]) -> list[tuple[TokenUsage, float]]:
    """What was paid, as :func:`paid_to_data` wrote it."""
    return [(TokenUsage(**usage), cost_usd) for usage, cost_usd in data]


# Digests --------------------------------------------------------------------------------------------------------


def digest(request: CompletionRequest) -> str:
    """What tells *request* from all others: 32 hexadecimal digits. The order of its tools does not count."""
    return Digester().parts(request).whole


@dataclass(frozen=True, slots=True)
class RequestParts:
    """The digests of the parts of a request, each of 32 hexadecimal digits."""

    system: str
    model: str
    settings: str
    schema: str
    tools: str
    messages: Sequence[str]

    @property
    def whole(self) -> str:
        """The digest of all of it."""
        fixed = (self.system, self.model, self.settings, self.schema, self.tools)
        return digest_of(" ".join((*fixed, *self.messages)))


_WORDS: Final = {
    "system": "system prompt",
    "model": "model",
    "settings": "settings",
    "schema": "output schema",
    "tools": "tools",
}
"""How a person calls each part but the messages."""


@dataclass(slots=True)
class Digester:
    """Makes digests of the requests of one conversation: what stood in the one before is not digested again.

    Messages, definitions of tools and schemas are taken to be what they were as long as they are the same objects.

    Threads: one at a time.
    """

    _messages: dict[int, tuple[Message, str]] = field(default_factory=dict)
    _constants: dict[str, tuple[Any, str]] = field(default_factory=dict)

    def parts(self, request: CompletionRequest) -> RequestParts:
        """The digests of *request*."""
        if len(self._messages) > 2 * len(request.messages) + 16:  # a window lets go of messages, and cuts others anew
            kept = ((id(message), self._messages.get(id(message))) for message in request.messages)
            self._messages = {number: known for number, known in kept if known is not None}
        return RequestParts(
            system=self._constant("system", request.system),
            model=self._constant("model", request.model),
            settings=self._settings(request),
            schema=self._constant("schema", request.output_schema),
            tools=self._constant("tools", request.tools),
            messages=[self.message(message) for message in request.messages],
        )

    def message(self, message: Message) -> str:
        """The digest of one message."""
        known = self._messages.get(id(message))
        if known is None:
            known = message, digest_of(_text_of_message(message))
            self._messages[id(message)] = known  # it is held: no other object gets its id
        return known[1]

    def _settings(self, request: CompletionRequest) -> str:
        """That of the numbers alone, where nothing else is said."""
        numbers = _digest_of_settings(request.max_tokens, request.temperature)
        if not request.settings.says_more:
            return numbers
        return digest_of(f"{numbers} {self._constant('settings', request.settings)}")

    def _constant(self, name: str, value: Any) -> str:
        """The digest of what seldom changes."""
        known = self._constants.get(name)
        if known is None or not (known[0] is value or _is_same(known[0], value)):
            known = self._constants[name] = value, _digest_of_constant(value)
        return known[1]


def _is_same(old: Any, new: Any) -> bool:
    if type(old) is tuple and type(new) is tuple:
        return len(old) == len(new) and all(one is other for one, other in zip(old, new, strict=True))
    return old is new


def _digest_of_constant(value: Any) -> str:
    """Thousands of conversations share a system prompt, tools and a schema."""
    if type(value) is tuple:
        return _digest_of_tools(*map(Same, value))
    if type(value) is str and len(value) > LONG:
        return digest_of(to_text(_constant_to_data(value)))
    return _digest_of_shared(value if type(value) is str else Same(value))


@lru_cache(maxsize=SHARED)
def _digest_of_tools(*tools: Same) -> str:
    return digest_of(to_text(_constant_to_data(tuple(each.value for each in tools))))


@lru_cache(maxsize=SHARED)
def _digest_of_shared(value: str | Same) -> str:
    return digest_of(to_text(_constant_to_data(value.value if type(value) is Same else value)))


@lru_cache(maxsize=SHARED, typed=True)
def _digest_of_settings(max_tokens: int, temperature: float) -> str:
    return digest_of(f"{max_tokens} {float(temperature)!r}")


def _text_of_message(message: Message) -> str:
    """The text of :func:`message_to_data`, where there is little in it, made directly."""
    try:
        if type(message) is UserMessage:
            return f'{{"content":{_told(message.content)},"role":"user"}}'
        if type(message) is ToolResultMessage:
            is_error = "true" if flag_of(message.is_error) else "false"
            said, number = _told(message.content), _quoted(message.tool_call_id)
            return f'{{"content":{said},"is_error":{is_error},"role":"tool","tool_call_id":{number}}}'
        if type(message) is AssistantMessage and message.tool_calls == () and message.attachment is None:
            said, thought = _quoted(message.content), _quoted(message.reasoning)
            return f'{{"attachment":null,"content":{said},"reasoning":{thought},"role":"assistant","tool_calls":[]}}'
    except NotPlainError:
        pass
    return to_text(message_to_data(message))


def _told(content: Any) -> str:
    """The text of content; of parts that are no text the digest of their bytes in place of these."""
    if isinstance(content, str):
        return _quoted(content)
    if not is_told(content):
        raise NotPlainError
    return to_text([outline_of_part(part) for part in content])


def _quoted(text: str) -> str:
    return to_text(text_of(text))


def _constant_to_data(value: Any) -> Any:
    if isinstance(value, tuple):  # tools
        told = (_data(ToolDefinition, each) for each in value)
        return sorted(told, key=lambda each: to_text(each["name"]))
    if isinstance(value, ModelSettings):  # its numbers stand in the request itself
        said = settings_to_data(value)
        return {name: each for name, each in said.items() if name not in NUMBERS}
    from ..core.records.json_value import to_json

    return to_json(value, exact=True)


# What differs ---------------------------------------------------------------------------------------------------


def parts_to_data(parts: RequestParts, before: Sequence[str] = ()) -> dict[str, Any]:
    """The digests of *parts*, shortened, as data that JSON can hold.

    Args:
        before: The digests of the messages of the request before. Those that the two begin with are only counted, so
            that what is kept of a conversation grows with it, and not with its square.
    """
    messages = parts.messages
    kept = _common(messages, before)
    fixed = {name: getattr(parts, name)[:SHORT] for name in _WORDS}
    return {**fixed, "kept": kept, "messages": [each[:SHORT] for each in messages[kept:]]}


def difference(recorded: Mapping[str, Any], before: Sequence[str], parts: RequestParts) -> str:
    """The first part in which a request differs from the recorded one; "" when none does.

    Args:
        recorded: What :func:`parts_to_data` made of that one.
        before: The digests of the messages of the request before, in which the two did not differ.
    Returns:
        ``system prompt``, ``model``, ``settings``, ``output schema``, ``tools``, ``message 7`` (the seventh),
        ``fewer messages`` or ``more messages``.
    """
    for name, words in _WORDS.items():
        if recorded.get(name) != getattr(parts, name)[:SHORT]:
            return words
    then = [each[:SHORT] for each in before[: recorded.get("kept", 0)]] + list(recorded.get("messages", ()))
    now = [each[:SHORT] for each in parts.messages]
    common = _common(then, now)
    if common < min(len(then), len(now)):
        return f"message {common + 1}"
    return "" if len(then) == len(now) else "fewer messages" if len(now) < len(then) else "more messages"


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many digests both begin with."""
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return index
    return min(len(one), len(other))
