"""What crosses between machines, and what does not: section by section, its error, in the right place."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from actors import AgentManifest, AgentPool, SpawnConfig, tool
from actors.agents import Agent
from actors.cluster.failures import dump_error
from actors.cluster.kits import MOST_KITS, Packer
from actors.cluster.portable import MOST_BYTES, dump_value, is_plain, load_value
from actors.cluster.references import References
from actors.cluster.shared import sharing
from actors.drivers.base import Driver
from actors.drivers.function import FunctionDriver
from actors.drivers.limiter import RateLimiter
from actors.drivers.openai import OpenAIDriver
from actors.drivers.routing import RoutingDriver
from actors.drivers.scripted import ScriptedDriver
from actors.errors import AgentCrashed, NotPortable, RemoteError
from actors.limits import Budget
from actors.memory.in_memory import InMemorySubstrate
from actors.tools.registry import ToolRegistry

from .crossing import TestHost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.agents import AgentOutcome
    from actors.ports import CompletionRequest

MANIFEST = AgentManifest(name="traveller", capabilities=())
LOCAL = "http://127.0.0.1:9/v1"
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
)


class Echo(Agent[Any]):
    """Gives back what it is asked."""

    needs_driver = False

    def __init__(self, **kept: Any) -> None:
        self.kept = kept

    def run(self, query: Any) -> Any:
        return self.kept or query


class Driven(Echo):
    """Gives back its driver."""

    def run(self, query: Any) -> Any:
        return self.driver.kind, self.driver.number  # type: ignore[union-attr]


class NoRecipe(Driver):
    """Does not say how it is made."""

    def complete(self, request: CompletionRequest, *, cancel: Any) -> Any:
        raise AssertionError


@tool
def twice(number: int) -> int:
    """Twice the number."""
    return 2 * number


def said(request: CompletionRequest) -> str:
    """What a model says."""
    return f"heard {request.messages[-1].text}"


def increment(number: int) -> int:
    """One more."""
    return number + 1


class Road:
    """From a program to a host."""

    def __init__(self, pool: AgentPool, host: TestHost) -> None:
        self.pool = pool
        self.host = host
        self.references = References()
        self.packer = Packer(self.references)

    def go(self, config: SpawnConfig[Any]) -> AgentOutcome[Any]:
        """Pack *config*, and run it on the host."""
        return self.host.run(self.packer.pack(self.pool._factory.spec(config)))

    def call(self, fn: Any, *args: Any) -> AgentOutcome[Any]:
        """Pack a call, and run it on the host."""
        return self.host.run(self.packer.pack(self.pool._factory.function_spec(fn, args, {})))

    def refusal(self, **config: Any) -> NotPortable:
        """Why an agent with this cannot go; and the next one can."""
        query = config.pop("query", "q")
        with pytest.raises(NotPortable) as caught:
            self.go(SpawnConfig(MANIFEST, query, **{"agent": Echo, **config}))
        assert self.go(SpawnConfig(MANIFEST, "next", agent=Echo)).result == "next"
        return caught.value


@pytest.fixture
def road() -> Iterator[Road]:
    with AgentPool() as pool, AgentPool() as other:
        yield Road(pool, TestHost(other))


# What crosses -----------------------------------------------------------------------------------------------------


@pytest.mark.process
def test_what_stands_in_main_goes_by_value_and_comes_back_as_itself() -> None:
    """Classes, closures, enums, generics, models and errors of a program, over two processes."""
    run = [sys.executable, "-m", "tests.cluster.main_program"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "whole\n", done.stderr


def test_an_agent_arrives_with_all_it_was_given(road: Road) -> None:
    """Its class, query, arguments and deps."""
    assert road.go(SpawnConfig(MANIFEST, {"n": [1, (2,)]}, agent=Echo)).result == {"n": [1, (2,)]}
    assert road.go(SpawnConfig(MANIFEST, "q", agent=Echo, kwargs={"x": 1})).result == {"x": 1}
    assert road.call(increment, 1).result == 2
    assert road.call(lambda number, more=2: number + more, 1).result == 3


def test_a_model_answers_with_the_tools_and_the_driver_that_were_made_there(road: Road) -> None:
    """An ``LlmAgent`` whose driver is a function's, with tools of a module and of a place."""

    @tool
    def thrice(number: int) -> int:
        """Three times the number."""
        return 3 * number

    for tools in ([twice], [thrice], ToolRegistry([twice, thrice]), lambda _: ToolRegistry([twice])):
        config = SpawnConfig(MANIFEST, "hello", driver=FunctionDriver(said), tools=tools)
        assert road.go(config).result.text == "heard hello"


