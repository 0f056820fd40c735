"""The life of one troupe: rounds of random work and faults, a look after each, an end, and the last look."""

from __future__ import annotations

import threading
import time
import traceback
from random import Random
from typing import TYPE_CHECKING, Any

from actors import ActorsError, Dispatcher, dump, supervise

from . import cast
from .books import Books, Boom, PutOff
from .cast import DEEDS, POLICY, AsyncPlayer, Player, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef

RAISED = (Boom, PutOff, SystemExit, KeyboardInterrupt, GeneratorExit)
"""What handlers raise, and those who answer for them."""
BOUND = 20.0
"""Seconds for what has to come. None of it is meant to take long."""


def holds_soon(predicate: Callable[[], object], timeout: float | None = None) -> bool:
    """Does *predicate* hold within the bound?"""
    end = time.monotonic() + (BOUND if timeout is None else timeout)
    while not predicate():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


class Era:
    """One troupe's life.

    Args:
        seed: Decides all that is drawn; how the threads interleave, it does not.
        kind: ``pinned``, ``shared`` or ``both``.
    """

    def __init__(self, seed: int, kind: str) -> None:
        self._random = random = Random(seed)
        self._kind = kind
        self._before = set(threading.enumerate())
        self.books = Books()
        dispatchers = [
            Dispatcher(
                random.choice((1, 1, 2, 4)),
                random.choice((1, 2, 32)),
                random.choice((0, 1, 4, 64)),
                linger=random.choice((0.0, 0.01)),
            )
            for _ in range(random.randint(1, 2))
        ]
        self.scene = Scene(self.books, random, dispatchers)
        self.actors = 0

    @property
    def options(self) -> str:
        """What it is like."""
        kinds = [(one.workers, one.throughput, one.max_blocked, one.linger) for one in self.scene.dispatchers]
        return f"{self._kind}, dispatchers (workers, throughput, max_blocked, linger) {kinds}"

    def live(self) -> None:
        """The rounds, the end, and the looks."""
        for _ in range(self._random.randint(1, 4)):
            self._hire(self._random.randint(4, 16))
            self._round(self._random.randint(20, 150))
            if not self._come_to_rest():
                break
        self._end()

    # Work -------------------------------------------------------------------------------------------------------

    def _hire(self, count: int) -> None:
        random = self._random
        for _ in range(count):
            shared = random.choice(self.scene.dispatchers)
            dispatcher = {"pinned": "pinned", "shared": shared, "both": random.choice(("pinned", shared))}[self._kind]
            base = AsyncPlayer if random.random() < 0.15 else Player
            options = {"dispatcher": dispatcher, "inbox_capacity": random.choice((1, 3, 32, None))}
            cls: Any = type(base.__name__, (base,), options)
            if random.random() < 0.3:
                number, lives = next(self.scene.numbers), self.scene.new_lives()
                self.scene.refs.append(supervise(cls, self.scene, number, restart=POLICY, lives=lives))
            else:
                self.scene.hire(cls)

    def _round(self, deeds: int) -> None:
        threads = [
            threading.Thread(target=self._program, args=(f"program {number}", deeds, self._random.randrange(1 << 30)))
            for number in range(self._random.randint(1, 3))
        ]
        for thread in threads:
            thread.start()
        looks = threading.Thread(target=self._answer_and_look, args=(threads,))
        looks.start()
        for thread in (*threads, looks):
            thread.join(BOUND)
            if thread.is_alive():
                self.books.violate("I2", f"a program hangs\n{dump()}")

    def _program(self, name: str, deeds: int, seed: int) -> None:
        random, scene = Random(seed), self.scene
        for _ in range(deeds):
            ref = random.choice(scene.refs)
            if not ref.is_alive() and random.random() < 0.9:
                ref = random.choice(scene.living() or scene.refs)
            chance = random.random()
            try:
                if chance < 0.6:
                    cast.tell(scene, ref, name, random.choice(DEEDS), random.choice((0.0, 0.0, 0.01)))
                elif chance < 0.75:
                    self.books.asked(ref.ask_future(cast.word(scene, name, random.choice(DEEDS))))
                elif chance < 0.94:
                    cast.send_ask(scene, ref, name, 0, random.choice(DEEDS))
                elif chance < 0.96:
                    ref.stop(block=False)
                elif chance < 0.97:
                    ref.stop(timeout=0.01)
                elif chance < 0.98:
                    ref.abort("the soak")
                else:
                    self._watch(ref)
            except ActorsError as error:
                self.books.failed(error)
            except RAISED as error:
                self.books.note(f"ask: {type(error).__name__}")
            except BaseException as error:  # noqa: BLE001 - nobody raises it on purpose
                self.books.violate("I2", "".join(traceback.format_exception(error)))

    def _watch(self, ref: ActorRef[Any]) -> None:
        calls: list[int] = []

        def ended(watched: ActorRef[Any]) -> None:
            calls.append(1)
            self.books.note("watchers told")
            if len(calls) > 1 or watched.is_alive():
                self.books.violate("watch", f"told {len(calls)} times of the end of {watched}")

        ref.watch(ended)

    def _answer_and_look(self, threads: list[threading.Thread]) -> None:
        """Answer what was put off, and look at the dispatchers, as long as the programs run."""
        still = 0
        while any(thread.is_alive() for thread in threads):
            self._answer()
            still = still + 1 if any(self._stands(one) for one in self.scene.dispatchers) else 0
            if still > 1000:
                self.books.violate("A3", f"actors stand in line while workers are free\n{dump()}")
                return
            time.sleep(0.001)

    @staticmethod
    def _stands(dispatcher: Dispatcher) -> bool:
        stats = dispatcher.stats()
        return stats.ready > 0 and stats.workers - stats.blocked < dispatcher.workers

    def _answer(self) -> None:
        while self.scene.deferred:
            reply, number = self.scene.deferred.popleft()
            if number % 7 == 0:
                reply.fail(PutOff(number))
            else:
                reply.set(number)

    # Looks ------------------------------------------------------------------------------------------------------

    def _come_to_rest(self) -> bool:
        """All that was asked is answered, all that was told is read, and every token is in its place."""
        held = holds_soon(self._is_at_rest, 0.1) or holds_soon(self._rests_without_stashes)
        if not held:
            self.books.violate("A2", f"it does not come to rest: {self.books.unsettled()} asks\n{dump()}")
        return held

    def _is_at_rest(self) -> bool:
        self._answer()
        self._cancel_timers()
        return (
            not self.books.unsettled()
            and all(ref.actor_inbox.empty() for ref in self.scene.living())
            and all(one.stats().workers == one.stats().ready == 0 for one in self.scene.dispatchers)
        )

    def _rests_without_stashes(self) -> bool:
        """What was put aside is taken back, again and again: one that was made anew may put it aside once more."""
        for ref in self.scene.living():
            cast.tell(self.scene, ref, "the end of the round", "unstash")
        return holds_soon(self._is_at_rest, 0.2)

    def _cancel_timers(self) -> None:
        while self.scene.timers:
            self.scene.timers.popleft()[1].cancel()

    def _end(self) -> None:
        timers = [timer for timer in self.scene.timers if not timer[0].is_alive()]
        for ref in list(self.scene.refs):
            ref.stop(block=False) if self._random.random() < 0.7 else ref.abort("the end")
        if not holds_soon(self._have_ended):
            self.books.violate("I2", f"they do not end\n{dump()}")
        self.actors = len(self.scene.refs)
        for ref, timer in timers:
            if timer.active:
                self.books.violate("A9", f"a timer of {ref} is active after its end")
        self._balance()

    def _have_ended(self) -> bool:
        self._answer()
        return not any(ref.is_alive() for ref in list(self.scene.refs))

    def _balance(self) -> None:
        books = self.books
        if not holds_soon(lambda: not books.unsettled()):
            books.violate("I2", f"{books.unsettled()} asks were never settled")
        if not holds_soon(lambda: not books.lost()):
            books.violate("I1", f"accepted, and neither handled nor a dead letter: {books.lost()[:10]}")
        for lives in self.scene.restarts:
            for first, last in zip(lives[1:], lives[1 + POLICY.max_restarts :], strict=False):
                if last - first < POLICY.window:
                    books.violate("A7", f"{POLICY.max_restarts + 1} restarts within {last - first:.3f} s")
        for dispatcher in self.scene.dispatchers:
            self._check_tokens(dispatcher)
        if not holds_soon(lambda: not self._left()):
            books.violate("A10", f"threads are left: {sorted(thread.name for thread in self._left())}")

    def _check_tokens(self, dispatcher: Dispatcher) -> None:
        def are_home() -> bool:
            tokens = len(dispatcher._places), len(dispatcher._room), len(dispatcher._debts)  # noqa: SLF001
            return tokens == (dispatcher.workers, dispatcher.max_blocked, 0) and not dispatcher.cells()

        if not holds_soon(are_home):
            tokens = dispatcher._places, dispatcher._room, dispatcher._debts  # noqa: SLF001
            self.books.violate("A10", f"{dispatcher} keeps something: {tokens}, {dispatcher.cells()}, {self.options}")

    def _left(self) -> set[threading.Thread]:
        kept = ("actors-alarm", "actors-loop", "actors-actors")
        return {
            thread
            for thread in threading.enumerate()
            if thread not in self._before and not thread.name.startswith(kept) and "loop" not in thread.name
        }
