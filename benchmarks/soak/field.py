"""What all who take part in an era share: the pool, the actors, the books."""

from __future__ import annotations

import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any

from actors import AgentManifest, AgentPool, AgentStatus, Backoff, RestartPolicy, SpawnConfig, supervise

from . import models
from .agents import Echo, Scholar, Soldier
from .faults import Faults, Place
from .ledger import Ledger
from .sink import Sink

if TYPE_CHECKING:
    from actors import ActorRef, AgentHandle, AgentId, AgentOutcome

    from .plan import Plan

ENDPOINT = -1
"""The program's second endpoint."""
SLACK = 5.0
"""Seconds that a busy machine may add to a deadline."""
MANIFEST = AgentManifest(name="soak")


class Field:
    """One pool and its surroundings, from its opening to its close.

    Locks: ``_lock`` guards ``_ids``, ``_actors`` and ``hired``.
    """

    def __init__(self, random: Random, faults: Faults) -> None:
        self.random = random
        self.faults = faults
        self.ledger = Ledger()
        self.release = threading.Event()
        self.endpoint = ENDPOINT
        self._lock = threading.Lock()
        self._ids: list[AgentId] = []
        self._actors: list[ActorRef[Echo]] = []
        self.hired: list[ActorRef[Echo]] = []
        self.sink = Sink(self.ledger, faults, Random(random.random())) if random.random() < 0.7 else None
        self.abort_timeout = random.choice((0.1, 0.3))
        self.max_queued = random.choice((None, None, 0, 8, 64))
        self.restarts = random.random() < 0.5
        self.most_slots = random.randint(1, 8)
        self.pool = AgentPool(
            None,
            self.most_slots,
            max_queued=self.max_queued,
            inbox_capacity=random.randint(1, 4),
            max_live=random.choice((None, 10, 20)),
            abort_timeout=self.abort_timeout,
            tools=models.registry(self),
            restart=RestartPolicy(2, backoff=Backoff(base=0.001, maximum=0.01)) if self.restarts else None,
            on_event=self.sink,
        )
        self.inbox = self.pool.router.register(ENDPOINT)
        self.revive()

    # Actors -----------------------------------------------------------------------------------------------------

    def actors(self) -> list[ActorRef[Echo]]:
        """The actors, in an order of the moment; some may have ended."""
        with self._lock:
            self._actors = [*self._actors[1:], self._actors[0]]
            return self._actors

    def revive(self) -> None:
        """See that there are three living actors."""
        with self._lock:
            self._actors = [ref for ref in self._actors if ref.is_alive()]
            while len(self._actors) < 3:
                self._actors.append(self._hire())

    def _hire(self) -> ActorRef[Echo]:
        if self.random.random() < 0.5:
            restart = RestartPolicy(2, backoff=Backoff(base=0.001, maximum=0.005))
            ref = supervise(Echo, self.faults, self.ledger, restart=restart)
        else:
            ref = Echo.start(self.faults, self.ledger)
        self.hired.append(ref)
        ref.watch(lambda _: self.ledger.note("actors ended"))
        return ref

    def tell(self, word: str, timeout: float) -> None:
        """Tell an actor something, numbered."""
        number = self.ledger.number()
        self.actors()[0].tell((word, number), timeout)
        self.ledger.told(number)

    # Agents -----------------------------------------------------------------------------------------------------

    def config(self, plan: Plan) -> SpawnConfig:
        """*plan* as something to be spawned. For any thread: what is drawn here depends on the plan alone."""
        return SpawnConfig(
            MANIFEST,
            "the query",
            agent=Scholar if plan.scholar else Soldier,
            kwargs={"world": self, "plan": plan},
            timeout=plan.timeout,
            deadline=plan.deadline,
            priority=plan.priority,
            group=plan.group,
            tag=plan.number,
            driver=models.driver(self, Random(plan.number)) if plan.scholar else None,
        )

    def watch(self, handle: AgentHandle[Any], plan: Plan) -> None:
        """See how *handle* ends."""
        if not plan.scholar:  # what a scholar hears goes into its conversation, where nobody counts it
            with self._lock:
                self._ids.append(handle.id)
                del self._ids[:-64]
        self.ledger.watch(handle.id)
        begin, allowed = time.monotonic(), plan.deadline

        def look(ended: AgentHandle[Any]) -> None:
            self.ledger.ended(ended.id, ended.status)
            if AgentStatus(ended.status) not in plan.ends:
                self.ledger.violate(f"agent {ended.id} ended {ended.status}, its plan is {plan}")
            late = 0.0 if allowed is None else time.monotonic() - begin - allowed - self.abort_timeout
            if late > SLACK:
                self.ledger.violate(f"agent {ended.id} ended {late:.1f} s after its deadline and abort_timeout")

        handle.add_done_callback(look)
        kind = plan.faults.get(Place.CALLBACK)
        # In the main thread a Ctrl-C of a callback is taken for a real one, as it should be.
        if kind is not None and not (kind is KeyboardInterrupt and handle.done()):
            handle.add_done_callback(lambda _: self._fail(kind))

    def _fail(self, kind: Any) -> None:
        if kind is KeyboardInterrupt and threading.current_thread() is threading.main_thread():
            return
        raise self.faults.make(kind, Place.CALLBACK)

    def took(self, outcome: AgentOutcome[Any], *, by_handle: bool = False) -> None:
        """Somebody got that outcome."""
        if not by_handle:  # a handle answers again and again; the others yield each outcome once
            self.ledger.took(outcome.agent_id)
        if outcome.ok and isinstance(outcome.result, int) and outcome.result != outcome.tag:
            self.ledger.violate(f"agent {outcome.agent_id} has the result of another: {outcome!r}")

    def someone(self, amount: float) -> AgentId:
        """The id of one of the last agents; it may have ended."""
        with self._lock:
            return self._ids[int(amount * len(self._ids))] if self._ids else 0

    def cancel(self, agent_id: AgentId) -> None:
        """Cancel that agent, if there is one."""
        if agent_id > 0:
            self.faults.note("cancelled")
            self.pool.abort(agent_id, "soak")
