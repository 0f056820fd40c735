"""Which of several members a key belongs to."""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b
from numbers import Number
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

MASK = (1 << 64) - 1


def point_of(key: Hashable) -> int:
    """A number of 64 bits for *key*: equal keys have equal ones.

    It is the same in every process for text, bytes, numbers, None, members of enumerations, and tuples and frozensets
    of these. Any other key has its own ``hash()``, which may differ from process to process.

    Raises:
        TypeError: It cannot be hashed.
    """
    kind = type(key)
    if kind is str:
        return _digest(b"s", key.encode("utf-8", "surrogatepass"))  # type: ignore[attr-defined]
    if kind is int:
        return _mixed(hash(key))
    return _odd_point(key)


def _odd_point(key: Hashable) -> int:
    if isinstance(key, str):
        return _digest(b"s", str.encode(key, "utf-8", "surrogatepass"))
    if isinstance(key, bytes):
        return _digest(b"b", bytes(key))
    if isinstance(key, Number):  # equal numbers of any kind have one hash, the same in every process
        return _mixed(hash(key))
    if key is None:
        return _digest(b"n", b"")
    if isinstance(key, tuple):
        return _digest(b"t", b"".join(point_of(item).to_bytes(8, "big") for item in key))
    if isinstance(key, frozenset):
        return _digest(b"f", b"".join(point.to_bytes(8, "big") for point in sorted(map(point_of, key))))
    if isinstance(key, Enum) and type(key).__hash__ is Enum.__hash__:
        kind = type(key)
        return _digest(b"e", f"{kind.__module__}.{kind.__qualname__}.{key.name}".encode("utf-8", "surrogatepass"))
    return _mixed(hash(key))


def _digest(kind: bytes, data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8, person=kind).digest(), "big")


def _mixed(number: int) -> int:
    """*number*, so that neighbours lie far from each other."""
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


def place_of(point: int, count: int) -> int:
    """Which of *count* places, the first is 0, *point* belongs to. Where one place more is the last, only the points
    that it gets move.

    Source: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (jump consistent hash).
    """
    place, following = -1, 0
    while following < count:
        place = following
        point = (point * 2862933555777941757 + 1) & MASK
        following = int((place + 1) * ((1 << 31) / ((point >> 33) + 1)))
    return place
