"""What an entry of a journal costs, and how long it is waited for: the journal's own store, without agents."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from actors.journal.store import Store, to_text
from actors.storage.durability import Durability

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = {"text": "word " * 190, "stop_reason": "end_turn", "tool_calls": [], "usage": {"input": 900, "output": 200}}
DIGEST = "0123456789abcdef" * 4


@contextmanager
def new_store(durability: str = "process") -> Iterator[Store]:
    """One with a file of its own, in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="bench-journal-") as folder:
        store = Store(Path(folder) / "bench.db", Durability(durability))
        try:
            yield store
        finally:
            store.close()


def enter(store: Store, agent: str, number: int, *, safe: bool) -> None:
    """An answer of 1 KB, made text as the ledger does it."""
    payload = to_text({"v": 1, "response": ANSWER, "paid": [], "model": "m"})
    store.write(agent, str(number), "done", "completion", payload, digest=DIGEST, safe=safe)


def cost_behind(count: int) -> tuple[float, float, float]:
    """CPU microseconds of one that nobody waits for: of the thread that enters it, of all; and entries a second."""
    with new_store() as store:
        enter(store, "warm", 0, safe=True)
        begin, mine, all_ = time.perf_counter(), time.thread_time(), time.process_time()
        for number in range(count):
            enter(store, f"agent-{number % 60}", number, safe=False)
        mine = time.thread_time() - mine
        enter(store, "last", 0, safe=True)
        all_, seconds = time.process_time() - all_, time.perf_counter() - begin
    return 1e6 * mine / count, 1e6 * all_ / count, count / seconds


class Waited:
    """Entries that are waited for: CPU microseconds of one, entries a second, and the waits in microseconds."""

    def __init__(self, producers: int, durability: str, count: int) -> None:
        self.waits: list[float] = []
        each = max(1, count // producers)
        with new_store(durability) as store:
            enter(store, "warm", 0, safe=True)
            gate = threading.Barrier(producers + 1)
            threads = [
                threading.Thread(target=self._produce, args=(store, f"agent-{n}", each, gate)) for n in range(producers)
            ]
            for thread in threads:
                thread.start()
            gate.wait()
            begin, cpu = time.perf_counter(), time.process_time()
            for thread in threads:
                thread.join()
            seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        self.per_second = len(self.waits) / seconds
        self.cpu = 1e6 * cpu / len(self.waits)

    def _produce(self, store: Store, agent: str, count: int, gate: threading.Barrier) -> None:
        waits = []
        gate.wait()
        for number in range(count):
            begin = time.perf_counter()
            enter(store, agent, number, safe=True)
            waits.append(1e6 * (time.perf_counter() - begin))
        self.waits += waits


def fsync_cost(repeats: int) -> float:
    """Microseconds of one fsync of 4 KB here: the floor of a wait that survives a power cut."""
    found = []
    with tempfile.NamedTemporaryFile(prefix="bench-journal-") as file:
        for _ in range(repeats):
            file.write(b"x" * 4096)
            file.flush()
            begin = time.perf_counter()
            os.fsync(file.fileno())
            found.append(1e6 * (time.perf_counter() - begin))
    return sorted(found)[len(found) // 2]


def fill_and_die(path: str, megabytes: int) -> None:
    """Write so much into a journal, and die as by ``kill -9``: in a process of its own."""
    store = Store(Path(path), Durability.PROCESS)
    number = 0
    while number % 1000 or _size(path) < megabytes * 1e6:
        enter(store, f"agent-{number % 1000}", number, safe=number % 1000 == 999)
        number += 1
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def _size(path: str) -> int:
    return sum(each.stat().st_size for each in map(Path, (path, f"{path}-wal")) if each.exists())


def opening(path: Path) -> float:
    """Milliseconds until the journal at *path* is open."""
    begin = time.perf_counter()
    store = Store(path, Durability.PROCESS)
    seconds = time.perf_counter() - begin
    store.close()
    return 1e3 * seconds
