"""``docs/design.md`` defines what tests and code cite, names what is public, and has the signatures of the code.

And in all texts for people: links lead somewhere, and files that are named are there.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pydantic import BaseModel

import actors
import actors.cluster
import actors.journals
from actors import (
    AgentManifest,
    AgentPool,
    FunctionDriver,
    Network,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    ToolResultMessage,
)
from actors.tools.fetch import fetch_url
from actors.tools.inference import ask_model, inference_tool

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")] + sorted(
    [*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
PUBLIC = {name: getattr(actors, name) for name in dir(actors)}
"""Imported when somebody asks for them."""
DESIGN = (ROOT / "docs/design.md").read_text(encoding="utf-8")

# What is cited, and what is defined -----------------------------------------------------------------------------

INVARIANT = re.compile(r"\b(?:INV-\d+|I\d{1,2}|A(?:10|[1-9])|M[1-5]|S[1-7])\b")
NUMBERS = r"(\d+(?:(?:, | and | to )\d+)*)"
SECTION = re.compile(rf"\b[Ss]ections? {NUMBERS}")
HAZARD = re.compile(rf"\b(?:[Hh]azards? {NUMBERS}|[Rr]ows? {NUMBERS} of the list of hazards)")

ANCHORED = re.findall(r'<a id="([^"]+)"></a>(?:\*\*(.+?)\*\*|(\d+)) *(\S?)', DESIGN)
DEFINED = {word for _, word, _, _ in ANCHORED if word}
HAZARDS = {int(row) for _, _, row, _ in ANCHORED if row}
SECTIONS = [int(number) for number in re.findall(r"^## (\d+)\. ", DESIGN, re.MULTILINE)]


def sources(*folders: str) -> Iterator[Path]:
    """The code and the texts below *folders*."""
    for folder in folders:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".py", ".md"))


CITING = {path: path.read_text(encoding="utf-8") for path in sources("tests", "actors", "benchmarks", "examples")}
EVERYTHING = CITING | {path: path.read_text(encoding="utf-8") for path in PAGES}


def numbers_in(pattern: re.Pattern[str], text: str) -> set[int]:
    """The numbers that *text* cites; of ``1 to 3`` those between, too."""
    found: set[int] = set()
    for match in pattern.finditer(text):
        for part in re.split(r", | and ", next(group for group in match.groups() if group)):
            first, _, last = part.partition(" to ")
            found.update(range(int(first), int(last or first) + 1))
    return found


def cited(find: Callable[[str], set[Any]], among: dict[Path, str]) -> dict[Any, list[str]]:
    """What is cited, with the files that do."""
    places: dict[Any, list[str]] = {}
    for path, text in among.items():
        for what in find(text):
            places.setdefault(what, []).append(path.relative_to(ROOT).as_posix())
    return places


def test_citations_are_found() -> None:
    """The patterns see what they have to see: else the tests below could not fail."""
    assert numbers_in(SECTION, "Section 6: who. Sections 7 and 10, section 3") == {3, 6, 7, 10}
    assert numbers_in(HAZARD, "hazard 3, or rows 1, 4 and 7 to 9 of the list of hazards; rows 2 and 5") == {
        1,
        3,
        4,
        7,
        8,
        9,
    }
    text = "{0}4 and {1}016, not A{0}4, {0}4x or {1}"
    assert INVARIANT.findall(text.format("I", "INV-")) == ["I" + "4", "INV-" + "016"]


def test_every_invariant_that_is_cited_is_defined() -> None:
    """Whoever meets one in a test can look it up."""
    places = cited(lambda text: set(INVARIANT.findall(text)), EVERYTHING)
    assert {what: where for what, where in places.items() if what not in DEFINED} == {}


def test_every_invariant_is_cited_by_a_test() -> None:
    """What nothing holds to is no invariant."""
    tests = {path: text for path, text in CITING.items() if path.is_relative_to(ROOT / "tests")}
    assert sorted(DEFINED - cited(lambda text: set(INVARIANT.findall(text)), tests).keys()) == []


def test_the_invariants_are_all_there() -> None:
    """Each once and in order, with an anchor of its name and a sentence."""
    expected = [
        *(f"I{number}" for number in range(1, 11)),
        *(f"A{number}" for number in range(1, 11)),
        *(f"M{number}" for number in range(1, 6)),
        *(f"S{number}" for number in range(1, 8)),
        *(f"INV-{number:03}" for number in range(1, 17)),
    ]
    assert [word for _, word, _, _ in ANCHORED if word] == expected
    assert [anchor for anchor, word, _, _ in ANCHORED if word] == [word.lower() for word in expected]
    assert all(begin for _, word, _, begin in ANCHORED if word)


def test_every_section_that_is_cited_is_there() -> None:
    """Tests cite them by number: the numbers stay."""
    assert list(range(1, len(SECTIONS) + 1)) == SECTIONS
    places = cited(lambda text: numbers_in(SECTION, text), EVERYTHING)
    assert {number: where for number, where in places.items() if number not in SECTIONS} == {}


def test_every_hazard_that_is_cited_is_there() -> None:
    """And each row has a test that is named for it, and no test is named for a row that is not there."""
    places = cited(lambda text: numbers_in(HAZARD, text), EVERYTHING)
    assert {number: where for number, where in places.items() if number not in HAZARDS} == {}
    tested = re.findall(r"^def test_(\d+)_", CITING[ROOT / "tests/core/test_pykka_hazards.py"], re.MULTILINE)
    assert {int(number) for number in tested} == HAZARDS


# What is public -------------------------------------------------------------------------------------------------


GROUPS = [value for value in vars(actors).values() if isinstance(value, ModuleType) and hasattr(value, "__all__")]
"""The modules in which public names are listed, beside the top."""


@pytest.mark.parametrize("name", sorted({*actors.__all__, *(name for group in GROUPS for name in group.__all__)}))
def test_every_public_name_is_mentioned(name: str) -> None:
    """In code, not only as a word of a sentence."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", DESIGN, re.DOTALL))
    assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", code), f"docs/design.md says nothing of {name}"


