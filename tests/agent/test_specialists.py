"""Agents that a manifest names, each a tool of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    Backoff,
    CompletionResponse,
    FileRead,
    FunctionDriver,
    JournalFailed,
    ManifestError,
    PrivacyTier,
    RestartPolicy,
    Shell,
    Spawn,
    SpawnConfig,
    ToolRegistry,
    tool,
)
from actors.tools.agents import spawn_agent

from ..waiting import BOUND, Gate
from .doubles import Probe, asks, results_of, run_llm
from .ledgers import Desk
from .staff import USAGE, Staff, member

if TYPE_CHECKING:
    from pathlib import Path

    from actors import AgentOutcome

ASK = asks(("agent_expert", {"query": "why?"}), usage=USAGE)
EXPERT = member("expert", description="Knows why.")


def planner(*agents: dict[str, Any], **fields: Any) -> AgentManifest:
    """A manifest that names agents."""
    return member("planner", agents=agents or [{"name": "expert", "manifest": EXPERT}], **fields)


def answer(staff: Staff, first: AgentManifest, **fields: Any) -> AgentOutcome[Any]:
    """The outcome of one planner."""
    return run_llm(staff.driver, manifest=first, **fields)


def test_it_is_a_tool_of_its_own() -> None:
    """It gets the query alone; what it spends is below its caller."""
    staff = Staff(planner=[ASK, "because"], expert=["it is so"])
    outcome = answer(staff, planner())
    assert outcome.unwrap().text == "because"
    assert [result.content for result in results_of(outcome)] == ["it is so"]
    assert staff.speakers == ["planner", "expert", "planner"]
    assert [message.content for message in staff.requests[1].messages] == ["why?"]
    (told,) = staff.requests[0].tools
    assert told.name == "agent_expert"
    assert "Knows why." in told.description
    assert told.input_schema["required"] == ["query"]
    assert (outcome.usage, outcome.usage_total) == (USAGE + USAGE, USAGE + USAGE + USAGE)


class Verdict(BaseModel):
    """What an expert answers."""

    label: str
    score: float


def test_its_output_is_the_result() -> None:
    """As JSON, for the model."""
    expert = member("expert", output="tests.agent.test_specialists:Verdict")
    staff = Staff(planner=[ASK, "done"], expert=['{"score": 0.5, "label": "good"}'])
    outcome = answer(staff, planner({"name": "expert", "manifest": expert}))
    assert results_of(outcome)[0].content == '{"label":"good","score":0.5}'


class Counter(Agent[dict[str, int]]):
    """An agent of one's own."""

    def run(self, query: Any) -> dict[str, int]:
        return {"characters": len(query)}


def test_it_may_be_an_agent_of_ones_own() -> None:
    """Without a model."""
    expert = member("expert", agent="tests.agent.test_specialists:Counter")
    outcome = answer(Staff(planner=[ASK, "done"]), planner({"name": "expert", "manifest": expert}))
    assert results_of(outcome)[0].content == '{"characters":4}'


@pytest.mark.parametrize(
    "given", [{}, {"query": ""}, {"query": "  "}, {"query": 5}, {"query": "q", "more": 1}], ids=lambda given: str(given)
)
def test_arguments_that_do_not_fit(given: dict[str, Any]) -> None:
    """They are an error for the model, and nobody is started."""
    staff = Staff(planner=[asks(("agent_expert", given)), "done"], expert=["never"])
    (result,) = results_of(answer(staff, planner()))
    assert result.is_error
    assert "agent_expert takes a query" in result.content
    assert "expert" not in staff.speakers


def test_its_failure_is_an_error_for_the_model() -> None:
    """The caller goes on."""
    few = member("expert", resources={"max_iterations": 1})
    staff = Staff(planner=[ASK, "done"], expert=[asks(("nothing", {}))])
    outcome = answer(staff, planner({"name": "expert", "manifest": few}))
    assert outcome.ok
    (result,) = results_of(outcome)
    assert result.is_error
    assert "IterationsExceeded" in result.content or "max_iterations" in result.content


def test_several_at_the_same_time() -> None:
    """Each in a place of its own."""
    gate = Gate()

    def said(request: Any) -> Any:
        if request.system.startswith("I am planner") and len(request.messages) == 1:
            return asks(*(("agent_expert", {"query": f"q{n}"}) for n in range(3)))
        if request.system.startswith("I am expert"):
            gate.arrive()
        return CompletionResponse(request.messages[-1].content)

    with AgentPool(FunctionDriver(said), 4) as pool:
        handle = pool.spawn(SpawnConfig(planner(), "q"))
        for _ in range(3):
            gate.next()
        gate.open()
        outcome = handle.outcome(BOUND)
    assert [result.content for result in results_of(outcome)] == ["q0", "q1", "q2"]


