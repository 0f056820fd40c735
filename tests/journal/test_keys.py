"""Keys: what names an agent over all processes, and what tells that it is another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    Backoff,
    CapacityError,
    CompletionResponse,
    Journal,
    JournalChanged,
    ModelConfig,
    RestartPolicy,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    StopReason,
    TokenUsage,
    UserMessage,
)

from .programs import MANIFEST, Counting, World, entries, run, states

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARENT = AgentManifest(name="parent", capabilities=(Spawn(max_depth=2),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def keys(path: Path) -> list[str]:
    return sorted({key for key, *_ in entries(path)})


# Derived keys ---------------------------------------------------------------------------------------------------


def test_a_key_is_made_of_what_the_agent_is_and_has_to_do(path: Path) -> None:
    """The name of its manifest and a digest; the same in any order, and in any process."""
    world = World()
    first = run(path, [world.config("a"), world.config("b")])
    again = run(path, [world.config("b"), world.config("c"), world.config("a")])
    assert [outcome.key for outcome in again][::2] == [first[1].key, first[0].key]
    assert [outcome.recalled for outcome in again] == [True, False, True]
    assert all(str(outcome.key).startswith("clerk/") for outcome in again)
    assert world.runs == {"a": 1, "b": 1, "c": 1}


def test_agents_alike_have_keys_of_their_own(path: Path) -> None:
    """Each of them ends once."""
    world = World()
    for _ in range(2):
        outcomes = run(path, [world.config("a") for _ in range(3)])
    stem = outcomes[0].key
    assert [outcome.key for outcome in outcomes] == [stem, f"{stem}~2", f"{stem}~3"]
    assert [outcome.recalled for outcome in outcomes] == [True, True, True]
    assert world.runs["a"] == 3


def test_many_agents_alike_take_no_longer_each(path: Path) -> None:
    """The search for a free key goes on where it ended."""
    from actors.journal.claims import Claim, Claims

    claims = Claims()
    taken = [claims.take_first("a/1", Claim("", 0)) for _ in range(30_000)]
    assert taken[-1] == "a/1~30000"
    claims.give_back("a/1~2", None)
    claims.give_back("a/1", None)
    assert [claims.take_first("a/1", Claim("", 0)) for _ in range(3)] == ["a/1", "a/1~2", "a/1~30001"]


@pytest.mark.parametrize(
    "other",
    [
        {"manifest": MANIFEST.model_copy(update={"model": ModelConfig(system_prompt="else")})},
        {"messages": (UserMessage("before"),)},
        {"agent": type("Other", (Counting,), {})},
    ],
    ids=["manifest", "messages", "class"],
)
def test_another_agent_has_another_key(path: Path, other: dict[str, Any]) -> None:
    """Whatever of it differs."""
    world = World()
    run(path, [world.config("a")])
    (outcome,) = run(path, [world.config("a", **other)])
    assert not outcome.recalled
    assert len(keys(path)) == 2


@pytest.mark.parametrize(
    "change", [{"timeout": 50.0}, {"tag": "t"}, {"priority": 3}, {"group": "g"}, {"keep_messages": False}]
)
def test_how_an_agent_is_run_does_not_count(path: Path, change: dict[str, Any]) -> None:
    """It is the same agent."""
    world = World()
    run(path, [world.config("a")])
    assert run(path, [world.config("a", **change)])[0].recalled


UNHELD: list[Any] = [object(), {1, 2}, b"x", float("nan"), {1: "a"}, [float("inf")], lambda: 0]


@pytest.mark.parametrize("query", UNHELD, ids=lambda value: type(value).__name__)
def test_a_query_that_json_cannot_hold_needs_a_key(path: Path, query: Any) -> None:
    """It is refused at once, and says so; with a key, its type is what counts."""
    with AgentPool(journal=path) as pool:
        with pytest.raises(ValueError, match="name a key"):
            pool.spawn(SpawnConfig(MANIFEST, query, agent=Counting))
        assert pool.spawn(SpawnConfig(MANIFEST, query, agent=Counting, key="k")).outcome(10).key == "k"
        with pytest.raises(ValueError, match="'k'"):
            pool.spawn(SpawnConfig(MANIFEST, query, agent=Counting, key="k"))
    assert keys(path) == ["k"]


@pytest.mark.parametrize("query", [("a", [1, 2.5, None, True]), "half \ud83d", {"b": 1, "a": {"c": ()}}, 0, None])
def test_a_query_that_json_can_hold_needs_none(path: Path, query: Any) -> None:
    """Tuples are arrays there, and half of a surrogate pair is written as an escape."""
    runs = [run(path, [SpawnConfig(MANIFEST, query, agent=Counting, key=None)])[0].key for _ in range(2)]
    assert runs[0] == runs[1]


# Given keys -----------------------------------------------------------------------------------------------------


def test_a_key_names_one_agent(path: Path) -> None:
    """Of a journal, for as long as it is open: also after the other one has ended."""
    world = World()
    with Journal(path) as journal, AgentPool(journal=journal) as one, AgentPool(journal=journal) as other:
        one.spawn(world.config("a", key="k")).outcome(10)
        for pool in (one, other):
            with pytest.raises(ValueError, match="'k'"):
                pool.spawn(world.config("a", key="k"))
    assert run(path, [world.config("a", key="k")])[0].recalled


def test_two_pools_may_share_a_journal(path: Path) -> None:
    """Their agents are told apart by their keys alone; who has opened it closes it."""
    world = World()
    for _ in range(2):
        with Journal(path) as journal:
            with AgentPool(journal=journal) as one, AgentPool(journal=journal) as other:
                handles = [pool.spawn(world.config(query)) for pool in (one, other) for query in "ab"]
                outcomes = [handle.outcome(10) for handle in handles]
            assert run(journal, [world.config("late")])[0].status == "completed"
    assert [outcome.recalled for outcome in outcomes] == [True] * 4
    assert world.runs == {"a": 2, "b": 2, "late": 1}
    assert len(keys(path)) == 5


def test_who_is_refused_has_no_key(path: Path, gate: Any) -> None:
    """It is as if it never was: the next one alike gets the key that it would have had."""
    world = World(hold=lambda _: gate.hold())
    with AgentPool(journal=path, max_concurrent=1) as pool:
        pool.spawn(world.config("hold"))
        for _ in range(2):
            with pytest.raises(CapacityError):
                pool.fan_out([world.config("a"), world.config("a"), world.config("b", key="k")])
        gate.open()
        pool.join_all(10)
        first = pool.spawn(world.config("a")).outcome(10)
        assert pool.spawn(world.config("b", key="k")).outcome(10).ok
    assert states(path, f"{first.key}~2") == ["admitted", "refused"] * 2
    second, third = run(path, [world.config("a"), world.config("a")])
    assert (second.key, third.key) == (first.key, f"{first.key}~2")
    assert (second.recalled, third.recalled) == (True, False)


def test_a_fan_out_with_one_that_was_changed_starts_nobody(path: Path) -> None:
    """All of them, or none; and none of them has a key then."""
    world = World()
    run(path, [world.config("a", key="k")])
    with AgentPool(journal=path, max_concurrent=4) as pool:
        with pytest.raises(JournalChanged):
            pool.fan_out([world.config("new", key="n"), world.config("b", key="k")])
        assert pool.stats().started == 0
        assert pool.spawn(world.config("new", key="n")).outcome(10).ok
        assert pool.spawn(world.config("a", key="k")).outcome(10).recalled


def test_a_map_that_is_closed_early_goes_on_the_next_time(path: Path) -> None:
    """What it had not yielded is run, if it was not done; nothing is done twice."""
    world = World()

    def source() -> Iterator[SpawnConfig[Any]]:
        return (world.config(number, key=f"k{number}") for number in range(100))

    with AgentPool(journal=path, max_concurrent=2) as pool:
        for outcome in pool.map(source()):
            if outcome.query == 10:
                break
        pool.drain(10)
    outcomes = run(path, source())
    assert [outcome.result for outcome in outcomes] == list(range(100))
    assert sum(outcome.recalled for outcome in outcomes) >= 11
    assert set(world.runs.values()) == {1}


# What was recorded is another one -------------------------------------------------------------------------------

CHANGES = [
    ({"query": "b"}, "query"),
    ({"manifest": MANIFEST.model_copy(update={"model": ModelConfig(temperature=0.5)})}, "manifest model"),
    ({"manifest": MANIFEST.model_copy(update={"description": "else"})}, "manifest description"),
    ({"manifest": AgentManifest(name="other")}, "manifest name"),
    ({"messages": (UserMessage("x"), UserMessage("new"))}, "message 2"),
    ({"messages": ()}, "message 1"),
    ({"agent": type("Other", (Counting,), {})}, "agent"),
]


@pytest.mark.parametrize(("change", "what"), CHANGES, ids=[what for _, what in CHANGES])
def test_what_was_changed_is_told_before_anything_is_begun(path: Path, change: dict[str, Any], what: str) -> None:
    """Which part it is, and what to do."""
    world = World()
    fields = {"query": "a", "messages": (UserMessage("x"),), "key": "k"}
    run(path, [world.config(**fields)])
    before = entries(path)
    with AgentPool(journal=path) as pool, pytest.raises(JournalChanged, match="rerun") as caught:
        pool.spawn(world.config(**{**fields, **change}))
    assert (caught.value.key, caught.value.path, caught.value.what) == ("k", "", what)
    assert f"{what} differs" in str(caught.value)
    assert world.runs == {"a": 1}
    assert entries(path) == before


def test_an_output_that_was_changed_is_told(path: Path) -> None:
    """By its schema."""
    configs = [SpawnConfig(MANIFEST, "q", output_type=kind, key="k") for kind in (int, str)]
    run(path, [configs[0]], driver=ScriptedDriver.text("1"))
    with AgentPool(ScriptedDriver([]), journal=path) as pool, pytest.raises(JournalChanged) as caught:
        pool.spawn(configs[1])
    assert caught.value.what == "output"


def test_a_rerun_sets_aside_what_was_recorded(path: Path) -> None:
    """When it begins, and not before; the file keeps what was."""
    world = World()
    run(path, [world.config("a", key="k")])
    with Journal(path, on_change="rerun") as journal:
        with AgentPool(journal=journal, max_concurrent=1) as pool:
            outcome = pool.spawn(world.config("b", key="k")).outcome(10)
        assert (outcome.result, outcome.recalled) == ("b", False)
    assert states(path, "k") == ["admitted", "begun", "ended", "aside", "admitted", "begun", "ended"]
    assert [data for *_, state, data in entries(path) if state == "aside"] == [{"v": 1, "from": "", "what": "query"}]
    assert run(path, [world.config("b", key="k")])[0].recalled
    assert world.runs == {"a": 1, "b": 1}


@pytest.mark.parametrize("answer", ["a", ValueError("no")])
def test_a_rerun_that_never_began_sets_nothing_aside(path: Path, gates: Any, answer: Any) -> None:
    """It was refused, or cancelled in the queue."""
    gate, other = gates(), gates()
    world = World(hold=lambda _: gate.hold(), a=answer)
    run(path, [world.config("a", key="k")])
    with Journal(path, on_change="rerun") as journal, AgentPool(journal=journal, max_concurrent=1) as pool:
        pool.spawn(world.config("hold"))
        with pytest.raises(CapacityError):
            pool.spawn(world.config("b", key="k"))
        gate.open()
    with (
        Journal(path, on_change="rerun") as journal,
        AgentPool(journal=journal, max_concurrent=1, max_queued=1) as pool,
    ):
        world.answers["wait"] = lambda _: other.hold()
        pool.spawn(world.config("wait"))
        other.await_reached()
        queued = pool.spawn(world.config("b", key="k"))
        queued.cancel()
        assert queued.outcome(10).status == "cancelled"
        other.open()
    assert states(path, "k") == ["admitted", "begun", "ended"]
    assert run(path, [world.config("a", key="k")])[0].recalled is (answer == "a")


# Children -------------------------------------------------------------------------------------------------------


class Family(Agent[Any]):
    """Starts its query's children, and returns what they are."""

    def __init__(self, world: World) -> None:
        self.world = world

    def run(self, query: Any) -> Any:
        self.world.runs["parent"] += 1
        handles = [self.spawn(self.world.config(name)) for name in query]
        outcomes = [handle.outcome() for handle in handles]
        if self.world.answers.get("fail after children"):
            self.world.answers["fail after children"] -= 1
            raise ValueError("after the children")
        return [[outcome.key, outcome.result, outcome.recalled] for outcome in outcomes]


