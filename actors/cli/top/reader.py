"""Asks a live view again and again, so that whoever draws never waits for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from .board import Do, LookAt
from .client import NoAnswer, Trouble
from .state import VERSION, Closeup, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from .client import Client

INTERVAL = 1.0
"""Seconds between two looks."""
PATIENCE = 1.0
"""Seconds for the question that is under way to end, when the reader is told to; its thread holds no process up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The pool, as it is now."""

    state: State


@dataclass(frozen=True, slots=True)
class SeenClosely:
    """One agent, as it is now; None: it has ended."""

    agent_id: int
    closeup: Closeup | None


@dataclass(frozen=True, slots=True)
class Done:
    """A wish was fulfilled, or it was too late."""

    wish: Do
    done: bool


@dataclass(frozen=True, slots=True)
class NotDone:
    """A wish was refused, or nobody knows."""

    wish: Do
    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """There was no answer."""

    error: NoAnswer


News = Seen | SeenClosely | Done | NotDone | Lost


class Reader:
    """Asks *client* once a second, and at once for what is wished; tells *hear* what came. A context manager.

    Threads: any may wish; *hear* is called on the reader's own.
    """

    def __init__(self, client: Client, hear: Callable[[News], None], *, interval: float = INTERVAL) -> None:
        self._client = client
        self._hear = hear
        self._interval = interval
        self._wishes: SimpleQueue[Do | LookAt | None] = SimpleQueue()
        self._looked_at: int | None = None
        self._thread = threading.Thread(target=self._run, name="actors-top-reader", daemon=True)

    def __enter__(self) -> Self:
        """Begin: the first look is one interval from now, for who starts has looked already."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End. A view that does not answer holds nobody up."""
        self._wishes.put(None)
        self._thread.join(PATIENCE)

    def wish(self, wish: Do | LookAt) -> None:
        """Fulfil *wish* as soon as can be."""
        self._wishes.put(wish)

    def _run(self) -> None:
        while True:
            try:
                wish = self._wishes.get(timeout=self._interval)
            except Empty:
                pass
            else:
                if wish is None:
                    return
                self._fulfil(wish)
            self._look()

    def _fulfil(self, wish: Do | LookAt) -> None:
        if isinstance(wish, LookAt):
            self._looked_at = wish.agent_id
            return
        try:
            answer = self._client.post(wish.deed.value, wish.content)
        except NoAnswer as error:
            self._hear(NotDone(wish, str(error)))
        else:
            self._hear(Done(wish, answer.get("done") is True))

    def _look(self) -> None:
        try:
            self._hear(Seen(state_of(self._client.get("/state"))))
            if self._looked_at is not None:
                self._look_closely(self._looked_at)
        except NoAnswer as error:
            self._hear(Lost(error))

    def _look_closely(self, agent_id: int) -> None:
        try:
            closeup = Closeup.of(self._client.get(f"/agent?id={agent_id}"))
        except NoAnswer as error:
            if error.trouble is not Trouble.REFUSED:
                raise
            self._hear(SeenClosely(agent_id, None))
        else:
            self._hear(SeenClosely(agent_id, closeup))


def state_of(answer: dict[str, Any]) -> State:
    """The answer to ``/state``, read.

    Raises:
        NoAnswer: It is none, or of a version that is not known here.
    """
    state = State.of(answer)
    if state.version < 1 or not isinstance(answer.get("pool"), dict):
        raise NoAnswer(Trouble.STRANGE, "what answers there is no live view")
    if state.version > VERSION:
        raise NoAnswer(
            Trouble.STRANGE,
            f"it is a view of version {state.version}, and here only {VERSION} is known: "
            "watch it with the actors that the program has",
        )
    return state
