"""Somebody who traces a pool: what is told, and that nobody is harmed."""

from __future__ import annotations

import sys
import threading
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    CompletionResponse,
    FunctionDriver,
    OpenTelemetry,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    tool,
)

from ..waiting import Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import CompletionRequest

BOT = AgentManifest(name="bot", privacy="standard")
METHODS = ("agent", "completion", "tool")


@tool
def look() -> str:
    """Look."""
    return "seen"


def script() -> ScriptedDriver:
    """A call of a tool, and an answer."""
    asked = CompletionResponse(tool_calls=(ToolCall("c", "look", {}),), stop_reason=StopReason.TOOL_USE)
    return ScriptedDriver([asked, CompletionResponse("done")])


class Notes:
    """Notes what it is told, and may raise *error* at one *place*.

    Locks: none; lists change by single operations.
    """

    def __init__(self, place: str = "", error: type[BaseException] = ValueError) -> None:
        self.told: list[tuple[str, Any]] = []
        self.threads: dict[str, int] = {}
        self.open = 0
        self._place = place
        self._error = error

    def note(self, what: str, value: object = None) -> None:
        """*what* was called."""
        self.told.append((what, value))
        if what.split()[-1] == self._place:
            raise self._error(what)

    def count(self, what: str) -> int:
        """How often *what* was told."""
        return sum(said == what for said, _ in self.told)

    def agent(self, known: Any) -> NotedSpan:
        """An agent begins."""
        return self._begin("agent", known)

    def completion(self, known: Any) -> NotedSpan:
        """A driver is asked."""
        return self._begin("completion", known)

    def tool(self, known: Any) -> NotedSpan:
        """A tool is called."""
        return self._begin("tool", known)

    def _begin(self, kind: str, known: object) -> NotedSpan:
        self.note(f"{kind} begin", known)
        return NotedSpan(self, kind)


class NotedSpan:
    """A span of ``Notes``."""

    def __init__(self, notes: Notes, kind: str) -> None:
        self._notes = notes
        self._kind = kind
        self._thread = 0

    def __enter__(self) -> NotedSpan:
        self._thread = threading.get_ident()
        self._notes.note(f"{self._kind} enter")
        return self

    def __exit__(self, *error: object) -> bool:
        assert error == (None, None, None)
        assert threading.get_ident() == self._thread
        self._notes.note(f"{self._kind} exit")
        return True  # it may not swallow anything, either

    def happened(self, what: str, facts: Any) -> None:
        """Something happened meanwhile."""
        self._notes.note(f"{self._kind} happened", what)

    def ended(self, ending: Any) -> None:
        """It is over."""
        self._notes.note(f"{self._kind} ended", ending)


def run(make_pool: Callable[..., AgentPool], tracing: Any) -> Any:
    """The outcome of an agent that asks, calls a tool and answers."""
    pool = make_pool(script(), tools=ToolRegistry([look]), tracing=tracing)
    return pool.spawn(SpawnConfig(BOT, "go")).outcome()


def test_each_span_is_entered_left_and_ended_once(make_pool: Callable[..., AgentPool]) -> None:
    """In the thread that does the work; the agent's surrounds all, and ends before its outcome is seen."""
    notes = Notes()
    assert run(make_pool, notes).ok
    steps = [what for what, _ in notes.told]
    assert steps == [
        *("agent begin", "agent enter"),
        *("completion begin", "completion enter", "completion ended", "completion exit"),
        *("tool begin", "tool enter", "tool ended", "tool exit"),
        *("completion begin", "completion enter", "completion ended", "completion exit"),
        *("agent ended", "agent exit"),
    ]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["begin", "enter", "ended", "exit"])
def test_what_a_tracing_raises_changes_no_outcome(
    make_pool: Callable[..., AgentPool], log_lines: list[str], place: str, error: type[BaseException]
) -> None:
    """It is reported once, with its traceback, whatever it is."""
    outcome = run(make_pool, Notes(place, error))
    assert outcome.status is AgentStatus.COMPLETED
    assert outcome.result.text == "done"
    (line,) = [line for line in log_lines if "the tracing of a pool failed;" in line]
    assert line.startswith("ERROR")