INSIDE: dict[str, set[str]] = {
    "Actor": {"time_of_a_child"},
    "AgentHandle": {"member"},
    "Dispatcher": {
        "abort_at_exit",
        "adopt",
        "cells",
        "end_at_exit",
        "forget",
        "give_place",
        "mark_at_exit",
        "ready",
        "ring",
        "shifts",
        "take_place",
        "thread_of",
        "watched_no_more",
    },
    "LoopGuard": {"noted"},
    "MessageRouter": {"add", "broadcast", "bury", "find", "forget", "open", "seal"},
    "CancelToken": {"remind", "forget", "mark", "marked", "fire", "fired", "untie"},
    "Journal": {"record", "refuse_when_failed"},
    "Budget": {"lock", "limited", "refusal", "is_used_up", "hold", "close"},
    "RateLimiter": {"acquire", "acquire_later", "feed", "hear"},
    "DeadLetters": {"add", "announce"},
    "Timer": {"at", "drop", "expire", "is_due", "let_go", "message", "read", "ring"},
    "AgentOutcome": {"model_config"},
    "ReplyFuture": {"ended_with", "hand_on", "owed_by"},
    "Event": {"model_config"},
}
"""What other modules of the library call, and a user need not know."""
TOLD_IN = {
    "AgentPool": "AgentPool", "AgentHandle": "AgentHandle", "AgentOutcome": "Outcomes", "Outcomes": "Outcomes",
    "Agent": "Agent", "Actor": "Actor", "ActorRef": "Actor", "ReplyFuture": "Actor", "Timer": "Timers",
    "Topic": "Topics and registries", "Registry": "Topics and registries", "MessageRouter": "Messages",
    "Inbox": "Messages", "DeadLetter": "Messages", "DeadLetters": "Messages", "CancelToken": "Cancel and deadline",
    "Deadline": "Cancel and deadline", "Budget": "Budgets", "Spending": "Budgets", "LlmDriver": "Ports",
    "Tool": "Ports", "MemorySubstrate": "Ports", "RateLimiter": "Drivers", "LimiterStats": "Drivers",
    "ToolRegistry": "Tools", "Journal": "Journals", "RouterRef": "Routers",
    "PoolStats": "Figures and dumps", "PoolDump": "Figures and dumps", "ThreadDump": "Figures and dumps",
    "PendingApproval": "Approval", "AgentLoopResult": "8. The loop of an LlmAgent", "LoopGuard": "Act",
    "Event": "9. Events",
}  # fmt: skip
"""The heading under which the members of a class are told."""


