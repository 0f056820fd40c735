"""What the caller is owed: each outcome once, in order of completion."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from actors.core.actors.actor import Actor
from actors.core.scheduling.agent_cell import AgentCell
from actors.core.supervision import join_set as join_set_module
from actors.core.supervision.join_set import JoinSet
from actors.errors import Cancelled, DeadlockError, JoinTimeout


def ended(start: Any, supervisor: Any, *, group: Any = None, value: Any = None) -> Any:
    """An agent that has ended and was not taken."""
    handle = start(supervisor, lambda _: value, group=group)
    supervisor.wait_ended(handle._cell, 10)
    return handle


# next -----------------------------------------------------------------------------------------------------------


def test_outcomes_come_in_order_of_completion(supervise: Any, start: Any, gates: Any) -> None:
    """Not in the order of the spawns; then None, and None again."""
    supervisor = supervise()
    held = [gates() for _ in range(3)]
    handles = [start(supervisor, one.hold) for one in held]
    for n in (2, 0, 1):
        held[n].open()
        supervisor.wait_ended(handles[n]._cell, 10)
    assert [supervisor.owed.next(10).agent_id for _ in range(3)] == [3, 1, 2]
    assert supervisor.owed.next() is None
    assert supervisor.owed.next(0) is None


def test_next_waits_for_an_end(supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """A joiner is woken by the first agent that ends."""
    supervisor = supervise()
    start(supervisor, gate.hold)
    joiner = in_thread(supervisor.owed.next)
    eventually(lambda: len(supervisor.owed._next) == 1)
    gate.open()
    assert joiner.result(10).agent_id == 1


def test_a_timeout_loses_nothing(supervise: Any, start: Any, gate: Any) -> None:
    """TimeoutError while somebody is outstanding; the outcome is there later."""
    supervisor = supervise()
    start(supervisor, gate.hold)
    for timeout in (0, 0.001):
        with pytest.raises(TimeoutError, match="nothing is lost"):
            supervisor.owed.next(timeout)
    assert not supervisor.owed._next
    gate.open()
    assert supervisor.owed.next(10).agent_id == 1


def test_two_joiners_and_one_agent(supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """One gets it, the other gets None, nobody blocks."""
    supervisor = supervise()
    start(supervisor, gate.hold)
    joiners = [in_thread(supervisor.owed.next), in_thread(supervisor.owed.next)]
    eventually(lambda: len(supervisor.owed._next) == 2)
    gate.open()
    got = [joiner.result(10) for joiner in joiners]
    assert got.count(None) == 1
    assert {outcome.agent_id for outcome in got if outcome is not None} == {1}


def test_each_outcome_wakes_one_joiner(supervise: Any, start: Any, gates: Any, in_thread: Any, eventually: Any) -> None:
    """Two joiners, two agents: each gets another one."""
    supervisor = supervise()
    held = [gates(), gates()]
    for one in held:
        start(supervisor, one.hold)
    joiners = [in_thread(supervisor.owed.next), in_thread(supervisor.owed.next)]
    eventually(lambda: len(supervisor.owed._next) == 2)
    for one in held:
        one.open()
    assert {joiner.result(10).agent_id for joiner in joiners} == {1, 2}


# Finish against join --------------------------------------------------------------------------------------------


def at_the_wait(monkeypatch: pytest.MonkeyPatch, step: Any) -> None:
    """Let *step* happen once, when a joiner is about to wait; the wait then runs as usual."""
    real = join_set_module.wait_for
    steps = [step]

    def wait(waiter: Any, timeout: float | None, on: str, target: Any = None) -> bool:
        if steps:
            verdict = steps.pop()()
            if verdict is not None:
                return bool(verdict)
        return real(waiter, timeout, on, target)

    monkeypatch.setattr(join_set_module, "wait_for", wait)


def ending(supervisor: Any, handle: Any, gate: Any, then: BaseException | bool | None = None) -> Any:
    """A step in which the agent that *gate* holds ends; *then* the wait runs (None), is over, or raises."""

    def step() -> bool | None:
        gate.open()
        supervisor.wait_ended(handle._cell, 10)
        if isinstance(then, BaseException):
            raise then
        return then

    return step


def test_finish_wins_against_join(supervise: Any, start: Any) -> None:
    """It ended before anybody looked: taken without a wait."""
    supervisor = supervise()
    ended(start, supervisor)
    assert supervisor.owed.next(0).agent_id == 1


def test_join_wins_against_finish(supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The joiner has lined up, then the agent ends, then the joiner waits: the signal is not lost."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    at_the_wait(monkeypatch, ending(supervisor, handle, gate))
    assert supervisor.owed.next(10).agent_id == 1


def test_an_end_just_as_the_time_runs_out_is_taken(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ran out, the agent ended before the joiner left: it gets the outcome."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    at_the_wait(monkeypatch, ending(supervisor, handle, gate, False))
    assert supervisor.owed.next(5).agent_id == 1


def test_a_signal_that_came_too_late_goes_to_the_next_joiner(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A joiner that is cancelled just as it was signalled leaves the outcome to the one behind it."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    start(supervisor, lambda cell: cell.token.wait(10))
    second: list[Any] = []

    def step() -> None:
        second.append(in_thread(supervisor.owed.next))
        eventually(lambda: len(supervisor.owed._next) == 2)
        gate.open()
        supervisor.wait_ended(handle._cell, 10)
        raise Cancelled("just now")

    at_the_wait(monkeypatch, step)
    with pytest.raises(Cancelled):
        supervisor.owed.next()
    assert second[0].result(10).agent_id == 1
    supervisor.pool.cancel_all("done")


def test_who_stands_in_line_is_handed_the_outcome(
    supervise: Any, start: Any, gates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came first: a handle that is asked meanwhile answers, too, and nobody else gets that outcome."""
    supervisor = supervise()
    one, two = gates(), gates()
    first = start(supervisor, one.hold)
    start(supervisor, two.hold)

    def end_it() -> None:
        one.open()
        first.result(10)

    at_the_wait(monkeypatch, end_it)
    assert supervisor.owed.next(10).agent_id == 1
    two.open()
    assert supervisor.owed.next(10).agent_id == 2
    assert supervisor.owed.next(10) is None


