"""Long-lived actors that do what the machine tells them."""

from __future__ import annotations

import queue
import threading
from typing import Any

from actors import Actor, ActorRef, blocking

from .scripted import fault
from .stage import PATIENCE, Log


class Puppet(Actor):
    """Handles each message as the machine decides, and reports it."""

    def __init__(self, name: int, log: Log, faults: dict[str, str | None], puppets: list[Puppet]) -> None:
        super().__init__()
        puppets.append(self)
        self._name = name
        self._log = log
        self._faults = faults
        self._busy = threading.Lock()
        self.decisions: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()

    def on_start(self) -> None:
        """Fail, if that is the plan."""
        self._fail_in("on_start")

    def on_stop(self) -> None:
        """Likewise."""
        self._hook("on_stop")

    def on_failure(self, *_: Any) -> None:
        """Likewise."""
        self._hook("on_failure")

    def _hook(self, name: str) -> None:
        self._log.add("hook", (self._name, name))
        if self.actor_stopped.is_set():
            self._log.violation(f"{name} was called after the end was told")
        self._fail_in(name)

    def _fail_in(self, place: str) -> None:
        name = self._faults.get(place)
        if name is not None:
            raise fault(name)

    def on_receive(self, message: Any) -> Any:
        """Do as decided, until it is decided how to end."""
        if not self._busy.acquire(blocking=False):
            self._log.violation("two handlers of one actor at once")
        try:
            self._log.add("handling", (self._name, message))
            while True:
                kind, value = self._next()
                if kind == "return":
                    return value
                if kind == "raise":
                    raise fault(value)
                self._ask(*value)
        finally:
            self._busy.release()

    def _next(self) -> tuple[str, Any]:
        forget = self.cancel_token.on_cancel(lambda: self.decisions.put(None))
        try:
            with blocking():
                decision = self.decisions.get(timeout=PATIENCE)
        finally:
            forget()
        self.cancel_token.check()
        assert decision is not None
        return decision

    def _ask(self, ref: ActorRef[Any], content: int) -> None:
        try:
            result: Any = ref.ask(content)
        except Exception as error:
            result = type(error)
        except BaseException as error:
            self.cancel_token.check()
            result = type(error)
        self._log.add("asked", (self._name, content, result))
