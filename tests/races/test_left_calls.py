"""An agent that was taken over from a tool call in its thread: all that it does goes on, as if nothing had been."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    Backoff,
    FunctionDriver,
    JournalReader,
    LlmAgent,
    RestartPolicy,
    SpawnConfig,
    ToolRegistry,
    guardrail,
    tool,
)
from actors.testing.cluster import LocalEngine

from ..waiting import BOUND, Gate, eventually
from .test_inline_calls import Model, pool_of, spawn

if TYPE_CHECKING:
    from pathlib import Path

    from actors import CompletionRequest, CompletionResponse, ToolResult

LATE = "work timed out after 0.01 s"


def test_its_events_are_those_of_one_agent_in_their_order() -> None:
    """The end of the call that was left comes when it comes, and nothing after the agent's own."""
    model, gate = Model(), Gate()
    with pool_of(model, lambda: gate.hold(), 0.01) as pool:
        handle = spawn(pool)
        assert handle.result(BOUND).text == LATE
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
        names = [type(event).__name__ for event in handle.events()]
    assert names[-1] == "AgentEnded"
    kept = ("CompletionStarted", "CompletionFinished", "ToolStarted", "ToolEnded", "AgentEnded")
    assert [name for name in names if name in kept] == [
        "CompletionStarted", "CompletionFinished", "ToolStarted", "CompletionStarted", "CompletionFinished",
        "AgentEnded",
    ]  # fmt: skip


NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")


def test_context_variables_go_on_and_those_of_a_thread_do_not() -> None:
    """What the agent has set is there in the other thread; what the tool sets is the tool's; a ``threading.local`` is
    new there.
    """
    gate, seen, local = Gate(), list[tuple[str, str]](), threading.local()
    model = Model()

    class Bot(LlmAgent):
        def on_start(self) -> None:
            NAME.set("the agent")
            local.name = "the agent"

        def on_end(self, outcome: Any) -> None:
            seen.append((NAME.get(), getattr(local, "name", "nobody")))

    def work() -> None:
        seen.append((NAME.get(), local.name))
        NAME.set("the tool")
        gate.hold()

    with pool_of(model, work, 0.01) as pool:
        assert spawn(pool, Bot).result(BOUND).text == LATE
        gate.open()
    assert seen == [("the agent", "the agent"), ("the agent", "nobody")]


def test_a_dump_shows_the_agent_where_it_is_and_the_thread_that_it_left() -> None:
    """Each with its own stack."""
    model, gate, second = Model(), Gate(), Gate()
    real = model._answer

    def asked_again(request: CompletionRequest) -> CompletionResponse:
        if len(model.threads) == 1:
            second.hold()
        return real(request)

    model.driver = FunctionDriver(asked_again)
    with pool_of(model, lambda: gate.hold(), 0.01) as pool:
        handle = spawn(pool)
        second.await_reached()
        dump = pool.dump()
        (agent,), (left,) = dump.agents, dump.abandoned
        text = str(dump)
        second.open()
        assert handle.result(BOUND).text == LATE
        gate.open()
    assert "asked_again" in str(agent)
    assert "work" in str(left)
    assert "asked_again" in text


@pytest.mark.parametrize("is_late", [True, False])
def test_a_journal_has_both_completions_and_a_resume_buys_nothing(tmp_path: Path, *, is_late: bool) -> None:
    """Whether the call was left or ended in time."""
    path, gate = tmp_path / "run.db", Gate()
    texts, asked = [], []
    for _ in range(2):
        model = Model()
        with pool_of(
            model, (lambda: gate.hold()) if is_late else lambda: "in time", 0.01 if is_late else BOUND, journal=path
        ) as pool:
            texts.append(spawn(pool, key="one").result(BOUND).text)
            gate.open()
        asked.append(len(model.threads))
    assert texts == [LATE if is_late else "in time"] * 2
    assert asked == [2, 0]
    with JournalReader(path) as reader:
        (agent,) = reader.agents()
    assert (agent.key, str(agent.status)) == ("one", "completed")


def test_a_restart_after_it_begins_in_the_new_thread() -> None:
    """The second life knows what the first one bought: the model is asked for the last answer alone."""
    model, gate, lives = Model(), Gate(), list[int]()
    real = model._answer

    def crashing(request: CompletionRequest) -> CompletionResponse:
        if len(model.threads) == 1 and len(lives) == 1:
            raise ValueError("boom")
        return real(request)

    model.driver = FunctionDriver(crashing)

    class Bot(LlmAgent):
        def on_start(self) -> None:
            lives.append(threading.get_ident())

    restart = RestartPolicy(1, backoff=Backoff(base=0.0, jitter=0.0))
    with pool_of(model, lambda: gate.hold(), 0.01, restart=restart) as pool:
        outcome = spawn(pool, Bot).outcome(BOUND)
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)
    assert (outcome.status, outcome.restarts, outcome.unwrap().text) == (AgentStatus.COMPLETED, 1, LATE)
    assert len(set(lives)) == 2
    assert model.threads[-1] == lives[1]