@pytest.mark.parametrize(
    "given", [None, object(), 3, contextmanager], ids=["none", "an object", "a number", "a function"]
)
def test_what_gives_no_span_harms_nobody(make_pool: Callable[..., AgentPool], given: Any) -> None:
    """A block that gives None is told nothing; what is no block at all is reported."""

    class Odd:
        def agent(self, _: object) -> Any:
            return given

        completion = tool = agent

    assert run(make_pool, Odd()).ok


def test_a_block_may_give_nothing(make_pool: Callable[..., AgentPool], log_lines: list[str]) -> None:
    """Then nothing is told, and nothing is wrong."""

    class Silent:
        @contextmanager
        def agent(self, _: object) -> Iterator[None]:
            yield

        completion = tool = agent

    assert run(make_pool, Silent()).ok
    assert not [line for line in log_lines if "tracing" in line]


def test_a_tracing_that_fails_ends_no_span_of_others(make_pool: Callable[..., AgentPool]) -> None:
    """What was entered is left and told its end, whatever the others raised."""
    notes = Notes("happened")
    gate = Gate()
    pool = make_pool(tracing=notes)
    handle = pool.submit(gate.arrive)
    gate.await_reached()
    gate.open()
    assert handle.outcome().ok
    assert notes.count("agent enter") == notes.count("agent ended") == notes.count("agent exit") == 1


@pytest.mark.parametrize("missing", METHODS)
def test_what_cannot_trace_is_refused_when_it_is_given(missing: str) -> None:
    """The error says what is missing."""

    class Lacks:
        def __getattr__(self, name: str) -> Any:
            if name == missing or name not in METHODS:
                raise AttributeError(name)
            return lambda _: None

    with pytest.raises(TypeError, match=f"has no method {missing}$"):
        AgentPool(tracing=Lacks())


def test_a_class_is_no_tracing() -> None:
    """``tracing=OpenTelemetry`` without the parentheses is found out at once."""
    with pytest.raises(TypeError, match="an instance of it"):
        AgentPool(tracing=OpenTelemetry)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="has no method agent, completion, tool"):
        AgentPool(tracing=print)  # type: ignore[arg-type]


def test_without_opentelemetry_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported when one is made, and not before."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(ImportError, match=r"OpenTelemetry needs the package 'opentelemetry.trace'.*install"):
        OpenTelemetry()


def test_bad_arguments_are_refused() -> None:
    """A provider is one, and a switch is True or False."""
    pytest.importorskip("opentelemetry")
    with pytest.raises(TypeError, match="tracer_provider must be a TracerProvider or None"):
        OpenTelemetry("http://collector")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="with_content must be True or False"):
        OpenTelemetry(with_content="no")  # type: ignore[arg-type]


def test_an_agent_that_is_abandoned_is_told_to_have_ended_before_its_callbacks(
    make_pool: Callable[..., AgentPool],
) -> None:
    """By another thread; its own leaves the block when it comes back."""
    notes, gate, seen = Notes(), Gate(), []

    def stuck(_: CompletionRequest) -> CompletionResponse:
        gate.arrive()
        return CompletionResponse("late")

    pool = make_pool(FunctionDriver(stuck), abort_timeout=0.05, tracing=notes)
    handle = pool.spawn(SpawnConfig(BOT, "go"))
    handle.add_done_callback(lambda _: seen.append(notes.count("agent ended")))
    gate.await_reached()
    handle.cancel()
    assert handle.outcome().status is AgentStatus.ABANDONED
    eventually(lambda: seen == [1])
    assert notes.count("completion ended") == 1
    assert notes.count("agent exit") == 0
    gate.open()
    eventually(lambda: notes.count("agent exit") == 1)
    assert [notes.count(f"{kind} {what}") for kind in ("agent", "completion") for what in ("ended", "exit")] == [1] * 4
    endings = [value for what, value in notes.told if what == "completion ended"]
    assert endings[0].left_behind
    assert notes.count("tool begin") == 0


