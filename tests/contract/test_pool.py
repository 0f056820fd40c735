"""AgentPool and SpawnConfig, row by row."""

from __future__ import annotations

import concurrent.futures
import gc
import itertools
import threading
import time

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AssistantMessage,
    InMemorySubstrate,
    LlmAgent,
    MessageRouter,
    PrivacyTier,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    UserMessage,
)
from actors.errors import (
    AgentCancelled,
    AgentCrashed,
    AgentTimedOut,
    CapabilityDenied,
    CapacityError,
    CircuitBreak,
    PoolClosed,
)

from ..waiting import at_once, eventually, until_parked
from .doubles import WAIT, Background, Doing, Echo, Gauge, doing, echo, held, manifest, sleeper

# spawn -----------------------------------------------------------------------------------------------------------


def test_ids_start_at_one_and_rise_by_one() -> None:
    """Ids are 1, 2, 3, in order of spawning."""
    with AgentPool(None, 4) as pool:
        assert [pool.spawn(echo()).id for _ in range(3)] == [1, 2, 3]
        assert sorted(pool.join_all(timeout=WAIT)) == [1, 2, 3]


def test_spawn_config_takes_manifest_and_query_by_position() -> None:
    """SpawnConfig(manifest, query, ...) as its signature is written."""
    config = SpawnConfig(manifest(), "hello", agent=Echo)
    assert config.query == "hello"
    assert config.manifest.name == "worker"


def test_spawn_at_the_limit_is_refused_at_once(gate) -> None:
    """INV-008: one more than max_concurrent is a CapacityError, which is a CircuitBreak."""
    with AgentPool(max_concurrent=2) as pool:
        pool.spawn(held(gate))
        pool.spawn(held(gate))
        begin = time.monotonic()
        with pytest.raises(CapacityError) as caught:
            pool.spawn(echo())
        assert time.monotonic() - begin < 2
        assert isinstance(caught.value, CircuitBreak)
        assert at_once(pool, lambda: pool.active_count == 2)
        gate.open()


def test_refused_spawn_uses_no_id(gate) -> None:
    """The id after a refusal is the next one."""
    with AgentPool(max_concurrent=1) as pool:
        assert pool.spawn(held(gate)).id == 1
        for _ in range(3):
            with pytest.raises(CapacityError):
                pool.spawn(echo())
        gate.open()
        pool.join_all(timeout=WAIT)
        assert pool.spawn(echo()).id == 2


def test_default_limit_is_four(gate) -> None:
    """max_concurrent is 4 and max_queued 0 unless said."""
    with AgentPool() as pool:
        assert pool.max_concurrent == 4
        for _ in range(4):
            pool.spawn(held(gate))
        with pytest.raises(CapacityError):
            pool.spawn(echo())
        gate.open()


@pytest.mark.parametrize("max_queued", [0, 3, None])
def test_zero_slots_refuse_all(max_queued) -> None:
    """max_concurrent=0 refuses every spawn."""
    with AgentPool(max_concurrent=0, max_queued=max_queued) as pool:
        with pytest.raises(CapacityError):
            pool.spawn(echo())
        assert pool.join_next(timeout=0) is None


def test_negative_limit_is_a_value_error() -> None:
    """max_concurrent < 0 is a usage error."""
    with pytest.raises(ValueError):
        AgentPool(max_concurrent=-1)


def test_finished_agents_hold_no_capacity() -> None:
    """An outcome that waits to be taken holds no slot."""
    with AgentPool(max_concurrent=1) as pool:
        for expected in (1, 2, 3):
            handle = pool.spawn(echo())
            assert handle.id == expected
            concurrent.futures.wait([handle.future], timeout=WAIT)
        assert pool.active_count == 0
        assert pool.outstanding_count == 3
        assert len(pool.join_all(timeout=WAIT)) == 3


def test_spawn_waits_for_a_slot_up_to_its_timeout(gate) -> None:
    """A waiting spawn gets the slot that becomes free."""
    with AgentPool(max_concurrent=1) as pool:
        pool.spawn(held(gate))
        gate.next()
        waiting = Background(lambda: pool.spawn(echo("late"), timeout=WAIT))
        eventually(waiting.blocked)
        gate.open()
        assert waiting.result().id == 2
        outcomes = pool.join_all(timeout=WAIT)
        assert outcomes[2].result == "late"


def test_spawn_gives_up_after_its_timeout(gate) -> None:
    """CapacityError when no room came in time; no id is used."""
    with AgentPool(max_concurrent=1) as pool:
        pool.spawn(held(gate))
        begin = time.monotonic()
        with pytest.raises(CapacityError):
            pool.spawn(echo(), timeout=0.15)
        assert 0.14 <= time.monotonic() - begin < 3
        gate.open()
        pool.join_all(timeout=WAIT)
        assert pool.spawn(echo()).id == 2


