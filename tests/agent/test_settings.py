"""``ModelSettings``: who wins, how long a forced choice holds, and what tells two requests apart."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    Backoff,
    CancelToken,
    CassetteMiss,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    Handoff,
    ManifestError,
    ModelSettings,
    RestartPolicy,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    UserMessage,
    tool,
)
from actors.agent.terms.settings import NO_SETTINGS, joined
from actors.agent.wire import digest, request_from_data, request_to_data
from actors.errors import JournalChanged
from actors.testing import Cassette
from actors.tools.agents import spawn_agent

from ..waiting import BOUND

EVERYTHING = ModelSettings(
    temperature=0.0,
    max_tokens=7,
    top_p=0.5,
    seed=0,
    stop=("a", "b"),
    reasoning_effort="low",
    tool_choice="look",
    parallel_tool_calls=False,
    prompt_cache=True,
    options={"user": "u", "deep": {"a": [1, None]}},
)
ASK = CompletionRequest((UserMessage("q"),))


@tool
def look() -> str:
    """Look."""
    return "seen"


def asked_with(manifest: AgentManifest, settings: ModelSettings | None = None) -> CompletionRequest:
    """What a driver gets."""
    driver = ScriptedDriver.text("ok")
    with AgentPool(driver, tools=ToolRegistry([look])) as pool:
        pool.spawn(SpawnConfig(manifest, "q", settings=settings)).result(BOUND)
    return driver.requests[0]


# Who wins -------------------------------------------------------------------------------------------------------


def test_the_config_wins_over_the_manifest() -> None:
    """Setting by setting; options are joined."""
    manifest = AgentManifest(model={"temperature": 0.9, "seed": 1, "options": {"a": 1, "b": 1}})
    request = asked_with(manifest, ModelSettings(seed=0, top_p=1, options={"b": 2}))
    expected = ModelSettings(temperature=0.9, seed=0, top_p=1, options={"a": 1, "b": 2})
    assert (request.settings, request.temperature, request.max_tokens) == (expected, 0.9, 4096)


def test_nothing_said_is_nothing_passed_on() -> None:
    """The numbers of the request are what a manifest takes for granted."""
    request = asked_with(AgentManifest(), ModelSettings())
    assert request.settings is NO_SETTINGS
    assert (request.temperature, request.max_tokens) == (0.3, 4096)


def test_zero_and_no_are_said() -> None:
    """They win over what is below them."""
    low = ModelSettings(temperature=0, seed=0, parallel_tool_calls=False, prompt_cache=False)
    high = ModelSettings(temperature=1, seed=1, parallel_tool_calls=True, prompt_cache=True)
    assert joined(low, None, high) == low
    assert joined(None) is joined() is NO_SETTINGS


@pytest.mark.parametrize("name", sorted(ModelSettings.model_fields))
def test_each_is_carried(name: str) -> None:
    """From a manifest, and from a config, to any driver."""
    value = getattr(EVERYTHING, name)
    one = ModelSettings(**{name: value})  # type: ignore[misc]
    expected = NO_SETTINGS.model_copy(update={name: value})
    assert asked_with(AgentManifest(), one).settings == expected
    assert asked_with(AgentManifest(model={name: value})).settings == expected  # type: ignore[misc]


# Refused --------------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another name": ({"tempreature": 1}, "tempreature"),
    "a guard's field": ({"options": {"max_completion_tokens": 9}}, "use the setting max_tokens"),
    "the loop's field": ({"options": {"tool_choice": "auto"}}, "use the setting tool_choice"),
    "the driver's field": ({"options": {"messages": []}}, "'messages' is no option"),
    "how it is read": ({"options": {"stream": True}}, "'stream' is no option"),
    "several answers": ({"options": {"n": 2}}, "'n' is no option"),
    "no JSON": ({"options": {"a": object()}}, "not JSON serializable"),
    "no number": ({"options": {"a": float("nan")}}, "cannot hold these"),
    "no stop": ({"stop": []}, "at least 1"),
    "an empty stop": ({"stop": ""}, "at least 1"),
    "no effort": ({"reasoning_effort": "much"}, "'none', 'minimal'"),
    "a number as a word": ({"seed": "7"}, "integer"),
}


@pytest.mark.parametrize(("said", "why"), WRONG.values(), ids=WRONG)
def test_what_is_none_of_them(said: dict[str, Any], why: str) -> None:
    """Is refused by its name, in a manifest, too."""
    with pytest.raises(ValidationError, match=why):
        ModelSettings(**said)
    with pytest.raises(ManifestError, match=f"model.{next(iter(said))}: ") as refused:
        AgentManifest(model=said)  # type: ignore[arg-type]
    assert "unknown key, did you mean 'temperature'" in str(refused.value) or "tempreature" not in said


def test_options_that_are_nested_without_end() -> None:
    """Are no JSON."""
    deep: dict[str, Any] = {}
    deep["again"] = deep
    with pytest.raises(ValidationError, match="options"):
        ModelSettings(options=deep)


# A forced choice ------------------------------------------------------------------------------------------------

CALL = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("1", "look", {}),))


@pytest.mark.parametrize("choice", ["required", "look"])
def test_a_forced_choice_holds_for_the_first_answer(choice: str) -> None:
    """A model that keeps to it could never end its turn else."""

    def obey(request: CompletionRequest) -> CompletionResponse:
        choices.append(request.settings.tool_choice)
        return CALL if request.settings.tool_choice else CompletionResponse("done")

    choices: list[str | None] = []
    manifest = AgentManifest(model={"tool_choice": choice, "seed": 1})
    with AgentPool(FunctionDriver(obey), tools=ToolRegistry([look])) as pool:
        results = [pool.spawn(SpawnConfig(manifest, "q")).result(BOUND) for _ in range(2)]
    assert choices == [choice, None] * 2
    assert [(result.text, result.tool_calls) for result in results] == [("done", 1)] * 2


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_choice_that_forces_nothing_holds(choice: str) -> None:
    """For all answers."""
    driver = ScriptedDriver([CALL, "done"])
    with AgentPool(driver, tools=ToolRegistry([look])) as pool:
        pool.spawn(SpawnConfig(AgentManifest(), "q", settings=ModelSettings(tool_choice=choice))).result(BOUND)
    assert [request.settings.tool_choice for request in driver.requests] == [choice, choice]


@pytest.mark.parametrize(
    ("tools", "choice", "why"),
    [
        ([look], "lok", r"model.tool_choice: 'lok' is no tool of the agent, did you mean 'look'\? \(look\)"),
        ([], "look", r"'look' is no tool of the agent \(it has none\)"),
        ([], "required", "a tool has to be called, and the agent has none"),
    ],
    ids=["misspelt", "no tools", "none to call"],
)
def test_a_choice_of_no_tool(tools: list[Any], choice: str, why: str) -> None:
    """Fails the agent before anything is sent."""
    driver = ScriptedDriver.text("ok")
    with AgentPool(driver, tools=ToolRegistry(tools)) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(model={"tool_choice": choice}), "q")).outcome(BOUND)
    assert outcome.status is AgentStatus.FAILED
    with pytest.raises(ManifestError, match=why):
        outcome.unwrap()
    assert driver.requests == []


def test_kin_answer_as_their_parent_does() -> None:
    """What has to be called first was said of another task."""
    call = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("1", "spawn_agent", {"task": "t"}),))
    driver = ScriptedDriver([call, "child", "parent"])
    manifest = AgentManifest(capabilities=[Spawn(max_depth=1)], model={"tool_choice": "spawn_agent", "seed": 3})
    with AgentPool(driver, tools=ToolRegistry([spawn_agent])) as pool:
        config = SpawnConfig(manifest, "q", settings=ModelSettings(top_p=0.5, tool_choice="spawn_agent"))
        assert pool.spawn(config).result(BOUND).text == "parent"
    free = ModelSettings(seed=3, top_p=0.5)
    assert [request.settings for request in driver.requests] == [
        free.model_copy(update={"tool_choice": "spawn_agent"}),
        free,
        free,
    ]


def test_what_was_forced_is_not_forced_on_who_goes_on() -> None:
    """A handoff was the call; what the other manifest itself forces holds for its own first answer."""
    hand_on = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("1", "transfer_to_desk", {}),))
    desk = AgentManifest(name="desk", model={"tool_choice": "look", "seed": 2})
    driver = ScriptedDriver([hand_on, CALL, "done"])
    with AgentPool(driver, tools=ToolRegistry([look])) as pool:
        config = SpawnConfig(
            AgentManifest(name="first"),
            "q",
            handoffs=[Handoff(desk)],
            settings=ModelSettings(tool_choice="transfer_to_desk", top_p=0.5),
        )
        assert pool.spawn(config).result(BOUND).text == "done"
    said = [(request.settings.tool_choice, request.settings.seed) for request in driver.requests]
    assert said == [("transfer_to_desk", None), ("look", 2), (None, 2)]
    assert {request.settings.top_p for request in driver.requests} == {0.5}


def test_who_goes_on_must_be_able_to() -> None:
    """Its driver is asked before the agent is admitted."""
    refusing = f"{__name__}:refusing"
    desk = AgentManifest(name="desk", model={"driver": refusing, "seed": 1})
    with AgentPool(ScriptedDriver.text("ok")) as pool, pytest.raises(ManifestError, match=r"handoffs.0.* no seed here"):
        pool.spawn(SpawnConfig(AgentManifest(), "q", handoffs=[Handoff(desk)]))


def refusing(manifest: AgentManifest) -> FunctionDriver:
    class Refusing(FunctionDriver):
        def refusal_of(self, settings: ModelSettings) -> str | None:
            return "no seed here" if settings.seed is not None else None

    return Refusing(lambda _: "ok")


# Kept -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [NO_SETTINGS, EVERYTHING, ModelSettings(seed=1)], ids=["none", "all", "one"])
def test_a_request_comes_back_with_its_settings(settings: ModelSettings) -> None:
    """Through JSON, and a pickle; what nobody has said is not written."""
    request = replace(ASK, settings=settings)
    data = json.loads(json.dumps(request_to_data(request)))
    assert ("settings" in data) is (settings is not NO_SETTINGS)
    assert request_from_data(data) == request == pickle.loads(pickle.dumps(request))
    assert hash(request) == hash(request_from_data(data))


@pytest.mark.parametrize("name", sorted(set(ModelSettings.model_fields) - {"temperature", "max_tokens"}))
def test_each_counts_in_the_digest(name: str) -> None:
    """The numbers do so where they always did: in the request itself."""
    one = ModelSettings(**{name: getattr(EVERYTHING, name)})  # type: ignore[misc]
    assert digest(replace(ASK, settings=one)) != digest(ASK)
    assert digest(replace(ASK, settings=one)) == digest(request_from_data(request_to_data(replace(ASK, settings=one))))


def test_a_digest_from_before_there_were_settings_stands() -> None:
    """Of requests in which nobody says more than the numbers."""
    before = "59d08256d3f684babfb4eb0f7709a031"
    assert digest(ASK) == before
    assert digest(replace(ASK, settings=ModelSettings(temperature=0.3, max_tokens=4096))) == before
    assert digest(replace(ASK, settings=ModelSettings(seed=1))) != before


def test_an_agent_with_other_settings_is_another_one(tmp_path: Any) -> None:
    """For a journal; one with the same is not."""

    def run(settings: ModelSettings | None) -> Any:
        with AgentPool(ScriptedDriver.text("ok"), journal=tmp_path / "j.db") as pool:
            return pool.spawn(SpawnConfig(AgentManifest(), "q", key="one", settings=settings)).outcome(BOUND)

    assert run(ModelSettings(seed=1)).ok
    assert run(ModelSettings(seed=1, options={})).ok
    with pytest.raises(JournalChanged, match="settings differs"):
        run(ModelSettings(seed=2))


def test_a_forced_choice_is_recalled_as_it_was(tmp_path: Any) -> None:
    """What the first process bought under it, the second one finds; and goes on without it."""

    class Broken(Exception):
        pass

    def breaks(request: CompletionRequest) -> CompletionResponse:
        if request.settings.tool_choice is None:
            raise Broken
        return CALL

    choices: list[str | None] = []

    def answers(request: CompletionRequest) -> CompletionResponse:
        choices.append(request.settings.tool_choice)
        return CompletionResponse("done")

    for fn, status in ((breaks, AgentStatus.CRASHED), (answers, AgentStatus.COMPLETED)):
        with AgentPool(FunctionDriver(fn), tools=ToolRegistry([look]), journal=tmp_path / "j.db") as pool:
            config = SpawnConfig(AgentManifest(), "q", key="one", settings=ModelSettings(tool_choice="look"))
            assert pool.spawn(config).outcome(BOUND).status is status
    assert choices == [None]


def test_a_cassette_knows_settings_apart(tmp_path: Any) -> None:
    """And hides in them what it hides elsewhere."""
    secret = ModelSettings(seed=1, stop="secret", options={"user": "secret"})
    request, other = replace(ASK, settings=secret), replace(ASK, settings=secret.model_copy(update={"seed": 2}))

    def redact(text: str) -> str:
        return text.replace("secret", "***")

    def play(asked: CompletionRequest, mode: Any) -> str:
        with Cassette(tmp_path / "c.jsonl", mode, redact=redact) as cassette:
            return cassette.driver(lambda: ScriptedDriver.text("ok")).complete(asked, cancel=CancelToken()).text

    assert play(request, "once") == play(request, "none") == "ok"
    recorded = (tmp_path / "c.jsonl").read_text(encoding="utf-8")
    assert "secret" not in recorded
    assert '"stop": ["***"]' in recorded
    with pytest.raises(CassetteMiss):
        play(other, "none")


@pytest.mark.parametrize("settings", [ModelSettings(seed=1), ModelSettings(seed=2)], ids=["same", "other"])
def test_a_child_with_other_settings_is_another_one(settings: ModelSettings) -> None:
    """In the next life of its parent."""
    lives: list[int] = []
    driver = ScriptedDriver([], default="ok")

    class Parent(Agent[str]):
        def run(self, query: str) -> str:
            lives.append(1)
            mine = ModelSettings(seed=1) if len(lives) == 1 else settings
            text = self.spawn(SpawnConfig(AgentManifest(name="child"), query, settings=mine)).result().text
            if len(lives) == 1:
                raise RuntimeError("once")
            return text

    manifest = AgentManifest(capabilities=[Spawn(max_depth=1)])
    with AgentPool(driver, restart=RestartPolicy(1, backoff=Backoff(base=0.0))) as pool:
        assert pool.spawn(SpawnConfig(manifest, "q", agent=Parent)).result(BOUND) == "ok"
    assert len(driver.requests) == (1 if settings.seed == 1 else 2)