def test_a_tool_of_a_module_goes_by_its_name() -> None:
    """It is that very tool where the module is; one that is not found there goes with all it has."""
    made = tool(increment)
    assert load_value(dump_value(twice, "tools")) is twice
    assert load_value(dump_value(made, "tools"))(1) == 2


def test_a_manifest_keeps_its_folder(road: Road, tmp_path: Any) -> None:
    """What is loaded from a file finds its modules beside it, on the node too."""
    (tmp_path / "a.toml").write_text('name = "of-file"', encoding="utf-8")
    manifest = AgentManifest.load(tmp_path / "a.toml")

    class Folder(Echo):
        def run(self, query: Any) -> Any:
            return str(self.manifest.folder)

    assert road.go(SpawnConfig(manifest, "q", agent=Folder)).result == str(tmp_path.resolve())


def test_context_variables_and_tags_stay(road: Road) -> None:
    """A tag that cannot be pickled is nobody's trouble: the program has it."""
    assert road.go(SpawnConfig(MANIFEST, "q", agent=Echo, tag=threading.Lock())).result == "q"


# Kits -------------------------------------------------------------------------------------------------------------


def test_a_thousand_configs_with_one_manifest_are_one_kit(road: Road) -> None:
    """And the same function is the same kit, whoever calls it with what."""
    kit = {road.packer.pack(road.pool._factory.spec(SpawnConfig(MANIFEST, n, agent=Echo))).kit for n in range(1000)}
    calls = {road.packer.pack(road.pool._factory.function_spec(increment, (n,), {})).kit for n in range(1000)}
    assert len(kit) == len(calls) == 1


def test_kits_are_forgotten_when_nobody_names_them(road: Road) -> None:
    """Those that were asked for longest ago, once there are many; not one that an agent still has."""
    specs = [
        road.pool._factory.spec(SpawnConfig(AgentManifest(name=f"a-{n}", capabilities=()), "q", agent=Echo))
        for n in range(MOST_KITS + 2)
    ]
    held = road.packer.pack(specs[0])
    numbers = [road.packer.pack(spec).kit.number for spec in specs]
    assert road.packer.gone(numbers) == (numbers[1],)
    del held
    assert road.packer.gone(numbers) == tuple(numbers[:2])


def test_a_kit_is_what_it_was_made_of_at_the_spawn(road: Road) -> None:
    """A function that goes by value takes what its variables are then, and not what they were for the one before."""
    factor, shift = 2, [1]

    def scale(number: int) -> int:
        return number * factor + shift[0]

    class Scales(Echo):
        by = 1

        def run(self, query: int) -> int:
            return scale(query) * self.by

    found = [road.go(SpawnConfig(MANIFEST, 1, agent=Scales)).result]
    factor = 3
    found.append(road.go(SpawnConfig(MANIFEST, 1, agent=Scales)).result)
    shift[0] = 7
    found.append(road.go(SpawnConfig(MANIFEST, 1, agent=Scales)).result)
    assert found == [3, 4, 10]


# What stays in the program ----------------------------------------------------------------------------------------


def test_a_budget_is_charged_by_whoever_stands_for_it(road: Road) -> None:
    """It does not cross: the host is told that there is one."""
    config = SpawnConfig(MANIFEST, "q", agent=Echo, budget=Budget(max_cost_usd=1))
    assert road.go(config).result == "q"
    [(agent_id, owed)] = road.host.stand_ins.given
    assert (agent_id, owed.account, owed.limited, owed.ledger) == (1, True, ("cost_usd",), False)


def test_a_budget_is_never_copied() -> None:
    """Each copy would have the whole limit."""
    budget = Budget(max_iterations=1, name="the purse")
    for copied in (pickle.dumps, copy.copy, copy.deepcopy, lambda it: dump_value([it], "query")):
        with pytest.raises(NotPortable):
            copied(budget)


def test_a_budget_in_anything_but_its_place_is_refused(road: Road) -> None:
    """It would be a copy, or something that is no budget."""
    assert road.refusal(query=Budget()).what == "query"
    assert "SpawnConfig(budget=...)" in road.refusal(kwargs={"purse": Budget()}).why


