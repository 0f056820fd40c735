"""Manifests: three ways to make one, and every reason to refuse one, all at once and with its place."""

from __future__ import annotations

import pickle
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from actors import (
    AgentManifest,
    FileRead,
    ManifestError,
    McpServer,
    McpTransport,
    Memory,
    ModelConfig,
    Network,
    PrivacyTier,
    Rag,
    ResourceLimits,
    Spawn,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FULL = """
name = "auditor"
version = "2.0.0"
description = "Reads code."
privacy = "standard"
agent = "bots.audit:Auditor"
tools = ["bots.tools:measure", "bots.tools:read"]

[model]
remote_model = "big-1"
model_quantization = "q4"
max_tokens = 100
temperature = 1
system_prompt = "Be brief."
context_window = 8000
driver = "bots.driver:make"

[resources]
max_iterations = 5
max_tool_calls = 7
max_cost_usd = 0.25
max_tokens_budget = 10_000

[[capabilities]]
type = "file_read"
allowed_paths = ["src"]

[[capabilities]]
type = "spawn"
max_depth = 2

[[mcp_servers]]
name = "files"
command = ["mcp-files", "--ro"]

[[mcp_servers]]
name = "web"
transport = "http"
url = "https://example.org"
"""

FIELDS: dict[str, Any] = {
    "name": "auditor",
    "version": "2.0.0",
    "description": "Reads code.",
    "privacy": "standard",
    "agent": "bots.audit:Auditor",
    "tools": ["bots.tools:measure", "bots.tools:read"],
    "model": {
        "remote_model": "big-1",
        "model_quantization": "q4",
        "max_tokens": 100,
        "temperature": 1,
        "system_prompt": "Be brief.",
        "context_window": 8000,
        "driver": "bots.driver:make",
    },
    "resources": {"max_iterations": 5, "max_tool_calls": 7, "max_cost_usd": 0.25, "max_tokens_budget": 10_000},
    "capabilities": [{"type": "file_read", "allowed_paths": ["src"]}, {"type": "spawn", "max_depth": 2}],
    "mcp_servers": [
        {"name": "files", "command": ["mcp-files", "--ro"]},
        {"name": "web", "transport": "http", "url": "https://example.org"},
    ],
}

MODELS: dict[str, Any] = {
    **FIELDS,
    "privacy": PrivacyTier.STANDARD,
    "tools": ("bots.tools:measure", "bots.tools:read"),
    "model": ModelConfig(**FIELDS["model"]),
    "resources": ResourceLimits(**FIELDS["resources"]),
    "capabilities": (FileRead(allowed_paths=("src",)), Spawn(max_depth=2)),
    "mcp_servers": (
        McpServer(name="files", command=("mcp-files", "--ro")),
        McpServer(name="web", transport=McpTransport.HTTP, url="https://example.org"),
    ),
}


@pytest.fixture(params=["keywords", "toml", "file"])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], AgentManifest]:
    """Makes a manifest of TOML text, in each of the three ways."""

    def load(text: str) -> AgentManifest:
        path = tmp_path / "bot.toml"
        path.write_text(text, encoding="utf-8")
        return AgentManifest.load(path)

    ways: dict[str, Callable[[str], AgentManifest]] = {
        "keywords": lambda text: AgentManifest(**tomllib.loads(text)),
        "toml": AgentManifest.from_toml,
        "file": load,
    }
    return ways[request.param]


def problems(make: Callable[[], object]) -> tuple[str, ...]:
    """Why it is refused."""
    with pytest.raises(ManifestError) as caught:
        make()
    return caught.value.problems