def test_a_tracing_that_hangs_holds_up_no_abandonment(make_pool: Callable[..., AgentPool]) -> None:
    """It has a quarter of a second; then the outcome is there without it."""
    gate, hangs = Gate(), Gate()

    class Hangs(Notes):
        def note(self, what: str, value: object = None) -> None:
            super().note(what, value)
            if what == "agent ended":
                hangs.arrive()

    notes = Hangs()
    pool = make_pool(abort_timeout=0.01, tracing=notes)
    handle = pool.submit(gate.arrive)
    gate.await_reached()
    handle.cancel()
    hangs.await_reached()
    assert handle.outcome(timeout=5).status is AgentStatus.ABANDONED
    hangs.open()
    gate.open()
    eventually(lambda: notes.count("agent exit") == 1)
    assert notes.count("agent ended") == 1


def test_a_family_that_is_abandoned_ends_from_the_inside(make_pool: Callable[..., AgentPool]) -> None:
    """A child's span before its parent's, as their outcomes."""
    notes, gate = Notes(), Gate()

    class Child(Agent[None]):
        def run(self, query: Any) -> None:
            gate.arrive("child")

    class Parent(Agent[None]):
        def run(self, query: Any) -> None:
            self.spawn(SpawnConfig(AgentManifest(name="child"), "", agent=Child))
            gate.arrive("parent")

    pool = make_pool(abort_timeout=0.05, tracing=notes)
    handle = pool.spawn(SpawnConfig(AgentManifest(name="parent", capabilities=[Spawn()]), "", agent=Parent))
    assert {gate.next(), gate.next()} == {"child", "parent"}
    handle.cancel()
    assert handle.outcome().status is AgentStatus.ABANDONED
    assert [str(value.outcome) for what, value in notes.told if what == "agent ended"] == ["abandoned"] * 2
    gate.open()
    eventually(lambda: notes.count("agent exit") == 2)


@pytest.mark.parametrize("by", ["nobody", "an API alone", "a tracing"])
def test_a_pool_that_nobody_traces_makes_nothing_for_it(
    make_pool: Callable[..., AgentPool], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one block of memory of agents that run comes from the files of spans: nor where there is no SDK."""
    is_traced = by == "a tracing"
    if by == "an API alone":
        monkeypatch.setattr(pytest.importorskip("opentelemetry.trace"), "_TRACER_PROVIDER", None)
    tracing = {"nobody": lambda: None, "an API alone": OpenTelemetry, "a tracing": Notes}[by]()
    gate = Gate()

    def answer(_: CompletionRequest) -> CompletionResponse:
        gate.arrive()
        return CompletionResponse("done")

    pool = make_pool(FunctionDriver(answer), tracing=tracing)
    tracemalloc.start()
    try:
        handles = [pool.spawn(SpawnConfig(BOT, "go")) for _ in range(4)]
        for _ in handles:
            gate.next()
        found = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
        gate.open()
    assert all(handle.outcome().ok for handle in handles)
    files = ("agent_spans", "tracing", "spans", "span_content", "completion_span", "provider")
    of_spans = [tracemalloc.Filter(True, f"*actors*{name}.py") for name in files]
    assert bool(found.filter_traces(of_spans).statistics("filename")) is is_traced


@pytest.mark.parametrize("says", [True, None, 0, "nothing", ValueError], ids=str)
def test_a_tracing_is_asked_when_an_agent_begins(make_pool: Callable[..., AgentPool], says: Any) -> None:
    """Only one that says False gets no spans; the next agent may have some."""
    answers: list[Any] = [False, says]

    class Asked(Notes):
        def is_recording(self) -> Any:
            answer = answers.pop(0)
            if isinstance(answer, type):
                raise answer("no")
            return answer

    notes = Asked()
    pool = make_pool(tracing=notes)
    assert pool.submit(int).outcome().ok
    assert notes.told == []
    assert pool.submit(int).outcome().ok
    assert notes.count("agent ended") == 1
