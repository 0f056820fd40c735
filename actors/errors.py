"""Every error of the library, sorted by whose doing it was.

One root, :class:`ActorsError`. Each class carries fields, not only text, and survives a pickle round trip.
"""

from __future__ import annotations

import copy
import traceback
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "ActorDead",
    "ActorsError",
    "AgentAbandoned",
    "AgentCancelled",
    "AgentCrashed",
    "AgentError",
    "AgentTimedOut",
    "AskTimeout",
    "Cancelled",
    "CapabilityDenied",
    "CapacityError",
    "CircuitBreak",
    "ContextOverflow",
    "CostExceeded",
    "DeadlockError",
    "DriverError",
    "ForkedPoolError",
    "InboxClosed",
    "InboxFull",
    "InferenceFailed",
    "InvalidOutput",
    "IterationsExceeded",
    "JoinTimeout",
    "MalformedAnswer",
    "ManifestError",
    "MemoryFailed",
    "ModelNotFound",
    "NetworkError",
    "NotRegistered",
    "Overloaded",
    "PoolClosed",
    "RateLimited",
    "RemoteError",
    "SendError",
    "TokensExceeded",
    "ToolCallsExceeded",
    "ToolFailed",
    "TruncationExceeded",
]

ErrorT = TypeVar("ErrorT", bound=BaseException)


class Origin(Protocol):
    """What is kept of the exception that crashed an agent."""

    def raised(self, crash: AgentCrashed, *, alone: bool) -> AgentCrashed:
        """A new *crash* to be raised once, caused by a new exception like the kept one."""

    def place(self) -> Any:
        """The user's line that it comes from."""


