"""Packs agents for other machines: what many have in common goes once, as a kit, and is named by a number then."""

from __future__ import annotations

import itertools
import pickle
import weakref
from collections import OrderedDict
from contextlib import suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ..agent.assembly.factory import AgentParts
from ..agent.assembly.kit import AgentKit, AgentOwn, destinations_of, sources_of
from ..agent.function_agent import FunctionAgent
from ..errors import NotPortable
from .by_value import Seen
from .pickler import PROTOCOL, Way
from .portable import ATOMS, MOST_BYTES, dump_value, too_large

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator

    from ..core.records.spec import AgentSpec
    from .references import References

MOST_KITS = 256
"""So many are known at once; of more, those go that were asked for longest ago."""
FIELDS = tuple(each.name for each in fields(AgentKit))
CALLED = {
    "agent_class": "the agent class",
    "fn": "the function",
    "tools": "tools",
    "shape": "output_type",
    "transfers": "handoffs",
    "config": "the config",
}
"""What users call the fields of a kit, where they call them otherwise."""


class Kit:
    """What many agents have in common, as bytes. It is gone when nobody names it any more.

    Threads: any; nothing changes.
    """

    __slots__ = ("__weakref__", "data", "number")

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self.data = data


class Packed(NamedTuple):
    """One agent, as bytes."""

    kit: Kit
    data: bytes


class Owed(NamedTuple):
    """What the program has for an agent, for which something stands where it lives.

    Args:
        account: Is it charged to budgets?
        limited: The kinds of spending that one of these limits.
        ledger: Is recorded what it does?
        turn: Is it a turn of a session?
    """

    account: bool = False
    limited: tuple[str, ...] = ()
    ledger: bool = False
    turn: bool = False

    @classmethod
    def of(cls, parts: AgentParts) -> Owed:
        """What an agent with *parts* is owed."""
        account = parts.account
        limited = tuple(sorted({kind for budget in account.budgets for kind in budget.limited}))
        return cls(account.is_charged, limited, parts.ledger is not None, parts.turn is not None)


class _Entry(NamedTuple):
    """A kit, what it was made of (which lives as long, so that nothing else gets its ``id``), and what it saw."""

    kit: Kit
    sources: list[object]
    seen: Seen


class Packer:
    """Packs the agents of one pool.

    Guarantees: the same parts give the same kit. A kit is what it was made of at the moment of the spawn: globals that
    go by value, and variables around functions, too.

    Threads: any.

    Locks: none; every table changes by single operations, and two threads that make the same kit at once make it twice.
    """

    def __init__(self, references: References) -> None:
        self._references = references
        self._count = itertools.count(1)
        self._kits: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._by_data: weakref.WeakValueDictionary[bytes, Kit] = weakref.WeakValueDictionary()
        self._live: weakref.WeakValueDictionary[int, Kit] = weakref.WeakValueDictionary()

    def pack(self, spec: AgentSpec) -> Packed:
        """Pack the agent of *spec*.

        Raises:
            NotPortable: Something of it cannot go to another machine.
        """
        parts = spec.build.__self__  # type: ignore[attr-defined]  # a factory's, which is always of that kind
        assert isinstance(parts, AgentParts)
        return Packed(self._kit(parts), self._own(parts))

    def gone(self, numbers: Collection[int]) -> tuple[int, ...]:
        """Those of *numbers* whose kits no agent names any more, nor will."""
        live = self._live
        return tuple(number for number in numbers if number not in live)

    # What is an agent's own -----------------------------------------------------------------------------------------

    def _own(self, parts: AgentParts) -> bytes:
        own = AgentOwn.of(parts)
        packing = tuple(own), tuple(Owed.of(parts))
        if type(own.query) in ATOMS and own.deps is None and not own.config:
            data = pickle.dumps(packing, PROTOCOL)
        else:
            way = Way(self._references)
            try:
                data = dump_value(packing, "query", way)
            except NotPortable:
                for name, value in _called(parts, own):
                    dump_value(value, name, way)
                raise
        if len(data) > MOST_BYTES:
            raise NotPortable("query", too_large(len(data)))
        return data

    # What many have in common ---------------------------------------------------------------------------------------

    def _kit(self, parts: AgentParts) -> Kit:
        if parts.is_child:  # what it has depends on its parent's, and was made for it alone
            return self._made(parts)[0]
        sources, plain = sources_of(parts)
        key = *map(id, sources), plain
        entry = self._kits.get(key)
        if entry is not None and entry.seen.is_same:
            with suppress(KeyError):  # another thread has just dropped it
                self._kits.move_to_end(key)
            return entry.kit
        kit, seen = self._made(parts)
        if seen.is_fixed:
            self._kits[key] = _Entry(kit, sources, seen)
            while len(self._kits) > MOST_KITS:
                self._kits.popitem(last=False)
        return kit

    def _made(self, parts: AgentParts) -> tuple[Kit, Seen]:
        kit, seen = AgentKit.of(parts), Seen()
        drivers = (kit.driver, *(each.driver for each in destinations_of(kit.transfers)))
        once = {id(driver): "driver" for driver in drivers if driver is not None}
        if kit.memory is not None:
            once[id(kit.memory)] = "memory"
        way = Way(self._references, once, parts.factory.finder.name_of, with_budgets=True, seen=seen)
        values = tuple(getattr(kit, name) for name in FIELDS)
        try:
            data = dump_value(values, "the agent", way)
        except NotPortable:
            for name, value in zip(FIELDS, values, strict=True):
                dump_value(value, CALLED.get(name, name), replace(way, seen=None))
            raise
        return self._numbered(data), seen

    def _numbered(self, data: bytes) -> Kit:
        kit = self._by_data.get(data)
        if kit is None:
            made = Kit(next(self._count), data)
            self._live[made.number] = made
            kit = self._by_data.setdefault(data, made)
        return kit


def _called(parts: AgentParts, own: AgentOwn) -> Iterator[tuple[str, Any]]:
    """What users call the fields of *own*."""
    yield from (("query", own.query), ("deps", own.deps))
    if parts.agent_class is FunctionAgent:  # its arguments are those of submit
        yield from ((CALLED.get(name, name), value) for name, value in own.config["kwargs"].items())
    yield from own.config.items()
