"""``pool.start_actor()``: actors that belong to a pool."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import pytest

from actors import (
    Actor,
    Agent,
    AgentCrashed,
    AgentManifest,
    AgentPool,
    Backoff,
    Budget,
    DeadlockError,
    Dispatcher,
    FunctionDriver,
    InMemorySubstrate,
    PoolClosed,
    RestartPolicy,
    SpawnConfig,
    ToolRegistry,
    tool,
)
from actors.errors import ActorsError, NoPool

BOT = AgentManifest(name="bot")
DISPATCHERS = ["pinned", "shared"]
AT_ONCE = RestartPolicy(max_restarts=2, backoff=Backoff(base=0.0))


@pytest.fixture(params=DISPATCHERS)
def on(request: pytest.FixtureRequest) -> Any:
    """``on(cls)`` is that class on each of the dispatchers."""
    chosen = request.param if request.param == "pinned" else Dispatcher(workers=2, linger=0.0)

    def choose(cls: type[Actor]) -> type[Actor]:
        return type(cls.__name__, (cls,), {"dispatcher": chosen})

    return choose


class Echo(Agent[Any]):
    """Says what it was asked."""

    def run(self, query: Any) -> Any:
        return query


class Desk(Actor):
    """Does what it is sent: a function of itself."""

    def on_receive(self, message: Any) -> Any:
        return message(self)


@tool
def nothing() -> str:
    """Do nothing."""
    return ""


# What it has ----------------------------------------------------------------------------------------------------


def test_it_has_what_its_pool_has(make_pool: Any, on: Any) -> None:
    """The pool itself, its driver, tools, memory and budget; in its ``__init__`` already."""

    class Early(Desk):
        def __init__(self, word: str, *, other: str) -> None:
            super().__init__()
            self.early = self.pool, self.driver, self.tools, self.memory, self.budget, word, other

    driver, memory, budget = FunctionDriver(lambda request: "yes"), InMemorySubstrate(), Budget(max_tokens=5)
    tools = ToolRegistry([nothing])
    pool = make_pool(driver, memory=memory, budget=budget, tools=tools)
    ref = pool.start_actor(on(Early), "a", other="b")
    expected = (pool, driver, tools, memory, budget)
    assert ref.ask(lambda me: me.early) == (*expected, "a", "b")
    assert ref.ask(lambda me: (me.pool, me.driver, me.tools, me.memory, me.budget)) == expected
    assert (pool, pool.driver, pool.tools, pool.memory, pool.budget) == expected


def test_tools_are_a_set_of_tools_whatever_the_pool_was_given(make_pool: Any) -> None:
    """None, a list, a function that makes one for a manifest: called once."""
    asked = []

    def make(manifest: AgentManifest) -> ToolRegistry:
        asked.append(manifest)
        return ToolRegistry([nothing])

    assert list(make_pool().tools.names()) == []
    assert list(make_pool(tools=[nothing]).tools.names()) == ["nothing"]
    pool = make_pool(tools=make)
    assert [list(pool.tools.names()), list(pool.tools.names())] == [["nothing"], ["nothing"]]
    assert [tuple(manifest.capabilities) for manifest in asked] == [()]


def test_without_a_pool_it_is_told_what_to_do() -> None:
    """And ``hasattr`` says that there is none."""
    ref = Desk.start()
    with pytest.raises(NoPool, match=r"Desk belongs to no pool.*pool\.start_actor\(Desk, \.\.\.\)") as caught:
        ref.ask(lambda me: me.pool)
    assert isinstance(caught.value, ActorsError)
    assert isinstance(caught.value, AttributeError)
    assert not ref.ask(lambda me: any(hasattr(me, name) for name in ("driver", "tools", "memory", "budget", "spawn")))
    ref.stop()


def test_a_class_keeps_its_own_names(make_pool: Any) -> None:
    """Who calls something of its own ``budget`` or ``tools`` did so before there were pools for actors."""

    class Own(Desk):
        tools = ("hammer",)

        def __init__(self) -> None:
            super().__init__()
            self.budget = 5

    alone, inside = Own.start(), make_pool().start_actor(Own)
    for ref in alone, inside:
        assert ref.ask(lambda me: (me.budget, me.tools)) == (5, ("hammer",))
        assert ref.proxy().budget.get() == 5
    alone.stop()


def test_it_does_not_keep_the_pool_alive(on: Any) -> None:
    """One that is let go of ends, and its actors with it."""
    pool = AgentPool(name="forgotten")
    ref = pool.start_actor(on(Desk))
    ended = threading.Event()
    ref.watch(lambda _: ended.set())
    gone = weakref.ref(pool)
    with pytest.warns(ResourceWarning, match="forgotten was not closed"):
        del pool
    assert gone() is None
    assert ended.wait(10)
    assert ref.how_ended == "aborted"


# What it does ---------------------------------------------------------------------------------------------------


def test_its_handlers_start_agents_and_wait_for_them(make_pool: Any, on: Any) -> None:
    """Spawned, submitted, mapped; owed as for anybody who calls the pool."""
    pool = make_pool(None, 1, max_queued=None)
    ref = pool.start_actor(on(Desk))
    config = SpawnConfig(BOT, "hi", agent=Echo)
    assert ref.ask(lambda me: me.spawn(config).result(10)) == "hi"
    assert ref.ask(lambda me: me.pool.spawn(config).result(10)) == "hi"
    assert ref.ask(lambda me: me.pool.submit(len, "four").result(10)) == 4
    assert ref.ask(lambda me: [one.result for one in me.pool.map([config, config])]) == ["hi", "hi"]
    untaken = ref.ask(lambda me: me.pool.spawn(config).id)
    assert list(pool.join_all(10)) == [untaken]


def test_a_wait_gives_its_worker_to_others(make_pool: Any, gate: Any) -> None:
    """On a dispatcher with one worker the agent's partner is handled while the first one waits."""
    crew = Dispatcher(workers=1, linger=0.0)

    class One(Desk):
        dispatcher = crew

    pool = make_pool()
    waits, serves = pool.start_actor(One), pool.start_actor(One)
    asked = waits.ask_future(lambda me: me.pool.submit(serves.ask, lambda _: "served").result(10))
    assert asked.get(timeout=10) == "served"


