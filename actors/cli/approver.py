"""Asks the person at the terminal whether tool calls may be made."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from collections import deque
from contextlib import nullcontext
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from ..agent.events import ApprovalDecided, ApprovalRequested
from ..core.records.event import AgentEnded
from ..core.shown import shown
from .terminal import say
from .wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from ..core.records.event import Event
    from ..core.records.message import AgentId
    from ..pool import AgentPool

NOBODY = "there is no terminal on which somebody could be asked"
CHOICES = "[y]es, [n]o, [a]lways this tool, or why not: "
CHOICES_IN_DOUBT = "[y]es, do it again, [n]o, or why not: "
IN_DOUBT = "it was begun before and interrupted: it may have been done already"
INPUT_SHOWN = 4_000
"""Characters of the arguments; of longer ones it is said how much is missing."""
PATIENCE = 5.0
"""Seconds for a question to leave the terminal."""


class Approver:
    """Answers the questions of a pool: by the tools that were approved beforehand, else by asking, one at a time.

    Without a terminal it denies what nobody could answer; a question with a timeout is left to its default. A call that
    may have been made already is approved by nobody beforehand: that was said of calls, not of doing them twice.

    Args:
        approved: Names of tools, or patterns of them, whose calls may be made.
        pause: What keeps a display off the terminal while it asks.
        elsewhere: Can somebody answer elsewhere, on a page? Then nothing is denied for want of a terminal.

    Guarantees: what was typed before a question was shown answers nothing; a question whose agent has ended leaves the
    terminal.

    Threads: the pool's event delivery calls it with each event; its own thread asks.
    Locks: ``_changed`` guards ``_waiting``, ``_asking``, ``_withdrawn`` and ``_over``.
    """

    def __init__(
        self,
        approved: Sequence[str] = (),
        *,
        pause: Callable[[], AbstractContextManager[object]] = nullcontext,
        elsewhere: bool = False,
    ) -> None:
        self._approved = tuple(approved)
        self._elsewhere = elsewhere
        self._always: set[str] = set()
        self._pause = pause
        self._pool: AgentPool | None = None
        self._changed = threading.Condition()
        self._waiting: deque[ApprovalRequested] = deque()
        self._asking: ApprovalRequested | None = None
        self._withdrawn: ApprovalRequested | None = None
        self._over = False
        self._can_ask = sys.stdin.isatty() and sys.stderr.isatty()
        self._thread: threading.Thread | None = None
        self._bell, self._rope = os.pipe()

    def answers_for(self, pool: AgentPool) -> None:
        """From now on the questions are those of *pool*."""
        self._pool = pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._waiting.clear()
            self._changed.notify_all()
            os.write(self._rope, b"!")
        if self._thread is not None:
            self._thread.join()
        os.close(self._bell)
        os.close(self._rope)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, ApprovalRequested):
            self._take(event)
        elif isinstance(event, ApprovalDecided):
            self._drop(event.agent_id, event.call_id)
        elif isinstance(event, AgentEnded):
            self._drop(event.agent_id, None)

    def _take(self, event: ApprovalRequested) -> None:
        if not event.in_doubt and self._is_approved(event.tool):
            self._answer(event, None)
        elif self._can_ask:
            with self._changed:
                self._waiting.append(event)
                self._changed.notify_all()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._ask_all, name="actors-approver", daemon=True)
                    self._thread.start()
        elif self._elsewhere:
            again = f" again ({IN_DOUBT})" if event.in_doubt else ""
            say(f"{_who(event)} asks to call {shown(event.tool)}{again}: answer on the page of --live")
        elif event.in_doubt:
            say(f"{_who(event)} may not call {shown(event.tool)} again: {IN_DOUBT}, and {NOBODY}")
            if event.timeout is None:
                self._answer(event, NOBODY)
        elif event.timeout is None:
            say(f"{_who(event)} may not call {shown(event.tool)}: {NOBODY} (--approve {shown(event.tool)})")
            self._answer(event, NOBODY)

    def _is_approved(self, tool: str) -> bool:
        return tool in self._always or any(fnmatchcase(tool, pattern) for pattern in self._approved)

    def _answer(self, event: ApprovalRequested, refusal: str | None) -> bool:
        assert self._pool is not None
        if refusal is None:
            return self._pool.approve(event.agent_id, event.call_id)
        return self._pool.deny(event.agent_id, event.call_id, refusal)

    def _drop(self, agent_id: AgentId, call_id: str | None) -> None:
        """Questions of that agent need no answer any more."""
        if self._thread is None:
            return

        def is_meant(event: ApprovalRequested) -> bool:
            return event.agent_id == agent_id and call_id in (None, event.call_id)

        with self._changed:
            self._waiting = deque(event for event in self._waiting if not is_meant(event))
            asking = self._asking
            if asking is not None and is_meant(asking):
                self._withdrawn = asking
                os.write(self._rope, b"!")
                # Whoever reads from the terminal next must not share it.
                self._changed.wait_for(lambda: self._asking is not asking, PATIENCE)

    def _ask_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._over)
                if self._over:
                    return
                event = self._asking = self._waiting.popleft()
            try:
                if not event.in_doubt and self._is_approved(event.tool):  # since then
                    self._answer(event, None)
                else:
                    with self._pause():
                        self._ask(event)
            finally:
                with self._changed:
                    self._asking = None
                    self._changed.notify_all()

    def _ask(self, event: ApprovalRequested) -> None:
        _forget_what_was_typed()
        again = f" again ({IN_DOUBT})" if event.in_doubt else ""
        say(f"{_who(event)} asks to call {shown(event.tool)}{again}:\n{_shown(event.input)}")
        while True:
            _prompt(CHOICES_IN_DOUBT if event.in_doubt else CHOICES)
            line = self._read_line(event)
            if line is None:
                say("\n[no answer is needed any more]")
                return
            word = line.strip()
            always = word.lower() in ("a", "always")
            if word and not (always and event.in_doubt):
                break
        if always:
            self._always.add(event.tool)
        yes = always or word.lower() in ("y", "yes")
        refusal = "" if word.lower() in ("n", "no") else word
        if not self._answer(event, None if yes else refusal):
            say("[the answer came too late]")

    def _read_line(self, event: ApprovalRequested) -> str | None:
        """What is typed; None when *event* was withdrawn, or everything is over."""
        typed = sys.stdin.fileno()
        while not (self._over or self._withdrawn is event):
            ready, _, _ = select.select([typed, self._bell], [], [])
            if self._bell in ready:
                os.read(self._bell, 1)  # for this question, or late for one before
            elif data := os.read(typed, 4096):
                return data.decode(errors="replace")
            else:
                return "no"  # Ctrl-D
        return None


def _who(event: ApprovalRequested) -> str:
    return f"#{event.agent_id} {shown(event.agent)}"


def _shown(arguments: Any) -> str:
    text = (
        arguments if isinstance(arguments, str) else json.dumps(arguments, indent=2, ensure_ascii=False, default=repr)
    )
    if len(text) <= INPUT_SHOWN:
        return text
    return f"{text[:INPUT_SHOWN]}\n[{len(text) - INPUT_SHOWN:,} more characters]"


def _prompt(text: str) -> None:
    try:
        sys.stderr.write(printable(text))
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # as say() does


def _forget_what_was_typed() -> None:
    """What was typed before the question was shown is no answer to it."""
    try:
        import termios
    except ImportError:  # Windows
        return
    try:
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    except (termios.error, OSError, ValueError):
        pass  # no terminal after all
