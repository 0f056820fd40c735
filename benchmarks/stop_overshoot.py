"""How late does a timeout stop an agent?

Counted from just before the spawn plus the timeout, so the start is in it, to a done callback, when everybody sees the
outcome. Code that never looks is abandoned: its bound is the timeout plus ``abort_timeout``.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    CancelToken,
    CompletionResponse,
    FunctionDriver,
    LlmAgent,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    tool,
)

from .figures import Spread
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors import CompletionRequest, LlmDriver

QUESTION = "How late does a timeout stop an agent, that looks or that does not?"

TIMEOUT = 0.1
ABORT_TIMEOUT = 0.2
BOUND = 30.0
MANIFEST = AgentManifest(name="late")
REPEATS = {Size.FULL: 30, Size.QUICK: 7, Size.SMOKE: 1}


class Computing(Agent[None]):
    """Computes, and looks whether it should stop."""

    def run(self, _: threading.Event) -> None:
        """Go round until the checkpoint raises."""
        while True:
            self.checkpoint()
            sum(range(100))


class Obstinate(Agent[None]):
    """Computes, and never looks."""

    def run(self, query: threading.Event) -> None:
        """Go round until the benchmark has seen enough."""
        _go_round(query)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to be busy.

    Args:
        looks: Does it take the cancel? Else it is abandoned, and has ``abort_timeout`` more.
    """

    agent: type[Agent[Any]]
    driver: LlmDriver | None = None
    tools: ToolRegistry | None = None
    looks: bool = True

    @property
    def bound(self) -> float:
        """When it should have stopped, in seconds after its spawn."""
        return TIMEOUT if self.looks else TIMEOUT + ABORT_TIMEOUT


def overshoot(pool: AgentPool, case: Case, release: threading.Event) -> float:
    """Seconds by which one agent passes its bound."""
    ends: list[float] = []
    seen = threading.Event()

    def stamp(_: object) -> None:
        ends.append(time.perf_counter())
        seen.set()

    config = SpawnConfig(
        MANIFEST, release if case.driver is None else "?", agent=case.agent, timeout=TIMEOUT, driver=case.driver
    )
    release.clear()
    begin = time.perf_counter()
    handle = pool.spawn(config)
    handle.add_done_callback(stamp)
    assert seen.wait(BOUND), f"it never stopped: {pool.dump()}"
    release.set()
    while pool.stats().abandoned_threads:  # who never looks ends now, so that it does not disturb the next
        time.sleep(0.001)
    status = handle.outcome(0).status
    assert status is (AgentStatus.TIMED_OUT if case.looks else AgentStatus.ABANDONED), status
    return ends[0] - begin - case.bound


def bare_wait() -> float:
    """Seconds by which a bare timed wait passes its time: nobody can do better here."""
    begin = time.perf_counter()
    threading.Event().wait(TIMEOUT)
    return time.perf_counter() - begin - TIMEOUT


def bare_wait_beside_loop() -> float:
    """The same while another thread computes and never waits: each time the interpreter is wanted costs 5 ms."""
    end = threading.Event()
    thread = threading.Thread(target=_go_round, args=(end,))
    thread.start()
    try:
        return bare_wait()
    finally:
        end.set()
        thread.join()


def _go_round(end: threading.Event) -> None:
    while not end.is_set():
        sum(range(100))


def cases(release: threading.Event) -> dict[str, Case]:
    """The ways to be busy; *release* ends those that never look."""

    @tool(timeout=BOUND)
    def blocks() -> str:
        """Wait for the benchmark, whatever the agent does."""
        release.wait(BOUND)
        return "late"

    @tool(timeout=BOUND)
    def takes_cancel(cancel: CancelToken) -> str:
        """Wait for the cancel."""
        cancel.wait(BOUND)
        return "cancelled"

    def block(_: CompletionRequest) -> str:
        release.wait(BOUND)
        return "late"

    def calling(name: str) -> ScriptedDriver:
        return ScriptedDriver([], default=CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", name, {}),)))

    return {
        "a loop that checks": Case(Computing),
        "a driver that takes cancel": Case(LlmAgent, ScriptedDriver([], latency=BOUND, default="late")),
        "a tool that takes cancel": Case(LlmAgent, calling("takes_cancel"), ToolRegistry([takes_cancel])),
        "a blocking tool that never looks": Case(LlmAgent, calling("blocks"), ToolRegistry([blocks])),
        "a blocking driver that ignores cancel": Case(LlmAgent, FunctionDriver(block), looks=False),
        "a loop that never checks": Case(Obstinate, looks=False),
    }


@contextmanager
def pools(busy: Mapping[str, Case]) -> Iterator[dict[str, AgentPool]]:
    """A pool for each case, so that none meets what another left behind."""
    opened = {name: AgentPool(tools=case.tools, abort_timeout=ABORT_TIMEOUT) for name, case in busy.items()}
    try:
        yield opened
    finally:
        for pool in opened.values():
            pool.close()


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - its peers are always there
    """Find the answer."""
    release = threading.Event()
    busy = cases(release)
    with pools(busy) as opened:
        measured = {name: lambda name=name: overshoot(opened[name], busy[name], release) for name in busy}
        found = in_turn(
            {"a bare timed wait": bare_wait, **measured, "a bare timed wait beside such a loop": bare_wait_beside_loop},
            repeats=REPEATS[size],
        )
    rows = [_row(name, busy.get(name), Spread.of(late)) for name, late in found.items()]
    return Report(
        "stop_overshoot",
        QUESTION,
        [Table(f"timeout {TIMEOUT} s, abort_timeout {ABORT_TIMEOUT} s, {REPEATS[size]} times", rows)],
        [
            "From (before the spawn + timeout) to the visible outcome, so the start is in it.",
            "What never looks is abandoned: from (before the spawn + timeout + abort_timeout).",
        ],
    )


def _row(name: str, case: Case | None, late: Spread) -> dict[str, Cell]:
    ends = "-" if case is None else AgentStatus.TIMED_OUT if case.looks else AgentStatus.ABANDONED
    return {
        "case": name,
        "ends": str(ends),
        "median ms": 1000 * late.median,
        "p99 ms": 1000 * late.p99,
        "highest ms": 1000 * late.high,
    }
