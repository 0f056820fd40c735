"""Journals of an earlier version of the library go on: ``older_journal.sql`` is one, of a program that was killed.

It was written before a manifest had tables for settings, handoffs and guardrails, by a program as the one below: one
agent had completed, another had asked a child, and was paying.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    Journal,
    JournalChanged,
    LlmAgent,
    ModelConfig,
    ResourceLimits,
    Spawn,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolRegistry,
    tool,
)
from actors.agent.recorder import Identity
from actors.agent.terms.manifest_tables import ContextTable
from actors.journal.fingerprint import Fingerprints
from actors.tools.agents import spawn_agent

PARENT = AgentManifest(name="planner", capabilities=(Spawn(max_depth=1),), model=ModelConfig(max_tokens=200))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file, as the program left it."""
    found = tmp_path / "run.db"
    connection = sqlite3.connect(found)
    connection.executescript(Path(__file__).with_name("older_journal.sql").read_text())
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return found


@tool(effect="idempotent")
def pay(sum: int) -> str:  # noqa: A002 - the word in the file
    """Pay *sum*."""
    return f"paid {sum}"


class Model:
    """Answers as it did then, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.asked += 1
        results = [str(message.content) for message in request.messages if message.role == "tool"]
        assert len(results) == 2, "what is in the file is bought again"
        return CompletionResponse("; ".join(results), StopReason.END_TURN, usage=TokenUsage(1, 1))


def test_agents_of_an_older_journal_are_known_and_go_on(path: Path) -> None:
    """A key that was made is made again; who was under way buys what is missing, and no more, its child neither."""
    model = Model()
    with AgentPool(FunctionDriver(model), tools=ToolRegistry([pay, spawn_agent]), journal=path) as pool:
        done = pool.spawn(SpawnConfig(PARENT, "Hello.")).outcome(5)
        going = pool.spawn(SpawnConfig(PARENT, "Plan.", key="plan")).outcome(5)
    assert (done.recalled, done.unwrap().text, done.answered_by) == (True, "answer to Hello.", "planner")
    assert (going.status, going.unwrap().text) == ("completed", "answer to Count.; paid 3")
    assert model.asked == 1
    with Journal.read(path) as reader:
        assert reader.check() == []


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"model": ModelConfig(max_tokens=200, seed=1)}, "manifest model"),
        ({"model": ModelConfig(max_tokens=201)}, "manifest model"),
        ({"resources": ResourceLimits(max_handoffs=1)}, "manifest resources"),
        ({"context": ContextTable(keep_last=2)}, "manifest context"),
    ],
)
def test_what_a_manifest_says_since_is_a_change(path: Path, changed: dict[str, object], what: str) -> None:
    """A field that manifests had not then counts as soon as it is no default."""
    manifest = PARENT.model_copy(update=changed)
    with (
        AgentPool(FunctionDriver(Model()), tools=ToolRegistry([pay, spawn_agent]), journal=path) as pool,
        pytest.raises(JournalChanged) as caught,
    ):
        pool.spawn(SpawnConfig(manifest, "Plan.", key="plan"))
    assert caught.value.what == what


def test_a_default_that_is_said_is_no_change() -> None:
    """A manifest with a default in words has the fingerprint of one that leaves it out."""

    def parts(manifest: AgentManifest) -> dict[str, str]:
        config = SpawnConfig(manifest, "x")
        identity = Identity(config, manifest, LlmAgent, None, None)  # type: ignore[arg-type]  # nothing is charged
        return Fingerprints().parts(identity, named=False)

    said = AgentManifest(
        name="planner",
        capabilities=(Spawn(max_depth=1),),
        model=ModelConfig(max_tokens=200, prompt_template=True, seed=None, options={}),
        context=ContextTable(policy="drop_oldest"),
    )
    assert parts(said) == parts(PARENT)
