"""A conversation goes on under another manifest, in the same agent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    ApprovalRequested,
    Backoff,
    Budget,
    CapabilityDenied,
    FileRead,
    FunctionDriver,
    HandedOff,
    Handoff,
    HandoffsExceeded,
    InMemorySubstrate,
    Journal,
    JournalFailed,
    LlmAgent,
    ManifestError,
    PrivacyTier,
    RestartPolicy,
    Shell,
    Spawn,
    SpawnConfig,
    TokensExceeded,
    ToolCall,
    ToolRegistry,
    UserMessage,
    tool,
)
from actors.manifests import ModelSettings
from actors.ports import AssistantMessage, CompletionResponse, StopReason, TokenUsage, ToolResultMessage
from actors.tools.agents import spawn_agent

from ..waiting import BOUND
from .doubles import Probe, asks, results_of, run_llm
from .ledgers import Desk
from .staff import USAGE, Staff, member

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors import AgentOutcome, CompletionRequest, Message

AT_ONCE = RestartPolicy(max_restarts=100, backoff=Backoff(base=0, jitter=0))
TO_BILLING = asks(("transfer_to_billing", {"reason": "money"}), usage=USAGE)
TRIAGE, BILLING = member("triage"), member("billing", description="Invoices.")


class Far(FunctionDriver):
    """One that sends what it is asked to anybody's server."""

    privacy_tier = PrivacyTier.STANDARD


def talk(staff: Staff, first: AgentManifest = TRIAGE, **fields: Any) -> AgentOutcome[Any]:
    """The outcome of one conversation."""
    return run_llm(staff.driver, manifest=first, **fields)


def written(folder: Path, name: str, *handoffs: str, more: str = "") -> str:
    """A manifest in a file, which hands off to the files of those names."""
    text = f'name = "{name}"\nprivacy = "standard"\n{more}\n[model]\nsystem_prompt = "I am {name}."\n'
    for other in handoffs:
        text += f'[[handoffs]]\nname = "{other}"\nmanifest = "{other}.toml"\n'
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


def test_another_manifest_goes_on() -> None:
    """Same agent, same conversation; an event tells, and the outcome says who answered."""
    staff, told = Staff(triage=[TO_BILLING], billing=["paid"]), list[Any]()
    outcome = talk(staff, handoffs=[Handoff(BILLING)], on_event=told.append)
    assert (outcome.unwrap().text, outcome.name, outcome.answered_by) == ("paid", "triage", "billing")
    assert staff.speakers == ["triage", "billing"]
    assert staff.tools(0) == ["transfer_to_billing"]
    assert staff.tools(1) == []
    (handed,) = [event for event in told if isinstance(event, HandedOff)]
    assert (handed.source, handed.target, handed.count, handed.agent_id) == ("triage", "billing", 1, outcome.agent_id)
    query, call, result, answer = outcome.messages
    assert staff.requests[1].messages == (query, call, result)
    assert isinstance(call, AssistantMessage)
    assert isinstance(result, ToolResultMessage)
    assert (result.tool_call_id, result.is_error) == ("c1", False)
    assert "billing goes on" in result.content
    assert answer.content == "paid"
    assert (outcome.iterations, outcome.tool_calls, outcome.usage) == (2, 1, USAGE + USAGE)


def test_an_outcome_says_who_answered_in_json_and_in_rows() -> None:
    """Also without a handoff; of an agent without a conversation it says nothing."""
    alone = talk(Staff(triage=["hello"]))
    assert alone.answered_by == "triage"
    assert alone.to_row()["answered_by"] == "triage"
    assert type(alone).model_validate_json(alone.model_dump_json()).answered_by == "triage"
    with AgentPool() as pool:
        assert pool.submit(len, "ab").outcome(BOUND).answered_by is None


