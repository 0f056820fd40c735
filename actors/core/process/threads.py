"""A thread pool: worker threads that are reused."""

from __future__ import annotations

import _thread
import itertools
import threading
from collections import deque
from typing import TYPE_CHECKING

from ..checks import leaf_rlock
from ..clock import SYSTEM_CLOCK
from ..crash import report
from ..waiting.crowd import LOOK_UP
from ..waiting.waiter import Waiter
from . import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Job = Callable[["Worker"], bool]


ENDING = 8
"""How many idle workers end at once; a thousand would keep one another from it."""


def start_from_collector(fn: Callable[[], object], name: str) -> None:
    """Run *fn* on a thread of its own, from a ``__del__``.

    A collection may come while this thread holds any lock: ours, or one that ``Thread.start`` waits behind. So a raw
    thread, which needs none, starts the real one. When no thread can be started any more, the program ends anyway.
    """

    def start() -> None:
        try:
            threading.Thread(target=fn, name=name, daemon=True).start()
        except RuntimeError:
            pass

    try:
        _thread.start_new_thread(start, ())
    except RuntimeError:
        pass


class Worker:
    """One reusable daemon thread.

    A job gets its worker and answers whether it has already put the worker to rest (see :meth:`Crew.rest`).

    Guarantees: what is raised in it while it idles (set by somebody in a thread that has ended its job meanwhile) ends
    neither it nor the job that it is then given.

    Locks: none. ``_job`` and ``_is_given`` are handed over with ``_gate``; ``begun`` is taken out once, by the thread
    that starts it; ``thread`` never changes, but its name says whose work it does.
    """

    __slots__ = ("_crew", "_gate", "_is_given", "_job", "begun", "thread")

    def __init__(self, crew: Crew, job: Job) -> None:
        self._crew = crew
        self._gate = threading.Lock()
        self._gate.acquire()
        self._job: Job | None = job
        self._is_given = True
        self.begun: Waiter | None = Waiter()  # opened when the start of the thread is over, whatever came of it
        self.thread = threading.Thread(target=self._run, name=crew.next_name(), daemon=True)

    def assign(self, job: Job | None) -> None:
        """Run *job* next; None ends the thread. Only for a worker taken from rest."""
        self._job = job
        self._is_given = True
        if self._gate.locked():  # open: it was woken before, and looks once more
            self._gate.release()

    def _run(self) -> None:
        crew, job = self._crew, self._fetch()
        try:
            while job is not None:
                try:
                    rested = job(self)
                except BaseException:  # noqa: BLE001 - a defect of ours; the worker must go on
                    rested = False
                    report("a worker's job failed")
                job = None  # an idle worker keeps nothing alive
                if crew.is_forked():
                    return
                if not rested:
                    job = crew.take_over()
                    if job is not None:
                        continue
                    if not crew.rest(self):
                        return
                if not self._await_job():
                    return
                job = self._fetch()
                if job is not None:
                    crew.wake_next()
        finally:
            if not crew.is_forked():  # whose locks may be held for ever
                crew.left(self)

    def _await_job(self) -> bool:
        """Wait to be woken; False when it has idled for too long."""
        linger = self._crew.linger
        while not self._is_given:
            try:
                # One that somebody took, and has not woken yet, is idle again if its job is taken over.
                if not self._gate.acquire(timeout=-1 if linger is None else linger) and self._crew.dismiss(self):
                    return False
            except BaseException:  # noqa: BLE001 - it was meant for a job that has ended
                report("this came to a worker that idles, after its job: it was set in its thread by somebody")
        self._gate.acquire(blocking=False)  # closed, also if what was raised came before the wait
        return True

    def _fetch(self) -> Job | None:
        """What it was given; it keeps nothing of it."""
        job, self._job = self._job, None
        self._is_given = False
        return job


