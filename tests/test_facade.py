"""The facade: its names, and that importing it does nothing."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pickle
import pickletools
import re
import subprocess
import sys
import typing
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pydantic
import pytest

import actors
from actors.core.actors import envelope, reply

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


GROUPS = (
    "agents",
    "actors",
    "messages",
    "manifests",
    "capabilities",
    "limits",
    "ports",
    "drivers",
    "memory",
    "tools",
    "events",
    "errors",
    "journals",
    "monitoring",
    "sessions",
    "testing",
)
MODULES = {group: importlib.import_module(f"actors.{group}") for group in GROUPS}
LISTED = {(group, name) for group, module in MODULES.items() for name in module.__all__}


@pytest.mark.parametrize("name", actors.__all__)
def test_every_name_is_there(name: str) -> None:
    """Each name of ``__all__`` can be imported and stands for something."""
    assert getattr(actors, name) is not None


def test_the_top_is_small() -> None:
    """What most people use: no more than one can look through."""
    assert len(actors.__all__) <= 60
    assert len(actors.__all__) == len(set(actors.__all__))


@pytest.mark.parametrize("name", PROMISED.split())
def test_every_promised_name_works_from_the_top(name: str) -> None:
    """What the contract names can be imported from here, and is listed in a group, or here."""
    assert getattr(actors, name) is not None
    assert name in actors.__all__ or any(name == listed for _, listed in LISTED)


@pytest.mark.parametrize(("group", "name"), sorted(LISTED))
def test_every_name_of_a_group_is_there(group: str, name: str) -> None:
    """And, but for what is for tests alone, works from the top, too."""
    thing = getattr(MODULES[group], name)
    assert thing is not None
    if group != "testing":
        assert getattr(actors, name) is thing


@pytest.mark.parametrize("name", sorted(set(actors.__all__) - {"log", "__version__"}))
def test_every_name_of_the_top_has_a_group(name: str) -> None:
    """Who knows the group finds all of it there."""
    assert [group for group, listed in LISTED if listed == name]


def test_the_groups_are_named_at_the_top() -> None:
    """By who reads ``help(actors)``; and each name stands in one of them alone."""
    assert all(f"``actors.{group}``" in (actors.__doc__ or "") for group in GROUPS)
    names = [name for _, name in LISTED]
    assert sorted(names) == sorted(set(names))


def test_every_error_is_public() -> None:
    """All errors stand in ``actors.errors``, and are listed there."""
    classes = [value for value in vars(actors.errors).values() if isinstance(value, type)]
    errors = {cls.__name__ for cls in classes if issubclass(cls, BaseException) and not cls.__name__.startswith("_")}
    assert errors - {"BaseException"} == set(actors.errors.__all__)
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


SHELVES = [name for name in GROUPS if "shelve(" in Path(MODULES[name].__file__ or "").read_text(encoding="utf-8")]


def test_there_are_shelves() -> None:
    """Groups whose names are imported when somebody asks for them."""
    assert len(SHELVES) == 10


@pytest.mark.parametrize("group", ["", *SHELVES])
def test_what_is_imported_when_asked_for_is_what_checkers_are_told(group: str) -> None:
    """The same names, from the same modules."""
    module = MODULES[group] if group else actors
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    guard = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        (node.module, alias.name) for node in guard.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    where = vars(module)["_where"]
    assert {(home.removeprefix("actors").lstrip("."), name) for name, home in where.items()} == told
    assert {*getattr(module, "__all__", ())} - {"__version__"} <= {*where}
    assert {*where} <= {*dir(module)}


def test_a_name_that_is_nowhere_is_no_attribute() -> None:
    """As of any module."""
    for module in (actors, MODULES["agents"]):
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'nothing'"):
            _ = module.nothing  # type: ignore[attr-defined]


def test_everything_imported_is_public() -> None:
    """The facade imports nothing for its own use but underscored names; old names say so by ``X as X``."""
    imported = [
        alias
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    ]
    assert {alias.name for alias in imported if alias.asname is None} <= set(actors.__all__)
    assert {alias.name for alias in imported if alias.asname is not None}.isdisjoint(actors.__all__)
    assert all(alias.asname in (None, alias.name) for alias in imported)


# Where things live ----------------------------------------------------------------------------------------------

CLASSES = {name: thing for group, name in sorted(LISTED) if isinstance(thing := getattr(MODULES[group], name), type)}


RECORDS = [cls for cls in CLASSES.values() if dataclasses.is_dataclass(cls) or issubclass(cls, pydantic.BaseModel)]
PICKLED = {name: cls for name, cls in CLASSES.items() if cls in RECORDS or issubclass(cls, Enum | BaseException | dict)}


@pytest.mark.parametrize("name", PICKLED)
def test_what_is_pickled_lives_where_it_is_listed(name: str) -> None:
    """A pickle names it by that: files inside may move."""
    assert PICKLED[name].__module__ in {f"actors.{group}" for group, listed in LISTED if listed == name}


@pytest.mark.parametrize("name", sorted(set(CLASSES) - set(PICKLED) - {"AgentId"}))
def test_the_source_of_the_others_is_found(name: str) -> None:
    """Who looks at a class in a notebook, or makes pages of it, sees its code."""
    assert f"class {CLASSES[name].__name__}" in inspect.getsource(CLASSES[name])


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_annotations_are_known_where_a_class_lives(cls: type) -> None:
    """pydantic, and whoever else reads them, looks there."""
    assert typing.get_type_hints(cls)
    if cls.__module__ == "actors.ports":
        assert pydantic.TypeAdapter(cls) is not None


def referred(pickled: bytes) -> set[str]:
    """The modules that a pickle needs."""
    modules, strings = set(), []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            modules.add(argument.split()[0])
        elif opcode.name == "STACK_GLOBAL":
            modules.add(strings[-2])
        elif isinstance(argument, str):
            strings.append(argument)
    return modules


def values() -> dict[str, Any]:
    """What may be pickled: an outcome of each kind, a message, a config, events, errors, figures, records."""
    found: dict[str, Any] = {}
    events: list[Any] = []
    manifest = actors.AgentManifest(name="a", capabilities=(actors.FileRead(allowed_paths=["/tmp"]),))
    with actors.AgentPool(actors.ScriptedDriver(["yes"]), on_event=events.append, max_queued=None) as pool:
        config = actors.SpawnConfig(manifest, "?", messages=(actors.UserMessage("before"),))
        found["config"] = config
        found["completed"] = pool.spawn(config).outcome(10)
        found["crashed"] = pool.submit(int, "no number").outcome(10)
        found["outcomes"] = pool.join_all()
        found["stats"], found["dump"] = pool.stats(), pool.dump()
    found |= {f"event {type(event).__name__}": event for event in events}
    found["message"] = actors.AgentMessage(1, 2, "hello")
    found["letter"] = actors.DeadLetter("lost", actors.DeadLetterReason.UNREGISTERED, datetime.now(UTC))
    found["policy"] = actors.RestartPolicy(1, 2.0, actors.Backoff(0.5))
    found["request"] = actors.CompletionRequest((actors.UserMessage("hi"),))
    found["response"] = actors.CompletionResponse("hi", tool_calls=(actors.ToolCall("1", "add", {}),))
    found["enums"] = [actors.AgentState.PARKED, actors.PrivacyTier.PRIVATE, actors.StopReason.END_TURN]
    found["pykka's"] = [reply.PykkaAskTimeout("late"), envelope.PykkaActorDead("gone", "message")]
    return found


def test_pickles_name_public_modules_only() -> None:
    """So a move of a file inside breaks none of them."""
    public = {"actors", *(f"actors.{group}" for group in GROUPS)}
    for name, value in values().items():
        pickled = pickle.dumps(value)
        inside = {module for module in referred(pickled) if module.partition(".")[0] == "actors"}
        assert inside <= public, name
        assert pickle.dumps(pickle.loads(pickled)) is not None
    assert referred(pickle.dumps(actors.AgentMessage(1, 2, "hello"))) == {"actors.messages"}


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
print("heavy", sorted({*sys.modules} & set(sys.argv[1:])))
print("actors", len(pykka.ActorRegistry.get_all()))
"""

OPTIONAL = [
    "typer",
    "docstring_parser",
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
    "opentelemetry",
    "http.server",
    "actors.cli",
    "actors.inside.live_view",
    "actors.inside.lives.drawing",
    "actors.inside.timeline_page",
    "actors.inside.why",
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
    """Neither the command line's packages nor any provider's, nor what looks inside a pool."""
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