def test_waiting_spawns_are_served_in_order(gate) -> None:
    """First come, first served among spawns that wait for room."""
    with AgentPool(max_concurrent=1) as pool:
        pool.spawn(held(gate))
        gate.next()
        waiting = []
        for name in ("first", "second", "third"):
            call = Background(lambda name=name: pool.spawn(echo(name), timeout=WAIT))
            eventually(call.blocked)
            waiting.append(call)
        gate.open()
        assert [call.result().id for call in waiting] == [2, 3, 4]


def test_waiting_spawn_gets_pool_closed(gate) -> None:
    """close() wakes a spawn that waits for room."""
    pool = AgentPool(max_concurrent=1)
    pool.spawn(sleeper(gate))
    gate.next()
    waiting = Background(lambda: pool.spawn(echo(), timeout=WAIT))
    eventually(waiting.blocked)
    pool.close()
    with pytest.raises(PoolClosed):
        waiting.result()
    assert waiting.seconds < 8


def test_queue_takes_max_queued_agents(gate) -> None:
    """max_queued admitted agents wait; one more is refused."""
    with AgentPool(max_concurrent=1, max_queued=2) as pool:
        pool.spawn(held(gate))
        gate.next()
        queued = [pool.spawn(echo()), pool.spawn(echo())]
        assert at_once(pool, lambda: pool.queued_count == 2)
        assert pool.active_count == 1
        assert pool.outstanding_count == 3
        assert [handle.status for handle in queued] == ["queued", "queued"]
        with pytest.raises(CapacityError):
            pool.spawn(echo())
        gate.open()
        assert len(pool.join_all(timeout=WAIT)) == 3
        assert (pool.queued_count, pool.active_count, pool.outstanding_count) == (0, 0, 0)


def test_queue_without_bound(gate) -> None:
    """max_queued=None admits any number."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        pool.spawn(held(gate))
        for _ in range(500):
            pool.spawn(echo())
        assert pool.queued_count == 500
        gate.open()
        assert len(pool.join_all(timeout=WAIT)) == 501


def test_messages_to_a_queued_agent_wait_in_its_mailbox(gate) -> None:
    """What was sent before the start is received after it, in order."""
    from actors import AgentMessage

    def run(agent, query):
        return [agent.receive(timeout=WAIT).content for _ in range(3)]

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        pool.spawn(held(gate))
        handle = pool.spawn(doing(run))
        for number in range(3):
            pool.router.send(AgentMessage(sender=0, to=handle.id, content=number))
        gate.open()
        assert handle.result(timeout=WAIT) == [0, 1, 2]


def order_of(pool, gate, configs):
    """Queue *configs* behind a held agent; return the order in which they started."""
    pool.spawn(held(gate))
    gate.next()
    for config in configs:
        pool.spawn(config)
    gate.open()
    pool.join_all(timeout=WAIT)


def test_queued_agents_start_by_priority_then_age(gate) -> None:
    """A higher priority starts first; equal ones by age."""
    order = []
    configs = [
        doing(lambda agent, query: order.append(query), label, priority=priority)
        for label, priority in [("low", -1), ("a", 0), ("high", 5), ("b", 0), ("high2", 5)]
    ]
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        order_of(pool, gate, configs)
    assert order == ["high", "high2", "a", "b", "low"]


def test_groups_take_turns(gate) -> None:
    """A large group does not starve a small one; inside a group age decides."""
    order = []
    labels = [("big", number) for number in range(50)] + [("small", 0), ("tiny", 0)]
    configs = [
        doing(lambda agent, query: order.append(query), f"{group}{number}", group=group) for group, number in labels
    ]
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        order_of(pool, gate, configs)
    assert order.index("small0") <= 3
    assert order.index("tiny0") <= 3
    big = [label for label in order if label.startswith("big")]
    assert big == [f"big{number}" for number in range(50)]


def test_priority_is_stronger_than_group(gate) -> None:
    """The group's turn counts only among agents of one priority."""
    order = []
    rows = [("a1", "a", 1), ("a2", "a", 1), ("b1", "b", 0), ("a3", "a", 1)]
    configs = [
        doing(lambda agent, query: order.append(query), label, group=group, priority=priority)
        for label, group, priority in rows
    ]
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        order_of(pool, gate, configs)
    assert order == ["a1", "a2", "a3", "b1"]


# SpawnConfig -----------------------------------------------------------------------------------------------------


def test_tag_comes_back_untouched() -> None:
    """Any object is a tag, also one that cannot be pickled or copied."""
    tag = threading.Lock()
    with AgentPool() as pool:
        outcome = pool.spawn(echo(tag=tag)).outcome(timeout=WAIT)
    assert outcome.tag is tag


def test_kwargs_build_the_agent() -> None:
    """kwargs are handed to the class as they are."""

    class Adder(Agent[int]):
        def __init__(self, *, left, right):
            self.left, self.right = left, right

        def run(self, query):
            return self.left + self.right

    with AgentPool() as pool:
        config = SpawnConfig(manifest=manifest(), query="", agent=Adder, kwargs={"left": 2, "right": 3})
        assert pool.spawn(config).result(timeout=WAIT) == 5


