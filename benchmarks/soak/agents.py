"""The agents and the actors of the soak."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from actors import (
    Actor,
    ActorDead,
    ActorsError,
    Agent,
    AskTimeout,
    DeadlockError,
    LlmAgent,
    SendError,
)

from .faults import KINDS, Place
from .plan import Plan, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef, AgentOutcome

    from .faults import Faults
    from .ledger import Ledger
    from .world import World


TELLS = ("tell", "crash")
"""The words of what is told, with a number; the others are asked."""


class Echo(Actor):
    """Answers, refuses, passes on, crashes: as it is told."""

    inbox_capacity = 4

    def __init__(self, faults: Faults, ledger: Ledger) -> None:
        super().__init__()
        self._faults, self._ledger = faults, ledger

    def on_receive(self, message: tuple[str, Any]) -> Any:
        """Do what the word says."""
        word, value = message
        if word in TELLS:
            self._ledger.heard(value)
        if word in ("raise", "crash"):
            raise self._faults.make(KINDS[value % len(KINDS)], Place.HANDLER)
        if word == "wait":
            time.sleep(value)
        if word == "pass on":
            others: list[ActorRef[Echo]] = value
            if others:
                return others[0].ask((word, others[1:]), timeout=0.2)
        return message


class _Planned(Agent[Any]):
    """What raises at the places of its plan."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.raise_at(Place.INIT)

    def raise_at(self, place: Place) -> None:
        """Raise what the plan says for that place."""
        kind = self.plan.faults.get(place)
        if kind is not None and (not self.plan.flaky or self.world.ledger.first_try(self.plan.number)):
            raise self.world.faults.make(kind, place)

    def on_start(self) -> None:
        """Raise, perhaps."""
        self.raise_at(Place.ON_START)

    def on_end(self, _: AgentOutcome[Any]) -> None:
        """Note it, and raise, perhaps."""
        self.world.ledger.cleaned(self.agent_id)
        kind = self.plan.faults.get(Place.ON_END)
        if kind is not None:
            raise self.world.faults.make(kind, Place.ON_END)


class Scholar(_Planned, LlmAgent):
    """A language-model agent; what its driver and its tools do is in ``models``."""

    def run(self, query: str) -> Any:
        """Ask the driver, and raise, perhaps."""
        answer = LlmAgent.run(self, query)
        self.raise_at(Place.RUN)
        return answer