def test_a_tool_is_told_what_it_is_for() -> None:
    """By the handoff, else by the manifest; a name that no provider takes is made one."""
    named = Handoff(BILLING, name="money", description="All about money.")
    odd = Handoff(member("Büro für Fragen / 3"))
    staff = Staff(triage=["hello"])
    talk(staff, handoffs=[named, Handoff(BILLING), odd])
    assert staff.tools(0) == ["transfer_to_money", "transfer_to_billing", "transfer_to_B_ro_f_r_Fragen_3"]
    said = [each.description for each in staff.requests[0].tools]
    assert "All about money." in said[0]
    assert "Invoices." in said[1]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"manifest": "billing.toml"}, TypeError),
        ({"manifest": BILLING, "name": "no name"}, ValueError),
        ({"manifest": BILLING, "name": ""}, ValueError),
        ({"manifest": BILLING, "filter": [1]}, TypeError),
    ],
    ids=["path", "spaces", "empty", "no-function"],
)
def test_a_handoff_that_cannot_be(fields: dict[str, Any], error: type[Exception]) -> None:
    """It is refused where it is made."""
    with pytest.raises(error):
        Handoff(**fields)


def test_two_of_one_name() -> None:
    """Nobody could say which of them is meant."""
    with AgentPool(Staff(triage=["x"]).driver) as pool, pytest.raises(ManifestError, match="two of them are named"):
        pool.spawn(SpawnConfig(TRIAGE, "q", handoffs=[Handoff(BILLING), Handoff(member("b"), name="billing")]))


def test_only_an_llm_agent_hands_on() -> None:
    """Others have no conversation."""

    class Other(Agent[str]):
        def run(self, query: Any) -> str:
            return str(query)

    with AgentPool() as pool, pytest.raises(ManifestError, match="an LlmAgent alone"):
        pool.spawn(SpawnConfig(TRIAGE, "q", agent=Other, handoffs=[Handoff(BILLING)]))


# Files ----------------------------------------------------------------------------------------------------------


def test_files_that_hand_back(tmp_path: Path) -> None:
    """Each is found from the folder of the one before; a circle of files is no endless way."""
    (tmp_path / "desk").mkdir()
    path = tmp_path / "triage.toml"
    path.write_text(
        'name = "triage"\nprivacy = "standard"\n[model]\nsystem_prompt = "I am triage."\n'
        '[[handoffs]]\nname = "billing"\nmanifest = "desk/billing.toml"\n'
    )
    (tmp_path / "desk" / "billing.toml").write_text(
        'name = "billing"\nprivacy = "standard"\n[model]\nsystem_prompt = "I am billing."\n'
        '[[handoffs]]\nname = "triage"\nmanifest = "../triage.toml"\n'
    )
    staff = Staff(triage=[TO_BILLING, "done"], billing=[asks(("transfer_to_triage", {}))])
    outcome = talk(staff, AgentManifest.load(path))
    assert (staff.speakers, outcome.answered_by) == (["triage", "billing", "triage"], "triage")
    assert staff.tools(2) == ["transfer_to_billing"]


def test_the_first_manifest_met_again_has_its_config() -> None:
    """Also the handoffs that the config gave it, and its driver."""
    back = member("billing", handoffs=[{"name": "triage", "manifest": TRIAGE}])
    staff = Staff(triage=[TO_BILLING, "done"], billing=[asks(("transfer_to_triage", {}))])
    outcome = talk(staff, handoffs=[Handoff(back)])
    assert outcome.unwrap().text == "done"
    assert staff.tools(2) == ["transfer_to_billing"]


def test_a_circle_ends() -> None:
    """More than max_handoffs of them end the agent; the conversation tells of all."""
    back = member("billing", handoffs=[{"name": "triage", "manifest": TRIAGE}])
    staff = Staff(triage=[TO_BILLING], billing=[asks(("transfer_to_triage", {}))])
    outcome = talk(staff, handoffs=[Handoff(back)])
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, HandoffsExceeded)
    assert (outcome.error.used, outcome.error.limit, outcome.error.kind) == (6, 5, "handoffs")
    assert len(staff.requests) == 6
    assert outcome.answered_by == "billing"


