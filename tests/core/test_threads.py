"""Worker threads that are reused."""

from __future__ import annotations

import _thread
import ctypes
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from actors.core.process.threads import Crew, Worker, start_from_collector

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def crew() -> Iterator[Crew]:
    """A crew that keeps two idle workers."""
    crew = Crew("crew", keep=2)
    yield crew
    crew.close()


def idle(crew: Crew) -> int:
    return len(crew._idle)


def job(*done: Any) -> Any:
    """A job that calls *done* and leaves its worker to rest by itself."""

    def run(worker: Worker) -> bool:
        for fn in done:
            fn()
        return False

    return run


def test_a_job_runs_on_a_named_daemon_thread(crew: Crew) -> None:
    """The name is the crew's, counted up."""
    seen: list[threading.Thread] = []
    done = threading.Event()
    crew.start(job(lambda: seen.append(threading.current_thread()), done.set))
    assert done.wait(10)
    assert seen[0].name == "crew-1"
    assert seen[0].daemon


def test_an_idle_worker_is_used_again(crew: Crew, eventually: Any) -> None:
    """The second job runs on the first one's thread."""
    idents: list[int] = []
    for n in (1, 2):
        crew.start(job(lambda: idents.append(threading.get_ident())))
        eventually(lambda n=n: len(idents) == n and idle(crew) == 1)
    assert idents[0] == idents[1]
    assert len(crew.threads()) == 1


def test_a_job_starts_at_once_while_others_work(crew: Crew, gates: Any) -> None:
    """There is no queue: who finds no idle worker gets a new one."""
    one, two = gates(), gates()
    crew.start(job(one.hold))
    crew.start(job(two.hold))
    one.await_reached()
    two.await_reached()
    assert len(crew.threads()) == 2
    one.open()
    two.open()


@pytest.mark.parametrize("linger", [None, 30.0])
def test_what_is_raised_in_a_worker_that_idles_loses_no_job(linger: float | None, eventually: Any) -> None:
    """A time limit that comes too late, after the job it was meant for: the thread and its next jobs go on."""
    crew = Crew("crew", keep=4, linger=linger)
    try:
        idents: list[int] = []
        crew.start(job(lambda: idents.append(threading.get_ident())))
        eventually(lambda: idle(crew) == 1)
        for _ in range(3):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(idents[0]), ctypes.py_object(SystemExit))
            done = [threading.Event() for _ in range(3)]
            for event in done:
                crew.start(job(event.set))
            assert all(event.wait(10) for event in done)
            eventually(lambda: idle(crew) == len(crew.threads()))
        assert idents[0] in {thread.ident for thread in crew.threads()}
    finally:
        crew.close()


def test_surplus_workers_end(crew: Crew, gates: Any, eventually: Any) -> None:
    """At most ``keep`` idle; the others leave."""
    waiting = [gates() for _ in range(4)]
    for gate in waiting:
        crew.start(job(gate.hold))
    for gate in waiting:
        gate.await_reached()
        gate.open()
    eventually(lambda: len(crew.threads()) == 2)
    eventually(lambda: idle(crew) == 2)


def test_an_idle_worker_keeps_its_last_job_not_alive(crew: Crew, eventually: Any) -> None:
    """What the job held is let go of as soon as it is done."""

    class Held:
        def __call__(self, worker: Worker) -> bool:
            return False

    held = Held()
    ref = weakref.ref(held)
    crew.start(held)
    del held
    eventually(lambda: idle(crew) == 1 and ref() is None)


def test_a_failing_job_is_logged_and_its_worker_goes_on(crew: Crew, eventually: Any, log_lines: list[str]) -> None:
    """Whatever a job raises, the thread is used again."""

    def fail(worker: Worker) -> bool:
        raise SystemExit("job")

    crew.start(fail)
    eventually(lambda: idle(crew) == 1)
    done = threading.Event()
    crew.start(job(done.set))
    assert done.wait(10)
    assert any("job failed" in line and "SystemExit" in line for line in log_lines)
    eventually(lambda: len(crew.threads()) == 1)


def test_a_job_may_put_its_worker_to_rest_itself(crew: Crew, eventually: Any) -> None:
    """It answers True then, and the worker is not put to rest twice."""

    def rests(worker: Worker) -> bool:
        return crew.rest(worker)

    crew.start(rests)
    eventually(lambda: idle(crew) == 1)
    done = threading.Event()
    crew.start(job(done.set))
    assert done.wait(10)
    eventually(lambda: idle(crew) == 1)
    assert len(crew.threads()) == 1


