"""AgentManifest, three ways: text, file, keywords."""

from __future__ import annotations

import json
import pickle

import pytest

from actors import (
    AgentManifest,
    Browser,
    Compute,
    FileRead,
    FileWrite,
    Inference,
    Mcp,
    Memory,
    Network,
    PrivacyTier,
    Rag,
    Shell,
    Spawn,
)
from actors.errors import AgentError, ManifestError

FULL = """
name = "auditor"
version = "1.2.3"
description = "Reads files."
privacy = "private"
tools = ["package.tools:one", "package.tools:two"]

[model]
remote_model = "big-model"
max_tokens = 512
temperature = 0.0
system_prompt = "Be brief."
context_window = 8192

[resources]
max_iterations = 7
max_tool_calls = 9
max_cost_usd = 1.5
max_tokens_budget = 1000

[[capabilities]]
type = "rag"

[[capabilities]]
type = "file_read"
allowed_paths = ["/data", "/src"]

[[capabilities]]
type = "mcp"
server = "files"
tool = "*"

[[mcp_servers]]
name = "files"
transport = "stdio"
command = ["serve-files"]
"""


def as_keywords(text):
    import tomllib

    return AgentManifest(**tomllib.loads(text))


@pytest.fixture(params=["from_toml", "load", "keywords"])
def read(request, tmp_path):
    """The three ways to make one from TOML text."""

    def load(text):
        path = tmp_path / "agent.toml"
        path.write_text(text, encoding="utf-8")
        return AgentManifest.load(path)

    return {"from_toml": AgentManifest.from_toml, "load": load, "keywords": as_keywords}[request.param]


def problems_of(read, text):
    with pytest.raises(ManifestError) as caught:
        read(text)
    assert isinstance(caught.value, AgentError)
    problems = caught.value.problems
    assert problems
    assert all(isinstance(problem, str) for problem in problems)
    for problem in problems:
        assert problem in str(caught.value)
    return problems


def test_defaults(read) -> None:
    """Every default of the contract."""
    made = read("")
    assert made.name == "unnamed-agent"
    assert made.version == "0.1.0"
    assert made.privacy is PrivacyTier.SOVEREIGN
    assert made.model.model_path in (None, "")
    assert made.model.remote_model in (None, "")
    assert made.model.max_tokens == 4096
    assert made.model.temperature == 0.3
    assert made.model.system_prompt == "You are a helpful assistant."
    assert made.resources.max_iterations == 20
    assert made.resources.max_tool_calls == 50
    assert made.resources.max_cost_usd == 0.0
    assert made.resources.max_tokens_budget is None
    assert set(made.capabilities) == {Rag(), Memory()}
    assert list(made.mcp_servers) == []
    assert list(made.tools) == []


def test_every_key(read) -> None:
    """A full manifest."""
    text = FULL.replace('command = ["serve-files"]', 'command = "serve-files"') if not takes_list() else FULL
    made = read(text)
    assert (made.name, made.version, made.description) == ("auditor", "1.2.3", "Reads files.")
    assert made.privacy is PrivacyTier.PRIVATE
    assert tuple(made.tools) == ("package.tools:one", "package.tools:two")
    assert made.model.remote_model == "big-model"
    assert (made.model.max_tokens, made.model.temperature) == (512, 0.0)
    assert made.model.system_prompt == "Be brief."
    assert made.model.context_window == 8192
    assert made.resources.max_iterations == 7
    assert made.resources.max_tokens_budget == 1000
    assert tuple(made.capabilities) == (
        Rag(),
        FileRead(allowed_paths=("/data", "/src")),
        Mcp(server="files", tool="*"),
    )
    assert made.mcp_servers[0].name == "files"


def takes_list() -> bool:
    """Is an MCP command a list of words, or one string? The contract does not say."""
    try:
        AgentManifest(mcp_servers=[{"name": "x", "transport": "stdio", "command": ["x"]}])
    except ManifestError:
        return False
    return True


def test_every_capability_by_its_type() -> None:
    """Eleven kinds, tagged by type."""
    tables = [
        {"type": "rag"},
        {"type": "memory"},
        {"type": "browser"},
        {"type": "inference"},
        {"type": "compute"},
        {"type": "shell", "allowed_commands": ["ls"]},
        {"type": "file_read", "allowed_paths": ["/a"]},
        {"type": "file_write", "allowed_paths": ["/b"]},
        {"type": "network", "allowed_hosts": ["h"]},
        {"type": "mcp", "server": "s", "tool": "t"},
        {"type": "spawn", "max_depth": 3},
    ]
    made = AgentManifest(capabilities=tables)
    assert tuple(made.capabilities) == (
        Rag(),
        Memory(),
        Browser(),
        Inference(),
        Compute(),
        Shell(allowed_commands=("ls",)),
        FileRead(allowed_paths=("/a",)),
        FileWrite(allowed_paths=("/b",)),
        Network(allowed_hosts=("h",)),
        Mcp(server="s", tool="t"),
        Spawn(max_depth=3),
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('name = ""', "name"),
        ("[resources]\nmax_iterations = 0", "max_iterations"),
        ("[resources]\nmax_tool_calls = 0", "max_tool_calls"),
        ("[model]\nmax_tokens = 0", "max_tokens"),
        ("[model]\ntemperature = 2.1", "temperature"),
        ("[model]\ntemperature = -0.1", "temperature"),
        ('[model]\nremote_model = "gpt"', "remote_model"),
        ('[model]\nmodel_repo = "r"\nmodel_path = "p"', "model_path"),
        ('[[mcp_servers]]\ntransport = "stdio"\ncommand = "x"', "mcp_servers"),
        ('[[mcp_servers]]\nname = ""\ntransport = "stdio"\ncommand = "x"', "mcp_servers"),
        ('[[mcp_servers]]\nname = "x"\ntransport = "stdio"', "mcp_servers"),
        ('[[mcp_servers]]\nname = "x"\ntransport = "sse"\nurl = "http://h"', "mcp_servers"),
        ("colour = 3", "colour"),
        ("[model]\ntemprature = 0.5", "temprature"),
        ("[resources]\nmax_iteration = 5", "max_iteration"),
        ('[[capabilities]]\ntype = "flying"', "capabilities"),
        ('[[capabilities]]\ntype = "shell"\nallowed = ["ls"]', "allowed"),
        ('[[capabilities]]\nallowed_paths = ["/x"]', "capabilities"),
        ('privacy = "open"', "privacy"),
        ("name = 3", "name"),
        ('[resources]\nmax_iterations = "many"', "max_iterations"),
        ("tools = 5", "tools"),
    ],
)
def test_each_fault_is_a_problem_with_its_place(read, text, place) -> None:
    """ManifestError, in each of the three ways."""
    problems = problems_of(read, text)
    assert any(place in problem for problem in problems)


