"""Section 7: stops that really stop, failures that harm nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pykka
import pytest

from actors import AgentPool, FunctionDriver, SpawnConfig
from actors.errors import AgentAbandoned

from ..waiting import Gate, eventually, until_parked
from .doubles import WAIT, Background, doing, echo, held, manifest, sleeper

PRELUDE = """
import os, signal, sys, threading, time
from actors import Agent, AgentManifest, AgentPool, SpawnConfig
M = AgentManifest(name="x")
def print(*words, flush=True):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # one write, one line
class Sleeper(Agent):
    def run(self, query):
        print("running", flush=True)
        self.sleep(60)
    def on_end(self, outcome):
        print("ended", outcome.status, flush=True)
class Stuck(Agent):
    def run(self, query):
        print("running", flush=True)
        threading.Event().wait(60)
def spawn(pool, agent=Sleeper):
    return pool.spawn(SpawnConfig(manifest=M, query="", agent=agent))
def ready():
    print("ready", flush=True)
"""


class Program:
    """A program in a process of its own."""

    started: list[Program] = []  # noqa: RUF012

    def __init__(self, text: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-c", PRELUDE + text],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(self)

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        reading = Background(self.process.stdout.readline)
        return reading.result().strip()

    def both(self) -> None:
        """Wait until the agent runs and the main thread is past its spawn."""
        assert {self.line(), self.line()} == {"running", "ready"}

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self, timeout: float = WAIT) -> tuple[int, str, str, float]:
        """Code, output, errors, seconds."""
        begin = time.monotonic()
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            pytest.fail("the program did not end")
        return self.process.returncode, out, err, time.monotonic() - begin


@pytest.fixture(autouse=True)
def no_program_left(no_leaks):
    """Kill what a failed test left running."""
    yield
    while Program.started:
        process = Program.started.pop().process
        if process.poll() is None:
            process.kill()
        process.wait(WAIT)
        for stream in (process.stdout, process.stderr):
            stream.close()


@pytest.mark.process
def test_ctrl_c_inside_with_aborts_waits_and_reraises() -> None:
    """The agents end, the block raises KeyboardInterrupt."""
    program = Program(
        """
try:
    with AgentPool() as pool:
        handle = spawn(pool)
        ready()
        pool.join_all()
except KeyboardInterrupt:
    print("interrupted", handle.status, pool.router.agent_count, flush=True)
"""
    )
    program.both()
    program.interrupt()
    code, out, err, seconds = program.end()
    assert code == 0, err
    assert out.split("\n")[:2] == ["ended cancelled", "interrupted cancelled 0"]
    assert seconds < 5


@pytest.mark.process
@pytest.mark.parametrize("where", ["pool.join_next()", "handle.result()", "pool.drain()", "threading.Event().wait(60)"])
def test_ctrl_c_reaches_every_wait(where) -> None:
    """Each wait of the main thread can be interrupted."""
    program = Program(
        f"""
try:
    with AgentPool() as pool:
        handle = spawn(pool)
        ready()
        {where}
except KeyboardInterrupt:
    print("interrupted", handle.status, flush=True)
"""
    )
    program.both()
    program.interrupt()
    code, out, err, seconds = program.end()
    assert code == 0, err
    assert "interrupted cancelled" in out
    assert seconds < 5


@pytest.mark.process
def test_ctrl_c_while_the_block_drains() -> None:
    """Leaving normally can be interrupted as well."""
    program = Program(
        """
try:
    with AgentPool() as pool:
        handle = spawn(pool)
        ready()
except KeyboardInterrupt:
    print("interrupted", handle.status, flush=True)
"""
    )
    program.both()
    program.interrupt()
    code, out, err, seconds = program.end()
    assert code == 0, err
    assert "interrupted cancelled" in out
    assert seconds < 5


@pytest.mark.process
def test_ctrl_c_during_a_spawn_loses_nothing() -> None:
    """Wherever the interrupt lands, the block ends, and every agent that ran has ended."""
    program = Program(
        """
try:
    with AgentPool(max_concurrent=50, abort_timeout=1.0) as pool:
        for _ in range(50): spawn(pool)
        threading.Event().wait(60)
except KeyboardInterrupt:
    print("interrupted", pool.active_count, pool.router.agent_count, flush=True)
