"""Chrome's Trace Event JSON: what Perfetto needs, with whatever names."""

from __future__ import annotations

import gzip
import json
import threading
from typing import TYPE_CHECKING

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    Backoff,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    tool,
)
from actors.events import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentResumed,
    AgentStarted,
    CompletionFinished,
    CompletionStarted,
    MessageRead,
    MessageSent,
    ToolStarted,
)
from actors.inside.chrome import chrome_lines
from actors.inside.timeline import Timeline

from .told import Told, timeline_of
from .trace_checker import Trace

if TYPE_CHECKING:
    from pathlib import Path

DONE = {"status": "completed"}
HOSTILE = [
    "</script><img onerror=alert(1)>",
    "\ud800 alone",
    "\x00nul",
    "\u2028line\u2029",
    "\u202edesrever",
    'quote"\\',
    "x" * 1_000_000,
    "",
]


def trace_of(timeline: Timeline) -> Trace:
    """Its JSON, checked."""
    return Trace("".join(chrome_lines(timeline.picture())))


def family() -> Timeline:
    """A parent that starts a child, waits for it, and gets a message from it; one that is never read."""
    parent = Told(1, "parent").at(0.0, AgentStarted, slots=2, key="top")
    parent.at(1.0, AgentParked, on="the outcome of agent 2 (child)").at(4.0, AgentResumed)
    parent.at(4.5, MessageRead, sender=2).at(5.0, AgentEnded, **DONE)
    child = Told(2, "child", parent_id=1, depth=1).at(1.0, AgentQueued).at(2.0, AgentStarted, slots=2)
    child.at(2.0, CompletionStarted, model="m")
    child.at(3.0, CompletionFinished, model="m", input_tokens=1, output_tokens=2, cost_usd=0.1, stop_reason="end_turn")
    child.at(4.0, MessageSent, to=1).at(4.0, MessageSent, to=1).at(4.0, AgentEnded, status="failed", error="broke")
    return timeline_of(parent, child)


def test_agents_are_tracks_of_one_process() -> None:
    """With their names in the order of their beginnings; slices carry what is known of them."""
    trace = trace_of(family())
    assert [event["args"]["name"] for event in trace.of("M") if event["name"] == "process_name"] == ["pool"]
    assert [trace.track(number) for number in (1, 2)] == ["1 parent [top]", "2 child"]
    told = [(trace.track(each["tid"]), each["name"], each["ts"], each["dur"]) for each in trace.slices]
    assert ("1 parent [top]", "parked on the outcome of agent 2 (child)", 1e6, 3e6) in told
    assert ("2 child", "queued", 1e6, 1e6) in told
    (model,) = [each["args"] for each in trace.slices if each["cat"] == "in_driver"]
    assert (model["model"], model["input_tokens"], model["cost_usd"]) == ("m", 1, 0.1)
    last = [each["args"] for each in trace.slices if trace.track(each["tid"]) == "2 child"][-1]
    assert (last["status"], last["agent_error"]) == ("failed", "broke")


def test_messages_that_were_read_and_births_are_arrows() -> None:
    """The other message was never read: it has no arrow, as it would have no tip."""
    trace = trace_of(family())
    assert sorted(event["cat"] for event in trace.of("s")) == ["birth", "message"]
    (tip,) = [event for event in trace.of("f") if event["cat"] == "message"]
    assert (tip["ts"], tip["bp"]) == (4.5e6, "e")


def test_slots_and_the_queue_are_counters() -> None:
    """Over time."""
    trace = trace_of(family())
    used = [(event["ts"], event["args"]["used"]) for event in trace.of("C") if event["name"] == "slots used"]
    assert used == [(0.0, 1), (1e6, 0), (2e6, 1), (4e6, 1), (5e6, 0)]
    waiting = [(event["ts"], event["args"]["waiting"]) for event in trace.of("C") if event["name"] == "queue"]
    assert waiting[:3] == [(0.0, 0), (1e6, 1), (2e6, 0)]


