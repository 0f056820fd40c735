"""The host of a node: a pool of its own in which the agents of the program live."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from ...agent.assembly.factory import AgentFactory
from ...core.clock import SYSTEM_CLOCK
from ...core.crash import report
from ...core.supervision.agent_context import LocalContext
from ...core.supervision.supervisor import Supervisor
from ...drivers.builtin import find_driver
from ...drivers.shared_limiters import make_limiters_by
from ...memory.opened import open_memory
from ...tools.mcp import McpServers
from ...tools.registry import ToolRegistry
from ..items import Answer, Cancel, Close, Deliver, DropKits, KitItem, Lease, Leased, Listen, Place, Told
from ..lane import DrainCall, Drained, HostState, Inlet, Outbox, PutAnswer, PutCall, dump, load
from ..portable import load_value
from ..settings import HostSettings
from ..unpacker import Unpacker
from .fence import Fence
from .hearing import Hearing
from .node_family import NodeFamily
from .node_post import NodePost
from .questions import Questions
from .reports import Reports
from .residents import Residents
from .spare import Spare
from .stand_ins import HostStandIns

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.clock import Clock
    from ...core.messaging.dead_letter import DeadLetter
    from ...core.scheduling.agent_cell import AgentCell
    from ..pickler import Way
    from ..program import Program


BEFORE_COUNTS = 0.2
"""Of the time that a drain waits: for so long it waits on although other agents are parked now."""


class NodeHost:
    """Lets agents of the program live in a pool of its own, and tells the program of them.

    Args:
        incarnation: Names this life of a host, and never another one.
        node: The name of its node.
        settings: ``HostSettings`` as bytes.
        end_process: Ends its process, whatever runs.

    Threads: any; ``drain`` blocks one.

    Guarantees: what is told of an agent is told in the order in which it happened, its end last. After the fence
    nothing of it is told, and nothing is taken in.

    Locks: ``_taking`` is held while items are taken in, in their order. ``_filled`` is where a drain waits.
    ``_is_closed`` changes once; ``_closer`` is set once, by the last item.
    """

    def __init__(
        self,
        incarnation: str,
        node: str,
        settings: bytes,
        *,
        end_process: Callable[[], object],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.incarnation = incarnation
        self.node = node
        self.settings = told = HostSettings.load(settings)
        self._outbox = Outbox(self._wake)
        self._inlet = Inlet()
        self._taking = threading.Lock()
        self._filled = threading.Condition()
        self._is_closed = False
        self._closer: threading.Thread | None = None
        self._takers: dict[str, Callable[..., object]] = {}
        self._unpacker = Unpacker(self)
        self._questions = Questions(self._outbox, self._unpacker.way)
        self.core = self._make_core(clock)
        self.factory = self._make_factory()
        self.core.shutdown.at_end = self.factory.close
        pool = self.core.pool
        self._spare = Spare(incarnation, pool, self._wake)
        self._hearing = Hearing(pool, self._outbox)
        self._hearing.listen(Listen(told.tells_all, told.tells_text))
        reports = Reports(self._outbox, ended=self._forget, parked=self._spare.parked, way=self._unpacker.way)
        pool.witness = reports
        self.stand_ins = HostStandIns(self)
        pool.approvals_of = self.stand_ins.approvals_of
        self._post = NodePost(self)
        self._family = NodeFamily(self, self._post)
        self._residents = Residents(
            self.core,
            self._questions,
            unpacker=self._unpacker,
            post=self._post,
            reports=reports,
            hearing=self._hearing,
            restart=told.restart,
        )
        self._fence = Fence(
            told.name,
            lost_after=told.lost_after,
            abort_timeout=told.abort_timeout,
            abort=self._abort,
            end_process=end_process,
            clock=clock,
        )
        pool.timer_thread.ensure_thread()
        self._fence.start()

    def have_process(self) -> None:
        """This process is the host's own: from now on what is shared in it by all drivers is the program's."""
        make_limiters_by(self.stand_ins.limiter_of)

    def _forget(self, agent_id: int) -> None:
        """An agent has ended."""
        self._hearing.remove(agent_id)
        self.stand_ins.forget(agent_id)

    def _make_core(self, clock: Clock) -> Supervisor:
        told = self.settings
        return Supervisor(
            name=told.name,
            max_concurrent=0,
            max_queued=None,
            max_live=told.max_live,
            inbox_capacity=told.inbox_capacity,
            abort_timeout=told.abort_timeout,
            sink=None,
            on_undelivered=self._undelivered,
            stalled_after=told.stalled_after,
            with_content=told.with_content,
            clock=clock,
        )

    def _make_factory(self) -> AgentFactory:
        return AgentFactory(
            driver=None,
            memory=None,
            open_memory=open_memory,
            tools=None,
            restart=self.settings.restart,
            budget=None,
            group_budgets={},
            find_driver=find_driver,
            make_registry=ToolRegistry,
            servers=McpServers(),
            context_of=partial(LocalContext, self.core),
        )

    @property
    def program(self) -> Program:
        """The program."""
        return self._questions

    @property
    def way(self) -> Way:
        """What goes from here to the program, and stays there."""
        return self._unpacker.way

    def cell(self, agent_id: int) -> AgentCell | None:
        """The agent of that id, unless it is not here, or has ended."""
        return self.core.pool.roster.find(agent_id)

    def say(self, item: Any) -> None:
        """Have *item* for the program."""
        self._outbox.put(item)

    def take(self, what: str, fn: Callable[..., object]) -> None:
        """Give what is told as *what* to ``fn(agent_id, *args)``, which must not wait."""
        self._takers[what] = fn

    # Calls ----------------------------------------------------------------------------------------------------------

    def put(self, frame: bytes) -> bytes:
        """Take in what the program has."""
        call = load(frame, PutCall)
        self._hear(call.heard)
        with self._taking:
            if not self._fence.has_fired():
                self._take(self._inlet.take(call))
        state = self._state()
        if self._spare.is_news():  # since it was counted, which a drain that waits does not know
            self._wake()
        return dump(PutAnswer(state))

    def drain(self, frame: bytes) -> bytes:
        """Give what the program has not got yet; wait for something, as long as it says."""
        call = load(frame, DrainCall)
        self._hear(call.heard)
        self._outbox.acknowledge(call.ack)
        with self._filled:
            if not self._filled.wait_for(self._has_news, call.wait * BEFORE_COUNTS):
                self._filled.wait_for(self._has_changed, call.wait * (1 - BEFORE_COUNTS))
        batch = self._outbox.next()
        first, items = (self._outbox.acknowledged + 1, []) if batch is None else batch
        state = self._state()
        return dump(Drained(state, first, items if state.incarnation == self.incarnation else []))

    def _hear(self, sent_at: float) -> None:
        self._fence.heard(sent_at)
        self._spare.heard(sent_at)

    def _has_news(self) -> bool:
        return len(self._outbox) > 0 or self._is_closed or self._spare.is_news()

    def _has_changed(self) -> bool:
        return self._has_news() or self._spare.has_changed()

    def _wake(self) -> None:
        with self._filled:
            self._filled.notify_all()

    def _state(self) -> HostState:
        return self._spare.state(self._inlet.last, is_void=self._fence.has_fired())

    # Items ----------------------------------------------------------------------------------------------------------

    def _take(self, items: list[Any]) -> None:
        places: list[Place] = []
        for item in items:
            if isinstance(item, Place):
                places.append(item)
                continue
            if places:
                self._residents.admit(places)
                places = []
            try:
                self._take_one(item)
            except BaseException:  # noqa: BLE001 - one item that fails must not keep back the others
                report("{} could not be taken in", type(item).__name__)
        if places:
            self._residents.admit(places)

    def _take_one(self, item: Any) -> None:
        match item:
            case KitItem():
                self._unpacker.learn(item)
            case DropKits():
                self._unpacker.drop(item)
            case Cancel():
                self._residents.cancel(item)
            case Answer():
                self._questions.answered(item)
            case Lease():
                self.core.resize(item.slots, when_within=partial(self.say, Leased(item.slots)))
            case Listen():
                self._hearing.listen(item)
            case Told():
                self._takers[item.what](item.id, *load_value(item.args))
            case Close():
                self._closer = threading.Thread(target=self.close, name=f"{self.settings.name}-closer", daemon=True)
                self._closer.start()
            case Deliver():
                self._post.deliver(item)

    def _undelivered(self, letter: DeadLetter) -> None:
        self._post.undelivered(letter)

    # Its end --------------------------------------------------------------------------------------------------------

    def _abort(self) -> None:
        """Nothing that ends from now on is told: the program has another word for it."""
        self._questions.give_up("the program has not answered for too long")
        self._family.give_up()
        self.core.shutdown.abort("the program has not answered for too long")

    def close(self) -> None:
        """End all that lives here: nobody listens any more. Each call returns when no thread is left."""
        self._is_closed = True
        self._wake()
        self._questions.give_up("the program has ended")
        self._family.give_up()
        self._hearing.end()
        self.core.shutdown.close("the program has ended")
        self._fence.take_down()
        closer = self._closer
        if closer is not None and closer is not threading.current_thread():
            closer.join()