def test_none_at_all_are_allowed() -> None:
    """``max_handoffs = 0``."""
    outcome = talk(
        Staff(triage=[TO_BILLING]), member("triage", resources={"max_handoffs": 0}), handoffs=[Handoff(BILLING)]
    )
    assert isinstance(outcome.error, HandoffsExceeded)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("missing", None, "handoffs.0.manifest: "),
        ("broken", "nam = 1", "handoffs.0.manifest: "),
        ("far", '[[handoffs]]\nname = "x"\nmanifest = "nowhere.toml"', "handoffs.0.manifest: handoffs.0.manifest: "),
        ("tool", 'tools = ["nowhere:x"]', "handoffs.0.manifest: tools.0: "),
        ("driver", '[model]\ndriver = "nowhere:x"', "handoffs.0.manifest: model.driver: "),
        ("agent", 'agent = "tests.agent.doubles:Doing"', "handoffs.0.manifest: agent: "),
        ("output", 'output = "nowhere:x"', "handoffs.0.manifest: output: "),
        ("ask", '[[agents]]\nname = "x"\nmanifest = "nowhere.toml"', "handoffs.0.manifest: agents.0.manifest: "),
    ],
)
def test_what_cannot_be_had_is_refused_at_spawn(tmp_path: Path, name: str, text: str | None, place: str) -> None:
    """With the way to it, before anything is asked."""
    if text is not None:
        (tmp_path / "other.toml").write_text(f'privacy = "standard"\n{text}\n')
    first = AgentManifest.load(written(tmp_path, "triage", "other"))
    staff = Staff(triage=["never"])
    with AgentPool(staff.driver) as pool, pytest.raises(ManifestError) as refused:
        pool.spawn(SpawnConfig(first, "q"))
    assert refused.value.problems[0].startswith(place), name
    assert not staff.requests


def test_a_stricter_manifest_needs_a_driver_that_is_near() -> None:
    """It is refused at spawn, with its place."""
    far = Far(lambda _: "never")
    strict = member("vault", privacy="sovereign")
    with AgentPool(far) as pool, pytest.raises(CapabilityDenied, match=r"handoffs\.0\.manifest: .*'vault'"):
        pool.spawn(SpawnConfig(TRIAGE, "q", handoffs=[Handoff(strict)]))


def test_what_a_strict_manifest_saw_does_not_go_far(tmp_path: Path) -> None:
    """No handoff leads from it to a driver of a farther tier, not even back."""
    first = AgentManifest.load(written(tmp_path, "triage", "vault"))
    (tmp_path / "vault.toml").write_text(
        'name = "vault"\n[model]\ndriver = "echo"\n[[handoffs]]\nname = "triage"\nmanifest = "triage.toml"\n'
    )
    far = Far(lambda _: "never")
    with AgentPool(far) as pool, pytest.raises(CapabilityDenied, match="seen with privacy sovereign"):
        pool.spawn(SpawnConfig(first, "q"))


# What the other one has -----------------------------------------------------------------------------------------


@tool(capability=FileRead())
def read_it(path: str, *, agent: Agent[Any]) -> str:
    """Read a file."""
    return f"{agent.manifest.name} reads {path}: {sorted(grant.type for grant in agent.manifest.capabilities)}"


@tool(capability=Shell())
def run_it() -> str:
    """Run something."""
    return "ran"


def test_it_has_its_own_grants_within_those_of_the_first() -> None:
    """What only one of them grants is granted to nobody; tools look at the manifest that is at work."""
    first = member("triage", capabilities=[FileRead(allowed_paths=("src",))])
    other = member("billing", capabilities=[FileRead(allowed_paths=("src/a", "/etc")), Shell()])
    reads = asks(("read_it", {"path": "src/a/b"}), ("run_it", {}))
    staff = Staff(triage=[TO_BILLING], billing=[reads, "done"])
    outcome = talk(staff, first, handoffs=[Handoff(other)], tools=ToolRegistry([read_it, run_it]))
    assert staff.tools(1) == ["read_it"]
    _, read, ran = results_of(outcome)
    assert read.content == "billing reads src/a/b: ['file_read']"
    assert ran.is_error
    assert "capability denied" in ran.content


