"""What type checkers are told is what the classes take: the lists of names, and the words of enumerations."""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from actors import AgentManifest, FailurePolicy, FileRead, FileWrite, Network, PrivacyTier, Shell, SpawnConfig
from actors.agent.config import SpawnKeywords
from actors.agent.ledger import InDoubt, InDoubtWord
from actors.agent.ports import PrivacyWord
from actors.agent.terms.approval_rules import ApprovalWord
from actors.agent.terms.effect import Effect, EffectWord
from actors.agent.terms.keywords import (
    AgentKeywords,
    ApprovalKeywords,
    ContextKeywords,
    GuardrailKeywords,
    HandoffKeywords,
    LimitKeywords,
    McpKeywords,
    MemoryKeywords,
    ModelKeywords,
    PromptKeywords,
)
from actors.agent.terms.manifest import ManifestKeywords
from actors.agent.terms.mcp_transport import TransportWord
from actors.agent.terms.settings import SettingsKeywords
from actors.core.records.outcomes import FailureWord
from actors.drivers import RoutingStrategy
from actors.drivers.routing import StrategyWord
from actors.manifests import (
    AgentTable,
    ApprovalDefault,
    ApprovalRules,
    ContextTable,
    GuardrailTable,
    HandoffTable,
    McpServer,
    McpTransport,
    MemoryTable,
    ModelConfig,
    ModelSettings,
    PromptFunction,
    ResourceLimits,
)
from actors.tools.tool import FunctionTool, Isolation, IsolationWord, ToolKeywords, tool

IN_EACH_OVERLOAD = ["manifest", "query", "agent", "output_type"]


@pytest.mark.parametrize(
    ("model", "keywords"),
    [
        (AgentManifest, ManifestKeywords),
        (ModelConfig, ModelKeywords),
        (ResourceLimits, LimitKeywords),
        (ApprovalRules, ApprovalKeywords),
        (McpServer, McpKeywords),
        (ModelSettings, SettingsKeywords),
        (ContextTable, ContextKeywords),
        (HandoffTable, HandoffKeywords),
        (AgentTable, AgentKeywords),
        (GuardrailTable, GuardrailKeywords),
        (MemoryTable, MemoryKeywords),
        (PromptFunction, PromptKeywords),
    ],
)
def test_the_names_are_those_of_the_fields(model: type[BaseModel], keywords: Any) -> None:
    """In their order: an editor shows them so."""
    assert list(keywords.__annotations__) == list(model.model_fields)


@pytest.mark.parametrize("made_by", [tool, FunctionTool.__init__])
def test_the_names_of_a_tool_are_those_of_what_makes_it(made_by: Any) -> None:
    """In their order; the namespace is no user's."""
    named = [one.name for one in inspect.signature(made_by).parameters.values() if one.kind is one.KEYWORD_ONLY]
    assert list(ToolKeywords.__annotations__) == [name for name in named if name != "namespace"]


def test_the_names_of_a_config_are_those_of_its_fields() -> None:
    """The first stand in each overload, before the others."""
    names = [name for name in SpawnConfig.model_fields if name not in IN_EACH_OVERLOAD]
    assert sorted(SpawnKeywords.__annotations__) == sorted(names)


@pytest.mark.parametrize(
    ("word", "enumeration"),
    [
        (ApprovalWord, ApprovalDefault),
        (EffectWord, Effect),
        (FailureWord, FailurePolicy),
        (InDoubtWord, InDoubt),
        (IsolationWord, Isolation),
        (PrivacyWord, PrivacyTier),
        (StrategyWord, RoutingStrategy),
        (TransportWord, McpTransport),
    ],
)
def test_the_words_are_those_of_the_enumeration(word: Any, enumeration: type[StrEnum]) -> None:
    """All of them."""
    assert get_args(word) == tuple(str(member) for member in enumeration)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (FileRead, "allowed_paths"),
        (FileWrite, "allowed_paths"),
        (Network, "allowed_hosts"),
        (Shell, "allowed_commands"),
    ],
)
def test_what_a_capability_lists_may_be_a_list(model: type[Any], name: str) -> None:
    """As checkers are told; a text alone is none."""
    assert getattr(model(**{name: ["a"]}), name) == ("a",)
    with pytest.raises(ValueError, match=name):
        model(**{name: "a"})
