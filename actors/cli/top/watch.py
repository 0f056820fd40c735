"""Draws a pool on the screen of a terminal, again and again, and hears keys."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ...core.figures import in_words, seconds
from ...core.shown import one_line
from ...progress.live import console
from .board import Board, Do, LookAt, Quit
from .client import NoAnswer, Trouble
from .frame import frame
from .keys import Keys
from .reader import INTERVAL, Done, Lost, NotDone, Reader, Seen, SeenClosely

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType
    from rich.text import Text

    from .client import Client
    from .reader import News
    from .state import State

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
RESIZED = tuple(getattr(signal, name) for name in ("SIGWINCH",) if hasattr(signal, name))  # not on Windows


class Redraw:
    """The screen has another size."""


class Watch:
    """Shows the pool of *client* until the viewer goes, or the pool ends.

    Args:
        state: What was seen first.
        interval: Seconds between two looks.

    Threads: one shows; keys, answers and signals come through a queue.
    """

    def __init__(self, client: Client, state: State, *, interval: float = INTERVAL) -> None:
        self._client = client
        self._interval = interval
        self._board = Board(state)
        self._news: SimpleQueue[News | list[str] | Redraw | Quit] = SimpleQueue()
        self._console = console(sys.stdout)

    def show(self) -> NoAnswer | None:
        """Show it, and take the screen away again.

        Returns:
            Why it cannot be watched any more; None: the viewer went, or the pool has ended.
        """
        from rich.live import Live

        self._board.see(self._board.state)
        with (
            self._signals(),
            Reader(self._client, self._news.put, interval=self._interval) as reader,
            Live(
                get_renderable=self._screen,
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            ) as live,
            Keys(self._news.put) as keys,
        ):
            self._board.has_keys = keys.are_there
            while True:
                live.refresh()
                end = self._take(reader)
                if end is not None:
                    return end if isinstance(end, NoAnswer) else None

    @property
    def state(self) -> State:
        """What was seen last."""
        return self._board.state

    def _take(self, reader: Reader) -> Quit | NoAnswer | None:
        """Wait for something, and for all that is there besides; return why this is the end, if it is."""
        news = self._news.get()
        while True:
            end = self._heard(news, reader)
            if end is not None or self._news.empty():
                return end
            news = self._news.get()

    def _heard(self, news: News | list[str] | Redraw | Quit, reader: Reader) -> Quit | NoAnswer | None:
        board = self._board
        if isinstance(news, Quit):
            return news
        if isinstance(news, list):
            return self._press(news, reader)
        if isinstance(news, Seen):
            board.see(news.state)
            return Quit() if news.state.is_closed else None
        if isinstance(news, SeenClosely):
            if news.agent_id == board.looked_at and news.closeup is not None:
                board.closeup = news.closeup
        elif isinstance(news, Done):
            board.told(news.wish, done=news.done)
        elif isinstance(news, NotDone):
            board.failed(news.wish, news.why)
        elif isinstance(news, Lost):
            if news.error.trouble is not Trouble.BUSY:
                return news.error
            board.problem = f"not up to date: {news.error}"
        return None

    def _press(self, keys: Sequence[str], reader: Reader) -> Quit | None:
        for key in keys:
            asked = self._board.question
            wish = self._board.press(key)
            if isinstance(wish, Quit):
                return wish
            if isinstance(wish, Do | LookAt):
                reader.wish(wish)
            if asked is None and self._board.question is not None:
                return None  # what came with the key, as in a pasted text, is no answer to what it asks
        return None

    def _screen(self) -> RenderableType:
        size = self._console.size
        return stacked(frame(self._board, size.width, size.height))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """End well at SIGTERM, draw anew when the screen has another size; in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def heard(number: int, frame: Any) -> None:  # noqa: ARG001 - the signature of a handler
            self._news.put(Redraw() if number in RESIZED else Quit())

        before = {number: signal.signal(number, heard) for number in (*ENDING, *RESIZED)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def last_word(state: State, why: NoAnswer | None) -> str:
    """What is left to say of a pool that cannot be watched any more."""
    name = one_line(state.name, 60) or "pool"
    ended = ", ".join(in_words(state.ended)) or "no agent ended"
    seen = f"{ended} in {seconds(state.seconds)}"
    if why is None:
        return f"{name} has ended: {seen}"
    if why.trouble is Trouble.GONE:
        open_ones = sum(state.states.values())
        left = f", {open_ones:,} not ended" if open_ones else ""
        return f"{name} can be seen no more: its pool, its view or its program has ended. Seen last: {seen}{left}"
    return f"{name}: {why}"


def print_lines(voice: Console, rows: Sequence[Text]) -> None:
    """Print *rows*, each on a line."""
    for row in rows:
        voice.print(row, end="\n", soft_wrap=True)


def stacked(rows: Sequence[Text]) -> RenderableType:
    """*rows* one below the other."""
    from rich.text import Text

    return Text("\n", end="", no_wrap=True).join(rows)