def test_no_thread_can_be_started(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """start() raises, and nothing is left behind."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        crew.start(job())
    assert crew.threads() == []


# Bursts of jobs -------------------------------------------------------------------------------------------------


def resting(crew: Crew, count: int, gates: Any, eventually: Any) -> None:
    """Have *count* idle workers."""
    waiting = [gates() for _ in range(count)]
    for gate in waiting:
        crew.start(job(gate.hold))
    for gate in waiting:
        gate.await_reached()
        gate.open()
    eventually(lambda: idle(crew) == count)


def test_who_is_woken_wakes_the_next_before_its_own_job(crew: Crew, gates: Any, eventually: Any) -> None:
    """So a job that never ends holds nobody up."""
    resting(crew, 2, gates, eventually)
    threads = set(crew.threads())
    one, two = gates(), gates()
    crew.start(job(one.hold))
    crew.start(job(two.hold))
    one.await_reached()
    two.await_reached()
    assert set(crew.threads()) == threads


def test_a_worker_that_is_awake_takes_the_job_of_one_that_sleeps(
    crew: Crew, gates: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sleeper rests on; nobody's job is lost or done twice."""
    busy, held = gates(), []
    crew.start(job(busy.hold))
    busy.await_reached()
    mine = crew.threads()[0]
    resting(crew, 2, gates, eventually)
    real = Worker.assign
    monkeypatch.setattr(Worker, "assign", lambda worker, job: held.append((worker, job)))
    ran: list[tuple[str, threading.Thread]] = []
    for name in ("first", "second"):
        crew.start(job(lambda name=name: ran.append((name, threading.current_thread()))))
    assert len(held) == 1, "the second is woken by the first, and that has not run"
    assert crew.has_reserved()
    busy.open()
    eventually(lambda: ran == [("second", mine)] and not crew.has_reserved())
    monkeypatch.setattr(Worker, "assign", real)
    real(*held[0])
    eventually(lambda: [name for name, _ in ran] == ["second", "first"] and idle(crew) == 2)
    assert len(crew.threads()) == 2


def test_a_job_whose_worker_sleeps_is_done_also_when_the_crew_closes(
    crew: Crew, gates: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is idle no more, so closing does not end it; or another one takes the job, and it ends."""
    resting(crew, 2, gates, eventually)
    held: list[tuple[Worker, Any]] = []
    real = Worker.assign
    monkeypatch.setattr(Worker, "assign", lambda worker, job: held.append((worker, job)))
    ran: list[str] = []
    crew.start(job(lambda: ran.append("first")))
    crew.start(job(lambda: ran.append("second")))
    monkeypatch.setattr(Worker, "assign", real)
    crew.close()
    real(*held[0])
    eventually(lambda: sorted(ran) == ["first", "second"] and crew.threads() == [])


def test_many_short_jobs_each_run_once(crew: Crew, eventually: Any, in_thread: Any) -> None:
    """Whoever brings them, and whoever does them."""
    crew.keep = 8
    count, rounds = 4, 500
    ran: list[tuple[int, int]] = []

    def bring(me: int) -> None:
        for number in range(rounds):
            crew.start(job(lambda number=number: ran.append((me, number))))

    for bringing in [in_thread(bring, me) for me in range(count)]:
        bringing.result(30)
    eventually(lambda: len(ran) == count * rounds)
    assert set(ran) == {(me, number) for me in range(count) for number in range(rounds)}
    eventually(lambda: not crew.has_reserved() and idle(crew) == len(crew.threads()))


# The end --------------------------------------------------------------------------------------------------------


@pytest.fixture
def fleeting() -> Iterator[Crew]:
    """A crew whose workers idle for a moment only."""
    crew = Crew("fleeting", keep=None, linger=0.005)
    yield crew
    crew.close()


def test_a_worker_that_idles_for_long_ends(fleeting: Crew, eventually: Any) -> None:
    """And a new one does the next job."""
    for _ in range(2):
        done = threading.Event()
        fleeting.start(job(done.set))
        assert done.wait(10)
        eventually(lambda: not fleeting.threads() and not fleeting._idle)


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_worker_that_is_taken_just_then_stays(
    fleeting: Crew, gate: Any, eventually: Any, *, taken_over: bool
) -> None:
    """Until it is woken, for its job; or until it has idled for long once more, when somebody has done that job."""
    told, ran, dismiss = list[bool](), list[int](), fleeting.dismiss

    def slow(worker: Worker) -> bool:
        if not told:
            gate.hold()
        told.append(dismiss(worker))
        return told[-1]

    fleeting.dismiss = slow  # type: ignore[method-assign]
    fleeting.start(job())
    gate.await_reached()
    fleeting._waking = True  # as if another one were just being woken
    fleeting.start(job(lambda: ran.append(threading.get_ident())))
    (thread,) = fleeting.threads()
    gate.open()
    eventually(lambda: len(told) > 1)
    assert not any(told)
    if taken_over:
        assert fleeting.take_over() is not None
        eventually(lambda: told[-1])
        assert ran == []
    else:
        fleeting.wake_next()
        eventually(lambda: ran == [thread.ident])
    eventually(lambda: not fleeting.threads())


def test_close_ends_idle_workers(eventually: Any) -> None:
    """Without a job to wait for, they leave at once."""
    crew = Crew("crew", keep=2)
    crew.start(job())
    eventually(lambda: idle(crew) == 1)
    crew.close()
    eventually(lambda: crew.threads() == [])
    assert crew.is_closing()
    crew.close()


def test_close_ends_busy_workers_after_their_job(gate: Any, eventually: Any) -> None:
    """The job is finished first."""
    crew = Crew("crew", keep=2)
    crew.start(job(gate.hold))
    gate.await_reached()
    crew.close()
    assert len(crew.threads()) == 1
    gate.open()
    eventually(lambda: crew.threads() == [])


def resting_while_closing(crew: Crew, monkeypatch: pytest.MonkeyPatch, *, close_takes_it: bool) -> list[bool]:
    """Close *crew* between a worker's look and its look back; return what rest() answered."""
    answers: list[bool] = []
    looks: list[int] = []

    def is_closing() -> bool:
        looks.append(1)
        if len(looks) == 2:  # the worker has lined up, and looks again
            crew._closing = True
            if close_takes_it:
                crew.close()
            return True
        return crew._closing

    monkeypatch.setattr(crew, "is_closing", is_closing)

    def run(worker: Worker) -> bool:
        answers.append(crew.rest(worker))
        return answers[-1]

    crew.start(run)
    return answers


def test_a_worker_that_rests_wins_against_close(monkeypatch: pytest.MonkeyPatch, eventually: Any) -> None:
    """It takes itself off the list and ends; close() does not find it."""
    crew = Crew("crew", keep=2)
    answers = resting_while_closing(crew, monkeypatch, close_takes_it=False)
    eventually(lambda: crew.threads() == [])
    assert answers == [False]
    assert idle(crew) == 0


def test_close_wins_against_a_worker_that_rests(monkeypatch: pytest.MonkeyPatch, eventually: Any) -> None:
    """close() took it off the list and ends it; it must not end itself a second way."""
    crew = Crew("crew", keep=2)
    answers = resting_while_closing(crew, monkeypatch, close_takes_it=True)
    eventually(lambda: crew.threads() == [])
    assert answers == [True]


def test_a_closed_crew_starts_nobody() -> None:
    """So when its threads were joined, none comes after."""
    crew = Crew("crew", keep=2)
    crew.close()
    with pytest.raises(RuntimeError, match="ended"):
        crew.start(job(lambda: None))
    assert crew.threads() == []


def test_a_join_waits_also_for_a_thread_that_is_just_starting(
    in_thread: Any, gate: Any, monkeypatch: Any, eventually: Any
) -> None:
    """It was counted before it could be joined."""
    crew = Crew("crew", keep=2)
    real = threading.Thread.start

    def slow(thread: threading.Thread) -> None:
        if thread.name.startswith("crew-"):
            gate.hold()
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", slow)
    done = threading.Event()
    starting = in_thread(crew.start, job(done.set))
    gate.await_reached()
    crew.close()
    joining = in_thread(lambda: (crew.join(10, {}), done.is_set()))
    eventually(lambda: joining.thread.is_alive())
    assert not joining.done()
    gate.open()
    assert joining.result(10)[1]
    starting.result(10)


# From a collector -----------------------------------------------------------------------------------------------


def test_a_collector_starts_a_real_thread() -> None:
    """A named daemon, not the one that collects."""
    seen: list[threading.Thread] = []
    done = threading.Event()
    start_from_collector(lambda: (seen.append(threading.current_thread()), done.set()), "cleanup")
    assert done.wait(10)
    assert (seen[0].name, seen[0].daemon) == ("cleanup", True)
    seen[0].join(10)


def test_a_collector_that_can_start_nothing_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program ends anyway."""

    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    called: list[int] = []
    start_from_collector(lambda: called.append(1), "cleanup")
    assert called == []


def test_a_collector_whose_second_thread_cannot_start_is_silent(
    monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """The raw thread could be started, the real one not: nothing is printed about it."""
    printed: list[Any] = []
    tried = threading.Event()
    before = _thread._count()

    def refuse(self: threading.Thread) -> None:
        tried.set()
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: printed.append(unraisable.exc_value))
    start_from_collector(lambda: None, "cleanup")
    assert tried.wait(10)
    eventually(lambda: _thread._count() <= before)
    assert printed == []