def _rebuild(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    # Not cls(*args): the signature of a subclass need not be that of its args.
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class _Portable(BaseException):
    """What makes an exception survive pickling and copying, whatever its ``__init__`` takes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__getstate__() or {})

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)


class ActorsError(_Portable, Exception):
    """The root of every error that the library raises."""


class Cancelled(_Portable):
    """Raised inside an agent that was cancelled or ran out of time.

    A ``BaseException``, so that ``except Exception`` in an agent, a tool or a driver cannot swallow it. It never
    leaves the pool: outside, the outcome carries :class:`AgentCancelled` or :class:`AgentTimedOut`.
    """

    def __init__(self, reason: str = "", *, timed_out: bool = False) -> None:
        super().__init__(reason or ("timed out" if timed_out else "cancelled"))
        self.reason = reason
        self.timed_out = timed_out
        self.asked = True  # False: the cancel came before the model was asked anything
        self.tokens: tuple[int, int] | None = None  # read and written before it came, where a driver knows
        self.token_parts = (0, 0, 0)  # of these: cached, written into a cache, thoughts


# What an agent does wrong, or what stops it ---------------------------------------------------------------------


class AgentError(ActorsError):
    """An agent could not do its job: its outcome is ``failed`` and carries this error itself."""

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if self.__traceback__ is not None:  # which neither a pickle nor a copy has: its text goes along
            state["_traceback"] = "".join(traceback.format_exception(self))
        return state


class DriverError(AgentError):
    """A driver could not answer.

    Args:
        message: What happened.
        retry_after: Seconds that the server asked to wait; None when it did not say.

    ``tokens`` is what the call used before it failed, read and written, as far as anybody knows; None: the model did
    not work at all. ``token_parts`` are those of them that were cached, written into a cache, and thoughts. A driver
    sets them, so that accounts and budgets count what has to be paid.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.tokens: tuple[int, int] | None = None
        self.token_parts = (0, 0, 0)


class RateLimited(DriverError):
    """The provider asks to slow down (HTTP 429)."""

    retryable = True


class Overloaded(DriverError):
    """The provider has no capacity now (HTTP 5xx)."""

    retryable = True


class NetworkError(DriverError):
    """The connection failed, broke or timed out."""

    retryable = True


class MalformedAnswer(DriverError):
    """The answer could not be parsed."""

    retryable = True


class ModelNotFound(DriverError):
    """The provider does not know the model."""


class InferenceFailed(DriverError):
    """The provider refused the request, or the driver has no answer."""


class CircuitBreak(AgentError):
    """A guard said no.

    Args:
        used: What it had counted, the step that it refused included; None where it did not count.
        limit: How much is allowed; None likewise.
        budget: The name of the ``Budget`` that is used up; None: it is the agent's own limit.

    ``kind`` says what is counted: ``iterations``, ``tool_calls``, ``tokens``, ``cost_usd`` or ``truncations``.
    """

    kind: ClassVar[str | None] = None

    def __init__(
        self, *args: object, used: float | None = None, limit: float | None = None, budget: str | None = None
    ) -> None:
        super().__init__(*args)
        self.used = used
        self.limit = limit
        self.budget = budget


class CapacityError(CircuitBreak):
    """The pool has neither a free slot nor a free place in its queue."""


class IterationsExceeded(CircuitBreak):
    """The loop reached ``max_iterations``."""

    kind = "iterations"


class ToolCallsExceeded(CircuitBreak):
    """The agent reached ``max_tool_calls``."""

    kind = "tool_calls"


class CostExceeded(CircuitBreak):
    """The agent spent more than ``max_cost_usd``."""

    kind = "cost_usd"


class TokensExceeded(CircuitBreak):
    """The agent used more than ``max_tokens_budget``."""

    kind = "tokens"


class TruncationExceeded(CircuitBreak):
    """Too many answers in a row were cut off by ``max_tokens``."""

    kind = "truncations"


class InvalidOutput(AgentError):
    """The model's answer did not fit the ``output_type``, however often it was told why.

    Args:
        text: The last answer, as the model gave it.
    """

    def __init__(self, *args: object, text: str = "") -> None:
        super().__init__(*args)
        self.text = text


class ContextOverflow(AgentError):
    """The conversation does not fit the context window, and nothing more may be trimmed.

    Args:
        required: Tokens.
        available: Tokens.
        largest: What takes most of them, in words.
    """

    def __init__(self, required: int, available: int, largest: str = "") -> None:
        what = f"{largest}; shorten that" if largest else "shorten the query"
        super().__init__(
            f"context overflow: {required} tokens required, {available} available; {what} "
            "or use a model with a larger context window"
        )
        self.required = required
        self.available = available
        self.largest = largest


class CapabilityDenied(AgentError):
    """The manifest does not grant what was asked for."""


class ToolFailed(AgentError):
    """A tool failed. Raised by a tool, it becomes an error result for the model."""


class ManifestError(AgentError):
    """A manifest is refused.

    Args:
        problems: Every reason, with its place, the line of the file where it is known, and what may have been meant.
        source: The file.
        places: The keys and indexes that lead to each of them; empty for what is wrong with the file as a whole.
    """

    def __init__(
        self, problems: Iterable[str], *, source: str = "", places: Iterable[tuple[str | int, ...]] = ()
    ) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        self.places: tuple[tuple[str | int, ...], ...] = tuple(places)
        self.source = source
        where = f" {source}" if source else ""
        super().__init__(f"invalid manifest{where}: " + "; ".join(self.problems))


class MemoryFailed(AgentError):
    """A memory could not store or find something."""


# Messages -------------------------------------------------------------------------------------------------------


class SendError(ActorsError):
    """A message was not accepted; ``message`` is the message itself."""

    def __init__(self, text: str, message: Any = None) -> None:
        super().__init__(text)
        self.message = message


class NotRegistered(SendError):
    """Nobody has that id (yet, or any more)."""


class InboxFull(SendError):
    """The mailbox had no room in time."""


class InboxClosed(SendError):
    """The mailbox closed, before the message was accepted or while its sender waited for room."""


class ActorDead(SendError):
    """The actor ended before it handled the message."""


class AskTimeout(ActorsError, TimeoutError):
    """No reply in time. The handler may still run; its late reply is dropped."""


class JoinTimeout(ActorsError, TimeoutError):
    """``join_all`` ran out of time. Nothing was taken; ``partial`` maps ids to the outcomes that are there."""

    def __init__(self, text: str, partial: Mapping[int, Any]) -> None:
        super().__init__(text)
        self.partial: dict[int, Any] = copy.copy(partial) if isinstance(partial, dict) else dict(partial)


class DeadlockError(ActorsError):
    """The wait would never end: somebody on ``path`` waits for the one who asked."""

    def __init__(self, text: str, path: Iterable[str] = ()) -> None:
        self.path: tuple[str, ...] = tuple(path)
        super().__init__(f"{text}: {' -> '.join(self.path)}" if self.path else text)


# The pool's state -----------------------------------------------------------------------------------------------


class PoolClosed(ActorsError):
    """The pool takes no new agents: it drains, or it is closed."""


class ForkedPoolError(ActorsError):
    """The pool belongs to the parent process: threads do not survive a fork. Make a new pool in the child."""


# What outcomes carry --------------------------------------------------------------------------------------------


class AgentCancelled(ActorsError):
    """The agent was cancelled; ``reason`` says why."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"cancelled: {reason}" if reason else "cancelled")
        self.reason = reason


class AgentTimedOut(ActorsError):
    """The agent ran past its ``timeout`` or ``deadline``. Not a ``TimeoutError``: those mean that *you* waited."""

    def __init__(self, reason: str = "timed out") -> None:
        super().__init__(reason)
        self.reason = reason


class AgentCrashed(ActorsError):
    """The agent's code raised something that is no :class:`AgentError`.

    Whoever asks for the result gets one whose ``__cause__`` is the agent's exception, with the traceback that it had.
    Its class is also that of the exception, so that ``except KeyError`` works, where such a class can be made, and
    then it has the exception's fields, too.

    Args:
        type_name: Qualified name of the exception's class.
        text: Its ``str``.
        traceback: The formatted traceback, or a function that formats it on first use (formatting one costs
            more than running a small agent).
    """

    is_alone: ClassVar[bool] = True
    """Not also of another class."""

    _origin: Origin | None = None  # what was raised, as long as this has not been pickled or copied

    def __init__(
        self, type_name: str, text: str, traceback: str | Callable[[], str] = "", *, origin: Origin | None = None
    ) -> None:
        super().__init__(f"{type_name}: {text}" if text else type_name)
        self.type_name = type_name
        self.text = text
        self._traceback = traceback
        if origin is not None:
            self._origin = origin

    @property
    def traceback(self) -> str:
        """The traceback as text."""
        if not isinstance(self._traceback, str):
            self._traceback = self._traceback()
        return self._traceback

    def __reduce__(self) -> tuple[Any, ...]:
        # Whoever reads it need not know the other class, nor anything that came with it.
        return _rebuild, (type(self) if self.is_alone else AgentCrashed, self.args, self.__getstate__())

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_traceback": self.traceback}
        if self.is_alone:
            state.pop("_origin", None)
            return state
        return {name: state[name] for name in ("type_name", "text", "_traceback", "__notes__") if name in state}


class AgentAbandoned(ActorsError):
    """The agent did not end within ``abort_timeout``; ``cause`` says why it had to."""

    def __init__(self, cause: ActorsError) -> None:
        super().__init__(f"abandoned, its thread still runs ({cause})")
        self.cause = cause


class RemoteError(ActorsError):
    """An error that was read from JSON, of a class that is not the library's: nothing is built because JSON names it.

    Args:
        type_name: Qualified name of the class that it had.
        text: Its ``str``.
        traceback: The traceback as text; empty where there is none.
        fields: What else it carried, as data.
    """

    def __init__(
        self, type_name: str, text: str = "", traceback: str = "", fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{type_name}: {text}" if text else type_name)
        self.type_name = type_name
        self.text = text
        self.fields = dict(fields or {})
        self._traceback = traceback

    @property
    def traceback(self) -> str:
        """The traceback as text."""
        return self._traceback


# Raising the same failure again ---------------------------------------------------------------------------------


def fresh_copy(error: ErrorT, *, alone: bool = False) -> ErrorT:
    """Make a new error like *error*, to be raised once.

    One exception object raised in several threads has its traceback rewritten by each of them, and keeps
    their frames alive. A crash is caused by a new exception like the one that the agent raised.

    Args:
        alone: A crash has this class alone, and not also that of what the agent raised.
    Returns:
        A copy with the same class, args and fields; *error* itself when its class cannot be copied.
    """
    try:
        if isinstance(error, AgentCrashed) and error._origin is not None:  # noqa: SLF001
            return cast("ErrorT", error._origin.raised(error, alone=alone))  # noqa: SLF001
        if isinstance(error, _Portable):
            # Not through __reduce__: that would format a crash's traceback.
            fresh = _rebuild(type(error), error.args, dict(error.__dict__))
        else:
            fresh = copy.copy(error)
    except Exception:  # noqa: BLE001 - a user's exception class may do anything when it is copied
        return error
    if type(fresh) is not type(error):
        return error
    notes = fresh.__dict__.get("__notes__")
    if notes is not None:  # not shared: a note on the one is not for the other
        fresh.__dict__["__notes__"] = list(notes)
    if isinstance(error, AgentError):
        fresh.__traceback__ = error.__traceback__  # where it was raised first; what is added now is not shared
    fresh.__cause__ = error.__cause__
    fresh.__suppress_context__ = error.__suppress_context__
    return fresh
