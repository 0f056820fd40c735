"""What is kept of an exception that crashed an agent, and how it is made again for each who raises the crash."""

from __future__ import annotations

import copy
import traceback
from typing import TYPE_CHECKING, Any

from . import anatomy
from .places import innermost, places_of, printed, spots_told, told_spots, traceback_through, without_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..errors import AgentCrashed
    from .places import Place, Spot

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


class Origin:
    """One exception, with those that led to it: its class, its values, and where it was raised.

    The exception itself is not kept: it has frames, and they have whatever was alive there. Nor is it changed, as it
    may be somebody else's, too.

    Args:
        words: What is printed of it: the name of its class, and its text.
        led_by: Its cause, or what was being handled when it was raised.
        is_caused: It was raised ``from`` *led_by*.
        values: Its ``args``; for a group its message and its members.
        state: Its ``__dict__``.
        fields: What it has beside its dict; None for what only its own code can make.
        twin: A copy of such a one, if it can be copied.

    In *values*, *state* and *fields* an Origin, or :class:`Items` with one, stands for an exception.

    Threads: any.
    """

    __slots__ = (
        "fields", "hides_context", "is_caused", "kind", "led_by", "spots", "state", "twin", "values", "words",
    )  # fmt: skip

    def __init__(
        self,
        kind: type[BaseException],
        words: tuple[str, str],
        spots: list[Spot],
        led_by: Origin | None,
        *,
        is_caused: bool,
        hides_context: bool,
        values: tuple[Any, ...],
        state: Mapping[str, Any],
        fields: tuple[tuple[anatomy.Field, Any], ...] | None,
        twin: BaseException | None,
    ) -> None:
        self.kind = kind
        self.words = words
        self.spots = spots
        self.led_by = led_by
        self.is_caused = is_caused
        self.hides_context = hides_context
        self.values = values
        self.state = state
        self.fields = fields
        self.twin = twin

    def __getstate__(self) -> dict[str, Any]:
        """As a pickle has it: without code."""
        state = {name: getattr(self, name) for name in self.__slots__}
        return {**state, "spots": told_spots(self.spots), "state": dict(self.state)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, spots_told(value) if name == "spots" else value)

    def place(self) -> Place | None:
        """The user's line that it comes from."""
        return innermost(places_of(self.spots))

    # Printed --------------------------------------------------------------------------------------------------------

    def format(self) -> str:
        """What Python prints of it."""
        links = self._links()
        if any(issubclass(link.kind, (BaseExceptionGroup, SyntaxError)) for link in links):  # their words have shapes
            return "".join(traceback.format_exception(self.revived({})))
        parts: list[str] = []
        for link in links:  # from the last raised back to the first: printed the other way round
            parts.insert(0, link.format_alone())
            if link.led_by is not None:
                parts.insert(0, _CAUSE if link.is_caused else _CONTEXT)
        return "".join(parts)

    def _links(self) -> list[Origin]:
        links = [self]
        while (led_by := links[-1].led_by) is not None:
            links.append(led_by)
        return links

    def format_alone(self) -> str:
        """What Python prints of it, without what led to it."""
        notes = self.state.get("__notes__")
        words = [": ".join(filter(None, self.words))]
        if type(notes) is list:
            words += [note for note in notes if type(note) is str]
        places = printed(places_of(without_ours(self.spots)))
        return "Traceback (most recent call last):\n" + places + "\n".join(words) + "\n"

    # Raised ---------------------------------------------------------------------------------------------------------

    def raised(self, crash: AgentCrashed, *, alone: bool) -> AgentCrashed:
        """A new *crash* to be raised once, caused by a new exception like this one.

        Its class is also the exception's, unless it shall be *alone* or that cannot be made; then it has its values,
        too. The last lines that are printed of it are about the user's own.
        """
        from .twofold import twofold  # most crashes are never raised

        kind: type = self.kind
        cls = twofold(kind) if crash.is_alone and not alone and self.fields is not None else type(crash)
        fresh: AgentCrashed = anatomy.shell(cls)
        anatomy.set_args(fresh, crash.args)
        made: dict[int, BaseException] = {}
        if not cls.is_alone:
            self._fill(fresh, made)
        fresh.__dict__.update(crash.__dict__)
        place = self.place()
        if place is not None:
            note = printed([place]).rstrip("\n")
            notes = crash.__dict__.get("__notes__", ())
            fresh.__dict__["__notes__"] = [*(other for other in notes if other != note), note]
        anatomy.set_cause(fresh, self.revived(made))
        return fresh

    def revived(self, made: dict[int, BaseException]) -> BaseException:
        """A new exception like this one, with a traceback of its own.

        Args:
            made: Those that are there already, by the id of their origin.
        """
        if id(self) in made:
            return made[id(self)]
        try:
            error = self._rebuilt(made)
        except Exception:  # noqa: BLE001 - what cannot be made is printed as if it had been
            error = self._stand_in()
        made[id(self)] = error
        if self.led_by is not None:
            set_ = anatomy.set_cause if self.is_caused else anatomy.set_context
            set_(error, self.led_by.revived(made))
        anatomy.hide_context(error, self.hides_context)
        anatomy.set_traceback(error, traceback_through(without_ours(self.spots)))
        return error

    def _rebuilt(self, made: dict[int, BaseException]) -> BaseException:
        if self.fields is None:
            return self._stand_in() if self.twin is None else copy.copy(self.twin)
        error: BaseException
        if issubclass(self.kind, BaseExceptionGroup):
            message, members = self.values
            error = anatomy.shell(self.kind, message, [_again(one, made) for one in members if one is not None])
        else:
            error = anatomy.shell(self.kind)
            anatomy.set_args(error, tuple([_again(value, made) for value in self.values]))
        self._fill(error, made)
        return error

    def _fill(self, error: BaseException, made: dict[int, BaseException]) -> None:
        anatomy.dict_of(error).update({name: _again(value, made) for name, value in self.state.items()})
        for field, value in self.fields or ():
            try:
                field.__set__(error, _again(value, made))
            except (AttributeError, TypeError):  # it can only be read
                pass

    def _stand_in(self) -> BaseException:
        name, text = self.words
        module, _, short = name.rpartition(".")
        base = Exception if issubclass(self.kind, Exception) else BaseException
        cls = type(short, (base,), {"__module__": module or "builtins", "__qualname__": short})
        made: BaseException = cls(text) if text else cls()
        return made


class Items:
    """A list or a tuple in which an exception was."""

    __slots__ = ("_items", "_kind")

    def __init__(self, kind: type[Any], items: Iterable[Any]) -> None:
        self._kind = kind
        self._items = items

    def again(self, made: dict[int, BaseException]) -> Any:
        """Such a list or tuple, with new exceptions."""
        return self._kind([_again(item, made) for item in self._items])


def _again(value: Any, made: dict[int, BaseException]) -> Any:
    kind = type(value)
    if kind is Origin:
        return value.revived(made)
    return value.again(made) if kind is Items else value
