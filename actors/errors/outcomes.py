"""How an agent ended that did not end by itself, in its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from .base import ActorsError
from .portable import rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Origin(Protocol):
    """What is kept of the exception that crashed an agent."""

    def raised(self, crash: AgentCrashed, *, alone: bool) -> AgentCrashed:
        """A new *crash* to be raised once, caused by a new exception like the kept one."""

    def place(self) -> Any:
        """The user's line that it comes from."""


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
        return rebuild, (type(self) if self.is_alone else AgentCrashed, self.args, self.__getstate__())

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
