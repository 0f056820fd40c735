"""What a guardrail has said, and how a ledger keeps it."""

from __future__ import annotations

import inspect
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from ..core.crash import safe_repr, text_of
from ..core.records.content import content_of, is_told
from ..core.records.conversation import AssistantMessage, Message, ToolCall, ToolResultMessage, UserMessage
from ..core.records.json_marks import from_json, marked_text
from .bounds import within_bounds
from .guardrail import Refuse, Trip
from .kept_value import adapter_of, value_from_data, value_to_data
from .ports import CompletionRequest, CompletionResponse, ToolResult
from .terms.message_text import as_text, told_content
from .terms.shortened import shortened
from .terms.structured import OutputShape
from .wire import (
    message_from_data,
    message_to_data,
    messages_from_data,
    messages_to_data,
    request_from_data,
    request_to_data,
    response_from_data,
    response_to_data,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import TypeAdapter

    from .terms.structured import Shape

T = TypeVar("T")

LONGEST_REASON: Final = 2_000
"""Characters of a reason."""
LONGEST_SHOWN: Final = 100
"""Characters of what it returned in place of something else."""


class NotARulingError(Exception):
    """What a guardrail returned says nothing that is known; the message says what it may return."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one guardrail said of ``seen``: it passes, with what it is from now on; or it does not.

    Args:
        seen: What goes on, changed or not.
        changed: Did the guardrail change it?
        answer: Why it does not go on; None: it does.
    """

    seen: Any
    changed: bool = False
    answer: Refuse | Trip | None = None


class Subject:
    """What guardrails of one stage look at: how it is shown to them, what may stand in its place, and how that is kept.

    Here: a query.
    """

    def shown(self, seen: Any) -> Any:
        """A copy for the guardrail: what it does to it in place changes nothing."""
        try:
            return deepcopy(seen)
        except Exception:  # noqa: BLE001 - a class of the user's that has no copies
            return seen

    def checked(self, answer: Any, seen: Any) -> Any:  # noqa: ARG002 - others look at it
        """What *answer* puts in the place of *seen*.

        Raises:
            NotARulingError: It can not stand there; the message says why.
        """
        try:
            content = content_of(answer)
        except (TypeError, ValueError) as error:
            raise NotARulingError(f"it must return a text or parts: {error}") from error
        if not is_told(content):
            raise NotARulingError(f"it must return a text or parts, not {_kind(answer)}")
        return content

    def to_data(self, changed: Any, seen: Any) -> Any:  # noqa: ARG002 - others look at it
        """*changed*, which stands in the place of *seen*, as data that JSON can hold."""
        return message_to_data(UserMessage(changed))

    def from_data(self, data: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """What :meth:`to_data` wrote."""
        return message_from_data(data).content


class RequestSubject(Subject):
    """A request. Of one that was changed only what differs is kept: a conversation is long, and asked about often."""

    def shown(self, seen: Any) -> Any:
        """A copy: of what can be changed in place."""
        return replace(
            seen,
            messages=tuple(map(_own_message, seen.messages)),
            tools=deepcopy(tuple(seen.tools)),
            output_schema=deepcopy(seen.output_schema),
            settings=deepcopy(seen.settings) if seen.settings.options else seen.settings,
        )

    def checked(self, answer: Any, seen: Any) -> Any:  # noqa: ARG002 - of the class above
        """A request of messages."""
        if not isinstance(answer, CompletionRequest):
            raise NotARulingError(f"it must return a CompletionRequest, not {_kind(answer)}")
        for message in answer.messages:
            if not isinstance(message, Message):
                raise NotARulingError(f"it returned a request with {_kind(message)} among its messages")
        if not answer.messages:
            raise NotARulingError("it returned a request without a message")
        alone = replace(answer, messages=())
        _read_again(lambda: request_from_data(request_to_data(alone)), "CompletionRequest")
        return answer

    def to_data(self, changed: Any, seen: Any) -> Any:
        """The fields that differ, and the messages: those that stay by their places."""
        before, after = (request_to_data(replace(each, messages=())) for each in (seen, changed))
        fields = {name: value for name, value in after.items() if before.get(name) != value}
        return {"fields": fields, "messages": messages_to_data(changed.messages, seen.messages)}

    def from_data(self, data: Any, seen: Any) -> Any:
        """The request, on the ground of the one that was seen."""
        fields = {**request_to_data(replace(seen, messages=())), **data["fields"]}
        return replace(request_from_data(fields), messages=tuple(messages_from_data(data["messages"], seen.messages)))


class ResponseSubject(Subject):
    """An answer."""

    def shown(self, seen: Any) -> Any:
        """A copy: its calls have arguments."""
        return replace(seen, tool_calls=tuple(map(_own_call, seen.tool_calls)))

    def checked(self, answer: Any, seen: Any) -> Any:  # noqa: ARG002 - of the class above
        """An answer within the bounds."""
        if not isinstance(answer, CompletionResponse):
            raise NotARulingError(f"it must return a CompletionResponse, not {_kind(answer)}")
        read = _read_again(lambda: response_from_data(response_to_data(answer)), "CompletionResponse")
        return within_bounds(replace(answer, stop_reason=read.stop_reason))

    def to_data(self, changed: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """As any answer."""
        return response_to_data(changed)

    def from_data(self, data: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """As any answer."""
        return response_from_data(data)


class CallSubject(Subject):
    """A call. It keeps its id: the model waits for a result of that."""

    def shown(self, seen: Any) -> Any:
        """A copy: it has arguments."""
        return _own_call(seen)

    def checked(self, answer: Any, seen: Any) -> Any:
        """A call within the bounds."""
        if not isinstance(answer, ToolCall):
            raise NotARulingError(f"it must return a ToolCall, not {_kind(answer)}")
        (call, *_) = within_bounds(CompletionResponse(tool_calls=(replace(answer, id=seen.id),))).tool_calls
        return call

    def to_data(self, changed: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """As that of a message."""
        return message_to_data(AssistantMessage("", (changed,)))

    def from_data(self, data: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """As that of a message."""
        message = message_from_data(data)
        assert isinstance(message, AssistantMessage)
        return message.tool_calls[0]


class ResultSubject(Subject):
    """The result of a call."""

    def checked(self, answer: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """A result, as the model may be told it."""
        if not isinstance(answer, ToolResult):
            raise NotARulingError(f"it must return a ToolResult, not {_kind(answer)}")
        if not is_told(answer.content):
            raise NotARulingError(f"it must return a ToolResult of a text or parts, not of {_kind(answer.content)}")
        return replace(answer, content=told_content(answer.content), is_error=bool(answer.is_error))

    def to_data(self, changed: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """As a message."""
        return message_to_data(ToolResultMessage("", changed.content, changed.is_error))

    def from_data(self, data: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """As a message."""
        message = message_from_data(data)
        assert isinstance(message, ToolResultMessage)
        return ToolResult(message.content, message.is_error)


class OutputSubject(Subject):
    """The last answer.

    Args:
        shape: What it has to be; None: text.
    """

    def __init__(self, shape: Shape | None) -> None:
        self._shape = shape

    def checked(self, answer: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """A value that fits."""
        if self._shape is not None:
            try:
                return self._shape.fitted(answer)
            except ValueError as error:
                raise NotARulingError(f"what it returned does not fit the output_type: {error}") from error
        if not isinstance(answer, str):
            raise NotARulingError(f"it must return a text, not {_kind(answer)}")
        return answer

    def to_data(self, changed: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """It as JSON.

        Raises:
            NotKeptError: JSON does not hold it.
        """
        return marked_text(changed) if self._shape is None else value_to_data(self._adapter(self._shape), changed)

    def from_data(self, data: Any, seen: Any) -> Any:  # noqa: ARG002 - as above
        """What the JSON holds.

        Raises:
            NotKeptError: Its type does not read it (any more).
        """
        return from_json(data) if self._shape is None else value_from_data(self._adapter(self._shape), data)

    def text_of(self, value: Any) -> str:
        """Its text, in the conversation."""
        if self._shape is None:
            return str(value)
        try:
            return self._adapter(self._shape).dump_json(value).decode()
        except Exception:  # noqa: BLE001 - a value that JSON does not hold
            return as_text(value)

    @staticmethod
    def _adapter(shape: Shape) -> TypeAdapter[Any]:
        return shape.adapter if isinstance(shape, OutputShape) else adapter_of(Any)


def ruling_of(answer: Any, given: Any, seen: Any, subject: Subject) -> Ruling:
    """What *answer* says of *seen*, of which the guardrail was given the copy *given*.

    Raises:
        NotARulingError: It says nothing that is known.
    """
    if answer is None:
        return Ruling(seen)
    if isinstance(answer, Refuse | Trip):
        return Ruling(seen, answer=type(answer)(shortened(str(answer.reason), LONGEST_REASON)))
    if answer is given and _is_same(given, seen):
        return Ruling(seen)
    if inspect.iscoroutine(answer):
        answer.close()
    return Ruling(subject.checked(answer, seen), changed=True)


def ruling_to_data(ruling: Ruling, seen: Any, subject: Subject) -> dict[str, Any]:
    """*ruling* of *seen* as data that JSON can hold."""
    answer = ruling.answer
    if answer is not None:
        return {"says": "refuse" if isinstance(answer, Refuse) else "trip", "reason": marked_text(answer.reason)}
    return {"says": "change", "value": subject.to_data(ruling.seen, seen)} if ruling.changed else {"says": "pass"}


def ruling_from_data(data: Mapping[str, Any], seen: Any, subject: Subject) -> Ruling:
    """What :func:`ruling_to_data` wrote, of the same *seen*."""
    says = data["says"]
    if says == "pass":
        return Ruling(seen)
    if says == "change":
        return Ruling(subject.from_data(data["value"], seen), changed=True)
    reason = from_json(data["reason"])
    return Ruling(seen, answer=Refuse(reason) if says == "refuse" else Trip(reason))


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{type(value).__name__}: {shortened(safe_repr(value), LONGEST_SHOWN)}"


def _read_again(read: Callable[[], T], what: str) -> T:
    """What *read* reads of what a guardrail has made: it is there in a later life, too.

    Raises:
        NotARulingError: Something in it has another type.
    """
    try:
        return read()
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        place = ".".join(map(str, first["loc"]))
        raise NotARulingError(f"it returned a {what} that is none: {place}: {first['msg']}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise NotARulingError(f"it returned a {what} that is none: {text_of(error)}") from error


def _own_call(call: ToolCall) -> ToolCall:
    return replace(call, input=deepcopy(call.input))


def _own_message(message: Message) -> Message:
    if isinstance(message, AssistantMessage) and message.tool_calls:
        return replace(message, tool_calls=tuple(map(_own_call, message.tool_calls)))
    return message


def _is_same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - as a class of the user's pleases
        return False