def test_config_is_frozen_and_refuses_unknown_keys() -> None:
    """SpawnConfig cannot be changed, and a typo is an error."""
    config = echo()
    with pytest.raises(Exception, match=r"(?i)frozen|immutable"):
        config.query = "other"
    with pytest.raises((ValueError, TypeError)):
        SpawnConfig(manifest=manifest(), query="q", timout=3)


def test_timeout_counts_from_the_first_start() -> None:
    """An agent past its timeout is timed_out; the error is no TimeoutError."""
    with AgentPool() as pool:
        outcome = pool.spawn(doing(lambda agent, _: agent.sleep(WAIT), timeout=0.1)).outcome(timeout=WAIT)
    assert outcome.status == "timed_out"
    assert isinstance(outcome.error, AgentTimedOut)
    assert not isinstance(outcome.error, TimeoutError)
    assert 0.09 <= outcome.duration < 5


def test_timeout_does_not_count_the_queue(gate) -> None:
    """Waiting in the queue costs nothing of the timeout."""
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        pool.spawn(held(gate))
        handle = pool.spawn(doing(lambda agent, _: agent.checkpoint() or "done", timeout=1.0))
        threading.Event().wait(1.2)  # the passing of time is what is tested
        gate.open()
        assert handle.outcome(timeout=WAIT).status == "completed"


def test_timeout_counts_parks() -> None:
    """An agent that waits for a message still runs out of time."""
    with AgentPool() as pool:
        outcome = pool.spawn(doing(lambda agent, _: agent.receive(), timeout=0.1)).outcome(timeout=WAIT)
    assert outcome.status == "timed_out"


def test_deadline_counts_the_queue(gate) -> None:
    """A queued agent past its deadline ends as timed_out and never started."""
    started = threading.Event()
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        pool.spawn(held(gate))
        gate.next()
        handle = pool.spawn(doing(lambda agent, _: started.set(), deadline=0.1))
        outcome = handle.outcome(timeout=WAIT)
        assert outcome.status == "timed_out"
        assert outcome.started_at is None
        assert pool.queued_count == 0
        gate.open()
    assert not started.is_set()


def test_deadline_ends_a_running_agent() -> None:
    """The deadline also ends an agent that started at once."""
    with AgentPool() as pool:
        outcome = pool.spawn(doing(lambda agent, _: agent.sleep(WAIT), deadline=0.1)).outcome(timeout=WAIT)
    assert outcome.status == "timed_out"
    assert isinstance(outcome.error, AgentTimedOut)


def test_messages_come_before_the_query() -> None:
    """SpawnConfig.messages are the conversation so far."""
    driver = ScriptedDriver(["fine"])
    earlier = (UserMessage("I am Ann."), AssistantMessage("Hello Ann."))
    with AgentPool(driver) as pool:
        pool.spawn(SpawnConfig(manifest=manifest(), query="Who am I?", messages=earlier)).result(timeout=WAIT)
    assert tuple(driver.requests[0].messages) == (*earlier, UserMessage("Who am I?"))


def test_default_agent_is_the_llm_agent() -> None:
    """Without ``agent`` the config runs an LlmAgent."""
    assert issubclass(LlmAgent, Agent)
    with AgentPool(ScriptedDriver(["42"])) as pool:
        assert pool.spawn(SpawnConfig(manifest=manifest(), query="?")).result(timeout=WAIT).text == "42"


def test_llm_agent_without_a_driver_is_a_value_error() -> None:
    """Refused at spawn; no id is used."""
    with AgentPool() as pool:
        with pytest.raises(ValueError):
            pool.spawn(SpawnConfig(manifest=manifest(), query="?"))
        assert pool.spawn(echo()).id == 1


def test_driver_of_the_config_wins() -> None:
    """SpawnConfig.driver is asked in place of the pool's."""
    mine, pools = ScriptedDriver(["mine"]), ScriptedDriver(["pool"])
    with AgentPool(pools) as pool:
        handle = pool.spawn(SpawnConfig(manifest=manifest(), query="?", driver=mine))
        assert handle.result(timeout=WAIT).text == "mine"
    assert list(pools.requests) == []


def test_driver_of_the_manifest_wins(tmp_path) -> None:
    """model.driver = "module:factory" is called with the manifest, found beside it."""
    (tmp_path / "accept_driver_module.py").write_text(
        "from actors import ScriptedDriver\n"
        "def build(manifest):\n"
        "    return ScriptedDriver(['made for ' + manifest.name])\n"
    )
    path = tmp_path / "agent.toml"
    path.write_text('name = "ann"\n[model]\ndriver = "accept_driver_module:build"\n')
    with AgentPool(ScriptedDriver(["pool"])) as pool:
        handle = pool.spawn(SpawnConfig(manifest=AgentManifest.load(path), query="?"))
        assert handle.result(timeout=WAIT).text == "made for ann"


def test_agent_class_of_the_manifest(tmp_path) -> None:
    """agent = "module:Class" names the class to run."""
    (tmp_path / "accept_agent_module.py").write_text(
        "from actors import Agent\nclass Shout(Agent[str]):\n    def run(self, query):\n        return query.upper()\n"
    )
    path = tmp_path / "agent.toml"
    path.write_text('name = "shouter"\nagent = "accept_agent_module:Shout"\n')
    with AgentPool() as pool:
        handle = pool.spawn(SpawnConfig(manifest=AgentManifest.load(path), query="hello"))
        assert handle.result(timeout=WAIT) == "HELLO"


