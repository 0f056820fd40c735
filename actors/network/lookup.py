"""Looks up host names, each on a thread of its own: one that takes long holds up nobody else's."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter, deque
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_THREADS = 256
"""Look-ups under way at once; others wait in line. A thread that waits for a name server costs nearly nothing."""
MOST_OF_ONE = 3
"""Of one name: so many may hang, until no new one is begun for it."""
LONGEST_LINE = 10_000


class _Name(NamedTuple):
    host: str
    port: int


Answer = asyncio.Future[list[str]]


class Lookups:
    """The look-ups of one event loop.

    Calls that ask for one name together share a look-up. One that is not done in the time of who waits for it is left
    behind: its thread ends whenever the system's resolver gives up, and who asks next begins another.

    Threads: everything runs on the loop, so there are no locks; a thread hands over what it found.
    """

    def __init__(self) -> None:
        self._current: dict[_Name, Answer] = {}
        self._pending: Counter[_Name] = Counter()
        self._line: deque[tuple[_Name, Answer]] = deque()
        self._busy = 0

    @property
    def busy(self) -> int:
        """Threads at work, also for look-ups that nobody waits for any more."""
        return self._busy

    async def addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        """What *host* resolves to, within *timeout* seconds.

        Raises:
            TimeoutError: No answer in time.
            OSError: There is no such name, or no way to ask.
        """
        if ":" in host or host[-1:].isdigit():  # an address: nobody is asked
            try:
                return resolved(host, port, socket.AI_NUMERICHOST)
            except (OSError, UnicodeError):
                pass
        name = _Name(host, port)
        answer = self._current.get(name)
        if answer is None:
            answer = self._begin(name)
        try:
            return await asyncio.wait_for(asyncio.shield(answer), timeout)
        except TimeoutError:
            if self._current.get(name) is answer and self._pending[name] < MOST_OF_ONE:
                del self._current[name]
            raise TimeoutError(f"the name {host} was not resolved within {timeout} s") from None

    def _begin(self, name: _Name) -> Answer:
        if len(self._line) >= LONGEST_LINE:
            raise OSError(f"too many names are being looked up: {name.host} is not")
        answer: Answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_seen)
        self._current[name] = answer
        self._pending[name] += 1
        self._line.append((name, answer))
        self._start()
        return answer

    def _start(self) -> None:
        """Begin what stands in line, as far as there is room."""
        loop = asyncio.get_running_loop()
        while self._line and self._busy < MOST_THREADS:
            name, answer = self._line.popleft()
            ended = partial(self._ended, name, answer)
            thread = threading.Thread(target=_look_up, args=(loop, name, ended), name="actors-lookup", daemon=True)
            self._busy += 1
            try:
                thread.start()
            except RuntimeError as error:
                self._settle(name, answer, OSError(f"no thread can be started to look up {name.host}: {error}"))

    def _ended(self, name: _Name, answer: Answer, found: list[str] | BaseException) -> None:
        self._settle(name, answer, found)
        self._start()

    def _settle(self, name: _Name, answer: Answer, found: list[str] | BaseException) -> None:
        self._busy -= 1
        self._pending[name] -= 1
        if not self._pending[name]:
            del self._pending[name]
        if self._current.get(name) is answer:
            del self._current[name]
        if isinstance(found, BaseException):
            answer.set_exception(found)
        else:
            answer.set_result(found)


def _look_up(loop: asyncio.AbstractEventLoop, name: _Name, ended: Callable[[list[str] | BaseException], None]) -> None:
    found: list[str] | BaseException
    try:
        found = resolved(*name)
    except (OSError, UnicodeError) as error:
        found = OSError(f"the name {name.host} cannot be resolved: {error}")
        found.__cause__ = error
    except BaseException as error:  # noqa: BLE001 - it is the awaiter's
        found = error
    try:
        loop.call_soon_threadsafe(ended, found)
    except RuntimeError:
        pass  # the loop was closed meanwhile


def resolved(host: str, port: int, flags: int = 0) -> list[str]:
    """The addresses of *host*, each once. It waits for a name server.

    Raises:
        OSError, UnicodeError: There is no such name, or no way to ask.
    """
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _seen(answer: Answer) -> None:
    """Also when nobody waits for it any more."""
    if not answer.cancelled():
        answer.exception()


@cache
def _of_loops() -> WeakKeyDictionary[asyncio.AbstractEventLoop, Lookups]:
    return WeakKeyDictionary()


def lookups() -> Lookups:
    """Those of the running loop: all its clients share them."""
    loop = asyncio.get_running_loop()
    found = _of_loops().get(loop)
    if found is None:
        found = _of_loops()[loop] = Lookups()
    return found
