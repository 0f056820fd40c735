"""Actors that do what their messages say, and look that nothing happens to them that must not."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors import Actor, ActorsError, Backoff, DeadLetterReason, RestartPolicy, StashFull, blocking

from .books import Books, Boom

if TYPE_CHECKING:
    from random import Random

    from actors import ActorRef, DeadLetter, DeferredReply, Dispatcher

POLICY = RestartPolicy(max_restarts=3, window=1.0, backoff=Backoff(base=0.0, maximum=0.005))
SHORT = 0.002
"""Seconds of what takes its time."""


@dataclass(frozen=True)
class Word:
    """A message.

    Args:
        sender: Who sent it: its messages to one actor come in their order.
        deed: What to do with it.
        seed: Decides what else is drawn.
    """

    sender: str
    number: int
    deed: str
    seed: int
    ordered: bool = True


@dataclass
class Scene:
    """What all of one era share."""

    books: Books
    random: Random
    dispatchers: list[Dispatcher]
    refs: list[ActorRef[Any]] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    deferred: deque[tuple[DeferredReply[Any], int]] = field(default_factory=deque)
    timers: deque[Any] = field(default_factory=deque)
    restarts: list[list[float]] = field(default_factory=list)

    def new_lives(self) -> list[float]:
        """When each life of one that is restarted began."""
        lives: list[float] = []
        self.restarts.append(lives)
        return lives

    def living(self) -> list[ActorRef[Any]]:
        """Those that have not ended."""
        return [ref for ref in list(self.refs) if ref.is_alive()]

    def hire(self, cast: type[Player], **kwargs: Any) -> ActorRef[Any]:
        """Start one more, and remember it."""
        ref = cast.start(self, next(self.numbers), **kwargs)
        self.refs.append(ref)
        return ref


class Player(Actor):
    """Does what its messages say.

    Locks: none. ``lives`` belongs to whoever handles its messages.
    """

    scene: Scene
    is_async = False

    def __init__(self, scene: Scene, number: int, *, lives: list[float] | None = None) -> None:
        super().__init__()
        self.scene, self.number = scene, number
        self._busy = threading.Lock()
        self._ended = False
        self._stashes = False
        self._lives = lives
        self._children: list[ActorRef[Any]] = []
        if lives is not None:
            lives.append(time.monotonic())

    # Looking ----------------------------------------------------------------------------------------------------

    def _enter(self, what: str) -> None:
        if not self._busy.acquire(blocking=False):
            self.scene.books.violate("A1", f"{what} of {self.number} while another handler of it runs")
        if self._ended:
            self.scene.books.violate("I10", f"{what} of {self.number} after its end")

    def _leave(self) -> None:
        try:
            self._busy.release()
        except RuntimeError:
            self.scene.books.violate("A1", f"two handlers of {self.number} at once")

    def on_start(self) -> None:
        """It begins, once; it may fail."""
        self._enter("on_start")
        try:
            self.scene.books.note("started")
            capacity = self.inbox_capacity
            if capacity is not None and len(self.actor_inbox) > capacity:
                self.scene.books.violate("I6", f"{self.number} has {len(self.actor_inbox)} messages of {capacity}")
        finally:
            self._leave()

    def on_stop(self) -> None:
        """It ends, once, and after its children."""
        self._enter("on_stop")
        if any(child.is_alive() for child in self._children):
            self.scene.books.violate("A5", f"{self.number} ends, and a child of it lives")
        self._ended = True
        self._leave()

    def on_failure(self, *_: Any) -> None:
        """It crashed, and ends or is made anew."""
        self._enter("on_failure")
        self._ended = True
        self._leave()

    def on_undelivered(self, letter: DeadLetter) -> None:
        """It is told of each that nobody handles."""
        if isinstance(letter.message, Word):
            crashed = letter.reason in (DeadLetterReason.POISON, DeadLetterReason.RESTARTS_USED_UP)
            stashed = self._stashes or self._lives is not None
            self.scene.books.buried(letter.message.number, crashed=crashed or stashed)

    # Doing ------------------------------------------------------------------------------------------------------

    def on_receive(self, message: Any) -> Any:
        """Do it."""
        self._enter("a handler")
        try:
            if not isinstance(message, Word):
                return self._tick(message)
            again = self._stashes or self._lives is not None
            ordered = message.ordered and not again
            self.scene.books.handled(message.sender, self.number, message.number, ordered=ordered, again=again)
            return getattr(self, f"do_{message.deed}")(message)
        finally:
            self._leave()

    def _tick(self, message: Any) -> None:
        self.scene.books.note("ticks")
        if message != ("tick", self.number):
            self.scene.books.violate("A9", f"{self.number} got {message!r}")

    def _other(self, word: Word) -> ActorRef[Any]:
        refs = self.scene.living()
        return refs[word.seed % len(refs)]

    def do_nothing(self, word: Word) -> int:
        """Answer at once."""
        return word.number

    def do_think(self, word: Word) -> int:
        """Hold the worker for a moment."""
        end = time.monotonic() + SHORT * (word.seed % 3)
        while time.monotonic() < end:
            pass
        return word.number

    def do_block(self, word: Word) -> int:
        """Block it, and say so."""
        with blocking():
            time.sleep(SHORT)
        return word.number

    def do_sleep(self, word: Word) -> int:
        """Wait for a time."""
        self.sleep(SHORT)
        return word.number

    def do_raise(self, word: Word) -> None:
        """Fail."""
        raise (Boom, SystemExit, KeyboardInterrupt, GeneratorExit)[word.seed % 4 if not word.ordered else 0]("boom")

    def do_ask(self, word: Word) -> int:
        """Ask another one, which may ask back."""
        try:
            send_ask(self.scene, self._other(word), f"actor {self.number}", word.seed)
        except ActorsError as error:
            self.cancel_token.check()
            self.scene.books.failed(error)
        return word.number

    def do_pass_on(self, word: Word) -> int:
        """Tell two others."""
        for shift in (1, 7):
            refs = self.scene.living()
            tell(self.scene, refs[(word.seed + shift) % len(refs)], f"actor {self.number}")
        return word.number

    def do_stash(self, word: Word) -> int | None:
        """Put it aside, the first time."""
        if self._stashes:
            self._stashes = False
            self.unstash_all()
            self._stashes = True
            return word.number
        self._stashes = True
        try:
            self.stash()
        except StashFull:
            return word.number
        return None

    def do_unstash(self, word: Word) -> int:
        """Take back what was put aside."""
        self.unstash_all()
        return word.number

    def do_defer(self, word: Word) -> None:
        """Somebody else answers."""
        self.scene.deferred.append((self.defer_reply(), word.number))

    def do_clock(self, _: Word) -> None:
        """Set timers."""
        self.scene.timers.append((self.actor_ref, self.tell_every(SHORT, ("tick", self.number), key="every")))
        self.scene.timers.append((self.actor_ref, self.tell_later(SHORT, ("tick", self.number))))

    def do_hire(self, word: Word) -> int:
        """Start another one, use it, and end it."""
        ref = self.scene.hire(type(self))
        tell(self.scene, ref, f"actor {self.number}")
        ref.stop(block=False) if word.seed % 2 else ref.abort("hired and fired")
        return word.number

    def do_raise_family(self, word: Word) -> int:
        """Start a child, tell it something, and perhaps end it."""
        if len(self.children) < 3:
            restart, lives = (POLICY, self.scene.new_lives()) if word.seed % 3 == 0 else (None, None)
            child = self.start_child(type(self), self.scene, next(self.scene.numbers), restart=restart, lives=lives)
            self.scene.refs.append(child)
            self._children.append(child)
            tell(self.scene, child, f"actor {self.number}")
        return word.number

    def do_stop(self, word: Word) -> int:
        """End, after what was accepted before."""
        self.stop()
        return word.number

    def do_fire(self, word: Word) -> int:
        """End another one, now."""
        if word.seed % 5 == 0:
            self._other(word).abort("fired")
        return word.number


class AsyncPlayer(Player):
    """Its handlers are coroutines."""

    async def on_receive(self, message: Any) -> Any:
        """Do it, with an await before and after."""
        self._enter("a handler")
        try:
            if isinstance(message, Word):
                again = self._lives is not None
                ordered = message.ordered and not again
                self.scene.books.handled(message.sender, self.number, message.number, ordered=ordered, again=again)
            await asyncio.sleep(0)
            if not isinstance(message, Word):
                return self._tick(message)
            await asyncio.sleep(SHORT * (message.seed % 2))
            if message.deed == "raise":
                raise Boom("boom")
            return message.number
        finally:
            self._leave()


DEEDS = (
    *("nothing",) * 6,
    *("think", "block", "sleep", "raise", "ask", "ask", "pass_on", "stash", "unstash"),
    *("defer", "clock", "hire", "raise_family", "fire"),
)
QUIET = ("nothing", "think", "block", "sleep", "raise", "defer")
"""Those that send nothing on: an era comes to rest."""


def word(scene: Scene, sender: str, deed: str | None = None) -> Word:
    """A new one."""
    number = scene.books.number()
    seed = scene.random.randrange(1 << 30)
    return Word(sender, number, deed or QUIET[seed % len(QUIET)], seed >> 4)


def tell(scene: Scene, ref: ActorRef[Any], sender: str, deed: str | None = None, timeout: float | None = 0.0) -> None:
    """Tell *ref* something."""
    one = word(scene, sender, deed)
    try:
        ref.tell(one, timeout=timeout)
    except ActorsError as error:
        scene.books.note(f"tell: {type(error).__name__}")
    else:
        scene.books.accepted(one.number)


def send_ask(scene: Scene, ref: ActorRef[Any], sender: str, seed: int, deed: str | None = None) -> None:
    """Ask *ref* something, wait a while, and look at the answer."""
    one = word(scene, sender, deed)
    answer = ref.ask(one, timeout=(None, 0.5, 0.001, 0.0)[seed % 4] if deed is None else 0.05)
    if answer not in (one.number, None):
        scene.books.violate("I2", f"the answer to {one} is {answer!r}")
