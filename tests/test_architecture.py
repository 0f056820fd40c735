"""The house: the rules of its rooms, checked against the source; nobody imports in a circle."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import actors

from .imports import Sources

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(actors.__file__).parent
TREE = Path(__file__).parents[1]
"""The checkout: what is no part of the package stands there."""
FACADE = "actors"

LAYERS = {
    "errors": 0, "extras": 0, "public": 0, "core": 1, "agent": 2, "network": 3, "storage": 3,
    "drivers": 4, "inside": 4, "journal": 4, "progress": 4, "sessions": 4, "tools": 4,
    "conversation": 5, "memory": 5,
    "pool_actors": 5, "pool_view": 5, "pool_parts": 6, "pool": 7, "question": 8, "cluster": 8,
    "actors": 9, "agents": 9, "capabilities": 9,
    "events": 9, "journals": 9, "limits": 9, "manifests": 9, "messages": 9, "monitoring": 9, "ports": 9,
    "cli": 10, "testing": 10, "__main__": 11,
}  # fmt: skip
"""Room -> height; imports go down, or stay inside a room."""

CORE_NEEDS = {
    "ground": set(),
    "waiting": {"ground"},
    "records": {"ground"},
    "process": {"ground", "waiting"},
    "messaging": {"ground", "waiting", "records", "process"},
    "dispatching": {"ground", "waiting", "process"},
    "actors": {"ground", "waiting", "records", "process", "messaging", "dispatching"},
    "addressing": {"ground", "waiting", "records", "process", "messaging", "actors"},
    "trees": {"ground", "waiting", "records", "process", "messaging", "actors"},
    "scheduling": {"ground", "waiting", "records", "process", "messaging", "actors"},
    "supervision": {"ground", "waiting", "records", "process", "messaging", "actors", "scheduling"},
}
"""Room of the core -> the rooms that it may import, from the ground up. The ground is what stands in none."""
CORE = list(CORE_NEEDS)

AGENT = {"terms": 0, "agent": 1, "loop": 2, "assembly": 3}
"""Room of ``agent/`` -> height; its own files stand in none, and are called as it is."""

EVERYWHERE = {"loguru", "pydantic", "pydantic_core", "typing_extensions"}
ONLY_IN = {
    "pykka": ("core",), "typer": ("cli",), "rich": ("cli", "progress"), "click": ("cli",),
    "docstring_parser": ("tools",), "packaging": ("extras",), "numpy": ("memory",), "jsonschema": ("agent",),
    "jsonschema_specifications": ("agent",), "referencing": ("agent",), "opentelemetry": ("inside",),
    "ray": ("cluster",), "cloudpickle": ("cluster",),
}  # fmt: skip

ONCE = {
    "actors.cluster.shared",
    "actors.cluster.classes",
    "actors.core.checks",
    "actors.core.dispatching.dispatcher",
    "actors.core.process.at_exit",
    "actors.core.process.fork",
    "actors.core.process.event_loop",
    "actors.core.waiting.crowd",
    "actors.drivers.shared_limiters",
    "actors.network.tls",
}
"""The files of what a process has once, made on first use."""
ENVIRONMENT = {
    "actors.cluster.host_process",
    "actors.cluster.ray_link",
    "actors.inside.live_view.doorplate",
    "actors.tools.environment",
    "actors.core.checks",
    "actors.network.tls",
    "actors.testing.fixtures",
}
"""The files that read the environment: for child processes, for the switch of our own checks, for which certificates
are trusted, for what tests record.
"""

MUTABLE_CALLS = {
    "list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict", "count", "cycle",
    "WeakSet", "WeakKeyDictionary", "WeakValueDictionary", "Queue", "SimpleQueue", "LifoQueue", "PriorityQueue",
}  # fmt: skip
MAX_LINES = 500


HOUSE = Sources(ROOT)
MODULES, TREES, OWN, FOREIGN = HOUSE.modules, HOUSE.trees, HOUSE.own, HOUSE.foreign


def room(name: str) -> str:
    return name.split(".")[1]


def core_room(name: str) -> str | None:
    """Which room of the core a module stands in; None for what is no module of the core."""
    parts = name.split(".")
    if len(parts) < 3 or parts[1] != "core":
        return None
    return parts[2] if MODULES[name].parent.name != "core" else "ground"


def test_the_graph_is_not_empty() -> None:
    """The checks below look at the real package."""
    assert len(MODULES) > 50
    assert len(OWN) > 200
    found = {(entry.source, entry.target) for entry in OWN}
    assert ("actors.agent.agent", "actors.core.actors.agent_actor") in found
    assert ("actors.core.supervision.pool_state", "actors.core.process.fork") in found  # from . import fork
    assert ("actors.pool", "actors.core.supervision.supervisor") in found
    assert any(entry.typing_only for entry in OWN)
    assert {"pykka", "loguru", "pydantic"} <= {entry.target.partition(".")[0] for entry in FOREIGN}


def test_every_import_of_ours_names_a_module() -> None:
    """No import leads to a file that is not there."""
    assert [entry.place for entry in OWN if entry.target not in MODULES] == []


def test_every_module_stands_in_a_known_room() -> None:
    """A new room needs a height."""
    assert {room(name) for name in MODULES if name != FACADE} <= set(LAYERS)


def test_imports_go_down() -> None:
    """errors <- core <- agent <- network <- drivers, memory, progress, tools <- pool <- the public groups <- cli."""
    upward = [
        entry.place
        for entry in OWN
        if FACADE not in (entry.source, entry.target)
        and room(entry.source) != room(entry.target)
        and LAYERS[room(entry.source)] <= LAYERS[room(entry.target)]
    ]
    assert upward == []


def test_every_module_of_the_core_stands_in_a_known_room() -> None:
    """A new room needs its place in the order; and each that is named is there."""
    assert {core_room(name) for name in MODULES} - {None} == set(CORE)
    assert all(below in CORE[: CORE.index(room)] for room, needs in CORE_NEEDS.items() for below in needs)


def test_rooms_of_the_core_import_what_stands_below_them() -> None:
    """Decide below, act above; imports for type checkers count."""
    strays = [
        entry.place
        for entry in OWN
        if (source := core_room(entry.source)) is not None
        and (target := core_room(entry.target)) is not None
        and source != target
        and target not in CORE_NEEDS[source]
    ]
    assert strays == []


def agent_room(name: str) -> str | None:
    """Which room of ``agent/`` a module stands in; None for what is no module of it."""
    return MODULES[name].parent.name if name.startswith("actors.agent.") else None


def test_rooms_of_an_agent_import_what_stands_below_them() -> None:
    """What is agreed on, then the agent, then its loop, then who puts it together."""
    assert {agent_room(name) for name in MODULES} - {None} == set(AGENT)
    upward = [
        entry.place
        for entry in OWN
        if (source := agent_room(entry.source)) is not None
        and (target := agent_room(entry.target)) is not None
        and AGENT[source] < AGENT[target]
    ]
    assert upward == []


def test_pykka_stays_in_one_room_of_the_core() -> None:
    """Whatever changes in it is mended there."""
    homes = {core_room(entry.source) for entry in FOREIGN if entry.target.partition(".")[0] == "pykka"}
    assert homes == {"actors"}


def test_errors_import_nothing_of_ours() -> None:
    """The taxonomy is the ground floor."""
    assert [
        entry.place for entry in OWN if room(f"{entry.source}.") == "errors" and room(f"{entry.target}.") != "errors"
    ] == []


def test_nothing_inside_imports_the_facade() -> None:
    """``from actors import`` is for users, tests and the command line alone."""
    users = [entry.place for entry in OWN if entry.target == FACADE and not entry.source.startswith("actors.cli")]
    assert users == []


def test_imports_inside_are_relative() -> None:
    """Inside the package the way to a neighbour is relative; only the command line may use the facade by its name."""
    absolute = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if not name.startswith("actors.cli")
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "actors")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "actors" for alias in node.names))
    ]
    assert absolute == []


@pytest.mark.parametrize("folder", ["actors", "benchmarks", "tests"])
def test_no_circle(folder: str) -> None:
    """Nobody imports itself over others, be it for types alone or inside a function."""
    sources = HOUSE if folder == FACADE else Sources(TREE / folder)
    assert len(sources.own) > 200  # it looks at the real ones
    assert sources.circle() == []


@pytest.mark.parametrize(
    "line",
    [
        "from . import one",
        "from .one import a",
        "import house.one",
        "class A:\n    from .one import a",
        "if TYPE_CHECKING:\n    from .one import a",
        "if typing.TYPE_CHECKING:\n    import house.one",
        "def f():\n    from . import one",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from . import one",
    ],
)
def test_every_kind_of_circle_is_seen(tmp_path: Path, line: str) -> None:
    """Over three modules, wherever the import that closes it stands, and in whatever form."""
    house = tmp_path / "house"
    (house / "room").mkdir(parents=True)
    (house / "__init__.py").write_text("from .one import a")
    (house / "one.py").write_text("import sys\nfrom house.room import two")
    (house / "room" / "__init__.py").write_text("")
    (house / "room" / "two.py").write_text("from ..three import c")
    (house / "three.py").write_text(line)
    sources = Sources(house)
    circle = sources.circle()
    assert set(circle) == {"house.one", "house.room.two", "house.three"}
    assert circle[0] == circle[-1]
    imports = {(entry.source, entry.target) for entry in sources.own}
    assert imports > set(itertools.pairwise(circle))
    (house / "three.py").write_text("import sys")
    assert Sources(house).circle() == []


def test_required_packages_stay_in_their_rooms() -> None:
    """Pykka only under core, typer only under cli, rich there and under progress; loguru and pydantic anywhere."""
    strays = [
        entry.place
        for entry in FOREIGN
        if (allowed := ONLY_IN.get(entry.target.partition(".")[0])) is not None and room(entry.source) not in allowed
    ]
    assert strays == []


def test_the_edge_decides_from_plain_data() -> None:
    """It knows no package, no thread, no loop and no socket: what it is given is all that it looks at."""
    edge = "actors.drivers.edge"
    strays = [entry.place for entry in FOREIGN if entry.source.startswith(edge)]
    rooms = {"actors.agent.", "actors.errors", "actors.core.clock", "actors.network.bounded_json", f"{edge}."}
    rooms |= {"actors.drivers.rate_headers", "actors.network.encoding", "actors.core.shown", "actors.core.records."}
    strays += [
        entry.place
        for entry in OWN
        if entry.source.startswith(edge) and not entry.target.startswith((*rooms, edge)) and entry.target != "actors"
    ]
    assert strays == []


def test_each_optional_package_has_its_own_module() -> None:
    """What is not always installed is imported by one module, above the core, when that module is asked for."""
    homes: dict[str, set[str]] = {}
    for entry in FOREIGN:
        package = entry.target.partition(".")[0]
        if package not in EVERYWHERE and package not in ONLY_IN:
            homes.setdefault(package, set()).add(entry.source)
    assert {package: names for package, names in homes.items() if len(names) > 1} == {}
    low = {
        package: names for package, names in homes.items() for name in names if LAYERS[room(name)] < LAYERS["network"]
    }
    assert low == {}


def test_the_facade_needs_no_optional_package() -> None:
    """What the facade has, now or when it is asked for it, imports required packages alone."""
    shelves = {FACADE, *(name for name in MODULES if name.count(".") == 1 and LAYERS[room(name)] == LAYERS["agents"])}
    reached, waiting = {FACADE}, [FACADE]
    while waiting:
        name = waiting.pop()
        asked = name in shelves
        found = {entry.target for entry in OWN if entry.source == name and (entry.runtime or asked)} - reached
        reached |= found
        waiting += found
    assert "actors.core.supervision.supervisor" in reached
    required = EVERYWHERE | {"pykka"}
    strays = [
        entry.place
        for entry in FOREIGN
        if entry.source in reached and entry.runtime and entry.target.partition(".")[0] not in required
    ]
    assert strays == []


GROUPS_ALONE = """
import importlib, sys, traceback
failed = []
for group in sys.argv[1:]:
    for loaded in [loaded for loaded in sys.modules if loaded == "actors" or loaded.startswith("actors.")]:
        del sys.modules[loaded]
    if not group.startswith("actors.cli"):
        # Without the facade: it would import the neighbours first, in an order that hides a missing import.
        package = type(sys)("actors")
        package.__path__ = [PATH]
        sys.modules["actors"] = package
    for name in group.split():
        try:
            importlib.import_module(name)
        except Exception:
            failed.append(name + ": " + traceback.format_exc())
