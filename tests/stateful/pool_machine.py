"""A pool beside its model: how they are opened, compared after each step, and closed."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pykka
import pytest
from hypothesis import event as note, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from actors import (
    AgentHandle,
    AgentMessage,
    AgentOutcome,
    AgentPool,
    AgentStatus,
    Backoff,
    Event,
    NotRegistered,
    PoolClosed,
    RestartPolicy,
    SpawnConfig,
)

from .aside import in_threads, threads
from .life import Life, Plan
from .model import PoolModel
from .scripted import FAULTS, MANIFEST, Oracle, ScriptedAgent, fault
from .stage import BOUND, Stage

PROGRAM = 0
COUNTS: Counter[str] = Counter()
"""Examples and steps so far: for the one who runs them."""

FAULT_NAMES = st.sampled_from(sorted(FAULTS))
MAYBE_FAULT = st.one_of(st.none(), st.none(), st.none(), FAULT_NAMES)
HARMLESS_FAULT = MAYBE_FAULT.filter(lambda name: name != "KeyboardInterrupt")
"""For callbacks: a Ctrl-C in one that the main thread calls is the user's own."""


class PoolMachine(RuleBasedStateMachine):
    """Opens a pool and its model, compares them at rest after each rule, and closes them."""

    pool: AgentPool

    def __init__(self) -> None:
        super().__init__()
        self.is_open = False
        self.acted = False
        self.calls: Counter[int] = Counter()
        self.asks: list[tuple[Any, int, Life]] = []
        self.before = threads()
        self.registered = set(pykka.ActorRegistry.get_all())

    @initialize(
        limit=st.integers(1, 3),
        max_queued=st.sampled_from([0, 1, 3, None]),
        extra_live=st.sampled_from([None, None, 0, 2]),
        capacity=st.integers(1, 3),
        max_restarts=st.integers(0, 2),
        long_backoff=st.booleans(),
        sink_fault=MAYBE_FAULT,
    )
    def open_pool(
        self,
        limit: int,
        max_queued: int | None,
        extra_live: int | None,
        capacity: int,
        max_restarts: int,
        long_backoff: bool,
        sink_fault: str | None,
    ) -> None:
        """Every example has a pool of its own."""
        COUNTS["examples"] += 1
        max_live = None if extra_live is None else limit + extra_live
        self.stage = Stage(limit)
        self.model = PoolModel(
            limit,
            max_queued=max_queued,
            max_live=max_live,
            capacity=capacity,
            max_restarts=max_restarts,
            long_backoff=long_backoff,
        )

        def sink(event: Event) -> None:
            self.stage.log.add("event", event)
            if sink_fault is not None and event.seq % 3 == 0:
                raise fault(sink_fault)

        self.pool = self.stage.pool = AgentPool(
            max_concurrent=limit,
            max_queued=max_queued,
            max_live=max_live,
            inbox_capacity=capacity,
            on_event=sink,
            restart=RestartPolicy(
                max_restarts,
                window=3600.0,
                backoff=Backoff(base=3600.0 if long_backoff else 0.0, jitter=0, maximum=3600.0),
            ),
            abort_timeout=BOUND,
        )
        self.oracle = Oracle.start(self.stage)
        self.is_open = True
        self.model.begin_step()

    # Waiting for rest -------------------------------------------------------------------------------------------

    def _consume(self, kind: str, value: Any) -> None:
        if kind == "event":
            self.model.apply(value)
        elif kind == "asked":
            self.model.asked = value
        elif kind == "called":
            id_, visible, registered = value
            self.calls[id_] += 1
            assert visible, f"the callback of agent {id_} came before its outcome"
            assert not registered, f"the callback of agent {id_} came before its id was forgotten"

    def _is_quiet(self) -> bool:
        # Those that the program started have a done callback each.
        return self.model.is_quiet() and all(
            self.calls[life.id] == int(life.parent is None) for life in self.model.at("ended")
        )

    def settle(self) -> None:
        """Wait until nothing more happens by itself."""
        if not self.stage.log.follow(self._consume, self._is_quiet):
            lives = "\n".join(f"{life.id}: {self.model.rest_of(life)} {life}" for life in self.model.unended())
            pytest.fail(f"it did not come to rest:\n{lives}\n{self.pool.dump()}")
        assert not self.stage.log.violations, self.stage.log.violations

    @invariant()
    def agree(self) -> None:
        """The pool is what the model says."""
        if not self.acted:
            return
        self.acted = False
        COUNTS["steps"] += 1
        self.settle()
        self.model.end_step()
        self._compare_figures()
        self._compare_agents()
        self._compare_messages()
        self.model.begin_step()

    def _compare_figures(self) -> None:
        model, stats = self.model, self.pool.stats()
        live, queued = model.at("live"), model.at("queued")
        expected = {
            "active": len(live),
            "queued": len(queued),
            "outstanding": len(model.pending) + len(model.ready),
            "parked": sum(life.parked and not (life.restarting and life.on == "restart") for life in live),
            "abandoned_threads": 0,
            "dead_letters": model.dead.total(),
            "started": model.started,
            "ended": dict(model.ended),
        }
        seen = {name: getattr(stats, name) for name in expected}
        seen["ended"] = {str(status): count for status, count in stats.ended.items()}
        assert seen == expected, f"{seen}, expected {expected}\n{list(map(str, model.unended()))}"
        assert self.pool.outstanding_count == expected["outstanding"]
        assert (self.pool.active_count, self.pool.queued_count) == (len(live), len(queued))
        assert self.pool.router.agent_count == len(live) + len(queued)

    def _compare_agents(self) -> None:
        for life in self.model.lives.values():
            handle = self.stage.handles[life.id]
            assert handle.id == life.id
            assert handle.done() == (life.stage == "ended")
            assert handle.status == self._status(life), f"{handle} is not {self._status(life)}: {life}"

    @staticmethod
    def _status(life: Life) -> str | None:
        if life.stage == "ended":
            return life.status
        if life.stage == "queued":
            return "queued"
        if life.restarting and life.on == "restart":
            return "restarting"
        return "parked" if life.parked else "running"

    def _compare_messages(self) -> None:
        model = self.model
        if any(life.unsure is not None for life in model.unended()):
            depths = {agent.id: agent.inbox_depth for agent in self.pool.dump().agents}
            for life in model.unended():
                if life.unsure is not None and depths[life.id] > len(life.inbox):
                    life.inbox.append(life.unsure)
                life.unsure = None
        letters = Counter(
            (getattr(letter.message, "content", letter.message), str(letter.reason))
            for letter in self.pool.router.dead_letters
        )
        assert letters == model.dead, f"{letters}, expected {model.dead}"
        assert len(self.pool.inbox) == len(model.program)
        open_asks = []
        for future, content, life in self.asks:
            if ("ask", 0, content) in life.inbox:
                assert not future.done()
                open_asks.append((future, content, life))
            elif model.dead[content, "receiver_ended"]:
                with pytest.raises(pykka.ActorDeadError):
                    future.result(BOUND)
            else:
                assert future.result(BOUND) == ("reply", content)
        self.asks = open_asks

    # Outcomes ---------------------------------------------------------------------------------------------------

    def check_outcome(self, outcome: AgentOutcome[Any]) -> None:
        """*outcome* is the one that its agent has to have."""
        life = self.model.lives[outcome.agent_id]
        assert life.verdict is not None
        status, detail = life.verdict
        assert (outcome.status, outcome.tag, outcome.query) == (status, life.plan.number, life.plan.number)
        assert outcome.restarts == life.restarts
        assert (outcome.started_at is not None) == life.started
        if status == "completed":
            assert outcome.result == detail
        elif status == "crashed":
            assert outcome.error is not None
            assert getattr(outcome.error, "type_name", None) == detail
        elif detail is not None:
            assert detail in str(outcome.error)

    def take(self, outcome: AgentOutcome[Any] | None, id_: int) -> None:
        """*outcome* was taken, and it has to be the one of *id_*."""
        assert outcome is not None
        assert outcome.agent_id == id_
        self.check_outcome(outcome)
        self.model.taken(id_)

    # Agents -----------------------------------------------------------------------------------------------------

    def config(self, plan: Plan) -> SpawnConfig:
        """A scripted agent of that plan."""
        limits = {} if plan.limit is None else {plan.limit: 0.0}
        return SpawnConfig(
            MANIFEST,
            plan.number,
            agent=ScriptedAgent,
            kwargs={"stage": self.stage, "plan": plan},
            tag=plan.number,
            priority=plan.priority,
            group=plan.group,
            **limits,
        )

    def admitted(self, handle: AgentHandle[Any], plan: Plan) -> None:
        """The pool has admitted an agent of the program."""
        self.stage.handles[handle.id] = handle
        if self.model.expected is None:
            self.model.admit(handle.id, plan)

        def called(done: AgentHandle[Any]) -> None:
            self.stage.log.add("called", (done.id, done.done(), self._is_registered(done.id)))
            if plan.call_fault is not None:
                raise fault(plan.call_fault)

        handle.add_done_callback(called)

    def _is_registered(self, id_: int) -> bool:
        try:
            self.pool.router.send(AgentMessage(PROGRAM, id_, "is anybody there?"))
        except NotRegistered:
            return False
        return True

    def command(self, life: Life, kind: str, value: Any, activity: tuple[Any, ...] | None = None) -> None:
        """Tell an idle agent what to do."""
        if activity is not None:
            life.activity = activity
        self.stage.port(life.plan.number).commands.put((kind, value))

    # The end ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Close the pool: everything that is owed arrives, nothing is left."""
        if not self.is_open:
            return
        sound = sys.exc_info()[0] is None
        for port in self.stage.ports.values():
            port.end_gate.set()
        try:
            if sound:
                self._end()
        finally:
            self.is_open = False
            self.pool.close()
            self.oracle.abort()
            self.answer_oracle((True, None))
            self.oracle.stop()
        if sound:
            self._nothing_is_left()

    def answer_oracle(self, decision: tuple[bool, Any]) -> None:
        """Let the oracle answer what it was asked."""
        self.stage.decisions.put(decision)

    def _end(self) -> None:
        model = self.model
        owed = [*model.ready, *model.pending]
        for life in model.unended():
            model.cancel(life, None)
        by_abort = len(model.lives) % 2 == 0
        if by_abort:
            self.pool.abort_all("the end")
        *takers, _ = in_threads(self._take_all, self._take_all, (lambda: None) if by_abort else self.pool.close)
        taken = [outcome for got in takers for outcome in got]
        self.settle()
        self._compare_figures_after(owed, taken)
        if by_abort:
            self.pool.drain(BOUND)
        self.pool.close()
        with pytest.raises(PoolClosed):
            self.pool.spawn(self.config(Plan(0)))
        assert self.pool.join_next(0) is None
        assert self.pool.join_all(0) == {}

    def _take_all(self) -> list[AgentOutcome[Any]]:
        taken = []
        while (outcome := self.pool.join_next(BOUND)) is not None:
            taken.append(outcome)
        return taken

    def _compare_figures_after(self, owed: list[int], taken: list[AgentOutcome[Any]]) -> None:
        model = self.model
        assert sorted(outcome.agent_id for outcome in taken) == sorted(owed), "each is taken once"
        for outcome in taken:
            self.check_outcome(outcome)
            model.taken(outcome.agent_id)
        for life in model.lives.values():
            self.check_outcome(self.stage.handles[life.id].outcome(0))
        self._compare_figures()
        self._compare_agents()
        self._compare_messages()
        for status in AgentStatus:
            if model.ended[status]:
                note(f"an agent ended {status}")

    def _nothing_is_left(self) -> None:
        for thread in threads() - self.before:
            thread.join(BOUND)
        left = [thread.name for thread in threads() - self.before]
        assert not left, f"threads are left: {left}"
        assert set(pykka.ActorRegistry.get_all()) == self.registered
        assert self.pool.router.agent_count == 0
