"""Long-lived actors."""

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
from .public import publish

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

PykkaActorDead.__module__ = PykkaAskTimeout.__module__ = __name__  # unlisted: what users catch is ActorDead, AskTimeout

publish(__name__, globals())
