"""``pool.dump()``: why is it stuck?"""

from __future__ import annotations

import dataclasses
import pickle
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

import actors
from actors import (
    AgentManifest,
    AgentPool,
    AgentStarted,
    Backoff,
    CompletionResponse,
    FunctionDriver,
    ModelConfig,
    Overloaded,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    tool,
)

from .agent.doubles import asks, doing
from .waiting import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import Agent, AgentDump, PoolDump

BOT = AgentManifest(name="bot")
NAMED = AgentManifest(name="bot", model=ModelConfig(model_repo="big-1"))


@pytest.fixture
def doors(make_pool: Any, gates: Any) -> Iterator[Any]:
    """Gates that are opened before the pools close, so that nobody has to be abandoned."""
    made: list[Any] = []

    def make() -> Any:
        made.append(gates())
        return made[-1]

    yield make
    for one in made:
        one.open()


@pytest.fixture
def gate(doors: Any) -> Any:
    """One of them."""
    return doors()


def test_a_dump_without_stacks_says_all_else(make_pool: Any, gate: Any) -> None:
    """It is cheap enough to be asked for once a second."""
    pool = make_pool(max_concurrent=2, max_queued=None)
    pool.spawn(doing(lambda *_: gate.arrive(), group="team", key="first"))
    gate.next()
    for _ in range(2):
        pool.submit(gate.hold)
    full, bare = pool.dump(), pool.dump(stacks=False)
    assert all(agent.stack for agent in full.agents[:2])
    assert not any(agent.stack for agent in bare.agents)
    assert [agent.id for agent in bare.agents] == [1, 2, 3]
    assert (bare.agents[0].group, bare.agents[0].key, bare.agents[0].depth) == ("team", "first", 0)
    assert bare.agents[2].age >= bare.agents[2].seconds >= 0
    assert (bare.phase, bare.seconds >= bare.agents[0].age) == ("open", True)


def test_one_agent_is_looked_at_by_its_id(make_pool: Any, gate: Any) -> None:
    """With its stack, and whom it has started; who has ended is none."""
    pool = make_pool(max_concurrent=2)

    def parent(agent: Agent, _: object) -> object:
        return agent.spawn(doing(lambda *_: gate.arrive(), name="child")).result()

    handle = pool.spawn(doing(parent))
    gate.next()
    first = pool.dump(agent_id=handle.id)
    assert (first.name, first.children, first.depth) == ("doing", (2,), 0)
    assert "parent" in first.stack
    assert pool.dump(stacks=False, agent_id=2).stack == ""
    assert (pool.dump(agent_id=2).parent_id, pool.dump(agent_id=2).depth) == (1, 1)
    gate.open()
    handle.result(BOUND)
    with pytest.raises(KeyError, match=r"no agent 1 in pool-\d+ \(any more\)"):
        pool.dump(agent_id=1)


@pytest.mark.parametrize(
    ("options", "error"), [({"stacks": 1}, TypeError), ({"agent_id": "7"}, TypeError), ({"agent_id": -1}, ValueError)]
)
def test_what_is_dumped_is_said_clearly(make_pool: Any, options: dict[str, Any], error: type[Exception]) -> None:
    """Else it is refused by its name."""
    with pytest.raises(error, match=next(iter(options))):
        make_pool().dump(**options)


def only(pool: AgentPool) -> AgentDump:
    """The one agent of the picture."""
    (agent,) = pool.dump().agents
    return agent


def in_state(pool: AgentPool, state: str, eventually: Callable[..., None]) -> AgentDump:
    """The one agent, once it is in that state."""
    eventually(lambda: only(pool).state == state)
    return only(pool)


def first_line(agent: AgentDump) -> str:
    """The line that names it."""
    return str(agent).splitlines()[0]


def stands_here(agent: Agent[Any], query: Any) -> None:
    """Blocks at the gate that is its query."""
    query.hold()


# One agent in each state ----------------------------------------------------------------------------------------


def test_a_queued_agent(make_pool: Any, gate: Any) -> None:
    """No thread, no stack; since its admission, with what it has not read."""
    pool = make_pool(None, 1, max_queued=1)
    pool.spawn(doing(stands_here, gate))
    gate.await_reached()
    queued = pool.spawn(doing(stands_here, gate, name="second"))
    pool.router.send(actors.AgentMessage(0, queued.id, "unread"))
    agent = pool.dump().agents[1]
    assert (agent.id, agent.name, agent.state, agent.on, agent.stack) == (2, "second", "queued", None, "")
    assert (agent.inbox_depth, agent.parent_id, agent.waits_for, agent.tools) == (1, None, (), ())
    assert first_line(agent) == f"agent 2 (second): queued, {agent.seconds:.1f} s, 1 unread"