def family(world: World, query: list[str], **fields: Any) -> SpawnConfig[Any]:
    return SpawnConfig(PARENT, query, agent=Family, kwargs={"world": world}, key="p", **fields)


def test_children_have_keys_of_their_place(path: Path) -> None:
    """Their parent's key and a count: what they are, and when they end, has no part in it."""
    world = World()
    (outcome,) = run(path, [family(world, ["x", "y", "x"])])
    assert [key for key, _, _ in outcome.result] == ["p/#1", "p/#2", "p/#3"]
    parents = {key: data["parent"] for key, _, state, data in entries(path) if state == "admitted"}
    assert parents == {"p": None, "p/#1": "p", "p/#2": "p", "p/#3": "p"}


def test_children_come_back_when_their_parent_is_run_again(path: Path) -> None:
    """Those that had completed."""
    world = World(**{"fail after children": 1})
    assert run(path, [family(world, ["x", "y"])])[0].status == "crashed"
    (outcome,) = run(path, [family(world, ["x", "y"])])
    assert outcome.result == [["p/#1", "x", True], ["p/#2", "y", True]]
    assert world.runs == {"parent": 2, "x": 1, "y": 1}


@pytest.mark.parametrize("key", [None, "child"])
def test_children_come_back_when_their_parent_is_started_again(path: Path, key: str | None) -> None:
    """In the same process: they have the keys that they had, given or made."""
    world = World(**{"fail after children": 2})

    class Named(Family):
        def run(self, query: Any) -> Any:
            self.world.runs["parent"] += 1
            outcome = self.spawn(self.world.config("x", key=key)).outcome()
            if self.world.answers["fail after children"]:
                self.world.answers["fail after children"] -= 1
                raise ValueError
            if key is not None:
                with pytest.raises(ValueError, match="'child'"):
                    self.spawn(self.world.config("x", key=key))
            return [outcome.key, outcome.recalled]

    config = SpawnConfig(PARENT, "q", agent=Named, kwargs={"world": world}, key="p")
    restart = RestartPolicy(max_restarts=3, backoff=Backoff(base=0))
    (outcome,) = run(path, [config], restart=restart)
    assert outcome.result == [key or "p/#1", True]
    assert world.runs == {"parent": 3, "x": 1}