class StandardDriver(ScriptedDriver):
    """Like a model in the cloud."""

    @property
    def privacy_tier(self):
        return PrivacyTier.STANDARD


def test_stricter_manifest_than_driver_is_refused_at_spawn() -> None:
    """A sovereign agent does not get a driver of the standard tier."""
    with AgentPool(StandardDriver(["x"])) as pool:
        with pytest.raises(CapabilityDenied):
            pool.spawn(SpawnConfig(manifest=manifest(privacy="sovereign"), query="?"))
        with pytest.raises(CapabilityDenied):
            pool.spawn(SpawnConfig(manifest=manifest(privacy="private"), query="?"))
        handle = pool.spawn(SpawnConfig(manifest=manifest(privacy="standard"), query="?"))
        assert handle.id == 1
        assert handle.result(timeout=WAIT).text == "x"


# submit ----------------------------------------------------------------------------------------------------------


def test_submit_runs_a_plain_function() -> None:
    """Its return value is the result; arguments are handed over."""
    with AgentPool() as pool:
        handle = pool.submit(lambda a, *, b: a - b, 5, b=3)
        assert handle.id == 1
        assert handle.result(timeout=WAIT) == 2


def test_submit_is_admitted_as_spawn_is(gate) -> None:
    """A submitted function needs a slot."""
    with AgentPool(max_concurrent=1) as pool:
        pool.submit(gate.arrive)
        with pytest.raises(CapacityError):
            pool.submit(print)
        gate.open()


def test_submitted_function_that_raises_is_crashed() -> None:
    """The outcome is crashed, not lost."""
    with AgentPool() as pool:
        handle = pool.submit(lambda: 1 / 0)
        with pytest.raises(AgentCrashed, match="division"):
            handle.result(timeout=WAIT)


# fan_out ---------------------------------------------------------------------------------------------------------


def test_fan_out_of_n_that_fit_starts_exactly_n(gate) -> None:
    """INV-009."""
    with AgentPool(max_concurrent=3) as pool:
        handles = pool.fan_out([held(gate, str(number)) for number in range(3)])
        assert [handle.id for handle in handles] == [1, 2, 3]
        assert sorted(gate.next() for _ in range(3)) == ["0", "1", "2"]
        assert at_once(pool, lambda: pool.active_count == 3)
        gate.open()
        assert len(pool.join_all(timeout=WAIT)) == 3


def test_fan_out_is_all_or_nothing(gate) -> None:
    """When not all fit, none starts and no id is used."""
    ran = []
    with AgentPool(max_concurrent=3) as pool:
        pool.spawn(held(gate))
        with pytest.raises(CapacityError):
            pool.fan_out([doing(lambda agent, query: ran.append(query)) for _ in range(3)])
        assert at_once(pool, lambda: pool.active_count == 1)
        assert pool.outstanding_count == 1
        assert [handle.id for handle in pool.fan_out([echo(), echo()])] == [2, 3]
        gate.open()
    assert ran == []


def test_fan_out_with_a_bad_config_admits_none() -> None:
    """A config that is refused for another reason refuses the whole call."""
    ran = []
    with AgentPool(max_concurrent=4) as pool:
        good = doing(lambda agent, query: ran.append(query))
        with pytest.raises(ValueError):
            pool.fan_out([good, SpawnConfig(manifest=manifest(), query="no driver"), good])
        assert pool.outstanding_count == 0
        assert pool.spawn(echo()).id == 1
    assert ran == []


def test_fan_out_larger_than_the_pool_is_refused_at_once() -> None:
    """More than could ever fit does not wait for its timeout."""
    with AgentPool(max_concurrent=2, max_queued=1) as pool:
        begin = time.monotonic()
        with pytest.raises(CapacityError):
            pool.fan_out([echo() for _ in range(4)], timeout=WAIT)
        assert time.monotonic() - begin < 3


def test_fan_out_waits_until_all_fit(gate) -> None:
    """With a timeout it waits for room for all of them."""
    with AgentPool(max_concurrent=2) as pool:
        pool.spawn(held(gate))
        gate.next()
        waiting = Background(lambda: pool.fan_out([echo(), echo()], timeout=WAIT))
        eventually(waiting.blocked)
        gate.open()
        assert [handle.id for handle in waiting.result()] == [2, 3]


def test_fan_out_uses_the_queue(gate) -> None:
    """Slots and places in the queue count together."""
    with AgentPool(max_concurrent=1, max_queued=2) as pool:
        handles = pool.fan_out([held(gate), echo(), echo()])
        assert at_once(pool, lambda: pool.queued_count == 2)
        gate.open()
        assert [handle.outcome(timeout=WAIT).status for handle in handles] == ["completed"] * 3


