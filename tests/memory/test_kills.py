"""Who adds a document is killed, in every gap: the file has the old version or the new one, whole (M1)."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.memory.embedder import HashEmbedder
from actors.memory.sqlite_memory import SqliteMemory

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
BOUND = 60
OLD, NEW = ("\n\n".join(f"{word} piece {number}" for number in range(12)) for word in ("old", "new"))
DYING = """
import os, signal, sys
from actors.memory import documents, fragments
from actors.memory.embedder import HashEmbedder
from actors.memory.sqlite_memory import SqliteMemory
from actors.storage.commit import Committer
from tests.memory.test_kills import NEW

path, point = sys.argv[1:]

def around(owner, name, before, after, number=1):
    whole, calls = getattr(owner, name), []
    def dying(*arguments, **named):
        calls.append(name)
        if point == before and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        found = whole(*arguments, **named)
        if point == after and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(owner, name, dying)

with SqliteMemory(path, embedder=HashEmbedder(8)) as memory:
    memory.remember("bot", "acknowledged")
    around(HashEmbedder, "embed", "asked", "answered")
    around(documents, "replace", "begun", "replaced")
    around(fragments.Fragment, "insert", "half", "half done", 5)
    around(Committer, "_commit", "before the commit", "committed")
    memory.add_document("handbook", NEW, words_per_piece=3, overlap=0)
"""


@pytest.mark.parametrize("point", ["answered", "half", "replaced", "committed"])
def test_killed_while_adding_a_document(tmp_path: Path, point: str) -> None:
    """At a named point."""
    path = tmp_path / "notes.db"
    with SqliteMemory(path, embedder=HashEmbedder(8)) as memory:
        memory.add_document("handbook", OLD, words_per_piece=3, overlap=0)
    dying = subprocess.run([sys.executable, "-c", DYING, str(path), point], cwd=ROOT, timeout=BOUND, check=False)
    assert dying.returncode == -signal.SIGKILL
    with SqliteMemory(path, embedder=HashEmbedder(8)) as memory:
        word = "new" if point == "committed" else "old"
        found = {one.content for one in memory.recall(f"{word} piece acknowledged", 50)}
        assert found == {"acknowledged", *(f"{word} piece {number}" for number in range(12))}
        assert memory.documents()[0].pieces == 12

        def whole(connection):
            connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
            tables = ("SELECT number FROM fragment", "SELECT rowid FROM words", "SELECT fragment FROM vector")
            return [{number for (number,) in connection.execute(sql)} for sql in tables]

        fragment, words, vector = memory._file.write(whole)
        assert fragment == words == vector
        assert len(fragment) == 13
