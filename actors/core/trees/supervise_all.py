"""Starts a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ActorDead
from ..actors.children import OVERDUE
from ..process.at_exit import at_exit
from ..waiting.waiter import Waiter
from .child_spec import ChildSpec, Strategy, StrategyWord, starts_a_tree
from .plan import planned
from .tree_supervisor import SupervisorRef, TreeSupervisor

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 10.0
"""Seconds for which an interrupted start waits for the end of what was started."""


@starts_a_tree
def supervise_all(
    children: Iterable[ChildSpec],
    strategy: StrategyWord = Strategy.ONE_FOR_ONE,
    *,
    max_restarts: int = 3,
    window: float = 5.0,
) -> SupervisorRef:
    """Start a tree: actors that are started in order, restarted by a strategy, and ended in reverse order.

    ``"one_for_one"`` restarts the child that has ended, ``"one_for_all"`` all of them, ``"rest_for_one"`` that one and
    those that were started after it. A crashed child is made anew from its spec, at once: same reference, same mailbox,
    but what crashed it is not tried again. So are those that are restarted with another one, once they have handled
    what they are at and ``on_stop`` was called. One that was stopped or aborted, or did not come down in time, has
    ended for good: there is a new actor, and a new reference in ``children``.

    When more restarts are needed than allowed, the tree ends its children and crashes with ``restarts_used_up``: its
    own supervisor, if it is a child of a tree (``ChildSpec.tree``), sees to that; else it has ended.

    Args:
        children: What to start. A child may be a tree.
        strategy: Who is restarted when one has to be.
        max_restarts: Within any *window*; 0 restarts nobody.
        window: Seconds.
    Returns:
        The reference of the tree, once every ``on_start`` has returned.
    Raises:
        ValueError, TypeError: The tree is not as it has to be; nothing was started.
        Exception: What an ``__init__`` or an ``on_start`` raised; what was started before has been stopped.
    Example:
        ```python
        from actors import Actor
        from actors.actors import ChildSpec, supervise_all

        class Worker(Actor):
            def __init__(self, size: int) -> None:
                super().__init__()
                self.size = size

            def on_receive(self, question: str) -> int:
                return self.size

        tree = supervise_all([ChildSpec(Worker, (8,), name="first"), ChildSpec(Worker, (3,))], "rest_for_one")
        print(tree.children["first"].ask("how many?"))
        tree.stop()
        ```

        ```text
        8
        ```

    Source: Erlang's ``supervisor``.
    """
    plan = planned(children, strategy, max_restarts=max_restarts, window=window)
    ref: SupervisorRef | None = None
    try:
        with at_exit().signals_held_off:  # who is interrupted must know what it has started
            tree = TreeSupervisor(plan)
            cell, started = tree._cell, tree.started  # noqa: SLF001 - it is started here
            cell.gone.add_done_callback(lambda _: started.fail(ActorDead("the tree ended before it had started")))
            cell.start()
            ref = tree.actor_ref  # type: ignore[assignment]  # a tree's own
        started.get()
    except BaseException:
        if ref is not None:
            ends_itself = started.done() and started.ended_with()[1] is not None
            _put_away(ref, is_interrupted=not ends_itself)
        raise
    assert ref is not None
    return ref


def _put_away(ref: SupervisorRef, *, is_interrupted: bool) -> None:
    """Wait until nothing of the tree is left."""
    if is_interrupted:
        ref.abort(OVERDUE)
    waiter = Waiter()  # a plain wait, also in an actor that was cancelled
    ref._cell.ended.add_done_callback(lambda _: waiter.wake())  # noqa: SLF001 - as above
    waiter.wait(PATIENCE if is_interrupted else None, looks_up=True)
