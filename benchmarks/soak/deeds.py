"""What the program does to a pool in one round."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from actors import ActorDead, AgentError, AgentMessage, AgentStatus, AskTimeout, CapacityError, SendError

from .faults import Place
from .plan import STOPPED, Plan, Planner

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentHandle

    from .field import Field


class Program:
    """The user of the pool: one thread that starts, cancels, joins and sends at random."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._random = field.random
        self._planner = Planner(field.random)
        self._handles: list[AgentHandle[Any]] = []

    def round(self, deeds: int) -> None:
        """Do so many random things."""
        for _ in range(deeds):
            (deed,) = self._random.choices(list(DEEDS), list(DEEDS.values()))
            try:
                deed(self)
            except (CapacityError, SendError, TimeoutError):
                self._field.ledger.note(f"refused: {deed.__name__}")
            del self._handles[:-100]

    # Starting ---------------------------------------------------------------------------------------------------

    def spawn(self) -> None:
        """One agent, waiting a moment for room."""
        plan = self._planner.draw()
        timeout = self._random.choice((0, 0, 0.02))
        self._admitted(self._field.pool.spawn(self._field.config(plan), timeout=timeout), plan)

    def fan_out(self) -> None:
        """Several, or none."""
        plans = [self._planner.draw() for _ in range(self._random.randint(2, 12))]
        configs = [self._field.config(plan) for plan in plans]
        for handle, plan in zip(self._field.pool.fan_out(configs, timeout=0.02), plans, strict=True):
            self._admitted(handle, plan)

    def submit(self) -> None:
        """A function, that may fail."""
        plan = self._planner.draw()
        kind = plan.faults.get(Place.RUN)
        number = Plan(plan.number, ends=STOPPED | {_end_of(kind)})

        def function() -> None:
            if kind is not None:
                raise self._field.faults.make(kind, Place.RUN)

        self._admitted(self._field.pool.submit(function), number)

    def map(self) -> None:
        """Many, yielded as they end; sometimes closed early."""
        field, random = self._field, self._random
        plans = [self._planner.draw() for _ in range(random.randint(1, 24))]
        stop_after = random.choice((None, None, random.randint(0, len(plans))))
        count = 0
        with field.pool.map((field.config(plan) for plan in plans), ordered=random.random() < 0.5) as outcomes:
            for outcome in outcomes:
                field.took(outcome)
                count += 1
                if count == stop_after:
                    field.faults.note("map closed early")
                    return
        if count != len(plans):
            field.ledger.violate(f"map yielded {count} outcomes of {len(plans)}")

    def _admitted(self, handle: AgentHandle[Any], plan: Plan) -> None:
        self._field.watch(handle, plan)
        self._handles.append(handle)

    # Taking -----------------------------------------------------------------------------------------------------

    def join_next(self) -> None:
        """The next outcome, if one comes soon."""
        outcome = self._field.pool.join_next(timeout=0.01)
        if outcome is not None:
            self._field.took(outcome)

    def as_completed(self) -> None:
        """The outcomes of some handles."""
        some = self._some(5)
        for outcome in self._field.pool.as_completed(some, timeout=0.05):
            self._field.took(outcome, by_handle=True)

    def by_handle(self) -> None:
        """One outcome, by its handle."""
        for handle in self._some(1):
            self._field.took(handle.outcome(timeout=0.02), by_handle=True)

    def detach(self) -> None:
        """Take no interest in one any more."""
        for handle in self._some(1):
            handle.detach()

    def join_beside(self) -> None:
        """Two threads join for a moment, at the same time."""

        def join() -> None:
            try:
                while (outcome := self._field.pool.join_next(timeout=0.01)) is not None:
                    self._field.took(outcome)
            except TimeoutError:
                pass  # enough for now

        threads = [threading.Thread(target=join, name="joiner") for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _some(self, count: int) -> list[AgentHandle[Any]]:
        return self._random.sample(self._handles, k=min(count, len(self._handles)))

    # Stopping ---------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel a few."""
        for handle in self._some(self._random.randint(1, 4)):
            self._field.faults.note("cancelled")
            handle.cancel("soak")

    def abort_all(self) -> None:
        """Cancel everybody."""
        self._field.faults.note("abort_all")
        self._field.pool.abort_all("soak")

    def resize(self) -> None:
        """Change the limit. Who runs then runs on, so the most that may run is the larger of both."""
        field, limit = self._field, self._random.randint(1, 8)
        field.faults.note("resized")
        field.most_slots = max(field.most_slots, limit)
        field.pool.resize(limit)

    # Messages, actors, looking ----------------------------------------------------------------------------------

    def send(self) -> None:
        """Send to several agents."""
        for _ in range(5):
            to = self._field.someone(self._random.random())
            message = AgentMessage(0, to, (self._field.ledger.number(), True))
            self._field.pool.router.send(message, timeout=0)
            self._field.ledger.note("messages accepted")

    def read(self) -> None:
        """Read what came for the program."""
        read_all(self._field)

    def ask(self) -> None:
        """Ask an actor."""
        ledger = self._field.ledger
        ledger.note("asks")
        try:
            self._field.actors()[0].ask(("wait", 0.001), timeout=0.02)
            ledger.note("asks answered")
        except (ActorDead, AskTimeout) as error:
            ledger.note(f"asks ended by {type(error).__name__}")
        finally:
            ledger.note("asks settled")

    def stop_actor(self) -> None:
        """Stop or abort an actor, whatever it does, while others ask it."""
        ref = self._field.actors()[0]
        self._field.faults.note("actor stopped")
        if self._random.random() < 0.5:
            ref.stop(block=False)
        else:
            ref.abort("soak")
        self._field.revive()

    def look(self) -> None:
        """Look from outside."""
        stats = self._field.pool.stats()
        if min(stats.active, stats.queued, stats.outstanding, stats.parked) < 0:
            self._field.ledger.violate(f"a negative figure: {stats}")
        str(self._field.pool.dump())


def read_all(field: Field) -> None:
    """Read all that came for the program."""
    for inbox in (field.pool.inbox, field.inbox):
        while (message := inbox.receive_nowait()) is not None:
            field.ledger.handled(message)


def _end_of(kind: object) -> AgentStatus:
    if kind is None:
        return AgentStatus.COMPLETED
    return AgentStatus.FAILED if kind is AgentError else AgentStatus.CRASHED


DEEDS: dict[Callable[[Program], None], float] = {
    Program.spawn: 20,
    Program.fan_out: 8,
    Program.submit: 5,
    Program.map: 1,
    Program.join_next: 5,
    Program.as_completed: 2,
    Program.by_handle: 4,
    Program.detach: 1,
    Program.join_beside: 2,
    Program.cancel: 4,
    Program.abort_all: 0.5,
    Program.resize: 1,
    Program.send: 8,
    Program.read: 2,
    Program.ask: 4,
    Program.stop_actor: 0.5,
    Program.look: 1,
}