def test_a_running_agent(make_pool: Any, gate: Any) -> None:
    """The stack begins with the agent's own ``run`` and ends where it stands."""
    pool = make_pool()
    pool.spawn(doing(stands_here, gate))
    gate.await_reached()
    agent = only(pool)
    assert (agent.state, agent.on) == ("running", None)
    frames = [line for line in agent.stack.splitlines() if line.startswith("  File ")]
    assert frames[0].endswith("in run")
    assert "doubles.py" in frames[0]
    assert "query.hold()" in agent.stack
    assert "actors/core" not in frames[0]
    assert "in wait" in frames[-1]
    assert frames[0] in str(agent)


def test_the_stack_of_a_function_begins_with_it(make_pool: Any, gate: Any) -> None:
    """What ``submit`` wraps round it tells nothing."""
    pool = make_pool()
    pool.submit(stands_here, None, gate)
    gate.await_reached()
    assert only(pool).stack.splitlines()[0].endswith("in stands_here")


@pytest.mark.parametrize("hook", ["__init__", "on_start", "on_end"])
def test_an_agent_in_a_hook(make_pool: Any, gate: Any, hook: str) -> None:
    """Runs, and the stack says where."""

    def stop(*_: Any) -> None:
        gate.hold()

    class Hooked(actors.Agent[None]):
        def run(self, query: Any) -> None:
            """Nothing."""

    setattr(Hooked, hook, stop)
    pool = make_pool()
    pool.spawn(SpawnConfig(BOT, "q", agent=Hooked))
    gate.await_reached()
    agent = only(pool)
    assert agent.state == "running"
    assert "gate.hold()" in agent.stack


def receives(agent: Agent[Any], query: Any) -> Any:
    """Parked until a message comes."""
    return agent.receive().content


def test_parked_on_receive(make_pool: Any, eventually: Any) -> None:
    """What it is parked on, and the line that waits."""
    pool = make_pool()
    handle = pool.spawn(doing(receives))
    agent = in_state(pool, "parked", eventually)
    assert (agent.on, agent.waits_for) == ("receive", ())
    assert "return agent.receive().content" in agent.stack
    assert first_line(agent).startswith("agent 1 (doing): parked on receive, ")
    pool.router.send(actors.AgentMessage(0, handle.id, "go on"))
    assert handle.result(10) == "go on"


def test_parked_on_a_child(make_pool: Any, gate: Any, eventually: Any) -> None:
    """It waits for the child, which names its parent."""

    def parent(agent: Agent[Any], query: Any) -> None:
        agent.spawn(doing(stands_here, gate, name="child")).result()

    pool = make_pool(None, 1)
    pool.spawn(doing(parent, name="parent"))
    gate.await_reached()
    eventually(lambda: pool.dump().agents[0].state == "parked")
    picture = pool.dump()
    top, child = picture.agents
    assert (top.state, top.on, top.waits_for) == (
        "parked",
        "the outcome of agent 2 (child)",
        ("agent 2 (child)",),
    )
    assert (child.state, child.parent_id) == ("running", 1)
    assert picture.waits == (("agent 1 (parent)", "agent 2 (child)"),)
    assert "who waits for whom: agent 1 (parent) -> agent 2 (child)" in str(picture)
    assert first_line(child).endswith(", child of agent 1")


def test_the_slots_of_who_works_are_counted(make_pool: Any, gate: Any, eventually: Any) -> None:
    """One that is parked lays its slot out for others."""

    def parent(agent: Agent[Any], query: Any) -> None:
        agent.spawn(doing(stands_here, gate, name="child")).result()

    pool = make_pool(None, 1)
    pool.spawn(doing(parent, name="parent"))
    gate.await_reached()
    eventually(lambda: [agent.state for agent in pool.dump().agents] == ["parked", "running"])
    assert pool.dump(stacks=False).slots_taken == 1
    gate.open()
    eventually(lambda: pool.dump().slots_taken == 0)


