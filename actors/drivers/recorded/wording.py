"""How a request is told in a file: without what changes, what is secret, and where servers are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ...agent.ports import CompletionRequest
from ...agent.terms.settings import NO_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...agent.ports import CompletionResponse

    Normalize = Callable[[CompletionRequest], CompletionRequest]
    Redact = Callable[[str], str]

T = TypeVar("T")

_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,20}://[^\s'\"<>()]+|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b", re.IGNORECASE
)
_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|key|token|bearer)[-_ :='\"]{1,4}(?=[\w*.-]{0,80}\d)[\w*.-]{11,}[\w*]|\bAIza[\w-]{20,}",
    re.IGNORECASE,
)
"""What a server quotes of a key that it does not take; a number is in each."""
ELSEWHERE = "<address>"
SECRET = "<key>"  # noqa: S105 - in its place


class Wording:
    """What becomes of requests and answers on their way into a file, and of requests before they are looked for there.

    Args:
        normalize: Leaves out of a request what changes from run to run.
        redact: Takes out of a text what nobody may read. What it returns it leaves as it is.

    Threads: any; both are called in the agent's.
    """

    def __init__(self, normalize: Normalize | None = None, redact: Redact | None = None) -> None:
        for name, given in (("normalize", normalize), ("redact", redact)):
            if given is not None and not callable(given):
                raise TypeError(f"{name} must be a function, got {type(given).__name__}")
        self._normalize = normalize
        self._redact = redact

    def request(self, request: CompletionRequest) -> CompletionRequest:
        """*request* as it is recorded and matched.

        Raises:
            TypeError: ``normalize`` or ``redact`` returned something else.
        """
        if self._normalize is not None:
            told: object = self._normalize(request)
            if not isinstance(told, CompletionRequest):
                raise TypeError(f"normalize must return a CompletionRequest, got {type(told).__name__}")
            request = told
        messages = tuple(map(_placeless, request.messages))
        if any(told is not message for told, message in zip(messages, request.messages, strict=True)):
            request = replace(request, messages=messages)
        if self._redact is None:
            return request
        if request.settings is not NO_SETTINGS:  # words of the library's own are no texts
            texts = {name: self._redacted_any(getattr(request.settings, name)) for name in ("stop", "options")}
            request = replace(request, settings=request.settings.model_copy(update=texts))
        return self._redacted(request)

    def response(self, response: CompletionResponse) -> CompletionResponse:
        """*response* as it is recorded."""
        response = _placeless(response)
        return response if self._redact is None else self._redacted(response)

    def error(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What is recorded of an error: its words, without addresses and keys."""
        told = {name: _without_keys(_without_addresses(value)) for name, value in record.items()}
        if self._redact is None:
            return told
        return {name: value if name == "type" else self._redacted(value) for name, value in told.items()}

    def _redacted(self, value: T) -> T:
        return cast("T", self._redacted_any(value))

    def _redacted_any(self, value: Any) -> Any:
        """*value* with each text in it redacted: names of arguments, too; words of enumerations are no texts."""
        if isinstance(value, str):
            return value if isinstance(value, Enum) else self._redacted_text(value)
        if isinstance(value, Mapping):
            return self._redacted_mapping(value)
        if isinstance(value, list | tuple):
            told = [self._redacted_any(each) for each in value]
            return tuple(told) if isinstance(value, tuple) else told
        if is_dataclass(value) and not isinstance(value, type):
            changed = {each.name: self._redacted_any(getattr(value, each.name)) for each in fields(value)}
            return replace(value, **changed)
        return value

    def _redacted_mapping(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        told: dict[Any, Any] = {}
        for key, each in value.items():
            name = self._redacted_any(key)
            while name in told:  # two that look the same now are still two
                name = f"{name}~"
            told[name] = self._redacted_any(each)
        return told

    def _redacted_text(self, text: str) -> str:
        assert self._redact is not None
        told: object = self._redact(text) if text else text
        if not isinstance(told, str):
            raise TypeError(f"redact must return a str, got {type(told).__name__}")
        return told


class Verbatim(Wording):
    """Tells requests as they are."""

    def request(self, request: CompletionRequest) -> CompletionRequest:
        """*request*."""
        return request


def _without_keys(value: Any) -> Any:
    return _KEY.sub(SECRET, value) if isinstance(value, str) else value


def _without_addresses(value: Any) -> Any:
    return _ADDRESS.sub(ELSEWHERE, value) if isinstance(value, str) else value


def _placeless(record: T) -> T:
    """*record*, a message, an answer or a call, with attachments that do not say at which address their owner is."""
    told: Any = record
    attachment, calls = getattr(told, "attachment", None), getattr(told, "tool_calls", ())
    if attachment is not None:
        told = replace(told, attachment=replace(attachment, owner=_without_addresses(attachment.owner)))
    if any(call.attachment is not None for call in calls):
        told = replace(told, tool_calls=tuple(map(_placeless, calls)))
    return cast("T", told)
