"""AgentOutcome and AgentHandle."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import pickle
import threading
import time

import pytest

from actors import AgentPool
from actors.errors import (
    AgentAbandoned,
    AgentCancelled,
    AgentCrashed,
    AgentTimedOut,
    InferenceFailed,
)

from ..waiting import at_once, eventually, until_parked
from .doubles import WAIT, Background, doing, echo, held, manifest, picky, sleeper


def one_of_each(gate):
    """Outcomes by status word, of agents at module level."""
    outcomes = {}
    with AgentPool(max_concurrent=8, abort_timeout=0.2) as pool:
        outcomes["completed"] = pool.spawn(picky("fine", tag="tag")).outcome(timeout=WAIT)
        outcomes["failed"] = pool.spawn(picky("fail")).outcome(timeout=WAIT)
        outcomes["crashed"] = pool.spawn(picky("crash")).outcome(timeout=WAIT)
        doomed = pool.spawn(picky("sleep"))
        doomed.cancel("no more time")
        outcomes["cancelled"] = doomed.outcome(timeout=WAIT)
        outcomes["timed_out"] = pool.spawn(picky("sleep", timeout=0.05)).outcome(timeout=WAIT)
        stuck = pool.spawn(held(gate))
        gate.next()
        stuck.cancel("stuck")
        outcomes["abandoned"] = stuck.outcome(timeout=WAIT)
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
    return outcomes


ERRORS = {
    "completed": type(None),
    "failed": InferenceFailed,
    "crashed": AgentCrashed,
    "cancelled": AgentCancelled,
    "timed_out": AgentTimedOut,
    "abandoned": AgentAbandoned,
}


def test_each_status_has_its_word_and_its_error(gate) -> None:
    """Six ways to end, each with its error class."""
    outcomes = one_of_each(gate)
    for word, outcome in outcomes.items():
        assert outcome.status == word
        assert str(outcome.status) == word
        assert type(outcome.error) is ERRORS[word]
        assert outcome.ok is (word == "completed")
        assert outcome.ended_at is not None
        assert isinstance(outcome.duration, float)
        assert outcome.duration >= 0
        assert outcome.restarts == 0
        if outcome.started_at is not None:
            assert outcome.ended_at >= outcome.started_at
    assert outcomes["completed"].result == "fine"
    assert outcomes["completed"].query == "fine"
    assert outcomes["completed"].tag == "tag"
    assert outcomes["completed"].name == "picky"
    assert outcomes["failed"].result is None
    assert "no more time" in str(outcomes["cancelled"].error)
    assert isinstance(outcomes["abandoned"].error.cause, AgentCancelled)
    assert "stuck" in str(outcomes["abandoned"].error.cause)


def test_outcomes_of_every_status_survive_pickling(gate) -> None:
    """A pickle round trip keeps every field."""
    for word, outcome in one_of_each(gate).items():
        back = pickle.loads(pickle.dumps(outcome))
        assert type(back) is type(outcome)
        assert back.status == word
        for name in ("agent_id", "name", "query", "tag", "result", "started_at", "ended_at", "duration", "restarts"):
            assert getattr(back, name) == getattr(outcome, name), name
        assert type(back.error) is type(outcome.error)
        assert str(back.error) == str(outcome.error)
        assert copy.deepcopy(outcome).status == word
    crashed = pickle.loads(pickle.dumps(AgentCrashed("ValueError", "boom", lambda: "a traceback")))
    assert crashed.traceback == "a traceback"


def test_unwrap_gives_the_value_or_raises_a_fresh_copy(gate) -> None:
    """Each unwrap raises an error object of its own."""
    outcomes = one_of_each(gate)
    assert outcomes.pop("completed").unwrap() == "fine"
    for outcome in outcomes.values():
        raised = []
        for _ in range(2):
            with pytest.raises(type(outcome.error)) as caught:
                outcome.unwrap()
            raised.append(caught.value)
        assert raised[0] is not raised[1]
        assert outcome.error not in raised
        assert {str(error) for error in raised} == {str(outcome.error)}
        assert type(raised[0]) is type(outcome.error)


def test_result_and_future_raise_fresh_copies() -> None:
    """No error object is shared by two readers."""
    with AgentPool() as pool:
        handle = pool.spawn(picky("fail"))
        raised = []
        for read in (handle.result, handle.result, handle.future.result):
            with pytest.raises(InferenceFailed, match="no answer") as caught:
                read(timeout=WAIT)
            raised.append(caught.value)
        assert len({id(error) for error in raised}) == 3
        assert all(error is not handle.outcome(timeout=0).error for error in raised)


def test_fresh_copies_keep_the_fields() -> None:
    """Fields of the error are on the copy, also for a user's own class."""
    from actors.errors import AgentError, RateLimited

    class Odd(AgentError):
        def __init__(self, *, level):
            super().__init__(f"level {level}")
            self.level = level

    def odd(agent, query):
        raise Odd(level=7)

    def limited(agent, query):
        raise RateLimited("slow down", retry_after=3.0)

    with AgentPool() as pool:
        with pytest.raises(Odd, match="level 7") as caught:
            pool.spawn(doing(odd)).result(timeout=WAIT)
        assert caught.value.level == 7
        with pytest.raises(RateLimited) as limited_error:
            pool.spawn(doing(limited)).result(timeout=WAIT)
        assert limited_error.value.retry_after == 3.0


