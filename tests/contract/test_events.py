"""Section 9: events."""

from __future__ import annotations

import pickle
import threading
import time

import pytest

from actors import (
    AgentPool,
    CompletionResponse,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolRegistry,
    tool,
)

from ..waiting import until_parked
from .doubles import WAIT, doing, echo, held, manifest


def kinds(events, agent_id=None):
    return [type(event).__name__ for event in events if agent_id is None or event.agent_id == agent_id]


def test_the_life_of_an_agent_is_told() -> None:
    """Queued or not, started, ended; each says whose it is."""
    events = []
    with AgentPool(on_event=events.append) as pool:
        pool.spawn(echo(name="ann"))
        pool.spawn(doing(lambda agent, _: 1 / 0, name="bob"))
    for number, name in ((1, "ann"), (2, "bob")):
        mine = [event for event in events if event.agent_id == number]
        assert {event.agent for event in mine} == {name}
        words = kinds(mine)
        assert words.index("AgentStarted") < words.index("AgentEnded")
        assert words[-1] == "AgentEnded"
        assert words.count("AgentEnded") == 1
    ended = {event.agent_id: str(event.status) for event in events if type(event).__name__ == "AgentEnded"}
    assert ended == {1: "completed", 2: "crashed"}


def test_queued_agents_are_told_of(gate) -> None:
    """AgentQueued comes before AgentStarted."""
    events = []
    with AgentPool(max_concurrent=1, max_queued=1, on_event=events.append) as pool:
        pool.spawn(held(gate))
        pool.spawn(echo())
        gate.open()
    words = kinds(events, 2)
    assert words.index("AgentQueued") < words.index("AgentStarted") < words.index("AgentEnded")


def test_seq_order_one_at_a_time() -> None:
    """A thread of the event delivery calls the sink in seq order; leaving flushes everything."""
    events, overlaps, threads = [], [], set()
    busy = threading.Lock()

    def sink(event):
        if not busy.acquire(blocking=False):
            overlaps.append(event)
            return
        threads.add(threading.current_thread())
        events.append(event)
        busy.release()

    with AgentPool(max_concurrent=4, max_queued=None, on_event=sink) as pool:
        pool.fan_out([doing(lambda agent, _: agent.send(0, "x")) for _ in range(200)])
    assert overlaps == []
    numbers = [event.seq for event in events]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers)
    assert kinds(events).count("AgentEnded") == 200
    assert kinds(events).count("AgentStarted") == 200
    assert threading.main_thread() not in threads
    for number in range(1, 201):
        words = kinds(events, number)
        assert words.index("AgentStarted") < words.index("AgentEnded")


def test_leaving_flushes_a_slow_sink() -> None:
    """Nothing is lost: the block ends after the last event was handled."""
    events = []
    pause = threading.Event()

    def sink(event):
        pause.wait(0.005)
        events.append(event)

    with AgentPool(max_concurrent=2, max_queued=None, on_event=sink) as pool:
        pool.fan_out([echo() for _ in range(40)])
    assert kinds(events).count("AgentEnded") == 40


def test_a_raising_sink_is_logged_once_and_harms_nobody() -> None:
    """The agents do not notice; later events are still handed over, or the sink is dropped."""
    from loguru import logger

    lines = []

    def sink(event):
        raise RuntimeError("sink broke")

    logger.enable("actors")
    added = logger.add(lambda message: lines.append(str(message)), level="DEBUG", format="{message} {exception}")
    try:
        with AgentPool(on_event=sink) as pool:
            handles = [pool.spawn(echo(str(n)), timeout=WAIT) for n in range(10)]
            assert [handle.result(timeout=WAIT) for handle in handles] == [str(n) for n in range(10)]
    finally:
        logger.remove(added)
        logger.disable("actors")
    assert sum("sink broke" in line for line in lines) == 1


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()], ids=repr)
def test_a_sink_may_raise_anything(error) -> None:
    """The pool works on and closes."""

    def sink(event):
        raise error

    with AgentPool(on_event=sink) as pool:
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"


def test_a_stuck_sink_does_not_hold_the_agents(gate) -> None:
    """Agents end while the sink hangs; afterwards every lifecycle event arrives."""
    events = []

    def sink(event):
        if not events:
            gate.arrive("sink")
        events.append(event)

    with AgentPool(max_concurrent=2, max_queued=None, on_event=sink) as pool:
        handles = pool.fan_out([echo() for _ in range(100)])
        assert gate.next() == "sink"
        begin = time.monotonic()
        assert [handle.result(timeout=WAIT) for handle in handles] == ["q"] * 100
        assert time.monotonic() - begin < 5
        gate.open()
    assert kinds(events).count("AgentEnded") == 100


