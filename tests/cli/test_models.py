"""The command line with real servers: ours, and one that others wrote."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import outcome_of, tool
from tests.drivers.provider import Provider

from .conftest import LIMIT, START, environment, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AUDIT = Path(__file__).parents[2] / "examples" / "audit" / "audit.toml"
FIXTURES = """
fixtures:
  - name: measure
    match:
      messages: [{role: user, content: {regex: '.*part.*'}}]
      tools_present: true
    sequence:
      - tool_calls:
          - {id: call_1, type: function, function: {name: measure_file, arguments: '{"path": "part.py"}'}}
          - {id: call_2, type: function, function: {name: worst_functions, arguments: '{"path": "part.py"}'}}
      - content: "clean: nothing to repair."
        usage: {prompt_tokens: 10, completion_tokens: 12, total_tokens: 22}
"""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The root URL of ``stubllm``, a server that others wrote."""
    folder = tmp_path_factory.mktemp("fixtures")
    (folder / "answers.yaml").write_text(FIXTURES)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from stubllm.cli import cli; cli()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", str(port), "--fixture-dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "running on" in line:
            break
    yield f"http://127.0.0.1:{port}"
    process.kill()
    with process:
        pass


@pytest.mark.process
@pytest.mark.parametrize(("driver", "path"), [("openai", "/v1"), ("anthropic", "")])
def test_the_audit_runs_unchanged(stub: str, folder: Path, driver: str, path: str) -> None:
    """With a real model's server: tools are called, the answer and the tokens are written."""
    (folder / "part.py").write_text("x = 1\n")
    command = [sys.executable, "-c", START, "run", str(AUDIT), "--driver", driver, "--model", "test-model"]
    ended = subprocess.run(
        [*command, "--base-url", stub + path, "--glob", "part.py", "--out", "out.jsonl"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    (record,) = lines_of(folder / "out.jsonl")
    assert (ended.returncode, record["status"]) == (0, "completed"), ended.stderr
    assert "clean" in record["result"]
    assert record["usage"]["output_tokens"] > 0


@pytest.mark.process
@pytest.mark.parametrize("word", ["openai:test-model@{}/v1", "anthropic:test-model@{}"], ids=["openai", "anthropic"])
def test_a_first_answer_with_all_settings(stub: str, word: str) -> None:
    """A server that others wrote takes them; whether a tool is called, its list of answers says."""

    @tool
    def measure_file(path: str) -> str:
        """Measure a file."""
        return f"{path} is short"

    @tool
    def worst_functions(path: str) -> str:
        """Name the worst functions of a file."""
        return f"{path} has none"

    outcome = outcome_of(
        word.format(stub),
        "Look at part.py.",
        tools=[measure_file, worst_functions],
        system_prompt="Be brief.",
        tool_choice="measure_file",
        parallel_tool_calls=True,
        prompt_cache=True,
        max_tokens=500,
        top_p=0.9,
        stop=["END"],
    )
    assert outcome.unwrap().text == "clean: nothing to repair."


@pytest.mark.process
def test_a_server_without_responses(stub: str, cli: Any, folder: Path) -> None:
    """Which a manifest asks for: the error names the protocol that it speaks."""
    (folder / "newer.toml").write_text(
        f'name = "newer"\n[model]\ndriver = "openai"\nmodel_path = "m"\napi = "responses"\nbase_url = "{stub}/v1"\n'
    )
    result = cli("run", "newer.toml", "--prompt", "a part")
    assert result.exit_code == 1
    assert "api='chat'" in result.stdout + result.stderr


@pytest.mark.process
def test_model_and_url_win_over_the_manifest(cli: Any, folder: Path) -> None:
    """The key is the environment's."""
    (folder / "far.toml").write_text(
        'name = "far"\nprivacy = "standard"\n[model]\ndriver = "openai"\nmodel_repo = "theirs"\n'
        'base_url = "https://models.example.com/v1"\n'
    )
    with Provider(["yes"]) as provider:
        result = cli("run", "far.toml", "--prompt", "q", "--model", "mine", "--base-url", provider.url)
    assert result.exit_code == 0, result.stderr
    assert provider.asked[0].body["model"] == "mine"


def test_a_sovereign_agent_is_not_sent_away(cli: Any, folder: Path) -> None:
    """Whatever the command line says; the refusal says why, and nothing is asked."""
    result = cli(
        "run", "nodriver.toml", "--prompt", "q", "--driver", "openai", "--model", "m", "--base-url", "https://x.example"
    )
    assert result.exit_code == 2
    assert "privacy sovereign does not allow https://x.example" in result.stderr


def test_a_model_without_a_name(cli: Any, folder: Path) -> None:
    """Is refused with what to set."""
    result = cli("run", "nodriver.toml", "--prompt", "q", "--driver", "openai")
    assert result.exit_code == 2
    assert "needs the name that the server knows" in result.stderr


# What a program gives -------------------------------------------------------------------------------------------

NEEDY = '''
from actors import tool
from actors.tools import Deps

@tool
def look_up(shop: Deps[dict]) -> str:
    """Look up."""
    return "found"
'''


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ('[model]\ndriver = "echo"\nsystem_prompt = "You serve ${deps.shop}."\n', "there are no deps"),
        ('tools = ["needy:look_up"]\n[model]\ndriver = "echo"\n', "the agent has none"),
    ],
    ids=["a prompt", "a tool"],
)
@pytest.mark.parametrize("command", ["run", "chat"])
def test_what_needs_deps_is_refused_in_one_line(
    cli: Callable[..., Any], folder: Path, command: str, manifest: str, why: str
) -> None:
    """A manifest that is good for a program alone: it is said so, without a traceback, and nothing is asked."""
    (folder / "needy.py").write_text(NEEDY)
    (folder / "shop.toml").write_text(f'name = "shop"\n{manifest}')
    words = ("run", "shop.toml", "--prompt", "hi") if command == "run" else ("chat", "shop.toml")
    result = cli(*words, stdin="hi\n")
    assert result.exit_code == 2
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: shop.toml: ")
    assert why in error
