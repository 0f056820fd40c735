"""Is a journal whole? What is found in one that is not."""

from __future__ import annotations

import json
import random
import sqlite3
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from actors.journal.findings import AT_ONCE, findings_of

from .filled import Filled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def file() -> Iterator[Filled]:
    """An agent that paid something, was interrupted, and went on; and one that was pruned."""
    filled = Filled()
    filled.begin("a")
    filled.entry("a", "0/@heard", "done", "heard", texts=["hello"])
    filled.completion("a", 0)
    filled.entry("a", "0.0", "begun", "tool", tool="pay", effect="at_most_once")
    filled.process()
    filled.entry("a", "", "begun")
    filled.entry("a", "0.0", "done", "tool", tool="pay", effect="at_most_once", content="paid", is_error=False)
    filled.entry("a", "0.1/fetch", "done", "step", name="fetch", effect="idempotent", value=1)
    filled.entry("a", "0.1/@approval", "done", "approval", approved=True, reason="", by_default=False)
    filled.completion("a", 1)
    filled.end("a", iterations=2)
    filled.begin("p")
    filled.end("p", iterations=2)
    filled.entry("p", "", "pruned", dropped=2, at_most_once=False)
    filled.entry("c", "", "admitted", name="bot", parent=None)
    filled.end("c", "cancelled")
    yield filled
    filled.connection.close()


def found(file: Filled) -> list[str]:
    return [str(finding) for finding in findings_of(file.ask)]


def test_nothing_is_wrong_with_what_happens(file: Filled) -> None:
    """Also not with what was set aside and done anew."""
    assert found(file) == []
    file.entry("a", "", "aside", **{"from": "", "what": "query"})
    file.begin("a")
    file.completion("a", 0)
    file.completion("a", 1)
    file.entry("a", "", "aside", **{"from": "1", "what": "tools"})
    file.completion("a", 1)
    file.end("a", iterations=2)
    assert found(file) == []


def lose(path: str, state: str) -> Callable[[Filled], object]:
    return lambda file: file.ask("DELETE FROM entry WHERE agent = 'a' AND path = ? AND state = ?", path, state)


def change(path: str, **columns: Any) -> Callable[[Filled], object]:
    (name, value), *_ = columns.items()
    sql = f"UPDATE entry SET {name} = ? WHERE agent = 'a' AND path = ?"  # noqa: S608 - a word of this file
    return lambda file: file.ask(sql, value, path)


def rewrite(path: str, text: str) -> Callable[[Filled], object]:
    """A payload whose checksum fits."""
    return lambda file: file.ask(
        "UPDATE entry SET payload = ?, checksum = ? WHERE agent = 'a' AND path = ?",
        text,
        zlib.crc32(text.encode()),
        path,
    )


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (lose("0.0", "begun"), "entry 7, agent a, step 0.0: it has an end, and was never begun"),
        (lose("0", "done"), "step 0.0: it belongs to a completion that is not there"),
        (lose("0", "done"), "entry 11, agent a: it completed, and its completion 1 is not there"),
        (lose("", "admitted"), "entry 2, agent a: it was begun, and never admitted"),
        (lose("", "begun"), "entry 3, agent a, step 0/@heard: its agent was never begun"),
        (lose("", "begun"), "entry 11, agent a: it completed, and was never begun"),
        (
            change("1", payload="{}"),
            "entry 10, agent a, step 1: its payload is not what was written: the checksum differs",
        ),
        (change("1", payload=None), "entry 10, agent a, step 1: its payload is missing"),
        (change("1", process=1), "entry 10, agent a, step 1: process 1 wrote it after process 2 had the journal"),
        (
            change("1", process=9),
            "entry 10, agent a, step 1: it was written by process 9, which the journal does not know",
        ),
        (change("1", state="odd"), "entry 10, agent a, step 1: no step can be odd"),
        (change("", state="odd"), "entry 1, agent a: no agent can be odd"),
        (rewrite("1", "{"), "entry 10, agent a, step 1: its payload is no JSON"),
        (rewrite("1", "[]"), "entry 10, agent a, step 1: its payload says no version"),
        (lambda file: file.end("a"), "entry 18, agent a: it completed again (before: entry 11)"),
        (lambda file: file.end("a", "vanished"), "entry 18, agent a: no agent can end vanished"),
        (lambda file: file.end("x", "failed"), "entry 18, agent x: it ended, and was never admitted"),
        (lambda file: file.completion("a", 1), "entry 18, agent a, step 1: it was done twice"),
        (lambda file: file.entry("a", "", "admitted"), "entry 18, agent a: it was admitted anew, and what was known"),
        (
            lambda file: file.ask("DELETE FROM entry WHERE state = 'pruned'"),
            "it completed after 2 iterations, of which",
        ),
    ],
)
def test_what_is_wrong(file: Filled, harm: Callable[[Filled], object], finding: str) -> None:
    """Each with its place."""
    harm(file)
    assert any(finding in line for line in found(file)), found(file)


def test_a_key_of_a_stranger(file: Filled) -> None:
    """Moves no cursor."""
    file.entry("\x1b[2J" + "k" * 400, "", "begun")
    (line,) = found(file)
    assert "\x1b" not in line
    assert line.startswith("entry 18, agent \\x1b[2Jkkk")
    assert len(line) < 200


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path, seed: int) -> None:
    """Bytes in the middle that are something else: it is said, and nothing is raised."""
    path = tmp_path / "run.db"
    filled = Filled(path)
    filled.begin("a")
    filled.ask("BEGIN")
    for number in range(2 * AT_ONCE):
        filled.completion("a", number, json.dumps(number) * 50)
    filled.ask("COMMIT")
    filled.connection.close()
    data = bytearray(path.read_bytes())
    place = random.Random(seed).randrange(8192, len(data) - 6000)
    data[place : place + 5000] = bytes(5000)
    path.write_bytes(data)
    connection = sqlite3.connect(path)
    try:
        lines = [
            str(finding) for finding in findings_of(lambda sql, *values: connection.execute(sql, values).fetchall())
        ]
    finally:
        connection.close()
    assert lines
    assert any("entry" in line for line in lines)
