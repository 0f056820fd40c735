"""Long-lived actors."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .core.actors.actor import Actor
    from .core.actors.actor_cell import ActorEnd
    from .core.actors.actor_look import dump
    from .core.actors.deferred import DeferredReply
    from .core.actors.envelope import PykkaActorDead
    from .core.actors.pipe import Piped
    from .core.actors.reference import ActorRef
    from .core.actors.reply import PykkaAskTimeout, ReplyFuture
    from .core.actors.supervise import supervise
    from .core.actors.timer import Timer
    from .core.addressing.registry import Registry
    from .core.addressing.router_ref import RouterRef, start_router
    from .core.addressing.routing import by_key
    from .core.addressing.topic import Topic
    from .core.dispatching.dispatcher import Dispatcher, DispatcherStats
    from .core.trees.child_spec import ChildRestart, ChildSpec, RestartWord, Strategy
    from .core.trees.supervise_all import supervise_all
    from .core.trees.tree_supervisor import SupervisorRef
    from .core.waiting.crowd import blocking

__all__ = [
    "Actor",
    "ActorEnd",
    "ActorRef",
    "ChildRestart",
    "ChildSpec",
    "DeferredReply",
    "Dispatcher",
    "DispatcherStats",
    "Piped",
    "Registry",
    "ReplyFuture",
    "RouterRef",
    "Strategy",
    "SupervisorRef",
    "Timer",
    "Topic",
    "blocking",
    "by_key",
    "dump",
    "start_router",
    "supervise",
    "supervise_all",
]

shelve(
    __name__,
    {
        "collections.abc": "Callable Mapping",
        "typing": "Any",
        ".core.actors.actor": "Actor",
        ".core.actors.actor_cell": "ActorEnd",
        ".core.actors.actor_look": "dump",
        ".core.actors.deferred": "DeferredReply",
        ".core.actors.envelope": "PykkaActorDead",
        ".core.actors.pipe": "Piped",
        ".core.actors.reference": "ActorRef",
        ".core.actors.reply": "PykkaAskTimeout ReplyFuture",
        ".core.actors.supervise": "supervise",
        ".core.actors.timer": "Timer",
        ".core.addressing.registry": "Registry",
        ".core.addressing.router_ref": "RouterRef start_router",
        ".core.addressing.routing": "by_key",
        ".core.addressing.topic": "Topic",
        ".core.dispatching.dispatcher": "Dispatcher DispatcherStats",
        ".core.trees.child_spec": "ChildRestart ChildSpec RestartWord Strategy",
        ".core.trees.supervise_all": "supervise_all",
        ".core.trees.tree_supervisor": "SupervisorRef",
        ".core.waiting.crowd": "blocking",
    },
)