@pytest.mark.parametrize("is_late", [True, False])
def test_a_guardrail_sees_what_the_model_is_told(*, is_late: bool) -> None:
    """Of a call that was left, too."""
    model, gate, seen = Model(), Gate(), list[str]()

    @guardrail("after_tool")
    def look(call: Any, result: ToolResult) -> ToolResult:
        seen.append(str(result.content))
        return result

    with pool_of(model, (lambda: gate.hold()) if is_late else lambda: "in time", 0.01 if is_late else BOUND) as pool:
        text = spawn(pool, guardrails=[look]).result(BOUND).text
        gate.open()
    assert seen == [text] == [LATE if is_late else "in time"]


@pytest.mark.parametrize("approved", [True, False])
def test_an_approval_comes_before_the_call(*, approved: bool) -> None:
    """Parked in its own thread, which then makes the call, and leaves it when its time is over: the wait is no part."""
    model, gate, calls = Model(), Gate(), list[int]()

    def work() -> None:
        calls.append(threading.get_ident())
        gate.hold()

    with pool_of(model, work, 0.01) as pool:
        manifest = AgentManifest(name="bot", approval={"tools": ["work"]})
        handle = pool.spawn(SpawnConfig(manifest, "q"))
        eventually(lambda: len(handle.approvals) == 1)
        (handle.approve if approved else handle.deny)(handle.approvals[0].call_id)
        text = handle.result(BOUND).text
        gate.open()
    assert calls == (model.threads[:1] if approved else [])
    assert (text == LATE) == approved
    assert len(set(model.threads)) == (2 if approved else 1)


def test_text_streams_from_the_new_thread() -> None:
    """Its pieces come after those of the thread before, none twice."""
    model, gate = Model(), Gate()
    with pool_of(model, lambda: gate.hold(), 0.01) as pool:
        handle = spawn(pool, stream=True)
        assert "".join(handle.text(BOUND)) == LATE
        gate.open()


def test_on_a_node_it_is_the_same() -> None:
    """The host of a node makes and leaves such calls as a pool does."""
    model, gate = Model(), Gate()
    threads = model.threads
    registry = ToolRegistry([tool(timeout=0.01, name="work")(lambda: gate.hold())])
    engine = LocalEngine(1, shares=True)
    with AgentPool(model.driver, 1, tools=registry, engine=engine, abort_timeout=BOUND) as pool:
        assert pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q")).result(BOUND).text == LATE
        gate.open()
    assert len(set(threads)) == 2


FORKING = """
import os, sys, threading
from actors import AgentManifest, AgentPool, SpawnConfig, ToolRegistry, tool
from tests.races.test_inline_calls import Model

@tool(timeout=TIMEOUT, name="work")
def work() -> str:
    child = os.fork()
    if child == 0:
        return "in the child"
    _, status = os.waitpid(child, 0)
    return f"the child ended with {os.waitstatus_to_exitcode(status)}"

with AgentPool(Model().driver, 1, tools=ToolRegistry([work])) as pool:
    print(pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q")).result(10).text, flush=True)
"""


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("timeout", ["None", "10.0"])
def test_a_tool_that_forks(timeout: str) -> None:
    """The child's thread does not go on with the agent: the parent alone does, and the child ends."""
    program = FORKING.replace("TIMEOUT", timeout)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("the child ended with 0\n", 0), done.stderr


@pytest.mark.parametrize("stop", ["cancel", "end"])
def test_many_calls_that_end_at_their_time_have_one_outcome_each(stop: str) -> None:
    """Whoever of the two threads is first, for each of them; no thread is left, and none is counted."""
    model, begun = Model(), threading.Barrier(41)

    def work(cancel: Any) -> str:
        begun.wait(BOUND)
        cancel.wait(0.02)
        return "in time"

    with pool_of(model, work, 0.02) as pool:
        pool.resize(40)
        handles = [spawn(pool) for _ in range(40)]
        begun.wait(BOUND)
        if stop == "cancel":
            for handle in handles[::2]:
                handle.cancel("enough")
        outcomes = [handle.outcome(BOUND) for handle in handles]
        eventually(lambda: pool.stats().abandoned_threads == 0)
        stats = pool.stats()
    assert sum(stats.ended.values()) == stats.started == 40
    for outcome in outcomes:
        if outcome.ok:
            assert outcome.result.text in ("in time", "work timed out after 0.02 s")
        else:
            assert (stop, outcome.status) == ("cancel", AgentStatus.CANCELLED)
