"""The two lanes to one host: at most one ``put`` and one ``drain`` that nobody has given up are out at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from .lane import DrainCall, Drained, Gap, Inlet, Outbox, PutAnswer, PutCall, dump, load
from .link import HostDied, HostFailed, LinkError, LinkGone

if TYPE_CHECKING:
    from .engine_thread import EngineThread
    from .items import ToHost, ToProgram
    from .lane import HostState
    from .link import Link, Method

PATIENCE = 2.0
"""Seconds beyond what a call may take after which it is made again: numbers make that harmless."""
TRY_AGAIN = 0.05
"""Seconds before a call that failed is made again, at first."""
LONGEST_PAUSE = 1.0


class Owner(Protocol):
    """What a line tells of its host. On the engine's thread."""

    def heard(self, line: Line, state: HostState) -> None:
        """It answered."""

    def got(self, line: Line, items: list[ToProgram]) -> None:
        """What it had to say."""

    def died(self, line: Line, error: LinkError) -> None:
        """It is over: its process ended, it is another one, or items are missing."""


class Line:
    """Puts what the program has for a host, and drains what that has for the program, until it is closed.

    Guarantees: what is put arrives once and in order, whatever is lost, late or doubled on the way.

    Locks: the outbox has its own; all else is the engine's thread's, but ``is_closed``, which is read anywhere.
    """

    def __init__(self, link: Link, thread: EngineThread, owner: Owner, incarnation: str, wait: float) -> None:
        self.incarnation = incarnation
        self.outbox = Outbox(self._when_filled)
        self.inlet = Inlet()
        self.wait = wait
        self.is_closed = False
        self._heard = 0.0
        self._link = link
        self._thread = thread
        self._owner = owner
        self._calls: dict[Method, int] = {"put": 0, "drain": 0}
        self._is_out: dict[Method, bool] = {"put": False, "drain": False}
        self._pause: dict[Method, float] = {"put": TRY_AGAIN, "drain": TRY_AGAIN}

    def put(self, item: ToHost) -> None:
        """Have *item* for the host. Any thread."""
        self.outbox.put(item)

    def _when_filled(self) -> None:
        self._thread.do(self.pump)

    def pump(self) -> None:
        """Send what is to be sent, if nothing is on its way."""
        if self.is_closed or self._is_out["put"]:
            return
        batch = self.outbox.next()
        if batch is not None:
            self._call("put", dump(PutCall(self.incarnation, batch.first, batch.items, self._heard)), PATIENCE)

    def drain(self) -> None:
        """Fetch what it has, and so on."""
        if not (self.is_closed or self._is_out["drain"]):
            call = DrainCall(self.incarnation, self.inlet.last, self.wait, self._heard)
            self._call("drain", dump(call), self.wait + PATIENCE)

    def close(self) -> None:
        """Nothing comes or goes any more."""
        self.is_closed = True

    def _call(self, method: Method, frame: bytes, patience: float) -> None:
        self._is_out[method] = True
        self._calls[method] += 1
        number = self._calls[method]
        self._thread.do_at(self._now() + patience, partial(self._lose_patience, method, number))
        self._link.call(self.incarnation, method, frame, partial(self._come, method, number))

    def _now(self) -> float:
        return self._thread.now()

    def _come(self, method: Method, number: int, answer: bytes | LinkError) -> None:
        """An answer has come, in a thread of the link."""
        self._thread.do(partial(self._answered, method, number, answer))

    def _lose_patience(self, method: Method, number: int) -> None:
        if number == self._calls[method] and self._is_out[method] and not self.is_closed:
            self._go_on(method)

    def _go_on(self, method: Method) -> None:
        self._is_out[method] = False
        if method == "put":
            self.pump()
        else:
            self.drain()

    def _answered(self, method: Method, number: int, answer: bytes | LinkError) -> None:
        if self.is_closed:
            return
        if isinstance(answer, LinkError):
            self._failed(method, number, answer)
            return
        self._pause[method] = TRY_AGAIN
        parsed: PutAnswer | Drained = load(answer, PutAnswer) if method == "put" else load(answer, Drained)
        if parsed.state.incarnation != self.incarnation:
            self._owner.died(self, HostDied("another host answers in its place"))
            return
        try:
            items = self.inlet.take(parsed) if isinstance(parsed, Drained) else []
            self.outbox.acknowledge(parsed.state.took)
        except Gap as gap:
            self._owner.died(self, HostDied(str(gap)))
            return
        self._heard = max(self._heard, parsed.state.sent_at)
        self._owner.heard(self, parsed.state)
        if number == self._calls[method]:  # else it was given up, and made again
            self._go_on(method)
        if items:
            self._owner.got(self, items)

    def _failed(self, method: Method, number: int, error: LinkError) -> None:
        if isinstance(error, HostDied | HostFailed | LinkGone):
            self._owner.died(self, error)
        if number != self._calls[method] or self.is_closed:
            return
        pause, self._pause[method] = self._pause[method], min(LONGEST_PAUSE, 2 * self._pause[method])
        self._thread.do_at(self._now() + pause, partial(self._lose_patience, method, number))