def test_it_is_cancelled_with_its_caller() -> None:
    """And has ended before the caller's outcome is there."""
    gate, ended = Gate(), list[str]()

    class Slow(Agent[str]):
        def run(self, query: Any) -> str:
            gate.note()
            self.receive()
            return str(query)

        def on_end(self, outcome: Any) -> None:
            ended.append(str(outcome.status))

    Holder.kind = Slow
    expert = member("expert", agent="tests.agent.test_specialists:Holder.kind")
    with AgentPool(Staff(planner=[ASK, "never"]).driver) as pool:
        handle = pool.spawn(SpawnConfig(planner({"name": "expert", "manifest": expert}), "q"))
        gate.await_reached()
        handle.cancel("enough")
        outcome = handle.outcome(BOUND)
    assert outcome.status is AgentStatus.CANCELLED
    assert ended == ["cancelled"]


class Holder:
    """Where a manifest finds a class that a test made."""

    kind: Any = None


def test_it_needs_approval_by_its_name() -> None:
    """As any tool."""
    careful = planner(approval={"tools": ["agent_*"], "timeout": 0.0})
    (result,) = results_of(answer(Staff(planner=[ASK, "done"], expert=["never"]), careful))
    assert "nobody approved it" in result.content


# Files ----------------------------------------------------------------------------------------------------------


def test_files_name_one_another(tmp_path: Path) -> None:
    """Each from its own folder; what cannot be read is refused at spawn, with its place."""
    (tmp_path / "planner.toml").write_text(
        'name = "planner"\nprivacy = "standard"\n[model]\nsystem_prompt = "I am planner."\n'
        '[[agents]]\nname = "expert"\nmanifest = "experts/expert.toml"\n'
    )
    first = AgentManifest.load(tmp_path / "planner.toml")
    staff = Staff(planner=[ASK, "done"], expert=["it is so"])
    with AgentPool(staff.driver) as pool, pytest.raises(ManifestError, match=r"agents\.0\.manifest: .*expert\.toml"):
        pool.spawn(SpawnConfig(first, "q"))
    (tmp_path / "experts").mkdir()
    (tmp_path / "experts" / "expert.toml").write_text(
        'name = "expert"\nprivacy = "standard"\n[model]\nsystem_prompt = "I am expert."\n'
    )
    assert results_of(answer(staff, first))[0].content == "it is so"


def test_a_circle_of_files_ends(tmp_path: Path) -> None:
    """With an error for the model of the deepest one."""
    (tmp_path / "expert.toml").write_text(
        'name = "expert"\nprivacy = "standard"\n[model]\nsystem_prompt = "I am expert."\n'
        '[[agents]]\nname = "expert"\nmanifest = "expert.toml"\n'
    )
    levels: list[int] = []

    def said(request: Any) -> Any:
        return ASK if len(request.messages) == 1 else f"because {request.messages[-1].content}"

    with AgentPool(FunctionDriver(said), 10, on_event=lambda event: levels.append(event.depth)) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest.load(tmp_path / "expert.toml"), "q")).outcome(BOUND)
    assert outcome.ok
    assert max(levels) == 5
    assert "depth limit 5 reached" in outcome.unwrap().text


@pytest.mark.parametrize(("depth", "started"), [(0, False), (1, True)])
def test_a_grant_bounds_the_depth(depth: int, *, started: bool) -> None:
    """Where the caller has one."""
    staff = Staff(planner=[ASK, "done"], expert=["it is so"])
    (result,) = results_of(answer(staff, planner(capabilities=[Spawn(max_depth=depth)])))
    assert result.is_error is not started


# Grants ---------------------------------------------------------------------------------------------------------


@tool(capability=Shell())
def run_it(*, agent: Agent[Any]) -> str:
    """Run something."""
    return f"{agent.manifest.name} ran it, {agent.manifest.privacy}"


RUNS = asks(("run_it", {}))
HAND = member("expert", capabilities=[Shell()])


@pytest.mark.parametrize("own", [True, False])
def test_grants_that_its_caller_has_not(*, own: bool) -> None:
    """Only where the manifest says so; limits and privacy are those of a child all the same."""
    first = planner({"name": "expert", "manifest": HAND, "own_grants": own}, capabilities=[])
    staff = Staff(planner=[ASK, RUNS, "done"], expert=[RUNS, "tried"])
    outcome = answer(staff, first, tools=ToolRegistry([run_it]))
    assert ("run_it" in staff.tools(1)) is own
    assert results_of(outcome)[1].is_error  # its caller has gained nothing
    assert "capability denied" in results_of(outcome)[1].content


def test_strictness_is_not_lifted_by_own_grants() -> None:
    """Privacy and approvals of the caller hold."""
    first = planner(
        {"name": "expert", "manifest": HAND, "own_grants": True},
        capabilities=[],
        privacy="sovereign",
        approval={"tools": ["run_it"], "timeout": 0.0},
    )
    staff = Staff(planner=[ASK, "done"], expert=[RUNS, "tried"])
    answer(staff, first, tools=ToolRegistry([run_it]))
    last = staff.requests[2].messages[-1]
    assert "nobody approved it" in last.content


