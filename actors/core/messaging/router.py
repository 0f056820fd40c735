"""Sends each message to the mailbox of the id it is for."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, Protocol, cast

from ...errors import InboxClosed, InboxFull, NotRegistered
from ..checks import leaf_lock
from ..clock import SYSTEM_CLOCK
from ..crash import report
from ..process import fork
from ..records.message import AgentMessage
from ..records.sealed_message import SealedMessage
from ..waiting.wait_graph import current
from .dead_letter import DeadLetterReason, DeadLetters
from .mailbox import ACCEPTED, NOTHING, Mailbox, MailboxClosed, Put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..records.message import AgentId
    from ..waiting.waiter import Wakeable
    from .dead_letter import DeadLetter

PROGRAM: AgentId = 0
"""The id under which agents reach the program."""


class Endpoint:
    """Where the messages for one id go. Its mailbox is made on first use: most agents never get a message.

    Locks: the router's guards ``mailbox`` and ``gone``, each of which changes once; ``id`` is set before it is known.
    """

    __slots__ = ("gone", "id", "mailbox")

    def __init__(self, id: AgentId) -> None:  # noqa: A002 - the field's name
        self.id = id
        self.mailbox: Mailbox | None = None
        self.gone = False


class Inbox:
    """The receiving end of a mailbox."""

    def __init__(self, router: MessageRouter, endpoint: Endpoint) -> None:
        self._router = router
        self._endpoint = endpoint

    def __len__(self) -> int:
        mailbox = self._endpoint.mailbox
        return 0 if mailbox is None else len(mailbox)

    def __bool__(self) -> bool:
        return True  # an empty inbox is still an inbox

    def receive(self, timeout: float | None = None) -> AgentMessage:
        """Take the next message, waiting for it. An agent that waits is parked.

        Args:
            timeout: Seconds; None waits for ever, 0 does not wait.
        Raises:
            TimeoutError: Nothing arrived in time.
            InboxClosed: Nothing will arrive any more.
            Cancelled: The agent that waits was cancelled.
        """
        member = current()
        if member is not None:
            member.check()
        mailbox = self._endpoint.mailbox
        router = self._router
        if mailbox is None or router.mark.generation != router.generation:
            mailbox = router.open(self._endpoint)  # refused after a fork
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        while True:
            left = None if end is None else max(0.0, end - SYSTEM_CLOCK.monotonic())
            try:
                item = mailbox.take()
                if item is NOTHING:
                    item = mailbox.await_item(left, "receive", member)  # not by get: each frame that waits takes memory
            except MailboxClosed:
                raise InboxClosed(f"the inbox of {self._endpoint.id} is closed") from None
            except TimeoutError:
                raise TimeoutError(f"no message for {self._endpoint.id} within {timeout} s") from None
            if (message := self._message(item)) is not None:
                return message

    def receive_nowait(self) -> AgentMessage | None:
        """Take the next message if there is one."""
        fork.refuse_after_fork(self._router.generation)
        mailbox = self._endpoint.mailbox
        while mailbox is not None:
            try:
                item = mailbox.take()
            except MailboxClosed:
                return None
            if item is NOTHING:
                return None
            if (message := self._message(item)) is not None:
                return message
        return None

    def _message(self, item: Any) -> AgentMessage | None:
        """What a reader gets for *item*; None when it was dealt with already."""
        message: AgentMessage = item
        return self._opened(message) if type(message) is SealedMessage else message

    def _opened(self, message: SealedMessage) -> AgentMessage | None:
        """What came from another process; None when it cannot be read here, which harms no message behind it."""
        try:
            return message.taken()
        except Exception:  # noqa: BLE001 - whatever a class of the user's does when it is made again
            report("a message from {} for {} cannot be read here", message.sender, message.to)
            unread = AgentMessage.between(message.sender, message.to, None)
            letters = self._router.dead_letters
            letters.announce(letters.add(unread, DeadLetterReason.POISON, f"agent {message.to}"))
            return None


class Elsewhere(Protocol):
    """Where messages go that are for somebody in another process. Threads: any."""

    def mailbox(self, endpoint: Endpoint, capacity: int) -> Mailbox | None:
        """What takes the messages for *endpoint*, made before the first of them; None: they are read here. Under the
        router's lock.
        """

    def send(self, message: AgentMessage, timeout: float | None) -> None:
        """Send *message* to an id that is not known here.

        Raises:
            SendError: As for :meth:`MessageRouter.send`.
        """


class MessageRouter:
    """Knows the mailbox of each id.

    Guarantees: first in, first out for each pair of sender and receiver; a message that was accepted is read or
    becomes a dead letter; a send to id 0 never fails (its oldest message makes room).

    Args:
        inbox_capacity: Messages that fit each mailbox.
        on_undelivered: Called with each dead letter, in the thread that made it.

    Locks: ``_lock`` guards ``_endpoints`` and the making of mailboxes, so that none is made for an id that has gone.
    Lookups do without it. ``elsewhere`` is set once, before the first message; None where all live in this process.
    """

    def __init__(
        self,
        inbox_capacity: int = 32,
        *,
        on_undelivered: Callable[[DeadLetter], object] | None = None,
        supervised: bool = False,
    ) -> None:
        if inbox_capacity < 1:
            raise ValueError(f"inbox_capacity must be at least 1, got {inbox_capacity}")
        self._capacity = inbox_capacity
        self._supervised = supervised
        self._lock = leaf_lock()
        self._endpoints: dict[AgentId, Endpoint] = {PROGRAM: Endpoint(PROGRAM)}
        self._program_taken = False
        self.mark = fork.mark()
        self.generation = self.mark.generation
        self._dead_letters = DeadLetters(on_undelivered)
        self.elsewhere: Elsewhere | None = None

    @property
    def agent_count(self) -> int:
        """How many ids are registered, id 0 not counted."""
        fork.refuse_after_fork(self.generation)
        return len(self._endpoints) - 1

    @property
    def dead_letters(self) -> DeadLetters:
        """What was accepted and never read."""
        fork.refuse_after_fork(self.generation)
        return self._dead_letters

    def inbox(self) -> Inbox:
        """The inbox of id 0."""
        return Inbox(self, self._endpoints[PROGRAM])

    def register(self, agent_id: AgentId) -> Inbox:
        """Make a mailbox for *agent_id* and return its receiving end.

        Raises:
            ValueError: The id is taken; or it is positive and this is a pool's router, where those are given out by
                the supervisor (take a negative one).
        """
        fork.refuse_after_fork(self.generation)
        agent_id = index(agent_id)  # a plain one: nothing of a user's is compared under the lock
        if self._supervised and agent_id > PROGRAM:
            raise ValueError(f"positive ids are given out by the pool; register {-agent_id} instead")
        with self._lock:
            if agent_id == PROGRAM and not self._program_taken and not self._supervised:
                self._program_taken = True
                return self.inbox()
            if agent_id in self._endpoints:
                raise ValueError(f"id {agent_id} is already registered")
            endpoint = self._endpoints[agent_id] = Endpoint(agent_id)
        return Inbox(self, endpoint)

    def unregister(self, agent_id: AgentId) -> None:
        """Forget *agent_id*: its mailbox closes, its unread messages become dead letters. Unknown ids are ignored."""
        fork.refuse_after_fork(self.generation)
        agent_id = index(agent_id)
        if agent_id == PROGRAM or (self._supervised and agent_id > PROGRAM):
            raise ValueError(f"id {agent_id} belongs to the {'program' if agent_id == PROGRAM else 'pool'}")
        endpoint = self._endpoints.get(agent_id)
        if endpoint is not None:
            wakes: list[Wakeable] = []
            left = self.forget(endpoint, wakes)
            for waiter in wakes:
                waiter.wake()
            self.bury(left, DeadLetterReason.UNREGISTERED, f"id {agent_id}")()

    def send(self, message: AgentMessage, timeout: float | None = 0.0) -> None:
        """Put *message* into the mailbox of ``message.to``.

        Args:
            message: The message; the errors carry it back.
            timeout: Seconds to wait for room; 0 does not wait, None waits for ever.
        Raises:
            NotRegistered: Nobody has that id.
            InboxFull: No room in time.
            InboxClosed: The receiver ended while the sender waited.
        """
        if self.mark.generation != self.generation:
            fork.refuse_after_fork(self.generation)
        endpoint = self._endpoints.get(message.to)  # as ``find``, without a call
        if endpoint is not None:
            mailbox = endpoint.mailbox
            if mailbox is None or not endpoint.id:  # the program's, or to be made
                self._deliver(endpoint, message, timeout)
                return
            result = mailbox.put(message, timeout)
            if result is not ACCEPTED:
                raise refused(result, message, mailbox.capacity)
        elif self.elsewhere is not None:
            self.elsewhere.send(message, timeout)
        else:
            raise not_registered(message)

    def _deliver(self, endpoint: Endpoint, message: AgentMessage, timeout: float | None) -> None:
        mailbox = endpoint.mailbox
        if mailbox is None:
            mailbox = self.open(endpoint)
        if endpoint.id == PROGRAM:
            dropped = mailbox.force(message)
            if dropped is not NOTHING:
                letter = self.dead_letters.add(dropped, DeadLetterReason.DROPPED_OLDEST, "the program")
                self.dead_letters.announce(letter)
            return
        result = mailbox.put(message, timeout)
        if result is not ACCEPTED:
            raise refused(result, message, mailbox.capacity)

    def broadcast(self, content: Any, to: Iterable[AgentId]) -> int:
        """Send *content* from the program to each of *to*, and wait for nobody to make room.

        Returns:
            How many took it. Who has no room is passed over, and that is a dead letter; who has ended needs none.
        """
        taken = 0
        under_way: list[tuple[AgentMessage, Callable[[], Put]]] = []
        full: list[AgentMessage] = []
        for agent_id in to:
            endpoint = self._endpoints.get(agent_id)
            if endpoint is None:  # it has just ended
                continue
            message = AgentMessage.between(PROGRAM, agent_id, content)
            mailbox = endpoint.mailbox
            result = (self.open(endpoint) if mailbox is None else mailbox).begin(message)
            if callable(result):
                under_way.append((message, result))
            elif result is Put.FULL:
                full.append(message)
            else:
                taken += result is Put.ACCEPTED
        for message, settled in under_way:  # all are on their way by now
            result = settled()
            taken += result is Put.ACCEPTED
            if result is Put.FULL:
                full.append(message)
        add, reason = self.dead_letters.add, DeadLetterReason.INBOX_FULL
        self.dead_letters.announce(*[add(message, reason, f"agent {message.to}") for message in full])
        return taken

    def find(self, agent_id: AgentId) -> Endpoint | None:
        """Where the messages for that id go; None: it is not known here.

        Args:
            agent_id: 0 is the program.
        """
        return self._endpoints.get(agent_id)

    # For the supervisor -----------------------------------------------------------------------------------------

    def add(self, endpoint: Endpoint) -> None:
        """Make *endpoint* known under its id."""
        self._endpoints[endpoint.id] = endpoint

    def open(self, endpoint: Endpoint) -> Mailbox:
        """The mailbox of *endpoint*, made now if need be; closed if its id has gone."""
        fork.refuse_after_fork(self.generation)
        with self._lock:
            if endpoint.mailbox is None:
                made = None
                if self.elsewhere is not None and not endpoint.gone:
                    made = self.elsewhere.mailbox(endpoint, self._capacity)
                endpoint.mailbox = Mailbox(self._capacity, is_open=not endpoint.gone) if made is None else made
            return endpoint.mailbox

    def forget(self, endpoint: Endpoint, wakes: list[Wakeable]) -> Sequence[Any]:
        """Forget the id and close its mailbox; hand back what was not read. Whom the caller has to wake is added to
        *wakes*.

        Args:
            endpoint: Who has ended.
        """
        with self._lock:
            endpoint.gone = True
            if self._endpoints.get(endpoint.id) is endpoint:  # the id may have a new owner
                del self._endpoints[endpoint.id]
        if endpoint.mailbox is None:
            return ()
        left, readers = endpoint.mailbox.shut()
        wakes += cast("list[Wakeable]", readers)  # those who read an agent's mailbox wait at gates
        return left

    def seal(self) -> None:
        """The pool has closed: nothing comes any more, what was sent to the program's ids can still be read."""
        for endpoint in list(self._endpoints.values()):
            if endpoint.id <= PROGRAM:
                self.open(endpoint).seal()

    def bury(self, items: Sequence[Any], reason: DeadLetterReason, receiver: str) -> Callable[[], None]:
        """Make dead letters of *items*, which *receiver* has not read.

        Args:
            reason: Why nobody reads them.
        Returns:
            A function that tells the world, to be called without any lock: who waits for an answer, the log,
            ``on_undelivered``.
        """
        letters = [
            self.dead_letters.add(item if isinstance(item, AgentMessage) else item.message, reason, receiver)
            for item in items
        ]

        what = "was unregistered" if reason is DeadLetterReason.UNREGISTERED else "ended"

        def announce() -> None:
            for item in items:
                if not isinstance(item, AgentMessage):
                    item.refuse(f"{receiver} {what} before it answered")
            self.dead_letters.announce(*letters)

        return announce


def not_registered(message: AgentMessage) -> NotRegistered:
    """Nobody has the id that *message* is for."""
    return NotRegistered(f"agent {message.to} is not registered: it ended, or never was", message)


def refused(result: Put, message: AgentMessage, capacity: int | None) -> InboxFull | InboxClosed:
    """The mailbox that *message* is for did not take it."""
    if result is Put.CLOSED:
        return InboxClosed(f"the inbox of agent {message.to} is closed: it ended", message)
    return InboxFull(
        f"the inbox of agent {message.to} is full ({capacity} messages); name a timeout to wait for room", message
    )
