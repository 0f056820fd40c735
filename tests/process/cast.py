"""Whom the programs of these tests employ: agents that are at a known place when a program's main thread goes on."""

from __future__ import annotations

import os
import queue
import threading
from typing import Any

from actors import (
    Actor,
    Agent,
    AgentManifest,
    AgentPool,
    AgentRestarted,
    Backoff,
    CancelToken,
    Event,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    tool,
)

M = AgentManifest(name="agent")
BOUND = 10.0
reached: queue.SimpleQueue[str] = queue.SimpleQueue()
never = threading.Event()


def say(*words: object) -> None:
    """Print one line in one write: so lines of several threads are never mixed."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def config(agent: type[Agent[Any]], query: str = "", **fields: Any) -> SpawnConfig:
    """How *agent* is spawned."""
    return SpawnConfig(manifest=M, query=query, agent=agent, **fields)


class Receiving(Agent[Any]):
    """Parks until a message comes, and returns what it says."""

    def run(self, query: str) -> Any:
        reached.put("receive")
        return self.receive().content


class Looping(Agent[None]):
    """Works, and looks whether it is cancelled."""

    def run(self, query: str) -> None:
        reached.put("loop")
        while True:
            self.checkpoint()


class Deaf(Agent[None]):
    """Never looks; says when it should have."""

    def run(self, query: str) -> None:
        self.cancel_token.on_cancel(lambda: say("deaf to its cancel"))
        reached.put("deaf")
        never.wait()


class Parent(Agent[None]):
    """Parked on a child."""

    def run(self, query: str) -> None:
        child = self.spawn(config(Receiving))
        child.add_done_callback(lambda handle: say("its child", handle.status))
        child.outcome()


class Asking(Agent[None]):
    """Waits for the answer of an actor that gives none."""

    def run(self, query: str) -> None:
        Silent.start().ask("ask")


class Failing(Agent[None]):
    """Crashes, and waits for its restart."""

    def run(self, query: str) -> None:
        raise ValueError("a crash")


class Echo(Actor):
    """Answers with what it was told."""

    def on_receive(self, message: Any) -> Any:
        return message


class Silent(Actor):
    """Handles its message, the name of the place that is reached so, until it is aborted."""

    def on_receive(self, message: Any) -> Any:
        reached.put(message)
        self.cancel_token.wait(None)
        self.cancel_token.check()


@tool(timeout=None)
def listening_tool(cancel: CancelToken) -> str:
    """Wait for the cancel."""
    reached.put("tool")
    cancel.wait(None)
    return "cancelled"


@tool(timeout=None)
def deaf_tool() -> str:
    """Never end."""
    reached.put("deaf tool")
    never.wait()
    return ""


class Slow(ScriptedDriver):
    """Answers in an hour."""

    def complete(self, request: Any, *, cancel: CancelToken) -> Any:
        reached.put("driver")
        return super().complete(request, cancel=cancel)


def _config(kind: str) -> SpawnConfig:
    match kind:
        case "tool" | "deaf tool":
            name = "listening_tool" if kind == "tool" else "deaf_tool"
            return SpawnConfig(M, "", driver=ScriptedDriver.tool_then_text(name, {}, ""))
        case "driver":
            return SpawnConfig(M, "", driver=Slow(["late"], latency=3600))
    kinds: dict[str, type[Agent[Any]]] = {
        "receive": Receiving,
        "child": Parent,
        "ask": Asking,
        "deaf": Deaf,
        "backoff": Failing,
        "loop": Looping,
        "queued": Receiving,
    }
    return config(kinds[kind])


def _note_restart(event: Event) -> None:
    if isinstance(event, AgentRestarted):
        reached.put("backoff")


def busy(*kinds: str, abort_timeout: float = BOUND) -> AgentPool:
    """A pool with one agent of each kind, each where its kind says; each says how it ended.

    The last one of the kind ``queued`` waits for a slot: a loop is put before it.
    """
    pool = AgentPool(
        max_concurrent=sum(kind != "queued" for kind in kinds) or 1,
        max_queued=None,
        abort_timeout=abort_timeout,
        tools=ToolRegistry([listening_tool, deaf_tool]),
        restart=RestartPolicy(max_restarts=1, backoff=Backoff(base=3600, maximum=3600, jitter=0)),
        on_event=_note_restart if "backoff" in kinds else None,
    )
    for kind in kinds:
        handle = pool.spawn(_config(kind))
        handle.add_done_callback(lambda handle, kind=kind: say(kind, handle.status))
        if kind == "queued":
            assert handle.status == "queued"
        else:
            reached.get(timeout=BOUND)
    return pool
