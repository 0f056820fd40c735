"""Actors that are started again, that belong somewhere, that take over from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .actor import SUPERVISED, ActorT, let_restart, made, refuse_other

if TYPE_CHECKING:
    from ..messaging.mailbox import Mailbox
    from ..records.spec import RestartPolicy
    from .actor_life import ActorLife
    from .home import Home
    from .reference import ActorRef


def supervise(
    actor_class: type[ActorT], /, *args: Any, restart: RestartPolicy = SUPERVISED, **kwargs: Any
) -> ActorRef[ActorT]:
    """Start an actor that is started again when it crashes.

    Crashed by a message that was told, or by ``on_start``, it is made anew from *args* and *kwargs*, on its own thread,
    after the policy's backoff: same reference, same mailbox, unread messages kept; ``on_failure`` of the old one was
    called. The message that crashed it is tried again, first. One that crashed it more than ``max_restarts`` times
    becomes a dead letter (``poison``; ``restarts_used_up`` when others have used the restarts of the window), and the
    actor lives on as it is, without ``on_failure``. When it cannot even start and no restart is left, it ends. An ask
    that fails tells its asker and is no crash. A stop ends a backoff early, so that what was accepted before is
    handled now.

    Args:
        actor_class: A subclass of :class:`Actor`.
        restart: How often, and after what waits.
    Returns:
        A reference that stays valid over restarts.
    Raises:
        Exception: What the first ``__init__`` raises.
        RuntimeError: No thread can be started.
    Source: Erlang's supervisors, Akka's restart.
    """
    refuse_other("supervise", actor_class, restart)
    first = made(actor_class, args, kwargs)
    let_restart(first, args, kwargs, restart)
    first._cell.start()  # noqa: SLF001 - as above
    return first.actor_ref


def start_in(
    home: Home, actor_class: type[ActorT], args: tuple[Any, ...], kwargs: dict[str, Any], restart: RestartPolicy | None
) -> ActorRef[ActorT]:
    """Start an actor that belongs to *home*, which its ``__init__`` can use already.

    Raises:
        PoolClosed: *home* takes no actors any more; nothing is left behind.
        Exception: What the first ``__init__`` raises.
        RuntimeError: No thread can be started.
    """
    refuse_other("start_actor", actor_class, SUPERVISED if restart is None else restart)
    home.refuse_when_closed()  # before anything of the user's runs
    actor: ActorT = actor_class.__new__(actor_class, *args, **kwargs)
    actor._make_cell()  # noqa: SLF001 - as above
    cell: ActorLife = actor._cell  # noqa: SLF001 - as above
    cell.move_into(home)
    actor.__init__(*args, **kwargs)  # type: ignore[misc]  # the second half of a construction
    if restart is not None:
        let_restart(actor, args, kwargs, restart)
    try:
        home.adopt(cell)
        cell.start()
    except BaseException:
        cell.abort("its start was interrupted")
        home.forget(cell)
        raise
    return actor.actor_ref


def made_over(
    actor_class: type[ActorT],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    mailbox: Mailbox,
    restart: RestartPolicy | None,
) -> ActorRef[ActorT]:
    """An actor that is to be started, and reads a *mailbox* that was there before; supervised, if *restart* is given.

    Raises:
        Exception: What its ``__init__`` raises.
    """
    actor: ActorT = actor_class.__new__(actor_class, *args, **kwargs)
    actor._make_cell(mailbox)  # noqa: SLF001 - of this very class
    actor.__init__(*args, **kwargs)  # type: ignore[misc]  # the second half of a construction
    if restart is not None:
        let_restart(actor, args, kwargs, restart)
    return actor.actor_ref
