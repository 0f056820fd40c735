"""Sends what may leave a process to one that was spawned, and back."""

from __future__ import annotations

import multiprocessing
import pickle
from typing import Any

from actors import (
    Agent,
    AgentCrashed,
    AgentManifest,
    AgentMessage,
    AgentPool,
    AgentStatus,
    Backoff,
    CapacityError,
    CircuitBreak,
    DeadlockError,
    Event,
    ForkedPoolError,
    InboxFull,
    InferenceFailed,
    JoinTimeout,
    ManifestError,
    NotRegistered,
    PoolClosed,
    RateLimited,
    RestartPolicy,
    SpawnConfig,
    UserMessage,
)
from tests.process.cast import BOUND, say


class Ending(Agent[str]):
    """Ends as its query says."""

    def run(self, query: str) -> str:
        self.send(0, query)
        if query == "crash":
            raise KeyError("crash")
        if query == "fail":
            raise InferenceFailed("fail")
        if query == "wait":
            self.receive()
        return query


def return_all(pipe: Any) -> None:
    """The other process: what arrives goes back, and whether it is what it was."""
    while (value := pipe.recv()) is not None:
        pipe.send((type(value).__name__, pickle.dumps(value)))


def values() -> list[Any]:
    """One of each."""
    events: list[Event] = []
    manifest = AgentManifest(name="traveller")
    found: list[Any] = [manifest, RestartPolicy(1, 2.0, Backoff(0.5))]
    with AgentPool(on_event=events.append) as pool:
        for query in ("return", "crash", "fail", "wait"):
            config = SpawnConfig(manifest, query, agent=Ending, tag={"of": query}, messages=(UserMessage("before"),))
            handle = pool.spawn(config, timeout=BOUND)
            if query == "wait":
                handle.cancel("enough")
            found += [config, handle.outcome(BOUND), handle.outcome() if query == "wait" else pool.inbox.receive(BOUND)]
        try:
            pool.router.send(AgentMessage(0, 99, "lost"))
        except NotRegistered as error:
            found.append(error)
        found += [pool.stats(), pool.dump()]
    found += [PoolClosed("closed"), ForkedPoolError("forked"), InboxFull("full", AgentMessage(1, 2, "m"))]
    found += [ManifestError(["one", "two"]), RateLimited("slow", retry_after=3.0), JoinTimeout("late", {})]
    found += [DeadlockError("circle", ("a", "b")), CapacityError("full"), CircuitBreak("broken"), AgentStatus.CRASHED]
    return found + events


def same(sent: Any, got: Any) -> bool:
    """Does *got* say what *sent* said?"""
    if isinstance(sent, BaseException):
        return (type(got), got.args, str(got), fields(got)) == (type(sent), sent.args, str(sent), fields(sent))
    if hasattr(sent, "error") and isinstance(sent.error, BaseException):
        unequal = {"error"}
        return same(sent.error, got.error) and sent.model_dump(exclude=unequal) == got.model_dump(exclude=unequal)
    return bool(sent == got)


def fields(error: BaseException) -> dict[str, Any]:
    """What an error carries; a crash's traceback is a text by now."""
    if isinstance(error, AgentCrashed):
        return {"type_name": error.type_name, "text": error.text, "traceback": error.traceback}
    return {name: value for name, value in vars(error).items() if not name.startswith("_")}


def main() -> None:
    """Send each, and compare what comes back."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=return_all, args=(there,))
    process.start()
    for value in values():
        here.send(value)
        assert here.poll(20)
        kind, pickled = here.recv()
        arrived = kind == type(value).__name__ and same(value, pickle.loads(pickled))
        say(kind, "arrived" if arrived else f"did not arrive: {value!r} {pickle.loads(pickled)!r}")
    here.send(None)
    process.join(BOUND)
    say("all arrived" if process.exitcode == 0 else process.exitcode)


if __name__ == "__main__":
    main()