def below(heading: str) -> str:
    """What stands below *heading*, up to the next one that is as high."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", DESIGN, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no heading {heading!r}"
    body = found[2]
    return body if len(found[1]) < 3 else re.split(r"^### ", body, maxsplit=1, flags=re.MULTILINE)[0]


def members_of(cls: type) -> set[str]:
    """Its own public methods, properties and fields."""
    own = {name for name in vars(cls) if not name.startswith("_")}
    return own | set(getattr(cls, "model_fields", ())) | set(getattr(cls, "__dataclass_fields__", ()))


@pytest.mark.parametrize(("name", "heading"), TOLD_IN.items())
def test_every_public_member_is_told(name: str, heading: str) -> None:
    """Where the class is."""
    text = below(heading)
    members = members_of(getattr(actors, name)) - INSIDE.get(name, set())
    assert members
    assert sorted(member for member in members if not re.search(rf"\b{member}\b", text)) == []


@pytest.mark.parametrize("name", INSIDE)
def test_what_is_left_out_is_there(name: str) -> None:
    """Else the list would hide something by a name of the past."""
    assert members_of(getattr(actors, name)) >= INSIDE[name]


ENUMS = {name: value for name, value in PUBLIC.items() if isinstance(value, type) and issubclass(value, StrEnum)}


@pytest.mark.parametrize("name", ENUMS)
def test_the_words_of_an_enumeration_are_those_of_the_code(name: str) -> None:
    """All of them, and no others."""
    row = re.search(rf"^\| `{name}` \| (.*) \|$", below("Enumerations"), re.MULTILINE)
    assert row is not None
    assert set(re.findall(r"`([\w ]+)`", row[1])) == {str(value) for value in ENUMS[name]}


def test_the_fields_of_events_are_those_of_the_code() -> None:
    """Each row tells the fields of its events, and each event has a row."""
    told = set()
    for names, fields in re.findall(r"^\| (`.*?) \| [^|]* \|(?: ([^|]*))? ?\|$", below("9. Events"), re.MULTILINE):
        events = [getattr(actors, name) for name in re.findall(r"`(\w+)`", names)]
        told.update(events)
        own = {field for event in events for field in event.model_fields} - set(actors.Event.model_fields)
        assert {word for word in re.findall(r"`(\w+)`", fields) if word[0].islower()} == own, names
    public = (getattr(actors.events, name) for name in actors.events.__all__)
    assert told | {actors.Event} == {cls for cls in public if isinstance(cls, type) and issubclass(cls, actors.Event)}


# Signatures -----------------------------------------------------------------------------------------------------

REQUIRED: Any = inspect.Parameter.empty
ANY: Any = ...
"""The default of a parameter of which the text does not say what it is."""


class Parameter(NamedTuple):
    """One parameter, as told or as it is."""

    name: str
    kind: str
    default: Any


def signatures() -> dict[str, str]:
    """Each that stands in the text, by what it is of."""
    blocks = "".join(re.findall(r"^```python signatures\n(.*?)^```", DESIGN, re.DOTALL | re.MULTILINE))
    lines = re.sub(r"\n\s+", " ", blocks).splitlines()
    return {line.partition("(")[0]: line for line in lines}


def as_told(line: str) -> list[Parameter]:
    """The parameters of a signature in the text."""
    (function,) = ast.parse(f"def f({line.partition('(')[2]}: pass").body
    assert isinstance(function, ast.FunctionDef)
    code = compile(ast.Module([function], []), "docs/design.md", "exec")
    names: dict[str, Any] = dict(PUBLIC)
    exec(code, names)  # noqa: S102 - our own text
    return parameters_of(inspect.signature(names["f"]))


def parameters_of(signature: inspect.Signature) -> list[Parameter]:
    return [Parameter(one.name, one.kind.name, one.default) for one in signature.parameters.values()]


def as_it_is(dotted: str) -> list[Parameter]:
    """The parameters that the code has."""
    found: Any = actors
    for part in dotted.split("."):
        found = getattr(found, part)
    if isinstance(found, type) and issubclass(found, BaseModel):
        found.model_rebuild()  # which its first use does, too
        kinds = {one.name: one.kind for one in parameters_of(inspect.signature(found))}
        fields = found.model_fields.items()
        return [
            Parameter(name, kinds[name], REQUIRED if one.is_required() else one.get_default(call_default_factory=True))
            for name, one in fields
        ]
    parameters = parameters_of(inspect.signature(found))
    if "." in dotted and inspect.isfunction(found):
        parameters = parameters[1:]  # self
    if dataclasses.is_dataclass(found):
        made = {
            field.name: field.default_factory()
            for field in dataclasses.fields(found)
            if field.default_factory is not dataclasses.MISSING
        }
        parameters = [one._replace(default=made.get(one.name, one.default)) for one in parameters]
    return parameters


SIGNATURES = signatures()


@pytest.mark.parametrize("dotted", SIGNATURES)
def test_a_signature_is_that_of_the_code(dotted: str) -> None:
    """Names, order, kinds and defaults: as ``help`` and a notebook show them."""
    told, real = as_told(SIGNATURES[dotted]), as_it_is(dotted)
    assert [one.name for one in told] == [one.name for one in real]
    assert [one.kind for one in told] == [one.kind for one in real]
    for one, other in zip(told, real, strict=True):
        assert one.default is ANY or one.default == other.default, one.name


def test_signatures_are_found() -> None:
    """Else the test above could not fail."""
    assert {"AgentPool", "AgentPool.spawn", "SpawnConfig", "AgentManifest", "supervise", "tool"} <= SIGNATURES.keys()
    assert as_told("f(a, *, b=1)") == [
        Parameter("a", "POSITIONAL_OR_KEYWORD", REQUIRED),
        Parameter("b", "KEYWORD_ONLY", 1),
    ]


# Links and files ------------------------------------------------------------------------------------------------


def prose(text: str) -> str:
    """*text* without code: what stands there is no link and no heading."""
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def slug(heading: str) -> str:
    """The anchor that a hosting platform makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors_of(text: str) -> set[str]:
    """Where a link to a part of *text* may lead."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return {slug(heading) for heading in headings} | set(re.findall(r'<a id="([^"]+)">', plain))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading or an anchor in it."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        if not other.exists() or (anchor and anchor not in anchors_of(other.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_are_named_are_there(page: Path) -> None:
    """A text that names a file of the past leads nowhere."""
    named = re.findall(r"`((?:actors|tests|docs|examples|benchmarks|\.ci)/[\w./-]*)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def defined(path: Path) -> set[str]:
    """What a file defines: functions, classes, and their methods by ``Class.method``."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found.update(f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef))
    return found


