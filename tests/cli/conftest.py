"""A folder with manifests and the code they name, and two ways to run the command line there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import actors
from actors.cli.main import app

from ..processes import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOT = '''
import threading
from actors import Agent, CompletionResponse, FunctionDriver, InferenceFailed, PrivacyTier, TokenUsage, tool
from actors.agent.terms.capability import FileRead

def answer(request):
    query = request.messages[-1].content
    if "fail" in query:
        raise InferenceFailed("no answer to " + query)
    if "boom" in query:
        raise ValueError("boom [red]x[/nothing]")
    return CompletionResponse(text="answer to " + query, usage=TokenUsage(10, 5))

def make(manifest):
    return FunctionDriver(answer)

def make_other(manifest):
    return FunctionDriver(lambda request: "other")

def make_remote(manifest):
    driver = FunctionDriver(answer)
    driver.privacy_tier = PrivacyTier.STANDARD
    return driver

def explode(manifest):
    raise RuntimeError("no model file")

@tool
def shout(text: str) -> str:
    """Say it loud."""
    return text.upper()

no_tool = 3

class Wait(Agent):
    """Wait until somebody stops it."""
    def run(self, query):
        if "wait" in query:
            self.sleep(600)
        return query

class Stubborn(Agent):
    def run(self, query):
        threading.Event().wait(60)

class Odd(Agent):
    def run(self, query):
        return {"set": {1}, "plain": [1, 2]} if query == "set" else {(1, 2): float("nan")}

class Grants(Agent):
    def run(self, query):
        return [path for grant in self.manifest.capabilities if isinstance(grant, FileRead)
                for path in grant.allowed_paths]
'''

MANIFESTS = {
    "ask.toml": 'name = "ask"\n[model]\ndriver = "bot:make"\n',
    "second.toml": 'name = "second"\n[model]\ndriver = "bot:make_other"\n',
    "wait.toml": 'name = "wait"\nagent = "bot:Wait"\n',
    "stubborn.toml": 'name = "stubborn"\nagent = "bot:Stubborn"\n',
    "odd.toml": 'name = "odd"\nagent = "bot:Odd"\n',
    "grants.toml": 'name = "grants"\nagent = "bot:Grants"\n',
    "nodriver.toml": 'name = "nodriver"\n',
    "tools.toml": 'name = "tools"\ntools = ["bot:shout", "bot:gone"]\n[model]\ndriver = "bot:make"\n',
}

START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);from actors.cli.main import main; main()"
)
LIMIT = 30.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts the command line as a process."""
    mark(items, Path(__file__).parent, "start")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with manifests and ``bot.py``."""
    (tmp_path / "bot.py").write_text(BOT)
    for name, text in MANIFESTS.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    # The width of tables must not depend on who runs the tests.
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def cli(folder: Path) -> Callable[..., Any]:
    """Run the command line in this process."""

    def invoke(*args: str, stdin: str | bytes | None = None) -> Any:
        result = CliRunner().invoke(app, list(args), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process that is killed after ``LIMIT`` seconds."""
    started: list[tuple[subprocess.Popen[str], threading.Timer]] = []

    def popen(*args: str, **options: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            [sys.executable, "-c", START, *args], cwd=folder, env=environment(), text=True, **pipes
        )
        timer = threading.Timer(LIMIT, process.kill)
        timer.start()
        started.append((process, timer))
        return process

    yield popen
    for process, timer in started:
        timer.cancel()
        timer.join()
        process.kill()
        with process:  # waits, and closes its pipes
            pass


def environment() -> dict[str, str]:
    """The environment of a child process that finds the package."""
    root = str(Path(actors.__file__).parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, *records: Any) -> Path:
    """Write records, one a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path