def test_fan_out_of_nothing() -> None:
    """No configs, no handles."""
    with AgentPool() as pool:
        assert pool.fan_out([]) == []
        assert pool.fan_out(iter([echo()]))[0].id == 1


# map -------------------------------------------------------------------------------------------------------------


def test_map_yields_outcomes_in_order() -> None:
    """ordered=True is the order of the source, whatever ends first."""
    first = threading.Event()

    def run(agent, query):
        if query == "0":
            assert first.wait(WAIT)
        else:
            first.set()
        return query

    with AgentPool(max_concurrent=2) as pool:
        results = [outcome.result for outcome in pool.map(doing(run, str(n)) for n in range(6))]
    assert results == [str(n) for n in range(6)]


def test_map_unordered_yields_as_completed(gate) -> None:
    """ordered=False does not wait for the slow first one."""
    with AgentPool(max_concurrent=2) as pool:
        stream = pool.map([held(gate, "slow"), echo("quick")], ordered=False, timeout=WAIT)
        assert next(stream).result == "quick"
        gate.open()
        assert next(stream).result == "slow"
        with pytest.raises(StopIteration):
            next(stream)


@pytest.mark.parametrize("max_queued", [0, 5, None])
@pytest.mark.parametrize("ordered", [True, False])
def test_map_reads_lazily(gate, max_queued, ordered) -> None:
    """Pulled and not yet yielded: at most 2 * max_concurrent + 16."""
    pulled = yielded = peak = 0

    def source():
        nonlocal pulled, peak
        for number in itertools.count():
            pulled += 1
            peak = max(peak, pulled - yielded)
            yield echo(str(number))

    with AgentPool(max_concurrent=2, max_queued=max_queued) as pool:
        stream = pool.map(source(), ordered=ordered, timeout=WAIT)
        for _ in range(200):
            next(stream)
            yielded += 1
        stream.close()
    assert peak <= 2 * 2 + 16 + 1  # the one being yielded is already pulled
    assert pulled <= 200 + 2 * 2 + 16


def test_map_reads_nothing_before_it_is_asked_much(gate) -> None:
    """A source of a million is not read ahead while the first agent is held."""
    pulled = 0

    def source():
        nonlocal pulled
        for _ in range(1_000_000):
            pulled += 1
            yield held(gate)

    with AgentPool(max_concurrent=3, max_queued=None) as pool:
        stream = pool.map(source())
        call = Background(lambda: next(stream))
        for _ in range(3):
            gate.next()
        eventually(call.blocked)
        assert pulled <= 2 * 3 + 16
        gate.open()
        call.result()
        stream.close()


def test_map_agents_are_owed_to_the_iterator_alone(gate) -> None:
    """join_next and join_all do not see them."""
    with AgentPool(max_concurrent=2) as pool:
        stream = pool.map([held(gate, "a"), held(gate, "b")], timeout=WAIT)
        call = Background(lambda: next(stream))
        gate.next()
        assert pool.join_next(timeout=0) is None
        assert pool.join_all(timeout=0) == {}
        gate.open()
        assert call.result().result == "a"
        assert pool.join_next(timeout=0) is None
        assert [outcome.result for outcome in stream] == ["b"]


def test_map_with_failures_yields_them_too() -> None:
    """A crash is an outcome like any other."""
    with AgentPool(max_concurrent=2) as pool:
        configs = [doing(lambda agent, query: 1 / int(query), str(n)) for n in (1, 0, 2)]
        assert [outcome.status for outcome in pool.map(configs)] == ["completed", "crashed", "completed"]


def test_closing_map_early_cancels_its_agents(gate) -> None:
    """close() on the iterator aborts what it admitted."""
    ended = []
    with AgentPool(max_concurrent=2) as pool:
        rest = (sleeper(gate, str(n), ending=lambda agent, outcome: ended.append(outcome.status)) for n in range(50))
        stream = pool.map(itertools.chain([echo("one")], rest), timeout=WAIT)
        assert next(stream).result == "one"
        gate.next()
        stream.close()
        begin = time.monotonic()
    assert time.monotonic() - begin < 5
    assert ended
    assert set(ended) == {"cancelled"}


def test_map_times_out_for_each_step(gate) -> None:
    """timeout bounds one step."""
    with AgentPool(max_concurrent=1) as pool:
        stream = pool.map([held(gate)], timeout=0.1)
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            next(stream)
        assert 0.09 <= time.monotonic() - begin < 3
        gate.open()


def test_map_raises_the_error_of_its_source_at_the_end() -> None:
    """What was admitted is yielded first, then the source's exception is raised."""

    def source():
        for number in range(5):
            yield echo(str(number))
        raise KeyError("source")

    seen = []
    with AgentPool(max_concurrent=2) as pool, pytest.raises(KeyError, match="source"):
        for outcome in pool.map(source(), timeout=WAIT):
            seen.append(outcome.result)
    assert seen == ["0", "1", "2", "3", "4"]


def test_map_of_nothing() -> None:
    """An empty source yields nothing."""
    with AgentPool() as pool:
        assert list(pool.map([])) == []


