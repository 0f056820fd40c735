"""What an agent is given: class, driver, memory and tools, from the pool, the config or the manifest."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    CapabilityDenied,
    FunctionDriver,
    InMemorySubstrate,
    LlmAgent,
    ManifestError,
    PrivacyTier,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
)

from ..waiting import BOUND, eventually
from .doubles import Probe, doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOTS = """
from actors import Agent, FunctionDriver, tool

class Counter(Agent):
    def run(self, query):
        return len(query.split())

class NoAgent:
    pass

made = []

def make(manifest):
    made.append(manifest)
    return FunctionDriver(lambda request: f"{manifest.model.name} says hi")

def broken(manifest):
    raise ValueError("no key")

@tool
def shout(text: str) -> str:
    "Shout."
    return text.upper()

@tool(name="note")
def other_note(text: str) -> str:
    "The manifest's own."
    return "manifest"

def no_tool():
    pass
"""


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str], AgentManifest]]:
    """``load(text)`` is a manifest from a file beside which the module ``actors_test_bots`` stands."""
    (tmp_path / "actors_test_bots.py").write_text(BOTS, encoding="utf-8")

    def make(text: str) -> AgentManifest:
        path = tmp_path / "bot.toml"
        path.write_text(text, encoding="utf-8")
        return AgentManifest.load(path)

    yield make
    sys.modules.pop("actors_test_bots", None)


@pytest.fixture
def pool() -> Iterator[AgentPool]:
    """A pool with a driver."""
    with AgentPool(FunctionDriver(lambda request: "the pool's"), 2, max_queued=None, abort_timeout=BOUND) as made:
        yield made


def text(pool: AgentPool, manifest: AgentManifest, **fields: Any) -> str:
    """What an ``LlmAgent`` answers."""
    answer: str = pool.spawn(SpawnConfig(manifest, "q", **fields)).result(BOUND).text
    return answer


def problems(pool: AgentPool, manifest: AgentManifest) -> tuple[str, ...]:
    """Why it cannot be spawned."""
    with pytest.raises(ManifestError) as caught:
        pool.spawn(SpawnConfig(manifest, "q"))
    assert pool.outstanding_count == 0
    return caught.value.problems


# The class ------------------------------------------------------------------------------------------------------


def test_the_manifests_class(load: Callable[[str], AgentManifest], pool: AgentPool) -> None:
    """Looked for beside the manifest; the config's class wins."""
    manifest = load('agent = "actors_test_bots:Counter"')
    assert pool.spawn(SpawnConfig(manifest, "one two three")).result(BOUND) == 3
    assert text(pool, manifest, agent=LlmAgent) == "the pool's"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("actors_test_bots:NoAgent", "agent: 'actors_test_bots:NoAgent' is no subclass of actors.Agent"),
        ("actors_test_bots:made", "is no subclass"),
        ("actors_test_bots:Nobody", "agent: module 'actors_test_bots' has no 'Nobody'"),
        ("actors_test_absent:X", "agent: no module 'actors_test_absent'"),
    ],
)
def test_a_class_that_is_none(load: Callable[[str], AgentManifest], pool: AgentPool, path: str, said: str) -> None:
    """Refused at spawn, with its place."""
    (problem,) = problems(pool, load(f'agent = "{path}"'))
    assert said in problem


# The driver -----------------------------------------------------------------------------------------------------


def test_who_brings_the_driver(load: Callable[[str], AgentManifest], pool: AgentPool) -> None:
    """The config's wins over the manifest's, and that over the pool's."""
    manifest = load('[model]\ndriver = "actors_test_bots:make"\nmodel_path = "m"')
    assert text(pool, AgentManifest()) == "the pool's"
    assert text(pool, manifest) == "m says hi"
    assert text(pool, manifest, driver=FunctionDriver(lambda request: "the config's")) == "the config's"


def test_one_driver_for_all_agents_of_a_model(load: Callable[[str], AgentManifest], pool: AgentPool) -> None:
    """What it limits is limited for all of them; another model is another driver."""
    manifest = load('[model]\ndriver = "actors_test_bots:make"')
    look = lambda agent, query: agent.driver  # noqa: E731
    first = pool.spawn(doing(look, manifest=manifest)).result(BOUND)
    again = pool.spawn(doing(look, manifest=manifest)).result(BOUND)
    other = pool.spawn(doing(look, manifest=load('[model]\ndriver = "actors_test_bots:make"\nmodel_path = "m"')))
    assert first is again
    assert other.result(BOUND) is not first