"""
    )
    assert program.line() == "running"
    program.interrupt()
    code, out, err, seconds = program.end()
    assert code == 0, err
    assert seconds < 5
    lines = out.split()
    assert "interrupted 0 0" in out
    assert lines.count("running") + 1 <= lines.count("ended")


@pytest.mark.process
def test_a_second_ctrl_c_does_not_wait() -> None:
    """An agent that does not look cannot hold the program."""
    program = Program(
        """
try:
    with AgentPool(abort_timeout=50.0) as pool:
        spawn(pool, Stuck)
        try:
            ready()
            pool.join_all()
        except KeyboardInterrupt:
            print("first", flush=True)
            raise
except KeyboardInterrupt:
    print("second", flush=True)
"""
    )
    program.both()
    program.interrupt()
    assert program.line() == "first"
    threading.Event().wait(0.3)  # let it reach the wait of the abort
    program.interrupt()
    assert program.line() == "second"
    program.process.kill()
    program.end()


@pytest.mark.process
def test_ctrl_c_outside_with_just_raises() -> None:
    """Nothing is lost: the agent runs on and can be joined again."""
    program = Program(
        """
class Waiter(Agent):
    def run(self, query):
        print("running", flush=True)
        return self.receive(timeout=30).content
pool = AgentPool()
handle = spawn(pool, Waiter)
try:
    ready()
    pool.join_all()
except KeyboardInterrupt:
    print("interrupted", handle.done(), flush=True)
from actors import AgentMessage
pool.router.send(AgentMessage(sender=0, to=handle.id, content="go on"))
print(pool.join_all(timeout=10)[handle.id].result, flush=True)
pool.close()
"""
    )
    program.both()
    program.interrupt()
    code, out, err, _ = program.end()
    assert code == 0, err
    assert out.split("\n")[:2] == ["interrupted False", "go on"]


@pytest.mark.process
def test_a_forgotten_pool_does_not_hang_the_exit() -> None:
    """The exit hook aborts it when the main thread ends; the clean-up runs."""
    program = Program(
        """
pool = AgentPool()
handle = spawn(pool)
while handle.status != "running": time.sleep(0.01)
"""
    )
    code, out, _err, seconds = program.end()
    assert seconds < 9
    assert "ended cancelled" in out
    assert code in (0, 1)


@pytest.mark.process
def test_a_stuck_agent_does_not_hang_the_exit() -> None:
    """At most abort_timeout."""
    program = Program(
        """
pool = AgentPool(abort_timeout=0.3)
handle = spawn(pool, Stuck)
print("main ends", flush=True)
"""
    )
    _, out, _, seconds = program.end()
    assert "main ends" in out
    assert seconds < 8


@pytest.mark.process
def test_a_forked_child_gets_a_clear_error() -> None:
    """ForkedPoolError from every call in the child; the parent works on."""
    program = Program(
        """
import warnings
warnings.simplefilter("ignore")
from actors.errors import ForkedPoolError
pool = AgentPool()
handle = pool.submit(lambda: 1)
handle.result(timeout=5)
pid = os.fork()
if pid == 0:
    said = []
    for call in (lambda: pool.submit(lambda: 1), lambda: pool.join_next(timeout=0), lambda: pool.join_all(timeout=0),
                 lambda: pool.stats(), lambda: pool.close()):
        try:
            call()
            said.append("nothing")
        except ForkedPoolError:
            said.append("forked")
    os.write(1, (",".join(said) + "\\n").encode())
    os._exit(0)
