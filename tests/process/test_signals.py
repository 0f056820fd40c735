"""Signals: Ctrl-C in every wait and at every moment, SIGTERM, kill -9."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from .program import PROGRAMS, Program, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., Program]

PRELUDE = "import signal, sys\nfrom tests.process.cast import *\nfrom actors import ActorsError\n"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts programs; what a failing test leaves of them is killed."""
    started: list[Program] = []

    def begin(text: str) -> Program:
        started.append(Program(PRELUDE + text))
        return started[-1]

    yield begin
    for program in started:
        program.close()


# Inside with ----------------------------------------------------------------------------------------------------


def test_inside_with_every_agent_ends_before_it_is_raised_again(start: Start) -> None:
    """Agents of every kind have their outcomes when KeyboardInterrupt leaves the block; they can still be taken."""
    program = start(
        """
try:
    with busy("loop", "tool", "driver", "receive", "child", "backoff", "ask") as pool:
        done = pool.submit(lambda: "done before")
        done.future.result(BOUND)
        say("READY")
        pool.join_all()
except KeyboardInterrupt:
    taken = pool.join_all(0)
    say("interrupted", sorted(taken), pool.active_count, pool.router.agent_count)
    say(taken[done.id].result, "left by KeyboardInterrupt" in taken[1].error.reason)
"""
    )
    assert program.line() == "READY"
    program.interrupt()
    *ends, interrupted, before = program.end().clean()
    assert sorted(ends) == [
        *("ask cancelled", "backoff cancelled", "child cancelled", "driver cancelled"),
        *("its child cancelled", "loop cancelled", "receive cancelled", "tool cancelled"),
    ]
    assert interrupted == "interrupted [1, 2, 3, 4, 5, 7, 8, 9] 0 0"  # 6 is the child: owed to its parent
    assert before == "done before True"


def test_a_second_one_waits_for_nobody(start: Start) -> None:
    """The pool counts as given up: what ended can be taken, the rest is left behind, and the exit does not wait."""
    program = start(
        """
pool = busy("receive", "deaf", abort_timeout=3600)
try:
    with pool:
        say("READY")
        pool.join_all()
except KeyboardInterrupt as error:
    say("second", type(error.__context__).__name__)
try:
    pool.submit(print)
except ActorsError as error:
    say(type(error).__name__)
pool.close()
say("main ends")
"""
    )
    assert program.line() == "READY"
    program.interrupt()
    program.await_lines("receive cancelled", "deaf to its cancel")  # both were told: the block waits for their ends
    program.interrupt()
    assert program.end().clean() == ["second KeyboardInterrupt", "PoolClosed", "main ends"]


def test_inside_asyncio_run_every_agent_ends_before_it_is_raised_again(start: Start) -> None:
    """asyncio cancels the main task, and that aborts the pool whose block it is in."""
    program = start(
        """
import asyncio
pool = busy("loop", "receive", "driver")

async def main():
    async with pool:
        say("READY")
        await pool.spawn(config(Receiving))

try:
    asyncio.run(main(), debug=False)  # in debug it reads source files: an interrupt leaves one open
except KeyboardInterrupt:
    say("interrupted", pool.active_count, {str(one.status) for one in pool.join_all(0).values()})
    say(threading.active_count())
"""
    )
    assert program.line() == "READY"
    program.interrupt()
    *ends, interrupted, threads = program.end().clean()
    assert sorted(ends) == ["driver cancelled", "loop cancelled", "receive cancelled"]
    assert interrupted == "interrupted 0 {'cancelled'}"
    assert threads == "1"


def test_a_second_one_inside_asyncio_run_waits_for_nobody(start: Start) -> None:
    """As in a plain block; the exit does not wait either."""
    program = start(
        """
import asyncio
pool = busy("receive", "deaf", abort_timeout=3600)

async def main():
    async with pool:
        say("READY")
        await asyncio.Event().wait()

try:
    asyncio.run(main(), debug=False)
except KeyboardInterrupt as error:
    say("second")
try:
    pool.submit(print)
except ActorsError as error:
    say(type(error).__name__)
pool.close()
say("main ends")
"""
    )
    assert program.line() == "READY"
    program.interrupt()
    program.await_lines("receive cancelled", "deaf to its cancel")
    program.interrupt()
    assert program.end().clean() == ["second", "PoolClosed", "main ends"]


def test_a_block_in_a_block_ends_from_inside_out(start: Start) -> None:
    """One Ctrl-C ends the agents of both pools, the inner one first."""
    program = start(
        """
try:
    with busy("receive") as outer, busy("loop") as inner:
        say("READY")
        never.wait()
except KeyboardInterrupt:
    say(inner.join_next(0).status, outer.join_next(0).status)
"""
    )
    assert program.line() == "READY"
    program.interrupt()
    assert program.end().clean() == ["loop cancelled", "receive cancelled", "cancelled cancelled"]


# Outside with ---------------------------------------------------------------------------------------------------


