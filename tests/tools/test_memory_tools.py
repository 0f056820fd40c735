"""Tools with which an agent uses its memory."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.terms.capability import FileRead, Memory
from actors.core.waiting.cancel import CancelToken
from actors.errors import ToolFailed
from actors.memory.in_memory import InMemorySubstrate
from actors.tools.memory_tools import (
    MEMORY_TOOLS,
    memory_forget,
    memory_get,
    memory_recall,
    memory_recall_shared,
    memory_remember,
    memory_set,
)
from actors.tools.registry import ToolRegistry


def _agent(memory: Any, name: str = "a") -> Any:
    return SimpleNamespace(memory=memory, manifest=SimpleNamespace(name=name))


def _use(tool: Any, agent: Any, **arguments: Any) -> str:
    result = tool.execute(arguments, cancel=CancelToken(), agent=agent)
    assert not result.is_error, result.content
    return str(result.content)


def test_every_memory_tool_needs_the_capability() -> None:
    """All of them need ``memory``."""
    registry = ToolRegistry(MEMORY_TOOLS)
    assert registry.definitions_for((FileRead(),)) == []
    assert len(registry.definitions_for((Memory(),))) == 5


def test_remember_recall_forget() -> None:
    """What is remembered is recalled with its id, and with that id it is forgotten."""
    agent = _agent(InMemorySubstrate())
    answer = _use(memory_remember, agent, content="apples are red")
    (found,) = json.loads(_use(memory_recall, agent, query="red apples"))
    assert found["content"] == "apples are red"
    assert answer.endswith(found["id"])
    assert 0.0 < found["score"] <= 1.0
    _use(memory_forget, agent, id=found["id"])
    assert _use(memory_recall, agent, query="red apples") == "[]"


def test_an_agent_recalls_its_own_only() -> None:
    """In a shared memory, an agent is not shown what another one remembers."""
    memory = InMemorySubstrate()
    _use(memory_remember, _agent(memory, "a"), content="apples")
    assert _use(memory_recall, _agent(memory, "b"), query="apples") == "[]"
    assert len(json.loads(_use(memory_recall, _agent(memory, "a"), query="apples"))) == 1


def test_shared_notes_are_for_who_is_given_the_tool() -> None:
    """All agents' memories, without ids: nobody forgets another's."""
    memory = InMemorySubstrate()
    _use(memory_remember, _agent(memory, "a"), content="apples")
    (found,) = json.loads(_use(memory_recall_shared, _agent(memory, "b"), query="apples"))
    assert found["content"] == "apples"
    assert "id" not in found
    assert memory_recall_shared not in MEMORY_TOOLS


def test_recall_is_limited() -> None:
    """limit bounds what comes back, and is itself bounded."""
    agent = _agent(InMemorySubstrate())
    for number in range(4):
        _use(memory_remember, agent, content=f"apple {number}")
    assert len(json.loads(_use(memory_recall, agent, query="apple", limit=3))) == 3
    for limit in (0, 51):
        result = memory_recall.execute({"query": "x", "limit": limit}, cancel=CancelToken(), agent=agent)
        assert result.is_error
        assert "- limit: " in result.content


@pytest.mark.parametrize("value", ["text", 3, 0, False, [1, {"a": None}], {"k": "v"}])
def test_values(value: Any) -> None:
    """A value comes back as it was, to the agent that set it; null drops it."""
    memory = InMemorySubstrate()
    agent = _agent(memory)
    _use(memory_set, agent, key="k", value=value)
    assert memory.get("a", "k") == value
    shown = _use(memory_get, agent, key="k")
    assert (shown if isinstance(value, str) else json.loads(shown)) == value
    assert _use(memory_get, _agent(memory, "b"), key="k") == "null"
    _use(memory_set, agent, key="k", value=None)
    assert _use(memory_get, agent, key="k") == "null"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (memory_remember, {"content": "x"}),
        (memory_recall, {"query": "x"}),
        (memory_forget, {"id": "x"}),
        (memory_set, {"key": "x", "value": 1}),
        (memory_get, {"key": "x"}),
    ],
)
def test_an_agent_without_memory(tool: Any, arguments: dict[str, Any]) -> None:
    """Without a memory each of them fails with an error that says so."""
    with pytest.raises(ToolFailed, match="has no memory"):
        _use(tool, _agent(None), **arguments)


def test_nothing_is_not_remembered() -> None:
    """An empty text and an empty key are argument errors."""
    agent = _agent(InMemorySubstrate())
    assert memory_remember.execute({"content": ""}, cancel=CancelToken(), agent=agent).is_error
    assert memory_set.execute({"key": "", "value": 1}, cancel=CancelToken(), agent=agent).is_error
