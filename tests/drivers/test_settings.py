"""How a model is to answer, on the wire: the exact bytes, and what is refused before there are any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    CancelToken,
    CompletionRequest,
    Deadline,
    FunctionDriver,
    InferenceFailed,
    ManifestError,
    ModelSettings,
    RoutingDriver,
    ServerProfile,
    SpawnConfig,
    ToolDefinition,
    UserMessage,
)
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from actors.drivers.remote import RemoteDriver
from tests.drivers.provider import Provider

NOTHING = {"type": "object", "properties": {}}
TOOLS = (ToolDefinition("look", "Look.", NOTHING), ToolDefinition("web.find", "Find.", NOTHING))
ASK = CompletionRequest((UserMessage("hi"),), max_tokens=50)
WITH_TOOLS = replace(ASK, tools=TOOLS)


def sent(driver: type[RemoteDriver], request: CompletionRequest, **options: Any) -> bytes:
    """What a server gets."""
    with Provider(["ok"]) as provider:
        root = provider.root if driver is AnthropicDriver else provider.url
        asking = driver("m", base_url=root, api_key="k", **options)
        asking.complete(request, cancel=CancelToken(Deadline.after(20)))
        asking.close_idle()
        return provider.asked[0].raw


CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.3,"max_tokens":50'
CHAT_TOOLS = (
    b',"tools":[{"type":"function","function":{"name":"look","description":"Look.","parameters":{"type":"object",'
    b'"properties":{}}}},{"type":"function","function":{"name":"web_find","description":"Find.","parameters":'
    b'{"type":"object","properties":{}}}}]'
)
MESSAGES = (
    b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"max_tokens":50,'
    b'"temperature":0.3'
)
MESSAGES_TOOLS = (
    b',"tools":[{"name":"look","description":"Look.","input_schema":{"type":"object","properties":{}}},'
    b'{"name":"web_find","description":"Find.","input_schema":{"type":"object","properties":{}}}]'
)

ON_THE_WIRE: dict[str, tuple[dict[str, Any], bytes, bytes]] = {
    "nothing": ({}, b"", b""),
    "top_p": ({"top_p": 0.5}, b',"top_p":0.5', b',"top_p":0.5'),
    "stop": ({"stop": ["END", "."]}, b',"stop":["END","."]', b',"stop_sequences":["END","."]'),
    "options": ({"options": {"user": "u", "top_k": 3}}, b',"user":"u","top_k":3', b',"user":"u","top_k":3'),
}
CHOICES: dict[str, tuple[dict[str, Any], bytes, bytes]] = {
    "auto": ({"tool_choice": "auto"}, b',"tool_choice":"auto"', b',"tool_choice":{"type":"auto"}'),
    "required": ({"tool_choice": "required"}, b',"tool_choice":"required"', b',"tool_choice":{"type":"any"}'),
    "none": ({"tool_choice": "none"}, b',"tool_choice":"none"', b',"tool_choice":{"type":"none"}'),
    "a name": (
        {"tool_choice": "web.find"},
        b',"tool_choice":{"type":"function","function":{"name":"web_find"}}',
        b',"tool_choice":{"type":"tool","name":"web_find"}',
    ),
    "one at a time": (
        {"parallel_tool_calls": False},
        b',"parallel_tool_calls":false',
        b',"tool_choice":{"type":"auto","disable_parallel_tool_use":true}',
    ),
    "several": ({"parallel_tool_calls": True}, b',"parallel_tool_calls":true', b""),
    "a name, one at a time": (
        {"tool_choice": "look", "parallel_tool_calls": False},
        b',"tool_choice":{"type":"function","function":{"name":"look"}},"parallel_tool_calls":false',
        b',"tool_choice":{"type":"tool","name":"look","disable_parallel_tool_use":true}',
    ),
    "none of them": (
        {"tool_choice": "none", "parallel_tool_calls": False},
        b',"tool_choice":"none","parallel_tool_calls":false',
        b',"tool_choice":{"type":"none"}',
    ),
}


@pytest.mark.parametrize(("said", "chat", "messages"), ON_THE_WIRE.values(), ids=ON_THE_WIRE)
def test_the_bytes(said: dict[str, Any], chat: bytes, messages: bytes) -> None:
    """Of requests without tools, in both protocols."""
    request = replace(ASK, settings=ModelSettings(**said))
    assert sent(OpenAIDriver, request) == CHAT + chat + b"}"
    without = b',"temperature":0.3' if "top_p" in said else b""  # newer models refuse both together
    assert sent(AnthropicDriver, request) == MESSAGES.removesuffix(without) + messages + b"}"


@pytest.mark.parametrize(("said", "chat", "messages"), CHOICES.values(), ids=CHOICES)
def test_the_bytes_of_a_choice(said: dict[str, Any], chat: bytes, messages: bytes) -> None:
    """A tool is named as the server was told of it; without tools there is nothing to choose."""
    request = replace(WITH_TOOLS, settings=ModelSettings(**said))
    assert sent(OpenAIDriver, request) == CHAT + CHAT_TOOLS + chat + b"}"
    assert sent(AnthropicDriver, request) == MESSAGES + MESSAGES_TOOLS + messages + b"}"
    if request.settings.named_tool is None:
        assert sent(OpenAIDriver, replace(request, tools=())) == CHAT + b"}"
        assert sent(AnthropicDriver, replace(request, tools=())) == MESSAGES + b"}"


def test_what_chat_alone_has_a_field_for() -> None:
    """A seed, and how long the model thinks."""
    request = replace(ASK, settings=ModelSettings(seed=7, reasoning_effort="low"))
    assert sent(OpenAIDriver, request) == CHAT + b',"seed":7,"reasoning_effort":"low"}'
    assert sent(OpenAIDriver, request, profile="mistral").endswith(b',"random_seed":7,"reasoning_effort":"low"}')


def test_both_temperature_and_top_p_are_sent_where_somebody_said_both() -> None:
    """What a newer model says of that is told by its server."""
    both = ModelSettings(temperature=0.3, top_p=0.5)
    assert sent(AnthropicDriver, replace(ASK, settings=both)) == MESSAGES + b',"top_p":0.5}'


def test_where_a_prompt_may_be_kept() -> None:
    """Tools, instructions and the conversation so far are marked at their ends; Chat Completions need no word."""
    request = replace(WITH_TOOLS, system="Be.", settings=ModelSettings(prompt_cache=True))
    mark = b'"cache_control":{"type":"ephemeral"}}'
    told = b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi",' + mark + b"]}],"
    system = b'"max_tokens":50,"temperature":0.3,"system":[{"type":"text","text":"Be.",' + mark + b"]"
    assert sent(AnthropicDriver, request) == told + system + MESSAGES_TOOLS[:-2] + b"," + mark + b"]}"
    system = b'{"model":"m","messages":[{"role":"system","content":"Be."},{"role":"user","content":"hi"}],'
    assert sent(OpenAIDriver, request) == system + CHAT[CHAT.index(b'"temp') :] + CHAT_TOOLS + b"}"


# A driver's own -------------------------------------------------------------------------------------------------


def test_a_driver_has_settings_of_its_own() -> None:
    """They hold where the request leaves them open; its options are joined with those that the driver was given."""
    own = ModelSettings(temperature=1, max_tokens=9, top_p=0.5, options={"user": "u"})
    told = sent(OpenAIDriver, CompletionRequest((UserMessage("hi"),)), settings=own, options={"user": "x", "k": 1})
    assert told == CHAT.replace(b"0.3", b"1.0").replace(b"50", b"9") + b',"top_p":0.5,"user":"u","k":1}'
    said = ModelSettings(temperature=0.3, top_p=0.9, options={"user": "v"})
    assert sent(OpenAIDriver, replace(ASK, settings=said), settings=own) == CHAT + b',"top_p":0.9,"user":"v"}'


def test_each_route_has_its_own() -> None:
    """What nobody says for all is what the one that answers says."""
    with Provider(["ok"]) as provider:
        hot, cold = (
            OpenAIDriver("m", base_url=provider.url, api_key="k", settings=ModelSettings(temperature=degree))
            for degree in (0.9, 0.1)
        )
        for driver in (RoutingDriver(hot, cold), RoutingDriver(hot, cold, "fallback_only")):
            with AgentPool(driver) as pool:
                pool.spawn(SpawnConfig(AgentManifest(), "q")).result(20)
        assert [asked.body["temperature"] for asked in provider.asked] == [0.9, 0.1]


def test_settings_of_a_driver_may_be_a_dict() -> None:
    """As those of a config; what is none is refused when it is made."""
    good: Any = {"seed": 7}
    bad: Any = {"sed": 7}
    url = "http://127.0.0.1:9/v1"
    assert OpenAIDriver("m", base_url=url, api_key="k", settings=good).settings == ModelSettings(seed=7)
    with pytest.raises(ValueError, match="sed"):
        OpenAIDriver("m", base_url=url, api_key="k", settings=bad)


# Refused --------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[type[RemoteDriver], dict[str, Any], dict[str, Any], str]] = {
    "seed of messages": (AnthropicDriver, {}, {"seed": 1}, r"it has no seed \(OpenAIDriver\(\.\.\., api='chat'\) has"),
    "seed of responses": (OpenAIDriver, {"api": "responses"}, {"seed": 1}, r"it has no seed \(.*api='chat'"),
    "stop of responses": (OpenAIDriver, {"api": "responses"}, {"stop": "x"}, r"it has no stop \(.*api='chat'"),
    "a cache": (OpenAIDriver, {}, {"prompt_cache": False}, r"prompt_cache=False .*AnthropicDriver"),
    "a server": (
        OpenAIDriver,
        {"profile": ServerProfile("mine", lacks=frozenset({"seed"}))},
        {"seed": 1},
        r"seed=1 .* http://127\.0\.0\.1:\d+/v1 has no field 'seed' \(profile 'mine'\)",
    ),
}


@pytest.mark.parametrize(("kind", "options", "said", "why"), REFUSED.values(), ids=REFUSED)
def test_what_a_driver_cannot_keep_to(
    kind: type[RemoteDriver], options: dict[str, Any], said: dict[str, Any], why: str
) -> None:
    """Is refused by name, with who can: at its construction, at the spawn, and by a driver that is asked directly."""
    settings = ModelSettings(**said)
    with Provider(["ok"]) as provider:
        make = {"base_url": provider.url, "api_key": "k", **options}
        with pytest.raises(ValueError, match=why):
            kind("m", **make, settings=settings)
        driver = kind("m", **make)
        with pytest.raises(InferenceFailed, match=f"nothing was sent: .*{why}"):
            driver.complete(replace(ASK, settings=settings), cancel=CancelToken())
        with AgentPool(driver) as pool:
            with pytest.raises(ValueError, match=why):
                pool.spawn(SpawnConfig(AgentManifest(), "q", settings=settings))
            with pytest.raises(ManifestError, match=f"model: .*{why}"):
                pool.spawn(SpawnConfig(AgentManifest(model=said), "q"))  # type: ignore[arg-type]
        assert provider.asked == []


def test_a_route_that_cannot_keep_to_a_setting_is_named() -> None:
    """Else it would depend on who is there to answer; one that is never asked does not matter."""
    anthropic = AnthropicDriver("m", base_url="http://127.0.0.1:9", api_key="k")
    routed = RoutingDriver(FunctionDriver(lambda _: "ok"), anthropic)
    with AgentPool(routed) as pool, pytest.raises(ValueError, match=r"its fallback: .* no seed"):
        pool.spawn(SpawnConfig(AgentManifest(), "q", settings=ModelSettings(seed=1)))
    with AgentPool(RoutingDriver(FunctionDriver(lambda _: "ok"), anthropic, "primary_only")) as pool:
        assert pool.spawn(SpawnConfig(AgentManifest(), "q", settings=ModelSettings(seed=1))).result(20).text == "ok"


def test_a_choice_of_a_tool_that_the_server_is_not_told_of() -> None:
    """Is refused by a driver that is asked directly, too."""
    driver = OpenAIDriver("m", base_url="http://127.0.0.1:9", api_key="k")
    with pytest.raises(InferenceFailed, match=r"'web_find' is none of the tools .*did you mean 'web\.find'"):
        driver.complete(replace(WITH_TOOLS, settings=ModelSettings(tool_choice="web_find")), cancel=CancelToken())
