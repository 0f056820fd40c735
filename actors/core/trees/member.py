"""One child of a tree, over all its lives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..actors.actor import made_below, remaker
from ..actors.actor_cell import ActorEnd
from ..actors.children import cell_of
from ..actors.envelope import Order
from .child_spec import ChildRestart
from .tie import Stint, Tie

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...errors import AgentCrashed
    from ..actors.actor import Actor
    from ..actors.actor_cell import ActorCell
    from ..actors.actor_life import ActorLife
    from ..actors.children import Children
    from ..actors.reference import ActorRef
    from ..waiting.wait_graph import WaitNode


class Member:
    """A child of a tree: its plan, and the actor that it is now.

    Args:
        cls: What it is made of, with *args* and *kwargs*.
        is_down: Called with it, and its stint, when it has crashed; False when the tree ends.

    Threads: where the messages of the tree are handled.

    Locks: none. ``ref`` and ``error`` are written where the tree handles its messages.
    """

    def __init__(
        self,
        name: str,
        restart: ChildRestart,
        cls: type[Actor],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        is_down: Callable[[Member, Stint], bool],
    ) -> None:
        self.name = name
        self.restart = restart
        self._cls, self._args, self._kwargs = cls, args, dict(kwargs)
        self._is_down = is_down
        self.ref: ActorRef[Any] | None = None
        """None before the first start, and when the one that it was was left behind."""
        self.tie: Tie | None = None
        self.error: AgentCrashed | None = None
        """What crashed it last."""

    @property
    def is_temporary(self) -> bool:
        """Is it never started again?"""
        return self.restart is ChildRestart.TEMPORARY

    def wants_restart(self, end: ActorEnd) -> bool:
        """Has it to be started again after such an end?"""
        if self.restart is ChildRestart.TRANSIENT:
            return end is not ActorEnd.STOPPED
        return self.restart is ChildRestart.PERMANENT

    def begin(self, children: Children, parent: ActorCell, tree: WaitNode) -> Stint:
        """Start a new actor, with a reference of its own.

        Raises:
            Exception: What its ``__init__`` raises.
            RuntimeError: No thread can be started.
        """
        actor = made_below(parent, self.name, self._cls, self._args, self._kwargs)
        ref = actor.actor_ref
        cell: ActorLife = actor._cell  # noqa: SLF001 - the tree sees to its life
        tie = Tie(remaker(actor, self._args, self._kwargs), cell, tree, partial(self._is_down, self))
        cell.supervision = tie
        cell.gone.add_done_callback(tie.has_ended)
        cell.mailbox.put_system(Order(tie.report_up))  # after what its on_start will have ordered
        self.ref, self.tie = ref, tie
        children.start(ref)
        return tie.stint

    def again(self, children: Children, parent: ActorCell, tree: WaitNode) -> Stint:
        """Start it again: the same actor that is down, or a new one if that has ended.

        Raises:
            Exception: As :meth:`begin`.
        """
        tie = self.tie
        if self.ref is None or tie is None or not self.ref.is_alive():
            return self.begin(children, parent, tree)
        before, tie.stint = tie.stint, Stint()
        before.decide(True)
        if not self.ref.is_alive():
            tie.has_ended()  # it may have ended before it could see the new stint
        return tie.stint

    def let_end(self) -> None:
        """It is not started again."""
        if self.tie is not None:
            self.tie.stint.decide(False)

    def cell(self) -> ActorCell | None:
        """What is kept of the actor that it is now; None when there is none, or it has ended."""
        return cell_of(self.ref) if self.ref is not None and self.ref.is_alive() else None

    def refuse_asks(self, circle: tuple[str, ...]) -> None:
        """When it is down, and part of that circle of waiting: tell those who have asked it at once."""
        cell = self.cell()
        if cell is not None and cell.label in circle and self.tie is not None and self.tie.stint.down.done():
            for envelope in cell.mailbox.waiting():
                envelope.refuse(f"{cell.label} is being restarted, and whoever waits for it holds that up")
