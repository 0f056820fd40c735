"""``actors chat``: a conversation with one agent, on the terminal."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from typing import TYPE_CHECKING, Any

from ..agent.config import SpawnConfig
from ..agent.events import TextDelta, ToolStarted
from ..agent.llm_agent import AgentLoopResult
from ..agent.ports import AssistantMessage, UserMessage
from ..core.event import AgentEnded
from ..core.outcome import AgentStatus
from ..pool import AgentPool
from .recipe import load_manifest, prepare
from .refusal import RefusedError
from .terminal import answering, say
from .wording import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..agent.ports import Message
    from ..core.event import Event
    from ..core.outcome import AgentOutcome
    from .recipe import ModelChoice, Recipe

EXIT_OK = 0
PROMPT = "> "
WELCOME = "Ctrl-C cancels an answer, Ctrl-D ends the conversation."
PATIENCE = 5.0
"""Seconds for the last words of an answer to be shown, once it is there."""


def chat(path: str, choice: ModelChoice, *, timeout: float | None) -> int:
    """Talk with the agent of the manifest at *path* until the input ends.

    Args:
        timeout: Seconds for each answer.
    Raises:
        RefusedError: A bad manifest, or no driver.
    """
    recipe = prepare(load_manifest(path), place=path, choice=choice)
    if recipe.driver is None:
        raise RefusedError(f"{path}: nobody to talk to: name a driver in the manifest (model.driver), or --driver")
    screen = Screen()
    with AgentPool(max_concurrent=1, max_queued=0, on_event=screen, name="actors chat") as pool:
        Conversation(pool, recipe, screen, timeout).go()
    return EXIT_OK


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


class Conversation:
    """Questions of one person, and the answers of one agent after another, each knowing what was said before."""

    def __init__(self, pool: AgentPool, recipe: Recipe, screen: Screen, timeout: float | None) -> None:
        self._pool = pool
        self._recipe = recipe
        self._screen = screen
        self._timeout = timeout
        self._history: tuple[Message, ...] = ()

    def go(self) -> None:
        """Until the input ends."""
        for question in _questions(f"{self._recipe.manifest.name}: {WELCOME}"):
            outcome = self._ask(question)
            if outcome.ok:
                self._keep(question, outcome.result)
            elif outcome.status is AgentStatus.CANCELLED:
                say("[cancelled: neither the question nor the answer is kept]")
            else:
                say(f"error: {one_line(str(outcome.error), 500)}")

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
        )
        handle = self._pool.spawn(config, timeout=None)
        while True:
            try:
                outcome = handle.outcome()
                self._screen.ended.wait(PATIENCE)
                break
            except KeyboardInterrupt:
                handle.cancel("interrupted")
        shown = self._screen.shown
        if outcome.ok and not shown:
            shown = outcome.result.text if isinstance(outcome.result, AgentLoopResult) else str(outcome.result)
            write(shown)
        if shown and not shown.endswith("\n"):
            write("\n")
        return outcome

    def _keep(self, question: str, result: Any) -> None:
        if isinstance(result, AgentLoopResult):
            self._history = result.messages
        else:
            self._history = (*self._history, UserMessage(question), AssistantMessage(str(result)))


def _questions(welcome: str) -> Iterator[str]:
    """What the person types, line by line; without a terminal, the lines of standard input."""
    on_terminal = sys.stdin.isatty()
    if on_terminal:
        say(welcome)
        with contextlib.suppress(ImportError):  # not on every platform: then without its editing
            importlib.import_module("readline")
    while True:
        try:
            line = input(PROMPT if on_terminal else "").strip()
        except EOFError:
            if on_terminal:
                write("\n")
            return
        except KeyboardInterrupt:
            write("\n")
            continue
        if line:
            yield line


def write(text: str) -> None:
    """Show *text* on standard output, at once."""
    with answering():
        sys.stdout.write(printable(text))
        sys.stdout.flush()
