"""The actor at the root of a tree: it starts its children in order, and restarts them by a strategy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from loguru import logger

from ...errors import DeadlockError, RestartsUsedUp
from ..actors.actor import Actor
from ..actors.actor_cell import ActorEnd
from ..actors.children import STOP_TIMEOUT, Children, children_of, is_ending
from ..actors.course import Course, Pause
from ..actors.envelope import Order, Question
from ..actors.reference import ActorRef
from ..actors.reply import ReplyFuture
from ..actors.restarts import Restarts
from ..clock import SYSTEM_CLOCK
from ..crash import crashed
from ..records.spec import Backoff, RestartPolicy
from ..waiting.wait_graph import WaitNode
from ..waiting.waiter import Waiter
from .child_spec import Strategy
from .member import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..actors.actor_cell import ActorCell
    from ..messaging.mailbox import Mailbox
    from .plan import Plan, PlannedChild
    from .tie import Stint


DIRECT = 4
"""How long a circle is that goes from the tree to a child and back: a child that has just come down by itself."""


class NextStart(WaitNode):
    """What those that are down wait for: in the search for circles."""

    __slots__ = ("_tree",)

    def __init__(self, tree: ActorCell) -> None:
        self._tree = tree

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"the next start by {self._tree.label}"

    def targets(self) -> Sequence[WaitNode]:
        """The tree; nobody when it ends, for then they need not wait."""
        return () if is_ending(self._tree) else (self._tree,)


class SupervisorRef(ActorRef[Any]):
    """The reference of a tree: ``stop()`` and ``abort()`` end its children in reverse order, then itself."""

    @property
    def children(self) -> Mapping[str, ActorRef[Any]]:
        """The living children by their names, in the order of the tree: as they are now, to be read only."""
        return children_of(self._cell)


class TreeSupervisor(Actor):
    """Sees to the children of a tree.

    Guarantees: children are started in order, each after ``on_start`` of the one before has returned, and ended in
    reverse order; at most ``max_restarts`` restarts within any ``window`` seconds.

    Threads: where its messages are handled. No wait holds a worker: what takes time is a course.

    Source: Erlang's ``supervisor``.
    """

    dispatcher = "shared"
    inbox_capacity = None
    stop_timeout: ClassVar[float | None] = None  # as in OTP: nobody hurries one whose children have times of their own

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._next_start = NextStart(self._cell)
        policy = RestartPolicy(plan.max_restarts, plan.window, Backoff(base=0.0))
        self._restarts = Restarts(policy, SYSTEM_CLOCK)
        self._members = [self._member(one) for one in plan.children]
        self.started: ReplyFuture[None] = ReplyFuture(self._cell)
        """Settled when all children have started; fails when one cannot."""

    def _make_cell(self, mailbox: Mailbox | None = None) -> None:
        super()._make_cell(mailbox)
        self._actor_ref = SupervisorRef(self, self._cell)

    def _member(self, one: PlannedChild) -> Member:
        if one.cls is not None:
            return Member(one.name, one.restart, one.cls, one.args, one.kwargs, self._is_down)
        return Member(one.name, one.restart, TreeSupervisor, (one.tree,), {}, self._is_down)

    # Hooks ------------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Start the children next, before anything else."""
        self._order(self._start_all)

    def time_of_a_child(self) -> float | None:
        """As that of any actor."""
        return STOP_TIMEOUT

    def on_failure(self, _: Any, value: Any, __: Any) -> None:
        """What the error says of a child comes from that child's error."""
        error = self._cell.error
        if error is not None and value is not None:
            error.__cause__ = value.__cause__

    def on_child_ended(self, ref: ActorRef[Any], reason: ActorEnd) -> None:
        """Decide next."""
        member = next((one for one in self._members if one.ref is ref), None)
        if member is not None:
            self._order(partial(self._see_to_the_end, member, ref, reason))

    def handle(self, message: Any) -> Any:
        """It handles what it orders itself, and a stop."""
        if isinstance(self._cell.current, Question):
            return super().handle(message)
        try:
            return super().handle(message)
        except NotImplementedError as error:
            logger.warning("{}", error)
            return None

    def on_receive(self, message: Any) -> Any:
        """Refuse it."""
        raise NotImplementedError(
            f"{self._cell.label} supervises a tree and handles no messages ({type(message).__name__}): send it to "
            "one of its children"
        )

    # What it does between messages --------------------------------------------------------------------------------

    def _order(self, work: Callable[[], Course | None]) -> bool:
        """Do *work* next; False when it ends."""
        return self._cell.mailbox.put_system(Order(work))

    def _is_over(self) -> bool:
        """Does it end, or was it made anew? (What an earlier one has ordered comes to nothing.)"""
        cell = self._cell
        return cell.is_aborted or not cell.mailbox.is_open or cell.actor is not self

    @property
    def _own(self) -> Children:
        return self._cell.part(Children)

    def _start_all(self) -> Course:
        for member in self._members:
            if self._is_over():
                return True
            try:
                stint = member.begin(self._own, self._cell, self._next_start)
                yield from self._await_up(member, stint)
                if self._is_over():
                    return True
                stint.up.get(timeout=0)
            except BaseException as error:
                self.started.fail(error)
                raise
        self.started.set(None)
        return True

    def _await_up(self, member: Member, stint: Stint) -> Course:
        cell, gate = member.cell(), Waiter()
        if cell is None:
            return True
        try:
            self._cell.watch(cell, gate)
        except DeadlockError as error:  # its on_start waits for somebody who waits for this tree
            if stint.up.fail(error):  # else it was up before, and may be down again
                cell.abort(str(error))
            return True
        yield Pause(until=stint.up, ends_at_stop=True)
        self._cell.unwatch(cell, gate)
        return True

    # Ends of children ---------------------------------------------------------------------------------------------

    def _is_down(self, member: Member, stint: Stint) -> bool:
        """A child has crashed (on its thread); False when nobody decides any more."""
        return self._order(partial(self._see_to_the_crash, member, stint))

    def _see_to_the_crash(self, member: Member, stint: Stint) -> Course | None:
        is_late = member.tie is None or member.tie.stint is not stint or stint.go.done()
        return None if self._is_over() or is_late else self._lose(member, ActorEnd.CRASHED)

    def _see_to_the_end(self, member: Member, ref: ActorRef[Any], reason: ActorEnd) -> Course | None:
        return None if self._is_over() or member.ref is not ref else self._lose(member, reason)

    def _lose(self, member: Member, end: ActorEnd) -> Course | None:
        assert member.ref is not None
        member.error = member.ref.error if end is ActorEnd.CRASHED else None
        if member.wants_restart(end):
            if self._plan.strategy is not Strategy.ONE_FOR_ONE:
                return self._restart_group(member, end)
            self._restart(member, end)
            return None
        member.let_end()
        if member.is_temporary and member in self._members:
            self._members.remove(member)
        return None

    def _restart(self, member: Member, end: ActorEnd) -> None:
        """That one alone. It starts by itself, and holds up nobody: if that fails, it is told of as of a crash."""
        while True:
            self._count(member, end)
            try:
                self._begin_again(member)
            except BaseException as error:  # noqa: BLE001 - that, too, is a child that has crashed
                member.error, end = crashed(error), ActorEnd.CRASHED
            else:
                return

    def _begin_again(self, member: Member) -> Stint:
        before = member.ref
        stint = member.again(self._own, self._cell, self._next_start)
        if member.ref is not before:
            self._own.arrange([one.name for one in self._members])
        return stint

    def _count(self, member: Member, end: ActorEnd) -> None:
        """Take a restart.

        Raises:
            RestartsUsedUp: None is left in the window.
        """
        if self._restarts.take() is None:
            how = f"crashed ({member.error})" if member.error is not None else f"ended ({end})"
            plan = self._plan
            raise RestartsUsedUp(
                f"restarts_used_up: child {member.name!r} {how}, and all {plan.max_restarts} restarts within "
                f"{plan.window} s are used",
                member.name,
            ) from member.error

    # One for all, and rest for one ----------------------------------------------------------------------------------

    def _restart_group(self, lost: Member, end: ActorEnd) -> Course:
        """End who has to be started again with *lost*, in reverse order; then start all of them, in order."""
        failed: Member | None = lost
        while failed is not None:
            self._count(failed, end)
            group = self._group(failed)
            for member in reversed(group):
                yield from self._put_down(member)
                if self._is_over():
                    return True
            failed, end = None, ActorEnd.CRASHED
            for member in (one for one in group if one in self._members):
                if not (yield from self._bring_up(member)):
                    failed = member
                    break
                if self._is_over():
                    return True
        return True

    def _group(self, lost: Member) -> list[Member]:
        if self._plan.strategy is Strategy.ONE_FOR_ALL:
            return list(self._members)
        return self._members[self._members.index(lost) :]

    def _bring_up(self, member: Member) -> Course:
        """Start it again and wait for that; False when it could not start."""
        try:
            stint = self._begin_again(member)
        except BaseException as error:  # noqa: BLE001 - as above
            member.error = crashed(error)
            return False
        yield from self._await_up(member, stint)
        if self._is_over():
            return True
        try:
            stint.up.get(timeout=0)
        except BaseException as error:  # noqa: BLE001 - as above
            member.error = crashed(error)
            return False
        return True

    def _put_down(self, member: Member) -> Course:
        """Let it be down: as it is, for its next stint; or ended, where that cannot be."""
        cell, tie, ref = member.cell(), member.tie, member.ref
        if cell is None or tie is None or ref is None:
            return True
        stint = tie.stint
        if member.is_temporary:
            self._members.remove(member)
            yield from self._own.end_one(ref)
        elif cell.is_aborted or not cell.mailbox.is_open:
            yield from self._own.end_one(ref)
        elif stint.down.done():
            return True
        elif cell.mailbox.put_system(tie.order_to_lie_down()):
            yield from self._await_down(ref, cell, stint)
            if self._is_over() or (stint.down.done() and not cell.is_aborted):
                return True
            yield from self._own.abort_one(ref)
        else:
            yield from self._own.end_one(ref)
        self._own.forget(ref)
        member.ref = None
        return True

    def _await_down(self, ref: ActorRef[Any], cell: ActorCell, stint: Stint) -> Course:
        gate = Waiter()
        try:
            self._cell.watch(cell, gate)
        except DeadlockError as error:
            if len(error.path) > DIRECT:  # it waits for one that is down, and does not answer before it is down itself
                for member in self._members:
                    member.refuse_asks(error.path)
            self._cell.note_wait(cell, gate)
        yield Pause(self._own.patience(ref), until=stint.down, ends_at_stop=True)
        self._cell.unwatch(cell, gate)
        return True