def test_a_built_in_driver(pool: AgentPool) -> None:
    """Named by a word."""
    assert text(pool, AgentManifest(model={"driver": "echo"})) == "q"


def test_a_driver_that_is_none(load: Callable[[str], AgentManifest], pool: AgentPool) -> None:
    """Unknown words and paths are refused at spawn, with their place."""
    (problem,) = problems(pool, AgentManifest(model={"driver": "gpt"}))
    assert problem.startswith("model.driver: no built-in driver 'gpt'")
    (problem,) = problems(pool, load('[model]\ndriver = "actors_test_bots:nobody"'))
    assert problem == "model.driver: module 'actors_test_bots' has no 'nobody'"


def test_an_llm_agent_needs_a_driver() -> None:
    """``ValueError`` at spawn, and no id is used up; an agent of another class needs none."""
    with AgentPool(max_concurrent=1) as pool:
        with pytest.raises(ValueError, match="agent 'bot' needs a driver"):
            pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q"))
        assert pool.spawn(doing(lambda agent, query: agent.agent_id)).result(BOUND) == 1


@pytest.mark.parametrize(
    ("privacy", "tier", "refused"),
    [
        ("sovereign", PrivacyTier.SOVEREIGN, False),
        ("sovereign", PrivacyTier.PRIVATE, True),
        ("sovereign", PrivacyTier.STANDARD, True),
        ("private", PrivacyTier.PRIVATE, False),
        ("private", PrivacyTier.STANDARD, True),
        ("standard", PrivacyTier.STANDARD, False),
        ("standard", PrivacyTier.SOVEREIGN, False),
    ],
)
def test_privacy_and_the_drivers_tier(privacy: str, tier: PrivacyTier, refused: bool) -> None:
    """An agent stricter than its driver is refused at spawn."""
    driver = ScriptedDriver.text("ok")
    driver.privacy_tier = tier
    with AgentPool(driver, 1) as pool:
        config = SpawnConfig(AgentManifest(name="bot", privacy=privacy), "q")
        if refused:
            with pytest.raises(CapabilityDenied, match=f"privacy {privacy}, but its driver's tier is {tier}"):
                pool.spawn(config)
        else:
            assert pool.spawn(config).result(BOUND).text == "ok"


def test_functions_run_whatever_the_drivers_tier() -> None:
    """``submit`` has nothing to do with the model."""
    driver = ScriptedDriver([])
    driver.privacy_tier = PrivacyTier.STANDARD
    with AgentPool(driver, 1) as pool:
        assert pool.submit(len, "abc").result(BOUND) == 3


# Memory ---------------------------------------------------------------------------------------------------------


class Counted(InMemorySubstrate):
    """A memory of a user's own, with a length, and so false while it is empty."""

    def __bool__(self) -> bool:
        return len(self) > 0


def test_who_brings_the_memory() -> None:
    """The config's wins over the pool's, also while it is empty."""
    own, pools = Counted(), InMemorySubstrate()
    assert not own
    with AgentPool(FunctionDriver(lambda request: "answer"), 1, memory=pools) as pool:
        text(pool, AgentManifest(), memory=own)
        assert (len(own), len(pools)) == (1, 0)
        text(pool, AgentManifest())
        assert (len(own), len(pools)) == (1, 1)


class Falsy(FunctionDriver):
    """A driver of a user's own that is false, as one with a ``__len__`` may be."""

    def __len__(self) -> int:
        return 0


def test_a_driver_that_is_false_is_a_driver() -> None:
    """What counts is that it was given."""
    with AgentPool(FunctionDriver(lambda request: "the pool's"), 1) as pool:
        assert text(pool, AgentManifest(), driver=Falsy(lambda request: "the config's")) == "the config's"


# Tools ----------------------------------------------------------------------------------------------------------


def names(pool: AgentPool, manifest: AgentManifest | None = None, **fields: Any) -> list[str]:
    """The tools of an agent."""
    look = lambda agent, query: agent.tools.names()  # noqa: E731
    found: list[str] = pool.spawn(doing(look, manifest=manifest, **fields)).result(BOUND)
    return found


