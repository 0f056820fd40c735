"""``Deps[T]``: what a tool gets of the program, and the model does not see."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NewType, Protocol, TypedDict, TypeVar, runtime_checkable

import pydantic
import pytest

import actors
from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    CancelToken,
    Deps,
    FunctionDriver,
    LlmAgent,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    ToolResultMessage,
    needs_approval,
    tool,
)
from actors.capabilities import Compute, Spawn
from actors.journals import Journal
from actors.tools.agents import spawn_agent

from ..agent.doubles import asks, doing, run_agent, run_llm
from ..waiting import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from somewhere import Unknown  # type: ignore[import-not-found]  # known to type checkers alone


SECRET = "hunter2"  # noqa: S105 - of a test
T = TypeVar("T")


class Database:
    """What a program has."""

    def __init__(self, name: str = "main") -> None:
        self.name = name

    def __repr__(self) -> str:
        return SECRET


class Replica(Database):
    """One that is as good."""


@tool
def lookup(key: str, db: Deps[Database]) -> str:
    """Look up.

    Args:
        key: What.
    """
    return f"{key} in {db.name}"


def asking(name: str = "lookup") -> ScriptedDriver:
    """A model that looks up once."""
    return ScriptedDriver([asks((name, {"key": "k"})), "done"])


def result_of(made: Any, deps: Any, **arguments: Any) -> str:
    """What *made* answers an agent with such *deps*."""

    def call(agent: Agent[Any], _: object) -> str:
        return str(made.execute(arguments, cancel=CancelToken(), agent=agent).content)

    text: str = run_agent(call, deps=deps).unwrap()
    return text


# What the model sees, and what the function gets ----------------------------------------------------------------


def test_the_model_does_not_see_it() -> None:
    """Neither in the schema nor as an argument that it may give."""
    assert lookup.definition.input_schema["properties"].keys() == {"key"}
    refused = lookup.check({"key": "k", "db": "mine"})
    assert refused is not None
    assert "db: unknown argument" in refused.content


def test_a_tool_gets_what_the_agent_was_given() -> None:
    """The object itself."""
    outcome = run_llm(asking(), tools=[lookup], deps=Database("crm"))
    assert outcome.unwrap().messages[2].content == "k in crm"


def test_it_is_still_a_function() -> None:
    """Called as one, it takes what it is given."""
    assert lookup("k", Database("own")) == "k in own"


def test_an_agent_shows_its_deps() -> None:
    """As ``agent.deps``; None without."""
    given = Database()
    assert run_agent(lambda agent, _: agent.deps is given, deps=given).unwrap()
    assert run_agent(lambda agent, _: agent.deps is None).unwrap()


def test_a_default_holds_where_there_are_none() -> None:
    """Then the tool needs nothing."""

    @tool
    def count(db: Deps[Database] = Database("default")) -> str:  # noqa: B008
        return db.name

    assert result_of(count, None) == "default"
    assert result_of(count, Database("given")) == "given"


def test_one_that_takes_none_gets_none() -> None:
    """Where its type says so."""

    @tool
    def count(db: Deps[Database | None]) -> str:
        return "nothing" if db is None else db.name

    assert result_of(count, None) == "nothing"
    assert result_of(count, Database("given")) == "given"


def test_an_async_tool_gets_them() -> None:
    """As any other."""

    @tool
    async def count(db: Deps[Database]) -> str:
        return db.name

    assert result_of(count, Database("given")) == "given"


def test_a_type_that_only_type_checkers_know_is_trusted() -> None:
    """It cannot be looked at."""

    @tool
    def count(db: Deps[Unknown], other: actors.Deps[Unknown]) -> str:
        return str(type(db).__name__)

    assert count.definition.input_schema["properties"] == {}
    assert result_of(count, Database()) == "Database"


def test_deps_inside_another_type_are_refused() -> None:
    """With the way to write it."""
    with pytest.raises(TypeError, match=r"'db': Deps stands outside: write Deps\[Database \| None\]"):

        @tool
        def count(db: Deps[Database] | None = None) -> None: ...


def test_they_cannot_go_to_another_process() -> None:
    """Said where the tool is made."""
    with pytest.raises(TypeError, match="db cannot go to a process of its own"):
        tool(isolation="process")(take_apart)


def take_apart(db: Deps[Database]) -> None:
    """Stands at the top of the module."""


# Types ----------------------------------------------------------------------------------------------------------


@runtime_checkable
class Named(Protocol):
    """Can be asked for."""

    name: str


class Unasked(Protocol):
    """Cannot."""

    colour: str


class Settings(TypedDict):
    """A dict by another name."""

    name: str


UserId = NewType("UserId", int)

FITS = {
    "class": (Database, Database()), "subclass": (Database, Replica()), "any": (Any, 3), "object": (object, 3),
    "union": (Database | int, 3), "typed dict": (Settings, {"name": "a"}), "generic": (dict[str, int], {"a": 1}),
    "protocol": (Named, Database()), "unasked": (Unasked, Database()), "new type": (UserId, 3),
    "int as float": (float, 3), "literal": (Literal["a", "b"], "b"), "variable": (T, 3), "type": (type[int], int),
}  # fmt: skip
MISFITS = {
    "class": (Database, "main", "Database", "str"), "its class": (Database, Database, "Database", "type"),
    "union": (Database | int, "3", r"Database \| int", "str"), "typed dict": (Settings, [1], "Settings", "list"),
    "generic": (dict[str, int], [1], r"dict\[str, int\]", "list"), "protocol": (Named, 3, "Named", "int"),
    "new type": (UserId, "3", "UserId", "str"), "text as float": (float, "3", "float", "str"),
    "literal": (Literal["a"], "b", "Literal", "str"), "false for a": (Literal[0], False, "Literal", "bool"),
}  # fmt: skip


def needing(wanted: Any) -> Any:
    """A tool that needs *wanted*."""

    def need(db: Any) -> str:
        return str(db)

    alias: Any = Deps
    need.__annotations__["db"] = alias[wanted]
    return tool(need)


@pytest.mark.parametrize("name", FITS)
def test_what_fits(name: str) -> None:
    """Looked at from outside, as far as Python can."""
    wanted, deps = FITS[name]
    assert needing(wanted).problem_of_deps(deps) is None


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not(name: str) -> None:
    """Both types are told, the value is not."""
    wanted, deps, first, second = MISFITS[name]
    problem = needing(wanted).problem_of_deps(deps)
    assert re.fullmatch(f"needs deps of type .*{first}.*, and those of the agent are of type {second}", problem)


@pytest.mark.parametrize("wanted", [Any, object, Unasked, Database], ids=str)
def test_who_needs_something_needs_it(wanted: Any) -> None:
    """None is enough only where the type says None."""
    assert "the agent has none" in needing(wanted).problem_of_deps(None)


# Refused at spawn -----------------------------------------------------------------------------------------------


def bot(**grants: Any) -> AgentManifest:
    """Who has tools."""
    return AgentManifest(name="bot", **grants)


SOURCES: dict[str, Callable[[], Any]] = {
    "list": lambda: [lookup],
    "tuple": lambda: (lookup,),
    "registry": lambda: ToolRegistry([lookup]),
    "with approval": lambda: [needs_approval(lookup)],
}


@pytest.mark.parametrize("place", ["pool", "config"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("deps", "problem"), [("main", "of type str"), (None, "has none")], ids=["wrong", "none"])
def test_what_a_tool_cannot_take_is_refused(place: str, source: str, deps: Any, problem: str) -> None:
    """Before anything is admitted."""
    tools = {"tools": SOURCES[source]()}
    config = SpawnConfig(bot(), "q", deps=deps, **(tools if place == "config" else {}))
    with AgentPool(asking(), 1, **(tools if place == "pool" else {})) as pool:
        with pytest.raises(TypeError, match=f"agent bot: its tool lookup needs deps of type Database, .*{problem}"):
            pool.spawn(config)
        assert pool.outstanding_count == 0


DESK = """
from actors import tool, Deps