def test_no_child_grants_itself_more() -> None:
    """A manifest that a parent starts has no own_grants for anybody, unless the parent has the same entry."""
    widening = member("child", agents=[{"name": "expert", "manifest": HAND, "own_grants": True}], capabilities=[])
    staff = Staff(child=[ASK, "done"], expert=[RUNS, "tried"])

    class Parent(Agent[Any]):
        def run(self, query: Any) -> Any:
            return self.spawn(SpawnConfig(widening, query)).outcome(BOUND).unwrap()

    poor = AgentManifest(name="parent", capabilities=[], privacy="standard")
    with AgentPool(staff.driver, tools=ToolRegistry([run_it])) as pool:
        assert pool.spawn(SpawnConfig(poor, "q", agent=Parent)).outcome(BOUND).ok
    assert "run_it" not in staff.tools(1)


def test_kin_may_ask_the_same_specialists() -> None:
    """A copy of the planner that its model made has what the planner has, and no more."""
    first = planner({"name": "expert", "manifest": HAND, "own_grants": True}, capabilities=[Spawn(max_depth=2)])
    kin = asks(("spawn_agent", {"task": "ask the expert", "instructions": "I am kin."}))
    staff = Staff(planner=[kin, "done"], kin=[ASK, "asked"], expert=[RUNS, "ran"])
    outcome = answer(staff, first, tools=ToolRegistry([run_it, spawn_agent]))
    assert outcome.ok
    assert staff.speakers[:3] == ["planner", "kin", "expert"]
    assert "run_it" not in staff.tools(1)
    assert "run_it" in staff.tools(2)


def test_an_entry_of_another_folder_is_another_one(tmp_path: Path) -> None:
    """Its path names another file."""
    entry: Any = {"name": "expert", "manifest": "expert.toml", "own_grants": True}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.toml").write_text(
            '[[agents]]\nname = "expert"\nmanifest = "expert.toml"\nown_grants = true\n'
        )
    one, other = (AgentManifest.load(tmp_path / folder / "m.toml") for folder in ("a", "b"))
    assert [agent.own_grants for agent in one.narrowed(one).agents] == [True]
    assert [agent.own_grants for agent in one.narrowed(other).agents] == [False]
    assert [agent.own_grants for agent in one.handed_on(other).agents] == [False]
    assert [agent.own_grants for agent in one.narrowed(other, own_grants=True).agents] == [True]
    assert AgentManifest(agents=[entry]).narrowed(one).agents[0].own_grants is False


def test_grants_of_its_own_within_the_tier_of_its_driver() -> None:
    """Privacy is that of a child, which its driver has to keep."""
    assert HAND.narrowed(AgentManifest(), own_grants=True).privacy is PrivacyTier.SOVEREIGN
    assert HAND.narrowed(AgentManifest(), own_grants=True).capabilities == (Shell(),)
    assert HAND.narrowed(AgentManifest(capabilities=[FileRead()])).capabilities == ()


# Lives ----------------------------------------------------------------------------------------------------------


def test_a_restart_asks_it_once() -> None:
    """What it answered is known."""
    staff = Staff(planner=[ASK, RuntimeError("once"), "done"], expert=["it is so"])
    with AgentPool(staff.driver, restart=RestartPolicy(max_restarts=3, backoff=Backoff(base=0, jitter=0))) as pool:
        outcome = pool.spawn(SpawnConfig(planner(), "q")).outcome(BOUND)
    assert (outcome.unwrap().text, outcome.restarts) == ("done", 1)
    assert staff.speakers == ["planner", "expert", "planner", "planner"]


@pytest.mark.parametrize("room", range(7))
def test_a_process_that_dies_asks_it_once(room: int) -> None:
    """What it answered, or has bought, is known to the next one."""
    staff, desk = Staff(planner=[ASK], expert=["it is so"]), Desk()
    model = FunctionDriver(lambda request: staff(request) if len(request.messages) == 1 else "done")
    config = SpawnConfig(planner(), "q")
    with desk.process(model) as pool:
        desk.papers["planner"].room = room
        first = pool.spawn(config).outcome(BOUND)
    desk.papers["planner"].room = None
    assert first.ok or isinstance(first.error, JournalFailed)
    with desk.process(model) as pool:
        assert pool.spawn(config).outcome(BOUND).unwrap().text == "done"
    assert staff.speakers.count("expert") <= 1


def test_they_are_told_apart_by_name() -> None:
    """Two of one name are refused."""
    two = [{"name": "expert", "manifest": EXPERT}] * 2
    with pytest.raises(ManifestError, match="another agent is named"):
        planner(*two)


def test_a_tool_of_the_same_name_gives_way() -> None:
    """As to any tool that the manifest names."""
    probe = Probe(name="agent_expert")
    staff = Staff(planner=[ASK, "done"], expert=["it is so"])
    assert results_of(answer(staff, planner(), tools=[probe]))[0].content == "it is so"
    assert not probe.calls
