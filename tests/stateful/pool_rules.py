"""What agents and the program do while they live: start, send, wait."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from actors import ActorDead, AgentMessage, CapacityError, InboxFull, NotRegistered

from .aside import in_threads
from .life import Life, Plan
from .pool_machine import FAULT_NAMES, HARMLESS_FAULT, MAYBE_FAULT, PROGRAM, PoolMachine
from .profile import always, when
from .stage import BOUND

INDEX = st.integers(0, 30)
BIRTH = st.one_of(st.none(), st.none(), st.none(), st.tuples(st.sampled_from(["init", "start"]), FAULT_NAMES))
PLANS = st.builds(
    Plan,
    number=st.just(0),
    births=st.lists(BIRTH, max_size=3).map(tuple),
    end_fault=MAYBE_FAULT,
    priority=st.sampled_from([0, 0, 0, 1]),
    group=st.sampled_from([None, None, "a", "b"]),
    limit=st.sampled_from([None] * 9 + ["timeout", "deadline"]),
    call_fault=HARMLESS_FAULT,
)


def pick(lives: list[Any], index: int) -> Any:
    """One of them."""
    return lives[index % len(lives)]


def anybody(machine: PoolMachine, index: int) -> Life:
    """Mostly one that has not ended; those that have are more and more."""
    unended = machine.model.unended()
    return pick(unended if unended and index < 25 else list(machine.model.lives.values()), index)


def ending(machine: PoolMachine, index: int) -> Life:
    """An idle one that is to end: each second time one that has children."""
    idle = machine.model.idle()
    parents = [life for life in idle if len(life.below()) > 1]
    return pick(parents if parents and index % 2 else idle, index // 2)


def somebody_idle(machine: PoolMachine) -> bool:
    """Is there one to be told what to do?"""
    return bool(machine.model.idle())


def somebody_known(machine: PoolMachine) -> bool:
    """Was anybody ever admitted?"""
    return bool(machine.model.lives)


class LivingMachine(PoolMachine):
    """The rules of life; those of the end stand in ``test_pool_machine.py``."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = iter(range(1, 1_000_000))

    def number(self) -> int:
        """A number not used before: of an agent or of a message."""
        return next(self._numbers)

    def numbered(self, plan: Plan) -> Plan:
        """*plan* with a number of its own."""
        return Plan(**{**vars(plan), "number": self.number()})

    def otherwise(self) -> None:
        """A rule found nobody to steer: somebody is started, if there is room."""
        if not self.model.idle() and self.model.has_room(1):
            self.acted = True
            plan = Plan(self.number())
            self.admitted(self.pool.spawn(self.config(plan), timeout=BOUND), plan)

    # Starting ---------------------------------------------------------------------------------------------------

    @rule(plan=PLANS)
    @when(always)
    def spawn(self, plan: Plan) -> None:
        """One agent is admitted, or refused for lack of room."""
        plan = self.numbered(plan)
        if self.model.has_room(1):
            # Not 0: an agent that has just parked may be about to lay out its slot.
            self.admitted(self.pool.spawn(self.config(plan), timeout=BOUND), plan)
        else:
            with pytest.raises(CapacityError):
                self.pool.spawn(self.config(plan))

    @rule(plans=st.lists(PLANS, min_size=1, max_size=4))
    @when(always)
    def fan_out(self, plans: list[Plan]) -> None:
        """All are admitted, or none is."""
        plans = [self.numbered(plan) for plan in plans]
        configs = [self.config(plan) for plan in plans]
        if self.model.has_room(len(plans)):
            for handle, plan in zip(self.pool.fan_out(configs, timeout=BOUND), plans, strict=True):
                self.admitted(handle, plan)
        else:
            with pytest.raises(CapacityError):
                self.pool.fan_out(configs)

    @rule(plan=PLANS, index=INDEX)
    @when(lambda self: somebody_idle(self) and not self.model.has_room(1) and self.model.queue_moves())
    def spawn_waits_for_room(self, plan: Plan, index: int) -> None:
        """A spawn that waits is admitted once somebody ends."""
        plan = self.numbered(plan)
        life = pick(self.model.idle(), index)

        def end() -> None:
            self.command(life, "return", life.id)

        self.model.finish(life, "completed", life.id)
        self.model.expected = plan  # others may start before it is admitted: its first event tells when
        handle, _ = in_threads(lambda: self.pool.spawn(self.config(plan), timeout=BOUND), end)
        assert not isinstance(handle, BaseException), handle
        self.admitted(handle, plan)

    @rule(plan=PLANS, index=INDEX)
    @when(somebody_idle)
    def spawn_child(self, plan: Plan, index: int) -> None:
        """A child is never refused for lack of room."""
        life = pick(self.model.idle(), index)
        plan = self.numbered(Plan(**{**vars(plan), "call_fault": None}))
        self.model.expected = plan
        self.command(life, "spawn", self.config(plan), ("spawn", None))

    # Messages ---------------------------------------------------------------------------------------------------

    @rule(index=INDEX, timeout=st.sampled_from([None, None, 0.0]))
    @when(somebody_idle)
    def receive(self, index: int, timeout: float | None) -> None:
        """An agent takes its next message; without a timeout it waits for one."""
        self.command(pick(self.model.idle(), index), "receive", timeout, ("receive", timeout))

    @rule(index=INDEX, to=INDEX)
    @when(somebody_idle)
    def send(self, index: int, to: int) -> None:
        """An agent sends to another, to itself, to the program or to nobody."""
        life = pick(self.model.idle(), index)
        target = anybody(self, to).id if to % 3 else pick([PROGRAM, PROGRAM, 1_000_000], to // 3)
        content = self.number()
        result = self.model.send(("msg", life.id, content), target) or "ok"
        self.command(life, "send", (target, content, 0.0), ("send", result))

    @rule(index=INDEX, to=INDEX)
    @when(lambda self: somebody_idle(self) and self.full())
    def send_waits_for_room(self, index: int, to: int) -> None:
        """A sender waits until the receiver has room, or ends."""
        target = pick(self.full(), to)
        senders = [life for life in self.model.idle() if life is not target]
        if senders:
            life, content = pick(senders, index), self.number()
            target.putter = (life, ("msg", life.id, content))
            self.command(life, "send", (target.id, content, None), ("send", "waits"))

    @rule(index=INDEX, sender=INDEX)
    @when(lambda self: len(self.model.idle()) > 1)
    def fill_and_wait_for_room(self, index: int, sender: int) -> None:
        """The program fills the mailbox of one agent, and another one waits for room in it."""
        idle = self.model.idle()
        target = idle.pop(index % len(idle))
        while len(target.inbox) < self.model.capacity:
            content = self.number()
            self.model.send(("msg", PROGRAM, content), target.id)
            self.pool.router.send(AgentMessage(PROGRAM, target.id, content))
        if target.putter is None:
            life, content = pick(idle, sender), self.number()
            target.putter = (life, ("msg", life.id, content))
            self.command(life, "send", (target.id, content, None), ("send", "waits"))

    def full(self) -> list[Life]:
        """Those whose mailboxes are full, and for whom nobody waits yet."""
        full = [life for life in self.model.unended() if len(life.inbox) >= self.model.capacity]
        return [life for life in full if life.putter is None]

    @rule(index=INDEX)
    @when(somebody_known)
    def send_from_program(self, index: int) -> None:
        """The program sends."""
        life = anybody(self, index)
        content = self.number()
        refusal = self.model.send(("msg", PROGRAM, content), life.id)
        message = AgentMessage(PROGRAM, life.id, content)
        if refusal is None:
            self.pool.router.send(message)
        else:
            with pytest.raises({"NotRegistered": NotRegistered, "InboxFull": InboxFull}[refusal]) as caught:
                self.pool.router.send(message)
            assert caught.value.message == message

    @rule(index=INDEX)
    @when(lambda self: self.stage.refs)
    def ask_agent(self, index: int) -> None:
        """The program asks an agent, which answers when it next reads its mailbox, or ends before."""
        id_ = pick(sorted(self.stage.refs), index)
        life, content = self.model.lives[id_], self.number()
        refusal = self.model.send(("ask", PROGRAM, content), id_)
        future = self.stage.refs[id_].ask_future(content)
        if refusal is None:
            self.asks.append((future, content, life))
        else:
            with pytest.raises({"NotRegistered": ActorDead, "InboxFull": InboxFull}[refusal]):
                future.result(0)

    @rule()
    @when(always)
    def read_program_inbox(self) -> None:
        """The program reads what agents sent to it."""
        message = self.pool.inbox.receive_nowait()
        if self.model.program:
            assert message is not None
            assert ("msg", message.sender, message.content) == self.model.program.popleft()
        else:
            assert message is None

    # Waiting ----------------------------------------------------------------------------------------------------

    @rule(index=INDEX)
    @when(somebody_idle)
    def park(self, index: int) -> None:
        """An agent waits for something of its own, without needing its slot."""
        gate = threading.Event()
        self.command(pick(self.model.idle(), index), "park", gate, ("park", gate))

    @rule(index=INDEX)
    @when(lambda self: self.at_gates())
    def unpark(self, index: int) -> None:
        """What it waits for has come."""
        pick(self.at_gates(), index).activity[1].set()

    def at_gates(self) -> list[Life]:
        """Those that wait at a closed gate."""
        return [life for life in self.model.at("live") if life.kind == "park" and not life.can_go_on()]

    @rule(index=INDEX)
    @when(lambda self: any(not life.inbox for life in self.model.idle()))
    def wake_without_a_slot(self, index: int) -> None:
        """An agent waits for a message, others take its slot and queue for more, and then the message comes."""
        life = pick([life for life in self.model.idle() if not life.inbox], index)
        self.command(life, "receive", None, ("receive", None))
        self.settle()
        for _ in range(self.model.limit + 1):
            if self.model.has_room(1) and not self.model.queued():
                plan = Plan(self.number())
                self.admitted(self.pool.spawn(self.config(plan), timeout=BOUND), plan)
                self.settle()
        content = self.number()
        assert self.model.send(("msg", PROGRAM, content), life.id) is None
        self.pool.router.send(AgentMessage(PROGRAM, life.id, content))

    @rule(index=INDEX, whom=INDEX)
    @when(somebody_idle)
    def await_agent(self, index: int, whom: int) -> None:
        """An agent waits for the outcome of any agent; a circle is refused at once."""
        idle = self.model.idle()
        children = [life for life in idle if life.parent is not None]
        life = pick(children if children and index % 2 else idle, index // 2)
        other = life.parent if life.parent is not None and whom % 2 else anybody(self, whom)
        ended = other.stage == "ended"
        circle = not ended and self.model.closes_circle(life, other)
        self.command(life, "await", other.id, ("await", "DeadlockError" if circle else other))

    @rule(index=INDEX)
    @when(somebody_idle)
    def child_awaits_its_parent(self, index: int) -> None:
        """A child that gets a slot waits for its parent, or for the parent of that: refused at once."""
        parent = pick(self.model.idle(), index)
        plan = Plan(self.number())
        self.model.expected = plan
        self.command(parent, "spawn", self.config(plan), ("spawn", None))
        self.settle()
        child = parent.children[-1]
        if child.is_ready:
            ancestor = parent.parent if parent.parent is not None and index % 2 else parent
            self.command(child, "await", ancestor.id, ("await", "DeadlockError"))

    @rule(index=INDEX, steps=st.integers(2, 3))
    @when(lambda self: len(self.model.idle()) > 1)
    def await_in_a_circle(self, index: int, steps: int) -> None:
        """Each waits for the next: the last one, who closes the circle, is told at once."""
        idle = self.model.idle()
        start = index % len(idle)
        circle = [*idle[start:], *idle[:start]][:steps]
        for life, other in zip(circle, [*circle[1:], circle[0]], strict=True):
            closes = self.model.closes_circle(life, other)
            self.command(life, "await", other.id, ("await", "DeadlockError" if closes else other))
            self.settle()

    @rule(index=INDEX, kind=st.sampled_from(["ask_self", "join_all", "drain"]))
    @when(somebody_idle)
    def wait_for_oneself(self, index: int, kind: str) -> None:
        """An agent cannot wait for itself."""
        self.command(pick(self.model.idle(), index), kind, None, (kind, "DeadlockError"))

    @rule(index=INDEX)
    @when(somebody_idle)
    def ask_oracle(self, index: int) -> None:
        """An agent asks a long-lived actor."""
        content = self.number()
        self.command(pick(self.model.idle(), index), "ask", (self.oracle, content), ("ask", content))

    @rule(answers=st.booleans())
    @when(lambda self: self.model.asked is not None)
    def oracle_answers(self, answers: bool) -> None:
        """The actor answers, or its handler raises; who asked may have gone meanwhile."""
        asked, self.model.asked = self.model.asked, None
        for life in self.model.at("live"):
            if life.activity == ("ask", asked):
                life.answered = (answers, asked)
        self.answer_oracle((answers, asked))
