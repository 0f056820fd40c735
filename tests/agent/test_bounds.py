"""What an answer may ask for: plain data, finite, bounded in depth and in number, whatever driver brings it."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentManifest, AgentPool, FunctionDriver, ScriptedDriver, SpawnConfig, ToolRegistry, needs_approval
from actors.agent.bounds import LONGEST_ID, MAX_CALLS, MAX_DEPTH, MAX_NODES, object_in, problem_in, within_bounds
from actors.ports import AssistantMessage, CompletionResponse, StopReason, ToolCall, ToolResultMessage

from ..waiting import BOUND, eventually
from .doubles import Probe, asks, results_of, run_llm

if TYPE_CHECKING:
    from actors.ports import CompletionRequest


def lists(levels: int) -> Any:
    """Lists in each other."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def objects(levels: int) -> Any:
    """Objects in each other."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def circle() -> Any:
    """A list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


def doubling() -> Any:
    """Few objects, which a walk meets more than a billion times."""
    value: Any = [1]
    for _ in range(30):
        value = [value, value]
    return value


BAD = {
    "101 lists": lists(101),
    "20,000 lists": lists(20_000),
    "20,000 objects": objects(20_000),
    "lists and objects": {"a": [objects(60), lists(100)]},
    "a circle": circle(),
    "a doubling": doubling(),
    "NaN": {"a": [float("nan")]},
    "Infinity": float("inf"),
    "-Infinity": {"a": {"b": -float("inf")}},
    "1e400": json.loads("[1e400]"),
    "5,000 digits": {"a": 10**5_000},
    "-5,000 digits": [-(10**5_000)],
    "a key that is a number": {"a": {1: 2}},
    "a key that is a tuple": {(1, 2): 2},
    "bytes": {"a": b"x"},
    "a set": [{1}],
    "an object": object(),
    "many": [0] * (MAX_NODES + 1),
    "many, in many": [[0] * 1000 for _ in range(MAX_NODES // 1000)],
}
GOOD = {
    "100 lists": lists(100),
    "100 objects": objects(100),
    "all kinds": {"a": [None, True, 1, 1.5, "x", "\ud800", (1, 2)], "b": MappingProxyType({"c": {}})},
    "a long text": "x" * 3_000_000,
    "a large number": [2**64, 10**300, 1e308],
    "as many as may be": [0] * (MAX_NODES - 1),
    "nothing": {},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_taken_in(name: str) -> None:
    """Each is told in a short text, and nothing recurses."""
    assert 0 < len(problem_in(BAD[name])) < 200


@pytest.mark.parametrize("name", GOOD)
def test_what_is_taken_in(name: str) -> None:
    """And JSON can hold it."""
    assert problem_in(GOOD[name]) == ""


def test_depth_and_number_can_be_chosen() -> None:
    """The last level that may be is taken."""
    assert problem_in(lists(3), depth=3) == ""
    assert "more than 2 levels" in problem_in(lists(3), depth=2)
    assert problem_in([1, 2], nodes=2) == ""
    assert "more than 1 values" in problem_in([1, 2], nodes=1)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        (json.dumps('{"a": 1}'), {"a": 1}),
        ("[1]", None),
        ("{", None),
        ("", None),
        (3, None),
        (None, None),
        ('{"a": NaN}', None),
        ("[" * 20_000, None),
        ('{"a": %s}' % ("9" * 5_000), None),
        (json.dumps(json.dumps(json.dumps('{"a": 1}'))), None),
    ],
)
def test_an_object_in_a_text(value: Any, found: Any) -> None:
    """Itself, as JSON, or encoded twice; nothing is raised."""
    assert object_in(value) == found


@pytest.mark.parametrize("approved", [False, True])
@pytest.mark.parametrize("name", [name for name in BAD if name != "an object"])
def test_a_call_out_of_bounds_is_not_run(name: str, approved: bool) -> None:
    """The model is told, the conversation can be written as JSON, and the agent goes on; with approval, too."""
    probe = Probe()
    tool = needs_approval(probe, timeout=0, default="approve") if approved else probe
    events: list[Any] = []
    outcome = run_llm(
        ScriptedDriver([asks(("note", {"value": BAD[name]})), "done"]), tools=[tool], on_event=events.append
    )
    (result,) = results_of(outcome)
    assert result.is_error
    assert "note was not called: its arguments cannot be used" in result.content
    assert len(result.content) < 400
    assert probe.calls == []
    assert outcome.unwrap().text == "done"
    (said,) = [message for message in outcome.unwrap().messages if isinstance(message, AssistantMessage)][:1]
    assert [call.input for call in said.tool_calls] == [{}]


@pytest.mark.parametrize("given", [[1], "text", None, 3])
def test_arguments_that_are_no_object(given: Any) -> None:
    """A driver of a user's own may hand over anything."""
    probe = Probe()
    answer = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("c1", "note", given),))
    (result,) = results_of(run_llm(ScriptedDriver([answer, "done"]), tools=[probe]))
    assert "must be a JSON object" in result.content
    assert probe.calls == []


