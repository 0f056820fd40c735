"""Messages of the agents of a host: what they send to others, and what comes for them."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ...core.clock import SYSTEM_CLOCK
from ...core.crash import safe_repr
from ...core.messaging.dead_letter import DeadLetterReason
from ...core.messaging.mailbox import NOTHING, Mailbox
from ...core.messaging.putter import Put, Putter
from ...core.messaging.router import PROGRAM, not_registered, refused
from ...core.records.message import AgentMessage
from ...core.records.sealed_message import SealedMessage
from ...core.waiting.wait_graph import wait_for
from ...core.waiting.waiter import Waiter
from ...errors import InboxClosed, NotPortable
from ..items import Accepted, Read
from ..portable import dump_value, load_value
from ..post import LETTER, POST, SEND, UNKNOWN, UNSEND, WORDS
from ..remote_mailbox import CONTENT, WITHDRAW
from .resting import rest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...core.messaging.dead_letter import DeadLetter
    from ...core.messaging.router import Endpoint
    from ...core.scheduling.agent_cell import AgentCell
    from ...core.supervision.supervisor import Supervisor
    from ..items import Deliver, Mail, ToProgram
    from ..pickler import Way
    from ..program import Program

NOBODY_ANSWERS = 60.0
"""Seconds that a thread which no cancel reaches waits for the program."""


class PostalHost(Protocol):
    """The host, as its post sees it."""

    @property
    def program(self) -> Program:
        """The program."""

    @property
    def way(self) -> Way:
        """What goes from it to the program, and stays there."""

    @property
    def core(self) -> Supervisor:
        """Its pool."""

    def say(self, item: ToProgram) -> None:
        """Have *item* for the program."""

    def take(self, what: str, fn: Callable[..., object]) -> None:
        """Give each ``Told`` of that *what* to ``fn(agent_id, *args)``."""


class _Sending:
    """A message on its way to somebody elsewhere.

    Locks: none; ``how`` and ``capacity`` are written before ``settled`` is woken, ``arrived`` is woken before it.
    """

    __slots__ = ("arrived", "capacity", "how", "settled")

    def __init__(self) -> None:
        self.arrived = Waiter()
        """It is settled, or has to wait for room."""
        self.settled = Waiter()
        self.how = ""
        self.capacity: int | None = None


class _ToProgram(Mailbox):
    """The mailbox of id 0 on a host: passes on to the program, and waits for nobody.

    Locks: as of a mailbox.
    """

    __slots__ = ("_host",)

    def __init__(self, host: PostalHost) -> None:
        super().__init__()
        self._host = host

    def force(self, item: AgentMessage) -> Any:
        """Pass *item* on.

        Raises:
            NotPortable: It cannot go to another machine.
        """
        self._host.program.note(POST, item.sender, dump_value(item.content, CONTENT, self._host.way))
        return NOTHING


class _Standing(Putter):
    """A message for an agent of this host that waits for room: the program is told what becomes of it.

    Locks: the mailbox's guards ``result``.
    """

    __slots__ = ("_number", "_post", "mailbox", "owner")

    def __init__(self, item: SealedMessage, post: NodePost, number: int, mailbox: Mailbox) -> None:
        super().__init__(item)
        self._post = post
        self._number = number
        self.mailbox = mailbox
        self.owner = None
        self.waiter = self  # type: ignore[assignment]  # it is woken, and no thread waits

    def wake(self) -> None:
        """It is settled."""
        self._post.settled(self._number, self.result)

    def open(self) -> None:
        """As :meth:`wake`, which was interrupted."""
        self.wake()


class NodePost:
    """What the agents of a host send to who is elsewhere, and what comes from there.

    Guarantees: a send returns when the message was accepted, and raises as one in the program does; what comes is
    answered once.

    Threads: any.

    Locks: none; the tables change by single operations.
    """

    def __init__(self, host: PostalHost) -> None:
        self._host = host
        self._router = host.core.pool.router
        self._router.elsewhere = self
        self._numbers = itertools.count(1)
        self._sending: dict[int, _Sending] = {}
        self._standing: dict[int, _Standing] = {}
        host.take(SEND, self._told)
        host.take(WITHDRAW, self._withdraw)

    def mailbox(self, endpoint: Endpoint, capacity: int) -> Mailbox | None:  # noqa: ARG002 - the program's has one
        """That of the program is there."""
        return _ToProgram(self._host) if endpoint.id == PROGRAM else None

    # What agents send -------------------------------------------------------------------------------------------

    def send(self, message: AgentMessage, timeout: float | None) -> None:
        """Send *message* to somebody who is not on this host.

        Raises:
            NotRegistered: Nobody has that id.
            InboxFull: No room in time.
            InboxClosed: The receiver ended, or its node went.
            NotPortable: It cannot go to another machine.
            Cancelled: The agent that sends was cancelled; nobody knows whether it was accepted.
        """
        self.send_for(message.sender, message, timeout)

    def send_for(self, agent_id: int, message: AgentMessage, timeout: float | None) -> None:
        """As :meth:`send`, by an agent of this host, whoever *message* says it is from."""
        way = self._host.way if message.to <= PROGRAM else None  # another host knows no classes of this one
        content = dump_value(message.content, CONTENT, way)
        number, sending = next(self._numbers), _Sending()
        waits = timeout is None or timeout > 0
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        self._sending[number] = sending
        self._host.program.note(SEND, agent_id, number, message.sender, message.to, content, waits)
        try:
            how = self._await(sending, number, agent_id, end)
        except BaseException:
            if not sending.how:
                self._host.program.note(UNSEND, agent_id, number)
            if sending.how != "ok":  # else it is there: who sends must know
                raise
            how = sending.how
        finally:
            self._sending.pop(number, None)
        _raise_unless_accepted(how, message, sending.capacity)

    def _await(self, sending: _Sending, number: int, agent_id: int, end: float | None) -> str:
        self._rest(sending.arrived)  # with the slot: on its way it is not long
        if not sending.how:
            left = None if end is None else max(0.0, end - SYSTEM_CLOCK.monotonic())
            if not wait_for(sending.settled, left, "room in a mailbox"):
                self._host.program.note(UNSEND, agent_id, number)
                self._rest(sending.settled)
        return sending.how

    @staticmethod
    def _rest(waiter: Waiter) -> None:
        if not rest(waiter, NOBODY_ANSWERS):
            raise InboxClosed(f"the program has not answered within {NOBODY_ANSWERS:g} s")

    def _told(self, agent_id: int, number: int, how: str, capacity: int | None) -> None:  # noqa: ARG002
        """The program says what became of a message."""
        sending = self._sending.get(number)
        if sending is None:
            return
        if how == "waits":
            sending.arrived.wake()
            return
        sending.capacity = capacity
        sending.how = how
        sending.arrived.wake()
        sending.settled.wake()

    # What comes -------------------------------------------------------------------------------------------------

    def enter(self, cell: AgentCell, mail: Iterable[Mail]) -> None:
        """Give *cell*, which has not begun, what was sent to it before: it was accepted then."""
        for each in mail:
            self._router.open(cell).take_over(self._sealed(each))

    def deliver(self, item: Deliver) -> None:
        """Put a message into the mailbox of an agent of this host, and answer when that is settled. Never waits."""
        mail = item.mail
        endpoint = self._router.find(mail.to)
        if endpoint is None:
            self._host.say(Accepted(mail.number, "closed"))
            return
        mailbox, sealed = self._router.open(endpoint), self._sealed(mail)
        waits = item.timeout is None or item.timeout > 0
        while (result := mailbox.offer(sealed)) is Put.FULL and waits:
            standing = _Standing(sealed, self, mail.number, mailbox)
            if mail.number not in self._standing:
                self._host.say(Accepted(mail.number, "waits"))
            self._standing[mail.number] = standing
            if mailbox.line_up(standing):
                return  # it is woken
        self._standing.pop(mail.number, None)
        self._host.say(Accepted(mail.number, WORDS[result]))

    def _sealed(self, mail: Mail) -> SealedMessage:
        return SealedMessage.of(
            mail.sender, mail.to, partial(load_value, mail.content), partial(self._read, mail.number)
        )

    def _read(self, number: int) -> None:
        self._host.say(Read((number,)))

    def settled(self, number: int, result: Put) -> None:
        """A message that stood in line was settled: say so, once."""
        if self._standing.pop(number, None) is not None:
            self._host.say(Accepted(number, WORDS[result]))

    def _withdraw(self, agent_id: int, number: int) -> None:  # noqa: ARG002 - the number says all
        """Whoever sent it waits for room no longer."""
        standing = self._standing.get(number)
        if standing is not None:
            standing.mailbox.leave_line(standing)
            if standing.result is Put.FULL:  # else it was settled meanwhile, and that is told
                self.settled(number, Put.FULL)

    # What nobody reads ------------------------------------------------------------------------------------------

    def undelivered(self, letter: DeadLetter) -> None:
        """Tell the program of a dead letter. Of what it has passed on itself, it knows when the reader ends."""
        message = letter.message
        if isinstance(message, SealedMessage) and letter.reason is DeadLetterReason.RECEIVER_ENDED:
            return
        try:
            data = dump_value(message, "a dead letter", self._host.way)
        except NotPortable:
            shown: Any = safe_repr(message)
            if isinstance(message, AgentMessage):
                shown = AgentMessage.between(message.sender, message.to, safe_repr(message.content))
            data = dump_value(shown, "a dead letter")
        self._host.program.note(LETTER, 0, data, str(letter.reason), letter.receiver)


def _raise_unless_accepted(how: str, message: AgentMessage, capacity: int | None) -> None:
    if how == UNKNOWN:
        raise not_registered(message)
    if how != "ok":
        raise refused(Put.FULL if how == "full" else Put.CLOSED, message, capacity)