def test_all_problems_at_once(read) -> None:
    """Faults of types, keys and rules are listed together."""
    text = """
name = ""
colour = "red"
[model]
max_tokens = 0
temperature = 7.0
remote_model = "gpt"
model_repo = "r"
model_path = "p"
[resources]
max_iterations = 0
max_tool_calls = "x"
[[mcp_servers]]
name = ""
transport = "stdio"
"""
    problems = "\n".join(problems_of(read, text))
    for place in (
        "name",
        "colour",
        "max_tokens",
        "temperature",
        "remote_model",
        "model_path",
        "max_iterations",
        "max_tool_calls",
        "mcp_servers",
    ):
        assert place in problems, place


def test_sovereign_needs_no_remote_model(read) -> None:
    """The same manifest is fine when it is not sovereign."""
    assert read('privacy = "standard"\n[model]\nremote_model = "gpt"').model.remote_model == "gpt"


def test_limits_of_the_ranges(read) -> None:
    """0 and 2 are temperatures; 1 is a limit."""
    assert read("[model]\ntemperature = 2\nmax_tokens = 1").model.temperature == 2
    assert read("[model]\ntemperature = 0\n[resources]\nmax_iterations = 1").model.temperature == 0


def test_malformed_toml(tmp_path) -> None:
    """A ManifestError that says where."""
    with pytest.raises(ManifestError) as caught:
        AgentManifest.from_toml("name = \nversion = 1")
    assert "line 1" in str(caught.value)
    path = tmp_path / "broken.toml"
    path.write_text("name = [")
    with pytest.raises(ManifestError) as from_file:
        AgentManifest.load(path)
    assert "broken.toml" in str(from_file.value)


def test_unreadable_files(tmp_path) -> None:
    """A missing file, or one that is not UTF-8, is a clear error with its name."""
    with pytest.raises((ManifestError, OSError)) as caught:
        AgentManifest.load(tmp_path / "missing.toml")
    assert "missing.toml" in str(caught.value)
    path = tmp_path / "latin.toml"
    path.write_bytes('name = "caf\xe9"'.encode("latin-1"))
    with pytest.raises(ManifestError) as not_utf8:
        AgentManifest.load(path)
    assert "latin.toml" in str(not_utf8.value)


def test_load_takes_text_and_path_objects(tmp_path) -> None:
    """str or Path."""
    path = tmp_path / "agent.toml"
    path.write_text('name = "ann"')
    assert AgentManifest.load(str(path)).name == AgentManifest.load(path).name == "ann"


def test_keywords_take_models_dicts_lists_and_strings() -> None:
    """Tables as dicts or models, lists for tuples, strings for enums."""
    from actors import ModelConfig, ResourceLimits

    by_dict = AgentManifest(
        name="x",
        model={"max_tokens": 5},
        resources={"max_iterations": 3},
        capabilities=[{"type": "rag"}],
        privacy="private",
    )
    by_model = AgentManifest(
        name="x",
        model=ModelConfig(max_tokens=5),
        resources=ResourceLimits(max_iterations=3),
        capabilities=(Rag(),),
        privacy=PrivacyTier.PRIVATE,
    )
    assert by_dict == by_model


def test_it_is_frozen_and_can_be_pickled() -> None:
    """Plain data."""
    made = AgentManifest(name="x", capabilities=[{"type": "spawn", "max_depth": 2}])
    with pytest.raises(Exception, match=r"(?i)frozen|immutable"):
        made.name = "y"
    assert pickle.loads(pickle.dumps(made)) == made


def test_json_round_trip() -> None:
    """Enums are the words as written."""
    made = AgentManifest(name="x", privacy="private")
    data = json.loads(made.model_dump_json())
    assert data["privacy"] == "private"


def test_manifest_error_survives_pickling() -> None:
    """problems come along."""
    with pytest.raises(ManifestError) as caught:
        AgentManifest(name="")
    back = pickle.loads(pickle.dumps(caught.value))
    assert back.problems == caught.value.problems
    assert str(back) == str(caught.value)