@pytest.mark.parametrize("granted", [0, 1, 2])
def test_its_children_live_no_deeper_than_it_grants(granted: int) -> None:
    """Also where the first manifest, which has handed on, grants more."""
    first, other = (
        member(name, capabilities=[Spawn(max_depth=depth)]) for name, depth in (("triage", 3), ("b", granted))
    )
    asked: list[CompletionRequest] = []

    def model(request: CompletionRequest) -> Any:
        asked.append(request)
        is_done = any(message.content.startswith("depth limit") for message in request.messages)
        return "done" if is_done else asks(("spawn_agent", {"task": "deeper"}))

    staff = Staff(triage=[asks(("transfer_to_b", {}))])
    staff.driver = FunctionDriver(lambda request: (model if request.system == "I am b." else staff)(request))
    depths: list[int] = []
    outcome = talk(
        staff,
        first,
        handoffs=[Handoff(other)],
        tools=[spawn_agent],
        on_event=lambda event: depths.append(event.depth),
    )
    assert outcome.ok
    assert max(depths) == granted


def test_it_has_its_own_model_tools_and_settings(tmp_path: Path) -> None:
    """And no more those of the manifest before."""
    first = member(
        "triage", model={"remote_model": "small", "temperature": 0.1}, tools=["tests.agent.test_handoff:run_it"]
    )
    other = member(
        "billing",
        model={"remote_model": "big", "temperature": 0.9, "max_tokens": 77},
        tools=["tests.agent.test_handoff:read_it"],
        capabilities=[FileRead()],
    )
    first = first.model_copy(update={"capabilities": (FileRead(), Shell())})
    staff = Staff(triage=[TO_BILLING], billing=["done"])
    outcome = talk(staff, first, handoffs=[Handoff(other)])
    one, two = staff.requests
    assert (one.model, one.temperature, staff.tools(0)) == ("small", 0.1, ["run_it", "transfer_to_billing"])
    assert (two.model, two.temperature, two.max_tokens, staff.tools(1)) == ("big", 0.9, 77, ["read_it"])
    assert outcome.model == "big"


def test_it_has_its_own_driver() -> None:
    """That of its manifest; handed back, the agent's again."""
    other = AgentManifest(name="echo", model={"driver": "echo"}, privacy="standard")
    outcome = talk(Staff(triage=[asks(("transfer_to_echo", {}))]), handoffs=[Handoff(other)])
    assert outcome.ok
    assert outcome.answered_by == "echo"
    assert outcome.unwrap().text == outcome.messages[-2].content


class Sum(BaseModel):
    """What billing answers."""

    cents: int


def test_its_output_is_that_of_the_config_or_its_own() -> None:
    """The config's output_type stays."""
    other = member("billing", output="tests.agent.test_handoff:Sum")
    text = '{"cents": 3}'
    own = talk(Staff(triage=[TO_BILLING], billing=["no json", text]), handoffs=[Handoff(other)])
    assert own.unwrap() == Sum(cents=3)
    asked = talk(Staff(triage=[TO_BILLING], billing=[text]), handoffs=[Handoff(other)], output_type=dict[str, int])
    assert asked.unwrap() == {"cents": 3}
    none = talk(
        Staff(triage=[TO_BILLING], billing=["words"]),
        member("triage", output="tests.agent.test_handoff:Sum"),
        handoffs=[Handoff(BILLING)],
    )
    assert none.unwrap().text == "words"


def test_a_choice_of_a_tool_is_made_once() -> None:
    """What the config forces is done by the handoff: the other one may answer."""
    staff = Staff(triage=[TO_BILLING], billing=["done"])
    outcome = talk(
        staff, handoffs=[Handoff(BILLING)], settings=ModelSettings(tool_choice="transfer_to_billing", top_p=0.5)
    )
    assert outcome.ok
    assert [request.settings.tool_choice for request in staff.requests] == ["transfer_to_billing", None]
    assert [request.settings.top_p for request in staff.requests] == [0.5, 0.5]


def test_limits_and_budgets_go_on() -> None:
    """They are the agent's: a handoff gives nobody new ones."""
    small = member("triage", resources={"max_tokens_budget": 20})
    other = member("billing", resources={"max_tokens_budget": 10_000})
    outcome = talk(Staff(triage=[TO_BILLING], billing=["done"]), small, handoffs=[Handoff(other)])
    assert isinstance(outcome.error, TokensExceeded)
    spent = Budget(max_tokens=15)
    config = SpawnConfig(TRIAGE, "q", handoffs=[Handoff(other)], budget=spent)
    with AgentPool(Staff(triage=[TO_BILLING], billing=["done"]).driver) as pool:
        assert pool.spawn(config).outcome(BOUND).status is AgentStatus.FAILED