def test_parked_at_its_end_on_children(make_pool: Any, gate: Any, eventually: Any) -> None:
    """Its job is done; whom it waits for is told here as well."""

    def parent(agent: Agent[Any], query: Any) -> None:
        agent.spawn(doing(stands_here, gate, name="child"))
        gate.await_reached()

    pool = make_pool(None, 2, abort_timeout=20.0)
    pool.spawn(doing(parent, name="parent"))
    eventually(lambda: pool.dump().agents[0].state == "parked")
    picture = pool.dump()
    assert picture.agents[0].on == "children"
    gate.open()
    assert picture.waits == (("agent 1 (parent)", "agent 2 (child)"),)


def test_parked_on_an_ask(make_pool: Any, gate: Any, eventually: Any) -> None:
    """Of a long-lived actor, which is named."""

    class Slow(actors.Actor):
        def on_receive(self, message: Any) -> Any:
            gate.hold()
            return message

    reference = Slow.start()
    pool = make_pool()
    handle = pool.spawn(doing(lambda agent, query: reference.ask(query)))
    agent = in_state(pool, "parked", eventually)
    gate.open()
    assert handle.result(10) == "q"
    reference.stop()
    assert agent.on == "a reply"
    assert len(agent.waits_for) == 1
    assert "Slow" in agent.waits_for[0]


def test_parked_on_what_the_user_waits_for(make_pool: Any, gate: Any, eventually: Any) -> None:
    """Inside ``parked()``."""

    def waits(agent: Agent[Any], query: Any) -> None:
        with agent.parked():
            gate.hold()

    pool = make_pool()
    pool.spawn(doing(waits))
    agent = in_state(pool, "parked", eventually)
    assert agent.on == "a wait of its own"
    assert "with agent.parked()" in agent.stack or "gate.hold()" in agent.stack


def test_parked_on_the_next_outcome(make_pool: Any, gate: Any, eventually: Any) -> None:
    """An agent may join what others have started."""
    pool = make_pool()
    pool.spawn(doing(stands_here, gate, name="other"))
    joiner = pool.spawn(doing(lambda agent, query: pool.join_next().agent_id))
    joiner.detach()
    eventually(lambda: joiner.status == "parked")
    agent = pool.dump().agents[1]
    gate.open()
    assert joiner.result(10) == 1
    assert agent.on == "the next outcome"
    assert agent.waits_for


def test_in_a_driver(make_pool: Any, gate: Any) -> None:
    """That blocks, as a model on the network may; the stack shows the driver's line."""

    def slow(_: Any) -> str:
        gate.hold()
        return "done"

    pool = make_pool(FunctionDriver(slow))
    pool.spawn(SpawnConfig(BOT, "q"))
    gate.await_reached()
    agent = only(pool)
    assert (agent.state, agent.on) == ("in_driver", None)
    assert "in slow" in agent.stack
    assert first_line(agent).startswith("agent 1 (bot): in_driver, ")


def test_in_a_driver_it_says_which_model_works(make_pool: Any, gate: Any) -> None:
    """The one that the manifest names."""
    pool = make_pool(FunctionDriver(lambda _: gate.hold() or "done"))
    pool.spawn(SpawnConfig(NAMED, "q"))
    gate.await_reached()
    agent = only(pool)
    assert (agent.state, agent.on) == ("in_driver", "big-1")
    assert first_line(agent).startswith("agent 1 (bot): in_driver on big-1, ")


def test_in_a_driver_that_streams(make_pool: Any, gate: Any) -> None:
    """With a sink the driver streams: it is the same state."""

    def slow(_: Any) -> str:
        gate.hold()
        return "done"

    pool = make_pool(FunctionDriver(slow), on_event=lambda _: None)
    pool.spawn(SpawnConfig(BOT, "q"))
    gate.await_reached()
    assert only(pool).state == "in_driver"


def test_after_a_driver(make_pool: Any, gate: Any) -> None:
    """What fails, or ends, leaves the state behind: a hook that follows runs."""

    class Ends(actors.LlmAgent):
        def on_end(self, outcome: Any) -> None:
            gate.hold()

    pool = make_pool(ScriptedDriver([ValueError("no")]))
    pool.spawn(SpawnConfig(NAMED, "q", agent=Ends))
    gate.await_reached()
    assert (only(pool).state, only(pool).on) == ("running", None)