def test_who_brings_the_tools() -> None:
    """The config's are in place of the pool's; a registry, or a list."""
    with AgentPool(max_concurrent=1, tools=ToolRegistry([Probe(name="pools")])) as pool:
        assert names(pool) == ["pools"]
        assert names(pool, tools=ToolRegistry([Probe(name="own")])) == ["own"]
        assert names(pool, tools=[Probe(name="a"), Probe(name="b")]) == ["a", "b"]
        assert names(pool, tools=ToolRegistry()) == []


def test_a_function_that_makes_tools() -> None:
    """Called for each agent with its manifest, on the agent's thread; what it raises is a failure or a crash."""
    calls = []

    def make(manifest: AgentManifest) -> ToolRegistry:
        calls.append((manifest.name, threading.get_ident()))
        if manifest.name == "bad":
            raise ManifestError(["tools: none today"])
        return ToolRegistry([Probe(name=f"of_{manifest.name}")])

    with AgentPool(max_concurrent=1, tools=make) as pool:
        assert names(pool, AgentManifest(name="one")) == ["of_one"]
        assert names(pool, AgentManifest(name="two")) == ["of_two"]
        outcome = pool.spawn(doing(lambda agent, query: "never", name="bad")).outcome(BOUND)
    assert [name for name, _ in calls] == ["one", "two", "bad"]
    assert threading.get_ident() not in {thread for _, thread in calls}
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, ManifestError)


def test_the_manifests_tools(load: Callable[[str], AgentManifest]) -> None:
    """Beside the pool's; of two with the same name the manifest's."""
    manifest = load('tools = ["actors_test_bots:shout", "actors_test_bots:other_note"]')
    registry = ToolRegistry([Probe(name="note"), Probe(name="pools")])
    driver = ScriptedDriver.tool_then_text("note", {"text": "x"}, "done")
    with AgentPool(driver, 1, tools=registry) as pool:
        assert names(pool, manifest) == ["shout", "note", "pools"]
        result = pool.spawn(SpawnConfig(manifest, "q")).result(BOUND)
        assert result.messages[2].content == "manifest"
        assert names(pool) == ["note", "pools"]
    assert registry.names() == ["note", "pools"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("actors_test_bots:no_tool", "tools.1: 'actors_test_bots:no_tool' is no tool; put @actors.tool above"),
        ("actors_test_bots:nobody", "tools.1: module 'actors_test_bots' has no 'nobody'"),
        ("actors_test_absent:x", "tools.1: no module 'actors_test_absent'"),
    ],
)
def test_a_tool_that_is_none(load: Callable[[str], AgentManifest], path: str, said: str) -> None:
    """The agent fails with a manifest error that names the place."""
    manifest = load(f'tools = ["actors_test_bots:shout", "{path}"]')
    with AgentPool(max_concurrent=1) as pool:
        outcome = pool.spawn(doing(lambda agent, query: "never", manifest=manifest)).outcome(BOUND)
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, ManifestError)
    assert said in str(outcome.error)


# The whole ------------------------------------------------------------------------------------------------------


def test_a_child_is_looked_for_beside_its_own_manifest(load: Callable[[str], AgentManifest], pool: AgentPool) -> None:
    """Not beside its parent's."""
    manifest = load('agent = "actors_test_bots:Counter"')

    def parent(agent: Agent[Any], query: Any) -> Any:
        return agent.spawn(SpawnConfig(manifest, "a b")).result(BOUND)

    assert pool.spawn(doing(parent)).result(BOUND) == 2


def test_submitted_functions(pool: AgentPool) -> None:
    """Named for the function; arguments as given; the query is empty."""

    def add(a: int, b: int) -> int:
        return a + b

    handle = pool.submit(add, 1, b=2)
    outcome = handle.outcome(BOUND)
    assert (outcome.unwrap(), outcome.name, outcome.query) == (3, "add", "")
    nameless = pool.submit(ToolRegistry)
    assert nameless.name == "ToolRegistry"
    eventually(nameless.done)
    with pytest.raises(TypeError, match="submit needs a function, got str"):
        pool.submit("add")  # type: ignore[arg-type]


def test_only_a_config_can_be_spawned(pool: AgentPool) -> None:
    """Anything else is named in the refusal."""
    with pytest.raises(TypeError, match="expected a SpawnConfig, got AgentManifest"):
        pool.spawn(AgentManifest())  # type: ignore[arg-type]
