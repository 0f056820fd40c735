"""Events of the agents of a host: those that somebody in the program is told of."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING

from ...core.crash import report
from ...core.records.event import AgentEnded, AgentQueued, AgentStarted
from ...core.supervision.event_sink import is_delta
from ..items import Happened

if TYPE_CHECKING:
    from ...core.supervision.pool_state import PoolState
    from ...core.supervision.posted import Posted
    from ...core.waiting.waiter import Waiter
    from ..items import Listen, Place
    from ..lane import Outbox

BY_PROGRAM = frozenset({AgentQueued, AgentStarted, AgentEnded})
"""Events that the program tells itself."""


class HostSink:
    """Puts events of agents into the outbox, in the thread that makes them: so none comes after the outcome.

    Locks: that of the event delivery guards all: ``lock``. Somebody may look at ``wants_text`` without it.
    """

    is_full = False
    progress = 0

    def __init__(self, outbox: Outbox, lock: threading.Lock) -> None:
        self._outbox = outbox
        self._lock = lock
        self._heard: dict[int, bool] = {}
        self._to_all = False
        self.wants_text = False
        self.thread = threading.current_thread()

    def listen(self, item: Listen) -> bool:
        """Whose events are told from now on; is there anybody?"""
        with self._lock:
            self._to_all, self.wants_text = item.to_all, item.to_text
            return self._to_all or bool(self._heard)

    def add(self, agent_id: int, *, tells_text: bool) -> bool:
        """The events of that agent are told, and the text of its answers if so said. Is anybody heard?"""
        with self._lock:
            self._heard[agent_id] = tells_text
            return True

    def remove(self, agent_id: int) -> bool:
        """It has ended. Is anybody heard?"""
        with self._lock:
            self._heard.pop(agent_id, None)
            return self._to_all or bool(self._heard)

    def is_heard(self, agent_id: int) -> bool:
        """Is that agent one that was added?"""
        return agent_id in self._heard

    def take_in(self, posted: Posted, dropped: list[object]) -> Waiter | None:  # noqa: ARG002
        """Put it into the outbox."""
        tells_text = self._heard.get(posted.agent_id)
        if posted.make in BY_PROGRAM or (tells_text is None and not self._to_all):
            return None
        if is_delta(posted) and not (tells_text or self.wants_text):
            return None
        try:
            event = pickle.dumps((posted.make, dict(posted.fields)), pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 - an event that cannot go harms nobody
            report("a {} of agent {} cannot be told", posted.make.__name__, posted.agent_id)
            return None
        self._outbox.put(Happened(posted.agent_id, event, posted.moment))
        return None

    def tell_end(self) -> None:
        """It has no thread."""


class Hearing:
    """Has events made exactly while somebody in the program is told of some.

    Guarantees: what is made for nobody costs nobody anything, as long as nobody is heard.

    Locks: ``_lock`` guards ``_is_on``; the pool's turn is taken under it.
    """

    def __init__(self, pool: PoolState, outbox: Outbox) -> None:
        self._pool = pool
        self._sink = HostSink(outbox, pool.event_delivery.lock)
        self._lock = threading.Lock()
        self._is_on = False

    def listen(self, item: Listen) -> None:
        """What the program listens to has changed."""
        with self._lock:
            self._turn(on=self._sink.listen(item))

    def add(self, place: Place) -> None:
        """An agent comes."""
        if place.is_heard:
            with self._lock:
                # One that streams nothing tells its text at once, to who reads it by its handle.
                self._turn(on=self._sink.add(place.id, tells_text=place.streams is not None))

    def remove(self, agent_id: int) -> None:
        """An agent has ended."""
        if self._sink.is_heard(agent_id):
            with self._lock:
                self._turn(on=self._sink.remove(agent_id))

    def end(self) -> None:
        """Nobody is told of anything any more."""
        with self._lock:
            self._turn(on=False)

    def _turn(self, *, on: bool) -> None:
        if on is self._is_on:
            return
        self._is_on = on
        delivery = self._pool.event_delivery
        if on:
            delivery.add(self._sink)
        else:
            delivery.remove(self._sink)
        self._pool.listen()
