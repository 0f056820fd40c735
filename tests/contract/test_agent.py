"""Agent: members, hooks, parking, identity."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
import time

import pykka
import pytest

from actors import Agent, AgentMessage, AgentPool, InMemorySubstrate, SpawnConfig
from actors.errors import AgentError, Cancelled, CapacityError, DeadlockError, NotRegistered

from ..waiting import eventually, until_parked
from .doubles import WAIT, Background, Doing, doing, echo, held, manifest, sleeper


class WordCount(Agent[int]):
    def run(self, query: str) -> int:
        self.checkpoint()
        self.send(0, f"{self.agent_id} is at it")
        return len(query.split())


def test_the_example_of_the_design() -> None:
    """WordCount counts, and reports to the program."""
    with AgentPool() as pool:
        handle = pool.spawn(SpawnConfig(manifest=manifest(), query="a b c", agent=WordCount))
        assert handle.result(timeout=WAIT) == 3
        assert pool.inbox.receive(timeout=WAIT).content == "1 is at it"


def test_start_points_to_the_pool() -> None:
    """WordCount.start() says "use pool.spawn"."""
    with pytest.raises(Exception, match=r"pool\.spawn"):
        WordCount.start()


def test_each_agent_is_a_pykka_actor() -> None:
    """isinstance, and a reference of its own."""
    with AgentPool() as pool:

        def run(agent, query):
            return (
                isinstance(agent, pykka.Actor),
                isinstance(agent.actor_ref, pykka.ActorRef),
                agent.actor_ref.is_alive(),
            )

        assert pool.spawn(doing(run)).result(timeout=WAIT) == (True, True, True)


def test_members_are_there_in_run_and_hooks() -> None:
    """agent_id, manifest, inbox, memory, driver, tools, cancel_token, deadline."""
    names = ("agent_id", "manifest", "inbox", "memory", "driver", "tools", "cancel_token", "deadline")
    memory = InMemorySubstrate()
    seen = []

    def look(agent, _=None):
        seen.append({name: getattr(agent, name) for name in names})

    with AgentPool(memory=memory) as pool:
        handle = pool.spawn(doing(look, name="ann", starting=look, ending=look))
        handle.outcome(timeout=WAIT)
    assert len(seen) == 3
    for members in seen:
        assert members["agent_id"] == 1
        assert members["manifest"].name == "ann"
        assert members["memory"] is memory
        assert members["driver"] is None
        assert members["cancel_token"].cancelled is False
    assert len(seen[1]["inbox"]) == 0


def test_hooks_run_in_order_on_one_worker_thread() -> None:
    """__init__, on_start, run, on_end: each once, on the agent's thread, never on the caller's."""
    steps = []

    class Stepper(Agent):
        def __init__(self):
            self.step("init")

        def step(self, name, detail=None):
            steps.append((name, threading.current_thread(), detail))

        def on_start(self):
            self.step("on_start")

        def run(self, query):
            self.step("run")
            return "value"

        def on_end(self, outcome):
            self.step("on_end", (outcome.status, outcome.result))

    with AgentPool() as pool:
        pool.spawn(SpawnConfig(manifest=manifest(), query="", agent=Stepper)).outcome(timeout=WAIT)
    assert [name for name, _, _ in steps] == ["init", "on_start", "run", "on_end"]
    assert len({thread for _, thread, _ in steps}) == 1
    assert steps[0][1] is not threading.current_thread()
    assert steps[3][2] == ("completed", "value")


def test_on_end_sees_every_way_to_end(gate) -> None:
    """Once each, with the status that the caller will see."""
    from actors.errors import ToolFailed

    ends = []

    def fail(agent, query):
        raise ToolFailed("x")

    def note(agent, outcome):
        ends.append((agent.agent_id, str(outcome.status)))

    with AgentPool(max_concurrent=8) as pool:
        pool.spawn(doing(lambda agent, _: 1, ending=note))
        pool.spawn(doing(fail, ending=note))
        pool.spawn(doing(lambda agent, _: 1 / 0, ending=note))
        pool.spawn(sleeper(gate, ending=note)).cancel()
        pool.spawn(sleeper(gate, ending=note, timeout=0.05))
        pool.join_all(timeout=WAIT)
        # An agent cancelled before its first step may never have been built.
        assert sorted(ends) in (
            [(1, "completed"), (2, "failed"), (3, "crashed"), (4, "cancelled"), (5, "timed_out")],
            [(1, "completed"), (2, "failed"), (3, "crashed"), (5, "timed_out")],
        )


def test_outcome_is_visible_only_after_the_cleanup(gate) -> None:
    """I10: while on_end runs the agent is not done; afterwards the router has forgotten it."""
    with AgentPool() as pool:
        handle = pool.spawn(doing(lambda agent, _: "v", ending=lambda agent, outcome: gate.arrive("end")))
        assert gate.next() == "end"
        assert not handle.done()
        with pytest.raises(TimeoutError):
            handle.result(timeout=0.05)
        with pytest.raises(TimeoutError):
            pool.join_next(timeout=0.05)
        gate.open()
        assert pool.join_next(timeout=WAIT).result == "v"
        assert pool.router.agent_count == 0
        assert pool.active_count == 0
        with pytest.raises(NotRegistered):
            pool.router.send(AgentMessage(sender=0, to=handle.id, content="late"))


def test_checkpoint_raises_at_each_later_one(gate) -> None:
    """Cancelled is a BaseException that ``except Exception`` cannot swallow; it comes again and again."""
    assert issubclass(Cancelled, BaseException)
    assert not issubclass(Cancelled, Exception)
    caught = []

    def run(agent, query):
        agent.checkpoint()
        gate.arrive()
        agent.cancel_token.wait(WAIT)  # it was cancelled, but a node may hear of it only now
        for _ in range(3):
            try:
                try:
                    agent.checkpoint()
                except Exception:
                    caught.append("swallowed")
            except Cancelled as error:
                caught.append(str(error))
        for wait in (lambda: agent.sleep(WAIT), lambda: agent.receive(timeout=WAIT)):
            try:
                wait()
            except Cancelled:
                caught.append("again")
        agent.checkpoint()

    with AgentPool() as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        handle.cancel("why not")
        gate.open()
        assert handle.outcome(timeout=WAIT).status == "cancelled"
    assert len(caught) == 5
    assert "swallowed" not in caught
    assert caught[3:] == ["again", "again"]


def test_checkpoint_sees_the_deadline() -> None:
    """A busy agent that looks ends when its time is over."""

    def run(agent, query):
        while True:
            agent.checkpoint()

    with AgentPool() as pool:
        outcome = pool.spawn(doing(run, timeout=0.1)).outcome(timeout=WAIT)
    assert outcome.status == "timed_out"
    assert outcome.duration < 5


def test_cancel_token_tells_the_reason(gate) -> None:
    """.cancelled, .reason, .check(), .wait(), .on_cancel()."""
    told = []

    def run(agent, query):
        token = agent.cancel_token
        forget = token.on_cancel(lambda: told.append("forgotten"))
        token.on_cancel(lambda: told.append("told"))
        forget()
        token.check()
        assert token.wait(0) is False
        gate.note("ready")
        assert token.wait(WAIT) is True
        return token.cancelled, token.reason

    with AgentPool() as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        handle.cancel("because")
        assert handle.result(timeout=WAIT) == (True, "because")
    assert told == ["told"]


def test_messages_between_agents_keep_their_order() -> None:
    """I4: first in, first out; sender and receiver are named."""

    def receive(agent, query):
        got = [agent.receive(timeout=WAIT) for _ in range(20)]
        return [(message.sender, message.to, message.content) for message in got]

    with AgentPool() as pool:
        receiver = pool.spawn(doing(receive))
        sender = pool.spawn(doing(lambda agent, _: [agent.send(receiver.id, n) for n in range(20)]))
        assert receiver.result(timeout=WAIT) == [(sender.id, receiver.id, n) for n in range(20)]


def test_receive_times_out() -> None:
    """The built-in TimeoutError; timeout=0 does not wait."""

    def run(agent, query):
        times = []
        for timeout in (0, 0.1):
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                agent.receive(timeout=timeout)
            times.append(time.monotonic() - begin)
        return times

    with AgentPool() as pool:
        times = pool.spawn(doing(run)).result(timeout=WAIT)
    assert times[0] < 1
    assert 0.09 <= times[1] < 3


def test_inbox_is_the_receiving_end(gate) -> None:
    """receive_nowait, receive, len."""

    def run(agent, query):
        assert agent.inbox.receive_nowait() is None
        gate.arrive()
        sizes = [len(agent.inbox)]
        first = agent.inbox.receive_nowait()
        second = agent.inbox.receive(timeout=WAIT)
        return sizes, first.content, second.content, len(agent.inbox)

    with AgentPool() as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        for content in ("a", "b"):
            pool.router.send(AgentMessage(sender=0, to=handle.id, content=content))
        gate.open()
        assert handle.result(timeout=WAIT) == ([2], "a", "b", 0)


def test_send_to_nobody() -> None:
    """NotRegistered carries the message back."""

    def run(agent, query):
        with pytest.raises(NotRegistered) as caught:
            agent.send(999, "hello?")
        return caught.value.message

    with AgentPool() as pool:
        message = pool.spawn(doing(run)).result(timeout=WAIT)
    assert (message.sender, message.to, message.content) == (1, 999, "hello?")


@pytest.mark.parametrize("wait", ["receive", "parked", "child"])
def test_waiting_for_others_needs_no_slot(gate, wait) -> None:
    """receive, parked() and a wait for an outcome park: another agent runs meanwhile."""
    other_done = threading.Event()

    def run(agent, query):
        gate.note("in")
        if wait == "receive":
            return agent.receive(timeout=WAIT).content
        if wait == "parked":
            with agent.parked():
                assert other_done.wait(WAIT)
            return "go"
        return agent.spawn(doing(lambda child, _: child.receive(timeout=WAIT).content)).result(timeout=WAIT)

    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        until_parked(pool, handle)
        assert pool.spawn(echo("other"), timeout=WAIT).result(timeout=WAIT) == "other"
        other_done.set()
        if wait != "parked":
            target = handle.id if wait == "receive" else 2
            pool.router.send(AgentMessage(sender=0, to=target, content="go"), timeout=WAIT)
        assert handle.result(timeout=WAIT) == "go"


def test_sleep_keeps_the_slot(gate) -> None:
    """No other agent gets it."""
    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(sleeper(gate))
        gate.next()
        with pytest.raises(CapacityError):
            pool.spawn(echo(), timeout=0.15)
        assert handle.status == "running"
        handle.cancel()


@pytest.mark.parametrize("wait", ["sleep", "receive", "join", "parked_token"])
def test_a_cancel_wakes_every_wait(gate, wait) -> None:
    """Long before the wait would have ended."""

    def run(agent, query):
        child = agent.spawn(doing(lambda child, _: child.sleep(60))) if wait == "join" else None
        gate.note("in")
        if wait == "sleep":
            agent.sleep(60)
        elif wait == "receive":
            agent.receive()
        elif child is not None:
            child.result()
        else:
            with agent.parked():
                agent.cancel_token.wait(60)
        agent.checkpoint()

    with AgentPool() as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        begin = time.monotonic()
        handle.cancel("wake up")
        assert handle.outcome(timeout=WAIT).status == "cancelled"
        assert time.monotonic() - begin < 3


def test_woken_agents_come_before_queued_ones(gate) -> None:
    """A free slot goes to the woken agent, then to the queue."""
    order = []

    def waiter(agent, query):
        gate.note("waiter")
        agent.receive(timeout=WAIT)
        order.append("woken")

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        parked = pool.spawn(doing(waiter))
        gate.next()
        until_parked(pool, parked)
        pool.spawn(held(gate, "busy"))
        assert gate.next() == "busy"
        for _ in range(20):
            pool.spawn(doing(lambda agent, _: order.append("queued") or agent.sleep(0.02)))
        pool.router.send(AgentMessage(sender=0, to=parked.id, content="go"))
        gate.open()
        pool.join_all(timeout=WAIT)
    assert order[0] == "woken"


def test_context_variables_are_copied() -> None:
    """The spawner's values are seen; what an agent sets, stays with it."""
    var = contextvars.ContextVar("var", default="default")

    def run(agent, query):
        seen = var.get()
        var.set("changed by " + query)
        return seen

    with AgentPool(max_concurrent=1) as pool:
        var.set("outer")
        assert pool.spawn(doing(run, "one")).result(timeout=WAIT) == "outer"
        assert pool.spawn(doing(run, "two")).result(timeout=WAIT) == "outer"
        assert var.get() == "outer"
        var.set("outer 2")
        assert pool.submit(var.get).result(timeout=WAIT) == "outer 2"


