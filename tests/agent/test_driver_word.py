"""Words for drivers: what they say, and what they must not."""

from __future__ import annotations

import pytest

from actors import AgentManifest, AgentPool, CapabilityDenied, FunctionDriver, ManifestError, Spawn, SpawnConfig
from actors.agent.terms.driver_word import BUILT_IN, DriverWord
from actors.cli.recipe import ModelChoice
from actors.drivers import builtin
from actors.drivers.openai import OpenAIDriver
from actors.ports import CompletionResponse, StopReason, ToolCall
from actors.tools.agents import spawn_agent

from ..drivers.provider import Provider
from ..waiting import BOUND

WORDS = {
    "openai": DriverWord("openai"),
    "echo": DriverWord("echo"),
    "anthropic:claude@20250101": DriverWord("anthropic", "claude@20250101"),
    "openai:org/model:free": DriverWord("openai", "org/model:free"),
    "openai:@cf/meta/llama": DriverWord("openai", "@cf/meta/llama"),
    "openai:a@b@http://u:p@host:1/v1": DriverWord("openai", "a@b", "http://u:p@host:1/v1"),
    "openai:m@HTTPS://host/v1": DriverWord("openai", "m", "HTTPS://host/v1"),
}


@pytest.mark.parametrize(("text", "word"), WORDS.items(), ids=WORDS)
def test_what_a_word_says(text: str, word: DriverWord) -> None:
    """Driver, model and server; and it can be said again."""
    assert DriverWord.parse(text, "driver") == word
    assert word.text == text


def test_a_factory_is_no_word() -> None:
    """Unless it stands in a module that is called as a built-in driver which asks a model: that one wins."""
    assert DriverWord.parse("mine.drivers:make", "driver") is None
    assert DriverWord.parse("echo:make", "driver") is None
    assert DriverWord.parse("openai:make", "driver") == DriverWord("openai", "make")
    assert set(builtin.BUILT_IN) == set(BUILT_IN)


NONE = {
    "": "no built-in driver ''",
    "opena:gpt-5": "no built-in driver 'opena', did you mean 'openai'?",
    "OpenAI:gpt-5": "did you mean 'openai'?",
    "nobody:gpt-5": "no built-in driver 'nobody' (known: anthropic, echo, openai)",
    "openai:": "names no model: say 'openai:NAME'",
    "openai:@http://host/v1": "names no model",
    "openai:m@": "a URL begins with http:// or https://",
    "openai:m@localhost": "a URL begins with http:// or https://",
    "openai:m@10.0.0.1:80/v1": "a URL begins with http:// or https://",
    "openai:m@ftp://host": "a URL begins with http:// or https://",
    "echo:very loud": "the driver 'echo' asks no model",
    "a\nb": r"no built-in driver 'a\\nb'",
}


@pytest.mark.parametrize(("text", "why"), NONE.items(), ids=[ascii(text) for text in NONE])
def test_what_is_no_word(text: str, why: str) -> None:
    """Is refused, with the place and what may have been meant."""
    with pytest.raises(ManifestError) as caught:
        DriverWord.parse(text, "here")
    assert f"here: {why}" in str(caught.value) or ("here: " in str(caught.value) and why in str(caught.value))
    with pytest.raises(ValueError, match="driver: "):
        AgentPool(text)


def test_a_word_that_looks_like_a_module() -> None:
    """The driver that may have been meant is named."""
    with pytest.raises(ValueError, match=r"driver: no module 'opnai' .*, did you mean 'openai'\?"):
        AgentPool("opnai:gpt4")


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ({"driver": "openai:a", "remote_model": "b"}, "model.remote_model: model.driver names the model 'a' already"),
        ({"driver": "openai:a", "model_repo": "b"}, "model.model_repo: "),
        (
            {"driver": "openai:a@http://h/v1", "base_url": "http://i/v1"},
            "model.base_url: ",
        ),
    ],
    ids=["model", "repository", "server"],
)
def test_a_manifest_that_says_two_things(model: dict[str, str], place: str) -> None:
    """Is refused; one that says the same twice is not."""
    with pytest.raises(ManifestError, match=place):
        AgentManifest(privacy="standard", model=model)  # type: ignore[arg-type]
    same = {"driver": "openai:a@http://h/v1", "remote_model": "a", "base_url": "http://h/v1"}
    assert AgentManifest(privacy="standard", model=same).model.name == "a"  # type: ignore[arg-type]


# Who is asked ---------------------------------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Both protocols; not yet started."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "k")
    return Provider(["ok"])


