"""Answers from a list, in order: for tests and demonstrations."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypedDict, TypeVar, Unpack

from ..agent.ports import CompletionResponse, StopReason
from ..agent.takes import EVERYTHING, Takes
from ..core.records.conversation import ToolCall
from ..errors import Cancelled, InferenceFailed, fresh_copy
from .base import Driver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..agent.ports import CompletionRequest
    from ..core.records.usage import TokenUsage
    from ..core.waiting.cancel import CancelToken

Answer: TypeAlias = CompletionResponse | str | BaseException | type[BaseException]
AnswerT = TypeVar("AnswerT")


class ScriptedOptions(TypedDict, total=False):
    """What a :class:`ScriptedDriver` takes beside its answers."""

    latency: float
    default: Answer | None
    context_window: int
    usd_per_token: float


class ScriptedDriver(Driver):
    """Answers each request with the next of *responses*.

    Args:
        responses: Answers, texts, or exceptions to be raised.
        latency: Seconds that each answer takes; a cancel ends them.
        default: The answer once the list is used up; None makes that an error.
        context_window: Tokens.
        usd_per_token: What ``estimate_cost`` charges.

    Locks: ``_lock`` guards ``_responses`` and ``_requests``.
    """

    def __init__(
        self,
        responses: Iterable[Answer],
        *,
        latency: float = 0.0,
        default: Answer | None = None,
        context_window: int = 4096,
        usd_per_token: float = 0.0,
    ) -> None:
        super().__init__(context_window=context_window)
        if isinstance(responses, str):
            raise TypeError("responses must be a list of answers; for one text use ScriptedDriver.text(...)")
        if latency < 0:
            raise ValueError(f"latency must not be negative, got {latency}")
        self._lock = threading.Lock()
        self._responses = deque(_each_once(responses))
        self._count = len(self._responses)
        self._default = None if default is None else _checked(default)
        self._latency = latency
        self._usd_per_token = usd_per_token
        self._requests: list[CompletionRequest] = []

    @classmethod
    def text(cls, text: str, **options: Unpack[ScriptedOptions]) -> Self:
        """A driver that answers once, with *text*.

        Args:
            options: As for the class.
        """
        return cls([text], **options)

    @classmethod
    def tool_then_text(
        cls, tool_name: str, tool_input: Mapping[str, Any], text: str, **options: Unpack[ScriptedOptions]
    ) -> Self:
        """A driver that asks for one tool call, and then answers with *text*.

        Args:
            tool_name: Which tool.
            tool_input: The arguments by name.
            options: As for the class.
        """
        call = ToolCall("call_1", tool_name, dict(tool_input))
        return cls([CompletionResponse("", StopReason.TOOL_USE, (call,)), text], **options)

    @property
    def requests(self) -> list[CompletionRequest]:
        """What it was asked, in order."""
        with self._lock:
            return list(self._requests)

    @property
    def takes(self) -> Takes:
        """All content: it is passed on as it is."""
        return EVERYTHING

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """The next answer of the script.

        Args:
            request: Kept in ``requests``.
        Raises:
            InferenceFailed: The script has no more answers and no default.
            Cancelled: *cancel* came while the answer was on its way.
        """
        with self._lock:
            self._requests.append(request)
            answer = self._responses.popleft() if self._responses else _another(self._default)
        if self._latency and cancel.wait(self._latency):
            raise Cancelled(cancel.reason, timed_out=cancel.timed_out)
        cancel.check()
        if answer is None:
            raise InferenceFailed(
                f"the script has no more answers ({self._count} were given, this is request {len(self._requests)}); "
                "add answers, or give a default"
            )
        if isinstance(answer, BaseException | type):
            raise answer
        return CompletionResponse(answer) if isinstance(answer, str) else answer

    def estimate_cost(self, usage: TokenUsage) -> float:
        """``usd_per_token`` for every token.

        Args:
            usage: Tokens, read and written.
        """
        return usage.total * self._usd_per_token


def _each_once(answers: Iterable[Answer]) -> Iterator[Answer]:
    """*answers*, with another error like it where one stands twice."""
    seen: set[int] = set()
    for answer in answers:
        yield _another(_checked(answer)) if id(answer) in seen else _checked(answer)
        seen.add(id(answer))


def _another(answer: AnswerT) -> AnswerT:
    """*answer*, an error as another one like it: whoever raises one again makes its traceback longer, for all."""
    return fresh_copy(answer).with_traceback(None) if isinstance(answer, BaseException) else answer


def _checked(answer: Answer) -> Answer:
    if isinstance(answer, CompletionResponse | str | BaseException):
        return answer
    if isinstance(answer, type) and issubclass(answer, BaseException):
        return answer
    raise TypeError(
        f"an answer is a CompletionResponse, a str or an exception, got {type(answer).__name__}: {answer!r}"
    )