def test_two_maps_at_once() -> None:
    """Each iterator gets its own outcomes."""
    with AgentPool(max_concurrent=2) as pool:
        left = pool.map((echo(f"l{n}") for n in range(10)), timeout=WAIT)
        right = pool.map((echo(f"r{n}") for n in range(10)), timeout=WAIT)
        pairs = [(a.result, b.result) for a, b in zip(left, right, strict=True)]
    assert pairs == [(f"l{n}", f"r{n}") for n in range(10)]


# abort, drain, close, resize -------------------------------------------------------------------------------------


def test_abort_cancels_one_agent(gate) -> None:
    """The outcome arrives as cancelled; its text has the reason; others run on."""
    with AgentPool() as pool:
        doomed, other = pool.spawn(sleeper(gate, "doomed")), pool.spawn(held(gate, "other"))
        gate.next(), gate.next()
        pool.abort(doomed.id, "out of fuel")
        outcome = doomed.outcome(timeout=WAIT)
        assert outcome.status == "cancelled"
        assert isinstance(outcome.error, AgentCancelled)
        assert "out of fuel" in str(outcome.error)
        assert not other.done()
        gate.open()
        assert other.result(timeout=WAIT) == "other"


def test_abort_returns_at_once(gate) -> None:
    """It does not wait for the agent."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        gate.next()
        begin = time.monotonic()
        pool.abort(handle.id)
        pool.abort_all()
        assert time.monotonic() - begin < 1
        gate.open()
        assert handle.outcome(timeout=WAIT).status == "completed"  # what run did decides


def test_abort_of_a_queued_agent(gate) -> None:
    """It never starts; its place in the queue is free again."""
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        pool.spawn(held(gate))
        queued = pool.spawn(echo())
        pool.abort(queued.id, "not needed")
        outcome = queued.outcome(timeout=WAIT)
        assert (outcome.status, outcome.started_at) == ("cancelled", None)
        assert at_once(pool, lambda: pool.queued_count == 0)
        assert pool.spawn(echo("next")).id == 3
        gate.open()


def test_abort_all_cancels_running_queued_and_parked(gate) -> None:
    """Every outcome arrives, each as cancelled with the reason."""
    with AgentPool(max_concurrent=2, max_queued=None) as pool:
        pool.spawn(sleeper(gate))
        parked = pool.spawn(doing(lambda agent, _: agent.receive()))
        gate.next()
        until_parked(pool, parked)
        for _ in range(5):
            pool.spawn(sleeper(gate))
        pool.abort_all("evening")
        outcomes = pool.join_all(timeout=WAIT)
        assert len(outcomes) == 7
        assert {outcome.status for outcome in outcomes.values()} == {"cancelled"}
        assert all("evening" in str(outcome.error) for outcome in outcomes.values())
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"  # the pool lives on


def test_drain_refuses_new_agents_and_waits_for_all(gate) -> None:
    """What was admitted ends by itself, queued ones included; outcomes are still owed."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        pool.spawn(held(gate))
        pool.spawn(echo())
        gate.next()
        draining = Background(lambda: pool.drain(timeout=WAIT))
        eventually(draining.blocked)
        with pytest.raises(PoolClosed):
            pool.spawn(echo())
        assert draining.thread.is_alive()
        gate.open()
        draining.result()
        outcomes = pool.join_all(timeout=WAIT)
        assert {outcome.status for outcome in outcomes.values()} == {"completed"}
        assert len(outcomes) == 2


def test_drain_that_runs_out_of_time(gate) -> None:
    """A TimeoutError; nothing is lost by it."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        gate.next()
        with pytest.raises(TimeoutError):
            pool.drain(timeout=0.1)
        gate.open()
        assert handle.result(timeout=WAIT) == "held"


def test_close_aborts_and_is_idempotent(gate) -> None:
    """What still runs is cancelled; closing twice is fine; outcomes are still there."""
    pool = AgentPool()
    pool.spawn(sleeper(gate))
    gate.next()
    pool.close()
    pool.close()
    with pytest.raises(PoolClosed):
        pool.spawn(echo())
    with pytest.raises(PoolClosed):
        pool.submit(print)
    with pytest.raises(PoolClosed):
        pool.fan_out([echo()])
    outcome = pool.join_next(timeout=0)
    assert outcome is not None
    assert outcome.status == "cancelled"
    assert pool.join_next(timeout=0) is None


def test_leaving_normally_drains() -> None:
    """Leaving the block waits for the agents."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        handles = [pool.spawn(doing(lambda agent, _: agent.sleep(0.02))) for _ in range(5)]
    assert [handle.status for handle in handles] == ["completed"] * 5
    assert len(pool.join_all(timeout=0)) == 5


def test_leaving_by_an_exception_aborts(gate) -> None:
    """The exception passes; the agents are cancelled."""
    begin = time.monotonic()
    with pytest.raises(KeyError, match="mine"), AgentPool() as pool:
        handle = pool.spawn(sleeper(gate))
        gate.next()
        raise KeyError("mine")
    assert time.monotonic() - begin < 5
    assert handle.status == "cancelled"