class Crew:
    """Starts jobs on idle workers, or on new ones.

    An idle worker is reserved for its job at once, but workers are woken one after another: each wakes the next before
    it begins. A worker that is done meanwhile takes such a job over, and the one that was reserved for it sleeps on. So
    a burst of short jobs costs a wake or two, and not one each.

    Guarantees: a job starts or :meth:`start` raises; at most ``keep`` workers idle, the others end; after
    :meth:`close` idle workers end, busy ones end with their job, and no thread is started any more.

    Args:
        keep: None keeps them all.
        linger: Seconds for which a worker idles before it ends; None has no end.

    Locks: ``_lock`` guards ``_workers``, ``_leaving`` and ``_closing``. ``_idle`` and ``_reserved`` change by single
    operations, which are atomic. ``_waking`` is set with a worker in hand that is then woken, and who is woken clears
    it, and only then looks for the next: what was reserved before somebody read it as set is seen by that one.
    ``keep`` is one number, written by whoever changes the size of a pool and read anywhere.
    """

    def __init__(self, name: str, keep: int | None, linger: float | None = None) -> None:
        self._name = name
        self._numbers = itertools.count(1)
        self._lock = leaf_rlock()  # a finalizer may start a job
        self._workers: set[Worker] = set()
        self._leaving: deque[Worker] = deque()  # done, but their threads may not have ended yet
        self._idle: list[Worker] = []
        self._reserved: deque[tuple[Worker, Job]] = deque()
        self._waking = False
        self._closing = False
        self._generation = fork.generation()
        self.keep = keep
        self.linger = linger

    def next_name(self) -> str:
        """A name for a new thread."""
        return f"{self._name}-{next(self._numbers)}"

    def start(self, job: Job) -> None:
        """Run *job* on a worker.

        Raises:
            RuntimeError: No thread can be started, or the crew was closed.
        """
        try:
            worker = self._idle.pop()
        except IndexError:
            self._start_new(Worker(self, job))
        else:
            self._reserved.append((worker, job))
            if not self._waking:
                self._wake_one()

    def _wake_one(self) -> None:
        try:
            worker, job = self._reserved.popleft()
        except IndexError:  # somebody has taken it over
            return
        self._waking = True
        worker.assign(job)

    def wake_next(self) -> None:
        """Who was woken wakes the next one."""
        self._waking = False
        self._wake_one()

    def take_over(self) -> Job | None:
        """A job whose worker still sleeps, for one that is awake; None when there is none."""
        try:
            worker, job = self._reserved.popleft()
        except IndexError:
            return None
        if not self.rest(worker):
            worker.assign(None)
        return job

    def has_reserved(self) -> bool:
        """Is there a job whose worker still sleeps?"""
        return bool(self._reserved)

    def _start_new(self, worker: Worker) -> None:
        with self._lock:
            if self._closing:
                raise RuntimeError("the pool has ended: it starts no thread any more")
            self._workers.add(worker)
        try:
            worker.thread.start()
        except RuntimeError:
            self.left(worker)
            raise
        finally:
            begun, worker.begun = worker.begun, None
            assert begun is not None
            begun.wake()

    def rest(self, worker: Worker) -> bool:
        """Let *worker* be used again; False when it should end."""
        if self.is_closing() or (self.keep is not None and len(self._idle) >= self.keep):
            return False
        self._idle.append(worker)
        if self.is_closing():  # close() may have looked before the append: whoever removes it decides
            try:
                self._idle.remove(worker)
            except ValueError:
                return True
            return False
        return True

    def dismiss(self, worker: Worker) -> bool:
        """Let *worker*, which idles, end; False when somebody has just taken it."""
        try:
            self._idle.remove(worker)
        except ValueError:
            return False
        return True

    def is_forked(self) -> bool:
        """Is this thread the one that is left in a forked child? (Its job has forked.) Then it only ends."""
        return self._generation != fork.generation()

    def is_closing(self) -> bool:
        """Was it closed?"""
        return self._closing

    def left(self, worker: Worker) -> None:
        """*worker* has ended."""
        with self._lock:
            self._workers.discard(worker)
            while self._leaving and not self._leaving[0].thread.is_alive():
                self._leaving.popleft()
            self._leaving.append(worker)
        if self._closing:
            self._end_one()

    def close(self) -> None:
        """End idle workers now and the others after their job; returns at once."""
        with self._lock:
            self._closing = True
        for _ in range(ENDING):
            self._end_one()

    def _end_one(self) -> None:
        """End an idle worker. Not all at once: each that has ended ends the next one."""
        try:
            worker = self._idle.pop()
        except IndexError:
            return
        worker.assign(None)

    def threads(self) -> list[threading.Thread]:
        """The threads of all workers."""
        with self._lock:
            return [worker.thread for worker in self._workers]

    def join(self, timeout: float, spent: Mapping[int, float]) -> None:
        """After a close: wait for the ends of all threads but this one.

        Args:
            timeout: Seconds for each, all at the same time.
            spent: So much of it is over already for the threads of these idents.
        """
        begin = SYSTEM_CLOCK.monotonic()
        with self._lock:
            workers = [*self._workers, *self._leaving]
        for worker in workers:
            thread, begun = worker.thread, worker.begun
            end = begin + timeout - spent.get(thread.ident or 0, 0.0)
            if begun is not None:
                if not begun.wait(max(0.0, end - SYSTEM_CLOCK.monotonic())):
                    continue
                begun.wake()  # for whoever asks again
            if thread.ident is not None and thread is not threading.current_thread():
                join(thread, end)
        # Let go of here: a collection would run what Python does at the end of a thread anywhere, and an interrupt that
        # comes meanwhile is lost.
        with self._lock:
            gone = [worker for worker in self._leaving if not worker.thread.is_alive()]
            for worker in gone:
                self._leaving.remove(worker)


def join(thread: threading.Thread, end: float) -> None:
    """Wait for the end of *thread*, until *end* on the monotonic clock; and look up now and then."""
    while thread.is_alive() and (left := end - SYSTEM_CLOCK.monotonic()) > 0:
        thread.join(min(left, LOOK_UP))
