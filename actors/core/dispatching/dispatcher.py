"""Worker threads that actors share: an idle actor costs none."""

from __future__ import annotations

import itertools
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import DispatcherExhausted
from ...public import publish
from ..checks import leaf_rlock
from ..clock import SYSTEM_CLOCK
from ..crash import report
from ..process import fork
from ..process.at_exit import ENDING, at_exit
from ..process.threads import Crew
from ..waiting.crowd import crowd
from ..waiting.waiter import Waiter
from .shift import Shift
from .stall_watch import StallWatch

if TYPE_CHECKING:
    from ..process.threads import Worker
    from .shift import Ready

EXIT_TIMEOUT = 5.0
"""Seconds that actors have for their cleanup when the program ends."""
PROGRAM_ENDS = "the program ends"
"""Why everything is aborted then."""
RETRY = 0.1
"""Seconds after which a worker is started that could not be."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class DispatcherStats:
    """What a dispatcher does right now.

    Args:
        workers: Threads that handle messages, those that are blocked included.
        blocked: Those of them that wait, and have given their places to others.
        ready: Actors that stand in line.
        handled: Messages that were handled so far.
    """

    workers: int
    blocked: int
    ready: int
    handled: int


class Dispatcher:
    """A crew of worker threads that handle the messages of many actors: ``dispatcher = Dispatcher(workers=4)`` on the
    class of an actor. ``dispatcher = "shared"`` is the one that the process makes on first use.

    An actor whose mailbox gets a message stands in line; a worker takes it, handles at most *throughput* messages of
    it, and puts it at the end of the line if there are more. A worker that is done takes the next actor itself, before
    it wakes another worker: two actors that talk need no change of threads.

    Making one does nothing yet: threads are started when actors are told something, and end when they were idle for
    *linger* seconds.

    Guarantees: one worker at a time for an actor. No worker rests while an actor stands in line. At most *workers*
    handlers run; those that wait (for an ask, an outcome, room, a time, or inside :class:`blocking`) do not count, up
    to *max_blocked* of them, and others run in their places.

    Args:
        workers: How many handlers run at once; None: ``min(32, cpus + 4)``.
        throughput: How many messages of one actor are handled before the next one's.
        max_blocked: How many handlers may wait at once; one more raises ``DispatcherExhausted``.
        name: What its threads are called.
        stalled_after: Seconds after which a handler that neither ends nor waits is reported in the log; None never.
        linger: Seconds for which a worker idles before its thread ends.
    Raises:
        ValueError: A number below 1 (below 0 for *max_blocked* and *linger*).
    Example:
        ```python
        from actors import Actor

        class Account(Actor):
            dispatcher = "shared"
            balance = 0

            def on_receive(self, amount: int) -> int:
                self.balance += amount
                return self.balance

        account = Account.start()
        print(account.ask(10))
        account.stop()
        ```

        ```text
        10
        ```

    Source: Akka's dispatchers; the blocking of Java's ``ForkJoinPool``.

    Locks: ``_lock`` guards ``_shifts``, ``_handled`` and ``_is_watched``. Everything else changes by single operations:
    ``_places`` holds a token for each worker that may still go to work, ``_room`` one for each handler that may still
    wait, ``_debts`` one for each that went on after a wait while all places were taken. Who comes puts its actor into
    the line and then looks for a worker to call; who leaves puts its place back and then looks at the line.
    ``_is_coming`` is set with a worker that is then woken, and that one clears it before it looks at the line.
    ``_ends`` is set before those that live are looked at for the last time: who comes enters itself, then looks at it.
    """

    def __init__(
        self,
        workers: int | None = None,
        throughput: int = 32,
        max_blocked: int = 256,
        name: str | None = None,
        *,
        stalled_after: float | None = 10.0,
        linger: float = 0.5,
    ) -> None:
        if workers is None:
            workers = min(32, (os.cpu_count() or 1) + 4)
        for what, value, least in (
            ("workers", workers, 1),
            ("throughput", throughput, 1),
            ("max_blocked", max_blocked, 0),
        ):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{what} of a dispatcher must be an int, got {value!r}")
            if value < least:
                raise ValueError(f"{what} of a dispatcher must be at least {least}, got {value}")
        if stalled_after is not None and not stalled_after > 0:
            raise ValueError(f"stalled_after of a dispatcher must be above 0, or None; got {stalled_after!r}")
        if not linger >= 0:
            raise ValueError(f"linger of a dispatcher must be at least 0, got {linger!r}")
        self.workers = workers
        self.throughput = throughput
        self.max_blocked = max_blocked
        self.name = name if name is not None else f"dispatcher-{next(_numbers)}"
        self.stalled_after = stalled_after
        self.linger = linger
        self._renewal = fork.ProcessLock()
        self._begin()

    def _begin(self) -> None:
        """Nobody works yet."""
        self._lock = leaf_rlock()
        self._line: deque[Ready] = deque()
        self._places: list[None] = [None] * self.workers
        self._room: list[None] = [None] * self.max_blocked
        self._debts: list[None] = []
        self._is_coming = False
        self._is_watched = False
        self._live: set[Ready] = set()
        self._shifts: dict[int, Shift] = {}
        self._handled = 0
        self._ends = False
        self._exit_by = 0.0
        self._out: Waiter | None = None
        self._crew = Crew(f"actors-{self.name}", keep=None, linger=self.linger)
        self._generation = fork.generation()  # last: who sees it finds all of the above

    def _see_forks(self) -> None:
        """Begin anew in a forked child, where neither the threads nor the actors of the parent are."""
        if self._generation != fork.generation():
            with self._renewal:
                if self._generation != fork.generation():
                    self._begin()

    def __repr__(self) -> str:
        return f"<Dispatcher {self.name!r}, {self.workers} workers>"

    def stats(self) -> DispatcherStats:
        """What it does right now."""
        self._see_forks()
        with self._lock:
            shifts = list(self._shifts.values())
            handled = self._handled
        return DispatcherStats(
            workers=len(shifts),
            blocked=self.max_blocked - len(self._room),
            ready=len(self._line),
            handled=handled + sum(shift.handled for shift in shifts),
        )

    # For its actors ---------------------------------------------------------------------------------------------

    def adopt(self, cell: Ready) -> None:
        """Keep *cell* alive until it has ended.

        Raises:
            RuntimeError: The program is ending.
        """
        self._see_forks()
        if not self._live:
            at_exit().watch(self)
        self._live.add(cell)
        if self not in _in_use:
            _in_use.add(self)
        if self._ends:
            self._live.discard(cell)
            raise RuntimeError(ENDING)

    def forget(self, cell: Ready) -> None:
        """*cell* has ended."""
        live = self._live
        live.discard(cell)
        if live:
            return
        _in_use.discard(self)
        if live:  # somebody has come meanwhile
            _in_use.add(self)
        out = self._out
        if out is not None:
            out.wake()

    def ready(self, cell: Ready) -> None:
        """Let *cell* stand in line, and see to it that somebody takes it. Doing it again does nothing."""
        self._line.append(cell)
        if not self._is_coming and self._places:
            self._call_one()

    def begin(self, cell: Ready) -> None:
        """As :meth:`ready`, of one that has just been started.

        Args:
            cell: The actor.
        Raises:
            RuntimeError: No thread can be started, and none is there that would take it.
        """
        self._line.append(cell)
        if not self._is_coming and self._places:
            self._call_one(must=True)

    def cells(self) -> list[Ready]:
        """Those that live."""
        return list(self._live)

    def thread_of(self, cell: Ready) -> int:
        """The ident of the thread that runs its handler; 0 when none does.

        Args:
            cell: The actor.
        """
        with self._lock:
            return next((ident for ident, shift in self._shifts.items() if shift.cell is cell), 0)

    # Workers ----------------------------------------------------------------------------------------------------

    def _call_one(self, *, must: bool = False) -> None:
        """Call one worker, if there is a place; it calls the next one."""
        with at_exit().signals_held_off:  # whoever has taken a place must give it to somebody
            try:
                self._places.pop()
            except IndexError:
                return  # all are at work: whoever is done looks at the line
            self._is_coming = True
            try:
                self._crew.start(self._work)
            except BaseException as error:
                self._is_coming = False
                self._places.append(None)
                self._retry()
                if (must and not self._shifts) or not isinstance(error, RuntimeError):
                    raise

    def _retry(self) -> None:
        """No thread can be started now: there is another try soon, as those at work may just be leaving."""
        alarm = crowd().alarm
        if not alarm.mind(self, alarm.clock.monotonic() + RETRY) and not self._shifts:
            report("no thread can be started to handle the messages of {}", self)

    def ring(self) -> None:
        """Try again."""
        if self._line:
            self._call_one()

    def _work(self, _: Worker) -> bool:
        """The job of a worker: it takes actors from the line until there are none."""
        shift, hosts = Shift(self, self.throughput), crowd().compensated
        ident = shift.ident
        try:
            self._come(shift, ident)
            hosts[ident] = shift
            while self._serve(shift):
                pass
        finally:
            if not shift.has_forked():
                hosts.pop(ident, None)
                with self._lock:
                    self._shifts.pop(ident, None)
                    self._handled += shift.handled
                if shift.has_place:  # whatever has ended it, others need that
                    self._is_coming = False
                    self._places.append(None)
                    self.ring()
        return False

    def _come(self, shift: Shift, ident: int) -> None:
        """A worker is here; the first one is watched, with all that follow."""
        with self._lock:
            self._shifts[ident] = shift
            is_first, self._is_watched = not self._is_watched, True
        self._is_coming = False
        if is_first and self.stalled_after is not None:
            StallWatch(self, self.stalled_after).begin()

    def _serve(self, shift: Shift) -> bool:
        """Take actors from the line; True: a defect of ours ended that, or what somebody has set in this thread."""
        try:
            self._take_turns(shift)
        except BaseException:  # noqa: BLE001 - the others need a worker
            if shift.has_forked():
                return False
            report("a turn of {} failed", self)
            shift.cell = None
            for cell in self.cells():  # one of them may have been in hand; the others are dropped again
                self.ready(cell)
            return shift.has_place
        return False

    def _take_turns(self, shift: Shift) -> None:
        line, places, debts, mark = self._line, self._places, self._debts, fork.mark()
        while True:
            try:
                cell = line.popleft()
            except IndexError:
                shift.has_place = False  # no place for an interrupt stands between the two
                places.append(None)
                if not line:
                    return
                shift.has_place = True
                try:  # somebody has come meanwhile, and perhaps seen no place
                    places.pop()
                except IndexError:
                    shift.has_place = False
                    return
                continue
            if line and places and not self._is_coming:
                self._call_one()
            if cell.claim():
                shift.cell = cell
                if self._out is not None:  # looked at after it is seen who runs it
                    cell.token.mark(PROGRAM_ENDS)
                cell.run(shift)
                shift.cell = None
                shift.turns += 1
            del cell  # a worker keeps nothing alive
            if mark.generation != shift.generation or (debts and self._goes_home(shift)):
                return

    def _goes_home(self, shift: Shift) -> bool:
        """One that waited went on without a place: whoever is done first makes up for it."""
        try:
            self._debts.pop()
        except IndexError:
            return False
        try:
            self._places.pop()  # one has become free: it is this one's
        except IndexError:
            shift.has_place = False
            return True
        return False

    def give_place(self, *, must: bool) -> bool:
        """A handler begins to wait: another may run in its place. False: it keeps it, as it must wait all the same.

        Raises:
            DispatcherExhausted: Too many wait already, and it need not wait.
        """
        try:
            self._room.pop()
        except IndexError:
            if must:
                return False
            raise DispatcherExhausted(
                f"{self.max_blocked} handlers of {self} wait already: let handlers return instead of waiting (reply "
                "later with defer_reply(), or pipe()), or give it a larger max_blocked"
            ) from None
        self._places.append(None)
        if self._line and not self._is_coming:
            self._call_one()
        return True

    def take_place(self) -> None:
        """Its wait is over: it goes on at once, and the next one that is done goes home for it."""
        self._room.append(None)
        try:
            self._places.pop()
        except IndexError:
            self._debts.append(None)

    # Stalls -----------------------------------------------------------------------------------------------------

    def shifts(self) -> dict[int, Shift]:
        """Those at work, by the idents of their threads."""
        with self._lock:
            return dict(self._shifts)

    def watched_no_more(self) -> bool:
        """Nobody is at work, and who comes next is watched by another; False when somebody has come."""
        with self._lock:
            self._is_watched = bool(self._shifts)
            return not self._is_watched

    # The end of the program -------------------------------------------------------------------------------------

    def mark_at_exit(self) -> None:
        """The program ends: whoever looks sees it. Who has nothing that would notice is left as it is; if it is told
        something later, it ends: not before all others are marked, as whoever waits for it is told of that.
        """
        self._ends = True
        for cell in self.cells():
            if cell.is_idle:
                self._live.discard(cell)
            else:
                cell.token.mark(PROGRAM_ENDS)

    def abort_at_exit(self) -> None:
        """Abort all; 5 seconds from now on nobody waits for their cleanups any more."""
        self._exit_by = SYSTEM_CLOCK.monotonic() + EXIT_TIMEOUT
        self._out = Waiter()
        under_way = [shift.cell for shift in self.shifts().values()]  # one of them may have been idle just now
        for cell in {*self.cells(), *under_way}:
            if cell is not None:
                cell.abort(PROGRAM_ENDS)

    def end_at_exit(self) -> None:
        """Wait for the cleanups."""
        out = self._out
        if out is not None and self._live:
            out.wait(max(0.0, self._exit_by - SYSTEM_CLOCK.monotonic()))


_in_use: set[Dispatcher] = set()
"""Those that have actors: they are kept, as the thread of an actor keeps it. In a forked child they are no harm."""
_shared: dict[str, Dispatcher] = {}


def shared_dispatcher() -> Dispatcher:
    """The process's dispatcher, made on first use. Of two that make it at once, one wins."""
    dispatcher = _shared.get("shared")
    return _shared.setdefault("shared", Dispatcher(name="shared")) if dispatcher is None else dispatcher


def dispatcher_of(chosen: str | Dispatcher, whose: str) -> Dispatcher | None:
    """The dispatcher of that name; None for ``"pinned"``.

    Raises:
        ValueError: There is none of that name.
        TypeError: It is neither a name nor a dispatcher.
    """
    if chosen == "pinned":
        return None
    if chosen == "shared":
        return shared_dispatcher()
    if isinstance(chosen, Dispatcher):
        return chosen
    if isinstance(chosen, str):
        raise ValueError(f'{whose}.dispatcher is {chosen!r}: it must be "pinned", "shared" or a Dispatcher')
    raise TypeError(f'{whose}.dispatcher must be "pinned", "shared" or a Dispatcher, got {chosen!r}')


publish("actors.actors", DispatcherStats)
