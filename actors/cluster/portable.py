"""Values that cross between machines, and what is said of those that cannot."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..core.crash import text_of
from ..errors import NotPortable
from .misfits import Misfit, stays
from .pickler import PROTOCOL, Way, dump
from .references import reading
from .shared import sharing_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .references import Finds

MOST_BYTES = 64 * 1024 * 1024
"""A larger value is to go by a file that both can reach."""
DEEPEST = 8
"""So many steps into a value are taken to find what of it cannot go."""
ATOMS = frozenset({str, int, float, bool, bytes, type(None)})
NAMES = pickle.STACK_GLOBAL
EXTENSIONS = (pickle.EXT1, pickle.EXT2, pickle.EXT4)
"""In a pickle of that protocol, whatever is more than plain data is found by one of these."""
ANYWHERE = Way()
TO_PROGRAM = Way(to_maker=True)
"""From a host to the program: classes that came from there are only named."""


def dump_value(value: Any, what: str, way: Way | None = None) -> bytes:
    """*value* as bytes, for another machine.

    Args:
        what: What it is, for the error: ``query``, ``the result``, ...
        way: Where it goes, and what of it stays; None: nothing of it stays, and it goes anywhere.
    Raises:
        NotPortable: It cannot go; the error names what of it, and what to do.
        ImportError: cloudpickle is not installed.
    """
    if type(value) in ATOMS:
        data = pickle.dumps(value, PROTOCOL)
    else:
        way = _now(way)
        try:
            data = dump(value, way)
        except ImportError:
            raise
        except Exception as error:
            raise _not_portable(value, what, error, way) from error
    if len(data) > MOST_BYTES:
        raise NotPortable(what, too_large(len(data)))
    return data


def _now(way: Way | None) -> Way:
    """*way*, with what is shared at the moment."""
    shared = sharing_now()
    if shared is None:
        return ANYWHERE if way is None else way
    return replace(way or ANYWHERE, shared=shared)


def load_value(data: bytes, finds: Finds | None = None) -> Any:
    """What *data* was made of.

    Args:
        finds: Finds what it names by number.
    Raises:
        Exception: Whatever a class raises when it is made again; a module that is not here.
    """
    if finds is None:
        return pickle.loads(data)  # noqa: S301 - between machines that trust each other
    with reading(finds):
        return pickle.loads(data)  # noqa: S301 - as above


def is_plain(data: bytes) -> bool:
    """Does it run nothing to read *data*? So of texts, numbers, and lists and dicts of them; some that hold a byte of
    that kind by chance count as others.
    """
    return NAMES not in data and not any(sign in data for sign in EXTENSIONS)


def too_large(size: int) -> str:
    """Why something of so many bytes cannot go."""
    return (
        f"it has {size / 2**20:.1f} MiB, and at most {MOST_BYTES >> 20} go at once: put it where every node can read "
        "it, and give its name"
    )


def why_not(error: Exception) -> str:
    """What *error*, raised when something was pickled, says of it."""
    if isinstance(error, Misfit):
        return error.why
    if isinstance(error, NotPortable):
        return error.why
    text = text_of(error)
    said = text if isinstance(error, TypeError | pickle.PicklingError) else f"{type(error).__name__}: {text}"
    return f"{said}; give what it is made of, and make it in the agent"


def _not_portable(value: Any, what: str, error: Exception, way: Way) -> NotPortable:
    """The error that names what of *value* cannot go."""

    def failure(part: Any) -> Exception | None:
        try:
            dump(part, way)
        except Exception as found:  # noqa: BLE001 - it is what is asked for
            return found
        return None

    place = what
    for _ in range(DEEPEST):
        if stays(value):
            break
        inner = next(((step, one, found) for step, one in _inside(value) if (found := failure(one)) is not None), None)
        if inner is None:
            break
        step, value, error = inner
        place += step
    return NotPortable(place, why_not(error))


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    """What *value* holds, and how that is written."""
    if isinstance(value, dict):
        yield from ((f"[{_shown(key)}]", one) for key, one in value.items())
        yield from ((" (a key of it)", key) for key in value)
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", one) for index, one in enumerate(value))
    elif isinstance(value, set | frozenset):
        yield from ((" (an element of it)", one) for one in value)
    elif hasattr(value, "__closure__"):
        yield from _around(value)
    elif not isinstance(value, type):
        yield from ((f".{name}", one) for name, one in getattr(value, "__dict__", {}).items())


def _around(fn: Any) -> Iterator[tuple[str, Any]]:
    """What a function has around it."""
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            yield f" (its variable {name!r})", cell.cell_contents
        except ValueError:  # it has no value yet
            continue
    names = fn.__globals__
    yield from ((f" (its global {name!r})", names[name]) for name in fn.__code__.co_names if name in names)


def _shown(key: object) -> str:
    text = repr(key) if type(key) in ATOMS else type(key).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."