def test_context_of_a_parent_reaches_its_child() -> None:
    """The context of the spawning thread is that of the parent."""
    var = contextvars.ContextVar("var", default="default")

    def run(agent, query):
        var.set("parent")
        return agent.spawn(doing(lambda child, _: var.get())).result(timeout=WAIT)

    with AgentPool() as pool:
        assert pool.spawn(doing(run)).result(timeout=WAIT) == "parent"


def test_log_lines_are_bound_to_the_agent() -> None:
    """extra has agent_id and agent, also for the user's own lines."""
    from loguru import logger

    records = []
    sink = logger.add(lambda message: records.append(message.record), level="INFO")
    try:
        with AgentPool() as pool:
            pool.spawn(doing(lambda agent, _: logger.info("from inside"), name="ann")).result(timeout=WAIT)
            logger.info("from outside")
    finally:
        logger.remove(sink)
    inside = next(record for record in records if record["message"] == "from inside")
    outside = next(record for record in records if record["message"] == "from outside")
    assert inside["extra"]["agent_id"] == 1
    assert inside["extra"]["agent"] == "ann"
    assert "agent_id" not in outside["extra"]


@pytest.mark.process
def test_the_library_is_silent_until_log_is_called() -> None:
    """actors.log() turns our lines on, at stderr."""
    program = (
        "import actors, sys\n"
        "class Bad(actors.Agent):\n"
        "    def run(self, query): return 1\n"
        "    def on_end(self, outcome): raise RuntimeError('end broke')\n"
        "if sys.argv[1] == 'on': actors.log()\n"
        "with actors.AgentPool() as pool:\n"
        "    pool.spawn(actors.SpawnConfig(manifest=actors.AgentManifest(name='x'), query='', agent=Bad))\n"
    )
    said = {}
    for mode in ("off", "on"):
        done = subprocess.run(
            [sys.executable, "-c", program, mode], capture_output=True, text=True, timeout=WAIT, check=True
        )
        assert done.stdout == ""
        said[mode] = done.stderr
    assert said["off"] == ""
    assert "end broke" in said["on"]