def test_grandchildren_too(path: Path) -> None:
    """However deep."""
    world = World(**{"fail after children": 1})

    class Middle(Family):
        def run(self, query: Any) -> Any:
            return self.spawn(self.world.config("leaf")).outcome().key

    class Top(Family):
        def run(self, query: Any) -> Any:
            config = SpawnConfig(PARENT, "m", agent=Middle, kwargs={"world": self.world})
            outcome = self.spawn(config).outcome()
            if self.world.answers["fail after children"]:
                self.world.answers["fail after children"] -= 1
                raise ValueError
            return [outcome.result, outcome.recalled]

    config = SpawnConfig(PARENT, "t", agent=Top, kwargs={"world": world}, key="p")
    (outcome,) = run(path, [config], restart=RestartPolicy(max_restarts=1, backoff=Backoff(base=0)))
    assert outcome.result == ["p/#1/#1", True]
    assert world.runs == {"leaf": 1}


def test_a_long_key_has_children_too(path: Path) -> None:
    """Theirs is a digest then: no key is longer than 500 characters."""
    world = World()
    with AgentPool(journal=path) as pool:
        config = SpawnConfig(PARENT, ["x"], agent=Family, kwargs={"world": world}, key="p" * 500)
        ((key, _, _),) = pool.spawn(config).outcome(10).result
    assert len(key) <= 500
    assert states(path, key) == ["admitted", "begun", "ended"]


def test_what_a_recalled_child_cost_counts_once_for_its_parent(path: Path) -> None:
    """A parent that is started again has the totals of one that was not."""

    class Asking(Agent[Any]):
        crashes = 1

        def run(self, query: Any) -> Any:
            total = self.spawn(SpawnConfig(MANIFEST, "child")).outcome().usage.total
            if type(self).crashes:
                type(self).crashes -= 1
                raise ValueError
            return total

    config = SpawnConfig(PARENT, "q", agent=Asking)
    driver = ScriptedDriver([CompletionResponse("hello", StopReason.END_TURN, usage=TokenUsage(10, 2))])
    with AgentPool(driver, journal=path, restart=RestartPolicy(max_restarts=1, backoff=Backoff(base=0))) as pool:
        outcome = pool.spawn(config).outcome(10)
        assert outcome.usage_total.total == outcome.result > 0
        assert pool.stats().usage.total == outcome.result
