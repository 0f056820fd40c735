"""What ties a child to its tree: how it comes down and up again, as the tree decides."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import ActorDead
from ..actors.course import Course, Pause
from ..actors.envelope import Order
from ..actors.handler import Supervision
from ..actors.reply import ReplyFuture
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..actors.actor_life import ActorLife
    from ..actors.handler import Handler
    from ..waiting.wait_graph import WaitNode


class Stint:
    """A child from one start to the next.

    Locks: none. ``up`` is settled when ``on_start`` has returned, or fails when it cannot start; ``down`` when it
    handles nothing any more; ``go`` when the tree has decided whether it is made anew.
    """

    __slots__ = ("down", "gate", "go", "up")

    def __init__(self) -> None:
        self.up: ReplyFuture[None] = ReplyFuture()
        self.down: ReplyFuture[None] = ReplyFuture()
        self.go: ReplyFuture[bool] = ReplyFuture()
        self.gate = Waiter()
        """For the search for circles: until it is decided, who asks the child waits for the tree."""

    def is_up(self) -> None:
        """It has started."""
        self.up.set(None)

    def decide(self, goes_on: bool) -> None:
        """It is made anew, or it ends."""
        self.gate.wake()
        self.go.set(goes_on)


class Tie(Supervision):
    """How a child of a tree goes on after a crash: it is down until the tree says that it is made anew, or ends.

    Args:
        make: Makes another one in place of the one that was.
        cell: The child.
        tree: Who decides.
        tell: Tells the tree that it has crashed; False when the tree ends.

    Threads: where the child's messages are handled, but for ``stint``, ``lie_down`` and ``has_ended``.

    Locks: none. ``stint`` is written by the tree alone: before the child starts, and before it is let go on.
    """

    __slots__ = ("_cell", "_tell", "_total", "_tree", "stint")

    def __init__(
        self, make: Callable[[], Handler], cell: ActorLife, tree: WaitNode, tell: Callable[[Stint], bool]
    ) -> None:
        super().__init__(make, None, 0)
        self._cell = cell
        self._tree = tree
        self._tell = tell
        self._total = 0
        self.stint = Stint()

    def recover(self, failures: list[Any]) -> Course:
        """It crashed: down, and up again if the tree wants it. What crashed it is not tried again."""
        return self._go_on(failures, there_is_one=True)

    def order_to_lie_down(self) -> Order:
        """For the child's mailbox: be made anew, because another one is."""
        return Order(partial(self._lie_down, self.stint))

    def has_ended(self, _: object = None) -> None:
        """The child has ended for good: nobody waits for it."""
        self.stint.up.fail(ActorDead(f"{self._cell.label} ended before it had started"))
        self.stint.down.set(None)

    def _lie_down(self, stint: Stint) -> Course | None:
        is_late = self.stint is not stint or stint.down.done()  # it has crashed meanwhile
        return None if is_late else self._retire()

    def _retire(self) -> Course:
        cell, stint = self._cell, self.stint
        yield from cell.shed()
        if cell.is_aborted:
            return True
        yield from cell.retire()
        if not (yield from self._await_go(stint)):
            cell.end_unread()
            return True
        failures, there_is_one = yield from self._renewed()
        return (yield from self._go_on(failures, there_is_one=there_is_one))

    def _go_on(self, failures: list[Any], *, there_is_one: bool) -> Course:
        """Through all *failures*; ``there_is_one``: that was raised by an actor, and not by making it."""
        cell = self._cell
        while failures:
            stint = self.stint
            failure = failures.pop()
            stint.up.fail(failure[1])
            if there_is_one:
                cell.mourn(failure)
                failure = None  # its frames keep the crashed actor alive
                yield from cell.shed()
            failure = None
            if not (yield from self._await_go(stint, tells=True)):
                return False
            failures, there_is_one = yield from self._renewed()
        return True

    def _await_go(self, stint: Stint, *, tells: bool = False) -> Course:
        """It is down: wait until the tree has decided; a stop or an abort ends that.

        Args:
            tells: The tree does not know yet.
        """
        cell = self._cell
        cell.note_wait(self._tree, stint.gate)  # before anybody knows that it is down
        stint.down.set(None)
        if not tells or self._tell(stint):
            yield Pause(until=stint.go, ends_at_stop=True)
        cell.unwatch(self._tree, stint.gate)
        return stint.go.done() and stint.go.get(timeout=0) and not cell.is_aborted

    @property
    def total(self) -> int:
        """How often it was made anew."""
        return self._total

    def _renewed(self) -> Generator[Pause, None, tuple[list[Any], bool]]:
        """Another one is made and started: what failed, and whether there is one."""
        self._total += 1
        failure, there_is_one = yield from self._cell.renew(self.make)
        if failure is not None:
            return [failure], there_is_one
        self.report_up()
        return [], True

    def report_up(self) -> None:
        """The stint is up with the first thing that the child does after ``on_start``, and after what that ordered."""
        stint = self.stint
        if not self._cell.mailbox.put_system(Order(stint.is_up)):
            stint.up.set(None)  # it was told to stop meanwhile
