"""The door of the live view: one thread that hears requests on the loopback interface, and answers them."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from contextlib import ExitStack, suppress
from time import monotonic
from typing import TYPE_CHECKING

from loguru import logger

from ...core.checks import leaf_lock
from ...core.crash import traceback_of
from ...core.process import fork
from .request import Refused, read_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from .request import Request

    Answering = Callable[[Request], bytes]
    Refusing = Callable[[Refused], bytes]

HOST = "127.0.0.1"
SECONDS = 5.0
"""A request has so long, from its connection to the last byte of its answer."""
MOST_ANSWERS = 8
"""Answers that are on their way at once; each may have 2 MB."""
MOST_CONNECTIONS = 64
"""One more, and the one that has said nothing whole for the longest time makes way."""
CHUNK = 65_536
DEAF = 0.5
"""Seconds in which nobody is let in after there was no descriptor for one."""
LINGER = 1.0
"""Seconds in which a client may go on sending what is not read: a reset would take the answer from it."""


class Door:
    """Hears requests on a port of 127.0.0.1, one for each connection, and answers each.

    One thread does it all, and never waits for a client: whoever is slow, or says nothing, costs a connection and no
    thread, for 5 s in all. (``http.server`` has a thread for each, no bound of time for a whole request, and looks up
    twice a second whether it is to end.)

    Args:
        answer: Makes the bytes of an answer. It may raise ``Refused``; it is called in the door's thread.
        refuse: Makes those of a refusal.
        rest: Called when it is quiet: it says after how many seconds it wants to be called again; None = not.
        end: Called when it is shut, in its thread.

    Guarantees: after :meth:`close` the port is free and the thread has ended, whatever clients do. In a forked child
    it is shut.

    Locks: ``_lock`` guards ``_closing``; the door's own thread has everything else, until it has ended.
    """

    def __init__(
        self,
        port: int,
        name: str,
        *,
        answer: Answering,
        refuse: Refusing,
        rest: Callable[[], float | None],
        end: Callable[[], object],
    ) -> None:
        self._answer = answer
        self._refuse = refuse
        self._rest = rest
        self._end = end
        self._generation = fork.generation()
        self._lock = leaf_lock()
        self._closing = False
        with ExitStack() as opened:  # where there are no more descriptors, none of these is left
            self._listener = opened.enter_context(listen(port))
            self._bell, self._rope = map(opened.enter_context, socket.socketpair())
            self._selector = opened.enter_context(selectors.DefaultSelector())
            opened.pop_all()
        self.port: int = self._listener.getsockname()[1]
        for one in (self._listener, self._bell, self._rope):
            one.setblocking(False)
        self._guests: dict[int, Guest] = {}
        self._deaf_until: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def open(self) -> None:
        """Hear requests from now on."""
        try:
            self._thread.start()
        except BaseException:
            self._shut()
            raise

    def close(self, timeout: float) -> bool:
        """Shut the door, and wait until nothing is left of it; False when that takes longer than *timeout* seconds."""
        if self._generation != fork.generation():
            self._shut()  # the child's copies
            return True
        self.tell_end()
        if threading.current_thread() is self._thread:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def tell_end(self) -> None:
        """Let the thread end; returns at once."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            try:
                self._rope.send(b"!")
            except OSError:  # it has ended by itself
                pass

    def _run(self) -> None:
        try:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(self._bell, selectors.EVENT_READ)
            while not self._closing:
                self._step()
        finally:
            self._shut()
            self._end()

    def _step(self) -> None:
        for key, _ in self._selector.select(self._time_left(monotonic())):
            if self._closing:
                return
            if key.fileobj is self._listener:
                self._let_in()
            elif key.fileobj is not self._bell:
                known = self._guests.get(key.fd)
                if known is not None:
                    self._attend(known)

    def _time_left(self, now: float) -> float | None:
        """Seconds until something is to be done whether or not anybody says a word; what is due is done."""
        for guest in [one for one in self._guests.values() if one.end <= now]:
            self._late(guest)
        if self._deaf_until is not None and self._deaf_until <= now:
            self._deaf_until = None
            self._selector.register(self._listener, selectors.EVENT_READ)
        ends = [guest.end - now for guest in self._guests.values()]
        if self._deaf_until is not None:
            ends.append(self._deaf_until - now)
        wanted = self._rest()
        if wanted is not None:
            ends.append(wanted)
        return max(0.0, min(ends)) if ends else None

    def _let_in(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):  # it has gone again
            return
        except OSError:  # no more descriptors: somebody makes way, and who knocks on waits without keeping us awake
            self._make_room()
            self._selector.unregister(self._listener)
            self._deaf_until = monotonic() + DEAF
            return
        if len(self._guests) >= MOST_CONNECTIONS:
            self._make_room()
        sock.setblocking(False)
        guest = Guest(sock, monotonic() + SECONDS)
        self._guests[sock.fileno()] = guest
        self._selector.register(sock, selectors.EVENT_READ)
        self._attend(guest)  # most have said everything by now

    def _make_room(self) -> None:
        guests = sorted(self._guests.values(), key=lambda one: (one.is_answered, one.end))
        if guests:
            self._late(guests[0])

    def _late(self, guest: Guest) -> None:
        if not guest.is_answered:
            guest.say(self._refuse(Refused(408, "a request has 5 s")))
            with suppress(OSError):  # it has just gone
                guest.send()
        self._drop(guest)

    def _attend(self, guest: Guest) -> None:
        try:
            if not guest.is_answered and not self._hear(guest):
                return
            is_sent = guest.send()
            if is_sent and guest.has_hung_up():
                self._drop(guest)
                return
            self._selector.modify(guest.sock, selectors.EVENT_READ if is_sent else selectors.EVENT_WRITE)
        except OSError:
            self._drop(guest)

    def _hear(self, guest: Guest) -> bool:
        """Has it said everything, and is it answered now?

        Raises:
            OSError: The connection is lost.
        """
        try:
            request = guest.hear()
            if request is None:
                return False
            answer = self._answered(request)
        except Refused as refused:
            answer = self._refuse(refused)
        guest.say(answer)
        return True

    def _answered(self, request: Request) -> bytes:
        if sum(guest.is_sending for guest in self._guests.values()) >= MOST_ANSWERS:
            raise Refused(503, "too many requests are answered just now")
        try:
            return self._answer(request)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the view
            # As text: a log that shows the values of variables would show the token.
            logger.error("the live view could not answer a request:\n{}", traceback_of(error))
            raise Refused(500, "this could not be answered; the log of the process says why") from None

    def _drop(self, guest: Guest) -> None:
        del self._guests[guest.number]
        self._selector.unregister(guest.sock)
        guest.sock.close()

    def _shut(self) -> None:
        with self._lock:
            self._closing = True
            if self._generation == fork.generation():
                self._stop_listening()
            for guest in self._guests.values():
                guest.sock.close()
            self._guests.clear()
            for one in (self._selector, self._listener, self._bell, self._rope):
                one.close()

    def _stop_listening(self) -> None:
        """In forked children, too: they have copies of the socket, which would hold the port."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:  # closed already, or a system where one that listens cannot be shut
            pass


class Guest:
    """One connection.

    Args:
        end: The moment on the monotonic clock at which it is dropped.

    Threads: the door's.
    """

    __slots__ = ("_heard", "_to_say", "end", "is_answered", "number", "sock")

    def __init__(self, sock: socket.socket, end: float) -> None:
        self.sock = sock
        self.number = sock.fileno()
        self.end = end
        self.is_answered = False
        self._heard = bytearray()
        self._to_say = memoryview(b"")

    @property
    def is_sending(self) -> bool:
        """Is an answer on its way?"""
        return len(self._to_say) > 0

    def hear(self) -> Request | None:
        """What it asks, once it is whole.

        Raises:
            Refused: It will never be a request that is answered.
            OSError: The connection is lost.
        """
        try:
            data = self.sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return None
        if not data:
            if self._heard:
                raise Refused(400, "the request ends in the middle")
            raise ConnectionAbortedError
        self._heard += data
        return read_request(self._heard)

    def say(self, answer: bytes) -> None:
        """Answer it."""
        self.is_answered = True
        self._heard.clear()
        self._to_say = memoryview(answer)

    def send(self) -> bool:
        """Send what can be sent without waiting; True when nothing is left.

        Raises:
            OSError: The connection is lost.
        """
        while self._to_say:
            try:
                sent = self.sock.send(self._to_say[:CHUNK])
            except (BlockingIOError, InterruptedError):
                return False
            self._to_say = self._to_say[sent:]
            if not self._to_say:
                self.sock.shutdown(socket.SHUT_WR)
                self.end = min(self.end, monotonic() + LINGER)
        return True

    def has_hung_up(self) -> bool:
        """Has the client ended the connection, too? What it still sends is thrown away.

        Raises:
            OSError: The connection is lost.
        """
        try:
            return not self.sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return False


def listen(port: int) -> socket.socket:
    """A socket that listens on *port* of this machine alone; 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "nt":
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE"), 1)  # noqa: B009 - not elsewhere
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of which only old connections are left
        sock.bind((HOST, port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        if port == 0:
            raise
        raise OSError(error.errno, f"the live view cannot listen on port {port}: {error.strerror}") from None
    return sock
