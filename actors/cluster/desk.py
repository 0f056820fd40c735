"""Where the program answers what hosts ask."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from loguru import logger

from ..core.crash import report
from ..core.shown import shown
from ..errors import NotPortable
from .failures import dump_error
from .items import Answer
from .own import load_own
from .portable import ANYWHERE, dump_value, load_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.process.threads import Crew, Worker
    from .items import Ask, Note
    from .line import Line
    from .references import Finds

UNASK = "unask"
"""The note by which a host says that whoever asked waits no longer."""


class AskedByHost:
    """One question of a host. It is answered once, at any time, in any thread; what comes then is left.

    Locks: ``_lock`` guards ``_is_over`` and ``_when_gone``.
    """

    __slots__ = ("_is_gone", "_is_over", "_line", "_lock", "_number", "_questions", "_when_gone", "agent_id")

    def __init__(self, line: Line, number: int, agent_id: int, questions: dict[int, AskedByHost]) -> None:
        self.agent_id = agent_id
        self._line = line
        self._questions = questions
        self._number = number
        self._lock = threading.Lock()
        self._is_over = self._is_gone = False
        self._when_gone: list[Callable[[], object]] = []

    @property
    def is_gone(self) -> bool:
        """Is nobody left who waits for the answer?"""
        return self._is_gone

    def answer(self, value: Any) -> None:
        """Answer it."""
        try:
            data = None if value is None else dump_value(value, "the answer")
        except NotPortable as error:
            self.refuse(error)
            return
        self._settle(Answer(self._number, data, None))

    def refuse(self, error: BaseException) -> None:
        """Raise *error* where it was asked."""
        self._settle(Answer(self._number, None, dump_error(error, ANYWHERE)))

    def _settle(self, answer: Answer) -> None:
        with self._lock:
            is_first, self._is_over = not self._is_over, True
        self._questions.pop(self._number, None)
        if is_first and not self._line.is_closed:
            self._line.put(answer)

    def when_gone(self, call: Callable[[], object]) -> None:
        """Call *call* once when whoever asked is gone before the answer came; at once if so."""
        with self._lock:
            if not self._is_gone:
                if not self._is_over:
                    self._when_gone.append(call)
                return
        call()

    def go(self) -> None:
        """Whoever asked is gone."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = self._is_gone = True
            calls, self._when_gone = self._when_gone, []
        for call in calls:
            call()


class _Service(NamedTuple):
    """Who answers, or hears; ``waits``: on a thread of its own; ``is_later``: it answers by itself."""

    fn: Callable[..., Any]
    waits: bool
    is_later: bool


class ProgramDesk:
    """Answers questions and hears notes of hosts, by those who registered for them.

    Locks: none. The engine's thread has ``_open``, but for the removal of a question that was answered, which is one
    operation; the services are registered before the first host.
    """

    def __init__(self, crew: Crew, finds: Finds | None = None) -> None:
        self._crew = crew
        self._finds = finds
        self._services: dict[str, _Service] = {}
        self._listeners: dict[str, _Service] = {}
        self._open: dict[Line, dict[int, AskedByHost]] = {}

    def serve(self, what: str, fn: Callable[..., Any], *, waits: bool = False) -> None:
        """Answer *what* by what ``fn(agent_id, *args)`` returns or raises."""
        self._services[what] = _Service(fn, waits, is_later=False)

    def serve_later(self, what: str, fn: Callable[..., None]) -> None:
        """Answer *what* by ``fn(asked, *args)``, which answers by ``asked.answer``, now or later."""
        self._services[what] = _Service(fn, waits=False, is_later=True)

    def hear(self, what: str, fn: Callable[..., object], *, waits: bool = False) -> None:
        """Give what is noted as *what* to ``fn(agent_id, *args)``."""
        self._listeners[what] = _Service(fn, waits, is_later=False)

    # What hosts say: on the engine's thread -----------------------------------------------------------------------

    def ask(self, line: Line, item: Ask) -> None:
        """Answer a question."""
        questions = self._open.setdefault(line, {})
        questions[item.number] = asked = AskedByHost(line, item.number, item.id, questions)
        service = self._services.get(item.what)
        if service is None:
            asked.refuse(LookupError(f"nobody in the program answers {item.what!r}"))
            return
        self._run(service, partial(self._answer, service, asked, item))

    def note(self, line: Line, item: Note) -> None:
        """Hear a note."""
        if item.what == UNASK:
            (number,) = load_value(item.args)
            asked = self._open.get(line, {}).pop(number, None)
            if asked is not None:
                asked.go()
            return
        listener = self._listeners.get(item.what)
        if listener is None:
            logger.warning("nobody in the program hears {}", shown(item.what))
            return
        self._run(listener, partial(self._hear, listener, item))

    def forget(self, line: Line) -> None:
        """The host is gone, and so are all who asked there."""
        for asked in list(self._open.pop(line, {}).values()):
            asked.go()

    def _run(self, service: _Service, job: Callable[[], None]) -> None:
        if not service.waits:
            job()
            return

        def work(_: Worker) -> bool:
            job()
            return False

        try:
            self._crew.start(work)
        except RuntimeError:  # no thread can be started: better late than never
            report("no thread can be started for a question of a host: the engine's own answers it")
            job()

    def _answer(self, service: _Service, asked: AskedByHost, item: Ask) -> None:
        try:
            args = self._read(service, item)
            if service.is_later:
                service.fn(asked, *args)
                return
            value = service.fn(item.id, *args)
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
            asked.refuse(error)
        else:
            asked.answer(value)

    def _read(self, service: _Service, item: Ask | Note) -> tuple[Any, ...]:
        """What was given: a class that a user wrote is made again where that may take its time, and not here."""
        args: tuple[Any, ...]
        if service.waits or self._finds is None:
            args = load_value(item.args, self._finds)
        else:
            args = load_own(item.args, f"what is told of {item.what!r}", self._finds)
        return args

    def _hear(self, listener: _Service, item: Note) -> None:
        try:
            listener.fn(item.id, *self._read(listener, item))
        except BaseException:  # noqa: BLE001 - one note that fails ends no engine
            report("what a host notes as {} failed", item.what)
