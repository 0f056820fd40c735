"""The mailbox of an agent that lives elsewhere, as the program has it: what it takes goes on to the agent's host."""

from __future__ import annotations

from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..core.actors.envelope import Envelope
from ..core.messaging.dead_letter import DeadLetterReason
from ..core.messaging.mailbox import NOTHING, Mailbox
from ..core.messaging.putter import ACCEPTED, Put, Putter
from ..core.waiting.wait_graph import wait_for
from ..errors import Cancelled, DispatcherExhausted, NotAcrossNodes
from .items import Deliver, Mail, Told
from .portable import dump_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.messaging.mailbox import Reader
    from ..core.records.message import AgentMessage
    from ..core.waiting.wait_graph import WaitNode
    from .items import ToHost

CONTENT = "the content of a message"
"""How errors name it."""
WITHDRAW = "withdraw"
"""What a host is told when nobody waits any more for room for a message; its number."""


class Stands(Protocol):
    """Who is told that a message has to stand in line, and then what became of it."""

    def stands(self) -> None:
        """There is no room yet."""

    def wake(self) -> None:
        """It is settled."""


class Sent(Putter):
    """A message for an agent that lives elsewhere.

    Args:
        content: As bytes, as it was when it was sent.
        waits: Does it wait for room?
        far: Who is told of it in place of a thread that waits.

    Locks: the mailbox's guards ``result`` and ``is_settled``, which change once; ``number`` is set before it is known.
    """

    __slots__ = ("content", "far", "is_settled", "number", "waits")

    def __init__(self, item: AgentMessage, content: bytes, *, waits: bool, far: Stands | None = None) -> None:
        super().__init__(item)
        self.content = content
        self.waits = waits
        self.far = far
        self.number = 0
        self.is_settled = False

    def mail(self) -> Mail:
        """As it goes over the lane."""
        return Mail(self.number, self.item.sender, self.item.to, self.content)

    def settle(self, result: Put) -> None:
        """Nothing becomes of it any more but *result*. Under the mailbox's lock."""
        self.result = result
        self.is_settled = True

    def wake(self) -> None:
        """Let whoever waits go on."""
        if self.far is None:
            self.waiter.wake()
        else:
            self.far.wake()


class Line(Protocol):
    """The way from a mailbox to the host of its agent. Threads: any."""

    def number(self, mailbox: RemoteMailbox) -> int:
        """A number for a message that *mailbox* was given."""

    def forget(self, number: int) -> None:
        """Nothing is heard of that message any more."""

    def tell(self, agent_id: int, item: ToHost) -> bool:
        """Put *item* for the host of that agent; False when it lives on none."""

    def has_placed(self, agent_id: int) -> bool:
        """Was it placed with a host?"""

    def call_arrived(self, mailbox: RemoteMailbox) -> None:
        """Call ``mailbox.arrived()`` once the agent's host was sent it."""


class Stage(Enum):
    """Where the agent is."""

    HERE = auto()
    """In the program's queue: what is sent to it waits here."""
    LEAVING = auto()
    """On its way to a host: what is sent goes after it."""
    THERE = auto()


