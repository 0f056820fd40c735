"""How an actor handles its messages, and is started again when that fails."""

from __future__ import annotations

import sys
from collections import deque
from types import CoroutineType
from typing import TYPE_CHECKING, Any, cast

from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr

from ...errors import Cancelled
from ..messaging.dead_letter import DeadLetterReason
from ..messaging.mailbox import NOTHING
from .actor_cell import COROUTINE, LIVES, WINDS_UP, ActorCell, ActorEnd
from .children import tell_parent
from .coroutines import CLEANUP, CoroutineRun, NeverBegan
from .course import Course, Pause
from .deferred import Deferrals
from .envelope import Envelope, Order, Question, enveloped
from .eventual import LATER
from .inside import PutAside
from .registration import Registration
from .stash import Stash

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .handler import Handler

PLAIN = frozenset((type(None), bool, int, float, str, bytes, tuple, list, dict))
"""What most replies are: one look, where all others take four."""
NO_VALUES = (CoroutineType, *LATER)
"""What a handler may return that is no reply yet."""
PROXYS = (ProxyCall, ProxyGetAttr, ProxySetAttr)
"""Messages of Pykka's proxies."""


class ActorLife(ActorCell):
    """The steps of an actor's life, for those who have it take them: a thread of its own, or the workers of a
    dispatcher.

    A step that is over at once answers None; one that has to wait answers with a course. How a pause of a course is
    waited out is said by the classes below.

    Threads: one at a time.

    Locks: none. ``front`` belongs to whoever handles its messages, as ``ActorCell`` says.

    Locks: as of ``ActorCell``; whoever starts one in place of another gives it a ``front`` before that.
    """

    __slots__ = ()

    def _register(self) -> None:
        """Enter it in Pykka's registry, if its class says so. For its start: when that fails, it is taken out again."""
        if self.actor.registered:
            self.part(Registration).enter()

    def _begin(self) -> Course | None:
        """Call ``on_start``. None: it went well."""
        begun = self._try(self.actor.on_start)
        return None if begun is None else self._begin_again([begun])

    def _begin_again(self, failures: list[Any]) -> Course:
        """Go on after an ``on_start`` that has failed, or is a coroutine: again and again, if it may be restarted;
        False when it cannot start.

        The failure is taken out of *failures*: no frame below holds it while a new actor is made.
        """
        failure = failures.pop()
        while failure is not None:
            if type(failure) is CoroutineType:
                failure = yield from self._try_coroutine(failure)
                continue
            failures.append(failure)
            failure = None
            other = self._recovered_by_another(failures)
            if other is not None:
                return (yield from other)
            failure = failures.pop()
            self._report(failure[1])
            if self.supervision is None:  # as Pykka does: on_failure is for handlers
                self._has_failed = True
                return False
            self._fail(failure)
            failure = None
            delay = self._restart_delay()
            if delay is None or not (yield from self._replace(delay)):
                return False
            failure = self._try(self.actor.on_start)
        return True

    def handle_now(self, message: Any) -> Course | None:
        """Handle *message* as if it had been told, and read now: for orders."""
        return self._handle(Envelope(message))

    def _handle(self, item: Any) -> Course | None:
        """Handle what came out of the mailbox. None: the next may come."""
        if issubclass(type(item), Envelope):
            return self._handle_envelope(item)
        self._current = item
        try:
            value = self.actor.handle(item)
            if type(value) is CoroutineType:
                return self._await(enveloped(item), value)
        except BaseException as error:  # noqa: BLE001 - it ends only this actor, if that
            return self._failed(enveloped(item), error)
        self._current = NOTHING  # an idle actor keeps no message alive
        return None

    def _handle_envelope(self, envelope: Envelope) -> Course | None:
        if isinstance(envelope, Order):
            return self._carry_out(envelope)
        if envelope.is_settled():
            self._miss(envelope, DeadLetterReason.ASK_EXPIRED)
            return None
        self._current = envelope
        try:
            value = self.actor.handle(envelope.message)
            kind = type(value)
            if kind in PLAIN or not issubclass(kind, NO_VALUES):
                if self._current is envelope:
                    envelope.reply(value)
            elif kind is CoroutineType:
                return self._await(envelope, value)
            else:
                self._answer(envelope, value)
        except BaseException as error:  # noqa: BLE001 - as above
            return self._failed(envelope, error)
        self._current = NOTHING
        return None

    def _answer(self, envelope: Envelope, value: Any) -> None:
        """Reply with what a handler has returned: later, if it is there later. What a proxy asks for it gets."""
        if self._current is not envelope or type(envelope) is Envelope:
            return
        if isinstance(value, LATER) and not isinstance(envelope.message, PROXYS):
            self.part(Deferrals).follow(cast("Question", envelope), value)
        else:
            envelope.reply(value)

    def _carry_out(self, order: Order) -> Course | None:
        """Do what the actor has put into its own mailbox for itself."""
        try:
            left: Any = order.carry_out()
        except BaseException as error:  # noqa: BLE001 - as in a handler
            failure = self._own_failure(error)
            return None if failure is None else self._recover(order, [failure])
        if type(left) is CoroutineType:
            return self._await(order, left)
        return None if left is None else self._guarded(order, left)

    def _guarded(self, order: Order, course: Course) -> Course:
        """Go through *course*; what it raises is a crash, too."""
        failures: list[Any] = []
        try:
            return (yield from course)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - as in a handler
            failures.append(self._own_failure(error))
        return True if failures[0] is None else (yield from self._recover(order, failures))

    def _failed(self, envelope: Envelope, error: BaseException) -> Course | None:
        """A handler has raised: an asker is told, and that is no crash."""
        self._take_back()
        if isinstance(envelope, Question):
            if self.parts is not None and Registration in self.parts:
                self.part(Registration).answered(error)
            envelope.fail(error)
            self.current = None
            return None
        self.current = None
        failure = self._own_failure(error)
        return None if failure is None else self._recover(envelope, [failure])

    def _report(self, error: BaseException | None) -> None:
        super()._report(error)
        if error is not None and self.parts is not None and Registration in self.parts:
            self.part(Registration).failed(error)

    def _take_back(self) -> None:
        """What is handled was not handled to the end: then it was not put aside either."""
        aside = self._current
        if isinstance(aside, PutAside):
            self.part(Stash).take_out(aside.envelope)

    def _await(self, envelope: Envelope, coroutine: Any) -> Course:
        """A handler is a coroutine: go on when it is done."""
        try:
            value = yield from self._run_coroutine(coroutine)
            self._answer(envelope, value)
        except GeneratorExit:
            raise
        except NeverBegan:
            self._put_back(envelope)
            return True
        except BaseException as error:  # noqa: BLE001 - as in a handler that is none
            course = self._failed(envelope, error)
        else:
            self.current = course = None
        return True if course is None else (yield from course)

    def _put_back(self, envelope: Envelope) -> None:
        """An abort came before its handler had begun: it is unread, as all that is left."""
        self.current = None
        if self.front is None:
            self.front = deque()
        self.front.appendleft(envelope)

    def _run_coroutine(self, coroutine: Any, *, ends_at_abort: bool = True) -> Generator[Pause, None, Any]:
        """What *coroutine* returns or raises. An abort cancels it, and waits a while for its cleanup."""
        run, token = CoroutineRun(coroutine, is_handler=True), self.token
        self._lazies[COROUTINE] = run
        try:
            run.begin()
        except BaseException:
            self._lazies.pop(COROUTINE, None)
            raise
        while not (run.done.done() or (ends_at_abort and token.cancelled)):
            yield Pause(until=run.done, ends_at_abort=ends_at_abort)
        is_cancelled = not run.done.done()
        if is_cancelled:
            run.cancel()
            yield Pause(CLEANUP, until=run.done, ends_at_abort=False)
        self._lazies.pop(COROUTINE, None)
        if not run.done.done():
            run.leave_behind()
            raise Cancelled(token.reason)
        if is_cancelled and run.was_cancelled:
            raise Cancelled(token.reason)
        return run.result()

    def _try_coroutine(self, coroutine: Any, *, ends_at_abort: bool = True) -> Generator[Pause, None, Any]:
        """As :meth:`_try`, for what is a coroutine."""
        try:
            yield from self._run_coroutine(coroutine, ends_at_abort=ends_at_abort)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - reported, and it ends only this actor
            return self._own_failure(error)
        return None

    def _recover(self, envelope: Envelope, failures: list[Any]) -> Course:
        """Go on after a handler has failed; False when that ends the actor. *failures*: as above."""
        other = self._recovered_by_another(failures)
        if other is not None:
            return (yield from other)
        failure = failures.pop()
        tries = 0
        while failure is not None:
            tries += 1
            self._report(failure[1])
            delay = self._restart_delay(tries)
            if delay is None and self.supervision is not None:
                # No restart is left for it: the message goes, and the actor lives on as it is.
                is_poison = tries > self.supervision.tries_per_message
                reason = DeadLetterReason.POISON if is_poison else DeadLetterReason.RESTARTS_USED_UP
                self._miss(envelope, reason)
                return True
            self._fail(failure)
            failure = None  # its frames keep the crashed actor alive
            if delay is None:
                return False
            if not (yield from self._renew(delay)):
                self._miss(envelope, DeadLetterReason.RECEIVER_ENDED)
                return False
            failure = yield from self._retry(envelope)
        return True

    def _miss(self, envelope: Envelope, reason: DeadLetterReason) -> None:
        """It will not be handled any more."""
        if envelope.is_missed():
            self._bury(envelope.message, reason)

    def _retry(self, envelope: Envelope) -> Generator[Pause, None, Any]:
        """Handle it once more; the ``exc_info`` of a failure, or None."""
        if isinstance(envelope, Order):
            return None  # what the actor wanted of itself, another one has not asked for
        self.current = envelope
        try:
            value = self.actor.handle(envelope.message)
            if type(value) is CoroutineType:
                yield from self._run_coroutine(value)
        except GeneratorExit:
            raise
        except NeverBegan:
            self._put_back(envelope)
            return None
        except BaseException as error:  # noqa: BLE001 - reported, and it ends only this actor
            self._take_back()
            self.current = None
            return self._own_failure(error)
        self.current = None
        return None

    def _try(self, work: Callable[[], object]) -> Any:
        """Call what the user wrote; the ``exc_info`` of a failure, a coroutine that has to be run, or None."""
        try:
            value = work()
            if type(value) is CoroutineType:
                return value
        except BaseException as error:  # noqa: BLE001 - reported, and it ends only this actor
            return self._own_failure(error)
        return None

    def _own_failure(self, error: BaseException) -> Any:
        """The ``exc_info`` of what is being handled; None for its own cancel, which the loop sees. That of somebody
        else is a failure like any other.
        """
        return None if isinstance(error, Cancelled) and self.is_aborted else sys.exc_info()

    def _fail(self, failure: Any) -> None:
        """Let the actor that crashed clean up; its ``on_stop`` is not called any more."""
        actor = self.actor
        self._quietly(lambda: actor.on_failure(*failure))
        self._has_failed = True

    # Restarts ---------------------------------------------------------------------------------------------------

    def _recovered_by_another(self, failures: list[Any]) -> Course | None:
        return None if self.supervision is None else self.supervision.recover(failures)

    def _restart_delay(self, tries: int = 0) -> float | None:
        supervision = self.supervision
        if supervision is None or supervision.restarts is None or tries > supervision.tries_per_message:
            return None
        return supervision.restarts.take()

    def _renew(self, delay: float) -> Course:
        """Put a new, started actor in place of the one that crashed; False when that cannot be done."""
        if not (yield from self._replace(delay)):
            return False
        course = self._begin()
        goes_on = course is None or (yield from course)
        return goes_on and not self.is_aborted

    def _replace(self, delay: float) -> Course:
        """Wait, and make a new actor; a stop ends the wait, an abort all of it."""
        assert self.supervision is not None
        while True:
            yield from self.shed()  # also of one whose ``__init__`` has raised
            if self.mailbox.is_open:
                yield Pause(delay, ends_at_stop=True)
            if self.is_aborted:
                return False
            try:
                self.actor = self.supervision.make()
                self._has_failed = False
                return True
            except BaseException as error:  # noqa: BLE001 - as in the handler
                self._report(error)
            following = self._restart_delay()
            if following is None:
                return False
            delay = following

    # For those who decide how it goes on ------------------------------------------------------------------------

    def mourn(self, failure: Any) -> None:
        """It crashed: that is in the log, and it cleans up."""
        self._report(failure[1])
        self._fail(failure)

    def shed(self) -> Course:
        """What belongs to the actor that was ends before another is made."""
        for part in tuple((self.parts or {}).values()):
            course = part.shed()
            if course is not None:
                yield from course
        return True

    def retire(self) -> Course:
        """Call ``on_stop``: another will be made in its place, or it ends."""
        self.stage = WINDS_UP
        course = self._clean_up()
        if course is not None:
            yield from course
        yield from self.shed()  # what on_stop has set going was still the old one's
        self.stage = LIVES
        self._has_failed = True  # nothing is called of it any more
        return True

    def renew(self, make: Callable[[], Handler]) -> Generator[Pause, None, tuple[Any, bool]]:
        """Make another actor in place of the one that was, and call its ``on_start``.

        Returns:
            The ``exc_info`` of what failed, or None; and whether there is another.
        """
        try:
            self.actor = make()
        except BaseException as error:  # noqa: BLE001 - as in a handler
            self._report(error)
            return sys.exc_info(), False
        self._has_failed = False
        failure = self._try(self.actor.on_start)
        if type(failure) is CoroutineType:
            failure = yield from self._try_coroutine(failure)
        return failure, True

    # The end ----------------------------------------------------------------------------------------------------

    def _wind_up(self, goes_on: bool) -> Course | None:
        """The last message is handled: ``on_stop``, after the end of what belongs to the actor. None: it is done."""
        self.stage = WINDS_UP
        self.how_it_ends = ActorEnd.ABORTED if self.is_aborted else ActorEnd.STOPPED if goes_on else ActorEnd.CRASHED
        return self._clean_up() if self.parts is None else self._wind_up_parts()

    def _wind_up_parts(self) -> Course:
        for part in tuple((self.parts or {}).values()):
            course = part.wind_up()
            if course is not None:
                yield from course
        course = self._clean_up()
        return False if course is None else (yield from course)

    def _clean_up(self) -> Course | None:
        if self._has_failed:
            return None
        try:
            value: Any = self.actor.on_stop()  # type: ignore[func-returns-value]  # it may be a coroutine
            if type(value) is CoroutineType:
                return self._clean_up_later(value)
        except BaseException as error:  # noqa: BLE001 - it harms only this actor
            self._report(error)
        return None

    def _clean_up_later(self, coroutine: Any) -> Course:
        """``on_stop`` is a coroutine, which no abort ends."""
        failure = yield from self._try_coroutine(coroutine, ends_at_abort=False)
        if failure is not None:
            self._report(failure[1])
        return False

    def _tell_parent(self) -> None:
        if self.parent is not None:
            tell_parent(self)