@pytest.mark.parametrize(
    "text", HOSTILE, ids=["tag", "surrogate", "nul", "lines", "backwards", "quote", "long", "empty"]
)
def test_whatever_a_model_calls_things_it_is_json(text: str, tmp_path: Path) -> None:
    """As a name, a key, a tool, an error, an answer."""
    agent = Told(1, text).at(0.0, AgentStarted, key=text).at(1.0, ToolStarted, call_id=text, tool=text, input={text: 1})
    timeline = timeline_of(agent.at(2.0, AgentEnded, status="failed", error=text, result=text), name=text)
    timeline.save(tmp_path / "run.json")
    trace = Trace.read(tmp_path / "run.json")
    assert len(json.dumps(trace.whole)) < 50_000


def test_an_empty_run_is_a_file_too() -> None:
    """Nobody was started."""
    assert trace_of(Timeline()).slices == []


def test_what_cannot_be_told_breaks_no_other() -> None:
    """Parents of each other, a parent of itself, one that is not there; a content whose repr raises."""

    class Sour:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    first = Told(1, parent_id=2).at(0.0, AgentStarted, input=Sour()).at(1.0, AgentEnded, **DONE)
    second = Told(2, parent_id=1).at(0.0, AgentStarted).at(1.0, ToolStarted, call_id="c", tool="t", input=Sour())
    third, fourth = Told(3, parent_id=3).at(0.5, AgentStarted), Told(4, parent_id=99).at(0.5, AgentStarted)
    trace = trace_of(timeline_of(first, second, third, fourth))
    assert len({each["tid"] for each in trace.slices}) == 5


def test_a_packed_file_is_the_same_text(tmp_path: Path) -> None:
    """And the same picture gives the same bytes."""
    timeline = family()
    for name in ("a.json", "a.json.gz", "b.json.gz"):
        timeline.save(tmp_path / name)
    packed = (tmp_path / "a.json.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.json").read_bytes()
    assert packed == (tmp_path / "b.json.gz").read_bytes()


class Chief(Agent[str]):
    """Starts a worker, writes to it, waits for it."""

    def run(self, query: str) -> str:
        """Until it has ended."""
        worker = self.spawn(SpawnConfig(AgentManifest(name="worker"), "go", agent=Worker))
        self.send(worker.id, "a letter")
        return str(worker.result())


class Worker(Agent[str]):
    """Crashes once, then reads."""

    def run(self, query: str) -> str:
        """What it was told."""
        if not self.deps:
            self.deps.append("crashed")
            raise KeyError("once")
        return str(self.receive(timeout=10).content)


def test_a_real_run_passes_the_checker() -> None:
    """With a child, a message, a restart, a cancel, tools at the same time, and one that is left behind."""
    held = threading.Event()

    @tool(timeout=0.05)
    def stuck() -> str:
        """Never ends."""
        held.wait(20)
        return ""

    @tool
    def quick() -> str:
        """Ends."""
        return "here"

    timeline = Timeline()
    driver = ScriptedDriver.tool_then_text("stuck", {}, "done")
    policy = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.001, jitter=0))
    try:
        with AgentPool(driver, tools=ToolRegistry([stuck, quick]), on_event=timeline, restart=policy) as pool:
            crashes: list[str] = []
            chief = pool.spawn(SpawnConfig(AgentManifest(name="chief"), "go", agent=Chief, deps=crashes))
            assert chief.result(10) == "a letter"
            manifest = AgentManifest(name="caller")
            assert pool.spawn(SpawnConfig(manifest, "call")).result(10).text == "done"
            held.set()
            late = pool.spawn(SpawnConfig(AgentManifest(name="late"), "wait", agent=Worker, deps=["crashed"]))
            late.cancel("enough")
            assert late.outcome(10).status == "cancelled"
    finally:
        held.set()
    trace = trace_of(timeline)
    assert {event["cat"] for event in trace.of("s")} == {"birth", "message"}
    assert {"parked", "restarting", "in_tool", "in_driver"} <= {each["cat"] for each in trace.slices}
    assert any(each["args"].get("error", "").startswith("left behind") for each in trace.slices)