def test_memories_go_with_it() -> None:
    """And the answer is remembered for who gave it."""
    memory = InMemorySubstrate()
    memory.remember("billing", "the question of invoices")
    staff = Staff(triage=[TO_BILLING], billing=["done"])
    talk(staff, handoffs=[Handoff(BILLING)], memory=memory)
    assert all("the question of invoices" in (request.system or "") for request in staff.requests)
    (said,) = [one for one in memory.recall("done", 5) if "A: done" in one.content]
    assert said.content == "Q: the question\nA: done"


def test_a_subclass_may_go_on_where_its_own_class_is_named() -> None:
    """The agent stays what it is."""

    class Mine(LlmAgent):
        pass

    other = member("billing", agent="actors:LlmAgent")
    outcome = talk(Staff(triage=[TO_BILLING], billing=["done"]), handoffs=[Handoff(other)], agent=Mine)
    assert outcome.ok


# The answer that hands on ---------------------------------------------------------------------------------------


def test_other_calls_of_the_answer_come_first() -> None:
    """Under the manifest that there was; every call has its result."""
    seen: list[str] = []

    def note(_: Any, __: Any, agent: Agent[Any]) -> str:
        seen.append(agent.manifest.name)
        return "done"

    probe = Probe(note)
    both = asks(("transfer_to_billing", {}), ("note", {"n": 1}))
    staff = Staff(triage=[both], billing=[asks(("note", {"n": 2})), "done"])
    outcome = talk(staff, handoffs=[Handoff(BILLING)], tools=[probe])
    assert seen == ["triage", "billing"]
    assert [result.is_error for result in results_of(outcome)] == [False, False, False]


def test_of_two_handoffs_the_first_counts() -> None:
    """The model is told of the other."""
    both = asks(("transfer_to_billing", {}), ("transfer_to_tech", {}))
    staff = Staff(triage=[both], billing=["done"], tech=["never"])
    outcome = talk(staff, handoffs=[Handoff(BILLING), Handoff(member("tech"))])
    one, two = results_of(outcome)
    assert (outcome.answered_by, one.is_error, two.is_error) == ("billing", False, True)
    assert "transfer_to_billing comes before it" in two.content


def test_a_handoff_that_came_broken_is_none() -> None:
    """The next one counts."""
    calls = (ToolCall("1", "transfer_to_billing", {}, "no JSON"), ToolCall("2", "transfer_to_tech", {}))
    answer = CompletionResponse("", StopReason.TOOL_USE, calls)
    outcome = talk(Staff(triage=[answer], tech=["done"]), handoffs=[Handoff(BILLING), Handoff(member("tech"))])
    assert outcome.answered_by == "tech"


def test_one_that_is_unknown_stays_where_it_is() -> None:
    """The model may say another."""
    staff = Staff(triage=[asks(("transfer_to_nobody", {})), "I stay"])
    outcome = talk(staff, handoffs=[Handoff(BILLING)])
    assert (outcome.unwrap().text, outcome.answered_by) == ("I stay", "triage")


@pytest.mark.parametrize("approved", [True, False])
def test_it_can_need_approval(*, approved: bool) -> None:
    """By its name, as any tool."""
    careful = member("triage", approval={"tools": ["transfer_to_*"]})
    staff = Staff(triage=[TO_BILLING, "I stay"], billing=["paid"])
    with AgentPool(staff.driver, on_event=lambda event: decide(event)) as pool:

        def decide(event: Any) -> None:
            if isinstance(event, ApprovalRequested):
                (pool.approve if approved else pool.deny)(event.agent_id, event.call_id)

        outcome = pool.spawn(SpawnConfig(careful, "q", handoffs=[Handoff(BILLING)])).outcome(BOUND)
    assert outcome.unwrap().text == ("paid" if approved else "I stay")


