"""Mends arguments that are plain, but not written as their types want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..agent.bounds import decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

    Place = tuple[str | int, ...]

# A text that is too long, say, is wanted as a text; so may be one that a validator of the type's own refuses.
_ABOUT_TEXTS = "string_"
_BY_VALIDATORS = ("value_error", "assertion_error")


class Mending:
    """Arguments, mended round by round where validation says that they do not fit.

    A text where none is wanted is read as JSON, once in a round. Null is left out, so that the default holds; where
    there is none it is put back. Nothing else is touched, and *values* stay as they are.

    Args:
        values: What the model sent.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self._left_out: set[Place] = set()  # where null stood
        self._hopeless: set[Place] = set()
        self._own: set[int] = set()  # the lists and objects that are copies

    def mend(self, problems: Sequence[ErrorDetails]) -> bool:
        """Mend what can be; is anything another than it was?"""
        kinds: dict[Place, list[str]] = {}  # a place in a union has a problem for each of its types
        for problem in problems:
            kinds.setdefault(self._place(problem["loc"]), []).append(problem["type"])
        changed = [self._mended(place, found) for place, found in kinds.items() if place]
        return any(changed)

    def _mended(self, place: Place, kinds: Sequence[str]) -> bool:
        if place in self._hopeless:
            return False
        if kinds == ["missing"]:
            return False if place not in self._left_out else self._put_back(place)
        value = self._at(place)
        if value is None and isinstance(place[-1], str):
            self._left_out.add(place)
            del self._holder(place)[place[-1]]
            return True
        if not isinstance(value, str) or any(kind.startswith(_ABOUT_TEXTS) for kind in kinds):
            return False
        try:
            read = decoded(value)
        except ValueError:
            return False
        if isinstance(read, str) and any(kind in _BY_VALIDATORS for kind in kinds):
            return False
        self._holder(place)[place[-1]] = read
        return True

    def _put_back(self, place: Place) -> bool:
        """There is no default: null is what is wrong."""
        self._left_out.discard(place)
        self._hopeless.add(place)
        self._holder(place)[place[-1]] = None
        return True

    def _place(self, location: Sequence[str | int]) -> Place:
        """As far as *location* leads through the values: within a union it names types, too."""
        value: Any = self.values
        place: list[str | int] = []
        for step in location:
            inside = isinstance(value, dict) and step in value
            if not inside and not (isinstance(value, list) and isinstance(step, int) and -1 < step < len(value)):
                if isinstance(value, dict) and (*place, step) in self._left_out:
                    place.append(step)
                continue
            value = value[step]
            place.append(step)
        return tuple(place)

    def _at(self, place: Place) -> Any:
        value: Any = self.values
        for step in place:
            value = value[step]
        return value

    def _holder(self, place: Place) -> Any:
        """The list or object in which *place* is, as a copy of ours, in copies of ours."""
        self.values = holder = self._copied(self.values)
        for step in place[:-1]:
            holder[step] = self._copied(holder[step])
            holder = holder[step]
        return holder

    def _copied(self, value: Any) -> Any:
        if id(value) in self._own:
            return value
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        self._own.add(id(copy))
        return copy
