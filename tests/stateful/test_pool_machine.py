"""Random steps and faults: a pool does what its model does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from actors import AgentMessage, JoinTimeout

from .aside import in_threads
from .pool_machine import COUNTS, FAULT_NAMES, PROGRAM
from .pool_rules import INDEX, LivingMachine, anybody, ending, somebody_idle, somebody_known
from .profile import always, chosen, when
from .stage import BOUND


class TheMachine(LivingMachine):
    """All that a program, and its agents, can do to a pool."""

    # Ending -----------------------------------------------------------------------------------------------------

    @rule(index=INDEX)
    @when(somebody_idle)
    def agent_returns(self, index: int) -> None:
        """An agent is done; its children end with it."""
        life = ending(self, index)
        self.model.finish(life, "completed", life.id)
        self.command(life, "return", life.id)

    @rule(index=INDEX, fault=FAULT_NAMES)
    @when(somebody_idle)
    def agent_crashes(self, index: int, fault: str) -> None:
        """An agent raises anything at all; it is restarted as often as its pool allows."""
        life = ending(self, index)
        self.model.crash(life, fault)
        self.command(life, "crash", fault)

    @rule(index=INDEX)
    @when(somebody_idle)
    def agent_fails(self, index: int) -> None:
        """An agent raises an error of ours: it has failed, and is not restarted."""
        life = ending(self, index)
        self.model.finish(life, "failed", "no luck")
        self.command(life, "fail", "no luck")

    @rule(index=INDEX, how=st.sampled_from(["return", "cancel"]))
    @when(somebody_idle)
    def slow_end(self, index: int, how: str) -> None:
        """While ``on_end`` runs, the outcome is not visible, the id is known and the slot is kept."""
        life = ending(self, index)
        port, handle = self.stage.port(life.plan.number), self.stage.handles[life.id]
        port.end_gate.clear()
        if how == "return":
            self.model.finish(life, "completed", life.id)
            self.command(life, "return", life.id)
        else:
            self.model.cancel(life, "a slow end")
            handle.cancel("a slow end")
        if len(life.below()) == 1:
            assert self.stage.log.follow(self._consume, lambda: life.ends > 0), "on_end was not called"
            assert not handle.done()
            assert handle.future.running()
            if self.model.send(("msg", PROGRAM, -life.id), life.id) is None:
                self.pool.router.send(AgentMessage(PROGRAM, life.id, -life.id))
        port.end_gate.set()

    @rule(index=INDEX, by_id=st.booleans())
    @when(somebody_known)
    def cancel(self, index: int, by_id: bool) -> None:
        """One agent is cancelled, and all below it."""
        life = anybody(self, index)
        handle, reason = self.stage.handles[life.id], f"reason {self.number()}"
        ended = life.stage == "ended"
        if not ended:
            self.model.cancel(life, reason)
        cancelled = self.pool.abort(life.id, reason) if by_id else handle.cancel(reason)
        assert cancelled == (not ended)

    @rule()
    @when(lambda self: len(self.model.unended()) > 3)
    def abort_all(self) -> None:
        """Everybody is cancelled."""
        for life in self.model.unended():
            self.model.cancel(life, None)
        self.pool.abort_all("all of them")

    # Taking outcomes --------------------------------------------------------------------------------------------

    @rule()
    @when(always)
    def join_next(self) -> None:
        """The next outcome, in order of completion; None only when nothing is owed."""
        if self.model.ready:
            self.take(self.pool.join_next(0), self.model.ready[0])
        elif self.model.pending:
            with pytest.raises(TimeoutError):
                self.pool.join_next(0)
        else:
            assert self.pool.join_next(BOUND) is None

    @rule(group=st.sampled_from([None, "a", "b"]))
    @when(always)
    def join_all(self, group: str | None) -> None:
        """All outcomes of a group, or none of them."""
        lives = self.model.lives
        ready = [id_ for id_ in self.model.ready if group in (None, lives[id_].plan.group)]
        if any(group in (None, life.plan.group) for life in self.model.pending.values()):
            with pytest.raises(JoinTimeout) as caught:
                self.pool.join_all(0, group=group)
            assert list(caught.value.partial) == ready
        else:
            outcomes = self.pool.join_all(0, group=group)
            assert list(outcomes) == ready
            for id_, outcome in outcomes.items():
                self.take(outcome, id_)

    @rule()
    @when(lambda self: self.model.ready)
    def join_from_two_threads(self) -> None:
        """Two threads take what is there: each outcome goes to one of them."""
        ready = list(self.model.ready)
        in_order = in_threads(*[self._take_ready] * 2)
        taken = [outcome for part in in_order for outcome in part]
        assert sorted(outcome.agent_id for outcome in taken) == sorted(ready)
        for part in in_order:
            ids = [outcome.agent_id for outcome in part]
            assert ids == sorted(ids, key=ready.index)
        for outcome in taken:
            self.take(outcome, outcome.agent_id)

    def _take_ready(self) -> list[Any]:
        taken: list[Any] = []
        try:
            while (outcome := self.pool.join_next(0)) is not None:
                taken.append(outcome)
        except TimeoutError:
            pass  # somebody still runs
        return taken

    @rule()
    @when(lambda self: self.can_all_return())
    def join_races_the_last_ends(self) -> None:
        """Two threads wait for the next outcome while the last agents end: nobody is left waiting."""
        pending = list(self.model.pending.values())
        owed = [*self.model.ready, *self.model.pending]
        for life in pending:
            self.model.finish(life, "completed", life.id)

        def end() -> None:
            for life in pending:
                self.command(life, "return", life.id)

        first, second, _ = in_threads(self._take_all, self._take_all, end)
        taken = [*first, *second]
        self.settle()
        assert sorted(outcome.agent_id for outcome in taken) == sorted(owed)
        for outcome in taken:
            self.take(outcome, outcome.agent_id)

    def can_all_return(self) -> bool:
        """Is everybody who is owed idle, without children, and awaited by no agent?

        A child that waits for a slot might get that of the first to end, and its parent end only then. An agent that
        awaits another takes its outcome.
        """
        if self.model.somebody_awaits():
            return False
        pending = self.model.pending.values()
        return bool(pending) and all(life.is_ready and len(life.below()) == 1 for life in pending)

    @rule(index=INDEX)
    @when(somebody_known)
    def take_from_handle(self, index: int) -> None:
        """A handle answers always; what it gave out is owed no longer."""
        life = anybody(self, index)
        handle = self.stage.handles[life.id]
        if life.stage == "ended":
            self.take(handle.outcome(0), life.id)
        else:
            with pytest.raises(TimeoutError):
                handle.outcome(0)

    @rule(index=INDEX)
    @when(somebody_known)
    def detach(self, index: int) -> None:
        """Nobody is owed its outcome any more."""
        life = anybody(self, index)
        self.stage.handles[life.id].detach()
        self.model.taken(life.id)

    @rule(index=INDEX)
    @when(lambda self: self.model.ready)
    def as_completed(self, index: int) -> None:
        """Some outcomes, in order of completion."""
        ids = self.model.ready[: 1 + index % len(self.model.ready)]
        handles = [self.stage.handles[id_] for id_ in sorted(ids)]
        outcomes = {outcome.agent_id: outcome for outcome in self.pool.as_completed(handles, timeout=BOUND)}
        assert sorted(outcomes) == sorted(ids)
        for id_ in ids:
            self.take(outcomes[id_], id_)

    # The pool ---------------------------------------------------------------------------------------------------

    @rule(limit=st.integers(1, 3))
    @when(always)
    def resize(self, limit: int) -> None:
        """The limit changes; a smaller one is tried only when it fits, as who runs runs on."""
        if limit >= len(self.model.idle()):
            self.model.limit = limit
            self.stage.slots.limit = max(limit, self.stage.slots.limit)
            self.pool.resize(limit)
            self.stage.slots.limit = limit

    @rule()
    @when(always)
    def look(self) -> None:
        """A dump tells who there is, and what nobody has read."""
        dump = self.pool.dump()
        assert {agent.id: agent.inbox_depth for agent in dump.agents} == {
            life.id: len(life.inbox) for life in self.model.unended()
        }
        assert all(str(life.id) in str(dump) for life in self.model.unended())


TestPool = TheMachine.TestCase
TestPool.settings = chosen()


def teardown_module() -> None:
    """Tell how much was tried; seen with ``-s``."""
    print(f"\npool machine: {COUNTS['examples']} examples, {COUNTS['steps']} steps")  # noqa: T201
