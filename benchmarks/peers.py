"""What one would use instead: which of it is installed, and which was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from actors.extras import how_to_install

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGES = {
    "pykka": "pykka",
    "threads": "concurrent.futures",
    "asyncio": "asyncio",
    "pydantic-ai": "pydantic_ai",
    "openai-agents": "agents",
    "autogen-core": "autogen_core",
    "thespian": "thespian",
    "dbos": "dbos",
    "ray": "ray",
    "dask": "distributed",
}
"""Peer -> the module that it is imported as."""


def not_there() -> str:
    """What is said of one that is not installed, with the command that installs all of them."""
    return f"not installed ({how_to_install('bench')})"


def is_there(module: str) -> bool:
    """Can *module* be imported?"""
    return find_spec(module.partition(".")[0]) is not None


@dataclass(slots=True)
class Peers:
    """The peers of one run.

    Args:
        wanted: Their names; None are all.
        skipped: Who was looked for in vain, so that the report can say it.
    """

    wanted: frozenset[str] | None = None
    skipped: dict[str, str] = field(default_factory=dict)

    @classmethod
    def named(cls, names: Iterable[str]) -> Peers:
        """Those of *names*; without any, all.

        Raises:
            ValueError: There is none of that name.
        """
        wanted = frozenset(names)
        unknown = sorted(wanted - set(PACKAGES))
        if unknown:
            raise ValueError(f"no peer is named {', '.join(unknown)}; there are {', '.join(PACKAGES)}")
        return cls(wanted or None)

    def has(self, name: str) -> bool:
        """Is *name* asked for, and installed?"""
        if self.wanted is not None and name not in self.wanted:
            self.skipped[name] = "not asked for"
        elif not is_there(PACKAGES[name]):
            self.skipped[name] = not_there()
        else:
            return True
        return False

    def notes(self) -> list[str]:
        """A line for each that was skipped; the next question begins anew."""
        told = [f"{name} was skipped: {why}" for name, why in self.skipped.items()]
        self.skipped.clear()
        return told