def test_join_all_inside_an_agent_is_a_deadlock() -> None:
    """DeadlockError at once."""
    holder = {}

    def run(agent, query):
        begin = time.monotonic()
        with pytest.raises(DeadlockError):
            holder["pool"].join_all(timeout=5)
        return time.monotonic() - begin

    with AgentPool() as pool:
        holder["pool"] = pool
        assert pool.spawn(doing(run)).result(timeout=WAIT) < 3


def test_waiting_for_oneself_or_an_ancestor_is_a_deadlock(gate) -> None:
    """DeadlockError at once, with a path."""
    handles = {}

    def own(agent, query):
        gate.arrive()
        with pytest.raises(DeadlockError) as caught:
            handles["own"].result(timeout=5)
        return len(caught.value.path)

    def child(agent, query):
        with pytest.raises(DeadlockError) as caught:
            handles["parent"].result(timeout=5)
        return len(caught.value.path)

    def parent(agent, query):
        gate.arrive()
        return agent.spawn(doing(child)).result(timeout=WAIT)

    with AgentPool() as pool:
        handles["own"] = pool.spawn(doing(own))
        handles["parent"] = pool.spawn(doing(parent))
        gate.next(), gate.next()
        begin = time.monotonic()
        gate.open()
        assert handles["own"].result(timeout=WAIT) >= 1
        assert handles["parent"].result(timeout=WAIT) >= 1
        assert time.monotonic() - begin < 3