def test_in_a_backoff(make_pool: Any, eventually: Any) -> None:
    """The driver asked to come back later."""
    pool = make_pool(ScriptedDriver([Overloaded("later", retry_after=3600.0)]))
    handle = pool.spawn(SpawnConfig(BOT, "q"))
    agent = in_state(pool, "in_backoff", eventually)
    assert re.fullmatch(r"Overloaded: later \(waits 3\d{3}\.\d s\)", agent.on or "")
    assert agent.stack
    handle.cancel()
    assert handle.outcome(10).status == "cancelled"


def calls_tools(*names: str) -> ScriptedDriver:
    """A model that calls each of them once, at the same time."""
    return ScriptedDriver([asks(*((name, {}) for name in names)), CompletionResponse("done")])


def test_in_a_tool(make_pool: Any, gate: Any) -> None:
    """It is named, and its own stack begins near the user's function."""

    @tool(timeout=None)
    def dig() -> str:
        """Dig."""
        gate.hold()
        return "a hole"

    pool = make_pool(calls_tools("dig"), tools=ToolRegistry([dig]))
    pool.spawn(SpawnConfig(BOT, "q"))
    gate.await_reached()
    agent = only(pool)
    (call,) = agent.tools
    assert (agent.state, agent.on) == ("in_tool", "dig")
    assert (call.label, call.on) == ("tool dig", None)
    assert "in dig" in call.stack
    assert "actors/core" not in call.stack.splitlines()[0]
    assert first_line(agent).startswith("agent 1 (bot): in_tool dig, ")
    assert "  tool dig, " in str(agent)


def test_in_two_tools_at_once(make_pool: Any, doors: Any, eventually: Any) -> None:
    """Both are named; one that is done is named no more."""
    one, two = doors(), doors()

    @tool(timeout=None)
    def dig() -> str:
        """Dig."""
        one.hold()
        return "a hole"

    @tool(timeout=None)
    def fill() -> str:
        """Fill."""
        two.hold()
        return "no hole"

    pool = make_pool(calls_tools("dig", "fill"), tools=ToolRegistry([dig, fill]))
    handle = pool.spawn(SpawnConfig(BOT, "q"))
    one.await_reached()
    two.await_reached()
    agent = only(pool)
    assert (agent.state, agent.on) == ("in_tool", "dig, fill")
    assert [call.label for call in agent.tools] == ["tool dig", "tool fill"]
    assert ["in dig" in call.stack for call in agent.tools] == [True, False]
    one.open()
    eventually(lambda: only(pool).on == "fill")
    assert [call.label for call in only(pool).tools] == ["tool fill"]
    two.open()
    assert handle.result(10).text == "done"


def test_parked_inside_a_tool(make_pool: Any, gate: Any, eventually: Any) -> None:
    """While another one works: the agent is in its tools, and the call says on what it is parked."""

    @tool(timeout=None)
    def listen(agent: Any) -> str:
        """Wait for a message."""
        return str(agent.receive().content)

    @tool(timeout=None)
    def dig() -> str:
        """Dig."""
        gate.hold()
        return "a hole"

    pool = make_pool(calls_tools("listen", "dig"), tools=ToolRegistry([listen, dig]))
    handle = pool.spawn(SpawnConfig(BOT, "q"))
    gate.await_reached()
    eventually(lambda: only(pool).tools[0].on)
    agent = only(pool)
    assert (agent.state, agent.on) == ("in_tool", "listen, dig")
    assert [call.on for call in agent.tools] == ["receive", None]
    assert "tool listen, parked on receive, " in str(agent)
    gate.open()
    agent = in_state(pool, "parked", eventually)
    assert agent.on == "receive"
    assert [call.label for call in agent.tools] == ["tool listen"]
    pool.router.send(actors.AgentMessage(0, handle.id, "go on"))
    assert handle.result(10).text == "done"


def test_a_tool_that_parks_counts_from_then(make_pool: Any, gate: Any, eventually: Any) -> None:
    """Since when it is parked, not since when the call began."""

    @tool(timeout=None)
    def listen(agent: Any) -> str:
        """Work for a while, and then wait for a message."""
        gate.hold()
        return str(agent.receive().content)

    pool = make_pool(calls_tools("listen"), tools=ToolRegistry([listen]))
    handle = pool.spawn(SpawnConfig(BOT, "q"))
    gate.await_reached()
    eventually(lambda: only(pool).seconds > 0.5)
    before = only(pool).seconds
    gate.open()
    agent = in_state(pool, "parked", eventually)
    pool.router.send(actors.AgentMessage(0, handle.id, "go on"))
    assert handle.result(10).text == "done"
    assert agent.seconds < before
    assert agent.tools[0].seconds < before