def test_approvals_of_the_first_hold() -> None:
    """The other one needs them, too."""
    careful = member("triage", approval={"tools": ["note"], "timeout": 0.0})
    probe = Probe()
    staff = Staff(triage=[TO_BILLING], billing=[asks(("note", {})), "done"])
    outcome = talk(staff, careful, handoffs=[Handoff(BILLING)], tools=[probe])
    assert "nobody approved it" in results_of(outcome)[1].content
    assert not probe.calls


# Filters --------------------------------------------------------------------------------------------------------


def test_a_filter_says_what_the_other_one_sees() -> None:
    """The outcome has the whole conversation."""
    got: list[Any] = []

    def only_last(messages: Sequence[Message]) -> Sequence[Message]:
        got.extend(messages)
        return [UserMessage("in short: money")]

    staff = Staff(triage=[TO_BILLING], billing=[asks(("transfer_to_billing", {})), "done"])
    outcome = talk(staff, handoffs=[Handoff(BILLING, filter=only_last)])
    assert len(got) == 3
    assert staff.requests[1].messages == (UserMessage("in short: money"),)
    assert [type(message) for message in staff.requests[2].messages] == [
        UserMessage,
        AssistantMessage,
        ToolResultMessage,
    ]
    assert len(outcome.messages) == 6


def test_what_a_filter_has_left_out_nobody_sees_who_comes_after() -> None:
    """A further handoff hands on what was seen, and no more."""
    tech = member("tech", handoffs=[{"name": "triage", "manifest": TRIAGE}])
    billing = member("billing", handoffs=[{"name": "tech", "manifest": tech}])
    staff = Staff(
        triage=[TO_BILLING, "done"],
        billing=[asks(("transfer_to_tech", {}))],
        tech=[asks(("transfer_to_triage", {}))],
    )
    outcome = talk(staff, query="a secret", handoffs=[Handoff(billing, filter=lambda _: [UserMessage("in short")])])
    assert outcome.unwrap().text == "done"
    assert staff.speakers == ["triage", "billing", "tech", "triage"]
    assert ["a secret" in repr(request.messages) for request in staff.requests] == [True, False, False, False]
    assert [len(request.messages) for request in staff.requests] == [1, 1, 3, 5]
    assert "a secret" in repr(outcome.messages)


@pytest.mark.parametrize("last", range(2, 7))
def test_calls_and_results_stay_together(last: int) -> None:
    """No provider takes the one without the other: a filter that counts messages cuts between them."""
    two = asks(("note", {"n": 1}), ("note", {"n": 2}), text="two notes")
    staff = Staff(triage=[two, TO_BILLING], billing=["done"])
    talk(staff, tools=[Probe()], handoffs=[Handoff(BILLING, filter=lambda messages: messages[-last:])])
    seen = staff.requests[-1].messages
    asked = [call.id for message in seen for call in getattr(message, "tool_calls", ())]
    assert asked == [message.tool_call_id for message in seen if isinstance(message, ToolResultMessage)]
    assert "c1" in asked


def test_a_call_whose_result_is_left_out() -> None:
    """What was said beside it stays."""
    two = asks(("note", {}), text="a note")
    staff = Staff(triage=[two, TO_BILLING], billing=["done"])
    talk(staff, tools=[Probe()], handoffs=[Handoff(BILLING, filter=lambda messages: messages[:2])])
    assert staff.requests[-1].messages[1] == AssistantMessage("a note")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda _: None, "returned NoneType"),
        (lambda _: "text", "returned str"),
        (lambda _: [1], "returned int among the messages"),
        (lambda _: [], "left no message"),
        (lambda messages: messages[-1:], "left no message"),
        (lambda _: 1 / 0, "division by zero"),
    ],
    ids=["none", "text", "number", "empty", "result-alone", "raises"],
)
def test_a_filter_that_returns_nonsense(made: Any, words: str) -> None:
    """The agent ends with an error that says whose it is."""
    outcome = talk(Staff(triage=[TO_BILLING], billing=["never"]), handoffs=[Handoff(BILLING, filter=made)])
    assert outcome.status is AgentStatus.CRASHED
    assert words in str(outcome.error)


