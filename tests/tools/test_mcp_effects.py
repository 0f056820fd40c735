"""The effects of the tools of MCP servers: what the server hints at, what the manifest says, and what is sent twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from actors import ManifestError, needs_approval
from actors.agent.effects import effect_of
from actors.agent.terms.effect import Effect
from actors.manifests import AgentManifest, McpServer

from .test_mcp import rogue, tools

if TYPE_CHECKING:
    from pathlib import Path

    from actors.tools.mcp import McpServers

IDEMPOTENT, AT_MOST_ONCE = Effect.IDEMPOTENT, Effect.AT_MOST_ONCE

HINTED: dict[str, tuple[Any, Effect]] = {
    "nothing": (None, AT_MOST_ONCE),
    "empty": ({}, AT_MOST_ONCE),
    "reads": ({"readOnlyHint": True}, IDEMPOTENT),
    "again": ({"idempotentHint": True}, IDEMPOTENT),
    "writes": ({"readOnlyHint": False, "idempotentHint": False, "destructiveHint": False}, AT_MOST_ONCE),
    "sets": ({"readOnlyHint": False, "idempotentHint": True, "destructiveHint": True}, IDEMPOTENT),
    # By the protocol nothing else counts where a tool only reads; servers write all of them out with their defaults.
    "defaults": ({"readOnlyHint": True, "destructiveHint": True, "idempotentHint": False}, IDEMPOTENT),
    "text": ({"readOnlyHint": "true", "idempotentHint": "yes"}, AT_MOST_ONCE),
    "number": ({"readOnlyHint": 1, "idempotentHint": 1.0}, AT_MOST_ONCE),
    "null": ({"readOnlyHint": None, "idempotentHint": [True], "title": 7}, AT_MOST_ONCE),
    "list": (["readOnlyHint", True], AT_MOST_ONCE),
    "word": ("readOnlyHint", AT_MOST_ONCE),
    "spelled": ({"read_only_hint": True, "ReadOnlyHint": True}, AT_MOST_ONCE),
    "one_of_two": ({"readOnlyHint": "false", "idempotentHint": True, "openWorldHint": {}}, IDEMPOTENT),
}
"""Annotations, and what they come to."""


@pytest.fixture
def hinted(tmp_path: Path) -> dict[str, Any]:
    """A server with those tools."""
    listed = [{"name": name, "inputSchema": {}, "annotations": hints} for name, (hints, _) in HINTED.items()]
    (tmp_path / "list.json").write_text(json.dumps({"tools": listed}))
    return listing(tmp_path)


def listing(folder: Path, **fields: Any) -> dict[str, Any]:
    server = rogue("listed", folder / "lives", **fields)
    return {**server, "command": [*server["command"], str(folder / "list.json")]}


def effects(servers: McpServers, server: dict[str, Any]) -> dict[str, Effect]:
    """Of all tools, by their own names."""
    return {name.removeprefix("rogue."): effect_of(tool) for name, tool in tools(servers, server).items()}


@pytest.mark.process
def test_a_server_hints_at_what_may_be_made_again(servers: McpServers, hinted: dict[str, Any]) -> None:
    """Only what is true says it; no tool is left out for a hint that is none."""
    assert effects(servers, hinted) == {name: effect for name, (_, effect) in HINTED.items()}
    (tool, *_) = tools(servers, hinted).values()
    assert effect_of(needs_approval(tool)) is AT_MOST_ONCE


@pytest.mark.process
def test_the_manifest_wins(servers: McpServers, hinted: dict[str, Any]) -> None:
    """Over the hints, for each agent by its own manifest, of one server; a name wins over patterns."""
    said = {"*s": "at_most_once", "reads": "idempotent", "w*": "idempotent", "again": "at_most_once"}
    found = effects(servers, {**hinted, "effects": said})
    by_hints = {name: effect for name, (_, effect) in HINTED.items()}
    assert found == {
        **by_hints, "reads": IDEMPOTENT, "again": AT_MOST_ONCE, "writes": AT_MOST_ONCE, "sets": AT_MOST_ONCE,
        "defaults": AT_MOST_ONCE, "word": IDEMPOTENT,
    }  # fmt: skip
    assert set(effects(servers, {**hinted, "effects": {"*": "at_most_once"}}).values()) == {AT_MOST_ONCE}
    assert effects(servers, hinted) == by_hints


@pytest.mark.process
def test_a_tool_that_a_server_does_not_have_is_told_once(
    servers: McpServers, tmp_path: Path, log_lines: list[str]
) -> None:
    """With what may have been meant; one that cannot be used is there, and so is what a pattern fits."""
    listed = [{"name": "pay", "inputSchema": {}}, {"name": "broken", "inputSchema": []}]
    (tmp_path / "list.json").write_text(json.dumps({"tools": listed}))
    said = {"pya": "at_most_once", "rogue.pay": "idempotent", "p*": "idempotent"}
    said |= {"broken": "idempotent", "x*": "idempotent"}
    for _ in range(3):
        assert effects(servers, listing(tmp_path, effects=said)) == {"pay": IDEMPOTENT}
    problems = [
        "MCP server rogue: effects names 'pya', which is none of its tools, did you mean 'pay'?",
        "MCP server rogue: effects names 'rogue.pay', which is none of its tools, did you mean 'pay'?",
        "MCP server rogue: effects names 'x*', which is none of its tools",
    ]
    assert servers.unknown_effects() == problems
    assert [line.partition("WARNING ")[2].strip(" {}\n") for line in log_lines if "effects names" in line] == problems


def test_in_a_manifest() -> None:
    """By an inline table or a table of its own; the words are those of the decorator, and kept as such."""
    text = '[[mcp_servers]]\nname = "bank"\ncommand = ["bank"]\n'
    inline = AgentManifest.from_toml(text + 'effects = {pay = "at_most_once", "look.*" = "idempotent"}\n')
    table = AgentManifest.from_toml(text + '[mcp_servers.effects]\npay = "at_most_once"\n"look.*" = "idempotent"\n')
    assert inline == table
    (server,) = inline.mcp_servers
    assert server == McpServer(name="bank", command=["bank"], effects={"pay": "at_most_once", "look.*": "idempotent"})
    assert server.effects == {"pay": Effect.AT_MOST_ONCE, "look.*": Effect.IDEMPOTENT}
    assert [server.effect_of(name) for name in ("pay", "look.up", "look")] == [AT_MOST_ONCE, IDEMPOTENT, None]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            'effects = {pay = "once"}',
            "mcp_servers.0.effects.pay: Input should be 'at_most_once' or 'idempotent', got 'once' (line 4)",
        ),
        (
            '[mcp_servers.effects]\nlook = "idempotent"\npay = "twice"',
            "mcp_servers.0.effects.pay: Input should be 'at_most_once' or 'idempotent', got 'twice' (line 6)",
        ),
        (
            "effects = {pay = 1}",
            "mcp_servers.0.effects.pay: Input should be 'at_most_once' or 'idempotent', got 1 (line 4)",
        ),
        (
            'effects = "idempotent"',
            "mcp_servers.0.effects: Input should be a valid dictionary, got 'idempotent' (line 4)",
        ),
    ],
)
def test_what_is_wrong_in_a_manifest_is_named(line: str, problem: str) -> None:
    """With the words that there are, and the line."""
    with pytest.raises(ManifestError) as caught:
        AgentManifest.from_toml(f'[[mcp_servers]]\nname = "bank"\ncommand = ["bank"]\n{line}\n')
    assert list(caught.value.problems) == [problem]
