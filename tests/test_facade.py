"""The facade: its names, and that importing it does nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import actors

SOURCE = Path(actors.__file__).read_text(encoding="utf-8")

PROMISED = """
AgentPool SpawnConfig Agent LlmAgent Actor AgentManifest AgentHandle AgentOutcome AgentMessage AgentLoopResult
MessageRouter Inbox CancelToken PoolStats PoolDump RestartPolicy Backoff log
CompletionRequest CompletionResponse TokenUsage ToolCall ToolDefinition ToolResult StopReason PrivacyTier
SystemMessage UserMessage AssistantMessage ToolResultMessage LlmDriver MemorySubstrate Tool
MemoryFilter MemoryFragment MemorySource InMemorySubstrate
ScriptedDriver FunctionDriver RoutingDriver RoutingStrategy tool ToolRegistry
Rag Memory Browser Inference Compute Shell FileRead FileWrite Network Mcp Spawn capability_matches
LoopGuard Verdict VerdictKind
ActorsError AgentError DriverError RateLimited Overloaded NetworkError MalformedAnswer ModelNotFound InferenceFailed
CircuitBreak CapacityError ContextOverflow CapabilityDenied ToolFailed ManifestError MemoryFailed SendError
NotRegistered InboxFull InboxClosed ActorDead AgentCancelled AgentTimedOut AgentCrashed AgentAbandoned DeadlockError
PoolClosed ForkedPoolError AskTimeout Cancelled
"""


@pytest.mark.parametrize("name", actors.__all__)
def test_every_name_is_there(name: str) -> None:
    """Each name of ``__all__`` can be imported and stands for something."""
    assert getattr(actors, name) is not None


def test_no_name_twice() -> None:
    """``__all__`` names each thing once."""
    assert len(actors.__all__) == len(set(actors.__all__))


@pytest.mark.parametrize("name", PROMISED.split())
def test_every_promised_name_is_public(name: str) -> None:
    """What the contract names is in ``__all__``."""
    assert name in actors.__all__


def test_every_error_is_public() -> None:
    """Nobody has to look into ``actors.errors`` to catch something."""
    classes = [value for value in vars(actors.errors).values() if isinstance(value, type)]
    errors = {cls.__name__ for cls in classes if issubclass(cls, BaseException) and not cls.__name__.startswith("_")}
    assert {error for error in errors if error in vars(actors.errors) and error != "BaseException"} <= set(
        actors.__all__
    )
    assert "TruncationExceeded" in errors


def test_the_names_are_grouped() -> None:
    """``__all__`` has headings, and within each group but the last the names are sorted."""
    start = SOURCE.index("__all__ = [")
    block = SOURCE[start : SOURCE.index("\n]", start)]
    groups = re.split(r"\n    # .*", block)[1:]
    assert len(groups) >= 6
    for group in groups[:-1]:
        names = re.findall(r'"(\w+)"', group)
        assert names
        assert names == sorted(names)


def test_everything_imported_is_public() -> None:
    """The facade imports nothing for its own use but underscored names."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name in names if not name.startswith("_")} <= set(actors.__all__)


def test_the_version_stands_in_one_place() -> None:
    """The metadata takes it from the package."""
    assert re.fullmatch(r"\d+\.\d+\.\d+([a-z]+\d+)?", actors.__version__)
    setup = Path(actors.__file__).parent.parent / "setup.cfg"
    if not setup.exists():
        pytest.skip("an installed package has no setup.cfg beside it")
    assert "version = attr: actors.__version__" in setup.read_text(encoding="utf-8")


WATCHED = """
import sys, threading
import asyncio, concurrent.futures, logging, multiprocessing, uuid  # what our dependencies may import as they like
import loguru, pydantic, pykka
pydantic.create_model("First", field=(int, 0))  # the first model makes pydantic look for its plugins
seen = []
threads = []

def watch(event, args):
    if event in ("socket.connect", "subprocess.Popen", "os.system", "os.fork", "socket.bind", "os.putenv"):
        seen.append((event, repr(args)))
    elif event == "open" and isinstance(args[0], (str, bytes)):
        path, mode = str(args[0]), args[1]
        if not path.endswith((".py", ".pyc", ".zip")) and ".pyc." not in path:
            seen.append((event, path, str(mode)))

original = threading.Thread.start
def start(self):
    threads.append(self.name)
    original(self)
threading.Thread.start = start
sys.addaudithook(watch)
before = set(threading.enumerate())
import actors
print("io", seen)
print("threads", threads + [t.name for t in threading.enumerate() if t not in before])
print("heavy", sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:])))
print("actors", len(pykka.ActorRegistry.get_all()))
"""

OPTIONAL = [
    "typer",
    "rich",
    "click",
    "openai",
    "anthropic",
    "httpx",
    "requests",
    "mcp",
    "numpy",
    "pytest",
    "hypothesis",
]


def run_python(code: str, *arguments: str) -> str:
    """What a fresh interpreter writes; it must end well, and without a warning."""
    root = str(Path(actors.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {root!r})\n{code}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def imported() -> dict[str, str]:
    """What a fresh process saw while it imported the library."""
    return dict(line.split(" ", 1) for line in run_python(WATCHED, *OPTIONAL).splitlines())


@pytest.mark.process
def test_import_starts_no_thread(imported: dict[str, str]) -> None:
    """Threads start with the first agent."""
    assert imported["threads"] == "[]"


@pytest.mark.process
def test_import_does_no_io(imported: dict[str, str]) -> None:
    """Nothing but the code itself is opened, connected to or started."""
    assert imported["io"] == "[]"


@pytest.mark.process
def test_import_loads_no_optional_package(imported: dict[str, str]) -> None:
    """Neither the command line's packages nor any provider's."""
    assert imported["heavy"] == "[]"


@pytest.mark.process
def test_import_registers_no_actor(imported: dict[str, str]) -> None:
    """Pykka's registry stays empty."""
    assert imported["actors"] == "0"


SILENT = """
import sys
from loguru import logger
import actors

def fail():
    with actors.AgentPool(max_concurrent=1) as pool:
        pool.submit(int, "1").add_done_callback(lambda _: 1 / 0)
        assert pool.join_next(10).result == 1

fail()
sys.stderr.flush()
print("still", file=sys.stderr)
actors.log("ERROR")
fail()
"""


@pytest.mark.process
def test_the_library_is_silent() -> None:
    """Until ``log()`` turns it on, and then each line is written once."""
    done = run_python(SILENT)
    before, _, after = done.partition("still")
    assert before == ""
    assert after.count("a done callback of agent 1 (int) failed") == 1