def test_defaults() -> None:
    """An empty manifest is a good one, with the documented values."""
    manifest = AgentManifest()
    assert (manifest.name, manifest.version, manifest.description) == ("unnamed-agent", "0.1.0", "")
    model = manifest.model
    assert (model.max_tokens, model.temperature, model.system_prompt) == (4096, 0.3, "You are a helpful assistant.")
    assert (model.model_path, model.remote_model, model.model_repo, model.model_quantization) == (None,) * 4
    assert (model.context_window, model.driver, model.name) == (None, None, "")
    limits = manifest.resources
    assert (limits.max_iterations, limits.max_tool_calls, limits.max_cost_usd) == (20, 50, 0.0)
    assert limits.max_tokens_budget is None
    assert manifest.capabilities == (Rag(), Memory())
    assert manifest.privacy is PrivacyTier.SOVEREIGN
    assert (manifest.mcp_servers, manifest.agent, manifest.tools, manifest.folder) == ((), None, (), None)


def test_three_ways_to_the_same_manifest(read: Callable[[str], AgentManifest]) -> None:
    """TOML text, a file, and keywords with dicts or models give the same."""
    # By value: a manifest from a file is not equal to one without a folder, as their modules may be others.
    assert AgentManifest(**FIELDS) == AgentManifest(**MODELS)
    assert read(FULL).model_dump() == AgentManifest(**FIELDS).model_dump()


def test_every_value_arrives(read: Callable[[str], AgentManifest]) -> None:
    """Nothing that the text says is lost."""
    manifest = read(FULL)
    assert manifest.privacy is PrivacyTier.STANDARD
    assert manifest.model == ModelConfig(**FIELDS["model"])
    assert (manifest.model.driver, manifest.model.temperature) == ("bots.driver:make", 1.0)
    assert manifest.resources.max_tokens_budget == 10_000
    assert manifest.capabilities == MODELS["capabilities"]
    assert [server.transport for server in manifest.mcp_servers] == [McpTransport.STDIO, McpTransport.HTTP]
    assert manifest.tools == ("bots.tools:measure", "bots.tools:read")


