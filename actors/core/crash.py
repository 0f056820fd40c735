"""What is kept of an exception: its words and where it was raised, not the values that were alive there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from ..errors import AgentCrashed, fresh_copy
from . import anatomy
from .keeper import Keeper
from .places import innermost, places_of, printed, printed_places, spots_of, traceback_through, without_ours

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import AgentError, ErrorT
    from .origin import Origin
    from .places import Place


def crashed(error: BaseException) -> AgentCrashed:
    """Describe *error*. The traceback is formatted on demand: that takes 20 times longer than keeping its places.

    Never raises, whatever the class of *error* does.
    """
    try:
        origin = _kept(error)
        return AgentCrashed(*_said_by(error, origin), origin.format, origin=origin)
    except BaseException:  # noqa: BLE001 - metaclasses may do anything
        return AgentCrashed(type.__getattribute__(type(error), "__name__"), "<it cannot be described>")


def without_frames(error: AgentError) -> AgentError:
    """*error*, an agent's own, with the places that it came through, and its causes with theirs: without what was alive
    there. Never raises.
    """
    anatomy.dict_of(error).pop("_traceback", None)  # of an error that came from elsewhere, and is raised again here
    cause, hides_context = anatomy.cause_of(error), anatomy.is_context_hidden(error)
    context = None if hides_context or cause is not None else anatomy.context_of(error)
    anatomy.set_traceback(error, traceback_through(without_ours(spots_of(anatomy.traceback_of(error)))))
    anatomy.set_cause(error, None if cause is None else _bare(cause))
    anatomy.set_context(error, None if context is None else _bare(context))
    anatomy.hide_context(error, hides_context)
    return error


def traceback_of(error: BaseException) -> str | None:
    """Where *error* was raised, as Python prints it, without what this package did before it called the user's code.

    Returns:
        None when that is not known: nothing was raised, as for an agent that was cancelled.
    """
    if isinstance(error, AgentCrashed):
        return error.traceback or None
    told = error.__dict__.get("_traceback")  # of an error that was pickled, or read from JSON
    if isinstance(told, str):
        return told or None
    return None if error.__traceback__ is None else _kept(error).format()


def place_of(error: BaseException) -> Place | None:
    """The line of the user's that *error* comes from: the innermost that is neither Python's, nor an installed
    package's, nor this one's, or the innermost of all. None when it is not known.
    """
    if isinstance(error, AgentCrashed) and error._origin is not None:  # noqa: SLF001
        place: Place | None = error._origin.place()  # noqa: SLF001
        return place
    if error.__traceback__ is not None and not isinstance(error, AgentCrashed):
        return innermost(places_of(spots_of(error.__traceback__)))
    return innermost(printed_places(traceback_of(error) or ""))


def raised_again(error: ErrorT, *, alone: bool = False) -> ErrorT:
    """A new error like *error*, an outcome's, to be raised once: what is printed of it leads to the user's line, also
    where only the text of its traceback is left, in another process or from JSON.

    Args:
        alone: A crash has its class alone, and not also that of what the agent raised.
    """
    fresh = fresh_copy(error, alone=alone)
    is_bare = error.__traceback__ is None and getattr(error, "_origin", None) is None
    place = place_of(error) if is_bare else None
    if place is not None:
        note = printed([place]).rstrip("\n")
        if note not in getattr(fresh, "__notes__", ()):
            fresh.add_note(note)
    return fresh


def report(text: str, *values: object, depth: int = 1) -> None:
    """Log the exception that is being handled. Never raises: a sink, or the repr of what it shows, may.

    Args:
        depth: Whose line it is: 1 is the caller's.
    """
    try:
        logger.opt(depth=depth).exception(text, *values)
    except BaseException as error:  # noqa: BLE001 - there is nobody left to tell
        raise_ctrl_c(error)


class Labelled(Protocol):
    """Somebody whom messages can name."""

    @property
    def label(self) -> str:
        """How messages name it."""


def fenced(fn: Callable[..., object], *args: object, what: str, whose: Labelled | None = None) -> None:
    """Call a user's *fn*, which must harm nobody: what it raises is logged, but a Ctrl-C of the main thread goes on.

    Args:
        what: What *fn* is, in words.
        whose: Whose it is.
    """
    try:
        fn(*args)
    except BaseException as error:  # noqa: BLE001 - it harms only whoever has written it
        raise_ctrl_c(error)
        if whose is None:
            report("{} failed", what, depth=2)
        else:
            report("{} of {} failed", what, whose.label, depth=2)


def _said_by(error: BaseException, origin: Origin) -> tuple[str, str]:
    """What a crash by *error* says. One that comes from another agent goes on saying what happened there."""
    if issubclass(type(error), AgentCrashed) and error._origin is not None:  # type: ignore[attr-defined] # noqa: SLF001
        return text_of(error.type_name), text_of(error.text)  # type: ignore[attr-defined]
    return origin.words


def _bare(error: BaseException) -> BaseException | None:
    try:
        return _kept(error).revived({})
    except BaseException:  # noqa: BLE001 - metaclasses may do anything
        return None


def _kept(error: BaseException) -> Origin:
    origin = Keeper(_words_of).keep(error)
    assert origin is not None
    return origin


def _words_of(error: BaseException) -> tuple[str, str]:
    return _type_name(error), text_of(error)


def _type_name(error: BaseException) -> str:
    cls = type(error)
    name = type.__dict__["__qualname__"].__get__(cls)
    return str(name if cls.__module__ == "builtins" else f"{cls.__module__}.{name}")


def raise_ctrl_c(error: BaseException) -> None:
    """Raise *error* again when it is a Ctrl-C of the main thread: whoever fences a user's function must not eat it."""
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        raise error


def text_of(value: object) -> str:
    """The text of *value*, whatever its own ``__str__`` does: a plain one, without anything of a user's, so that it may
    be kept, and formatted under a lock.
    """
    if type(value) is str:  # nothing of a user's runs, so nothing is caught: an interrupt here is the caller's
        return value
    try:
        return str.__str__(str(value))  # not a subclass, which may do anything when it is used
    except BaseException as broken:  # noqa: BLE001 - a value whose own __str__ fails
        return f"<no text: its __str__ raised {type(broken).__name__}>"


def safe_repr(value: object) -> str:
    """The ``repr`` of *value*, whatever its own does."""
    try:
        return repr(value)
    except BaseException as broken:  # noqa: BLE001 - as above
        return f"<{type(value).__qualname__}, whose repr raised {type(broken).__name__}>"