def test_parked_and_resumed(gate) -> None:
    """A wait is told when it parks and when it goes on."""
    events = []
    from actors import AgentMessage

    with AgentPool(on_event=events.append) as pool:
        handle = pool.spawn(doing(lambda agent, _: agent.receive(timeout=WAIT).content))
        until_parked(pool, handle)
        pool.router.send(AgentMessage(sender=0, to=handle.id, content="go"))
        handle.result(timeout=WAIT)
    words = kinds(events, 1)
    assert (
        words.index("AgentStarted")
        < words.index("AgentParked")
        < words.index("AgentResumed")
        < words.index("AgentEnded")
    )


def test_message_sent() -> None:
    """Who sent to whom."""
    events = []
    with AgentPool(on_event=events.append) as pool:
        pool.spawn(doing(lambda agent, _: agent.send(0, "x"))).result(timeout=WAIT)
    (sent,) = [event for event in events if type(event).__name__ == "MessageSent"]
    assert (sent.agent_id, sent.to) == (1, 0)


def test_events_of_one_llm_agent() -> None:
    """Phases, text, tools with their call, tokens and cost."""

    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    events = []
    first = CompletionResponse(
        "let me add", StopReason.TOOL_USE, (ToolCall("c1", "add", {"a": 1, "b": 2}),), TokenUsage(10, 5)
    )
    driver = ScriptedDriver([first, CompletionResponse("three", usage=TokenUsage(20, 1))], usd_per_token=0.1)
    with AgentPool(driver, tools=ToolRegistry([add]), on_event=events.append) as pool:
        pool.spawn(SpawnConfig(manifest=manifest("ann"), query="1+2?")).result(timeout=WAIT)
    assert {event.agent for event in events if event.agent_id == 1} == {"ann"}
    words = kinds(events, 1)
    assert "PhaseChanged" in words
    assert words.index("ToolStarted") < words.index("ToolEnded")
    by_kind = {kind: [e for e in events if type(e).__name__ == kind] for kind in set(words)}
    assert (by_kind["ToolStarted"][0].tool, by_kind["ToolStarted"][0].call_id) == ("add", "c1")
    assert by_kind["ToolEnded"][0].is_error is False
    assert by_kind["ToolEnded"][0].duration >= 0
    usage = [(event.input_tokens, event.output_tokens) for event in by_kind["CompletionFinished"]]
    assert usage == [(10, 5), (20, 1)]
    assert [event.cost_usd for event in by_kind["CompletionFinished"]] == pytest.approx([1.5, 2.1])
    assert "".join(event.text for event in by_kind["TextDelta"]).endswith("three")


def test_events_are_frozen_and_can_be_pickled() -> None:
    """Plain data with agent_id, agent, seq, at."""
    events = []
    with AgentPool(on_event=events.append) as pool:
        pool.spawn(echo()).result(timeout=WAIT)
    assert events
    for event in events:
        assert pickle.loads(pickle.dumps(event)) == event
        assert event.at is not None
        with pytest.raises(Exception, match=r"(?i)frozen|immutable"):
            event.seq = 0


def test_an_agent_emits_its_own_events() -> None:
    """emit(event): stamped with whose it is, in the order of the others."""
    from actors import TextDelta

    events = []

    def run(agent, query):
        agent.emit(TextDelta(text="halfway"))

    with AgentPool(on_event=events.append) as pool:
        pool.spawn(doing(run, name="ann")).result(timeout=WAIT)
    (delta,) = [event for event in events if isinstance(event, TextDelta)]
    assert (delta.agent_id, delta.agent, delta.text) == (1, "ann", "halfway")
    words = kinds(events, 1)
    assert words.index("AgentStarted") < words.index("TextDelta") < words.index("AgentEnded")


def test_emit_without_a_sink_is_harmless() -> None:
    """Nothing happens."""
    from actors import TextDelta

    with AgentPool() as pool:
        assert pool.spawn(doing(lambda agent, _: agent.emit(TextDelta(text="x")))).result(timeout=WAIT) is None


def test_restarts_are_told() -> None:
    """AgentRestarted says which attempt."""
    from actors import Backoff, RestartPolicy

    events, runs = [], []

    def run(agent, query):
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("once")

    policy = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.01, jitter=0.0))
    with AgentPool(restart=policy, on_event=events.append) as pool:
        pool.spawn(doing(run)).result(timeout=WAIT)
    (restarted,) = [event for event in events if type(event).__name__ == "AgentRestarted"]
    assert (restarted.agent_id, restarted.attempt) == (1, 1)
    assert kinds(events, 1).count("AgentEnded") == 1
