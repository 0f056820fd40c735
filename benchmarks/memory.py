"""What does a memory in a file cost: to remember, to fill, to recall, in bytes?"""

from __future__ import annotations

import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.memory.in_memory import InMemorySubstrate
from actors.memory.sqlite_memory import SqliteMemory

from .figures import percentile
from .report import Report, Table
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .peers import Peers
    from .report import Cell

QUESTION = "What does a memory in a file cost: to remember, to fill, to recall, in bytes? And does it find the same?"
THREADS = 16
SCRIPTS = {
    "latin": "abcdefghijklmnopqrstuvwxyzéàüßñøłşč",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяёїґ",
    "chinese": "".join(map(chr, range(0x4E00, 0x4E00 + 2_000))),
    "devanagari": "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूेैोौं्",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويَُِّ",
}


@dataclass(frozen=True, slots=True)
class Workload:
    """How much.

    Args:
        fragments: In the large file.
        vectors: So many of them have one.
        queries: Of each kind.
        agreeing: Fragments of the corpora whose order is compared, and queries: few fragments, and more than are all
            looked at.
    """

    fragments: int
    vectors: int
    dimensions: int
    queries: int
    agreeing: tuple[tuple[int, int], ...]


WORKLOADS = {
    Size.FULL: Workload(100_000, 50_000, 384, 200, ((1_000, 200), (10_000, 100))),
    Size.QUICK: Workload(20_000, 10_000, 384, 100, ((500, 50),)),
    Size.SMOKE: Workload(200, 100, 8, 5, ((50, 5),)),
}


class Corpus:
    """Texts of one script in which few words are frequent, as in all languages."""

    def __init__(self, signs: str, seed: int, words: int, between: str = " ") -> None:
        self.random = random.Random(seed)
        self._words = ["".join(self.random.choices(signs, k=self.random.randint(2, 9))) for _ in range(words)]
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(words)))
        self._between = between

    def text(self, least: int, most: int) -> str:
        """So many words."""
        count = self.random.randint(least, most)
        return self._between.join(self.random.choices(self._words, cum_weights=self._weights, k=count))


def timed(calls: Iterator[Callable[[], Any]]) -> list[float]:
    """Milliseconds of each."""
    found = []
    for call in calls:
        begin = time.perf_counter()
        call()
        found.append(1e3 * (time.perf_counter() - begin))
    return found


def row(what: str, times: Sequence[float], wanted: str) -> dict[str, Cell]:
    """One line of the table."""
    return {
        "what": what,
        "p50 ms": round(percentile(sorted(times), 50), 3),
        "p99 ms": round(percentile(sorted(times), 99), 3),
        "wanted": wanted,
    }


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - nobody else does the same
    """Find the answer."""
    load = WORKLOADS[size]
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        rows, problems = large(Path(folder) / "notes.db", load)
        agreement = [agree(script, Path(folder), *some) for some in load.agreeing for script in SCRIPTS]
    problems += [f"{one['script']}: {one['alike %']} % alike" for one in agreement if float(str(one["alike %"])) < 90]
    tables = [
        Table(f"{load.fragments:,} fragments of 20 to 60 words, {load.vectors:,} vectors of {load.dimensions}", rows),
        Table("the best five of a query, in the file and in memory", agreement),
    ]
    notes = [f"Filled by {THREADS} threads that remember at once. A query with vectors pays for the words, too."]
    return Report("memory", QUESTION, tables, notes, problems)


def large(path: Path, load: Workload) -> tuple[list[dict[str, Cell]], list[str]]:
    """Fill a file, and look into it."""
    corpus = Corpus(SCRIPTS["latin"], 1, 30_000)
    texts = [corpus.text(20, 60) for _ in range(load.fragments)]
    vectors = [[corpus.random.gauss(0, 1) for _ in range(load.dimensions)] for _ in range(min(load.vectors, 500))]
    rows: list[dict[str, Cell]] = []
    with SqliteMemory(path) as memory:
        one = timed(lambda text=text: memory.remember("bot", text) for text in texts[: load.queries])  # type: ignore[misc]
        rows.append(row("remember, one after another", one, "0.3"))
        begin = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda text: memory.remember("bot", text), texts[load.queries :]))
        seconds = time.perf_counter() - begin
        rows.append({"what": f"fill, from {THREADS} threads: seconds", "p50 ms": round(seconds, 2), "wanted": "20"})
        for least, most in ((1, 3), (3, 8), (10, 20)):
            queries = [corpus.text(least, most) for _ in range(load.queries)]
            found = timed(lambda query=query: memory.recall(query) for query in queries)  # type: ignore[misc]
            rows.append(row(f"recall by {least} to {most} words", found, "10, p99 50"))
    size = path.stat().st_size / load.fragments - sum(len(text.encode()) for text in texts) / load.fragments
    rows.append({"what": "bytes of one, beside its text", "p50 ms": round(size), "wanted": "1,000"})
    with SqliteMemory(path) as memory:
        memory._file.write(lambda connection: put(connection, vectors, load))  # noqa: SLF001 - quicker than embedding
        queries = [corpus.text(3, 8) for _ in range(load.queries)]
        pairs = [(query, vectors[place % len(vectors)]) for place, query in enumerate(queries)]
        first = timed(iter([lambda: memory.recall("nothing", query_embedding=vectors[0])]))
        rows.append(row("the first recall with vectors loads them", first, ""))
        plain = timed(lambda query=query: memory.recall(query) for query in queries)  # type: ignore[misc]
        both = timed(
            lambda pair=pair: memory.recall(pair[0], query_embedding=pair[1])  # type: ignore[misc]
            for pair in pairs
        )
        rows.append(row("recall by 3 to 8 words", plain, ""))
        rows.append(row("the same, with vectors", both, "20 more"))
    return rows, []


def put(connection: Any, vectors: Sequence[Sequence[float]], load: Workload) -> None:
    """Give the first fragments vectors."""
    from actors.memory.direction import direction_of, packed

    made = [packed(direction_of(vector) or ()) for vector in vectors]
    connection.executemany(
        "INSERT INTO vector (fragment, model, vector) VALUES (?, '', ?)",
        ((number, made[number % len(made)]) for number in range(1, load.vectors + 1)),
    )


def agree(script: str, folder: Path, fragments: int, queries: int) -> dict[str, Cell]:
    """How many of the best five are the same as in memory."""
    corpus = Corpus(SCRIPTS[script], 7, 2_000, "" if script == "chinese" else " ")
    there = InMemorySubstrate()
    alike = wanted = 0
    with SqliteMemory(folder / f"{script}-{fragments}.db") as here, ThreadPoolExecutor(THREADS) as pool:
        texts = [corpus.text(5, 60) for _ in range(fragments)]
        for text in texts:
            there.remember("bot", text)
        list(pool.map(lambda text: here.remember("bot", text), texts))
        for _ in range(queries):
            query = corpus.text(1, 12)
            theirs = {fragment.content for fragment in there.recall(query)}
            alike += len(theirs & {fragment.content for fragment in here.recall(query)})
            wanted += len(theirs)
    return {"script": script, "fragments": fragments, "alike %": round(100 * alike / max(1, wanted), 1)}
