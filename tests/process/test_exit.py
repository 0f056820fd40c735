"""The end of a program with work in flight: every agent ends, whoever waits is told, and the process ends."""

from __future__ import annotations

import pytest

from .program import run

PRELUDE = "from tests.process.cast import *\n"
SLOTS_HELD = ("loop", "queued")
"""For an agent to be queued, somebody must hold the slot."""
KINDS = ("loop", "deaf", "tool", "driver", "receive", "child", "ask", "backoff")
STATUSES = {
    "loop cancelled",
    "deaf abandoned",
    "tool cancelled",
    "driver cancelled",
    "receive cancelled",
    "child cancelled",
    "its child cancelled",
    "ask cancelled",
    "backoff cancelled",
}


@pytest.mark.parametrize("kinds", [(kind,) for kind in KINDS] + [SLOTS_HELD, ("deaf tool",)], ids=" and ".join)
def test_an_open_pool_ends_with_the_main_thread(kinds: tuple[str, ...]) -> None:
    """Wherever its agent is, it gets its outcome, and the exit waits for nobody longer than abort_timeout."""
    done = run(f"{PRELUDE}pool = busy(*{kinds}, abort_timeout=0.3)\nsay('main ends')")
    lines = done.clean()
    assert lines[0] == "main ends"
    told = {line for line in lines[1:] if line != "deaf to its cancel"}
    expected = {kind: {line for line in STATUSES if line.startswith(kind + " ")} for kind in kinds}
    expected |= {"queued": {"queued cancelled"}, "deaf tool": {"deaf tool cancelled"}}
    expected["child"] = {"child cancelled", "its child cancelled"}
    assert told == set().union(*(expected[kind] for kind in kinds))


@pytest.mark.parametrize(
    ("ending", "code"), [("sys.exit(3)", 3), ("raise KeyError('main')", 1), ("sys.exit('gone')", 1)], ids=str
)
def test_however_main_ends_its_agents_end(ending: str, code: int) -> None:
    """sys.exit() and an exception keep their code and text; agents of every kind get their outcomes before."""
    done = run(f"import sys\n{PRELUDE}pool = busy(*{KINDS}, abort_timeout=1.0)\n{ending}")
    assert done.code == code
    assert set(done.lines) == STATUSES | {"deaf to its cancel"}
    assert done.err.count("Traceback") == ("KeyError" in ending)
    assert ("gone" in done.err) == ("gone" in ending)


def test_os_exit_ends_at_once() -> None:
    """Nobody is asked, nothing is cleaned up, and nothing is in the way."""
    done = run(f"{PRELUDE}pool = busy(*{KINDS}, abort_timeout=3600)\nos._exit(5)")
    assert (done.code, done.lines, done.err) == (5, [], "")


def test_sys_exit_inside_an_agent_ends_that_agent_only() -> None:
    """It crashes with SystemExit; the program goes on, and its exit code is its own."""
    done = run(
        PRELUDE
        + """
class Leaving(Agent):
    def run(self, query):
        sys.exit(7)

import sys
with AgentPool() as pool:
    outcome = pool.spawn(config(Leaving)).outcome(BOUND)
    say(outcome.status, outcome.error.type_name)
    say(pool.submit(lambda: "goes on").result(BOUND))
"""
    )
    assert done.clean() == ["crashed SystemExit", "goes on"]


def test_forgotten_actors_end_with_the_main_thread() -> None:
    """on_stop runs: for one that is idle, one in a handler, one that waits for it, and one with unread messages."""
    done = run(
        PRELUDE
        + """
from actors import ActorDead

class Said(Actor):
    def on_stop(self):
        say(self.name, "stopped")

class Idle(Said):
    name = "idle"
    def on_receive(self, message):
        return message

class Handling(Said):
    name = "handling"
    def on_receive(self, message):
        reached.put("handling")
        self.cancel_token.wait(None)

class Waiting(Said):
    name = "waiting"
    def on_receive(self, message):
        reached.put("waiting")
        handling.ask("queued behind")

idle, handling, waiting = Idle.start(), Handling.start(), Waiting.start()
idle.ask(1, timeout=BOUND)
handling.tell(1)
reached.get(timeout=BOUND)
unread = handling.ask_future("unread")
unread.add_done_callback(lambda future: say("unread", isinstance(future.to_concurrent().exception(0), ActorDead)))
waiting.tell(1)
reached.get(timeout=BOUND)
say("main ends")
"""
    )
    lines = done.clean()
    assert lines[0] == "main ends"
    assert sorted(lines[1:]) == ["handling stopped", "idle stopped", "unread True", "waiting stopped"]