def test_crash_tells_type_text_and_traceback() -> None:
    """AgentCrashed has what a person needs."""

    def deep_down(agent, query):
        raise LookupError("nothing there")

    with AgentPool() as pool:
        outcome = pool.spawn(doing(deep_down)).outcome(timeout=WAIT)
    assert outcome.error.type_name.split(".")[-1] == "LookupError"
    assert outcome.error.text == "nothing there"
    assert "deep_down" in outcome.error.traceback
    assert "LookupError" in outcome.error.traceback


@pytest.mark.parametrize(
    "error",
    [ValueError("v"), SystemExit(2), KeyboardInterrupt(), GeneratorExit(), BaseException("b"), RecursionError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", ["run", "on_start", "init"])
def test_anything_raised_anywhere_is_crashed(error, place) -> None:
    """In __init__, on_start or run: an outcome crashed, and the pool works on."""
    from actors import Agent, SpawnConfig

    class Bad(Agent):
        def __init__(self):
            self.at("init")

        def at(self, here):
            if here == place:
                raise error

        def on_start(self):
            self.at("on_start")

        def run(self, query):
            self.at("run")

    with AgentPool(max_concurrent=1) as pool:
        outcome = pool.spawn(SpawnConfig(manifest=manifest(), query="", agent=Bad)).outcome(timeout=WAIT)
        assert outcome.status == "crashed"
        assert isinstance(outcome.error, AgentCrashed)
        assert outcome.error.type_name.split(".")[-1] == type(error).__name__
        assert pool.router.agent_count == 0
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"


def test_agent_error_is_failed_and_is_the_error_itself() -> None:
    """failed carries the AgentError that was raised."""
    error = InferenceFailed("mine")

    def fail(agent, query):
        raise error

    with AgentPool() as pool:
        outcome = pool.spawn(doing(fail)).outcome(timeout=WAIT)
    assert outcome.status == "failed"
    assert outcome.error is error


def test_value_returned_after_a_late_cancel_is_completed(gate) -> None:
    """What run did decides."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        gate.next()
        handle.cancel("too late")
        gate.open()
        outcome = handle.outcome(timeout=WAIT)
    assert (outcome.status, outcome.result) == ("completed", "held")


def test_value_returned_after_catching_the_cancel_is_completed(gate) -> None:
    """An agent may answer with what it has."""
    from actors.errors import Cancelled

    def run(agent, query):
        gate.note(query)
        try:
            agent.sleep(WAIT)
        except Cancelled:
            return "partial"

    with AgentPool() as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        handle.cancel()
        assert handle.result(timeout=WAIT) == "partial"


def test_on_end_that_raises_is_logged_and_the_outcome_stands() -> None:
    """The log has it; the outcome is what run made it."""
    from loguru import logger

    lines = []

    def bad_end(agent, outcome):
        raise RuntimeError("cleanup broke")

    logger.enable("actors")
    sink = logger.add(lambda message: lines.append(str(message)), level="DEBUG", format="{message} {exception}")
    try:
        with AgentPool() as pool:
            outcome = pool.spawn(doing(lambda agent, _: "fine", ending=bad_end)).outcome(timeout=WAIT)
    finally:
        logger.remove(sink)
        logger.disable("actors")
    assert (outcome.status, outcome.result) == ("completed", "fine")
    assert any("cleanup broke" in line for line in lines)


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), BaseException("odd")], ids=repr)
def test_on_end_that_raises_anything_harms_nobody(error) -> None:
    """Also what is no Exception."""

    def bad_end(agent, outcome):
        raise error

    with AgentPool(max_concurrent=1) as pool:
        outcome = pool.spawn(doing(lambda agent, _: "fine", ending=bad_end)).outcome(timeout=WAIT)
        assert outcome.status == "completed"
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"
        assert pool.router.agent_count == 0


def test_outcome_is_frozen() -> None:
    """No field can be set."""
    with AgentPool() as pool:
        outcome = pool.spawn(echo()).outcome(timeout=WAIT)
    with pytest.raises(Exception, match=r"(?i)frozen|immutable|cannot assign"):
        outcome.result = "other"


def test_never_started_has_no_start(gate) -> None:
    """started_at is None for an agent cancelled in the queue; its duration is still a number."""
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        pool.spawn(held(gate))
        queued = pool.spawn(echo())
        queued.cancel("changed my mind")
        outcome = queued.outcome(timeout=WAIT)
        gate.open()
    assert outcome.status == "cancelled"
    assert outcome.started_at is None
    assert outcome.ended_at is not None
    assert outcome.duration >= 0
    assert "changed my mind" in str(outcome.error)


def test_abandoned_by_a_deadline_says_so(gate) -> None:
    """A deadline holds within timeout + abort_timeout, even for code that never looks."""
    with AgentPool(abort_timeout=0.2) as pool:
        begin = time.monotonic()
        handle = pool.spawn(held(gate, timeout=0.1))
        outcome = handle.outcome(timeout=WAIT)
        assert time.monotonic() - begin < 3
        assert outcome.status == "abandoned"
        assert isinstance(outcome.error.cause, AgentTimedOut)
        assert pool.stats().abandoned_threads == 1
        assert pool.active_count == 0
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
        assert handle.outcome(timeout=0) is outcome or handle.outcome(timeout=0) == outcome


# AgentHandle -----------------------------------------------------------------------------------------------------


def test_handle_has_id_and_name(gate) -> None:
    """id and the manifest's name."""
    with AgentPool() as pool:
        handle = pool.spawn(echo(name="ann"))
        assert (handle.id, handle.name) == (1, "ann")


def test_handle_status_follows_the_life(gate) -> None:
    """queued, running, parked, running, completed."""

    def run(agent, query):
        gate.note("running")
        word = agent.receive(timeout=WAIT).content
        second.wait(WAIT)
        return word

    from actors import AgentMessage

    second = threading.Event()
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        blocker = pool.spawn(held(gate, "blocker"))
        assert gate.next() == "blocker"
        assert at_once(pool, lambda: blocker.status == "running")
        handle = pool.spawn(doing(run))
        assert handle.status == "queued"
        assert not handle.done()
        gate.open()
        assert gate.next() == "running"
        until_parked(pool, handle)
        pool.router.send(AgentMessage(sender=0, to=handle.id, content="word"))
        eventually(lambda: handle.status == "running")
        second.set()
        assert handle.result(timeout=WAIT) == "word"
        assert handle.status == "completed"
        assert handle.done()


def test_result_waits_and_times_out(gate) -> None:
    """The built-in TimeoutError, at the time that was asked for."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        for timeout in (0, 0.1):
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                handle.result(timeout=timeout)
            assert timeout * 0.9 <= time.monotonic() - begin < timeout + 2
        gate.open()
        assert handle.result() == "held"


def test_result_timeout_is_unambiguous() -> None:
    """An agent that itself timed out, or crashed with TimeoutError, raises no TimeoutError."""

    def crash(agent, query):
        raise TimeoutError("inner")

    with AgentPool() as pool:
        for config in (picky("sleep", timeout=0.05), doing(crash)):
            with pytest.raises((AgentTimedOut, AgentCrashed)) as caught:
                pool.spawn(config).result(timeout=WAIT)
            assert not isinstance(caught.value, TimeoutError)


def test_handle_cancel_has_a_reason(gate) -> None:
    """The agent ends as cancelled with the reason; cancelling again or late does nothing."""
    with AgentPool() as pool:
        handle = pool.spawn(sleeper(gate))
        gate.next()
        handle.cancel("enough")
        handle.cancel("again")
        outcome = handle.outcome(timeout=WAIT)
        assert outcome.status == "cancelled"
        assert "enough" in str(outcome.error)
        handle.cancel("late")
        assert handle.outcome(timeout=0).status == "cancelled"


def test_done_callback_runs_once_with_the_handle(gate) -> None:
    """After the outcome is visible and the cleanup done."""
    seen = []
    called = threading.Event()

    def callback(handle):
        seen.append((handle, handle.done(), handle.status, pool.router.agent_count, pool.active_count))
        called.set()

    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        handle.add_done_callback(callback)
        gate.open()
        assert called.wait(WAIT)
    assert seen == [(handle, True, "completed", 0, 0)]


def test_done_callback_of_a_finished_agent_runs_at_once_here() -> None:
    """In the caller's thread, before add_done_callback returns."""
    seen = []
    with AgentPool() as pool:
        handle = pool.spawn(echo())
        handle.result(timeout=WAIT)
        handle.add_done_callback(lambda given: seen.append((given, threading.current_thread())))
        assert seen == [(handle, threading.current_thread())]


def test_done_callback_that_raises_harms_nobody(gate) -> None:
    """Other callbacks run; the outcome stands."""
    called = threading.Event()
    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(held(gate))
        handle.add_done_callback(lambda _: 1 / 0)
        handle.add_done_callback(lambda _: called.set())
        gate.open()
        assert called.wait(WAIT)
        assert handle.result(timeout=WAIT) == "held"
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"


def test_slow_callback_holds_no_slot(gate, second_gate) -> None:
    """The next agent runs while a callback of the last one hangs."""
    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(held(gate))
        handle.add_done_callback(lambda _: second_gate.arrive("callback"))
        gate.open()
        second_gate.next()
        assert pool.spawn(echo("next"), timeout=WAIT).result(timeout=WAIT) == "next"
        second_gate.open()


def test_future_is_a_concurrent_future(gate) -> None:
    """concurrent.futures.wait and as_completed work with it."""
    with AgentPool() as pool:
        handles = [pool.spawn(echo("a")), pool.spawn(held(gate, "b"))]
        futures = [handle.future for handle in handles]
        assert all(isinstance(future, concurrent.futures.Future) for future in futures)
        assert handles[0].future is futures[0]
        done, waiting = concurrent.futures.wait(futures, timeout=WAIT, return_when=concurrent.futures.FIRST_COMPLETED)
        assert done == {futures[0]}
        assert waiting == {futures[1]}
        gate.open()
        assert {future.result() for future in concurrent.futures.as_completed(futures, timeout=WAIT)} == {"a", "b"}


def test_future_is_done_no_earlier_than_the_handle(gate) -> None:
    """In the future's callback the handle is done."""
    seen = []
    called = threading.Event()
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))

        def callback(future):
            seen.append((handle.done(), handle.status))
            called.set()

        handle.future.add_done_callback(callback)
        gate.open()
        assert called.wait(WAIT)
    assert seen == [(True, "completed")]