def test_shutdown_timeout_bounds_the_drain(gate) -> None:
    """After it the rest is aborted."""
    begin = time.monotonic()
    with AgentPool(shutdown_timeout=0.1) as pool:
        handle = pool.spawn(sleeper(gate))
    assert time.monotonic() - begin < 5
    assert handle.status == "cancelled"


def test_resize_up_starts_queued_agents(gate) -> None:
    """A larger limit takes effect at once."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        for number in range(3):
            pool.spawn(held(gate, str(number)))
        gate.next()
        assert at_once(pool, lambda: pool.queued_count == 2)
        pool.resize(3)
        gate.next(), gate.next()
        assert pool.max_concurrent == 3
        assert at_once(pool, lambda: (pool.active_count, pool.queued_count) == (3, 0))
        gate.open()


def test_resize_down_holds_for_the_next_ones(gate) -> None:
    """Running agents go on; no new one starts above the new limit."""
    gauge = Gauge()

    def run(agent, query):
        with gauge.inside():
            agent.sleep(0.005)

    with AgentPool(max_concurrent=3, max_queued=None) as pool:
        for _ in range(3):
            pool.spawn(held(gate))
        for _ in range(3):
            gate.next()
        pool.resize(1)
        for _ in range(10):
            pool.spawn(doing(run))
        gate.open()
        pool.join_all(timeout=WAIT)
    assert gauge.peak == 1


def test_resize_to_a_negative_limit() -> None:
    """Like the constructor: ValueError."""
    with AgentPool() as pool, pytest.raises(ValueError):
        pool.resize(-1)


# the rest --------------------------------------------------------------------------------------------------------


def test_router_and_inbox_of_the_program() -> None:
    """Agents reach the program at id 0."""
    with AgentPool() as pool:
        assert isinstance(pool.router, MessageRouter)
        handle = pool.spawn(doing(lambda agent, _: agent.send(0, {"found": 3})))
        message = pool.inbox.receive(timeout=WAIT)
        assert (message.sender, message.to, message.content) == (handle.id, 0, {"found": 3})


def test_agent_count_is_zero_when_join_all_returns() -> None:
    """Always, without any sleep."""
    with AgentPool(max_concurrent=4, max_queued=None) as pool:
        for _ in range(50):
            for number in range(6):
                pool.spawn(doing(lambda agent, query: 1 // int(query), str(number % 2)))
            pool.join_all(timeout=WAIT)
            assert pool.router.agent_count == 0
            assert pool.active_count == 0


def test_agent_count_includes_queued_and_running(gate) -> None:
    """The router knows an agent from its admission on."""
    with AgentPool(max_concurrent=1, max_queued=2) as pool:
        pool.spawn(held(gate))
        pool.spawn(echo())
        assert pool.router.agent_count == 2
        gate.open()


def test_stats_are_a_frozen_record(gate) -> None:
    """Every field of the contract, with true numbers."""
    with AgentPool(max_concurrent=2, max_queued=None) as pool:
        pool.spawn(echo()).result(timeout=WAIT)
        pool.spawn(doing(lambda agent, _: 1 / 0)).outcome(timeout=WAIT)
        pool.spawn(held(gate))
        parked = pool.spawn(doing(lambda agent, _: agent.receive().content))
        gate.next()
        until_parked(pool, parked)
        busy = pool.spawn(held(gate))
        gate.next()
        pool.spawn(echo())
        assert at_once(pool, lambda: pool.active_count == 3)
        stats = pool.stats()
        assert (stats.active, stats.queued, stats.parked, stats.outstanding) == (3, 1, 1, 4)
        assert stats.started == 5
        assert stats.abandoned_threads == 0
        assert stats.dead_letters == 0
        assert stats.ended["completed"] == 1
        assert stats.ended["crashed"] == 1
        with pytest.raises(Exception, match=r"(?i)frozen|cannot assign|immutable"):
            stats.active = 9
        parked.cancel()
        gate.open()
        assert busy.result(timeout=WAIT) == "held"


def test_dump_tells_of_each_agent(gate) -> None:
    """It can be read while agents run, and names the place where one is stuck."""
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        pool.spawn(held(gate, name="stuck-one"))
        pool.spawn(echo(name="waiting-one"))
        gate.next()
        text = f"{pool.dump()!r}{pool.dump()}"
        assert "stuck-one" in text
        assert "waiting-one" in text
        assert "arrive" in text
        gate.open()


def test_tools_function_is_called_on_the_agents_thread() -> None:
    """tools=function: once per agent, on its thread, with its manifest."""
    calls = []

    def build(given):
        calls.append((given.name, threading.current_thread()))
        return ToolRegistry()

    with AgentPool(ScriptedDriver(["a", "b"]), tools=build) as pool:
        for name in ("x", "y"):
            pool.spawn(SpawnConfig(manifest=manifest(name), query="?")).result(timeout=WAIT)
    assert [name for name, _ in calls] == ["x", "y"]
    assert threading.main_thread() not in [thread for _, thread in calls]


def test_own_members_of_the_config_win() -> None:
    """tools, memory and driver of the config are what the agent sees."""
    memory, tools, driver = InMemorySubstrate(), ToolRegistry(), ScriptedDriver([])
    with AgentPool(ScriptedDriver([]), memory=InMemorySubstrate(), tools=ToolRegistry()) as pool:
        seen = pool.spawn(
            doing(lambda agent, _: (agent.memory, agent.driver), memory=memory, tools=tools, driver=driver)
        ).result(timeout=WAIT)
    assert seen[0] is memory
    assert seen[1] is driver


def test_pool_takes_every_argument_of_the_contract() -> None:
    """Signature."""
    with AgentPool(
        None,
        4,
        max_queued=0,
        inbox_capacity=32,
        memory=None,
        tools=None,
        on_event=None,
        restart=None,
        max_live=None,
        shutdown_timeout=None,
        abort_timeout=5.0,
        name="pool",
    ) as pool:
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"


def test_inbox_capacity_bounds_each_mailbox(gate) -> None:
    """One message more than inbox_capacity is refused."""
    from actors import AgentMessage
    from actors.errors import InboxFull

    with AgentPool(inbox_capacity=2) as pool:
        handle = pool.spawn(held(gate))
        gate.next()
        for _ in range(2):
            pool.router.send(AgentMessage(sender=0, to=handle.id, content="x"))
        with pytest.raises(InboxFull):
            pool.router.send(AgentMessage(sender=0, to=handle.id, content="x"))
        gate.open()


def test_max_live_holds_queued_agents_back(gate) -> None:
    """A queued agent starts only while fewer than max_live run or park."""
    started = threading.Event()
    with AgentPool(max_concurrent=2, max_queued=None, max_live=1) as pool:
        parked = pool.spawn(doing(lambda agent, _: agent.receive().content))
        until_parked(pool, parked)
        queued = pool.spawn(doing(lambda agent, _: started.set()))
        assert not started.wait(0.2)
        assert queued.status == "queued"
        parked.cancel()
        assert started.wait(WAIT)


def test_restart_runs_a_crashed_agent_again() -> None:
    """Same id, unread messages kept, on_end once, outcome.restarts counted."""
    from actors import AgentMessage, Backoff, RestartPolicy

    runs, ends = [], []

    def run(agent, query):
        runs.append(agent.agent_id)
        if len(runs) < 3:
            raise ValueError("again")
        return agent.receive(timeout=WAIT).content

    policy = RestartPolicy(max_restarts=5, window=60.0, backoff=Backoff(base=0.01, jitter=0.0))
    with AgentPool(restart=policy) as pool:
        handle = pool.spawn(doing(run, ending=lambda agent, outcome: ends.append(outcome.status)))
        pool.router.send(AgentMessage(sender=0, to=handle.id, content="kept"))
        outcome = handle.outcome(timeout=WAIT)
    assert (outcome.status, outcome.result, outcome.restarts) == ("completed", "kept", 2)
    assert runs == [1, 1, 1]
    assert ends == ["completed"]


def test_restart_gives_up_after_max_restarts() -> None:
    """I9: no more than max_restarts; failed agents are not restarted."""
    from actors import Backoff, RestartPolicy
    from actors.errors import ToolFailed

    runs = []

    def crash(agent, query):
        runs.append(query)
        raise ValueError("always")

    def fail(agent, query):
        runs.append(query)
        raise ToolFailed("never again")

    policy = RestartPolicy(max_restarts=2, window=60.0, backoff=Backoff(base=0.01, jitter=0.0))
    with AgentPool(restart=policy) as pool:
        crashed = pool.spawn(doing(crash, "crash")).outcome(timeout=WAIT)
        failed = pool.spawn(doing(fail, "fail")).outcome(timeout=WAIT)
    assert (crashed.status, crashed.restarts) == ("crashed", 2)
    assert (failed.status, failed.restarts) == ("failed", 0)
    assert runs == ["crash"] * 3 + ["fail"]


def test_forgotten_pool_aborts_with_a_warning(gate) -> None:
    """A pool that is garbage-collected aborts its agents and says so."""
    ended = threading.Event()
    pool = AgentPool()
    pool.spawn(sleeper(gate, ending=lambda agent, outcome: ended.set()))
    gate.next()
    with pytest.warns(ResourceWarning):
        del pool
        gc.collect()
        assert ended.wait(WAIT)


def test_never_more_than_max_concurrent_run_at_once() -> None:
    """I3, with spawns from several threads."""
    gauge = Gauge()

    def run(agent, query):
        with gauge.inside():
            agent.sleep(0.001)

    with AgentPool(max_concurrent=3, max_queued=None) as pool:

        def spawn_many():
            for _ in range(50):
                pool.spawn(doing(run))

        for call in [Background(spawn_many) for _ in range(4)]:
            call.result()
        assert sorted(pool.join_all(timeout=WAIT)) == list(range(1, 201))
    assert 1 <= gauge.peak <= 3


def test_doing_is_an_agent_class() -> None:
    """The tests' own agents are plain subclasses without super().__init__()."""
    assert issubclass(Doing, Agent)
