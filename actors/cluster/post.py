"""Messages of a pool whose agents live on nodes, as the program passes them on."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Final

from ..core.messaging.dead_letter import DeadLetterReason
from ..core.messaging.mailbox import Mailbox
from ..core.messaging.putter import ACCEPTED, Put, Putter
from ..core.messaging.router import PROGRAM, not_registered
from ..core.records.sealed_message import SealedMessage
from .items import Accepted, Mail, Read, Told
from .lane import MOST_ITEMS
from .portable import dump_value, load_value
from .remote_mailbox import RemoteMailbox, Sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.messaging.router import Endpoint
    from ..core.records.message import AgentMessage
    from ..core.scheduling.agent_cell import AgentCell
    from .engine_state import EngineState
    from .items import ToHost
    from .node import Node

SEND: Final = "send"
"""The note by which an agent of a host sends: its name for the message, who sends, to whom, the content, does it wait
for room? It is told what became of it by the same word.
"""
UNSEND: Final = "unsend"
"""The note that it waits for room no longer."""
POST: Final = "post"
"""The note of a message for the program itself, which nobody answers."""
LETTER: Final = "letter"
"""The note of a dead letter of a host."""
UNKNOWN: Final = "unknown"
WORDS: Final = {ACCEPTED: "ok", Put.FULL: "full", Put.CLOSED: "closed"}


class ProgramMailbox(Mailbox):
    """That of id 0: it grows with the cluster, so that a batch of each host fits.

    Locks: as of a mailbox.
    """

    __slots__ = ()

    def widen(self, capacity: int) -> None:
        """Let at least so many fit."""
        if self._capacity is not None and capacity > self._capacity:
            self._capacity = capacity


class Sending:
    """A message of an agent of a host, until it is settled: tells that host of it.

    Locks: none: ``putter`` is set once, before the message is put in.
    """

    __slots__ = ("_agent_id", "_number", "_post", "mailbox", "owner", "putter")

    def __init__(self, post: Post, agent_id: int, number: int, mailbox: Mailbox) -> None:
        self._post = post
        self._agent_id = agent_id
        self._number = number
        self.mailbox = mailbox
        self.owner = None
        self.putter: Putter

    def stands(self) -> None:
        """It waits for room."""
        self._post.say(self._agent_id, self._number, "waits")

    def wake(self) -> None:
        """It is settled."""
        self._post.settled(self._agent_id, self._number, WORDS[self.putter.result], self.mailbox.capacity)

    def open(self) -> None:
        """As :meth:`wake`, which was interrupted."""
        self.wake()

    def send(self, *, waits: bool) -> None:
        """Put the message in. On the engine's thread."""
        putter, mailbox = self.putter, self.mailbox
        if isinstance(putter, Sent):
            assert isinstance(mailbox, RemoteMailbox)
            mailbox.enter(putter)
            if putter.is_settled:
                self.wake()
            return
        is_told = False
        while (result := mailbox.offer(putter.item)) is Put.FULL and waits:
            if not is_told:
                self.stands()
                is_told = True
            if mailbox.line_up(putter):
                return  # it is woken
        putter.result = result
        self.wake()

    def withdraw(self) -> None:
        """Whoever sends waits no longer."""
        putter, mailbox = self.putter, self.mailbox
        if isinstance(putter, Sent):
            assert isinstance(mailbox, RemoteMailbox)
            mailbox.withdraw(putter)
            return
        mailbox.leave_line(putter)
        if putter.result is Put.FULL:  # else it was settled meanwhile, and that is told
            self.wake()


