"""Unpacks agents on a host: of what came of them its own pool runs them."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..agent.assembly.kit import AgentKit, AgentOwn, equip
from ..agent.assembly.llm_agent import steps_of
from ..core.records.spec import AgentSpec
from .kits import Owed
from .pickler import Way
from .portable import load_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.assembly.factory import AgentFactory, AgentParts
    from ..agent.assembly.finder import Named
    from ..core.records.spec import Runnable
    from .items import DropKits, KitItem, Place
    from .references import Finds


FEW = 16
"""So many numbers of what is gone are kept."""


class StandIns(Protocol):
    """Makes what stands on a host for what is in the program. Threads: any of the host's."""

    def shared(self, kind: str, number: int) -> Any:
        """What stands for the *kind* (``budget``, ``limiter``) that the program knows as *number*."""

    def give(self, parts: AgentParts, agent_id: int, owed: Owed) -> None:
        """Give *parts* of an agent what stands for its account, its ledger and its turn, as far as it is owed them."""


class UnpackingHost(Protocol):
    """The host, as an unpacker sees it."""

    @property
    def factory(self) -> AgentFactory:
        """What equips the agents of its pool."""

    @property
    def stand_ins(self) -> StandIns:
        """What stands there for what is in the program."""


class _HostKit:
    """A kit as it came, and what was made of it, once."""

    __slots__ = ("_data", "_made")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._made: AgentKit | None = None

    def opened(self, finds: Finds) -> AgentKit:
        """What it was made of."""
        if self._made is None:
            self._made = AgentKit(*load_value(self._data, finds))
        return self._made


class Unpacker:
    """Unpacks the agents of one host.

    Guarantees: what a user gave is unpickled on the thread of an agent that has it, and what fails there is that
    agent's alone. A kit is unpickled once, but for agents that begin at the same moment; what has a number is there
    once.

    Threads: any.

    Locks: none; ``_kits``, ``_once`` and ``_numbers`` change by single operations.
    """

    def __init__(self, host: UnpackingHost) -> None:
        self._host = host
        self._kits: dict[int, _HostKit] = {}
        self._numbers: dict[int, tuple[str, int]] = {}
        self._once: weakref.WeakValueDictionary[tuple[str, int], Any] = weakref.WeakValueDictionary()

    @property
    def way(self) -> Way:
        """From here to the program."""
        return Way(to_maker=True, number_of=self.number_of)

    def learn(self, item: KitItem) -> None:
        """A kit has come."""
        self._kits.setdefault(item.number, _HostKit(item.data))

    def drop(self, item: DropKits) -> None:
        """No agent will name these kits. Those that do have them."""
        for number in item.numbers:
            self._kits.pop(number, None)

    def spec(self, place: Place) -> AgentSpec:
        """The agent that was placed here, for the host's own pool.

        Raises:
            LookupError: Its kit never came.
        """
        kit = self._kits.get(place.kit)
        if kit is None:
            raise LookupError(f"agent {place.id} came without its kit {place.kit}")
        spec = AgentSpec(
            name=place.name,
            query=None,
            build=_never,
            timeout=place.timeout,
            deadline=place.seconds_left,
            priority=place.priority,
            group=place.group,
            max_depth=place.max_depth,
            streams=place.streams,
            key=place.key,
        )
        spec.build = partial(self._build, kit, place.data, place.id, spec)
        return spec

    def _build(
        self, kit: _HostKit, data: bytes, agent_id: int, spec: AgentSpec, cell: object
    ) -> Callable[[], Runnable]:
        """Unpack it, on its own thread, for each of its lives."""
        common = kit.opened(self)
        values, more = load_value(data, self)
        own, owed = AgentOwn(*values), Owed(*more)
        spec.query = own.query
        parts = equip(self._host.factory, common, own)
        spec.steps = steps_of(parts.agent_class)
        self._host.stand_ins.give(parts, agent_id, owed)
        return parts.build(cell)

    # What pickles name ----------------------------------------------------------------------------------------------

    def find(self, kind: str, number: int) -> Any:
        """What stands here for the *kind* that the program knows as *number*."""
        return self.once(kind, number, partial(self._host.stand_ins.shared, kind, number))

    def once(self, kind: str, number: int, make: Callable[[], Any]) -> Any:
        """What has *number* here, made when it is asked for first."""
        key = kind, number
        made = self._once.get(key)
        if made is None:
            made = self._once.setdefault(key, make())
            self._numbers[id(made)] = key
            if len(self._numbers) > 2 * len(self._once) + FEW:  # of those that are gone
                self._numbers = {id(each): known for known, each in list(self._once.items())}
        return made

    def number_of(self, made: object) -> tuple[str, int] | None:
        """By which kind and number the program knows *made*."""
        key = self._numbers.get(id(made))
        return key if key is not None and self._once.get(key) is made else None

    def named(self, named: Named) -> Any:
        """The driver or the memory that a manifest names so, on this node."""
        return self._host.factory.finder.named(named)


def _never(cell: object) -> Callable[[], Runnable]:
    raise AssertionError(f"{cell} is not whole yet")
