"""The tool that looks into files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.terms.capability import FileRead
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools import grep
from actors.tools.files import MAX_FILE_BYTES
from actors.tools.grep import grep_files


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a folder ``in`` that may be read."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "in/a.py": "import os\nprint('Hello')\n",
        "in/sub/b.py": "# hello\r\nx = 1\n",
        "in/sub/c.txt": "hello there\n",
        "out/secret.txt": "hello secret\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    return tmp_path


def look(text: str, **arguments: Any) -> str:
    by: Any = SimpleNamespace(manifest=SimpleNamespace(capabilities=(FileRead(allowed_paths=("in",)),)))
    result = grep_files.execute({"pattern": text, "path": "in", **arguments}, cancel=CancelToken(), agent=by)
    assert not result.is_error, result.content
    return str(result.content)


def test_it_finds_lines(tree: Path) -> None:
    """With path and number; the text is no pattern unless asked."""
    assert look("hello") == "sub/b.py:1:# hello\nsub/c.txt:1:hello there"
    assert look("print('") == "a.py:2:print('Hello')"
    assert look("h.llo") == "no line holds it"
    assert look("hello", path="in/sub/c.txt") == "in/sub/c.txt:1:hello there"


def test_case_may_be_ignored(tree: Path) -> None:
    """Also with a regular expression."""
    assert look("HELLO", ignore_case=True).count("\n") == 2
    pytest.importorskip("re2")
    assert look("^PRINT", ignore_case=True, regex=True) == "a.py:2:print('Hello')"


def test_a_glob_chooses_the_files(tree: Path) -> None:
    """As find_files does."""
    assert look("hello", glob="**/*.py") == "sub/b.py:1:# hello"
    assert look("o", glob="*.py") == "a.py:1:import os\na.py:2:print('Hello')"


def test_a_regular_expression(tree: Path) -> None:
    """RE2's."""
    pytest.importorskip("re2")
    assert look(r"^x\s*=\s*\d$", regex=True) == "sub/b.py:2:x = 1"


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "a{1001}", "((((a{100}){100}){100}){100})"])
def test_a_bad_expression_is_named(tree: Path, pattern: str) -> None:
    """What RE2 cannot do, or would need too much memory for."""
    pytest.importorskip("re2")
    with pytest.raises(ToolFailed, match="is no regular expression"):
        look(pattern, regex=True)


def test_no_expression_takes_for_ever(tree: Path) -> None:
    """One that keeps a backtracking engine busy for years."""
    pytest.importorskip("re2")
    (tree / "in/long.txt").write_text("a" * 15_000 + "!\n")
    assert look("^(a+)+$", regex=True) == "no line holds it"


def test_without_the_package_the_error_names_the_command(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a plain text needs no package."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(ImportError, match=r"pip install 'google-re2>=1.1'"):
        look("x", regex=True)
    assert "hello" in look("hello")


@pytest.mark.parametrize("path", ["out", "in/../out", "/etc", "in/link"])
def test_it_stays_inside(tree: Path, path: str) -> None:
    """By no dots and no link."""
    (tree / "in/link").symlink_to(tree / "out")
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        look("hello", path=path)


def test_links_and_pipes_are_passed_over(tree: Path) -> None:
    """None is followed, none is waited for."""
    (tree / "in/link").symlink_to(tree / "out")
    (tree / "in/link.txt").symlink_to(tree / "out/secret.txt")
    os.mkfifo(tree / "in/pipe")
    assert look("hello") == "sub/b.py:1:# hello\nsub/c.txt:1:hello there"
    with pytest.raises(ToolFailed):
        look("hello", path="in/pipe")


def test_a_link_swapped_in_while_it_looks_is_not_followed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder was listed as one, and is a link when its files are opened."""
    real = grep._content
    (tree / "out/b.py").write_text("hello outside\n")

    def swap(walk: Any, name: str) -> str | None:
        if name.startswith("sub") and not (tree / "in/sub").is_symlink():
            os.rename(tree / "in/sub", tree / "in/was")
            (tree / "in/sub").symlink_to(tree / "out")
        return real(walk, name)

    monkeypatch.setattr(grep, "_content", swap)
    assert "outside" not in look("hello")


def test_what_is_no_text_is_passed_over(tree: Path) -> None:
    """Binary files, and those that are too large; other encodings are read as well as may be."""
    (tree / "in/binary").write_bytes(b"hello\0")
    (tree / "in/huge").write_bytes(b"hello\n" * (MAX_FILE_BYTES // 6 + 1))
    (tree / "in/latin").write_bytes("hello é\n".encode("latin-1"))
    passed_over = "[passed over: 2 files that are larger than 2,000,000 bytes, no text, or not readable]"
    assert look("hello", glob="*") == f"latin:1:hello \ufffd\n{passed_over}"
    with pytest.raises(ToolFailed, match="no text, or too large"):
        look("hello", path="in/binary")


def test_the_answer_is_bounded(tree: Path) -> None:
    """So many lines, each so long; a name that breaks its line is quoted."""
    (tree / "in/many\n.txt").write_text("hello\n" * 1_000)
    (tree / "in/wide.txt").write_text("hello" + "x" * 10_000 + "\n")
    lines = look("hello", glob="*").split("\n")
    assert len(lines) == grep.MAX_HITS + 1
    assert lines[0] == r"'many\n.txt':1:hello"
    assert len(look("hello", path="in/wide.txt")) < 400


def test_a_cancel_ends_it(tree: Path) -> None:
    """Before the next file."""
    token = CancelToken()
    token.cancel("enough")
    by: Any = SimpleNamespace(manifest=SimpleNamespace(capabilities=(FileRead(allowed_paths=("in",)),)))
    with pytest.raises(Cancelled):
        grep_files.execute({"pattern": "x", "path": "in"}, cancel=token, agent=by)


@pytest.mark.parametrize("glob", ["../*", "", "/"])
def test_a_bad_glob_is_refused(tree: Path, glob: str) -> None:
    """It leads up, or nowhere."""
    with pytest.raises(ToolFailed, match="is not a pattern"):
        look("x", glob=glob)


def test_the_answer_is_bounded_in_characters(tree: Path) -> None:
    """Names may be long, and escapes make them longer."""
    for number in range(100):
        (tree / f"in/{chr(1) * 240}{number}").write_text("hello\n")
    lines = look("hello", glob="*").splitlines()
    assert len("\n".join(lines)) <= grep.MAX_SHOWN + 100
    assert lines[-1] == f"... only the first {len(lines) - 1} are shown; ask for less"


def test_a_cancel_ends_it_between_files_that_are_passed_over(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of them stand in a folder."""
    token = CancelToken()
    opened: list[str] = []
    for number in range(10):
        (tree / f"in/binary{number}").write_bytes(b"\0")
    real = grep._content

    def content(walk: Any, name: str) -> str | None:
        opened.append(name)
        token.cancel("enough")
        return real(walk, name)

    monkeypatch.setattr(grep, "_content", content)
    by: Any = SimpleNamespace(manifest=SimpleNamespace(capabilities=(FileRead(allowed_paths=("in",)),)))
    with pytest.raises(Cancelled):
        grep_files.execute({"pattern": "x", "path": "in", "glob": "binary*"}, cancel=token, agent=by)
    assert len(opened) == 1
