"""The program, as a host reaches it."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

from ...core.waiting.wait_graph import wait_for
from ...core.waiting.waiter import Waiter
from ...errors import EngineLost
from ..desk import UNASK
from ..items import Ask, Note
from ..portable import TO_PROGRAM, dump_value, load_value
from .resting import rest

if TYPE_CHECKING:
    from ...core.waiting.cancel import CancelToken
    from ..items import Answer
    from ..lane import Outbox
    from ..pickler import Way


class _Asking:
    """One question that is out.

    Locks: that of the questions guards ``answer`` and ``lost``.
    """

    __slots__ = ("answer", "lost", "waiter")

    def __init__(self) -> None:
        self.waiter = Waiter()
        self.answer: Answer | None = None
        self.lost = ""


class Questions:
    """Asks the program, and tells it.

    Guarantees: what one thread notes and asks arrives in that order; each question is answered once, or is given up.

    Locks: ``_lock`` guards ``_open`` and ``_lost``.
    """

    def __init__(self, outbox: Outbox, way: Way = TO_PROGRAM) -> None:
        self._outbox = outbox
        self._way = way
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, _Asking] = {}
        self._lost = ""

    def ask(
        self, what: str, agent_id: int, /, *args: Any, cancel: CancelToken | None = None, parked: str | None = None
    ) -> Any:
        """Ask the program, and wait for its answer.

        Args:
            parked: What the agent is parked on until it comes; None: it keeps its slot.
        Raises:
            BaseException: What was raised there.
            Cancelled: *cancel* came first.
            EngineLost: The program is gone, or has given this host up.
            NotPortable: *args* cannot be pickled.
        """
        data = dump_value(args, f"what is asked of {what!r}", self._way)
        if cancel is not None:
            cancel.check()
        number, asking = next(self._numbers), _Asking()
        with self._lock:
            if not self._lost:
                self._open[number] = asking
        if self._lost:
            raise EngineLost(self._lost)
        wake = asking.waiter.wake
        deadline = None
        if cancel is not None:
            deadline = cancel.deadline
            cancel.remind(wake)
        try:
            self._outbox.put(Ask(number, what, agent_id, data))
            if parked is None:
                rest(asking.waiter, within=None if deadline is None else deadline.remaining())
            else:
                wait_for(asking.waiter, None, parked)
        finally:
            if cancel is not None:
                cancel.forget(wake)
            with self._lock:
                answered = self._open.pop(number, None) is None
            if not answered:
                self.note(UNASK, agent_id, number)
        if asking.answer is None:
            if cancel is not None:
                cancel.check()
            raise EngineLost(asking.lost or "the program is gone")
        if asking.answer.error is not None:
            raise load_value(asking.answer.error)
        return None if asking.answer.value is None else load_value(asking.answer.value)

    def note(self, what: str, agent_id: int, /, *args: Any) -> None:
        """Tell the program, and wait for nobody."""
        self._outbox.put(Note(what, agent_id, dump_value(args, f"what is told of {what!r}", self._way)))

    def answered(self, answer: Answer) -> None:
        """The program has answered."""
        with self._lock:
            asking = self._open.pop(answer.number, None)
            if asking is not None:
                asking.answer = answer
        if asking is not None:
            asking.waiter.wake()

    def give_up(self, why: str) -> None:
        """The program is gone: nobody waits for it any more."""
        with self._lock:
            self._lost = self._lost or why
            left, self._open = list(self._open.values()), {}
            for asking in left:
                asking.lost = why
        for asking in left:
            asking.waiter.wake()
