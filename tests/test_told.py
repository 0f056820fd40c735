"""What events tell beside what happened: when, whose, and which belong together."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentPool,
    Cancelled,
    CancelToken,
    CompletionResponse,
    FunctionDriver,
    InferenceFailed,
    NetworkError,
    RateLimiter,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    tool,
)
from actors.agent.loop import driver_call
from actors.core.clock import Clock, WallTime
from actors.core.records.spec import Backoff
from actors.events import (
    AgentEnded,
    AgentQueued,
    AgentStarted,
    CompletionFailed,
    CompletionFinished,
    CompletionStarted,
    Event,
    LimiterWaited,
    MessageRead,
    MessageSent,
    ToolStarted,
)
from actors.tools.inference import inference_tool
from tests.contract.doubles import WAIT, doing, echo, held, manifest
from tests.waiting import BOUND, eventually

if TYPE_CHECKING:
    from collections.abc import Callable


def only(told: list[Event], *kinds: type[Any]) -> list[Any]:
    return [event for event in told if isinstance(event, kinds)]


def told_by(run: Callable[[AgentPool], object], driver: Any = None, **options: Any) -> list[Event]:
    """The events of what *run* does with a pool."""
    told: list[Event] = []
    with AgentPool(driver, on_event=told.append, **options) as pool:
        run(pool)
    return told


def ask(pool: AgentPool) -> None:
    pool.spawn(SpawnConfig(manifest(), "q")).outcome(WAIT)


# The moment -----------------------------------------------------------------------------------------------------


class ByHand(Clock):
    """A clock that the test moves: both of its faces."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.begin = datetime(2030, 1, 1, tzinfo=UTC)
        self.monotonic = lambda: self.seconds  # type: ignore[method-assign]

    def now(self) -> datetime:  # type: ignore[override]
        """As far on as the other face."""
        return self.begin + timedelta(seconds=self.seconds)


def test_the_moment_and_the_time_are_of_the_pools_clock(supervise: Any, start: Any, gates: Any) -> None:
    """Of each event, whoever tells it, and of the outcome."""
    clock, told, first, second = ByHand(), [], gates(), gates()
    supervisor = supervise(clock=clock, sink=told.append, max_concurrent=1, max_queued=1)
    start(supervisor, lambda _: first.hold(), name="first")
    first.await_reached()
    clock.seconds = 1_001.0
    queued = start(supervisor, lambda _: second.hold(), name="second")
    clock.seconds = 1_002.0
    first.open()
    second.await_reached()
    clock.seconds = 1_003.5
    second.open()
    queued.outcome(BOUND)
    supervisor.pool.event_delivery.close(BOUND)
    mine = [(type(event), event.moment) for event in told if event.agent == "second"]
    assert mine == [(AgentQueued, 1_001.0), (AgentStarted, 1_002.0), (AgentEnded, 1_003.5)]
    assert all(event.at == clock.begin + timedelta(seconds=event.moment) for event in told)
    assert queued._cell.outcome.started_at == clock.begin + timedelta(seconds=1_002.0)
    assert queued._cell.outcome.duration == 1.5