def test_restarting(make_pool: Any, eventually: Any) -> None:
    """In the wait before its next life, without a slot."""
    policy = RestartPolicy(max_restarts=1, backoff=Backoff(base=3600.0, maximum=3600.0))
    pool = make_pool(None, 1, restart=policy)
    handle = pool.spawn(doing(lambda agent, query: 1 / 0))
    agent = in_state(pool, "restarting", eventually)
    assert first_line(agent).startswith("agent 1 (doing): restarting, ")
    assert pool.spawn(doing(lambda agent, query: query)).result(10) == "q"
    handle.cancel()
    assert handle.outcome(10).status == "cancelled"


def test_what_was_abandoned(make_pool: Any, doors: Any, eventually: Any) -> None:
    """An agent and a tool that did not end in time, until they do."""
    one, two = doors(), doors()

    @tool(timeout=0.01)
    def dig() -> str:
        """Dig."""
        one.hold()
        return "a hole"

    pool = make_pool(calls_tools("dig"), tools=ToolRegistry([dig]), abort_timeout=0.02)
    assert pool.spawn(SpawnConfig(BOT, "q")).result(10).text == "done"
    stuck = pool.spawn(doing(stands_here, two, name="stuck"))
    two.await_reached()
    stuck.cancel()
    assert stuck.outcome(10).status == "abandoned"
    picture = pool.dump()
    assert picture.agents == ()
    labels = {stray.label: stray for stray in picture.abandoned}
    assert set(labels) == {"tool dig of agent 1 (bot)", "agent 2 (stuck)"}
    assert "in dig" in labels["tool dig of agent 1 (bot)"].stack
    assert "query.hold()" in labels["agent 2 (stuck)"].stack
    assert str(picture).count("\nabandoned: ") == 2
    one.open()
    two.open()
    eventually(lambda: pool.dump().abandoned == ())


# What can be done with it ---------------------------------------------------------------------------------------


def test_since_when_grows_and_begins_anew(make_pool: Any, doors: Any, eventually: Any) -> None:
    """With each new state."""
    gate = doors()

    def work(agent: Agent[Any], query: Any) -> None:
        gate.hold()
        agent.receive()

    pool = make_pool()
    pool.spawn(doing(work))
    gate.await_reached()
    eventually(lambda: only(pool).seconds > 0.5)
    before = only(pool).seconds
    gate.open()
    assert in_state(pool, "parked", eventually).seconds < before


def test_the_inbox_depth_follows(make_pool: Any, gate: Any) -> None:
    """Messages that it has not read."""
    pool = make_pool()
    handle = pool.spawn(doing(stands_here, gate))
    gate.await_reached()
    for depth in range(3):
        assert only(pool).inbox_depth == depth
        pool.router.send(actors.AgentMessage(0, handle.id, "unread"))


@pytest.fixture
def picture(make_pool: Any, doors: Any, eventually: Any) -> PoolDump:
    """One that has something of everything."""
    one, two = doors(), doors()

    @tool(timeout=None)
    def dig() -> str:
        """Dig."""
        one.hold()
        return "a hole"

    def parent(agent: Agent[Any], query: Any) -> None:
        agent.spawn(doing(stands_here, two)).result()

    pool = make_pool(calls_tools("dig"), 2, max_queued=1, tools=ToolRegistry([dig]), name="team")
    pool.spawn(SpawnConfig(BOT, "q"))
    one.await_reached()
    family = pool.spawn(doing(parent))
    two.await_reached()
    eventually(lambda: family.status == "parked")
    pool.spawn(doing(stands_here, two, name="last"))
    return pool.dump()