def test_two_agents_that_wait_for_each_other(gate) -> None:
    """One of them gets the DeadlockError; both end."""
    handles = {}

    def run(agent, query):
        gate.arrive()
        try:
            return handles[query].result(timeout=WAIT)
        except DeadlockError as error:
            return f"deadlock {len(error.path) >= 2}"

    with AgentPool() as pool:
        handles["a"] = pool.spawn(doing(run, "b"))
        handles["b"] = pool.spawn(doing(run, "a"))
        gate.next(), gate.next()
        gate.open()
        results = {handle.result(timeout=WAIT) for handle in handles.values()}
    assert results == {"deadlock True"}


def test_agents_may_wait_for_handles_of_others(gate) -> None:
    """No circle: an ordinary wait that parks."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        target = pool.spawn(held(gate, "target"))
        gate.next()
        waiter = pool.spawn(doing(lambda agent, _: target.result(timeout=WAIT)))
        gate.open()
        assert waiter.result(timeout=WAIT) == "target"


def test_errors_raised_inside_share_the_root() -> None:
    """A user's subclass of AgentError is failed, keeps its class."""

    class Mine(AgentError):
        pass

    def run(agent, query):
        raise Mine("m")

    with AgentPool() as pool, pytest.raises(Mine):
        pool.spawn(doing(run)).result(timeout=WAIT)