def test_the_moments_of_an_agent_never_run_back() -> None:
    """Though its tools tell at the same time, and whoever hears them."""
    sides: list[list[Event]] = [[], []]

    def work(agent: Any, _: str) -> None:
        threads = [threading.Thread(target=lambda: [agent.send(0, n) for n in range(100)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)

    with AgentPool(on_event=sides[0].append) as pool:
        handle = pool.spawn(doing(work))
        handle.outcome(WAIT)
        sides[1] = list(handle.events(0))
    for told in sides:
        assert len(told) == 402
        assert [event.moment for event in told] == sorted(event.moment for event in told)
        assert [event.at for event in told] == sorted(event.at for event in told)  # type: ignore[type-var]


def test_the_log_and_the_sink_say_the_same_moments(gate: Any) -> None:
    """A late reader, too: of the queue, the start and the end."""
    told: list[Event] = []
    with AgentPool(max_concurrent=1, max_queued=1, on_event=told.append) as pool:
        pool.spawn(held(gate))
        handle = pool.spawn(echo())
        gate.open()
        handle.outcome(WAIT)
        late = [(type(event), event.moment) for event in handle.events(0)]
    assert [(type(event), event.moment) for event in told if event.agent_id == handle.id] == late


def test_wall_time_follows_a_clock_that_was_set() -> None:
    """It looks again after a second; less than a step is left alone, so that times do not run back."""
    clock = ByHand()
    wall = WallTime(clock)
    assert wall.at(1_000.5) == clock.begin + timedelta(seconds=1_000.5)
    clock.begin += timedelta(seconds=WallTime.STEP / 2)
    clock.seconds += 2
    assert wall.at(clock.seconds) == clock.now() - timedelta(seconds=WallTime.STEP / 2)
    clock.begin += timedelta(hours=1)
    clock.seconds += 2
    assert wall.at(clock.seconds) == clock.now()
    assert wall.moment(wall.at(1_234.5)) == pytest.approx(1_234.5, abs=1e-5)


# Whose ----------------------------------------------------------------------------------------------------------


def test_key_group_and_slots_are_told(gate: Any) -> None:
    """In the queue and at the start, with the limit of that moment; a late reader is told the same."""

    def run(pool: AgentPool) -> None:
        pool.spawn(held(gate))
        handle = pool.spawn(echo(key="second", group="g"))
        gate.await_reached()
        gate.open()
        handle.outcome(WAIT)
        pool.resize(7)
        pool.spawn(echo()).outcome(WAIT)
        late.extend(handle.events(0))

    late: list[Event] = []
    told = told_by(run, max_concurrent=1, max_queued=1)
    for events in (told, late):
        assert [(event.key, event.group) for event in only(events, AgentQueued)] == [("second", "g")]
    started = [(event.key, event.group, event.slots) for event in only(told, AgentStarted)]
    assert started == [(None, None, 1), ("second", "g", 1), (None, None, 7)]
    assert [(event.key, event.group, event.slots) for event in only(late, AgentStarted)] == [("second", "g", 1)]


def test_calls_of_one_answer_have_lanes_of_their_own() -> None:
    """By their place in the answer."""

    @tool
    def note(n: int) -> str:
        """Take a note."""
        return str(n)

    calls = [ToolCall(f"c{n}", "note", {"n": n}) for n in range(3)]
    script = [CompletionResponse("", StopReason.TOOL_USE, calls), "done"]
    told = told_by(ask, ScriptedDriver(script), tools=ToolRegistry([note]))
    assert {event.call_id: event.lane for event in only(told, ToolStarted)} == {"c0": 0, "c1": 1, "c2": 2}


# Messages -------------------------------------------------------------------------------------------------------


def test_the_nth_message_sent_is_the_nth_read() -> None:
    """For each pair, by every way out of an inbox; a dead letter counts as sent, and is read by nobody."""

    def read(agent: Any, _: str) -> None:
        for _ in range(4):
            agent.receive(BOUND)
        while agent.inbox.receive_nowait() is None:
            agent.sleep(0.001)
        ready.set()
        assert done.wait(BOUND)

    ready, done = threading.Event(), threading.Event()

    def run(pool: AgentPool) -> None:
        reader = pool.spawn(doing(read))
        for _ in range(2):
            pool.spawn(doing(lambda agent, _: [agent.send(reader.id, n) for n in range(2)])).outcome(WAIT)
        reader.send("of the program", timeout=WAIT)
        assert ready.wait(BOUND)
        pool.spawn(doing(lambda agent, _: agent.send(reader.id, "dead"))).outcome(WAIT)
        done.set()
        reader.outcome(WAIT)

    told = told_by(run)
    assert [(event.agent_id, event.to) for event in only(told, MessageSent)] == [(2, 1), (2, 1), (3, 1), (3, 1), (4, 1)]
    assert [(event.agent_id, event.sender) for event in only(told, MessageRead)] == [
        (1, 2), (1, 2), (1, 3), (1, 3), (1, 0),
    ]  # fmt: skip


def test_a_message_is_sent_before_it_is_read() -> None:
    """By its moment, also where the reader is faster than the sender tells."""

    def run(pool: AgentPool) -> None:
        reader = pool.spawn(doing(lambda agent, _: [agent.receive(BOUND) for _ in range(100)]))
        pool.spawn(doing(lambda agent, _: [agent.send(reader.id, n) for n in range(100)]))
        reader.outcome(WAIT)

    told = told_by(run, inbox_capacity=100)  # no sender has to wait for room
    sent, read = only(told, MessageSent), only(told, MessageRead)
    assert len(sent) == len(read) == 100
    assert all(one.moment <= other.moment for one, other in zip(sent, read, strict=True))


def test_a_loop_reads_its_inbox() -> None:
    """An ``LlmAgent`` hears between its turns."""
    asked, go = threading.Event(), threading.Event()

    @tool
    def pause() -> str:
        """Wait for a message to be there."""
        asked.set()
        assert go.wait(BOUND)
        return "now"

    def run(pool: AgentPool) -> None:
        handle = pool.spawn(SpawnConfig(manifest(), "q"))
        assert asked.wait(BOUND)
        handle.send("hello", timeout=WAIT)
        go.set()
        handle.outcome(WAIT)

    script = [CompletionResponse("", StopReason.TOOL_USE, [ToolCall("c1", "pause", {})]), "done"]
    told = told_by(run, ScriptedDriver(script), tools=ToolRegistry([pause]))
    assert [(event.agent_id, event.sender) for event in only(told, MessageRead)] == [(1, 0)]


# Completions ----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver is asked again at once."""
    monkeypatch.setattr(driver_call, "BACKOFF", Backoff(base=0.0005, factor=1.0, jitter=0))


def steps(told: list[Event]) -> list[tuple[Any, ...]]:
    """What was told of completions."""
    out: list[tuple[Any, ...]] = []
    for event in told:
        if isinstance(event, CompletionStarted):
            out.append(("started", event.attempt))
        elif isinstance(event, CompletionFinished):
            out.append(("finished", event.attempt, event.stop_reason))
        elif isinstance(event, CompletionFailed):
            out.append(("failed", event.attempt, event.error, event.delay))
    return out


def failing(*errors: Exception | None) -> FunctionDriver:
    """A driver that raises *errors* in turn; None answers."""
    left = iter(errors)

    def answer(_: Any) -> str:
        error = next(left)
        if error is not None:
            raise error
        return "done"

    return FunctionDriver(answer)


def test_a_completion_begins_and_ends() -> None:
    """With the model that is asked for, and why it stopped."""
    told = told_by(
        lambda pool: pool.spawn(SpawnConfig(manifest(model={"remote_model": "m-1"}, privacy="standard"), "q")).outcome(
            WAIT
        ),
        failing(None),
    )
    assert steps(told) == [("started", 1), ("finished", 1, "end_turn")]
    assert {event.model for event in only(told, CompletionStarted, CompletionFinished)} == {"m-1"}


@pytest.mark.usefixtures("no_backoff")
def test_attempts_are_told_one_by_one() -> None:
    """Each that fails says when the next one comes; what it had used is told before."""
    used = NetworkError("half")
    used.tokens = (3, 1)
    told = told_by(ask, failing(NetworkError("busy"), used, None))
    assert steps(told) == [
        ("started", 1),
        ("failed", 1, "busy", 0.0005),
        ("started", 2),
        ("finished", 2, None),
        ("failed", 2, "half", 0.0005),
        ("started", 3),
        ("finished", 3, "end_turn"),
    ]


@pytest.mark.usefixtures("no_backoff")
def test_the_last_failure_has_no_delay() -> None:
    """Nobody asks again."""
    told = told_by(ask, failing(*[NetworkError("busy")] * 4))
    assert [step for step in steps(told) if step[0] == "failed"] == [
        *[("failed", n, "busy", 0.0005) for n in (1, 2, 3)],
        ("failed", 4, "busy", None),
    ]


@pytest.mark.parametrize("error", [InferenceFailed("no"), ValueError("defect")], ids=lambda error: str(error))
def test_any_error_ends_a_completion(error: Exception) -> None:
    """Also one that is no driver's."""
    assert steps(told_by(ask, failing(error))) == [("started", 1), ("failed", 1, str(error), None)]


class Unpriced(FunctionDriver):
    """A driver that cannot say what an answer cost."""

    def estimate_cost(self, usage: Any) -> float:
        """Raise."""
        raise ValueError("no price")


def test_a_completion_that_was_answered_ends_once() -> None:
    """Also when what comes after it fails: the answer was told."""
    assert steps(told_by(ask, Unpriced(lambda _: "done"))) == [("started", 1), ("finished", 1, "end_turn")]


def test_who_listens_from_the_middle_of_a_completion_on_hears_of_what_it_was() -> None:
    """Of an agent that nobody heard before, too."""
    told: list[Event] = []

    def answer(_: Any) -> str:
        pool.subscribe(told.append)
        return "done"

    driver = FunctionDriver(answer)
    driver.model = "m-1"  # type: ignore[attr-defined]
    with AgentPool(driver) as pool:
        assert all(outcome.ok for outcome in pool.map([SpawnConfig(manifest(), "q")]))
    (finished,) = only(told, CompletionFinished)
    assert (finished.model, finished.attempt, finished.stop_reason) == ("m-1", 1, "end_turn")


def test_a_cancel_ends_a_completion() -> None:
    """And says so."""
    asked = threading.Event()

    class Endless(FunctionDriver):
        """A driver that waits for a cancel."""

        def complete(self, request: Any, *, cancel: Any) -> CompletionResponse:
            """Wait."""
            asked.set()
            cancel.wait(BOUND)
            cancel.check()
            raise AssertionError

    def run(pool: AgentPool) -> None:
        handle = pool.spawn(SpawnConfig(manifest(), "q"))
        assert asked.wait(BOUND)
        handle.cancel("enough")
        handle.outcome(WAIT)

    told = told_by(run, Endless(str))
    assert steps(told) == [("started", 1), ("failed", 1, "enough", None)]


def test_a_tool_that_asks_a_model_tells_of_it() -> None:
    """On its own thread, as its agent's."""
    script = [
        CompletionResponse("", StopReason.TOOL_USE, [ToolCall("c1", "ask_model", {"prompt": "Why?"})]),
        "so",
        "ok",
    ]
    told = told_by(
        lambda pool: pool.spawn(SpawnConfig(manifest(capabilities=[{"type": "inference"}]), "q")).outcome(WAIT),
        ScriptedDriver(script),
        tools=ToolRegistry([inference_tool()]),
    )
    assert [step[0] for step in steps(told)] == ["started", "finished"] * 3
    assert {event.agent_id for event in told} == {1}


# The limiter ----------------------------------------------------------------------------------------------------


class Limited(FunctionDriver):
    """A driver whose calls wait for a limiter."""

    def __init__(self, limiter: RateLimiter, answer: Callable[[Any], str]) -> None:
        super().__init__(answer)
        self.limiter = limiter

    def complete(self, request: Any, *, cancel: Any) -> CompletionResponse:
        """Call the function when the limiter lets it."""
        with self.limiter.acquire(1, cancel=cancel):
            return super().complete(request, cancel=cancel)


def test_a_wait_for_the_limiter_is_told_of_who_waited() -> None:
    """And of nobody else."""
    limiter = RateLimiter(max_concurrent=1)
    inside, go = threading.Event(), threading.Event()
    number = itertools.count()

    def answer(_: Any) -> str:
        if next(number) == 0:
            inside.set()
            assert go.wait(BOUND)
        return "done"

    def run(pool: AgentPool) -> None:
        pool.spawn(SpawnConfig(manifest(), "q"))
        assert inside.wait(BOUND)
        pool.spawn(SpawnConfig(manifest(), "q"))
        eventually(lambda: limiter.stats().waiting == 1)
        go.set()
        pool.drain(WAIT)

    told = told_by(run, Limited(limiter, answer))
    (waited,) = only(told, LimiterWaited)
    assert waited.agent_id == 2
    assert 0 < waited.seconds < BOUND
    kinds = [type(event) for event in told if event.agent_id == 2]
    assert kinds.index(CompletionStarted) < kinds.index(LimiterWaited) < kinds.index(CompletionFinished)


def test_who_is_no_agent_tells_nobody_of_a_wait() -> None:
    """A thread of the program may use a limiter."""
    limiter = RateLimiter(max_concurrent=1)

    token = CancelToken()
    with limiter.acquire(1, cancel=token):
        threading.Timer(0.01, token.cancel).start()
        with pytest.raises(Cancelled), limiter.acquire(1, cancel=token):
            pass