class Post:
    """Passes messages on between the program and its hosts.

    Guarantees: what was passed on is kept until the host says that it was read; each send from a host is answered,
    once, if the host is there.

    Threads: any, but for what the engine's thread is said to do.

    Locks: none; the tables change by single operations.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._router = state.pool.router
        self._numbers = itertools.count(1)
        self._mailboxes: dict[int, RemoteMailbox] = {}
        self._sending: dict[int, dict[int, Sending]] = {}
        self._router.elsewhere = self
        state.hear(Accepted, self._accepted)
        state.hear(Read, self._read)
        state.when_placed(self._placed)
        state.when_lost(self._lost)
        state.when_ended(self._ended)
        desk = state.desk
        desk.hear(SEND, self._send)
        desk.hear(UNSEND, self._unsend)
        desk.hear(POST, self._post)
        desk.hear(LETTER, self._letter, waits=True)

    # For the router -----------------------------------------------------------------------------------------------

    def mailbox(self, endpoint: Endpoint, capacity: int) -> Mailbox | None:
        """That of an agent passes on; that of the program is wide."""
        if endpoint.id > PROGRAM:
            return RemoteMailbox(endpoint.id, capacity, self)
        return ProgramMailbox(max(capacity, self._batches())) if endpoint.id == PROGRAM else None

    def _batches(self) -> int:
        """As many as all hosts may bring at once."""
        return MOST_ITEMS * max(1, len(list(self._state.placement.nodes())))

    def send(self, message: AgentMessage, timeout: float | None) -> None:  # noqa: ARG002 - nobody makes room
        """All ids are known in the program."""
        raise not_registered(message)

    # For mailboxes ------------------------------------------------------------------------------------------------

    def number(self, mailbox: RemoteMailbox) -> int:
        """A number for a message."""
        number = next(self._numbers)
        self._mailboxes[number] = mailbox
        return number

    def forget(self, number: int) -> None:
        """Nothing is heard of it any more."""
        self._mailboxes.pop(number, None)

    def tell(self, agent_id: int, item: ToHost) -> bool:
        """Put *item* for the host of that agent."""
        return self._state.tell(agent_id, item)

    def has_placed(self, agent_id: int) -> bool:
        """Was it placed?"""
        return agent_id in self._state.where

    def call_arrived(self, mailbox: RemoteMailbox) -> None:
        """When the engine's thread is done with what it does now, the agent was sent."""
        self._state.thread.do(mailbox.arrived)

    # What becomes of agents: on the engine's thread -----------------------------------------------------------------

    def _placed(self, cell: AgentCell) -> tuple[Mail, ...]:
        mailbox = cell.mailbox  # one that is made now sees that its agent was placed
        return mailbox.leave() if isinstance(mailbox, RemoteMailbox) else ()

    def _lost(self, cells: Sequence[AgentCell]) -> None:
        for cell in cells:
            if isinstance(cell.mailbox, RemoteMailbox):
                cell.mailbox.lose()
            self._ended(cell)

    def _ended(self, cell: AgentCell) -> None:
        """What it still sends is not wanted."""
        for sending in list(self._sending.pop(cell.id, {}).values()):
            sending.withdraw()

    def _accepted(self, node: Node, item: Accepted) -> None:  # noqa: ARG002 - the number says all
        mailbox = self._mailboxes.get(item.number)
        if mailbox is not None:
            mailbox.answered(item.number, item.how)

    def _read(self, node: Node, item: Read) -> None:  # noqa: ARG002 - the numbers say all
        for number in item.numbers:
            mailbox = self._mailboxes.get(number)
            if mailbox is not None:
                mailbox.read(number)

    # What agents of hosts send: on the engine's thread ----------------------------------------------------------------

    def _post(self, agent_id: int, content: bytes) -> None:
        """A message for the program itself."""
        endpoint = self._router.find(PROGRAM)
        assert endpoint is not None
        mailbox = self._router.open(endpoint)
        if isinstance(mailbox, ProgramMailbox):
            mailbox.widen(self._batches())
        self._router.send(SealedMessage.of(agent_id, PROGRAM, partial(load_value, content)))

    def _send(self, agent_id: int, number: int, sender: int, to: int, content: bytes, waits: bool) -> None:
        endpoint = self._router.find(to)
        if endpoint is None:
            self.say(agent_id, number, UNKNOWN)
            return
        item = SealedMessage.of(sender, to, partial(load_value, content))
        mailbox = self._router.open(endpoint)
        sending = Sending(self, agent_id, number, mailbox)
        if isinstance(mailbox, RemoteMailbox):
            sending.putter = Sent(item, content, waits=waits, far=sending)
        else:
            sending.putter = Putter(item)
            sending.putter.waiter = sending  # type: ignore[assignment]  # it is woken, and no thread waits
        self._sending.setdefault(agent_id, {})[number] = sending
        sending.send(waits=waits)

    def _unsend(self, agent_id: int, number: int) -> None:
        sending = self._sending.get(agent_id, {}).get(number)
        if sending is not None:
            sending.withdraw()

    def settled(self, agent_id: int, number: int, how: str, capacity: int | None) -> None:
        """A message of an agent of a host was settled: tell it, once."""
        sending = self._sending.get(agent_id)
        if sending is not None and sending.pop(number, None) is not None:
            self.say(agent_id, number, how, capacity)

    def say(self, agent_id: int, number: int, how: str, capacity: int | None = None) -> None:
        """Tell the host of an agent what became of its message."""
        self._state.tell(agent_id, Told(SEND, agent_id, dump_value((number, how, capacity), SEND)))

    def _letter(self, agent_id: int, data: bytes, reason: str, receiver: str) -> None:  # noqa: ARG002
        """A dead letter of a host. A thread of its own: the program's listener is called."""
        letters = self._router.dead_letters
        letters.announce(letters.add(load_value(data), DeadLetterReason(reason), receiver))