@tool
def find(n: int, db: Deps[dict[str, int]]) -> int:
    return db["a"] + n
"""


def test_tools_of_a_manifest_are_looked_at(tmp_path: Path) -> None:
    """Where they can be had."""
    (tmp_path / "desk.py").write_text(DESK)
    (tmp_path / "desk.toml").write_text('name = "desk"\ntools = ["desk:find"]\n')
    manifest = AgentManifest.load(tmp_path / "desk.toml")
    driver = ScriptedDriver([asks(("find", {"n": 2})), "done"])
    with AgentPool(driver, 1) as pool:
        with pytest.raises(TypeError, match="find needs deps of type dict"):
            pool.spawn(SpawnConfig(manifest, "q"))
        outcome = pool.spawn(SpawnConfig(manifest, "q", deps={"a": 1})).outcome(BOUND)
    assert outcome.unwrap().messages[2].content == "3"


def test_a_tool_that_is_not_granted_needs_nothing() -> None:
    """The agent cannot call it."""

    @tool(capability=Compute())
    def count(db: Deps[Database]) -> str:
        return db.name

    assert run_llm(ScriptedDriver(["done"]), tools=[count]).unwrap().text == "done"


def test_an_agent_of_ones_own_needs_nothing() -> None:
    """Nor does a function: they need not call any tool. One that does is told then."""
    with AgentPool(None, 2, tools=[lookup]) as pool:
        assert pool.submit(lambda: 3).result(BOUND) == 3
        call: Any = lambda agent, _: agent.tools.get("lookup").execute({"key": "k"}, cancel=None, agent=agent)  # noqa: E731
        assert "needs deps of type Database" in str(pool.spawn(doing(call)).outcome(BOUND).error)


@pytest.mark.parametrize("deps", ["main", None], ids=["wrong", "none"])
def test_tools_that_are_made_later_are_looked_at_in_the_call(deps: Any) -> None:
    """The model is told; the function is not called."""
    config = SpawnConfig(bot(), "q", deps=deps, tools=lambda _: ToolRegistry([lookup]))
    with AgentPool(asking(), 1) as pool:
        result = pool.spawn(config).outcome(BOUND).unwrap().messages[2]
    assert isinstance(result, ToolResultMessage)
    assert result.is_error
    assert result.content.startswith("lookup failed: TypeError: lookup needs deps of type Database")


# Children -------------------------------------------------------------------------------------------------------


def test_a_child_has_those_of_its_parent() -> None:
    """Unless it is given others."""
    mine, other = Database("mine"), Database("other")
    of_agent = lambda agent, _: agent.deps  # noqa: E731

    def parent(agent: Agent[Any], _: object) -> list[Any]:
        given = [doing(of_agent), doing(of_agent, deps=other)]
        return [agent.spawn(each).result(BOUND) for each in given]

    manifest = bot(capabilities=[Spawn(max_depth=2)])
    assert run_agent(parent, deps=mine, manifest=manifest).unwrap() == [mine, other]


def test_a_child_that_a_model_starts_has_them_too() -> None:
    """Its tools get them."""

    def answer(request: Any) -> Any:
        if request.messages[-1].content == "sub":
            return asks(("lookup", {"key": "k"}))
        if len(request.messages) == 1:
            return asks(("spawn_agent", {"task": "sub"}))
        return request.messages[-1].content

    manifest = bot(capabilities=[Spawn(max_depth=2)])
    outcome = run_llm(FunctionDriver(answer), manifest=manifest, tools=[lookup, spawn_agent], deps=Database("crm"))
    assert "k in crm" in outcome.unwrap().text


# Never stored, logged or sent -----------------------------------------------------------------------------------


def texts_of(error: BaseException) -> Iterator[str]:
    """What is told of *error*."""
    yield str(error)
    yield repr(error)


def test_they_are_in_no_text() -> None:
    """Of the config, of its errors, as JSON."""
    config = SpawnConfig(bot(), "q", deps=Database())
    texts = [
        repr(config),
        str(config),
        config.model_dump_json(),
        repr(config.model_dump()),
        repr(config.model_dump(mode="json")),
    ]
    for wrong in ({"query": "q"}, {"manifest": bot(), "query": "q", "bogus": 3}, {"manifest": 3, "query": "q"}):
        with pytest.raises(pydantic.ValidationError) as caught:
            SpawnConfig(**wrong, deps=Database())
        texts += texts_of(caught.value)
        with pytest.raises(pydantic.ValidationError) as caught:
            SpawnConfig.model_validate({**wrong, "deps": Database()})
        texts += texts_of(caught.value)
    assert [text for text in texts if SECRET in text or "Database" in text] == []


def test_a_pickle_has_none() -> None:
    """They belong to the program; a copy in it keeps them."""
    config = SpawnConfig(bot(), "q", deps=lambda: None)
    back = pickle.loads(pickle.dumps(config))
    assert back.deps is None
    assert back == SpawnConfig(bot(), "q")
    assert config.deps is not None
    for other in (copy.copy(config), config.model_copy(), config.model_copy(update={"query": "p"})):
        assert other.deps is config.deps


def test_nothing_that_an_agent_leaves_behind_has_them(tmp_path: Path) -> None:
    """No event, outcome, journal, request or log; and a journal knows the agent again with others."""
    seen: list[str] = []
    driver = asking()
    path = tmp_path / "run.journal"
    journal = Journal(path)
    told = lambda event: seen.append(repr(event))  # noqa: E731
    with journal, AgentPool(driver, 1, journal=journal, tools=[lookup], on_event=told) as pool:
        outcome = pool.spawn(SpawnConfig(bot(), "q", deps=Database("one"))).outcome(BOUND)
        seen += [repr(pool.dump()), repr(outcome), outcome.model_dump_json()]
    seen += [repr(request) for request in driver.requests]
    assert outcome.status is AgentStatus.COMPLETED
    assert [text for text in seen if SECRET in text or "Database" in text] == []
    assert SECRET.encode() not in path.read_bytes()
    with Journal(path) as journal, AgentPool(ScriptedDriver([]), 1, journal=journal, tools=[lookup]) as pool:
        again = pool.spawn(SpawnConfig(bot(), "q", deps=Replica("two"))).outcome(BOUND)
    assert again.unwrap().text == "done"


@dataclass
class Hostile:
    """Raises at whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise RuntimeError(SECRET)


def test_deps_that_raise_are_handed_on() -> None:
    """Nobody but the tool touches them."""

    @tool
    def touch(db: Deps[Any]) -> str:
        return type(db).__name__

    driver = ScriptedDriver([asks(("touch", {})), "done"])
    outcome = run_llm(driver, tools=[touch], deps=Hostile())
    assert outcome.unwrap().messages[2].content == "Hostile"


def test_a_subclass_of_the_llm_agent_is_looked_at() -> None:
    """It is one."""

    class Terse(LlmAgent[Any]):
        pass

    with AgentPool(asking(), 1) as pool, pytest.raises(TypeError, match="needs deps"):
        pool.spawn(SpawnConfig(bot(), "q", agent=Terse, tools=[lookup]))