def test_future_cancel_is_the_handles(gate) -> None:
    """It aborts the agent; the outcome is cancelled."""
    with AgentPool() as pool:
        handle = pool.spawn(sleeper(gate))
        gate.next()
        future = handle.future
        future.cancel()
        assert handle.outcome(timeout=WAIT).status == "cancelled"
        with pytest.raises((AgentCancelled, concurrent.futures.CancelledError)):
            future.result(timeout=WAIT)


def test_future_wraps_into_asyncio(gate) -> None:
    """asyncio.wrap_future works for values and for errors."""

    async def main():
        with AgentPool() as pool:
            good = asyncio.wrap_future(pool.spawn(echo("async")).future)
            bad = asyncio.wrap_future(pool.spawn(picky("fail")).future)
            assert await asyncio.wait_for(good, WAIT) == "async"
            with pytest.raises(InferenceFailed):
                await asyncio.wait_for(bad, WAIT)

    asyncio.run(main())


def test_cancelling_a_wrapped_future_cancels_the_agent(gate) -> None:
    """asyncio's cancel reaches the agent."""
    with AgentPool() as pool:
        handle = pool.spawn(sleeper(gate))
        gate.next()

        async def main():
            task = asyncio.wrap_future(handle.future)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert handle.outcome(timeout=WAIT).status == "cancelled"


def test_many_threads_read_one_handle(gate) -> None:
    """Every reader gets the value."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        readers = [Background(lambda: handle.result(timeout=WAIT)) for _ in range(8)]
        gate.open()
        assert [reader.result() for reader in readers] == ["held"] * 8


def test_spawn_config_survives_pickling() -> None:
    """Also with a class, a timeout and messages."""
    from actors import UserMessage

    config = picky("x", timeout=3.0, group="g", tag=("t", 1), messages=(UserMessage("hi"),))
    back = pickle.loads(pickle.dumps(config))
    assert back.manifest == config.manifest
    assert (back.query, back.agent, back.timeout, back.group, back.tag) == ("x", config.agent, 3.0, "g", ("t", 1))
    assert tuple(back.messages) == (UserMessage("hi"),)