def test_arguments_that_came_as_text() -> None:
    """They are the object that the text is."""
    probe = Probe()
    calls = tuple(ToolCall(str(place), "note", text) for place, text in enumerate(['{"n": 1}', '"{\\"n\\": 2}"']))  # type: ignore[arg-type]
    outcome = run_llm(ScriptedDriver([CompletionResponse("", StopReason.TOOL_USE, calls), "done"]), tools=[probe])
    assert not any(result.is_error for result in results_of(outcome))
    assert sorted(call["n"] for call in probe.calls) == [1, 2]


def test_a_good_answer_is_itself() -> None:
    """Nothing is copied that need not be."""
    answer = asks(("note", {"a": 1}), ("note", {"a": 2}))
    assert within_bounds(answer) is answer
    assert within_bounds(CompletionResponse("text")).text == "text"


@pytest.mark.parametrize("name", ["note", "nope"])
def test_more_calls_than_an_answer_may_have(name: str) -> None:
    """The first are run, one more says that the rest was left out, and each call of the conversation has a result."""
    probe = Probe()
    seen: list[CompletionRequest] = []
    answers = iter([asks(*((name, {"n": number}) for number in range(40_000))), "done"])

    def answer(request: CompletionRequest) -> Any:
        seen.append(request)
        return next(answers)

    manifest = AgentManifest(name="bot", resources={"max_tool_calls": 1_000})
    outcome = run_llm(FunctionDriver(answer, context_window=1_000_000), tools=[probe], manifest=manifest)
    results = results_of(outcome)
    assert len(results) == MAX_CALLS + 1
    assert "39,872" in results[-1].content
    assert "128" in results[-1].content
    assert len(probe.calls) == (MAX_CALLS if name == "note" else 0)
    asked = [call.id for message in seen[1].messages for call in getattr(message, "tool_calls", ())]
    answered = [message.tool_call_id for message in seen[1].messages if isinstance(message, ToolResultMessage)]
    assert asked == answered
    assert sum(len(result.content) for result in results) < 20_000


def test_unknown_tools_among_many_known_ones() -> None:
    """The names of all are told once, and not at any length."""
    tools = [Probe(name=f"tool_number_{number}_of_a_server") for number in range(400)]
    first, *others = results_of(
        run_llm(ScriptedDriver([asks(*[("nope", {})] * 100), "done"], context_window=100_000), tools=tools)
    )
    assert "tool_number_0_of_a_server" in first.content
    assert len(first.content) < 2_200
    assert {other.content for other in others} == {"unknown tool 'nope'; the tools are named above"}


def test_names_and_ids_of_absurd_length() -> None:
    """They are cut; ids stay different, and fit their results."""
    ids = "i" * 20_000, "i" * 20_000 + "j", "k" * LONGEST_ID
    calls = tuple(ToolCall(id_, "n" * 1_000_000, {}) for id_ in ids)
    response = within_bounds(CompletionResponse("", StopReason.TOOL_USE, calls))
    made = [call.id for call in response.tool_calls]
    assert len(set(made)) == 3
    assert made[2] == ids[2]
    assert max(len(call.id) for call in response.tool_calls) <= LONGEST_ID
    assert {len(call.name) for call in response.tool_calls} == {1_000}
    results = results_of(
        run_llm(ScriptedDriver([CompletionResponse("", StopReason.TOOL_USE, calls), "done"], context_window=100_000))
    )
    assert [result.tool_call_id for result in results] == made
    assert max(len(result.content) for result in results) < 400


def test_the_deepest_that_may_be_goes_all_the_way() -> None:
    """With a guard, an approval, events and the next request."""
    probe = Probe()
    driver = ScriptedDriver([asks(("note", {"value": lists(MAX_DEPTH - 1)})), "done"])
    events: list[Any] = []
    tools = ToolRegistry([needs_approval(probe)])
    with AgentPool(driver, 1, tools=tools, on_event=events.append, abort_timeout=BOUND) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q"))
        eventually(lambda: handle.approve("c1"))
        assert handle.outcome(BOUND).ok
    assert len(probe.calls) == 1
    assert all(event.model_dump_json() for event in events)


def test_an_id_and_a_name_that_are_no_texts() -> None:
    """Of a driver that checks nothing: the call is one of an unknown tool, and no crash."""
    response = CompletionResponse(tool_calls=(ToolCall(None, None, {}),))  # type: ignore[arg-type]
    (call,) = within_bounds(response).tool_calls
    assert (call.id, call.name) == ("None", "")