class Soldier(_Planned):
    """Does the steps of its plan."""

    def run(self, _: object) -> int:
        """Do them; the result is the plan's number."""
        for step, amount, child in self.plan.steps:
            self.checkpoint()
            try:
                STEPS[step](self, amount, child)
            except (SendError, TimeoutError, DeadlockError):
                self.world.ledger.note(f"refused: {step}")
        self.raise_at(Place.RUN)
        return self.plan.number

    def work(self, amount: float, _: Plan | None) -> None:
        """Compute, and see that no more do so at once than there are slots."""
        self.checkpoint()
        world = self.world
        limit = world.most_slots
        with world.ledger.at_work(self.agent_id, self.cancel_token) as count:
            if count > limit and limit == world.most_slots:
                world.ledger.violate(f"{count} agents work at once, there are {limit} slots")
            sum(range(int(2000 * amount)))

    def send_one(self, amount: float, _: Plan | None) -> None:
        """Send to somebody; a full inbox is an error."""
        self.message(self.world.someone(amount), timeout=0)

    def send_waiting(self, amount: float, _: Plan | None) -> None:
        """Send to somebody; wait for room."""
        self.message(self.world.someone(amount), timeout=0.05 * amount)

    def send_program(self, amount: float, _: Plan | None) -> None:
        """Send to the program, or to its other endpoint."""
        self.message(0 if amount < 0.5 else self.world.endpoint, timeout=0)

    def message(self, to: int, timeout: float) -> None:
        """Send a numbered message, and count it once it was accepted."""
        self.send(to, (self.world.ledger.number(), True), timeout)
        self.world.ledger.note("messages accepted")

    def receive_one(self, amount: float, _: Plan | None) -> None:
        """Wait for a message, parked."""
        self.world.ledger.handled(self.receive(timeout=0.02 * amount))

    def park(self, amount: float, _: Plan | None) -> None:
        """Wait for something else, parked."""
        with self.parked():
            time.sleep(0.01 * amount)

    def rest(self, amount: float, _: Plan | None) -> None:
        """Sleep, with the slot."""
        self.sleep(0.01 * amount)

    def ask(self, amount: float, _: Plan | None) -> None:
        """Ask an actor; sometimes through others, in a circle."""
        ledger, actors = self.world.ledger, self.world.actors()
        ledger.note("asks")
        word: tuple[str, Any] = ("wait", 0.02 * amount)
        if amount < 0.2:
            word = ("pass on", [*actors, actors[0]])
        elif amount < 0.4:
            word = ("raise", int(1000 * amount))
        try:
            actors[0].ask(word, timeout=0.1 * amount)
            ledger.note("asks answered")
        except (ActorDead, AskTimeout, DeadlockError) as error:
            ledger.note(f"asks ended by {type(error).__name__}")
        except Exception:  # noqa: BLE001 - what the handler raised
            ledger.note("asks that raised")
        except (SystemExit, KeyboardInterrupt, GeneratorExit):
            ledger.note("asks that raised")
        finally:
            ledger.note("asks settled")

    def ask_future(self, amount: float, _: Plan | None) -> None:
        """Ask, and do not wait."""
        self.world.ledger.asked(self.world.actors()[0].ask_future(("wait", 0.005 * amount)))

    def tell(self, amount: float, _: Plan | None) -> None:
        """Tell an actor something."""
        self.world.tell("tell", timeout=0.01 * amount)

    def crash_actor(self, amount: float, _: Plan | None) -> None:
        """Tell an actor what it fails at."""
        self.world.tell("crash", timeout=0.01 * amount)

    def child(self, _: float, plan: Plan | None) -> None:
        """Start a child, and leave it alone."""
        self.hire(plan)

    def child_awaited(self, amount: float, plan: Plan | None) -> None:
        """Start a child, and wait for it, parked."""
        handle = self.hire(plan)
        try:
            handle.result(timeout=None if amount < 0.5 else amount)
        except ActorsError:
            self.world.ledger.note("children that failed")

    def child_cancelled(self, amount: float, plan: Plan | None) -> None:
        """Start a child, and cancel it."""
        self.hire(plan).cancel(f"cancelled by its parent {amount}")

    def hire(self, plan: Plan | None) -> Any:
        """Start a child with that plan."""
        assert plan is not None
        handle = self.spawn(self.world.config(plan))
        self.world.watch(handle, plan)
        return handle

    def cancel_other(self, amount: float, _: Plan | None) -> None:
        """Cancel somebody."""
        self.world.cancel(self.world.someone(amount))

    def get_stuck(self, amount: float, _: Plan | None) -> None:
        """Wait in a way that no cancel ends."""
        self.world.faults.note("stuck in run")
        self.world.release.wait(0.5 * amount)


STEPS: dict[Step, Callable[[Soldier, float, Plan | None], None]] = {
    Step.WORK: Soldier.work,
    Step.SEND: Soldier.send_one,
    Step.SEND_WAITING: Soldier.send_waiting,
    Step.SEND_PROGRAM: Soldier.send_program,
    Step.RECEIVE: Soldier.receive_one,
    Step.PARK: Soldier.park,
    Step.SLEEP: Soldier.rest,
    Step.ASK: Soldier.ask,
    Step.ASK_FUTURE: Soldier.ask_future,
    Step.TELL: Soldier.tell,
    Step.CRASH_ACTOR: Soldier.crash_actor,
    Step.CHILD: Soldier.child,
    Step.CHILD_AWAITED: Soldier.child_awaited,
    Step.CHILD_CANCELLED: Soldier.child_cancelled,
    Step.CANCEL: Soldier.cancel_other,
    Step.STUCK: Soldier.get_stuck,
}
