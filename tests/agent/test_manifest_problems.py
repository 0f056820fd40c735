"""What a refused manifest says: what may have been meant, and the line of the file."""

from __future__ import annotations

import pickle
import tomllib
from typing import Any

import pytest

from actors import AgentManifest, ManifestError
from actors.agent.terms.toml_lines import MOST_CHARACTERS, TomlLines
from actors.drivers.builtin import find_driver


def refused(**fields: Any) -> ManifestError:
    """Why a manifest of *fields* is."""
    with pytest.raises(ManifestError) as caught:
        AgentManifest(**fields)
    return caught.value


MEANT = [
    ({"nmae": "x"}, "nmae: unknown key, did you mean 'name'?"),
    ({"Privacy": "private"}, "Privacy: unknown key, did you mean 'privacy'?"),
    ({"mcp-servers": []}, "mcp-servers: unknown key, did you mean 'mcp_servers'?"),
    ({"max_iterations": 3}, "max_iterations: unknown key, did you mean 'resources.max_iterations'?"),
    ({"max-tokens": 3}, "max-tokens: unknown key, did you mean 'model.max_tokens'?"),
    ({"model": {"temprature": 1}}, "model.temprature: unknown key, did you mean 'temperature'?"),
    ({"model": {"Temperature": 1}}, "model.Temperature: unknown key, did you mean 'temperature'?"),
    ({"model": {"max_tool_calls": 1}}, "model.max_tool_calls: unknown key, did you mean 'resources.max_tool_calls'?"),
    ({"model": {"privacy": "private"}}, "model.privacy: unknown key, did you mean 'privacy'?"),
    ({"approval": {"tool": ["x"]}}, "approval.tool: unknown key, did you mean 'tools'?"),
    (
        {"mcp_servers": [{"name": "a", "command": ["x"], "enviroment": []}]},
        "mcp_servers.0.enviroment: unknown key",
    ),
    (
        {"mcp_servers": [{"name": "a", "command": ["x"], "comand": []}]},
        "mcp_servers.0.comand: unknown key, did you mean 'command'?",
    ),
    (
        {"capabilities": [{"type": "file_read", "allowed_path": ["x"]}]},
        "capabilities.0.file_read.allowed_path: unknown key, did you mean 'allowed_paths'?",
    ),
    ({"privacy": "standrd"}, "got 'standrd', did you mean 'standard'?"),
    ({"privacy": "Private"}, "got 'Private', did you mean 'private'?"),
    ({"approval": {"default": "aprove"}}, "got 'aprove', did you mean 'approve'?"),
    ({"privacy": "private", "mcp_servers": [{"name": "a", "url": "u", "transport": "htttp"}]}, "did you mean 'http'?"),
    (
        {"mcp_servers": [{"name": "a", "command": ["x"], "effects": {"pay": "at_most_onc"}}]},
        "mcp_servers.0.effects.pay: Input should be 'at_most_once' or 'idempotent', got 'at_most_onc', did you mean "
        "'at_most_once'?",
    ),
    ({"capabilities": [{"type": "file_reed"}]}, "got {'type': 'file_reed'}, did you mean 'file_read'?"),
    ({"capabilities": [{"typ": "rag"}]}, "got {'typ': 'rag'}, did you mean 'type'?"),
    ({"capabilities": ["rag"]}, "got 'rag'; a grant is a table: { type = "),
]


@pytest.mark.parametrize(("fields", "said"), MEANT, ids=[said for _, said in MEANT])
def test_what_was_meant(fields: dict[str, Any], said: str) -> None:
    """The nearest key of that table, the same key of another table, the nearest word."""
    (problem,) = refused(**fields).problems
    assert said in problem
    assert problem.count("did you mean") == said.count("did you mean")


@pytest.mark.parametrize("fields", [{"quite_another": 1}, {"x" * 100_000: 1}, {"privacy": 5}, {"privacy": "xyz"}])
def test_nothing_is_guessed_from_nothing(fields: dict[str, Any]) -> None:
    """A word that is like no other, a long one, and what is no word."""
    assert "did you mean" not in str(refused(**fields))


def test_a_driver_that_is_not_known() -> None:
    """The nearest name is told, and all of them."""
    with pytest.raises(ManifestError, match=r"no built-in driver 'opneai', did you mean 'openai'\? \(known: anthropic"):
        find_driver("opneai")
    with pytest.raises(ManifestError, match=r"no built-in driver 'gpt' \(known"):
        find_driver("gpt")