def test_it_is_frozen(picture: PoolDump) -> None:
    """In all its parts, which can be compared and hashed."""
    for part in (picture, picture.agents[0], picture.agents[0].tools[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, dataclasses.fields(part)[0].name, "other")
        assert hash(part) == hash(dataclasses.replace(part))  # type: ignore[type-var]


def test_it_travels(picture: PoolDump) -> None:
    """Another process reads the same."""
    again = pickle.loads(pickle.dumps(picture))
    assert again == picture
    assert str(again) == str(picture)


def test_it_can_be_read(picture: PoolDump) -> None:
    """One line for the pool, one for who waits for whom, and a block for each agent in the order of their ids."""
    lines = str(picture).splitlines()
    assert lines[0] == "pool team: 4 agents, 2 slots"
    assert lines[1] == "who waits for whom: agent 2 (doing) -> agent 3 (doing)"
    heads = [line for line in lines if line.startswith("agent ")]
    assert [head.split(":")[0] for head in heads] == [
        "agent 1 (bot)",
        "agent 2 (doing)",
        "agent 3 (doing)",
        "agent 4 (last)",
    ]
    assert all(line.startswith(("pool ", "who ", "agent ", "  ")) for line in lines)


def test_its_words_are_in_the_facade(picture: PoolDump) -> None:
    """Who reads a dump can name what is in it."""
    for part in (picture, picture.agents[0], picture.agents[0].tools[0], picture.agents[0].state):
        assert getattr(actors, type(part).__name__, None) is type(part), type(part).__name__


# From where it can be taken -------------------------------------------------------------------------------------


def test_inside_an_agent(make_pool: Any) -> None:
    """Which sees itself."""
    pool = make_pool()
    agent = pool.spawn(doing(lambda agent, query: only(pool))).result(10)
    assert (agent.id, agent.state) == (1, "running")
    assert "only(pool)" in agent.stack


def test_in_a_callback_a_sink_and_a_watcher_of_cancels(make_pool: Any, eventually: Any) -> None:
    """And where a letter could not be delivered. None of them holds a lock of ours."""
    pictures: dict[str, Any] = {}
    pools: list[AgentPool] = []

    def sink(event: Any) -> None:
        if isinstance(event, AgentStarted):
            pictures["sink"] = pools[0].dump()

    pool = make_pool(on_event=sink, on_undelivered=lambda _: pictures.setdefault("letter", pools[0].dump()))
    pools.append(pool)

    def work(agent: Agent[Any], query: Any) -> None:
        agent.cancel_token.on_cancel(lambda: pictures.setdefault("cancel", pool.dump()))
        agent.sleep(3600)

    handle = pool.spawn(doing(work))
    handle.add_done_callback(lambda _: pictures.setdefault("callback", pool.dump()))
    pool.router.send(actors.AgentMessage(0, handle.id, "unread"))
    eventually(lambda: "sink" in pictures and "agent.sleep" in only(pool).stack)
    handle.cancel()
    handle.outcome(10)
    eventually(lambda: len(pictures) == 4)
    assert pictures["callback"].agents == ()


def test_while_a_crowd_comes_and_goes(make_pool: Any, in_thread: Any) -> None:
    """From several threads: each picture is whole, can be read, and names each agent at most once."""
    pool = make_pool(None, 8, max_queued=None)
    over = threading.Event()

    def look() -> int:
        looks = 0
        while not over.is_set() or not looks:
            picture = pool.dump()
            ids = [agent.id for agent in picture.agents]
            assert ids == sorted(set(ids))
            assert str(picture).startswith(f"pool {pool.name}: {len(ids)} agents, 8 slots")
            looks += 1
        return looks

    def family(agent: Agent[Any], query: Any) -> int:
        agent.spawn(doing(lambda child, _: child.checkpoint())).result()
        with pytest.raises(TimeoutError):
            agent.receive(0.001)
        return int(query)

    lookers = [in_thread(look) for _ in range(3)]
    try:
        pool.fan_out([doing(family, number) for number in range(200)])
        outcomes = pool.join_all(60)
    finally:
        over.set()
    assert len(outcomes.unwrap()) == 200
    assert all(looker.result(10) > 0 for looker in lookers)
    assert pool.dump().agents == ()


def test_after_the_end(make_pool: Any) -> None:
    """An empty pool, in one line."""
    pool = make_pool(name="team")
    pool.spawn(doing(receives))
    pool.close()
    assert str(pool.dump()) == "pool team: 0 agents, 4 slots"


def test_looking_changes_nothing(make_pool: Any, eventually: Any) -> None:
    """An agent that is looked at stays where it is, and its figures stay the same."""
    pool = make_pool()
    handle = pool.spawn(doing(receives))
    in_state(pool, "parked", eventually)
    before = pool.stats()
    for _ in range(5):
        pool.dump()
    assert pool.stats() == before
    assert handle.status == "parked"