def test_unread_messages_become_dead_letters() -> None:
    """I1: accepted and never read: a dead letter with a reason."""
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        go = threading.Event()
        handle = pool.spawn(doing(lambda agent, _: go.wait(WAIT)))
        for number in range(3):
            pool.router.send(AgentMessage(sender=0, to=handle.id, content=f"unread {number}"))
        go.set()
        handle.outcome(timeout=WAIT)
        letters = list(pool.router.dead_letters)
        assert len(letters) == 3
        assert pool.stats().dead_letters == 3
        assert all(letter.reason for letter in letters)
        assert [f"unread {number}" in repr(letter) for number, letter in enumerate(letters)] == [True] * 3


def test_blocked_sender_is_woken_when_its_target_ends(gate) -> None:
    """InboxClosed, with the message."""
    from actors.errors import InboxClosed

    with AgentPool(inbox_capacity=1) as pool:
        handle = pool.spawn(held(gate))
        gate.next()
        pool.router.send(AgentMessage(sender=0, to=handle.id, content="fills it"))
        late = AgentMessage(sender=0, to=handle.id, content="waits")
        call = Background(lambda: pool.router.send(late, timeout=WAIT))
        eventually(call.blocked)
        gate.open()
        with pytest.raises(InboxClosed) as caught:
            call.result()
        assert caught.value.message == late
        assert call.seconds < 5


def test_reading_makes_room_for_a_blocked_sender(gate) -> None:
    """A sender that waits goes on as soon as the receiver reads."""

    def run(agent, query):
        gate.arrive()
        return [agent.receive(timeout=WAIT).content for _ in range(2)]

    with AgentPool(inbox_capacity=1) as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        pool.router.send(AgentMessage(sender=0, to=handle.id, content=1))
        call = Background(lambda: pool.router.send(AgentMessage(sender=0, to=handle.id, content=2), timeout=WAIT))
        eventually(call.blocked)
        gate.open()
        call.result()
        assert handle.result(timeout=WAIT) == [1, 2]


def test_worker_threads_are_reused() -> None:
    """One after the other: not one thread each."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        pool.fan_out([doing(lambda agent, _: threading.get_ident()) for _ in range(50)])
        idents = {outcome.result for outcome in pool.join_all(timeout=WAIT).values()}
    assert len(idents) <= 3


def test_no_user_code_runs_on_the_callers_thread() -> None:
    """Agent classes are built on workers only."""
    threads = []

    class Where(Doing):
        def __init__(self):
            threads.append(threading.current_thread())
            super().__init__(lambda agent, query: None)

    with AgentPool() as pool:
        pool.fan_out([SpawnConfig(manifest=manifest(), query="", agent=Where) for _ in range(4)])
        pool.join_all(timeout=WAIT)
    assert len(threads) == 4
    assert threading.current_thread() not in threads
