"""The set of tools."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from actors.agent.ports import ToolDefinition, ToolResult
from actors.agent.terms.capability import (
    Capability,
    FileRead,
    Memory,
    Network,
)
from actors.tools.registry import ToolRegistry
from actors.tools.tool import tool


@dataclass
class _Plain:
    """A tool without the decorator."""

    name: str
    required_capability: Capability | None = None
    timeout: float | None = None

    @property
    def definition(self) -> ToolDefinition:
        return ToolDefinition(self.name, "", {})

    def execute(self, input: Any, *, cancel: Any, agent: Any) -> ToolResult:  # noqa: A002
        return ToolResult("")


def test_tools_are_kept_by_name_in_order() -> None:
    """get, names, length and iteration show what was registered, in that order."""
    first, second = _Plain("b"), _Plain("a")
    registry = ToolRegistry([first])
    registry.register(second)
    assert registry.get("b") is first
    assert registry.get("c") is None
    assert registry.names() == ["b", "a"]
    assert list(registry) == [first, second]
    assert len(registry) == 2
    assert "a" in registry
    assert "c" not in registry


def test_an_empty_registry_is_true() -> None:
    """``tools or default`` keeps an empty registry."""
    assert ToolRegistry()
    assert len(ToolRegistry()) == 0


def test_a_name_is_taken_once() -> None:
    """A second tool of the same name is refused, and the first one stays."""
    first = _Plain("a")
    registry = ToolRegistry([first])
    with pytest.raises(ValueError, match="'a' is already registered"):
        registry.register(_Plain("a"))
    assert registry.get("a") is first
    with pytest.raises(ValueError, match="already"):
        ToolRegistry([_Plain("x"), _Plain("x")])


def _function(text: str) -> str:
    return text


@pytest.mark.parametrize("thing", [_function, _Plain, "read_file", None, object()])
def test_only_tools_are_taken(thing: Any) -> None:
    """What is no tool is refused with a hint at the decorator; nothing is registered."""
    registry = ToolRegistry()
    with pytest.raises(TypeError, match="@tool"):
        registry.register(thing)
    assert registry.names() == []


def test_definitions_are_those_that_capabilities_allow() -> None:
    """A tool that needs nothing is for everyone, the others for whom they were granted to."""
    registry = ToolRegistry(
        [
            _Plain("free"),
            _Plain("memory", Memory()),
            _Plain("read", FileRead()),
            _Plain("net", Network(allowed_hosts=("example.org",))),
        ]
    )

    def names(*granted: Capability) -> list[str]:
        return [definition.name for definition in registry.definitions_for(granted)]

    assert names() == ["free"]
    assert names(Memory()) == ["free", "memory"]
    assert names(FileRead(allowed_paths=("/x",)), Memory()) == ["free", "memory", "read"]
    assert names(Network(allowed_hosts=("other.org",))) == ["free"]
    assert names(Network(allowed_hosts=("*",))) == ["free", "net"]


def test_decorated_functions_are_tools() -> None:
    """The registry takes what the decorator makes."""

    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    assert ToolRegistry([add]).definitions_for([]) == [add.definition]


def test_readers_see_whole_registrations() -> None:
    """Threads that read while others register see each name with its tool, in order, and none is lost."""
    registry = ToolRegistry()
    together = threading.Barrier(4)
    done = threading.Event()

    def write(number: int) -> None:
        together.wait(timeout=30)
        for turn in range(100):
            registry.register(_Plain(f"{number}-{turn}"))

    def read() -> int:
        together.wait(timeout=30)
        rounds = 0
        while not done.is_set() or rounds == 0:
            names = [tool.name for tool in registry]
            assert names == registry.names()[: len(names)]
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        reader = pool.submit(read)
        writers = [pool.submit(write, number) for number in range(3)]
        for writer in writers:
            writer.result(timeout=30)
        done.set()
        assert reader.result(timeout=30) > 0
    assert len(registry) == 300
