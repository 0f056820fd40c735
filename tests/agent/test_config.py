"""``SpawnConfig``: what it takes, and what it refuses."""

from __future__ import annotations

import pickle
from typing import Any, Generic, TypeVar

import pytest
from pydantic import ValidationError

from actors import Agent, AgentManifest, AgentPool, AssistantMessage, LlmAgent, SpawnConfig, UserMessage

MANIFEST = AgentManifest(name="bot")
ItemT = TypeVar("ItemT")


def test_defaults() -> None:
    """Manifest and query are enough."""
    config = SpawnConfig(manifest=MANIFEST, query="q")
    assert config.manifest == MANIFEST
    assert (config.agent, config.kwargs, config.timeout, config.deadline) == (None, {}, None, None)
    assert (config.priority, config.group, config.tag, config.messages) == (0, None, None, ())
    assert (config.driver, config.tools, config.memory) == (None, None, None)


def test_manifest_and_query_by_position() -> None:
    """The two that every config has may be given without their names."""
    assert SpawnConfig(MANIFEST, "q") == SpawnConfig(manifest=MANIFEST, query="q")
    assert SpawnConfig(MANIFEST, query="q").query == "q"
    with pytest.raises(TypeError, match="3 positional"):
        SpawnConfig(MANIFEST, "q", Agent)


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": -1},
        {"deadline": -0.5},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": "soon"},
        {"priority": "high"},
        {"group": []},
        {"kwargs": 3},
        {"messages": ("hello",)},
        {"agent": int},
        {"agent": "LlmAgent"},
        {"agent": LlmAgent()},
        {"timeoutt": 3},
    ],
    ids=lambda fields: "-".join(f"{name}_{type(value).__name__}" for name, value in fields.items()),
)
def test_bad_values_are_refused(fields: dict[str, Any]) -> None:
    """Before anything is admitted, and with the name of the field."""
    with pytest.raises(ValidationError) as caught:
        SpawnConfig(MANIFEST, "q", **fields)
    assert next(iter(fields)) in str(caught.value)


@pytest.mark.parametrize("seconds", [0, 0.25, 3])
def test_seconds(seconds: float) -> None:
    """Any number from 0 on."""
    config = SpawnConfig(MANIFEST, "q", timeout=seconds, deadline=seconds)
    assert (config.timeout, config.deadline) == (seconds, seconds)


def test_another_class_is_named_in_the_refusal() -> None:
    """The message says what an agent class is."""
    with pytest.raises(ValidationError, match=r"int is no subclass of actors\.Agent"):
        SpawnConfig(MANIFEST, "q", agent=int)


def test_a_class_with_its_parameters() -> None:
    """Of ``Collect[int]`` the class is kept; what is made of a config with brackets is a config like any other."""

    class Collect(Agent[list[ItemT]], Generic[ItemT]):
        def __init__(self, first: ItemT) -> None:
            self.first = first

        def run(self, query: Any) -> list[ItemT]:
            return [self.first]

    config = SpawnConfig[list[int]](MANIFEST, "q", agent=Collect[int], kwargs={"first": 3})
    assert type(config) is SpawnConfig
    assert config.agent is Collect
    assert pickle.loads(pickle.dumps(SpawnConfig[int](MANIFEST, "q"))) == SpawnConfig(MANIFEST, "q")
    with AgentPool() as pool:
        assert pool.spawn(config).result(30) == [3]
    with pytest.raises(ValidationError, match=r"list is no subclass of actors\.Agent"):
        SpawnConfig(MANIFEST, "q", agent=list[int])


@pytest.mark.parametrize("missing", ["manifest", "query"])
def test_both_are_needed(missing: str) -> None:
    """There is no default for what the agent is and does."""
    fields: dict[str, Any] = {"manifest": MANIFEST, "query": "q"}
    del fields[missing]
    with pytest.raises(ValidationError, match=missing):
        SpawnConfig(**fields)


def test_it_is_frozen() -> None:
    """What was handed to a pool does not change."""
    config = SpawnConfig(MANIFEST, "q")
    with pytest.raises(ValidationError):
        config.query = "other"  # type: ignore[misc]


def test_objects_are_kept_as_they_are() -> None:
    """Query and tag may be anything; nothing is copied or converted."""
    query, tag = object(), ["tag"]
    config = SpawnConfig(MANIFEST, query, tag=tag)
    assert config.query is query
    assert config.tag is tag


def test_configs_share_nothing() -> None:
    """The default of a mutable field is made for each."""
    one, other = SpawnConfig(MANIFEST, "q"), SpawnConfig(MANIFEST, "q")
    one.kwargs["x"] = 1
    assert other.kwargs == {}


def test_it_survives_a_pickle() -> None:
    """If what the user put in does."""
    messages = (UserMessage("hi"), AssistantMessage("hello"))
    config = SpawnConfig(MANIFEST, {"a": 1}, agent=LlmAgent, timeout=3, group="g", messages=messages)
    twin = pickle.loads(pickle.dumps(config))
    assert twin == config
    assert twin.messages == messages


@pytest.mark.parametrize("key", [b"k", bytearray(b"k"), 1, True])
def test_a_key_is_text(key: Any) -> None:
    """Bytes are none."""
    with pytest.raises(ValueError, match=f"a key is text, not {type(key).__name__}"):
        SpawnConfig(AgentManifest(), "q", key=key)