os.waitpid(pid, 0)
print(pool.submit(lambda: 2).result(timeout=5), flush=True)
pool.close()
"""
    )
    code, out, err, _ = program.end()
    assert code == 0, err
    assert out.split("\n")[:2] == ["forked,forked,forked,forked,forked", "2"]


def test_close_is_prompt_after_a_cancel(gate) -> None:
    """Agents that end at their cancel do not cost abort_timeout."""
    for cancel in (True, False):
        pool = AgentPool(abort_timeout=8.0)
        handle = pool.spawn(sleeper(gate))
        gate.next()
        if cancel:
            handle.cancel()
            handle.outcome(timeout=WAIT)
        begin = time.monotonic()
        pool.close()
        assert time.monotonic() - begin < 3


def test_abandoned_within_abort_timeout(gate) -> None:
    """Outcome delivered, thread counted, slot free, late result dropped."""
    with AgentPool(max_concurrent=1, abort_timeout=0.3) as pool:
        handle = pool.spawn(held(gate))
        gate.next()
        begin = time.monotonic()
        handle.cancel("stuck")
        outcome = pool.join_next(timeout=WAIT)
        assert 0.25 <= time.monotonic() - begin < 3
        assert outcome.status == "abandoned"
        assert isinstance(outcome.error, AgentAbandoned)
        stats = pool.stats()
        assert (stats.abandoned_threads, stats.active, stats.ended["abandoned"]) == (1, 0, 1)
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
        assert handle.status == "abandoned"
        assert handle.outcome(timeout=0).result is None
        assert pool.join_next(timeout=0) is None


def test_deadline_holds_for_code_that_never_looks(gate) -> None:
    """timeout + abort_timeout, while the thread still runs."""
    with AgentPool(abort_timeout=0.3) as pool:
        begin = time.monotonic()
        outcome = pool.spawn(held(gate, timeout=0.2)).outcome(timeout=WAIT)
        assert 0.45 <= time.monotonic() - begin < 3
        assert outcome.status == "abandoned"
        gate.open()


def test_leaving_the_block_abandons_what_does_not_end(gate) -> None:
    """close() returns within abort_timeout although a thread is stuck."""
    begin = time.monotonic()
    with pytest.raises(KeyError), AgentPool(abort_timeout=0.3) as pool:
        handle = pool.spawn(held(gate))
        gate.next()
        raise KeyError
    assert time.monotonic() - begin < 4
    assert handle.status == "abandoned"
    assert pool.join_next(timeout=0).status == "abandoned"
    gate.open()


def test_on_end_that_hangs_is_abandoned_too(gate) -> None:
    """A cancelled agent that is stuck in its clean-up is given up; an abort of others does not wait for it."""
    with AgentPool(max_concurrent=2, abort_timeout=0.3) as pool:
        stuck = pool.spawn(doing(lambda agent, _: agent.sleep(WAIT), ending=lambda agent, outcome: gate.arrive("end")))
        other = pool.spawn(doing(lambda agent, _: agent.sleep(WAIT)))
        pool.abort_all("evening")
        assert other.outcome(timeout=WAIT).status == "cancelled"
        outcome = stuck.outcome(timeout=WAIT)
        assert outcome.status in ("abandoned", "cancelled")
        gate.open()


def test_a_cancelled_agent_unwinds_without_a_slot(gate) -> None:
    """Parked agents end although all slots are taken by one that is stuck."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        parked = [pool.spawn(doing(lambda agent, _: agent.receive())) for _ in range(20)]
        until_parked(pool, *parked)
        stuck = pool.spawn(held(gate))
        gate.next()
        begin = time.monotonic()
        for handle in parked:
            handle.cancel("all of you")
        assert {str(handle.outcome(timeout=WAIT).status) for handle in parked} == {"cancelled"}
        assert time.monotonic() - begin < 4
        assert not stuck.done()
        gate.open()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_what_an_agent_raises_harms_nobody(error, gate) -> None:
    """Other agents, other pools, other libraries' actors and the main thread live on."""

    class Foreign(pykka.ThreadingActor):
        def on_receive(self, message):
            return "alive"

    def raise_it(agent, query):
        raise error

    foreign = Foreign.start()
    try:
        with AgentPool(name="other") as other_pool, AgentPool(max_concurrent=2) as pool:
            neighbour = pool.spawn(held(gate, "neighbour"))
            stranger = other_pool.spawn(held(gate, "stranger"))
            assert pool.spawn(doing(raise_it)).outcome(timeout=WAIT).status == "crashed"
            assert foreign.ask("?", timeout=WAIT) == "alive"
            gate.open()
            assert neighbour.result(timeout=WAIT) == "neighbour"
            assert stranger.result(timeout=WAIT) == "stranger"
    finally:
        foreign.stop()


def test_bare_except_cannot_keep_an_agent_alive_for_ever(gate) -> None:
    """Even ``except BaseException`` in a loop ends by being abandoned."""
    stop = threading.Event()

    def run(agent, query):
        gate.note("in")
        while not stop.is_set():
            try:
                agent.sleep(0.01)
            except BaseException:
                stop.wait(0.002)

    with AgentPool(abort_timeout=0.3) as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        handle.cancel("stop")
        assert handle.outcome(timeout=WAIT).status == "abandoned"
        stop.set()
        eventually(lambda: pool.stats().abandoned_threads == 0)