TEXT = """\
# a comment

nmae = "x"
version = 3
"quoted.key" = 1
model.temprature = 1
description = \"\"\"
nmae = 1
[resources]
]
\"\"\"
resources = { max_iteratons = 1, max_tool_calls = 0 }

[[capabilities]]
type = "file_read"
allowed_path = ["src"]

# between
[[capabilities]] # after
    type = "rag"

[[capabilities]]
type = "file_reed"

[[mcp_servers]]
command = [
  "x",
  3,
]

[[mcp_servers]]
name = "two"
command = ["x"]
[mcp_servers.headers]
one = 1

[ 'approval' ]
tools = ""
"""
LINES = {
    "nmae": "line 3",
    "version": "line 4",
    "quoted.key": "line 5",
    "model.temprature": "line 6",
    "resources.max_iteratons": "line 12",
    "resources.max_tool_calls": "line 12",
    "capabilities.0.file_read.allowed_path": "line 16",
    "capabilities.2": "line 23",
    "mcp_servers.0.name": "line 25",
    "mcp_servers.0.command.1": "lines 26-29",
    "mcp_servers.1.headers.one": "line 35",
    "approval.tools": "line 38",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_problem_has_its_line(end: str) -> None:
    """Of the key; of the table for a key that is missing; all lines for a place inside a value over several lines."""
    text = TEXT.replace("\n", end)
    with pytest.raises(ManifestError) as caught:
        AgentManifest.from_toml(text)
    found = {one.partition(":")[0]: one[one.rindex("(") + 1 : -1] for one in caught.value.problems}
    assert found == LINES
    assert ("capabilities", 0, "allowed_path") in caught.value.places
    assert ("capabilities", 2, "type") in caught.value.places
    back = pickle.loads(pickle.dumps(caught.value))
    assert (back.problems, back.places) == (caught.value.problems, caught.value.places)


def test_keywords_have_no_lines() -> None:
    """There is no file."""
    assert "line" not in str(refused(**tomllib.loads('nmae = "x"')))


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("a = 1\nb = 2", ("b",), "line 2"),
        ("a.b.c = 1\na.d = 2", ("a", "d"), "line 2"),
        ("a.b.c = 1\na.d = 2", ("a", "b"), "line 1"),
        ("[a.b]\nc = 1\n[a]\nd = 1", ("a",), "line 1"),
        ("[a.b]\nc = 1\n[a]\nd = 1", ("a", "d"), "line 4"),
        ("[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[[a]]\n[[a.b]]\nx = 3", ("a", 0, "b", 1, "x"), "line 5"),
        ("[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[[a]]\n[[a.b]]\nx = 3", ("a", 1, "b", 0, "x"), "line 8"),
        ("[[a]]\n[a.c]\nx = 1\n[[a]]\n[a.c]\nx = 2", ("a", 1, "c", "x"), "line 6"),
        ("a = [\n {b = 1},\n # ] \n {c = 2}]\nd = 1", ("a",), "line 1"),
        ("a = [\n {b = 1},\n # ] \n {c = 2}]\nd = 1", ("a", 1, "c"), "lines 1-4"),
        ("a = [\n {b = 1},\n # ] \n {c = 2}]\nd = 1", ("d",), "line 5"),
        ("a = '''\n[d]\nx = [1]\n'''\n[d]\nx = 1", ("d", "x"), "line 6"),
        ('"a.b" = 1\n[\'c d\']\n"" = 2', ("a.b",), "line 1"),
        ('"a.b" = 1\n[\'c d\']\n"" = 2', ("c d", ""), "line 3"),
        ('a = "\u2028\x85"\nb = 1', ("b",), "line 2"),
        ("a = 1", ("b",), ""),
        ("a = 1", (), ""),
        ("", ("a",), ""),
    ],
)
def test_where_a_key_stands(text: str, place: tuple[str | int, ...], line: str) -> None:
    """Dotted and quoted keys, tables and arrays of them, inline tables, values over several lines."""
    tomllib.loads(text)
    assert TomlLines(text).at(place) == line


def test_a_text_that_would_take_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found before is told, and nothing else."""
    read = 0
    loads = tomllib.loads

    def counting(text: str) -> dict[str, Any]:
        nonlocal read
        read += len(text)
        return loads(text)

    text = 'nmae = 1\nx = """\n' + "]\n" * 50_000 + '"""\nverson = 1\n'
    monkeypatch.setattr(tomllib, "loads", counting)
    lines = TomlLines(text)
    assert MOST_CHARACTERS < read < MOST_CHARACTERS + len(text)
    assert (lines.at(("nmae",)), lines.at(("verson",))) == ("line 1", "")