REFUSED = {
    'name = ""': ["name: "],
    "name = 5": ["name: "],
    'nmae = "x"': ["nmae: unknown key"],
    "[resources]\nmax_iterations = 0": ["resources.max_iterations: "],
    "[resources]\nmax_iterations = -1": ["resources.max_iterations: "],
    "[resources]\nmax_iterations = 2.0": ["resources.max_iterations: "],
    "[resources]\nmax_iterations = true": ["resources.max_iterations: "],
    '[resources]\nmax_iterations = "20"': ["resources.max_iterations: "],
    "[resources]\nmax_tool_calls = 0": ["resources.max_tool_calls: "],
    "[resources]\nmax_tokens_budget = 0": ["resources.max_tokens_budget: "],
    "[resources]\nmax_cost_usd = -0.1": ["resources.max_cost_usd: "],
    "[resources]\nmax_cost_usd = inf": ["resources.max_cost_usd: "],
    "[resources]\nmax_cost_usd = nan": ["resources.max_cost_usd: "],
    "[resources]\nmax_time = 3": ["resources.max_time: unknown key"],
    "[model]\nmax_tokens = 0": ["model.max_tokens: "],
    "[model]\ncontext_window = 0": ["model.context_window: "],
    "[model]\ntemperature = -0.1": ["model.temperature: "],
    "[model]\ntemperature = 2.1": ["model.temperature: "],
    "[model]\ntemperature = nan": ["model.temperature: "],
    '[model]\ntemperature = "warm"': ["model.temperature: "],
    "[model]\ntemprature = 1": ["model.temprature: unknown key"],
    '[model]\ndriver = ""': ["model.driver: "],
    '[model]\nremote_model = "big-1"': ["model.remote_model: "],
    'privacy = "sovereign"\n[model]\nremote_model = "big-1"': ["model.remote_model: "],
    'privacy = "secret"': ["privacy: "],
    '[model]\nmodel_repo = "a/b"\nmodel_path = "/m.gguf"': ["model.model_repo: "],
    '[[mcp_servers]]\ncommand = ["x"]': ["mcp_servers.0.name: "],
    '[[mcp_servers]]\nname = ""\ncommand = ["x"]': ["mcp_servers.0.name: "],
    '[[mcp_servers]]\nname = "files"': ["mcp_servers.0: a stdio server needs a command"],
    '[[mcp_servers]]\nname = "web"\ntransport = "http"\nurl = "http://x"': ["mcp_servers.0.transport: "],
    '[[mcp_servers]]\nname = "web"\ntransport = "sse"\nurl = "http://x"': ["mcp_servers.0.transport: "],
    '[[mcp_servers]]\nname = "web"\ntransport = "websocket"\nurl = "ws://x"': ["mcp_servers.0.transport: "],
    'privacy = "standard"\n[[mcp_servers]]\nname = "web"\ntransport = "http"': ["mcp_servers.0: "],
    'privacy = "standard"\n[[mcp_servers]]\nname = "web"\ntransport = "pigeon"': ["mcp_servers.0.transport: "],
    '[[capabilities]]\nkind = "rag"': ["capabilities.0"],
    '[[capabilities]]\ntype = "fly"': ["capabilities.0"],
    '[[capabilities]]\ntype = "file_read"\nallowed_path = ["x"]': ["capabilities.0"],
    '[[capabilities]]\ntype = "mcp"': ["capabilities.0"],
    'capabilities = ["rag"]': ["capabilities.0"],
    'agent = "bots.Auditor"': ["agent: must have the form 'package.module:name'"],
    'tools = ["bots.tools:ok", "bots/tools:read"]': ["tools.1: must have the form 'package.module:name'"],
    'tools = "bots.tools:read"': ["tools: "],
    "model = 3": ["model: "],
    "mcp_servers = 3": ["mcp_servers: "],
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_its_place(text: str, read: Callable[[str], AgentManifest]) -> None:
    """Each rule, in each of the three ways: one problem, and it begins with its place."""
    found = problems(lambda: read(text))
    assert len(found) == len(REFUSED[text]), found
    for problem, place in zip(found, REFUSED[text], strict=True):
        assert problem.startswith(place)


def test_all_problems_at_once(read: Callable[[str], AgentManifest]) -> None:
    """Wrong values, unknown keys and contradictions are listed together."""
    text = """
    name = ""
    nmae = "x"
    tools = ["nothing"]
    [model]
    remote_model = "big-1"
    model_repo = "a/b"
    model_path = "m"
    max_tokens = 0
    temperature = 3
    [resources]
    max_iterations = 0
    max_tool_calls = 0
    [[capabilities]]
    type = "fly"
    [[mcp_servers]]
    name = "files"
    [[mcp_servers]]
    name = "web"
    transport = "http"
    url = "http://x"
    """
    found = problems(lambda: read(text))
    places = [
        "name",
        "nmae",
        "tools.0",
        "model.remote_model",
        "model.model_repo",
        "model.max_tokens",
        "model.temperature",
        "resources.max_iterations",
        "resources.max_tool_calls",
        "capabilities.0",
        "mcp_servers.0",
        "mcp_servers.1.transport",
    ]
    assert sorted(problem.partition(":")[0] for problem in found) == sorted(places)


def test_all_problems_of_one_server(read: Callable[[str], AgentManifest]) -> None:
    """A server without a name and without a command has two problems, and both are told."""
    found = problems(lambda: read('[[mcp_servers]]\ntransport = "stdio"'))
    assert any("name" in problem for problem in found)
    assert any("command" in problem for problem in found)


def test_problems_name_the_value() -> None:
    """So that a reader finds it."""
    (problem,) = problems(lambda: AgentManifest(model={"temperature": 3.5}))
    assert "3.5" in problem


def test_problems_are_found_in_models_too() -> None:
    """Contradictions between keys do not hide in tables given as models."""
    servers = (McpServer(name="web", transport="http", url="http://x"),)
    model = ModelConfig(remote_model="big-1", model_repo="a/b", model_path="m")
    found = problems(lambda: AgentManifest(model=model, mcp_servers=servers, privacy=PrivacyTier.SOVEREIGN))
    assert [problem.partition(":")[0] for problem in found] == [
        "model.remote_model",
        "model.model_repo",
        "mcp_servers.0.transport",
    ]


@pytest.mark.parametrize("key", ["self", "cls", "fields", "_folder", "folder", "model_config"])
def test_any_unknown_key_is_a_problem(key: str, read: Callable[[str], AgentManifest]) -> None:
    """Also one that means something to Python or to the implementation."""
    found = problems(lambda: read(f'{key} = "x"'))
    assert [one.removesuffix(" (line 1)") for one in found] == [f"{key}: unknown key"]


@pytest.mark.parametrize("privacy", ["private", "standard"])
def test_a_remote_model_needs_less_privacy(privacy: str, read: Callable[[str], AgentManifest]) -> None:
    """Only sovereign forbids it."""
    manifest = read(f'privacy = "{privacy}"\n[model]\nremote_model = "big-1"')
    assert manifest.model.remote_model == "big-1"


@pytest.mark.parametrize("temperature", [0, 2, 0.0, 2.0])
def test_the_ends_of_the_temperature(temperature: float) -> None:
    """Both ends may be used."""
    assert AgentManifest(model={"temperature": temperature}).model.temperature == temperature


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"remote_model": "r", "model_repo": "o"}, "r"),
        ({"model_repo": "o"}, "o"),
        ({"model_path": "p"}, "p"),
        ({}, ""),
    ],
)
def test_the_models_name(fields: dict[str, str], name: str) -> None:
    """What a request asks for; empty leaves the choice to the driver."""
    assert ModelConfig(**fields).name == name