# Lives ----------------------------------------------------------------------------------------------------------


def test_a_restart_goes_the_same_way_again() -> None:
    """From the first manifest on, without asking again; the guard counts a handoff once."""
    staff = Staff(triage=[TO_BILLING], billing=[RuntimeError("once"), RuntimeError("twice"), "paid"])
    first = member("triage", resources={"max_handoffs": 1})
    config = SpawnConfig(first, "q", handoffs=[Handoff(BILLING)])
    with AgentPool(staff.driver, restart=AT_ONCE) as pool:
        outcome = pool.spawn(config).outcome(BOUND)
    assert (outcome.unwrap().text, outcome.restarts, outcome.answered_by) == ("paid", 2, "billing")
    assert staff.speakers == ["triage", "billing", "billing", "billing"]


@pytest.mark.parametrize("room", range(12))
def test_a_process_that_dies_in_any_gap_buys_nothing_twice(room: int) -> None:
    """Each process goes on where the one before stood; what it bought and could not write down is bought again."""
    back = member("billing", model={"remote_model": "big"}, handoffs=[{"name": "triage", "manifest": TRIAGE}])
    to_triage = asks(("note", {}), ("transfer_to_triage", {}), usage=USAGE)
    staff = Staff(triage=[TO_BILLING], billing=[to_triage])
    staff.driver = FunctionDriver(lambda request: staff(request) if len(request.messages) < 6 else told(request))

    def told(request: CompletionRequest) -> str:
        staff.requests.append(request)
        return "done"

    desk, probe = Desk(), Probe()
    probe.effect = "idempotent"  # type: ignore[attr-defined]
    config = SpawnConfig(TRIAGE, "q", handoffs=[Handoff(back)])
    paper = desk.papers["triage"]
    with desk.process(staff.driver, tools=ToolRegistry([probe])) as pool:
        paper.room = room
        first = pool.spawn(config).outcome(BOUND)
    paper.room = None
    assert first.ok or isinstance(first.error, JournalFailed)
    lost = len(staff.requests) - sum(path.isdecimal() for path in paper.paths())
    assert lost in ((0,) if first.ok else (0, 1))
    with desk.process(staff.driver, tools=ToolRegistry([probe])) as pool:
        outcome = pool.spawn(config).outcome(BOUND)
    assert (outcome.unwrap().text, outcome.answered_by) == ("done", "triage")
    assert len(staff.requests) == 3 + lost


def numbered(made: list[int]) -> Any:
    """A filter that says each time something else."""

    def shorten(messages: Sequence[Message]) -> Sequence[Message]:
        made.append(len(messages))
        return [UserMessage(f"in short, {len(made)}"), messages[0]]

    return shorten


def test_what_a_filter_has_left_is_known_in_each_process() -> None:
    """One that says each time something else is called once."""
    made: list[int] = []
    staff, desk = Staff(triage=[TO_BILLING], billing=["paid"]), Desk()
    for _ in range(2):
        with desk.process(staff.driver) as pool:
            handoff = Handoff(BILLING, filter=numbered(made))
            outcome = pool.spawn(SpawnConfig(TRIAGE, "q", handoffs=[handoff])).outcome(BOUND)
        assert outcome.unwrap().text == "paid"
    assert made == [3]
    assert staff.requests[1].messages == (UserMessage("in short, 1"), UserMessage("q"))


def test_what_a_filter_has_left_is_known_after_a_restart() -> None:
    """What was bought behind it is not bought again."""
    made: list[int] = []
    more = asks(("note", {}))
    staff = Staff(triage=[TO_BILLING], billing=[more, RuntimeError("once"), "paid"])
    handoff = Handoff(BILLING, filter=numbered(made))
    with AgentPool(staff.driver, restart=AT_ONCE, tools=ToolRegistry([Probe()])) as pool:
        outcome = pool.spawn(SpawnConfig(TRIAGE, "q", handoffs=[handoff])).outcome(BOUND)
    assert (outcome.unwrap().text, outcome.restarts, made) == ("paid", 1, [3])
    assert staff.speakers == ["triage", "billing", "billing", "billing"]


