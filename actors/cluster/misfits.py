"""What cannot go to another machine, and why: by its class."""

from __future__ import annotations

import pickle
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Misfit(pickle.PicklingError):
    """Something cannot go; ``why`` says what forbids it, and what to do instead."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


IN_PROGRAM = "it belongs to the program"
LOCK = "{} works in one process only: make it in the agent itself, or at the top of a module that the nodes import"


@cache
def misfits() -> Mapping[type[Any], str]:
    """Why objects of these classes, and of those made of them, stay here. ``{}`` is the name of the class."""
    return {**of_programs(), **_of_processes(), **_of_works()}


@cache
def of_programs() -> Mapping[type[Any], str]:
    """Those of them that mean nothing but where they were made."""
    from ..agent.agent import Agent
    from ..core.actors.agent_actor import AgentActor, AgentRef
    from ..core.messaging.mailbox import Mailbox
    from ..core.messaging.router import Inbox, MessageRouter
    from ..core.scheduling.agent_cell import AgentCell
    from ..core.supervision.handle import AgentHandle
    from ..core.supervision.pool_state import PoolState
    from ..core.supervision.supervisor import Supervisor
    from ..core.waiting.cancel import CancelToken
    from ..pool import AgentPool

    pool = f"a pool: {IN_PROGRAM}; an agent starts others by self.spawn(...)"
    inbox = f"{{}}: {IN_PROGRAM}; give the id of an agent, and reach it by self.send(...)"
    reference, actor = AgentRef.__mro__[1], AgentActor.__mro__[2]  # Pykka's own, which has one room of the house
    return {
        AgentPool: pool,
        PoolState: pool,
        Supervisor: pool,
        AgentHandle: f"a handle: {IN_PROGRAM}; give its id, or its result once it is there",
        AgentCell: f"a handle: {IN_PROGRAM}; give its id",
        Mailbox: inbox,
        Inbox: inbox,
        MessageRouter: inbox,
        reference: "an actor reference: actors live in the process that started them, and no call reaches them "
        "from elsewhere",
        actor: "an actor: it lives in the process that started it",
        CancelToken: "a cancel token: a cancel reaches an agent by itself; it finds its own as self.cancel_token",
        Agent: "an agent that lives: give its id, or what it knows",
    }


def _of_processes() -> dict[type[Any], str]:
    import io
    import queue
    import threading

    kinds = [
        type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Event, threading.Semaphore,
        threading.Barrier, queue.Queue, queue.SimpleQueue,
    ]  # fmt: skip
    return {
        **dict.fromkeys(kinds, LOCK),
        threading.Thread: "a thread: it runs in one process; an agent has a thread of its own",
        threading.local: LOCK,
        **dict.fromkeys(
            (io.FileIO, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair, io.TextIOWrapper),
            "an open file: open it where it is used, in the agent itself, on a path that the nodes have",
        ),
    }


def _of_works() -> dict[type[Any], str]:
    from ..drivers.scripted import ScriptedDriver
    from ..memory.in_memory import InMemorySubstrate

    return {
        ScriptedDriver: "a ScriptedDriver is one script for all who ask it, in the order in which they ask: name a "
        "factory that makes one on each node (driver='package.module:factory')",
        InMemorySubstrate: "an InMemorySubstrate lives in one process: use a memory whose class can be pickled",
    }


def refuse_misfit(obj: object) -> None:
    """Raise when *obj* is of a class that stays here.

    Raises:
        Misfit: It says why.
    """
    table = misfits()
    if obj is sys.stdout or obj is sys.stderr:  # each process has its own, under that name
        return
    for kind in type(obj).__mro__:
        if kind in table:
            raise Misfit(table[kind].format(_called(type(obj))))


def stays(obj: object) -> bool:
    """Is *obj* of a class that stays here?"""
    return not misfits().keys().isdisjoint(type(obj).__mro__)


def _called(kind: type[Any]) -> str:
    return "a lock" if kind.__module__ == "_thread" else kind.__qualname__


def has_recipe(kind: type[Any]) -> bool:
    """Does *kind*, or a class that it is made of, say how its objects are pickled?"""
    return any(
        name in vars(each)
        for each in kind.__mro__
        if each.__module__ != "builtins"
        for name in ("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")
    )