def test_text_that_is_no_toml() -> None:
    """The parser's words, with the line."""
    (problem,) = problems(lambda: AgentManifest.from_toml("name = \n"))
    assert problem.startswith("not valid TOML: ")
    assert "line 1" in problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The path and the reason, not a bare ``OSError``."""
    path = tmp_path / "missing.toml"
    with pytest.raises(ManifestError, match="cannot be read: No such file") as caught:
        AgentManifest.load(path)
    assert caught.value.source == str(path)
    with pytest.raises(ManifestError, match="cannot be read"):
        AgentManifest.load(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """The place of the first bad byte."""
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "\xe4"')
    with pytest.raises(ManifestError, match=r"is not UTF-8 text \(byte 8\)") as caught:
        AgentManifest.load(str(path))
    assert caught.value.source == str(path)


def test_a_refused_file_names_itself(tmp_path: Path) -> None:
    """The source stands in the error, its problems are the same."""
    path = tmp_path / "bot.toml"
    path.write_text('nmae = "x"', encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        AgentManifest.load(path)
    assert caught.value.problems == ("nmae: unknown key, did you mean 'name'? (line 1)",)
    assert caught.value.places == (("nmae",),)
    assert caught.value.source == str(path)
    assert str(path) in str(caught.value)


def test_a_file_is_read_as_utf8(tmp_path: Path) -> None:
    """Whatever the locale says."""
    path = tmp_path / "bot.toml"
    for encoding in ("utf-8", "utf-8-sig"):  # the second as some editors write it
        path.write_text('name = "Prüfer"', encoding=encoding)
        assert AgentManifest.load(path).name == "Prüfer"


def test_a_loaded_manifest_knows_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, also when the path was relative; others have none."""
    (tmp_path / "bot.toml").write_text('name = "x"', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert AgentManifest.load("bot.toml").folder == tmp_path.resolve()
    assert AgentManifest.from_toml('name = "x"').folder is None


def test_it_is_frozen_and_survives_a_pickle(tmp_path: Path) -> None:
    """Values, tables and folder are the same after a round trip."""
    path = tmp_path / "bot.toml"
    path.write_text(FULL, encoding="utf-8")
    manifest = AgentManifest.load(path)
    twin = pickle.loads(pickle.dumps(manifest))
    assert twin == manifest
    assert twin.folder == manifest.folder
    with pytest.raises(ValidationError):
        manifest.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        manifest.model.max_tokens = 1  # type: ignore[misc]


# Children -------------------------------------------------------------------------------------------------------


def limits(**fields: Any) -> ResourceLimits:
    return ResourceLimits(**fields)


@pytest.mark.parametrize(
    ("child", "parent", "cut"),
    [
        ({"max_iterations": 5}, {"max_iterations": 20}, {"max_iterations": 5}),
        ({"max_iterations": 20}, {"max_iterations": 7}, {"max_iterations": 7}),
        ({"max_iterations": 20}, {"max_iterations": 20}, {"max_iterations": 10}),
        ({"max_tool_calls": 9}, {"max_tool_calls": 3}, {"max_iterations": 10, "max_tool_calls": 3}),
        ({"max_tool_calls": 3}, {"max_tool_calls": 9}, {"max_iterations": 10, "max_tool_calls": 3}),
        ({"max_cost_usd": 0.0}, {"max_cost_usd": 0.5}, {"max_iterations": 10, "max_cost_usd": 0.5}),
        ({"max_cost_usd": 0.9}, {"max_cost_usd": 0.5}, {"max_iterations": 10, "max_cost_usd": 0.5}),
        ({"max_cost_usd": 0.1}, {"max_cost_usd": 0.5}, {"max_iterations": 10, "max_cost_usd": 0.1}),
        ({"max_cost_usd": 0.1}, {"max_cost_usd": 0.0}, {"max_iterations": 10, "max_cost_usd": 0.1}),
        ({}, {"max_tokens_budget": 5}, {"max_iterations": 10, "max_tokens_budget": 5}),
        ({"max_tokens_budget": 9}, {"max_tokens_budget": 5}, {"max_iterations": 10, "max_tokens_budget": 5}),
        ({"max_tokens_budget": 3}, {"max_tokens_budget": 5}, {"max_iterations": 10, "max_tokens_budget": 3}),
        ({"max_tokens_budget": 3}, {}, {"max_iterations": 10, "max_tokens_budget": 3}),
    ],
)
def test_limits_are_cut_down(child: dict[str, Any], parent: dict[str, Any], cut: dict[str, Any]) -> None:
    """Never wider than the parent's, and never more than ten iterations (INV-012)."""
    assert limits(**child).narrowed(limits(**parent)) == limits(**cut)


@pytest.mark.parametrize(
    ("child", "parent", "cut"),
    [
        ("standard", "sovereign", "sovereign"),
        ("sovereign", "standard", "sovereign"),
        ("standard", "private", "private"),
        ("standard", "standard", "standard"),
    ],
)
def test_privacy_is_at_least_as_strict(child: str, parent: str, cut: str) -> None:
    """A child cannot send data farther than its parent may."""
    assert AgentManifest(privacy=child).narrowed(AgentManifest(privacy=parent)).privacy is PrivacyTier(cut)


def test_capabilities_are_cut_down() -> None:
    """What the parent does not grant is gone; everything else of the manifest stays."""
    child = AgentManifest(
        name="child",
        tools=("a.b:c",),
        capabilities=(FileRead(allowed_paths=("/",)), Network(allowed_hosts=("*",)), Rag()),
    )
    parent = AgentManifest(name="parent", capabilities=(FileRead(allowed_paths=("/data",)), Rag()))
    cut = child.narrowed(parent)
    assert cut.capabilities == (FileRead(allowed_paths=("/data",)), Rag())
    assert (cut.name, cut.tools) == ("child", ("a.b:c",))
    assert child.capabilities[1] == Network(allowed_hosts=("*",))


def test_problems_are_short_and_harmless() -> None:
    """A file of somebody else's writes nothing onto a terminal but what it says."""
    keys = {"\x1b[2J": 1, "privacy": "x" * 5_000, "capabilities": [{"type": "\ufeff\x1b]0;title\x07"}]}
    with pytest.raises(ManifestError) as refused:
        AgentManifest(**keys)
    assert [problem.isprintable() and len(problem) < 1_000 for problem in refused.value.problems] == [True] * 3
    assert "\\x1b[2J: unknown key" in refused.value.problems