def test_an_outcome_that_was_handed_to_who_is_interrupted_is_owed(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: the next one who waits gets it."""
    supervisor = supervise()
    first = start(supervisor, gate.hold)
    at_the_wait(monkeypatch, ending(supervisor, first, gate, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        supervisor.owed.next(10)
    assert len(supervisor.owed) == 1
    assert supervisor.owed.next(10).agent_id == 1


@pytest.mark.parametrize("winner", ["taker", "interrupt"])
def test_what_was_handed_is_owed_until_its_taker_has_it(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch, in_thread: Any, eventually: Any, winner: str
) -> None:
    """It may be given back: until then nobody is told that nothing is owed, neither who looks nor who waits."""
    supervisor = supervise()
    first = start(supervisor, gate.hold, group="g")
    waiting: list[Any] = []

    def end_it() -> bool:
        gate.open()
        supervisor.wait_ended(first._cell, 10)
        assert len(supervisor.owed) == 1
        with pytest.raises(TimeoutError):
            supervisor.owed.next(0)
        for group in (None, "g"):
            with pytest.raises(JoinTimeout):
                supervisor.owed.all(0, group)
        waiting.append(in_thread(supervisor.owed.next, 10))
        waiting.append(in_thread(supervisor.owed.all, 10, "g"))
        eventually(lambda: len(supervisor.owed._next) == 1 and len(supervisor.owed._all) == 1)
        if winner == "interrupt":
            raise KeyboardInterrupt
        return True

    at_the_wait(monkeypatch, end_it)
    if winner == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            supervisor.owed.next(10)
        one, every = waiting[0].result(10), waiting[1].result(10)
        assert (one.agent_id if one is not None else 0, list(every)) in ((1, []), (0, [1]))
    else:
        assert supervisor.owed.next(10).agent_id == 1
        assert waiting[0].result(10) is None
        assert waiting[1].result(10) == {}
    assert len(supervisor.owed) == 0


def test_what_is_given_back_was_not_taken_through_its_handle(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose outcome was taken meanwhile is owed no more."""
    supervisor = supervise()
    first = start(supervisor, gate.hold)

    def end_it() -> None:
        gate.open()
        assert first.outcome(10).agent_id == 1
        raise KeyboardInterrupt

    at_the_wait(monkeypatch, end_it)
    with pytest.raises(KeyboardInterrupt):
        supervisor.owed.next(10)
    assert len(supervisor.owed) == 0
    assert supervisor.owed.next(10) is None


@pytest.mark.parametrize("call", ["outcome", "join_all", "join_next"])
def test_a_finalizer_inside_a_step_waits_for_nothing(supervise: Any, start: Any, gate: Any, call: str) -> None:
    """Its thread holds the turn, and would wait for itself."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    calls = {"outcome": handle.outcome, "join_all": supervisor.owed.all, "join_next": supervisor.owed.next}
    with supervisor.turn, pytest.raises(DeadlockError):
        calls[call]()
    gate.open()
    assert handle.outcome(10).agent_id == 1


def test_an_outcome_that_is_given_back_goes_to_the_next_in_line(
    supervise: Any, start: Any, gates: Any, monkeypatch: pytest.MonkeyPatch, in_thread: Any, eventually: Any
) -> None:
    """To the one who has waited longest, before it is anybody's."""
    supervisor = supervise()
    one, two = gates(), gates()
    first = start(supervisor, one.hold)
    start(supervisor, two.hold)
    waiting: list[Any] = []

    def end_it() -> None:
        waiting.append(in_thread(supervisor.owed.next, 10))
        eventually(lambda: len(supervisor.owed._next) == 2)
        one.open()
        supervisor.wait_ended(first._cell, 10)
        raise KeyboardInterrupt

    at_the_wait(monkeypatch, end_it)
    with pytest.raises(KeyboardInterrupt):
        supervisor.owed.next(10)
    assert waiting[0].result(10).agent_id == 1
    two.open()
    assert supervisor.owed.next(10).agent_id == 2


def test_an_actor_that_joins_as_the_last_one_ends_gets_it(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last outcome arrives between the look and the wait: it is taken, and nobody is told of a deadlock."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)

    class Joiner(Actor):
        def on_receive(self, _: Any) -> Any:
            at_the_wait(monkeypatch, ending(supervisor, handle, gate))
            return supervisor.owed.next(10).agent_id

    ref = Joiner.start()
    try:
        assert ref.ask("join", timeout=10) == 1
    finally:
        ref.stop()


# Inside agents --------------------------------------------------------------------------------------------------


def test_an_agent_alone_cannot_wait_for_the_next(supervise: Any, start: Any) -> None:
    """Only itself is outstanding: refused at once."""
    supervisor = supervise()
    outcome = start(supervisor, lambda _: supervisor.owed.next(10)).outcome(10)
    assert outcome.error.type_name == "actors.errors.DeadlockError"
    assert not supervisor.owed._next


def test_an_agent_may_wait_for_the_next_of_others(supervise: Any, start: Any, gate: Any) -> None:
    """It parks, and takes an outcome like anybody else."""
    supervisor = supervise(max_concurrent=1)
    joiner = start(supervisor, lambda _: (gate.hold(), supervisor.owed.next(10).agent_id)[1])
    start(supervisor)
    gate.open()
    assert joiner.result(10) == 2


def test_an_agent_for_which_all_the_others_wait_cannot_wait_for_the_next(
    supervise: Any, start: Any, eventually: Any
) -> None:
    """The others wait for it, it waits for one of them: a circle, refused at once."""
    supervisor = supervise()
    handles: list[Any] = []
    ready = threading.Event()

    def joiner(cell: Any) -> Any:
        assert ready.wait(10)
        eventually(lambda: bool(handles[1]._cell.waits))
        with pytest.raises(DeadlockError):
            supervisor.owed.next(0.5)

    def waiter(cell: Any) -> Any:
        assert ready.wait(10)
        return handles[0].outcome(10).status

    handles += [start(supervisor, joiner), start(supervisor, waiter)]
    ready.set()
    assert handles[0].outcome(10).error is None


# all ------------------------------------------------------------------------------------------------------------


def test_all_takes_everything_once(supervise: Any, start: Any) -> None:
    """In order of completion; then nothing is left."""
    supervisor = supervise()
    ended(start, supervisor, value="a")
    ended(start, supervisor, value="b")
    taken = supervisor.owed.all(10)
    assert [(id_, outcome.result) for id_, outcome in taken.items()] == [(1, "a"), (2, "b")]
    assert supervisor.owed.all(0) == {}
    assert len(supervisor.owed) == 0


def test_all_waits_for_all_later_spawns_included(
    supervise: Any, start: Any, gates: Any, in_thread: Any, eventually: Any
) -> None:
    """Who is admitted while somebody waits is waited for, too."""
    supervisor = supervise()
    one, two = gates(), gates()
    first = start(supervisor, one.hold)
    joiner = in_thread(supervisor.owed.all)
    eventually(lambda: len(supervisor.owed._all) == 1)
    second = start(supervisor, two.hold)
    one.open()
    supervisor.wait_ended(first._cell, 10)
    two.open()
    assert sorted(joiner.result(10)) == [1, 2]
    assert second.done()


def test_a_timeout_of_all_takes_nothing_and_shows_what_is_done(supervise: Any, start: Any, gate: Any) -> None:
    """partial is a look; afterwards everything can still be taken."""
    supervisor = supervise()
    ended(start, supervisor, value="done")
    start(supervisor, gate.hold)
    for timeout in (0, 0.001):
        with pytest.raises(JoinTimeout, match="nothing was taken") as info:
            supervisor.owed.all(timeout)
        assert {id_: outcome.result for id_, outcome in info.value.partial.items()} == {1: "done"}
    assert not supervisor.owed._all
    gate.open()
    assert sorted(supervisor.owed.all(10)) == [1, 2]


def test_an_end_just_as_the_time_of_all_runs_out_is_taken(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ran out, the last agent ended before the last look."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    at_the_wait(monkeypatch, ending(supervisor, handle, gate, False))
    assert sorted(supervisor.owed.all(5)) == [1]


def test_a_group_is_joined_alone(supervise: Any, start: Any, gate: Any) -> None:
    """Others of the pool neither hold it up nor are taken."""
    supervisor = supervise()
    start(supervisor, gate.hold, group="slow")
    ended(start, supervisor, group="fast", value=1)
    ended(start, supervisor, group="fast", value=2)
    ended(start, supervisor, value="none")
    assert [outcome.result for outcome in supervisor.owed.all(10, "fast").values()] == [1, 2]
    assert supervisor.owed.all(0, "nobody") == {}
    with pytest.raises(JoinTimeout) as info:
        supervisor.owed.all(0, "slow")
    assert info.value.partial == {}
    gate.open()
    assert sorted(supervisor.owed.all(10, "slow")) == [1]
    assert sorted(supervisor.owed.all(10)) == [4]


def test_a_group_that_ends_wakes_who_waits_for_it(
    supervise: Any, start: Any, gates: Any, in_thread: Any, eventually: Any
) -> None:
    """And not who waits for all."""
    supervisor = supervise()
    one, two = gates(), gates()
    start(supervisor, one.hold, group="g")
    start(supervisor, two.hold)
    group, everybody = in_thread(supervisor.owed.all, None, "g"), in_thread(supervisor.owed.all, None)
    eventually(lambda: len(supervisor.owed._all) == 2)
    one.open()
    assert sorted(group.result(10)) == [1]
    two.open()
    assert sorted(everybody.result(10)) == [2]


# Taken elsewhere ------------------------------------------------------------------------------------------------


def test_what_a_handle_took_is_not_joined(supervise: Any, start: Any) -> None:
    """Once, by whichever comes first; the handle answers again."""
    supervisor = supervise()
    handle = ended(start, supervisor, value=1)
    assert handle.result(10) == 1
    assert supervisor.owed.next() is None
    assert handle.result(10) == 1


def test_what_was_joined_can_still_be_read_from_the_handle(supervise: Any, start: Any) -> None:
    """The handle keeps it."""
    supervisor = supervise()
    handle = ended(start, supervisor, value=1)
    assert supervisor.owed.next(0).result == 1
    assert handle.result(0) == 1


@pytest.mark.parametrize("group", [None, "g"])
def test_a_detached_agent_is_owed_to_nobody(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any, group: Any
) -> None:
    """Joiners that waited for it are told that nothing is owed; its end is nobody's."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold, group=group)
    joiners = [in_thread(supervisor.owed.next), in_thread(supervisor.owed.all, None, group)]
    eventually(lambda: len(supervisor.owed._next) + len(supervisor.owed._all) == 2)
    handle.detach()
    handle.detach()
    assert joiners[0].result(10) is None
    assert joiners[1].result(10) == {}
    gate.open()
    assert handle.result(10) is None
    assert len(supervisor.owed) == 0


def test_a_detach_just_as_it_ends_owes_nothing(supervise: Any, start: Any, gate: Any) -> None:
    """The agent ends between the two halves of a detach: it is taken out of what is ready."""
    supervisor = supervise()
    handle = ended(start, supervisor)
    supervisor.owed.remove(handle._cell)
    supervisor.owed.remove(handle._cell)
    assert supervisor.owed.next(0) is None


def test_a_detach_while_it_ends_loses_nobodys_wake(
    supervise: Any, start: Any, gate: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread detaches between the two looks at the owner: who waits for the agent is woken nevertheless."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    gate.await_reached()
    slot = AgentCell.owner
    emptied = threading.Event()
    detaching: list[Any] = []

    def read(cell: Any) -> Any:
        owner = slot.__get__(cell)
        if supervisor.turn.locked() and not detaching and cell.outcome is not None:  # the end looks
            detaching.append(in_thread(handle.detach))
            emptied.wait(0.1)  # bounded: a detach that takes its turn cannot come in between
        return owner

    def write(cell: Any, owner: Any) -> None:
        slot.__set__(cell, owner)
        emptied.set()

    called = threading.Event()
    handle.add_done_callback(lambda _: called.set())
    with monkeypatch.context() as patch:
        patch.setattr(AgentCell, "owner", property(read, write))
        gate.open()
        assert called.wait(2), "nobody was told of the end"
        detaching[0].result(10)
    assert len(supervisor.owed) == 0
    assert supervisor.figures().active == 0


def test_pending_names_those_that_have_not_ended(supervise: Any, start: Any, gate: Any) -> None:
    """And nobody else."""
    supervisor = supervise()
    ended(start, supervisor)
    waiting = start(supervisor, gate.hold)
    assert supervisor.owed.pending() == [waiting._cell]
    assert sorted(supervisor.owed.partial()) == [1]
    gate.open()


# Cancel against complete ----------------------------------------------------------------------------------------


def test_completion_wins_against_a_cancel(supervise: Any, start: Any, gate: Any) -> None:
    """The cancel came, but run() returned a value: it is completed."""
    supervisor = supervise()
    handle = start(supervisor, lambda _: (gate.hold(), "value")[1])
    gate.await_reached()
    assert handle.cancel("late") is True
    gate.open()
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.result) == ("completed", "value")
    assert handle.cancel("too late") is False


def test_a_cancel_wins_against_completion(supervise: Any, start: Any, gate: Any) -> None:
    """The agent looks before it returns: it is cancelled, with the reason."""
    supervisor = supervise()

    def run(cell: Any) -> str:
        gate.hold()
        cell.token.check()
        return "value"

    handle = start(supervisor, run)
    gate.await_reached()
    handle.cancel("in time")
    gate.open()
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.result, outcome.error.reason) == ("cancelled", None, "in time")


# Interrupts that come when one has been seen already -----------------------------------------------------------------


def interrupting(method: Any, times: int = 1) -> Any:
    """*method*, into whose first *times* calls a Ctrl-C comes."""
    left = [None] * times

    def call(*args: Any, **kwargs: Any) -> Any:
        if left:
            left.pop()
            signal.raise_signal(signal.SIGINT)
        return method(*args, **kwargs)

    return call


@pytest.mark.parametrize("where", ["withdraw", "_give_back", "_hand_out"])
def test_a_second_interrupt_loses_no_outcome(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It comes while what was handed is given back."""
    supervisor = supervise()
    first = start(supervisor, gate.hold)

    def end_it() -> None:
        gate.open()
        supervisor.wait_ended(first._cell, 10)
        monkeypatch.setattr(JoinSet, where, interrupting(getattr(JoinSet, where)))
        raise KeyboardInterrupt

    at_the_wait(monkeypatch, end_it)
    with pytest.raises(KeyboardInterrupt):
        supervisor.owed.next(10)
        signal.raise_signal(signal.SIGINT)  # where it did not come
    monkeypatch.undo()
    assert len(supervisor.owed) == 1
    assert supervisor.owed.next(10).agent_id == 1


@pytest.mark.parametrize("where", ["be_strict", "_take_all", "_hand_out", "be_lenient"])
def test_an_interrupt_of_a_strict_join_leaves_nothing_behind(
    make_pool: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Neither is an outcome lost, nor does a later failure take anybody along."""
    pool = make_pool(max_queued=None)
    handles = [pool.submit(int) for _ in range(3)]
    for handle in handles:
        pool._core.wait_ended(handle._cell, 10)
    monkeypatch.setattr(JoinSet, where, interrupting(getattr(JoinSet, where)))
    taken: dict[int, Any] = {}
    with pytest.raises(KeyboardInterrupt):
        taken = pool.join_all(10, failure="cancel_rest")
        signal.raise_signal(signal.SIGINT)  # where it did not come
    monkeypatch.undo()
    assert len({**taken, **pool.join_all(10)}) == 3
    assert pool._core.owed._strict == []


def test_an_interrupted_detach_wakes_who_waits(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is owed any more, and both are told so."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    waiting = [in_thread(supervisor.owed.next, 10), in_thread(supervisor.owed.all, 10)]
    eventually(lambda: len(supervisor.owed._next) == 1 and len(supervisor.owed._all) == 1)
    monkeypatch.setattr(JoinSet, "_left_pending", interrupting(JoinSet._left_pending))
    with pytest.raises(KeyboardInterrupt):
        handle.detach()
    assert (waiting[0].result(10), waiting[1].result(10)) == (None, {})