def test_agents_ask_actors_of_the_pool(make_pool: Any, on: Any) -> None:
    """By their references; an agent that waits so is parked, and holds no slot."""
    pool = make_pool(None, 1, max_queued=None)
    ref = pool.start_actor(on(Desk))
    inner = SpawnConfig(BOT, "inner", agent=Echo)
    assert pool.submit(ref.ask, lambda me: me.pool.spawn(inner).result(10)).result(10) == "inner"


def test_a_circle_through_an_agent_is_found(make_pool: Any, on: Any) -> None:
    """An actor waits for an agent that asks it: whoever closes the circle is told, whichever comes last."""
    pool = make_pool()
    ref = pool.start_actor(on(Desk))
    last_is_agent = ref.ask_future(lambda me: me.pool.submit(ref.ask, lambda _: "never").result(10))
    with pytest.raises(DeadlockError, match=r"a circle of waiting: .*actor Desk"):
        last_is_agent.get(timeout=10)


@pytest.mark.parametrize("last", ["agent", "actor"])
def test_a_circle_through_all_outcomes_is_found(make_pool: Any, on: Any, gate: Any, eventually: Any, last: str) -> None:
    """An actor waits for all of its pool, an agent of which asks that actor: whoever comes last is told. One that waits
    for another group alone is not.
    """
    pool = make_pool()
    ref = pool.start_actor(on(Desk))
    asking = pool.submit(lambda: (gate.hold(), ref.ask(lambda _: "answer"))[1])
    gate.await_reached()
    assert ref.ask(lambda me: me.pool.join_all(10, group="nobody")) == {}
    begin = threading.Event()
    joining = ref.ask_future(lambda me: (begin.wait(10), len(me.pool.join_all(10)))[1])
    if last == "agent":
        begin.set()
        eventually(lambda: ("actor Desk", "all outcomes") in pool.dump().waits)
        gate.open()
        assert joining.get(timeout=10) == 1
        with pytest.raises(AgentCrashed, match=r"circle of waiting: .*actor Desk -> all outcomes -> agent 1"):
            asking.result(10)
    else:
        gate.open()
        eventually(lambda: ("agent 1 (<lambda>)", "actor Desk") in pool.dump().waits)
        begin.set()
        with pytest.raises(DeadlockError, match=r"circle of waiting: actor Desk -> all outcomes -> agent 1"):
            joining.get(timeout=10)
        assert asking.result(10) == "answer"