def test_what_stands_for_something_of_the_program_goes_back_as_itself(road: Road) -> None:
    """A driver that an agent gives a child is the program's own there."""
    driver = FunctionDriver(said)
    sent = []

    class Sends(Echo):
        def run(self, query: Any) -> Any:
            sent.append(dump_value([self.driver], "a child", road.host.unpacker.way))

    with sharing():
        assert road.go(SpawnConfig(MANIFEST, "q", agent=Sends, driver=driver)).error is None
    [found] = load_value(sent[0], road.references)
    assert found is driver


def test_a_limiter_is_named_by_the_driver_that_has_it(road: Road) -> None:
    """A driver is made once on a host, and asks the limiter of the program."""
    limiter = RateLimiter(max_concurrent=3)
    driver = OpenAIDriver("m", base_url=LOCAL, limiter=limiter)
    made = []

    class Looks(Echo):
        def run(self, query: Any) -> Any:
            made.append(self.driver)

    for name in ("one", "two"):
        manifest = AgentManifest(name=name, capabilities=())
        assert road.go(SpawnConfig(manifest, "q", agent=Looks, driver=driver)).error is None
    assert made[0] is made[1] is not driver
    assert made[0].endpoint.url == LOCAL
    assert (made[0].limiter.kind, made[0].limiter.number) == ("limiter", road.references.number("limiter", limiter))


def test_a_router_of_drivers_goes_as_both(road: Road) -> None:
    """With what each of them is made of."""
    driver = RoutingDriver(OpenAIDriver("m", base_url=LOCAL), FunctionDriver(said), "fallback_only")
    assert road.go(SpawnConfig(MANIFEST, "hello", driver=driver)).result.text == "heard hello"


def test_a_driver_by_a_word_is_made_of_the_word(road: Road) -> None:
    """Also one whose class does not say how it is made."""
    assert road.go(SpawnConfig(MANIFEST, "hello", driver="echo")).result.text == "hello"
    word = f"{__name__}:factory_of_no_recipe"
    assert road.go(SpawnConfig(MANIFEST, "hello", agent=Echo, driver=word)).result == "hello"


def factory_of_no_recipe(manifest: AgentManifest) -> NoRecipe:
    """A driver that a manifest can name."""
    return NoRecipe()


# What does not cross ----------------------------------------------------------------------------------------------


def test_what_belongs_to_the_program_is_refused_by_name(road: Road) -> None:
    """Pools, handles, inboxes, routers, references, tokens and locks; where they are, and what to do."""
    handle = road.pool.submit(increment, 1)
    handle.outcome()
    strangers = {
        "a pool": road.pool,
        "a handle": handle,
        "Inbox": road.pool.inbox,
        "MessageRouter": road.pool.router,
        "an actor reference": road.pool.supervisor,
        "a lock": threading.Lock(),
        "Event": threading.Event(),
        "a thread": threading.current_thread(),
    }
    for word, stranger in strangers.items():
        assert road.refusal(query=stranger).what == "query"
        refusal = road.refusal(kwargs={"x": [stranger]})
        assert refusal.what == "kwargs['x'][0]"
        assert refusal.why.startswith(word)


def test_an_open_file_is_refused_and_is_no_copy_of_what_it_holds(road: Road, tmp_path: Any) -> None:
    """Open for reading or writing, as text or bytes; the standard streams are those of the node."""
    (tmp_path / "read").write_text("a")
    for name, mode in (("read", "r"), ("read", "rb"), ("read", "r+b"), ("written", "w"), ("written", "wb")):
        with (tmp_path / name).open(mode) as file:
            refusal = road.refusal(kwargs={"x": [file]})
        assert (refusal.what, refusal.why.partition(":")[0]) == ("kwargs['x'][0]", "an open file")
    assert road.call(lambda stream=sys.stderr: stream is sys.stderr)


def test_arguments_of_a_call_are_named_as_they_were_given(road: Road) -> None:
    """Not as those of the agent that makes the call."""
    for args, kwargs, what in (((1, threading.Lock()), {}, "args[1]"), ((), {"x": threading.Lock()}, "kwargs['x']")):
        with pytest.raises(NotPortable) as caught:
            road.packer.pack(road.pool._factory.function_spec(increment, args, kwargs))
        assert caught.value.what == what
    with pytest.raises(NotPortable) as caught:
        road.call(threading.Lock().acquire)
    assert caught.value.what.startswith("the function")