def test_a_recalled_conversation_costs_nothing() -> None:
    """All of it is known, the other model's answers, too."""
    other = member("billing", model={"remote_model": "big"})
    staff, desk = Staff(triage=[TO_BILLING], billing=["paid"]), Desk()
    config = SpawnConfig(TRIAGE, "q", handoffs=[Handoff(other)])
    told: list[Any] = []
    for _ in range(2):
        with desk.process(staff.driver, on_event=told.append) as pool:
            outcome = pool.spawn(config).outcome(BOUND)
        assert (outcome.unwrap().text, outcome.answered_by, outcome.usage) == ("paid", "billing", USAGE + USAGE)
    assert len(staff.requests) == 2
    assert "0/@handoff" in desk.papers["triage"].paths()
    assert [event.count for event in told if isinstance(event, HandedOff)] == [1, 1]


def test_a_journal_keeps_the_answer_of_whoever_gave_it(tmp_path: Path) -> None:
    """As a value of the type that it had to be, and with the name."""
    other = member("billing", output="tests.agent.test_handoff:Sum")
    staff = Staff(triage=[TO_BILLING], billing=['{"cents": 3}'])
    for recalled in (False, True):
        with AgentPool(staff.driver, journal=tmp_path / "run.db") as pool:
            outcome = pool.spawn(SpawnConfig(TRIAGE, "q", handoffs=[Handoff(other)])).outcome(BOUND)
        assert (outcome.result, outcome.answered_by, outcome.recalled) == (Sum(cents=3), "billing", recalled)
    assert len(staff.requests) == 2
    with Journal.read(tmp_path / "run.db") as journal:
        assert journal.check() == []
        (agent,) = journal.agents()
        assert [effect.text for effect in journal.effects(agent.key) if effect.kind == "handoff"] == [
            "triage -> billing"
        ]


def test_a_cancel_between_the_two() -> None:
    """The other one is asked no more."""
    begun = threading.Event()
    staff = Staff(triage=[TO_BILLING], billing=["never"])
    with AgentPool(staff.driver) as pool:

        def stop(messages: Sequence[Message]) -> Sequence[Message]:
            handle.cancel("enough")
            begun.set()
            return messages

        ready = threading.Event()
        gate = Probe(lambda *_: (ready.wait(BOUND), "go")[1], name="gate")
        staff.scripts["I am triage."] = [asks(("gate", {}), ("transfer_to_billing", {}))]
        handle = pool.spawn(SpawnConfig(TRIAGE, "q", tools=[gate], handoffs=[Handoff(BILLING, filter=stop)]))
        ready.set()
        outcome = handle.outcome(BOUND)
    assert begun.is_set()
    assert outcome.status is AgentStatus.CANCELLED
    assert staff.speakers == ["triage"]


def test_many_at_once() -> None:
    """Nobody meets another one's route."""

    def answer(request: Any) -> Any:
        if request.system == "I am triage.":
            return CompletionResponse(
                "", StopReason.TOOL_USE, (ToolCall("1", "transfer_to_billing", {}),), TokenUsage(1, 1)
            )
        return request.messages[0].content

    with AgentPool(FunctionDriver(answer), 50, max_queued=None) as pool:
        handles = [pool.spawn(SpawnConfig(TRIAGE, f"q{n}", handoffs=[Handoff(BILLING)])) for n in range(300)]
        found = [handle.outcome(BOUND) for handle in handles]
    assert [one.unwrap().text for one in found] == [f"q{n}" for n in range(300)]
    assert {one.answered_by for one in found} == {"billing"}


def test_privacy_of_the_one_that_goes_on() -> None:
    """At least as strict as the first."""
    seen: list[PrivacyTier] = []

    def note(_: Any, __: Any, agent: Agent[Any]) -> str:
        seen.append(agent.manifest.privacy)
        return "ok"

    probe = Probe(note)
    strict = AgentManifest(name="triage", model={"system_prompt": "I am triage."})
    staff = Staff(triage=[TO_BILLING], billing=[asks(("note", {})), "done"])
    assert talk(staff, strict, handoffs=[Handoff(BILLING)], tools=[probe]).ok
    assert seen == [PrivacyTier.SOVEREIGN]