class RemoteMailbox(Mailbox):
    """Takes what is sent to one agent, and passes it on to its host; while it has none, keeps it.

    Guarantees: what was accepted is kept until the host says that it was read; what one thread puts in keeps its order;
    what the host has not accepted when it is lost, or the agent ends, is refused as closed.

    Locks: ``_lock`` guards every field. Nobody is woken or told under it: one thread at a time tells the host, in the
    order of the puts.
    """

    __slots__ = ("_agent_id", "_is_telling", "_kept", "_line", "_outgoing", "_stage", "_under_way", "was_lost")

    def __init__(self, agent_id: int, capacity: int, line: Line) -> None:
        super().__init__(capacity)
        self._agent_id = agent_id
        self._line = line
        self._stage = Stage.HERE
        self._kept: dict[int, Sent] = {}
        self._under_way: dict[int, Sent] = {}
        self._outgoing: list[Sent | Told] = []
        self._is_telling = False
        self.was_lost = False

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def unread_reason(self) -> DeadLetterReason:  # type: ignore[override]  # of this one it changes
        """Why nobody has read what is left."""
        return DeadLetterReason.NODE_LOST if self.was_lost else DeadLetterReason.RECEIVER_ENDED

    def empty(self) -> bool:
        """Is nothing kept?"""
        return not self._kept

    def waiting(self) -> list[Any]:
        """What was accepted, and not read as far as it is known here."""
        with self._lock:
            return [sent.item for sent in self._kept.values()]

    def take(self) -> Any:
        """Nobody reads it here."""
        return NOTHING

    def force(self, item: Any) -> Any:
        """Accept *item* if there is room: nothing here can make some."""
        return NOTHING if self.put(item, 0.0) is ACCEPTED else item

    # Putting ----------------------------------------------------------------------------------------------------

    def offer(self, item: Any) -> Put:
        """Accept *item* if there is room now, where the agent is."""
        return self.put(item, 0.0)

    def begin(self, item: Any) -> Put | Callable[[], Put]:
        """Send *item* on its way; what waits for the answer."""
        sent = self._sent(item, 0.0)
        self.enter(sent)
        return sent.result if sent.is_settled else partial(self._await, sent, 0.0, None)

    def put(self, item: Any, timeout: float | None = None, target: WaitNode | None = None) -> Put:
        """Accept *item*, waiting for room at most *timeout* seconds; the answer of a host takes some time, too.

        Raises:
            NotAcrossNodes: It asks for an answer.
            NotPortable: It cannot go to another machine.
        """
        sent = self._sent(item, timeout)
        self.enter(sent)
        return sent.result if sent.is_settled else self._await(sent, timeout, target)

    @staticmethod
    def _sent(item: Any, timeout: float | None) -> Sent:
        if isinstance(item, Envelope):
            raise NotAcrossNodes("ask", "send the agent a message, and let it answer with one")
        return Sent(item, dump_value(item.content, CONTENT), waits=timeout is None or timeout > 0)

    def _await(self, sent: Sent, timeout: float | None, target: WaitNode | None) -> Put:
        """Wait until the host has said what became of *sent*: that it takes no longer than the host lives."""
        try:
            if not wait_for(sent.waiter, timeout if sent.waits else None, "room in a mailbox", target):
                self.withdraw(sent)
                wait_for(sent.waiter, None, "room in a mailbox", target)
        except (Cancelled, DispatcherExhausted):
            self.withdraw(sent)
            if sent.result is not ACCEPTED:  # else it is there: who sends must know
                raise
        except BaseException:
            self.withdraw(sent)
            raise
        return sent.result

    def enter(self, sent: Sent) -> None:
        """Take *sent*. Returns at once: it may be settled by then, and nobody was woken for that."""
        sent.number = self._line.number(self)
        with self._lock:
            if self._stage is Stage.HERE and self._line.has_placed(self._agent_id):
                self._go()
            if not self._open:
                sent.settle(Put.CLOSED)
            elif self._stage is not Stage.HERE:
                self._under_way[sent.number] = sent
                self._outgoing.append(sent)
            elif self._capacity is None or len(self._kept) < self._capacity:
                self._kept[sent.number] = sent
                sent.settle(ACCEPTED)
            elif sent.waits:
                self._under_way[sent.number] = sent
            else:
                sent.settle(Put.FULL)
            stands = self._stage is Stage.HERE and not sent.is_settled
        if stands and sent.far is not None:
            sent.far.stands()
        if sent.is_settled and sent.result is not ACCEPTED:
            self._line.forget(sent.number)
        self._pass_on()

    def _pass_on(self) -> None:
        """Tell the host what is to go there. One thread does it at a time: so what goes there keeps its order."""
        while True:
            with self._lock:
                if self._is_telling or self._stage is not Stage.THERE or not self._outgoing:
                    return
                self._is_telling = True
                outgoing, self._outgoing = self._outgoing, []
            try:
                for each in outgoing:
                    item = Deliver(each.mail(), None if each.waits else 0.0) if isinstance(each, Sent) else each
                    self._line.tell(self._agent_id, item)
            finally:
                with self._lock:
                    self._is_telling = False

    def withdraw(self, sent: Sent) -> None:
        """Nobody waits for room for *sent* any more: it is settled soon, unless it was accepted before."""
        with self._lock:
            if sent.is_settled:
                return
            is_here = self._stage is Stage.HERE or sent in self._outgoing
            if is_here:
                if sent in self._outgoing:
                    self._outgoing.remove(sent)
                self._under_way.pop(sent.number, None)
                sent.settle(Put.FULL)
            else:  # after it, and not beside
                told = dump_value((sent.number,), WITHDRAW)
                self._outgoing.append(Told(WITHDRAW, self._agent_id, told))
        if is_here:
            self._line.forget(sent.number)
            sent.wake()
        self._pass_on()

    # Where the agent is: on the engine's thread -----------------------------------------------------------------

    def leave(self) -> tuple[Mail, ...]:
        """The agent is being placed with a host: what was accepted goes with it, what waits for room goes after it."""
        with self._lock:
            self._go()
            return tuple(sent.mail() for sent in self._kept.values())

    def _go(self) -> None:
        if self._stage is Stage.HERE:
            self._stage = Stage.LEAVING
            self.was_lost = False
            self._outgoing = [*self._under_way.values()]
        self._line.call_arrived(self)

    def arrived(self) -> None:
        """The agent was sent to its host."""
        with self._lock:
            if self._stage is Stage.LEAVING:
                self._stage = Stage.THERE
        self._pass_on()

    def lose(self) -> None:
        """The host went: nobody knows what became of that which it had not accepted."""
        with self._lock:
            self._stage = Stage.HERE
            self.was_lost = True
            self._outgoing.clear()
            refused = self._refuse()
        for sent in refused:
            sent.wake()

    def _refuse(self) -> list[Sent]:
        refused = list(self._under_way.values())
        self._under_way.clear()
        for sent in refused:
            sent.settle(Put.CLOSED)
            self._line.forget(sent.number)
        return refused

    def answered(self, number: int, how: str) -> None:
        """The host says what became of a message: ``ok``, ``full``, ``closed``; ``waits``: it stands in line."""
        with self._lock:
            sent = self._under_way.get(number)
            if sent is None:
                return
            if how != "waits":
                del self._under_way[number]
                if how == "ok":
                    self._kept[number] = sent
                sent.settle(_PUTS[how])
        if how == "waits":
            if sent.far is not None:
                sent.far.stands()
            return
        if how != "ok":
            self._line.forget(number)
        sent.wake()

    def read(self, number: int) -> None:
        """The agent has read it: so it was accepted, if that was not heard yet."""
        with self._lock:
            sent = self._under_way.pop(number, None)
            if sent is None:
                self._kept.pop(number, None)
            else:
                sent.settle(ACCEPTED)
        self._line.forget(number)
        if sent is not None:
            sent.wake()

    # Closing ----------------------------------------------------------------------------------------------------

    def seal(self) -> bool:
        """Refuse what comes from now on."""
        with self._lock:
            first, self._open = self._open, False
            refused = self._refuse()
        for sent in refused:
            sent.wake()
        return first

    def shut(self, keep: Callable[[list[Any]], object] | None = None) -> tuple[list[Any], list[Reader]]:
        """Close without waking anybody yet: hand back what was not read, and whom the caller has to wake."""
        with self._lock:
            self._open = False
            left = [sent.item for sent in self._kept.values()]
            for number in self._kept:
                self._line.forget(number)
            self._kept.clear()
            self._outgoing.clear()
            wakes: list[Reader] = [_Wake(sent) for sent in self._refuse()]
            if left and keep is not None:
                keep(left)
        return left, wakes


class _Wake:
    """Who is to be woken for a message that was refused, as whoever closes a mailbox wants it."""

    __slots__ = ("_sent",)

    def __init__(self, sent: Sent) -> None:
        self._sent = sent

    @property
    def owner(self) -> Any:
        """The agent that is parked there, if one is."""
        return self._sent.waiter.owner

    def wake(self) -> None:
        """It is settled."""
        self._sent.wake()

    def open(self) -> None:
        """As :meth:`wake`, which was interrupted."""
        self._sent.wake()


_PUTS = {"ok": ACCEPTED, "full": Put.FULL, "closed": Put.CLOSED}
