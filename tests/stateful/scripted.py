"""Agents that do what the machine tells them, and report each step through the pool's own events."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from actors import Actor, ActorsError, Agent, AgentManifest, AgentOutcome, Cancelled, DriverError, Event, SpawnConfig

from .stage import BOUND, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Plan
    from .stage import Stage

FAULTS: dict[str, type[BaseException]] = {
    fault.__name__: fault
    for fault in (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, ExceptionGroup, BaseException)
}
MANIFEST = AgentManifest(name="scripted")


def fault(name: str) -> BaseException:
    """A fresh exception of that name."""
    cls = FAULTS[name]
    return cls("planned", [ValueError("inner")]) if cls is ExceptionGroup else cls("planned")


class Born(Event):
    """An incarnation of the agent is being built."""

    incarnation: int


class Ready(Event):
    """It waits for a command."""


class StepDone(Event):
    """It did what it was told, with that value, or that error."""

    kind: str
    value: Any = None
    error: str | None = None


class Served(Event):
    """It answers an ask."""

    content: Any


class OnEnd(Event):
    """Its ``on_end`` was called with an outcome of that status."""

    status: str
    visible: bool


class ScriptedAgent(Agent[Any]):
    """Waits for commands, one after the other. Everything it does is told by events, in order."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        super().__init__()
        self._stage = stage
        self._plan = plan
        self._port = stage.port(plan.number)
        self._counted = False
        self._take()
        incarnation = self._port.births
        self._port.births += 1
        self._fault = plan.births[incarnation] if incarnation < len(plan.births) else None
        self.emit(Born(incarnation=incarnation))
        self._fail_in("init")

    def on_start(self) -> None:
        """Fail, if that is the plan."""
        self._fail_in("start")

    def run(self, query: Any) -> Any:
        """Do as told, until told to return or to fail."""
        self._stage.refs[self.agent_id] = self.actor_ref
        self.emit(Ready())
        try:
            while True:
                kind, value = self._port.next(self.cancel_token)
                if kind == "return":
                    return value
                if kind == "crash":
                    raise fault(value)
                if kind == "fail":
                    raise DriverError(value)
                self.emit(self._do(kind, value))
        finally:
            self._give()

    def _do(self, kind: str, value: Any) -> StepDone:
        try:
            return StepDone(kind=kind, value=getattr(self, f"do_{kind}")(value))
        except (ActorsError, TimeoutError, LookupError) as error:
            return StepDone(kind=kind, error=type(error).__name__)

    def on_end(self, outcome: AgentOutcome[Any]) -> None:
        """Tell whether the outcome can be seen already, wait at the gate, fail if that is the plan."""
        holds_slot = not self.cancel_token.cancelled
        if holds_slot:
            self._take()
        handle = self._stage.handles.get(self.agent_id)
        self.emit(OnEnd(status=str(outcome.status), visible=handle is not None and handle.done()))
        try:
            if not self._port.end_gate.wait(BOUND):
                self._stage.log.violation("nobody opened the gate at the end")
            if self._plan.end_fault is not None:
                raise fault(self._plan.end_fault)
        finally:
            self._give()

    def on_receive(self, message: Any) -> Any:
        """Answer an ask."""
        self.emit(Served(content=message))
        return ("reply", message)

    # Slots ------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        if self.cancel_token.cancelled:
            return  # it goes on to its end without a slot
        self._counted = True
        self._stage.slots.take()

    def _give(self) -> None:
        if self._counted:
            self._counted = False
            self._stage.slots.give()

    def _fail_in(self, place: str) -> None:
        if self._fault is not None and self._fault[0] == place:
            self._give()
            raise fault(self._fault[1])

    @contextmanager
    def _parking(self) -> Iterator[None]:
        """A wait during which the slot may go to others. Who is cancelled in it has none afterwards."""
        self._give()
        try:
            yield
        except Cancelled:
            raise
        except BaseException:
            self._take()
            raise
        self._take()

    # Commands ---------------------------------------------------------------------------------------------------

    def do_receive(self, timeout: float | None) -> Any:
        """Take the next message."""
        with self._parking():
            message = self.receive(timeout)
        return (message.sender, message.content)

    def do_send(self, what: tuple[int, int, float | None]) -> None:
        """Send; with a timeout of None, wait for room."""
        to, content, timeout = what
        with self._parking():
            self.send(to, content, timeout)

    def do_park(self, gate: threading.Event) -> None:
        """Wait at a gate of the machine's, without needing a slot."""
        forget = self.cancel_token.on_cancel(gate.set)
        with self._parking(), self.parked():
            if not gate.wait(PATIENCE):
                self._stage.log.violation("nobody opened the gate")
        forget()

    def do_spawn(self, config: SpawnConfig) -> int:
        """Start a child."""
        handle = self.spawn(config)
        self._stage.handles[handle.id] = handle
        return handle.id

    def do_await(self, agent_id: int) -> str:
        """Wait for the outcome of another agent."""
        with self._parking():
            outcome = self._stage.handles[agent_id].outcome()
        return str(outcome.status)

    def do_ask(self, what: tuple[Any, int]) -> Any:
        """Ask the oracle."""
        ref, content = what
        with self._parking():
            return ref.ask(content)

    def do_ask_self(self, _: Any) -> Any:
        """Ask itself: nobody could ever answer."""
        return self.actor_ref.ask("myself", timeout=BOUND)

    def do_join_all(self, _: Any) -> Any:
        """Wait for all agents, itself included."""
        return self._stage.pool.join_all(timeout=BOUND)

    def do_drain(self, _: Any) -> Any:
        """Likewise."""
        return self._stage.pool.drain(timeout=BOUND)


class Oracle(Actor):
    """A long-lived actor that answers when, and how, the machine decides."""

    inbox_capacity = None

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self._busy = threading.Lock()

    def on_receive(self, message: Any) -> Any:
        """Wait for the decision."""
        if not self._busy.acquire(blocking=False):
            self._stage.log.violation("two handlers of one actor at once")
        try:
            self._stage.log.add("asked", message)
            answers, value = self._stage.decisions.get(timeout=PATIENCE)
        finally:
            self._busy.release()
        if not answers:
            raise LookupError(value)
        return value