TRIPS = re.findall(
    r"^\| `([\w/]+\.py)` `([\w.]+)`((?:, `\w+`)*) \|",
    (ROOT / "docs/architecture.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
"""Where the trips of the map lead: file, definition, and further methods of the same class."""


def test_the_trips_are_read() -> None:
    """The test below looks at the real rows."""
    assert len(TRIPS) > 30
    assert ("core/scheduling/roster.py", "Roster.enter", ", `balance`") in TRIPS


@pytest.mark.parametrize(("file", "name", "more"), TRIPS)
def test_the_map_leads_somewhere(file: str, name: str, more: str) -> None:
    """Each station of a trip is in the file that is named, under the name that is told."""
    there = defined(ROOT / "actors" / file)
    cls = name.partition(".")[0]
    assert {name, *(f"{cls}.{other}" for other in re.findall(r"\w+", more))} <= there


CORE = ROOT / "actors" / "core"
ROOMS = ["", *sorted(folder.name for folder in CORE.iterdir() if (folder / "__init__.py").exists())]
"""Of the core; the ground first."""


@pytest.mark.parametrize("room", ROOMS)
def test_the_map_names_every_file_of_a_room(room: str) -> None:
    """And none that is not there."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    first = f"`{room}/`" if room else "(the ground)"
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    told = re.findall(r"`(\w+)`", row.rsplit("|", 2)[1])
    assert sorted(told) == sorted(path.stem for path in (CORE / room).glob("*.py") if path.stem != "__init__")


def test_the_map_names_every_file_of_an_agent() -> None:
    """Once, below what it is for; and none that is not there."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("`agent/` has three rooms")[2].partition("\n\n`sessions/`")[0]
    told = [name for line in table.splitlines() if line.startswith("|") for name in re.findall(r"`(\w+)`", line)]
    assert sorted(told) == sorted(
        path.stem for path in (ROOT / "actors" / "agent").rglob("*.py") if path.stem != "__init__"
    )


def test_anchors_are_found() -> None:
    """As a hosting platform makes them."""
    assert anchors_of('## 7. Mailboxes, stops, failures\n### `MCP` servers\n<a id="i1"></a>\n```\n# no\n```\n') == {
        "7-mailboxes-stops-failures",
        "mcp-servers",
        "i1",
    }
    anchors = [anchor for page in PAGES for anchor in re.findall(r'<a id="([^"]+)">', page.read_text(encoding="utf-8"))]
    assert len(anchors) == len(set(anchors))


# The invariants that are shown here -----------------------------------------------------------------------------


def test_every_admitted_id_yields_one_outcome(in_thread: Callable[..., concurrent.futures.Future[Any]]) -> None:
    """I7, with spawns from several threads, crashes and refusals among them."""
    with AgentPool(max_concurrent=3, max_queued=5) as pool:

        def spawn_many() -> list[int]:
            ids = []
            for number in range(50):
                try:
                    ids.append(pool.submit(divmod, 1, number % 3).id)
                except actors.CapacityError:
                    continue
            return ids

        spawning = [in_thread(spawn_many) for _ in range(4)]
        ids = [agent_id for future in spawning for agent_id in future.result(30)]
        taken = [outcome.agent_id for outcome in pool.as_completed(timeout=30)]
    assert sorted(ids) == sorted(taken) == list(range(1, len(ids) + 1))


def test_a_host_that_is_not_allowed_is_refused() -> None:
    """INV-013, as the model is told."""
    pytest.importorskip("httpx2")
    manifest = AgentManifest(name="reader", privacy="private", capabilities=[Network(allowed_hosts=("one.test",))])
    driver = ScriptedDriver.tool_then_text("fetch_url", {"url": "http://other.test/"}, "done")
    with AgentPool(driver, tools=ToolRegistry([fetch_url])) as pool:
        messages = pool.spawn(SpawnConfig(manifest, "read")).result(30).messages
    (told,) = (message for message in messages if isinstance(message, ToolResultMessage))
    assert told.is_error
    assert "other.test:80 is not in allowed_hosts (one.test)" in told.content


def test_the_inference_tool_waits_for_300_seconds() -> None:
    """INV-014, for the agent's own driver and for another one."""
    assert ask_model.timeout == 300
    assert inference_tool(FunctionDriver(lambda _: "yes")).timeout == 300
    assert inference_tool(timeout=7).timeout == 7
