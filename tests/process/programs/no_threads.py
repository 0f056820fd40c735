"""Uses a pool while no thread can be started, and again when threads can be started.

Called as ``no_threads.py CASE HOW``: ``patched`` makes every start fail as it does at the limit, ``limit`` is the
limit of the system itself.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

try:
    import resource
except ImportError:  # this platform has none
    pass

from actors import ActorsError, AgentEnded, AgentPool, Backoff, LlmAgent, RestartPolicy, ScriptedDriver, SpawnConfig
from tests.process import cast
from tests.process.cast import BOUND, Agent, Echo, Failing, M, config, never, reached, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNUSED_USER = 54321
"""Nobody runs anything under this id: the limit, which counts a user's threads, is ours alone."""


@contextmanager
def patched() -> Iterator[None]:
    """Every start of a thread fails."""

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    names = [name for name in ("_start_new_thread", "_start_joinable_thread") if hasattr(threading, name)]
    kept = {name: getattr(threading, name) for name in names}
    for name in names:
        setattr(threading, name, refuse)
    try:
        yield
    finally:
        for name in names:
            setattr(threading, name, kept[name])


@contextmanager
def limit() -> Iterator[None]:
    """The user may have no further thread."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


exhausted: Callable[[], Any] = {"patched": patched, "limit": limit}[sys.argv[2]]
if exhausted is limit and os.getuid() == 0:
    with AgentPool(max_concurrent=1) as first:  # a user who may not read our files could not import what a pool needs
        assert first.submit(len, "seen").result(BOUND) == len("seen")
    os.setuid(UNUSED_USER)  # no limit holds for root


def told(call: Callable[[], Any]) -> str:
    """What *call* answered or raised, as a word."""
    try:
        return str(call())
    except ActorsError as error:
        return type(error).__name__
    except RuntimeError as error:
        return f"RuntimeError {error}"


def spawn(pool: AgentPool) -> None:
    """Each of two spawns has an outcome."""
    with exhausted():
        say([str(pool.submit(len, "four").outcome(BOUND).status) for _ in range(2)])
        say(pool.active_count, pool.router.agent_count)


def fan_out(pool: AgentPool) -> None:
    """More than there are slots: those in the queue get their turn, and end, too."""
    with exhausted():
        handles = pool.fan_out([config(Failing)] * 7)
        say(len(handles), sorted({str(outcome.status) for outcome in pool.join_all(BOUND).values()}))


def map_(pool: AgentPool) -> None:
    """Each step yields an outcome."""
    with exhausted():
        say([str(outcome.status) for outcome in pool.map([config(Failing)] * 5, timeout=BOUND)])


def busy_worker(pool: AgentPool) -> None:
    """With one thread that runs, the agents behind it in the queue run on it, one after the other."""
    gate = threading.Event()
    pool.resize(1)
    first = pool.submit(lambda: reached.put("first") or gate.wait(BOUND))
    reached.get(timeout=BOUND)
    behind = [pool.submit(len, "four") for _ in range(5)]
    with exhausted():
        gate.set()
        say(first.result(BOUND), [handle.result(BOUND) for handle in behind])


def tool(pool: AgentPool) -> None:
    """The model is told that the tool could not run, and goes on."""
    driver = ScriptedDriver.tool_then_text("quick", {}, "answer")
    gate = threading.Event()

    class Gated(LlmAgent):
        def on_start(self) -> None:
            reached.put("started")
            gate.wait(BOUND)

    handle = pool.spawn(SpawnConfig(M, "", agent=Gated, driver=driver, tools=cast.ToolRegistry([quick])))
    reached.get(timeout=BOUND)
    with exhausted():
        gate.set()
        say(handle.result(BOUND).text, "can't start new thread" in str(driver.requests[-1].messages[-1]))


@cast.tool
def quick() -> str:
    """Answer at once."""
    return "quick"


def child(pool: AgentPool) -> None:
    """A child that cannot be started is an outcome for its parent, which goes on."""
    gate = threading.Event()

    class Mother(Agent[str]):
        def run(self, query: str) -> str:
            reached.put("mother")
            gate.wait(BOUND)
            return str(self.spawn(config(Failing)).outcome(BOUND).status)

    handle = pool.spawn(config(Mother))
    reached.get(timeout=BOUND)
    with exhausted():
        gate.set()
        say(handle.result(BOUND))


def deadline(pool: AgentPool) -> None:
    """A deadline that nobody could watch is refused, or kept; and nothing is admitted by a refusal."""
    with exhausted():
        answer = told(lambda: pool.spawn(config(cast.Receiving, timeout=0.05)).outcome(BOUND).status)
        say(answer if answer in {"crashed", "timed_out"} else "can't start new thread" in answer, pool.active_count)
    say(pool.spawn(config(cast.Receiving, timeout=0.05)).outcome(BOUND).status)


def cancel(pool: AgentPool) -> None:
    """What runs can be cancelled, callbacks are called; one that never looks is abandoned by close()."""
    heard = threading.Event()
    handles = [pool.spawn(config(kind)) for kind in (cast.Receiving, cast.Looping, cast.Deaf)]
    for _ in handles:
        reached.get(timeout=BOUND)
    handles[0].add_done_callback(lambda _: heard.set())
    with exhausted():
        pool.abort_all()
        say(handles[0].outcome(BOUND).status, handles[1].outcome(BOUND).status, heard.wait(BOUND))
        pool.close()
        say(handles[2].outcome(0).status)


def actor(pool: AgentPool) -> None:
    """start() raises, and nothing is left behind."""
    with exhausted():
        say("can't start new thread" in told(Echo.start))
    ref = Echo.start()
    say(ref.ask("works", timeout=BOUND))
    ref.stop()


def supervised(pool: AgentPool) -> None:
    """supervise() raises as start() does."""
    from actors import supervise

    with exhausted():
        say("can't start new thread" in told(lambda: supervise(Echo)))
    ref = supervise(Echo, restart=RestartPolicy(max_restarts=1, backoff=Backoff(0.01)))
    say(ref.ask("works", timeout=BOUND))
    ref.stop()


def sink(pool: AgentPool) -> None:
    """A pool with a sink, made while no thread can be started: an error, or a pool whose sink gets its events later."""
    ended: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, AgentEnded):
            ended.append(str(event.status))

    with exhausted():
        answer = told(lambda: made.append(AgentPool(on_event=listen)))  # type: ignore[func-returns-value]
    for late in made:
        late.submit(len, "four").outcome(BOUND)
        late.close()
    say("can't start new thread" in answer or ended == ["completed"])
    with AgentPool(on_event=listen) as other, exhausted():
        other.submit(len, "four").outcome(BOUND)
    say(ended[-1])


made: list[AgentPool] = []


def close(pool: AgentPool) -> None:
    """close() and leaving the block end; outcomes are there."""
    handles = [pool.spawn(config(cast.Receiving)) for _ in range(4)]
    for _ in handles:
        reached.get(timeout=BOUND)
    with exhausted():
        pool.close()
        say([str(handle.outcome(0).status) for handle in handles])


def exit_(pool: AgentPool) -> None:
    """The end of the program while no thread can be started."""
    pool.spawn(config(cast.Receiving)).add_done_callback(lambda handle: say(handle.status))
    reached.get(timeout=BOUND)
    exhausted().__enter__()
    globals()["kept"] = pool


def main() -> None:
    """One case; then the pool works again."""
    case = sys.argv[1]
    pool = AgentPool(max_queued=None, abort_timeout=1.0)
    threading.Thread(target=never.wait, args=(0,)).start()  # what the first thread of a process loads, is loaded
    globals().get(case, globals().get(f"{case}_"))(pool)
    if case == "exit":
        return
    if case in {"close", "cancel"}:
        pool = AgentPool()
    never.set()
    with pool:
        say("works", [pool.submit(len, "four").result(BOUND) for _ in range(3)])


main()
