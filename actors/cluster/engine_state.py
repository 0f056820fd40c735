"""What an engine consists of, and what its parts tell each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ..core.crash import report
from ..core.records.heard import KEPT
from ..core.scheduling.event_log import log_of
from ..core.supervision.pool_state import Step
from .desk import ProgramDesk
from .engine_thread import EngineThread
from .items import DropKits, Listen
from .kits import Packer
from .place import Placement
from .references import References

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..agent.assembly.factory import AgentFactory
    from ..core.process.threads import Worker
    from ..core.records.event import Event
    from ..core.scheduling.agent_cell import AgentCell
    from ..core.scheduling.effects import Effects
    from ..core.scheduling.host_room import HostRoom
    from ..core.supervision.pool_state import PoolState
    from ..core.supervision.supervisor import Supervisor
    from ..errors import EngineLost
    from .items import Mail, ToHost, ToProgram
    from .line import Line
    from .node import Node
    from .policy import Policy

ItemT = TypeVar("ItemT")

PACKED: Final = "packed"
"""What a host is sent of an agent: one of the cell's lazies."""


class EngineState:
    """What an engine consists of. Whatever acts on an engine is given this, and not the engine.

    Guarantees: what is decided is decided in steps of the pool, in the order in which it came.

    Locks: none of its own. The engine's thread alone writes, also ``lost``, ``arrived`` and ``laid_out``, but for
    ``supervisor`` and ``factory``, which are set before it starts; anybody reads ``where`` and ``lost``, which is set
    once.
    """

    def __init__(self, pool: PoolState, policy: Policy, flush: Callable[[], object]) -> None:
        self.pool = pool
        self.policy = policy
        self.thread = EngineThread(f"{pool.name}-engine", flush, pool.clock)
        self.references = References()
        self.packer = Packer(self.references)
        self.desk = ProgramDesk(pool.crew, self.references)
        self.placement = Placement(pool.slots.limit, policy.slots_per_node, policy.prefetch)
        self.where: dict[int, Node] = {}
        """On which node an agent lives, by its id."""
        self.lost: EngineLost | None = None
        self.arrived = 0
        """Agents that were given to a host, or ended before that, since the last step."""
        self.laid_out = 0
        """Agents that were to go to a host, and wait for something else first: their places are for others."""
        self._room = cast("HostRoom", pool.slots)
        self._steps: list[Callable[[Effects], object]] = []
        self._listeners: dict[type[Any], Callable[[Node, Any], object]] = {}
        self._when_lost: list[Callable[[Sequence[AgentCell]], object]] = []
        self._when_placed: list[Callable[[AgentCell], tuple[Mail, ...]]] = []
        self._when_ended: list[Callable[[AgentCell], object]] = []
        self._when_gone: list[Callable[[str], object]] = []
        self.supervisor: Supervisor
        self.factory: AgentFactory

    # For those who answer hosts --------------------------------------------------------------------------------------

    def cell(self, agent_id: int) -> AgentCell | None:
        """The agent of that id, queued or placed, unless it has ended."""
        return self.pool.roster.find(agent_id)

    def tell(self, agent_id: int, item: ToHost) -> bool:
        """Put *item* for the host on which that agent lives; False when it lives on none now. Any thread."""
        node = self.where.get(agent_id)
        line = None if node is None else node.line
        if line is None or line.is_closed:
            return False
        line.put(item)
        return True

    def tell_all(self, item: ToHost) -> None:
        """Put *item* for all hosts. The engine's thread."""
        for node in self.placement.nodes():
            if node.line is not None:
                node.line.put(item)

    def hear(self, kind: type[ItemT], fn: Callable[[Node, ItemT], object]) -> None:
        """Give each item of that *kind* to *fn*, on the engine's thread: it must not wait."""
        self._listeners[kind] = fn

    def when_lost(self, fn: Callable[[Sequence[AgentCell]], object]) -> None:
        """Call *fn* with those whose host was lost, before they are settled or run again. On the engine's thread."""
        self._when_lost.append(fn)

    def when_placed(self, fn: Callable[[AgentCell], tuple[Mail, ...]]) -> None:
        """Call *fn* as an agent is placed: what it gives goes with it. On the engine's thread."""
        self._when_placed.append(fn)

    def when_ended(self, fn: Callable[[AgentCell], object]) -> None:
        """Call *fn* when a placed agent has ended, or was lost for good. On the engine's thread."""
        self._when_ended.append(fn)

    def when_gone(self, fn: Callable[[str], object]) -> None:
        """Call *fn* with the name of a host that is there no longer: what it held is nobody's. On the engine's thread,
        or when that has ended.
        """
        self._when_gone.append(fn)

    def tell_event(self, cell: AgentCell, make: Callable[..., Event], fields: Mapping[str, Any], moment: float) -> None:
        """Tell an event of *cell*, unless it has ended by then."""
        if cell.heard:
            self.in_step(partial(self._tell_event, cell, make, fields, moment))

    # The engine's thread --------------------------------------------------------------------------------------------

    def in_step(self, decide: Callable[[Effects], object]) -> None:
        """Do *decide* under the pool's turn, in the next step, with all else that is to be decided by then."""
        self._steps.append(decide)

    def mail_for(self, cell: AgentCell) -> tuple[Mail, ...]:
        """What goes with *cell* to its host."""
        mail: tuple[Mail, ...] = ()
        for fn in self._when_placed:
            mail += fn(cell)
        return mail

    def listening(self) -> Listen:
        """Whose events hosts tell."""
        return Listen(self.pool.listening, self.pool.event_delivery.wants_text)

    def heard(self, node: Node, items: list[ToProgram]) -> None:
        """What a host says."""
        for item in items:
            listener = self._listeners.get(type(item))
            if listener is not None:
                listener(node, item)

    def left(self, cell: AgentCell, node: Node) -> None:
        """*cell* lives on *node* no longer."""
        node.placed.pop(cell.id, None)
        if self.where.get(cell.id) is node:
            del self.where[cell.id]
        self.placement.changed(node)

    def ended(self, cell: AgentCell) -> None:
        """*cell* has ended for good."""
        cell.lazies.pop(PACKED, None)
        for fn in self._when_ended:
            fn(cell)

    def _tell_event(
        self, cell: AgentCell, make: Callable[..., Event], fields: Mapping[str, Any], moment: float, effects: Effects
    ) -> None:
        if cell.outcome is None:
            if cell.heard is KEPT:
                log_of(cell)
            self.pool.roster.tell(cell, make, fields, moment, effects)

    def tell_gone(self, host: str) -> None:
        """The host of that name is there no longer."""
        for fn in self._when_gone:
            fn(host)

    def tell_lost(self, cells: Sequence[AgentCell]) -> None:
        """Their host is lost."""
        for fn in self._when_lost:
            fn(cells)

    def drop_kits(self, line: Line, node: Node) -> None:
        """Tell a host which kits will not be named any more."""
        dropped = self.packer.gone(node.kits)
        if dropped:
            node.kits.difference_update(dropped)
            line.put(DropKits(dropped))

    def elsewhere(self, job: Callable[[], object], failed: Callable[[RuntimeError], object]) -> None:
        """Do *job*, which may wait or run what a user wrote, on a thread of its own; *failed* where there is none."""

        def work(_: Worker) -> bool:
            job()
            return False

        try:
            self.pool.crew.start(work)
        except RuntimeError as error:
            failed(error)

    def decide(self) -> None:
        """Decide all that was to be decided, in one step, and say how much room there is."""
        room: HostRoom = self._room
        placement = self.placement
        parked = placement.parked + self.laid_out
        is_known = (room.parked, room.strays, room.vacant + room.coming) == (
            parked,
            placement.strays,
            placement.vacant,
        )
        if is_known and not self._steps and not self.arrived:
            return
        steps, self._steps = self._steps, []
        arrived, self.arrived = self.arrived, 0
        with Step(self.pool, calls_here=False) as effects:
            for decide in steps:
                try:
                    decide(effects)
                except BaseException:  # noqa: BLE001 - a defect of ours at one agent must not lose what is of others
                    report("the engine failed at {}", decide)
            room.coming -= arrived
            room.parked, room.strays = parked, placement.strays
            room.vacant = placement.vacant - room.coming
            self.pool.roster.balance(effects)
