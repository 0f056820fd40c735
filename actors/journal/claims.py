"""Which agents of this process have which keys."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from ..agent.keys import LONGEST_KEY
from ..agent.ledger import digest_of
from ..core.checks import leaf_lock


class Claim(NamedTuple):
    """Whose a key is: *life* is that of the parent that has started the agent; 0 for the program."""

    parent: str
    life: int


class Claims:
    """Who has which key, or had it: one agent each, as long as the journal is open.

    A child whose parent was started again is started again itself, under the key that it had.

    Threads: any.

    Locks: ``_lock`` guards ``_taken`` and ``_next``.
    """

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self._taken: dict[str, Claim] = {}
        self._next: dict[str, int] = {}  # of each stem the number with which the search for a free one begins
        self._lives = itertools.count(1)

    def next_life(self) -> int:
        """The number of one more life of an agent."""
        return next(self._lives)

    def take(self, key: str, claim: Claim) -> tuple[bool, Claim | None]:
        """Take *key*: was it to be had, and whose was it before?"""
        with self._lock:
            before = self._taken.get(key)
            if before is not None and (not claim.parent or before.parent != claim.parent or before.life == claim.life):
                return False, before
            self._taken[key] = claim
            return True, before

    def take_first(self, stem: str, claim: Claim) -> str:
        """Take *stem*, or the first of ``stem~2``, ``stem~3`` ... that nobody has."""
        with self._lock:
            for number in itertools.count(self._next.get(stem, 1)):
                key = stem if number == 1 else f"{stem}~{number}"
                if key not in self._taken:
                    break
            self._next[stem] = number + 1
            self._taken[key] = claim
            return key

    def has(self, key: str) -> bool:
        """Has an agent of this process that key, or had it?"""
        with self._lock:
            return key in self._taken

    def give_back(self, key: str, before: Claim | None) -> None:
        """Nobody has it, or who had it before."""
        with self._lock:
            if before is None:
                self._taken.pop(key, None)
                stem, _, number = key.rpartition("~")
                if key in self._next:
                    self._next[key] = 1
                elif number.isdecimal() and stem in self._next:
                    self._next[stem] = min(self._next[stem], int(number))
            else:
                self._taken[key] = before


def stem_of(name: str, digest: str) -> str:
    """The key of an agent of that name and fingerprint."""
    name = name.encode("utf-8", "backslashreplace").decode()
    return f"{name[: LONGEST_KEY - 100]}/{digest}"


def child_key(parent: str, place: str) -> str:
    """The key of the child that is started at *place*: so it does not depend on which of two tools was first."""
    key = f"{parent}/{place}"
    return key if len(key) <= LONGEST_KEY else f"{digest_of(parent)}/{digest_of(place)}"