def test_threads_of_the_user_that_wait_are_told() -> None:
    """Non-daemon threads in every wait end, so the interpreter, which joins them, ends, too."""
    done = run(
        PRELUDE
        + """
import asyncio
from actors import ActorsError

pool = busy("loop", abort_timeout=BOUND)
asked = Silent.start()
waits = {
    "join_next": lambda: getattr(pool.join_next(), "status", None),
    "join_all": lambda: len(pool.join_all()),
    "drain": lambda: pool.drain(),
    "receive": lambda: pool.inbox.receive(),
    "spawn": lambda: other.spawn(config(Receiving), timeout=None),
    "future": lambda: future.result(),
    "ask": lambda: asked.ask("anybody there?"),
    "map": lambda: [outcome.status for outcome in other_map],
    "await": lambda: asyncio.run(awaiting()),
}

async def awaiting():
    return await kept

other = AgentPool(max_concurrent=1, abort_timeout=BOUND)
kept = other.spawn(config(Looping))
future = kept.future
reached.get(timeout=BOUND)
third = AgentPool(max_concurrent=1, abort_timeout=BOUND)
other_map = third.map([config(Looping)] * 3)

def wait(name):
    reached.put("waits")
    try:
        say(name, "got", waits[name]())
    except ActorsError as error:
        say(name, "raised", [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "actors.errors"][0])

for name in waits:
    threading.Thread(target=wait, args=(name,)).start()
    while reached.get(timeout=BOUND) != "waits": pass
say("main ends")
"""
    )
    lines = done.clean()
    assert sorted(line for line in lines if not line.startswith(("join_", "map", "loop", "main"))) == [
        "ask raised ActorDead",
        "await raised AgentCancelled",
        "drain got None",
        "future raised AgentCancelled",
        "receive raised InboxClosed",
        "spawn raised PoolClosed",
    ]
    # Of the two that join, one may take the outcome before the other sees it.
    assert {line.split()[0] for line in lines} == {
        *("join_next", "join_all", "map", "loop", "main"),
        *("ask", "await", "drain", "future", "receive", "spawn"),
    }


def test_a_closed_pool_still_answers_in_atexit() -> None:
    """Outcomes that nobody took can be taken there, and looked at; what is new is refused, and nothing hangs."""
    done = run(
        PRELUDE
        + """
import atexit
from actors import ActorsError

pool = busy("loop")
closed = AgentPool()
left = closed.submit(lambda: "kept")

def late():
    say("closed before", left.result(BOUND), closed.join_next(0), closed.stats().outstanding)
    say("ended by the exit", pool.join_next(0).status, pool.join_next(0), pool.join_all(0))
    say("counts", pool.active_count, pool.queued_count, pool.outstanding_count, pool.router.agent_count)
    str(pool.dump())
    for one in (pool, closed):
        for call in (lambda: one.submit(print), lambda: one.spawn(config(Looping), timeout=None),
                     lambda: one.fan_out([config(Looping)]), lambda: next(one.map([config(Looping)]))):
            try:
                call()
            except ActorsError as error:
                say(type(error).__name__)
        one.close(), one.drain(), one.abort_all(), one.abort(1)

atexit.register(late)
left.future.exception(BOUND)
closed.close()
"""
    )
    assert done.clean() == [
        "loop cancelled",
        "closed before kept None 0",
        "ended by the exit cancelled None Outcomes({})",
        "counts 0 0 0 0",
        *["PoolClosed"] * 8,
    ]


def test_after_the_end_began_nothing_is_started() -> None:
    """A spawn by a thread, an agent's ending or a callback is a clear error; so are a new pool and a new actor."""
    done = run(
        PRELUDE
        + """
from actors import ActorsError

class Stubborn(Agent):
    def run(self, query):
        reached.put("here")
        self.receive()
    def on_end(self, outcome):
        attempt("on_end")

def attempt(who):
    calls = {
        "spawn": lambda: pool.spawn(config(Receiving)),
        "submit": lambda: pool.submit(print),
        "pool": lambda: AgentPool().submit(print),
        "actor": lambda: Echo.start(),
    }
    for name, call in calls.items():
        try:
            say(who, name, "went through", call())
        except ActorsError as error:
            say(who, name, type(error).__name__)
        except RuntimeError as error:
            say(who, name, "the program is ending" in str(error))

def wait():
    handle.outcome()
    attempt("thread")

pool = AgentPool(abort_timeout=BOUND)
handle = pool.spawn(config(Stubborn))
reached.get(timeout=BOUND)
handle.add_done_callback(lambda _: attempt("callback"))
threading.Thread(target=wait).start()
"""
    )
    lines = done.clean()
    for who in ("on_end", "callback", "thread"):
        said = [line.removeprefix(who + " ") for line in lines if line.startswith(who)]
        assert said == ["spawn PoolClosed", "submit PoolClosed", "pool True", "actor True"], lines


@pytest.mark.parametrize("sink", ["slow", "stuck", "failing"])
def test_an_event_sink_does_not_hang_the_exit(sink: str) -> None:
    """A slow one gets every event before the end; a stuck one is left behind; one that fails is nobody's matter."""
    done = run(
        PRELUDE
        + f"""
from actors import AgentEnded

def slow(event):
    if isinstance(event, AgentEnded):
        say("told", event.agent_id, event.status)

def stuck(event):
    never.wait()

def failing(event):
    raise SystemExit("the sink")

pool = AgentPool(abort_timeout=0.3, on_event={sink})
for _ in range(3):
    pool.spawn(config(Receiving))
    reached.get(timeout=BOUND)
"""
    )
    told = ["told 1 cancelled", "told 2 cancelled", "told 3 cancelled"]
    assert sorted(done.clean()) == (told if sink == "slow" else [])


def test_many_open_pools_end_side_by_side() -> None:
    """20 pools with an agent that never looks: they are all told first, so the exit takes one abort_timeout."""
    done = run(
        PRELUDE
        + """
pools = [busy("deaf", "receive", abort_timeout=1.5) for _ in range(20)]
begun = __import__("time").monotonic()
import atexit
atexit.register(lambda: say(__import__("time").monotonic() - begun < 15))
"""
    )
    lines = done.clean()
    assert (lines.count("deaf abandoned"), lines.count("receive cancelled"), lines[-1]) == (20, 20, "True")