def test_a_word_for_a_pool_a_config_and_a_manifest(server: Provider) -> None:
    """Each asks its model at its server; the config wins over the manifest, that over the pool."""
    with server as provider:
        word = "openai:{}@" + provider.url
        named = AgentManifest(model={"driver": word.format("of-manifest")})
        with AgentPool(word.format("of-pool")) as pool:
            configs = [
                SpawnConfig(AgentManifest(), "q"),
                SpawnConfig(named, "q"),
                SpawnConfig(named, "q", driver=f"anthropic:of-config@{provider.root}"),
                SpawnConfig(AgentManifest(model={"model_repo": "mine"}), "q", driver=word.format("of-config")),
            ]
            results = [pool.spawn(config).outcome(BOUND).unwrap() for config in configs]
        assert [result.text for result in results] == ["ok"] * 4
        asked = [(one.path, one.body["model"]) for one in provider.asked]
    chat = "/v1/chat/completions"
    assert asked == [
        (chat, "of-pool"),
        (chat, "of-manifest"),
        ("/v1/messages", "of-config"),
        (chat, "of-config"),
    ]


def test_one_driver_for_all_of_a_word(server: Provider) -> None:
    """Whatever else their manifests say."""
    with server as provider, AgentPool() as pool:
        find = pool._factory.finder.driver
        word = f"openai:m@{provider.url}"
        one = find(AgentManifest(model={"driver": word, "temperature": 0.1}))
        assert one is find(AgentManifest(model={"driver": word, "system_prompt": "Other."}))
        assert one is find(AgentManifest(model={"driver": "openai", "model_repo": "m", "base_url": provider.url}))
        other = find(AgentManifest(model={"driver": f"openai:n@{provider.url}"}))
        assert isinstance(one, OpenAIDriver)
        assert isinstance(other, OpenAIDriver)
        assert other is not one
        assert other.limiter is one.limiter


def test_privacy_holds(server: Provider) -> None:
    """A word leads no farther than the manifest allows."""
    with AgentPool("openai:gpt-5") as pool, pytest.raises(CapabilityDenied, match="sovereign"):
        pool.spawn(SpawnConfig(AgentManifest(), "q"))
    with AgentPool() as pool:
        with pytest.raises(ManifestError, match=r"driver: 'openai:gpt-5' raised CapabilityDenied: privacy sovereign"):
            pool.spawn(SpawnConfig(AgentManifest(), "q", driver="openai:gpt-5"))
        with pytest.raises(ManifestError, match=r"model\.driver: 'openai:gpt-5' raised CapabilityDenied"):
            pool.spawn(SpawnConfig(AgentManifest(model={"driver": "openai:gpt-5"}), "q"))
    assert server.asked == []


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said when the pool is made, and where it belongs."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(ValueError, match=r"driver: 'anthropic:claude' .*no API key .*ANTHROPIC_API_KEY"):
        AgentPool("anthropic:claude")


def test_a_pool_asks_a_factory_for_its_driver() -> None:
    """Once, with a manifest that says nothing."""
    with AgentPool(f"{__name__}:make") as pool:
        assert pool.spawn(SpawnConfig(AgentManifest(name="other"), "q")).result(BOUND).text == "for unnamed-agent"


def make(manifest: AgentManifest) -> FunctionDriver:
    return FunctionDriver(lambda _: f"for {manifest.name}")


def test_kin_ask_whom_their_parent_asks(server: Provider) -> None:
    """Also where the config says so."""
    call = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("1", "spawn_agent", {"task": "child"}),))
    manifest = AgentManifest(privacy="standard", model={"driver": "openai:gone"}, capabilities=[Spawn(max_depth=1)])
    with Provider([call, "child", "parent"]) as provider, AgentPool(tools=[spawn_agent]) as pool:
        config = SpawnConfig(manifest, "q", driver=f"anthropic:m@{provider.root}")
        assert pool.spawn(config).result(BOUND).text == "parent"
        assert [(asked.path, asked.body["model"]) for asked in provider.asked] == [("/v1/messages", "m")] * 3


# The command line -----------------------------------------------------------------------------------------------


def test_the_choice_of_the_command_line() -> None:
    """Another server and model, and no prices of the old one; what a word says no other option may say otherwise."""
    manifest = AgentManifest(
        privacy="standard",
        model={
            "remote_model": "old",
            "base_url": "http://old/v1",
            "usd_per_million_input_tokens": 1.0,
            "usd_per_million_output_tokens": 1.0,
        },
    )
    model = ModelChoice("openai:new@http://new/v1").applied_to(manifest).model
    assert (model.name, model.base_url, model.has_price) == ("new", "http://new/v1", False)
    model = ModelChoice("openai:old").applied_to(manifest).model
    assert (model.name, model.base_url, model.has_price) == ("old", None, True)
    with pytest.raises(ManifestError, match="--model: --driver names 'new' already"):
        ModelChoice("openai:new", model="other").applied_to(manifest)
    with pytest.raises(ManifestError, match="--base-url: --driver names 'http://new/v1' already"):
        ModelChoice("openai:new@http://new/v1", base_url="http://other").applied_to(manifest)
