"""What agents cost with a journal, and without."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

from .llm_overhead import ANSWER, AT_ONCE, Ours

MANIFEST = AgentManifest(name="idle")


class Idle(Agent[int]):
    """Returns its query."""

    def run(self, query: int) -> int:
        """Return *query*."""
        return query


class Scripted(Ours):
    """An ``LlmAgent`` with one tool call: CPU microseconds of one, 8 at once."""

    def without(self) -> float:
        """As ever."""
        return self._run(None)

    def with_journal(self) -> float:
        """Into a new file."""
        with tempfile.TemporaryDirectory(prefix="bench-journal-") as folder:
            return self._run(Path(folder) / "bench.db")

    def _run(self, journal: Path | None) -> float:
        with AgentPool(self.driver, AT_ONCE, max_queued=None, tools=self.registry, journal=journal) as pool:
            begin = time.process_time()
            pool.fan_out([self.config] * self.runs)
            outcomes = pool.join_all()
            seconds = time.process_time() - begin
        assert all(outcome.unwrap().text == ANSWER for outcome in outcomes.values())
        return 1e6 * seconds / self.runs


def idle(count: int) -> float:
    """CPU microseconds of an agent that does nothing, without a journal."""
    with AgentPool(max_concurrent=AT_ONCE) as pool:
        begin = time.process_time()
        done = sum(o.ok for o in pool.map((SpawnConfig(MANIFEST, n, agent=Idle) for n in range(count)), ordered=False))
        seconds = time.process_time() - begin
    assert done == count
    return 1e6 * seconds / count


def recalled(count: int) -> float:
    """Agents a second that come back from an earlier process, without being run."""
    with tempfile.TemporaryDirectory(prefix="bench-journal-") as folder:
        path = Path(folder) / "bench.db"
        for is_second in (False, True):
            with AgentPool(max_concurrent=AT_ONCE, journal=path) as pool:
                configs = (SpawnConfig(MANIFEST, n, agent=Idle, key=f"agent-{n}") for n in range(count))
                begin = time.perf_counter()
                known = sum(outcome.recalled for outcome in pool.map(configs, ordered=False))
                seconds = time.perf_counter() - begin
            assert known == (count if is_second else 0)
    return count / seconds
