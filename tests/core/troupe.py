"""Actors that do what their messages say, and messages that crash them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors import Actor, Backoff, Dispatcher, RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

FOR_EVER = Backoff(base=600.0, maximum=600.0, jitter=0.0)
"""No test waits so long: who gets past it was woken."""
BOTH = {"pinned": "pinned", "shared": Dispatcher(name="tests", linger=0.0)}
"""Who may handle an actor's messages (A4); the threads of the second end with its last actor."""


def again(max_restarts: int, *, window: float = 600.0, backoff: Backoff | None = None) -> RestartPolicy:
    """A policy that restarts at once, unless *backoff* says otherwise."""
    return RestartPolicy(max_restarts, window, backoff or Backoff(base=0.0, jitter=0.0))


class Player(Actor):
    """Notes what happens to it, with the number of its life, in a diary that outlives it.

    A message that can be called is called with the actor; the hooks are functions of the actor, too.
    """

    inbox_capacity = None

    def __init__(self, diary: list[Any] | None = None, **hooks: Callable[..., Any]) -> None:
        super().__init__()
        self.diary: list[Any] = [] if diary is None else diary
        self.hooks = hooks
        self.life = 1 + sum(word == "init" for _, word in self.diary)
        self.count = 0
        self.note("init")

    def note(self, word: Any) -> None:
        """Write *word* into the diary, and call the hook of that name."""
        self.diary.append((self.life, word))
        if isinstance(word, str) and word in self.hooks:
            self.hooks[word](self)

    def on_start(self) -> None:
        self.note("start")

    def on_stop(self) -> None:
        self.note("stop")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.note("failure")

    def on_undelivered(self, letter: Any) -> None:
        if "undelivered" in self.hooks:
            self.hooks["undelivered"](self, letter)

    def on_receive(self, message: Any) -> Any:
        self.count += 1
        self.diary.append((self.life, message))
        return message(self) if callable(message) else message

    def number(self) -> int:
        """The number of this life."""
        return self.life


class Bomb:
    """A message that crashes its handler the first *times* times."""

    def __init__(self, times: int = 1, error: type[BaseException] = ValueError) -> None:
        self.times = times
        self.error = error
        self.tries = 0

    def __call__(self, actor: Any) -> None:
        self.tries += 1
        if self.tries <= self.times:
            raise self.error("boom")


def failing(times: int, error: type[BaseException] = ValueError) -> Callable[..., None]:
    """A hook that raises the first *times* times."""
    bomb = Bomb(times, error)
    return lambda actor, *_: bomb(actor)


def lies_idle(mailbox: Any) -> bool:
    """Does its reader wait: a thread, or an actor that has none?"""
    return bool(mailbox._getters) or mailbox._attendant is not None


def rests(ref: Any) -> bool:
    """Is it in a pause: in its thread, or laid down without one?"""
    return any(getattr(ref._cell, name, None) is not None for name in ("_pause", "_rest"))


def failing_on(lives: set[int], error: type[BaseException] = ValueError) -> Callable[..., None]:
    """A hook that raises in these *lives*."""

    def hook(actor: Any, *_: Any) -> None:
        if actor.life in lives:
            raise error("boom")

    return hook
