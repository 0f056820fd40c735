"""Pickles that run nothing that a user wrote when they are read: so the engine's own thread may read them."""

from __future__ import annotations

import io
import pickle
import sys
from typing import TYPE_CHECKING, Any, Final

from ..errors import NotPortable
from .failures import arrived
from .references import reading

if TYPE_CHECKING:
    from .references import Finds

OWN: Final = frozenset({"actors", "pydantic", "pydantic_core"}) | sys.stdlib_module_names
"""Packages of which whatever a pickle names is known."""


class _Foreign(Exception):
    """It names something else."""


class _OwnReader(pickle.Unpickler):
    """Reads a pickle as far as that runs the library's own, and Python's."""

    def find_class(self, module: str, name: str) -> Any:
        """What it names.

        Raises:
            _Foreign: A user wrote that.
        """
        if module.partition(".")[0] not in OWN:
            raise _Foreign(f"{module}.{name}")
        return (
            _arrived if (module, name) == (arrived.__module__, arrived.__name__) else super().find_class(module, name)
        )


def _arrived(own: bytes | None, words: Any, origin: bytes | None, cause: bytes | None) -> BaseException:
    """An error that has crossed, which holds pickles itself."""
    for inner in (own, origin, cause):
        if inner is not None:
            _OwnReader(io.BytesIO(inner)).load()
    return arrived(own, words, origin, cause)


def is_own(data: bytes) -> bool:
    """Does it run nothing that a user wrote to read *data*, and does that succeed? What it names by number does not."""
    try:
        _OwnReader(io.BytesIO(data)).load()
    except Exception:  # noqa: BLE001 - whoever reads it in earnest says why
        return False
    return True


def load_own(data: bytes, what: str, finds: Finds) -> Any:
    """What *data* was made of.

    Args:
        what: What it is, for the error.
    Raises:
        NotPortable: Something of it is an object of a class of the user's.
    """
    try:
        with reading(finds):
            return _OwnReader(io.BytesIO(data)).load()
    except _Foreign as foreign:
        raise NotPortable(what, f"it holds what {foreign} makes, and only plain data is taken there") from None