def test_it_is_supervised_with_a_restart_policy(make_pool: Any, on: Any) -> None:
    """The new one has the same reference, and the pool."""
    made: list[Any] = []

    class Fragile(Actor):
        def __init__(self) -> None:
            super().__init__()
            made.append(self.pool)

        def on_receive(self, message: Any) -> Any:
            if message == "crash" and len(made) == 1:
                raise RuntimeError(message)
            return self.pool

    pool = make_pool()
    ref = pool.start_actor(on(Fragile), restart=AT_ONCE)
    ref.tell("crash")
    assert ref.ask("who") is pool
    assert made == [pool, pool]


# Its end --------------------------------------------------------------------------------------------------------


def test_leaving_the_block_handles_what_was_accepted(on: Any) -> None:
    """First the agents end, then the actors; their ``on_stop`` still has the pool."""
    seen: list[Any] = []

    class Last(Desk):
        def on_stop(self) -> None:
            seen.append(("stopped", self.pool.stats().active))

    with AgentPool() as pool:
        ref = pool.start_actor(on(Last))
        for n in range(5):
            ref.tell(lambda _, n=n: seen.append(n))
    assert seen == [0, 1, 2, 3, 4, ("stopped", 0)]
    assert ref.how_ended == "stopped"
    with pytest.raises(PoolClosed, match="takes no new actors"):
        pool.start_actor(Desk)


def test_what_was_accepted_may_start_agents_while_the_pool_drains(on: Any, gate: Any) -> None:
    """They are waited for, too, also when nobody takes them; who is no actor of the pool is refused."""
    with AgentPool(max_queued=None) as pool:
        first = pool.start_actor(on(Desk))
        agent = pool.submit(gate.hold)
        gate.await_reached()
        first.tell(lambda me: (gate.hold(), me.pool.submit(str, "late")))

        def meanwhile() -> None:
            with pytest.raises(PoolClosed):
                while True:  # until it drains
                    pool.submit(str)
            gate.open()

        thread = threading.Thread(target=meanwhile)
        thread.start()
    thread.join()
    assert agent.done()
    assert pool.stats().ended.keys() == {"completed"}
    assert "late" in [outcome.result for outcome in pool.join_all().values()]


def test_the_youngest_is_stopped_first(on: Any) -> None:
    """It may still ask those that were there before it, all of what it has accepted."""
    answers: list[Any] = []
    with AgentPool() as pool:
        store = pool.start_actor(on(Desk))
        front = pool.start_actor(on(Desk))
        for n in range(3):
            front.tell(lambda _, n=n: answers.append(store.ask(lambda _: n)))
    assert answers == [0, 1, 2]
    assert (store.how_ended, front.how_ended) == ("stopped", "stopped")


def test_one_that_needs_too_long_is_aborted(on: Any) -> None:
    """After ``abort_timeout`` its waits end; what it has not handled is a dead letter."""
    with AgentPool(abort_timeout=0.05) as pool:
        ref = pool.start_actor(on(Desk))
        ref.tell(lambda me: me.cancel_token.wait(60))
        ref.tell(lambda _: None)
    assert ref.how_ended == "aborted"
    assert ref.dead_letters.total == 1
    assert pool.stats().abandoned_threads == 0


def test_one_that_never_ends_is_left_behind(on: Any, gate: Any, eventually: Any) -> None:
    """It is counted and shown as abandoned, until it ends; the pool closes without it."""
    pool = AgentPool(abort_timeout=0.05, name="team")
    with pool:
        ref = pool.start_actor(on(Desk))
        ref.tell(gate.hold)
        gate.await_reached()
    dump = pool.dump()
    assert (pool.stats().abandoned_threads, dump.actors) == (1, ())
    (stray,) = dump.abandoned
    assert stray.label == "actor Desk"
    assert "in arrive" in stray.stack
    ended = threading.Event()
    ref.watch(lambda _: ended.set())
    gate.open()
    assert ended.wait(10)
    eventually(lambda: pool.stats().abandoned_threads == 0)
    assert pool.dump().abandoned == ()


def test_leaving_by_an_error_aborts(on: Any, gate: Any) -> None:
    """What is handled is interrupted, the rest is not handled."""
    with pytest.raises(KeyError), AgentPool() as pool:
        ref = pool.start_actor(on(Desk))
        ref.tell(lambda me: (gate.note(), me.pool.submit(gate.hold).result()))
        gate.await_reached()
        ref.tell(lambda _: None)
        gate.open()
        raise KeyError
    assert not ref.is_alive()
    assert pool.stats().active == 0