def test_what_closes_over_something_of_the_program_is_refused_by_the_variable(road: Road) -> None:
    """An agent class, a tool and an argument."""
    lock = threading.Lock()

    class Locks(Echo):
        def run(self, query: Any) -> Any:
            with lock:
                return query

    @tool
    def locked(number: int) -> int:
        """With a lock."""
        with lock:
            return number

    class Bound:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def read(self) -> str:
            """Read it."""
            return str(self.lock)

    assert road.refusal(agent=Locks).what.startswith("the agent class")
    assert road.refusal(tools=[locked]).what.startswith("tools[0]")
    assert road.refusal(tools=[tool(Bound().read)]).what.startswith("tools[0]")
    assert "'lock'" in road.refusal(kwargs={"fn": lambda: lock}).what


def test_drivers_and_memories_that_cannot_be_made_again_are_refused(road: Road) -> None:
    """One that was given its key, a script, one without a recipe; a memory that lives in one process."""
    keyed = OpenAIDriver("m", base_url=LOCAL, api_key="secret")
    refusal = road.refusal(driver=keyed)
    assert refusal.what == "driver"
    assert "OPENAI_API_KEY" in refusal.why
    assert "secret" not in str(refusal)
    assert "factory" in road.refusal(driver=ScriptedDriver(["a"])).why
    assert "__reduce__" in road.refusal(driver=NoRecipe()).why
    assert "factory" in road.refusal(driver=RoutingDriver(NoRecipe())).why
    assert road.refusal(memory=InMemorySubstrate()).what == "memory"


def test_what_is_too_large_is_refused_with_its_size(road: Road) -> None:
    """At the spawn."""
    refusal = road.refusal(query=b"x" * (MOST_BYTES + 1))
    assert refusal.what == "query"
    assert "64.0 MiB" in refusal.why


def test_what_cannot_be_read_is_that_agents_crash(road: Road) -> None:
    """It is unpickled on its own thread; the next one is unharmed."""
    assert road.go(SpawnConfig(MANIFEST, _Unreadable(), agent=Echo)).error.type_name == "OSError"
    assert road.go(SpawnConfig(MANIFEST, "next", agent=Echo)).result == "next"


class _Unreadable:
    def __reduce__(self) -> tuple[Any, ...]:
        return _fails, ()


def _fails() -> None:
    raise OSError("nothing to read")


# Errors -----------------------------------------------------------------------------------------------------------


def test_an_error_that_cannot_cross_keeps_its_name_and_its_words() -> None:
    """As a ``RemoteError``."""

    class Locked(Exception):
        def __init__(self) -> None:
            super().__init__("it is locked")
            self.lock = threading.Lock()

    error = load_value(dump_error(Locked()))
    assert type(error) is RemoteError
    assert error.type_name.endswith("Locked")
    assert error.text == "it is locked"


def test_a_crash_by_what_cannot_cross_keeps_its_traceback(road: Road) -> None:
    """It is a crash without a cause."""

    def breaks() -> None:
        error = ValueError("broken")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    crash = load_value(dump_error(road.call(breaks).error))
    assert type(crash) is AgentCrashed
    assert crash.type_name == "ValueError"
    assert "in breaks" in crash.traceback


# Values -----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, database=None)
@given(PLAIN)
def test_plain_data_is_the_same_by_both_ways(value: Any) -> None:
    """The quick one and that of what is pickled with more care give the same value."""
    assert load_value(dump_value(value, "query")) == value
    assert load_value(dump_value({"inside": value}, "query")) == {"inside": value}


def test_plain_data_is_known_as_such() -> None:
    """To read it runs nothing."""
    for value in (None, 1, "text", b"bytes", [1.5, ("a",), {"b": {True}}]):
        assert is_plain(dump_value(value, "query"))


def test_what_is_no_plain_data_is_never_taken_for_it() -> None:
    """A class, a function, an object."""
    for value in (increment, Echo, MANIFEST, [threading.Lock], {"x": ValueError("v")}):
        assert not is_plain(dump_value(value, "query"))


def test_hosts_of_this_process_may_share_what_cannot_be_pickled(road: Road) -> None:
    """Locks, closures and scripts are the very ones; what belongs to a pool stays there."""
    seen: list[Any] = []
    gate = threading.Event()

    def note(value: Any) -> bool:
        seen.append(value)
        return gate.is_set()

    gate.set()
    with sharing():
        assert road.call(note, 5).result is True
        assert road.go(SpawnConfig(MANIFEST, "q", driver=ScriptedDriver(["scripted"]))).result.text == "scripted"
        assert road.refusal(query=road.pool.inbox).what == "query"
    assert seen == [5]
