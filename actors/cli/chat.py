"""``actors chat``: a conversation with one agent, on the terminal."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self

from ..agent.assembly.llm_agent import LlmAgent
from ..agent.config import SpawnConfig
from ..agent.events import ToolStarted
from ..core.records.answer import TextDelta
from ..core.records.conversation import AssistantMessage, UserMessage
from ..core.records.event import AgentEnded
from ..core.records.outcome import AgentStatus
from ..core.shown import shown
from ..errors import SessionError
from ..pool import AgentPool
from .approver import Approver
from .options import problem_of_timeout
from .recipe import load_manifest, memory_for, prepare
from .refusal import REFUSALS, RefusedError
from .row import text_of
from .session_file import open_to_talk, refuse_bad_name
from .terminal import answering, say
from .wording import counted, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from ..core.records.conversation import Message
    from ..core.records.event import Event
    from ..core.records.outcome import AgentOutcome
    from ..core.supervision.handle import AgentHandle
    from ..sessions.session import Session
    from .recipe import ModelChoice, Recipe

EXIT_OK = 0
EXIT_INCOMPLETE = 1
PROMPT = "> "
WELCOME = "Ctrl-C cancels an answer, Ctrl-D ends the conversation."
PATIENCE = 5.0
"""Seconds for the last words of an answer to be shown, once it is there."""


def chat(
    path: str,
    choice: ModelChoice,
    *,
    timeout: float | None,
    approved: Sequence[str] = (),
    session: str | None = None,
    file: str | None = None,
) -> int:
    """Talk with the agent of the manifest at *path* until the input ends.

    Args:
        timeout: Seconds for each answer.
        approved: Tools whose calls need no approval.
        session: The conversation that goes on; None begins a new one, which is forgotten at the end.
        file: Where it is stored; None: in the command's own folder.
    Raises:
        RefusedError: A bad manifest, a bad timeout, or no driver.
    """
    problem = problem_of_timeout(timeout)
    if problem is not None:
        raise RefusedError(problem)
    if session is not None:
        refuse_bad_name(session)
    elif file is not None:
        raise RefusedError("--sessions names the file of a session: name that, too, with --session NAME")
    recipe = prepare(load_manifest(path), place=path, choice=choice)
    if recipe.driver is None:
        raise RefusedError(f"{path}: nobody to talk to: name a driver in the manifest (model.driver), or --driver")
    if session is not None and not issubclass(recipe.agent, LlmAgent):
        raise RefusedError(f"{path}: --session needs an LlmAgent: of {recipe.agent.__name__} nothing would be stored")
    screen, approver = Screen(), Approver(approved)

    def hear(event: Event) -> None:
        approver(event)  # first: its question leaves the terminal before the next prompt comes
        screen(event)

    with (
        nullcontext() if session is None else open_to_talk(file) as sessions,
        CtrlC() as ctrl_c,
        approver,
        AgentPool(
            max_concurrent=1,
            max_queued=0,
            on_event=hear,
            memory=memory_for([recipe]),
            sessions=sessions,
            name="actors chat",
        ) as pool,
    ):
        approver.answers_for(pool)
        conversation = Conversation(pool, recipe, screen, ctrl_c, timeout, session)
        if sessions is not None and session is not None:
            tell_of(sessions.get(session))
        conversation.go()
    return EXIT_INCOMPLETE if conversation.failures and not sys.stdin.isatty() else EXIT_OK


class Screen:
    """Shows an answer as it comes. The pool calls it with each event, on the thread of its events.

    Locks: none; the main thread waits for ``ended`` before it shows anything itself.
    """

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.shown = ""
        self._attempt = 1

    def begin(self) -> None:
        """The next answer is about to come."""
        self.ended.clear()
        self.shown = ""
        self._attempt = 1

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if event.depth:
            return  # children speak to their parent
        if isinstance(event, TextDelta):
            if event.attempt != self._attempt:  # what was shown broke off, and is asked for again
                self._attempt = event.attempt
                write("\n[the answer broke off; once more]\n")
            self.shown += event.text
            write(event.text)
        elif isinstance(event, ToolStarted):
            write(f"\n[{event.tool}]\n")
        elif isinstance(event, AgentEnded):
            self.ended.set()


class CtrlC:
    """What Ctrl-C does while one talks: at the prompt it begins a new line, else it cancels the answer. A context
    manager.

    Guarantees: nothing but the prompt is ever interrupted, however often it is pressed.
    """

    def __init__(self) -> None:
        self._at_prompt = False
        self._cancel: Callable[[], object] = _nothing
        self._previous: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _heard(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        if self._at_prompt:
            self._at_prompt = False
            raise KeyboardInterrupt
        self._cancel()

    def read(self, prompt: str) -> str | None:
        """A line; None when Ctrl-C came.

        Raises:
            EOFError: The input ended.
        """
        try:
            try:
                self._at_prompt = True
                return input(prompt)
            finally:
                self._at_prompt = False
        except KeyboardInterrupt:
            return None
        except SystemError as error:  # the interpreter's word for a second one that came while the first was raised
            if not isinstance(error.__cause__, KeyboardInterrupt):
                raise
            return None

    def cancels(self, cancel: Callable[[], object]) -> None:
        """From now on it calls *cancel*."""
        self._cancel = cancel


class Stop:
    """Cancels an agent when it is called, also when that was before there was one."""

    def __init__(self) -> None:
        self._handle: AgentHandle[Any] | None = None
        self._is_wanted = False

    def __call__(self) -> None:
        """Cancel it, now or when there is one."""
        self._is_wanted = True
        if self._handle is not None:
            self._handle.cancel("interrupted")

    def ends(self, handle: AgentHandle[Any]) -> None:
        """From now on it is about *handle*."""
        self._handle = handle  # before the look: a signal may come between
        if self._is_wanted:
            handle.cancel("interrupted")


def _nothing() -> None:
    """Nobody answers."""


class Conversation:
    """Questions of one person, and the answers of one agent after another, each knowing what was said before."""

    def __init__(
        self,
        pool: AgentPool,
        recipe: Recipe,
        screen: Screen,
        ctrl_c: CtrlC,
        timeout: float | None,
        session: str | None = None,
    ) -> None:
        self._pool = pool
        self._session = session
        self._recipe = recipe
        self._screen = screen
        self._ctrl_c = ctrl_c
        self._timeout = timeout
        self._history: tuple[Message, ...] = ()
        self.failures = 0

    def go(self) -> None:
        """Until the input ends."""
        for question in self._questions():
            outcome = self._ask(question)
            if outcome.ok:
                self._keep(question, outcome)
            elif outcome.status is AgentStatus.CANCELLED:
                say("[cancelled: neither the question nor the answer is kept]")
            else:
                self.failures += 1
                say(f"error: {one_line(str(outcome.error), 500)}")

    def _questions(self) -> Iterator[str]:
        """What the person types, line by line; without a terminal, the lines of standard input."""
        on_terminal = sys.stdin.isatty()
        if on_terminal:
            say(f"{one_line(self._recipe.manifest.name)}: {WELCOME}")
            with contextlib.suppress(ImportError):  # not on every platform: then without its editing
                importlib.import_module("readline")
        while True:
            try:
                line = self._ctrl_c.read(PROMPT if on_terminal else "")
            except EOFError:
                if on_terminal:
                    write("\n")
                return
            if line is None:
                write("\n")
            elif line.strip():
                yield line.strip()

    def _ask(self, question: str) -> AgentOutcome[Any]:
        self._screen.begin()
        recipe = self._recipe
        config = SpawnConfig(
            recipe.manifest,
            question,
            agent=recipe.agent,
            driver=recipe.driver,
            timeout=self._timeout,
            messages=self._history,
            session=self._session,
        )
        stop = Stop()
        self._ctrl_c.cancels(stop)  # first: the agent may ask for approval before the spawn has returned
        try:
            handle = self._pool.spawn(config, timeout=None)
        except (*REFUSALS, ValueError) as error:
            raise RefusedError(f"{recipe.place}: {one_line(str(error), 1_000)}") from error
        stop.ends(handle)
        outcome = handle.outcome()
        self._ctrl_c.cancels(_nothing)
        self._screen.ended.wait(PATIENCE)
        shown = self._screen.shown
        if outcome.ok and not shown:
            shown = text_of(outcome)
            write(shown)
        if shown and not shown.endswith("\n"):
            write("\n")
        return outcome

    def _keep(self, question: str, outcome: AgentOutcome[Any]) -> None:
        if self._session is not None:  # there it is kept already
            return
        said = (*self._history, UserMessage(question), AssistantMessage(text_of(outcome)))
        self._history = outcome.messages or said  # an agent of somebody's own may have no conversation


def tell_of(session: Session) -> None:
    """Say what a conversation goes on with."""
    try:
        turns, at = len(session), session.updated_at
    except SessionError as error:
        raise RefusedError(one_line(str(error), 1_000)) from None
    if at is None:
        say(f"session {shown(session.id)}: new")
    else:
        say(f"session {shown(session.id)}: {counted(turns, 'turn')}, the last one {at.astimezone():%Y-%m-%d %H:%M}")


def write(text: str) -> None:
    """Show *text* on standard output, at once."""
    with answering():
        sys.stdout.write(printable(text))
        sys.stdout.flush()