def test_close_aborts(make_pool: Any, on: Any) -> None:
    """At once; twice does nothing twice."""
    pool = make_pool()
    ref = pool.start_actor(on(Desk))
    ref.tell(lambda me: me.cancel_token.wait(60))
    pool.close()
    pool.close()
    assert ref.how_ended == "aborted"


def test_a_drain_that_runs_out_of_time_leaves_them(make_pool: Any, on: Any, gate: Any) -> None:
    """They run on, as agents do; a later drain ends them."""
    pool = make_pool()
    ref = pool.start_actor(on(Desk))
    ref.tell(gate.hold)
    gate.await_reached()
    with pytest.raises(TimeoutError):
        pool.drain(0.01)
    assert ref.is_alive()
    gate.open()
    pool.drain(10)
    assert ref.how_ended == "stopped"


@pytest.mark.parametrize("end", ["drain", "close"])
def test_it_cannot_wait_for_its_own_end(make_pool: Any, on: Any, end: str) -> None:
    """As an agent cannot; but it may join."""
    pool = make_pool()
    ref = pool.start_actor(on(Desk))
    with pytest.raises(DeadlockError, match=f"{end}.*inside an actor of the pool"):
        ref.ask(lambda me: getattr(me.pool, end)())
    assert ref.ask(lambda me: me.pool.join_all(1)) == {}


def test_one_that_ends_by_itself_is_forgotten(make_pool: Any, on: Any, eventually: Any) -> None:
    """Stopped or crashed; the pool goes on."""
    pool = make_pool()
    refs = [pool.start_actor(on(Desk)) for _ in range(2)]
    assert refs[0].stop()
    refs[1].tell(lambda _: 1 / 0)
    eventually(lambda: pool.dump().actors == ())
    assert [ref.how_ended for ref in refs] == ["stopped", "crashed"]


# What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [Desk.on_receive, object, Agent, None, "Desk"])
def test_what_is_no_class_of_actors_is_refused(make_pool: Any, wrong: Any) -> None:
    """An agent is spawned, not started."""
    with pytest.raises(TypeError, match=r"start_actor takes a subclass of actors\.Actor"):
        make_pool().start_actor(wrong)


def test_what_is_no_policy_is_refused(make_pool: Any) -> None:
    """Before anything of the class is called."""
    with pytest.raises(TypeError, match="RestartPolicy"):
        make_pool().start_actor(Desk, restart=3)


def test_a_constructor_that_fails_leaves_nothing(make_pool: Any, on: Any) -> None:
    """Its error is the caller's."""

    class Broken(Actor):
        def __init__(self) -> None:
            raise LookupError

    pool = make_pool()
    with pytest.raises(LookupError):
        pool.start_actor(on(Broken))
    assert pool.dump().actors == ()
    pool.drain(10)


def test_a_pool_that_closes_while_it_is_made_refuses_it(make_pool: Any, on: Any) -> None:
    """The other winner of that race is told of above: it is adopted first, and then aborted."""

    class Late(Actor):
        def __init__(self, pool: AgentPool) -> None:
            super().__init__()
            pool.close()
            kept.append(self.actor_ref)

    kept: list[Any] = []
    pool = make_pool()
    with pytest.raises(PoolClosed):
        pool.start_actor(on(Late), pool)
    with pytest.raises(ActorsError):
        kept[0].tell("anybody there?")


# How it is shown ------------------------------------------------------------------------------------------------


def test_the_dump_of_the_pool_shows_it(make_pool: Any, on: Any, gate: Any, eventually: Any) -> None:
    """What it handles and whom it waits for; not the actors of others."""
    other = Desk.start()
    pool = make_pool(name="team")
    assert pool.dump().actors == ()
    ref = pool.start_actor(on(Desk))
    ref.tell(lambda me: me.pool.submit(gate.hold).result(10))
    gate.await_reached()
    eventually(lambda: ("actor Desk", "agent 1 (hold)") in pool.dump().waits)
    dump = pool.dump()
    (actor,) = dump.actors
    assert (actor.name, actor.pool, actor.depth) == ("Desk", "team", 0)
    text = str(dump)
    assert text.startswith("pool team: 1 agents, 4 slots, 1 actor\n")
    assert "\nactor Desk: " in text
    assert "who waits for whom: actor Desk -> agent 1 (hold)" in text
    assert "waiting (handling function)" in text
    assert "actor Desk" in dump._repr_html_()
    gate.open()
    other.stop()