def test_outside_with_every_wait_just_raises(start: Start) -> None:
    """Each wait of the main thread is interrupted, nothing is lost by it, and the same wait then gets its answer."""
    waits = {
        "join_next": "pool.join_next(BOUND).result",
        "join_all": "list(pool.join_all(BOUND).values())[0].result",
        "join group": "list(pool.join_all(BOUND, group='g').values())[0].result",
        "result": "handle.result(BOUND)",
        "outcome": "handle.outcome(BOUND).result",
        "future": "future.result(BOUND)",
        "as_completed": "next(pool.as_completed(timeout=BOUND)).result",
        "as_completed of": "next(pool.as_completed([handle], timeout=BOUND)).result",
        "map": "next(mapped).result",
        "receive": "pool.inbox.receive(BOUND).content",
        "spawn": "pool.spawn(config(Receiving), timeout=BOUND).cancel()",
        "fan_out": "pool.fan_out([config(Receiving)] * 2, timeout=BOUND)[0].cancel()",
        "ask": "asked.ask('reached', BOUND)",
    }
    program = start(
        f"""
from actors import AgentMessage
waits = {waits!r}

class Gated(Actor):
    def on_receive(self, message):
        assert gate.wait(BOUND)
        return "said"

class Sending(Receiving):
    def run(self, query):
        if query: say("READY", query)
        said = super().run(query)
        self.send(0, said)
        return said

def attempt(name, pool):
    return eval(waits[name], globals() | {{"pool": pool, "handle": handle, "future": future, "mapped": mapped}})

gate = threading.Event()
asked = Gated.start()
for name in waits:
    gate.clear()
    pool = AgentPool(max_concurrent=1 if name in ("spawn", "fan_out") else 2, max_queued=1 if name == "fan_out" else 0)
    mapped = pool.map([config(Sending, "map")], timeout=BOUND)
    handle = None
    if name in ("spawn", "fan_out"):
        handle = pool.spawn(config(Looping))
        reached.get(timeout=BOUND)
        refused = [pool.submit(len, "") for _ in range(name == "fan_out")]
    elif name not in ("map", "ask"):
        handle = pool.spawn(config(Sending, group="g"))
        reached.get(timeout=BOUND)
    future = handle and handle.future
    try:
        if name != "map":  # its agent says so: before the first step there is none
            say("READY", name)
        attempt(name, pool)
        say("was not interrupted")
    except KeyboardInterrupt:
        gate.set()
        agent_id = 1
        if name in ("spawn", "fan_out"):
            handle.cancel()
        elif name != "ask":
            pool.router.send(AgentMessage(0, agent_id, "said"))
        say(name, attempt(name, pool))
    pool.abort_all()
    while pool.join_next(BOUND) is not None: pass
    pool.close()
    while not reached.empty(): reached.get()
asked.stop()
"""
    )
    for name in waits:
        assert program.line() == f"READY {name}"
        program.interrupt()
        assert program.line() == f"{name} {'True' if name in {'spawn', 'fan_out'} else 'said'}"
    assert program.end().clean() == []


# At every moment ------------------------------------------------------------------------------------------------


STORMS = ["spawn", "submit", "fan_out", "map", "join_next", "outcome", "future", "cancel", "close"]


@pytest.mark.parametrize("call", STORMS)
def test_at_every_moment_nothing_is_lost(call: str) -> None:
    """At least 200 interrupts of one call: each admitted id has one outcome, a callback runs once, the pool works."""
    done = run(PROGRAMS / "ctrl_c_storm.py", call)
    assert done.clean()[-2:] == ["lost [] twice [] swallowed 0", "works"]
    interrupts = int(done.lines[0].split()[0])
    assert interrupts >= 200


# Other signals --------------------------------------------------------------------------------------------------


def test_sigterm_kills_as_it_does_any_program(start: Start) -> None:
    """The library handles no signals: the default of SIGTERM stays."""
    program = start("pool = busy('loop', 'deaf', 'receive', 'child', abort_timeout=3600)\nsay('READY')\nnever.wait()")
    assert program.line() == "READY"
    program.signal(signal.SIGTERM)
    done = program.end()
    assert (done.code, done.lines, done.err) == (-signal.SIGTERM, [], "")


@pytest.mark.parametrize("block", ["with pool:", "if pool:"], ids=["inside with", "outside with"])
def test_a_handler_that_calls_sys_exit_ends_everything(start: Start, block: str) -> None:
    """The usual way to make SIGTERM graceful: every agent ends, and the exit code is the handler's."""
    program = start(
        f"""
signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
pool = busy("loop", "receive", "child", "tool", "driver", abort_timeout=3600)
{block}
    say("READY")
    pool.join_all()
"""
    )
    assert program.line() == "READY"
    program.signal(signal.SIGTERM)
    done = program.end()
    assert (done.code, done.err) == (15, "")
    assert sorted(done.lines) == [
        *("child cancelled", "driver cancelled", "its child cancelled"),
        *("loop cancelled", "receive cancelled", "tool cancelled"),
    ]


def test_kill_9_leaves_no_process(start: Start) -> None:
    """Agents are threads: with their process everything of them is gone."""
    program = start("pool = busy('loop', 'deaf', 'receive', 'child', 'tool')\nsay('READY')\nnever.wait()")
    assert program.line() == "READY"
    program.signal(signal.SIGKILL)
    assert program.end().code == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.killpg(program.process.pid, 0)  # it led a group of its own


def test_a_handler_that_returns_ends_no_wait(start: Start) -> None:
    """The wait goes on, and gets its outcome (PEP 475)."""
    program = start(
        """
signal.signal(signal.SIGUSR1, lambda *_: say("handled"))
signal.signal(signal.SIGUSR2, lambda *_: threading.Thread(target=pool.abort_all).start())
pool = busy("receive")
say("READY")
say(pool.join_next().status)
pool.close()
"""
    )
    assert program.line() == "READY"
    for _ in range(3):
        program.signal(signal.SIGUSR1)
        assert program.line() == "handled"
    program.signal(signal.SIGUSR2)
    assert sorted(program.end().clean()) == ["cancelled", "receive cancelled"]