def test_cancel_wins_or_the_value_wins() -> None:
    """A race of cancel and return: one outcome, completed with the value or cancelled; both happen."""
    seen = set()
    with AgentPool(max_concurrent=2) as pool:
        for number in range(200):
            go = threading.Event()
            handle = pool.spawn(doing(lambda agent, _, go=go: (go.wait(WAIT) and agent.checkpoint()) or "value"))
            if number % 2:
                go.set()
                handle.cancel("race")
            else:
                handle.cancel("race")
                go.set()
            outcome = handle.outcome(timeout=WAIT)
            assert (str(outcome.status), outcome.result) in {("completed", "value"), ("cancelled", None)}
            seen.add(str(outcome.status))
            assert pool.join_next(timeout=0) is None
    assert "cancelled" in seen


def test_cancel_before_the_first_step() -> None:
    """Spawned and cancelled at once, many times: each yields exactly one outcome."""
    with AgentPool(max_concurrent=4, max_queued=None) as pool:
        for _ in range(300):
            pool.spawn(doing(lambda agent, _: agent.sleep(WAIT))).cancel()
        outcomes = pool.join_all(timeout=WAIT)
    assert sorted(outcomes) == list(range(1, 301))
    assert {str(outcome.status) for outcome in outcomes.values()} == {"cancelled"}


def test_mass_abort_of_parked_agents_is_quick() -> None:
    """Hundreds of parked agents end in seconds."""
    with AgentPool(max_concurrent=300, max_live=400) as pool:
        handles = pool.fan_out([doing(lambda agent, _: agent.receive()) for _ in range(300)])
        eventually(lambda: pool.stats().parked == 300)
        begin = time.monotonic()
        pool.abort_all("evening")
        outcomes = pool.join_all(timeout=WAIT)
        assert time.monotonic() - begin < 6
        assert len(outcomes) == len(handles) == 300


def test_close_leaves_no_thread_and_no_registry_entry(gate) -> None:
    """I8: right after close(), compared by threading.enumerate (what the process has once may stay)."""
    with AgentPool() as warm_up:
        warm_up.spawn(echo()).result(timeout=WAIT)
    before = set(threading.enumerate())
    registered = set(pykka.ActorRegistry.get_all())
    pool = AgentPool(max_concurrent=4, max_queued=None, on_event=lambda event: None)
    pool.fan_out([echo() for _ in range(50)])
    pool.spawn(doing(lambda agent, _: agent.receive()))
    pool.spawn(sleeper(gate, timeout=5.0))
    gate.next()
    pool.close()
    left = [thread for thread in set(threading.enumerate()) - before if "loop" not in thread.name.lower()]
    assert left == []
    assert set(pykka.ActorRegistry.get_all()) <= registered
    assert len(pool.join_all(timeout=0)) == 52


def test_close_from_two_threads(gate) -> None:
    """Both return when it is closed."""
    pool = AgentPool()
    pool.spawn(sleeper(gate))
    gate.next()
    calls = [Background(pool.close) for _ in range(2)]
    for call in calls:
        call.result()
    assert pool.join_next(timeout=0).status == "cancelled"


def test_an_agent_may_not_hang_its_pool_by_closing_it() -> None:
    """close() inside an agent returns or raises; nothing hangs."""
    holder = {}

    def run(agent, query):
        try:
            holder["pool"].close()
        except Exception as error:
            return type(error).__name__
        return "closed"

    pool = AgentPool(abort_timeout=1.0)
    holder["pool"] = pool
    handle = pool.spawn(doing(run))
    handle.outcome(timeout=WAIT)
    closing = Background(pool.close)
    closing.result()


def test_a_driver_that_ignores_the_cancel_is_abandoned() -> None:
    """A function driver that hangs cannot hold the pool."""
    gate = Gate()
    driver = FunctionDriver(lambda request: gate.arrive() or "late")
    try:
        with AgentPool(driver, abort_timeout=0.3) as pool:
            handle = pool.spawn(SpawnConfig(manifest=manifest(), query="?"))
            gate.next()
            begin = time.monotonic()
            handle.cancel("stuck")
            assert handle.outcome(timeout=WAIT).status in ("abandoned", "cancelled")
            assert time.monotonic() - begin < 4
            gate.open()
            eventually(lambda: pool.stats().abandoned_threads == 0)
    finally:
        gate.open()


def test_an_aborted_pool_in_a_worker_thread() -> None:
    """A pool may be made, used and closed in any thread."""

    def work():
        with AgentPool(max_concurrent=2, max_queued=None) as pool:
            return len(list(pool.map(echo(str(n)) for n in range(20))))

    assert [call.result() for call in [Background(work) for _ in range(3)]] == [20, 20, 20]
    assert os.getpid() > 0