print(chr(10).join(failed))
sys.exit(bool(failed))
"""


def folder(name: str) -> str:
    return name.rpartition(".")[0]


@pytest.mark.process
def test_every_module_is_importable_alone() -> None:
    """Each module brings what it needs, whatever was imported before it: the first and the last of each folder alone,
    and all of them from the last to the first. (That nobody imports himself over others is looked at above.)
    """
    names = sorted(name for name in MODULES if name != FACADE and not name.endswith("__main__"))
    folders = [list(each) for _, each in itertools.groupby(sorted(names, key=folder), key=folder)]
    groups = [*{each[0] for each in folders}, *{each[-1] for each in folders}, " ".join(reversed(names))]
    code = GROUPS_ALONE.replace("PATH", repr(str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *groups], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    yield name.id, node.value
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value


def is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if not isinstance(value, ast.Call):
        return False
    function = value.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in MUTABLE_CALLS


def test_no_mutable_state_at_module_level() -> None:
    """Outside the files of what a process has once, no module keeps a list, dict, set or counter that may change."""
    kept = [
        f"{name}:{value.lineno} {variable}"
        for name, tree in TREES.items()
        if name not in ONCE
        for node in tree.body
        for variable, value in assigned(node)
        if is_mutable(value) and not variable.lstrip("_").isupper() and variable != "__all__"
    ]
    assert kept == []


def test_no_module_rebinds_its_globals() -> None:
    """``global`` is for the files of what a process has once."""
    found = {name for name, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.Global)}
    assert found <= ONCE


def test_constants_stay_as_they_are() -> None:
    """A table in capitals is never changed: no item is set, and no changing method is called on it."""
    changes = {
        "append",
        "add",
        "update",
        "clear",
        "pop",
        "popitem",
        "remove",
        "discard",
        "extend",
        "setdefault",
        "insert",
    }
    changed = []
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            owner: ast.expr | None = None
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                owner = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in changes:
                owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id.lstrip("_").isupper() and len(owner.id) > 1:
                changed.append(f"{name}:{getattr(node, 'lineno', 0)} {owner.id}")
    assert changed == []


@pytest.mark.parametrize("name", MODULES)
def test_rooms_are_small(name: str) -> None:
    """No module is longer than a sitting."""
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public classes, functions and methods without a docstring; an override inherits that of its base."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not is_overload(node):
            yield f"{node.name} (line {node.lineno})"
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if (
                    isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not method.name.startswith("_")
                    and ast.get_docstring(method) is None
                    and not is_overload(method)
                ):
                    yield f"{node.name}.{method.name} (line {method.lineno})"


def is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name: str) -> None:
    """The module itself, its public classes and functions, and their public methods."""
    assert ast.get_docstring(TREES[name]), f"{name} has no docstring"
    assert list(undocumented(TREES[name])) == []


def test_nothing_prints_but_the_command_line() -> None:
    """The library speaks through its log, its events and its errors."""
    printing = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if not name.startswith("actors.cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_no_module_reads_the_environment() -> None:
    """Settings are arguments. What reads it all the same is named."""
    reading = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if not name.startswith("actors.cli") and name not in ENVIRONMENT
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]
    assert reading == []
