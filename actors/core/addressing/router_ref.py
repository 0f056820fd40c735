"""Routers: one reference to several actors of a class."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from typing_extensions import TypeVar as TypeVarOf

from ...errors import InboxFull
from ..actors.actor import SUPERVISED, Actor
from ..actors.envelope import Envelope, PykkaActorDead, await_reply
from ..actors.reply import PykkaAskTimeout, ReplyFuture
from ..actors.supervise import made_over
from ..actors.typed import TypedActor
from ..clock import SYSTEM_CLOCK
from ..messaging.mailbox import ACCEPTED, Put
from ..process import fork
from .broadcast import ToAll
from .members import Members
from .routed import Routed, gathered
from .routing import ByKey, Routing, chooser
from .ways import ToAny, ToOne

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...errors import AgentCrashed
    from ..actors.actor_cell import ActorEnd
    from ..actors.reference import ActorRef
    from ..messaging.dead_letter import DeadLetters
    from .ways import Way

A_co = TypeVarOf("A_co", bound=TypedActor[Any, Any], covariant=True, default=Any)
Reach_co = TypeVarOf("Reach_co", bound=str, covariant=True, default=Literal["one"])
"""Who gets a message, as type checkers see it: ``one`` of the members, or ``all``."""
ActorT = TypeVar("ActorT", bound=Actor[Any, Any])
M = TypeVar("M")
R = TypeVar("R")

NAMES = ("round_robin", "smallest_mailbox", "random", "broadcast")


class RouterRef(Generic[A_co, Reach_co]):
    """A reference to several actors of one class, of which one, or each, gets what is told or asked.

    It is a plain object: what is sent goes from the sender's thread straight into the mailbox of a member. It may be
    used from any thread, from handlers of its own members, and from finalizers.

    Guarantees: what was accepted is handled once, or becomes a dead letter and its asker is told, whatever becomes of
    the members meanwhile; a member that ends is replaced.

    To a type checker ``RouterRef[Account]`` is told and replies what an ``Account`` is and does; a broadcast, which
    replies a list of that, is a ``RouterRef[Account, Literal["all"]]``.
    """

    def __init__(self, members: Members, way: Way | ToAll, actor_class: type[A_co]) -> None:
        self._members = members
        self._way = way
        self._mark = fork.mark()
        self._generation = self._mark.generation
        self.actor_class = actor_class

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        return self._members.label

    @property
    def members(self) -> tuple[ActorRef[A_co], ...]:
        """The references of its members now. One that has just ended stands there until it is replaced."""
        return tuple(seat.ref for seat in self._members.table.routes.seats)

    @property
    def how_ended(self) -> ActorEnd | None:
        """``stopped``, ``aborted`` or ``crashed`` (its members could not be started any more); None while it lives."""
        return self._members.how_ended

    @property
    def error(self) -> AgentCrashed | None:
        """What kept its members from starting, when it crashed."""
        return self._members.error

    @property
    def dead_letters(self) -> DeadLetters:
        """Messages that it accepted, and that no member was there to handle. Those of members are in their own."""
        return self._members.dead_letters

    def is_alive(self) -> bool:
        """Has it not ended yet? It may end at any moment after the answer."""
        self._refuse_after_fork()
        return self._members.how_ended is None

    def _refuse_after_fork(self) -> None:
        if self._mark.generation != self._generation:
            fork.refuse_after_fork(self._generation)

    # Sending ----------------------------------------------------------------------------------------------------

    def tell(self: RouterRef[TypedActor[M, Any], str], message: M, timeout: float | None = 0.0) -> None:
        """Send *message* to a member, or, by a broadcast, to all.

        Args:
            message: Any object.
            timeout: Seconds to wait for room; 0 does not wait, None waits for ever.
        Raises:
            InboxFull: No member has room in time; by keys: that of its key has none; by a broadcast: some had none, and
                all others have got it.
            ActorDead: The router ended, or was told to stop.
            DeadlockError: All that could make room wait for the caller.
            Exception: What the function given to ``by_key`` raises.
        """
        self._refuse_after_fork()
        if isinstance(self._way, ToAll):
            self._tell_all(self._way, message, timeout)
            return
        taken = self._way.send(Envelope(message), timeout)
        if taken is not ACCEPTED:
            raise self._refused(taken, message)

    def _tell_all(self, way: ToAll, message: Any, timeout: float | None) -> None:
        taken, count = way.tell(message, timeout)
        if not count:
            raise self._refused(Put.CLOSED, message)
        if taken < count:
            text = f"{count - taken} of {count} mailboxes of {self} are full: the other members have got the message"
            raise InboxFull(text, message)

    def _refused(self, taken: Put, message: Any) -> InboxFull | PykkaActorDead:
        if taken is Put.CLOSED:
            return self._members.refusal(message)
        whose = "the member of that key" if isinstance(self._way, ToOne) else "no member"
        has = "has no room" if isinstance(self._way, ToOne) else "has room"
        return InboxFull(f"{self}: {whose} {has}", message)

    @overload
    def ask(self: RouterRef[TypedActor[M, R]], message: M, timeout: float | None = None) -> R: ...
    @overload
    def ask(self: RouterRef[TypedActor[M, R], Literal["all"]], message: M, timeout: float | None = None) -> list[R]: ...
    def ask(self, message: Any, timeout: float | None = None) -> Any:
        """Send *message* to a member and wait for its reply; by a broadcast, to all.

        Args:
            message: Any object.
            timeout: Seconds for the whole call, room in a mailbox included; None waits for ever.
        Returns:
            The reply; of a broadcast the list of the replies, in the order of ``members``.
        Raises:
            ActorDead: The router ended before it was handled.
            AskTimeout: No reply in time; a handler may still run.
            DeadlockError: All that could reply wait for the caller; by a broadcast: one of them does.
            Exception: What the handler raised; by a broadcast, the first that did.
        """
        self._refuse_after_fork()
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        if isinstance(self._way, ToAll):
            return self._ask_all(self._way, message, timeout)
        question = Routed(message)
        taken = self._way.send(question, timeout, is_awaited=True)
        if taken is Put.FULL:
            raise PykkaAskTimeout(f"{self._refused(taken, message)}, within {timeout} s")
        if taken is Put.CLOSED:
            raise self._refused(taken, message)
        return await_reply(question.reply_to, SYSTEM_CLOCK.left(end), self)

    def _ask_all(self, way: ToAll, message: Any, timeout: float | None) -> list[Any]:
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        questions = way.ask(message, timeout, is_awaited=True)
        if not questions:
            raise self._refused(Put.CLOSED, message)
        together = gathered(questions)
        try:
            replies: list[Any] = await_reply(together, SYSTEM_CLOCK.left(end), self)
        except InboxFull:
            raise PykkaAskTimeout(f"not all members of {self} had room within {timeout} s") from None
        except PykkaAskTimeout as late:
            for question in questions:
                question.reply_to.fail(late)  # who has not begun skips it
            raise
        return replies

    @overload
    def ask_future(self: RouterRef[TypedActor[M, R]], message: M) -> ReplyFuture[R]: ...
    @overload
    def ask_future(self: RouterRef[TypedActor[M, R], Literal["all"]], message: M) -> ReplyFuture[list[R]]: ...
    def ask_future(self, message: Any) -> ReplyFuture[Any]:
        """Send *message* and return the future of the reply, or of the list of replies. Never raises and never waits
        for room: what goes wrong is in the future.
        """
        try:
            self._refuse_after_fork()
            if isinstance(self._way, ToAll):
                questions = self._way.ask(message, 0.0, is_awaited=False)
                if not questions:
                    raise self._refused(Put.CLOSED, message)
                return gathered(questions)
            question = Routed(message)
            taken = self._way.send(question, 0.0)
            if taken is not ACCEPTED:
                raise self._refused(taken, message)
        except Exception as error:  # noqa: BLE001 - also what the function of a key raises
            failed: ReplyFuture[Any] = ReplyFuture()
            failed.fail(error)
            return failed
        return question.reply_to

    # Its life ---------------------------------------------------------------------------------------------------

    def resize(self, count: int) -> None:
        """Have *count* members. New ones are started here; those that go handle what they accepted, then end.

        By keys, at most their share of the keys moves: those that new members get, or that the ones that go had. Their
        later messages wait until the earlier ones were handled.

        Raises:
            ValueError: Below 1.
            ActorDead: The router ended, or was told to stop.
            Exception: What the ``__init__`` of a new member raises; nothing has changed then.
        """
        self._refuse_after_fork()
        _check_count(count, "resize")
        self._members.resize(count)

    def watch(self, fn: Callable[[RouterRef[A_co, Reach_co]], object]) -> Callable[[], None]:
        """Call ``fn(router)`` once, when all members have ended for good; at once, in this thread, if they have.

        Returns:
            A function that forgets *fn*. *fn* may still run once if the end is on its way.
        """
        self._refuse_after_fork()
        if not callable(fn):
            raise TypeError(f"watch takes a function that takes the router, got {fn!r}")

        def ended(_: object) -> None:
            fn(self)

        self._members.gone.add_done_callback(ended)
        return partial(self._members.gone.remove_done_callback, ended)

    @overload
    def stop(self, *, block: Literal[True] = True, timeout: float | None = None) -> bool: ...
    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None) -> ReplyFuture[bool]: ...
    @overload
    def stop(self, *, block: bool, timeout: float | None = None) -> bool | ReplyFuture[bool]: ...
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | ReplyFuture[bool]:
        """End once the members have handled all that was accepted. Never waits for room.

        Args:
            block: Wait for the end of all members.
            timeout: Seconds to wait.
        Returns:
            False if it had ended before, else True; a future of that when *block* is False.
        Raises:
            AskTimeout: They have not ended in time; they still will.
        """
        was_alive = self.is_alive()
        members = self._members
        if not was_alive and block:
            return False
        members.stop()
        if not block:
            future: ReplyFuture[bool] = ReplyFuture(members)
            members.ended.add_done_callback(lambda _: future.set(was_alive))
            return future
        try:
            members.ended.get(timeout=timeout)
        except PykkaAskTimeout:
            raise PykkaAskTimeout(f"{self} has not ended within {timeout} s; it still will") from None
        return was_alive

    def abort(self, reason: str = "") -> None:
        """Cancel all members now; what was not handled is a dead letter, and askers are told at once.

        Args:
            reason: Askers and dead letters are told.
        """
        self._refuse_after_fork()
        self._members.abort(reason)


@overload
def start_router(
    actor_class: type[ActorT],
    count: int,
    /,
    *args: Any,
    routing: Literal["round_robin", "smallest_mailbox", "random"] | ByKey = "round_robin",
    supervised: bool = True,
    **kwargs: Any,
) -> RouterRef[ActorT]: ...
@overload
def start_router(
    actor_class: type[ActorT],
    count: int,
    /,
    *args: Any,
    routing: Literal["broadcast"],
    supervised: bool = True,
    **kwargs: Any,
) -> RouterRef[ActorT, Literal["all"]]: ...
@overload
def start_router(
    actor_class: type[ActorT],
    count: int,
    /,
    *args: Any,
    routing: Routing | ByKey,
    supervised: bool = True,
    **kwargs: Any,
) -> RouterRef[ActorT, Any]: ...
def start_router(
    actor_class: type[ActorT],
    count: int,
    /,
    *args: Any,
    routing: Routing | ByKey = "round_robin",
    supervised: bool = True,
    **kwargs: Any,
) -> RouterRef[ActorT, Any]:
    """Start *count* actors of a class that have one address.

    Args:
        actor_class: A subclass of :class:`Actor`, made with *args* and *kwargs*, also when it is replaced.
        count: How many.
        routing: ``"round_robin"``, ``"smallest_mailbox"`` (the one that has the least to do), ``"random"``,
            ``"broadcast"`` (all), or ``by_key(fn)``.
        supervised: Is a member that crashes made anew, as by :func:`supervise`? It keeps its mailbox then.
    Returns:
        The reference. It has no parent, also when it is called in a handler: stop it.
    Raises:
        ValueError: A count below 1, or no such routing.
        TypeError: What is no actor's class.
        Exception: What an ``__init__`` raises; those that were started are stopped.
        ActorDead: Members ended, or could not start, again and again, before all were made.
        RuntimeError: No thread can be started.
    Example:
        ```python
        from actors import Actor
        from actors.actors import start_router

        class Resizer(Actor):
            def on_receive(self, picture: str) -> str:
                return f"small {picture}"

        router = start_router(Resizer, 4, routing="smallest_mailbox")
        print(router.ask("cat.png"))
        router.stop()
        ```

        ```text
        small cat.png
        ```

    Source: Akka's routers, Erlang's ``pg`` and ``poolboy``.
    """
    if not (isinstance(actor_class, type) and issubclass(actor_class, Actor)):
        raise TypeError(f"start_router takes a subclass of actors.Actor, got {actor_class!r}")
    _check_count(count, "start_router")
    if not isinstance(routing, ByKey) and not isinstance(routing, str):
        raise TypeError(f"routing must be one of {', '.join(NAMES)}, or by_key(fn); got {routing!r}")
    if isinstance(routing, str) and routing not in NAMES:
        raise ValueError(f"routing must be one of {', '.join(NAMES)}, or by_key(fn); got {routing!r}")
    if not isinstance(supervised, bool):
        raise TypeError(f"supervised must be a bool, got {supervised!r}")
    members = Members(
        lambda box: made_over(actor_class, args, kwargs, mailbox=box, restart=SUPERVISED if supervised else None),
        f"router of {actor_class.__name__}",
        actor_class.inbox_capacity,
        goes_by_keys=isinstance(routing, ByKey),
    )
    way = _way(members, routing)
    members.resize(count)
    return RouterRef(members, way, actor_class)


def _way(members: Members, routing: Routing | ByKey) -> Way | ToAll:
    if isinstance(routing, ByKey):
        return ToOne(members.table, routing.fn)
    if routing == "broadcast":
        return ToAll(members.table)
    way = ToAny(members.table, chooser(routing))
    members.spread = way.spread
    return way


def _check_count(count: object, where: str) -> None:
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"{where} takes a whole number of members, got {count!r}")
    if count < 1:
        raise ValueError(f"{where} takes at least 1 member, got {count}")
