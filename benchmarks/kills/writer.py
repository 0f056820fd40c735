"""The victim that writes: kills it, opens its file, and compares that with what was acknowledged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

from actors.storage.database import open_to_write
from actors.storage.faults import StorageFault

from ..machine import ROOT
from ..report import Report, Table
from .writing import POINTS, schema

if TYPE_CHECKING:
    import sqlite3

    from rich.console import Console

    from ..report import Cell

PROGRAM = "import sys; from benchmarks.kills.writing import main; main(sys.argv[1])"
PRODUCERS = (1, 8, 64)
DURABILITIES = ("process", "power")
VERSIONS = 5
LONGEST = 0.25
"""Seconds from its first line to the kill, at most."""
BOUND = 60.0


QUESTION = "Is anything missing that was acknowledged, or is there a gap, when who writes a file is killed?"
TELL = 10.0
"""Seconds between two lines that say how it goes."""


def kill_writer(number: int = 200, *, seed: int, watch: Console | None = None) -> Report:
    """Kill the program *number* times, on one file, and look at it after each kill.

    Args:
        seed: Decides what is drawn.
        watch: Told how it goes, now and then.
    """
    begin = told = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-writer-") as folder:
        writer = Writer(Path(folder), Random(seed), number)
        for life in range(number):
            writer.live_and_die(life)
            if watch is not None and time.monotonic() - told > TELL:
                told = time.monotonic()
                watch.print(f"{life + 1} kills of a writer, {len(writer.violations)} violations", highlight=False)
        writer.finish()
    row: dict[str, Cell] = {"kills": number, **writer.counts, "violations": len(writer.violations)}
    row["s"] = round(time.monotonic() - begin)
    return Report(
        "kills writer",
        QUESTION,
        [Table(f"kills of a writer, on one file, seed {seed}", [row])],
        [
            "1, 8 or 64 producers, both durabilities, checkpoints that are tiny or large, a file whose version rises.",
            "Three in ten of them come just before or just after a named point, the others at any moment.",
        ],
        [f"repeat it with --seed {seed}: {violation}" for violation in writer.violations],
    )


class Writer:
    """One file, over all lives; most kills come at a random moment, others at a named point.

    Args:
        folder: Where the file is.
        random: Draws how each life is, and when it ends.
        number: How many lives are to come: the version of the file rises meanwhile.
    """

    def __init__(self, folder: Path, random: Random, number: int) -> None:
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self._path = folder / "written.db"
        self._notes = folder / "acknowledged.txt"
        self._random = random
        self._lives = number
        self.exit_code: int | None = None  # of the last life
        self._seen = 0  # the last entry that was looked at
        self._read = 0  # so much of the notes was
        self._noted: Counter[str] = Counter()

    def live_and_die(self, life: int) -> None:
        """One life, and most times a look at the file: else the next life opens what this one left."""
        how = self.draw(life)
        self.live(how)
        if self._random.random() < 0.7:
            self.look(how["version"])

    def draw(self, life: int) -> dict[str, Any]:
        """How it lives, and when it is killed."""
        random = self._random
        at_point = random.random() < 0.3
        point = [random.choice(list(POINTS)), random.choice(("before", "after")), random.choice((1, 1, 2, 5, 20))]
        return {
            "life": life,
            "path": str(self._path),
            "notes": str(self._notes),
            "producers": random.choice(PRODUCERS),
            "durability": random.choice(DURABILITIES),
            "version": 1 + VERSIONS * life // self._lives,
            "waiting": random.choice((0.05, 0.3, 1.0)),
            "entries": random.choice((3, 30, 300)),
            "rounds": 1_000_000,
            "point": point if at_point else None,
            "seconds": None if at_point else random.choice((0.1, 1.0)) * random.uniform(0.0, LONGEST),
            "constants": {
                "CHECKPOINT_AT": random.choice((2, 20, 1_000)),
                "CHECKPOINT_BY": random.choice((20, 200, 16_000)),
                "IDLE": random.choice((0.0, 0.001, 0.02)),
                "GATHER": random.choice((0.0, 0.003)),
                "GROUP": random.choice((3, 500)),
                "MOST_BEHIND": random.choice((4, 10_000)),
            },
        }

    def live(self, how: dict[str, Any]) -> None:
        """Run the program, and kill it: it does that itself at a point or a time, or after a while it is done."""
        command = [sys.executable, "-c", PROGRAM, json.dumps(how)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as program:  # noqa: S603 - our own words
            assert program.stdout is not None
            program.stdout.readline()
            try:
                program.wait(LONGEST * 4 if how["point"] else BOUND)  # a point that is not passed
            except subprocess.TimeoutExpired:
                program.kill()
        self.exit_code = program.returncode
        if self.exit_code not in (0, -signal.SIGKILL):
            self.violations.append(f"life {how['life']} ended with {self.exit_code}")
        self.counts["at a named point"] += how["point"] is not None

    def look(self, version: int) -> None:
        """Open the file as the next life would: whole, nothing acknowledged is missing, no gap."""
        begin = time.perf_counter()
        try:
            connection = open_to_write(self._path, schema(version))
        except StorageFault as fault:
            self.violations.append(f"it cannot be opened: {fault}")
            return
        self.counts["ms to open, worst"] = max(
            self.counts["ms to open, worst"], round(1e3 * (time.perf_counter() - begin))
        )
        try:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if answer != "ok":
                self.violations.append(f"integrity_check: {answer}")
            self._compare(connection)
        finally:
            connection.close()

    def _compare(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT seq, producer, number, payload, checksum FROM entry WHERE seq > ? ORDER BY seq", (self._seen,)
        )
        for seq, producer, number, payload, checksum in rows:
            if number != self._noted[producer]:
                self.violations.append(f"after {self._noted[producer]} entries of {producer} comes {number}")
            if crc32(payload.encode()) != checksum:
                self.violations.append(f"entry {seq} was changed")
            self._noted[producer] = number + 1
            self._seen = seq
            self.counts["entries"] += 1
        (count,) = connection.execute("SELECT count(*) FROM entry").fetchone()
        if count != self.counts["entries"]:
            self.violations.append(f"{self.counts['entries']} entries were there, and are {count}")
        self._hear_notes()

    def _hear_notes(self) -> None:
        with self._notes.open("rb") as notes:
            notes.seek(self._read)
            said = notes.read()
        self._read += len(said)
        for line in said.decode().splitlines():
            producer, number = line.split()
            self.counts["acknowledged"] += 1
            if int(number) >= self._noted[producer]:
                self.violations.append(f"{line} was acknowledged, and is missing")

    def finish(self) -> None:
        """A last life that ends by itself: nothing is left beside the file."""
        how = {
            **self.draw(self._lives),
            "version": VERSIONS,
            "rounds": 1,
            "entries": 30,
            "point": None,
            "seconds": None,
        }
        self.live(how)
        self.look(VERSIONS)
        if self._path.with_name(f"{self._path.name}-wal").exists():
            self.violations.append("a log is left after the close")
