"""Tools that read files."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.capability import FileRead
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools import files, walk
from actors.tools.files import FILE_TOOLS, find_files, list_files, read_file
from actors.tools.registry import ToolRegistry


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a small tree of source files."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.txt", "sub/c.py", "sub/deep/d.py", "sub/deep/e.md"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"in {name}\n")
    return tmp_path


def _agent(*allowed: str) -> Any:
    return SimpleNamespace(manifest=SimpleNamespace(capabilities=(FileRead(allowed_paths=allowed or (".",)),)))


def _use(tool: Any, *allowed: str, **arguments: Any) -> str:
    result = tool.execute(arguments, cancel=CancelToken(), agent=_agent(*allowed))
    assert not result.is_error, result.content
    return str(result.content)


def test_every_file_tool_needs_the_capability() -> None:
    """All of them need ``file_read``, without which none is offered."""
    registry = ToolRegistry(FILE_TOOLS)
    assert registry.names() == ["read_file", "list_files", "find_files"]
    assert registry.definitions_for(()) == []
    assert len(registry.definitions_for((FileRead(allowed_paths=("x",)),))) == 3


@pytest.mark.parametrize("tool", FILE_TOOLS)
@pytest.mark.parametrize("path", ["/etc", "..", "sub/../.."])
def test_every_file_tool_stays_inside(tree: Path, tool: Any, path: str) -> None:
    """None of them leaves the allowed paths."""
    arguments = {"path": path, **({"pattern": "*"} if tool is find_files else {})}
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        tool.execute(arguments, cancel=CancelToken(), agent=_agent())


# read_file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "one\n", "no end", "ü\r\n\x0cz\u2028\n", "\ufeffbom"])
def test_a_file_is_read_as_it_is(tree: Path, content: str) -> None:
    """A whole file comes back unchanged, with its line ends."""
    (tree / "x").write_bytes(content.encode())
    assert _use(read_file, path="x") == content


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [
        (0, 1, "one\n"),
        (1, None, "two\x0c\r\nthree"),
        (1, 1, "two\x0c\r\n"),
        (2, 5, "three"),
        (0, 3, "one\ntwo\x0c\r\nthree"),
    ],
)
def test_some_lines(tree: Path, offset: int, limit: int | None, expected: str) -> None:
    """offset skips lines, limit bounds them; a line ends at a newline only."""
    (tree / "x").write_bytes(b"one\ntwo\x0c\r\nthree")
    assert _use(read_file, path="x", offset=offset, limit=limit) == expected


def test_an_offset_past_the_end(tree: Path) -> None:
    """Past the end there is nothing to read, and the error says how many lines there are."""
    with pytest.raises(ToolFailed, match="has 1 lines; offset 1 is past the end"):
        _use(read_file, path="a.py", offset=1)
    (tree / "empty").touch()
    assert _use(read_file, path="empty", limit=3) == ""


@pytest.mark.parametrize("arguments", [{"offset": -1}, {"limit": 0}, {"offset": "x"}])
def test_bad_bounds(tree: Path, arguments: dict[str, Any]) -> None:
    """Impossible bounds are argument errors."""
    result = read_file.execute({"path": "a.py", **arguments}, cancel=CancelToken(), agent=_agent())
    assert result.is_error
    assert f"- {next(iter(arguments))}" in result.content


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff\xfea", "byte 0xff at offset 0"),
        (b"abc\n\xc3\x28", "byte 0xc3 at offset 4"),
        (b"ok \xe2\x82", "byte 0xe2 at offset 3"),
    ],
)
def test_a_file_that_is_not_utf8(tree: Path, data: bytes, text: str) -> None:
    """What is not UTF-8 is an error that says where it stops to be."""
    (tree / "x").write_bytes(data)
    with pytest.raises(ToolFailed, match=f"'x' is not UTF-8 text: {text}"):
        _use(read_file, path="x")


def test_a_long_file_comes_in_parts(tree: Path) -> None:
    """Whole lines, as many as can be shown, and where to go on; a huge one as well."""
    line = "x" * 99 + "\n"
    (tree / "long").write_text(line * 1_001)
    text = _use(read_file, path="long")
    assert text == line * 500 + "\n[cut at line 501; read on with offset=500]"
    assert _use(read_file, path="long", offset=1_000) == line
    assert _use(read_file, path="long", offset=998, limit=2) == line * 2
    with open(tree / "huge", "wb") as file:
        file.truncate(1 << 40)
        file.write(b"first\nsecond\n")
    assert _use(read_file, path="huge", limit=2) == "first\nsecond\n"


def test_a_line_that_is_too_long_is_cut(tree: Path) -> None:
    """The next one can be read."""
    (tree / "wide").write_text("é" * 100_000 + "\nnext\n")
    text = _use(read_file, path="wide")
    assert text.startswith("é" * 25_000)
    assert text.endswith("[cut at the middle of line 1, which is too long; read on with offset=1]")
    assert _use(read_file, path="wide", offset=1) == "next\n"


def test_a_cancel_ends_a_long_read(tree: Path) -> None:
    """Also when it only skips."""
    token = CancelToken()
    token.cancel("enough")
    with pytest.raises(Cancelled):
        read_file.execute({"path": "a.py", "offset": 10**9}, cancel=token, agent=_agent())


def test_only_regular_files_are_read(tree: Path) -> None:
    """A folder, a pipe without a writer, a socket and a device are refused, and nothing waits for them."""
    with pytest.raises(ToolFailed, match="is a folder"):
        _use(read_file, path="sub")
    os.mkfifo(tree / "pipe")
    with pytest.raises(ToolFailed, match="not a regular file"):
        _use(read_file, path="pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(ToolFailed, match="cannot open"):
            _use(read_file, path="socket")
    with pytest.raises(ToolFailed, match="not a regular file"):
        _use(read_file, "*", path="/dev/null")


def test_a_missing_file(tree: Path) -> None:
    """What is not there is an error that says so."""
    with pytest.raises(ToolFailed, match="cannot open 'nothing': No such file"):
        _use(read_file, path="nothing")


# list_files -----------------------------------------------------------------------------------------------------


def test_a_folder_is_listed(tree: Path) -> None:
    """Names are sorted, folders have a slash, links are names only."""
    (tree / "link").symlink_to("/etc")
    assert _use(list_files) == "a.py\nb.txt\nlink\nsub/"
    assert _use(list_files, path="sub") == "c.py\ndeep/"
    (tree / "empty").mkdir()
    assert _use(list_files, path="empty") == "the folder is empty"


def test_what_is_no_folder_is_not_listed(tree: Path) -> None:
    """A file and a missing folder are errors."""
    with pytest.raises(ToolFailed, match=r"cannot list 'a\.py': Not a directory"):
        _use(list_files, path="a.py")
    with pytest.raises(ToolFailed, match="No such file"):
        _use(list_files, path="nothing")


def test_odd_names(tree: Path) -> None:
    """A name that would break its line, or is no text, is shown as its repr."""
    (tree / "sub" / "new\nline").touch()
    Path(os.fsdecode(os.fsencode(tree / "sub") + b"/\xff")).touch()
    assert _use(list_files, path="sub") == "c.py\ndeep/\n'new\\nline'\n'\\udcff'"


def test_long_listings_are_cut(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More names than the limit are cut, and the model is told."""
    monkeypatch.setattr(files, "MAX_ENTRIES", 2)
    assert _use(list_files).splitlines() == ["a.py", "b.txt", "... only the first 2 are shown; ask for less"]
    assert len(_use(find_files, pattern="**/*.py").splitlines()) == 3
    assert _use(find_files, pattern="*.py") == "a.py"


# find_files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.py", "a.py"),
        ("*", "a.py b.txt"),
        ("**/*.py", "a.py sub/c.py sub/deep/d.py"),
        ("**", "a.py b.txt sub/c.py sub/deep/d.py sub/deep/e.md"),
        ("sub/**", "sub/c.py sub/deep/d.py sub/deep/e.md"),
        ("sub/*", "sub/c.py"),
        ("./sub//c.py", "sub/c.py"),
        ("*/*/*.md", "sub/deep/e.md"),
        ("**/deep/**/*.[dm]*", "sub/deep/e.md"),
        ("**/**/**/d.py", "sub/deep/d.py"),
        ("A.PY", "no file fits"),
        ("sub", "no file fits"),
        ("*.c", "no file fits"),
    ],
)
def test_patterns(tree: Path, pattern: str, expected: str) -> None:
    """A pattern fits whole paths; two stars stand for any number of folders."""
    assert _use(find_files, pattern=pattern).replace("\n", " ") == expected


def test_paths_are_relative_to_the_folder(tree: Path) -> None:
    """Below another folder, paths start there."""
    assert _use(find_files, pattern="**/*.py", path="sub") == "c.py\ndeep/d.py"


@pytest.mark.parametrize("pattern", ["", "/", "../*", "a/../b"])
def test_impossible_patterns(tree: Path, pattern: str) -> None:
    """A pattern that is empty or goes up is refused."""
    with pytest.raises(ToolFailed, match="is not a pattern"):
        _use(find_files, pattern=pattern)


def test_links_are_not_followed(tree: Path) -> None:
    """A linked folder, outside or in a circle, is not entered."""
    (tree / "sub" / "up").symlink_to("..")
    (tree / "sub" / "etc").symlink_to("/etc")
    assert _use(find_files, pattern="**") == "a.py\nb.txt\nsub/c.py\nsub/deep/d.py\nsub/deep/e.md"


def test_a_search_ends_at_a_cancel(tree: Path) -> None:
    """A cancelled search stops at the next folder."""
    token = CancelToken()
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        find_files.execute({"pattern": "**"}, cancel=token, agent=_agent())


def test_where_folders_cannot_be_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without descriptors of folders, listing and finding work by path, inside the allowed ones."""
    monkeypatch.setattr(os, "supports_fd", set())
    assert _use(list_files, path="sub") == "c.py\ndeep/"
    assert _use(find_files, pattern="**/*.py", path="sub") == "c.py\ndeep/d.py"
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        _use(list_files, path="..")


def test_nothing_is_left_open(tree: Path) -> None:
    """Neither a success nor a refusal leaves a descriptor open."""
    gc.collect()  # what earlier tests left to it would be closed in between
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        _use(read_file, path="a.py")
        _use(find_files, pattern="**")
        for tool, path in ((read_file, "sub"), (read_file, "nothing"), (list_files, "a.py")):
            with pytest.raises(ToolFailed):
                _use(tool, path=path)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that opens and cannot be read")
def test_a_file_that_cannot_be_read() -> None:
    """A failure while reading is an error of the tool."""
    with pytest.raises(ToolFailed, match="cannot read '/proc/self/mem': Input/output error"):
        _use(read_file, "*", path="/proc/self/mem")


@pytest.mark.process
def test_a_deep_tree_is_walked(tree: Path) -> None:
    """Down to a bound, with few descriptors, whatever its depth."""
    where = os.open(tree, os.O_RDONLY)
    try:
        for _ in range(1_200):
            os.mkdir("d", dir_fd=where)
            inner = os.open("d", os.O_RDONLY, dir_fd=where)
            os.close(where)
            where = inner
    finally:
        os.close(where)
    (tree / "d/d/d/found.py").write_text("x\n")
    assert _use(find_files, pattern="**/found.py") == "d/d/d/found.py"
    remove_deep(tree / "d")


def remove_deep(folder: Path) -> None:
    """What shutil cannot: it is too deep for a path."""
    subprocess.run(["rm", "-rf", str(folder)], check=True)  # noqa: S607 - of every system that has such trees


def test_a_folder_that_becomes_a_pipe_is_passed_over(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it was listed: it is not waited for."""
    real = walk.open_below

    def swap(where: int, folder: Any) -> int:
        if list(folder) == ["sub"] and (tree / "sub").is_dir():
            os.rename(tree / "sub", tree / "was")
            os.mkfifo(tree / "sub")
        return real(where, folder)

    monkeypatch.setattr(walk, "open_below", swap)
    assert _use(find_files, pattern="**/*.py").splitlines() == ["a.py", "was/c.py", "was/deep/d.py"][:1]


def test_a_folder_that_may_not_be_listed_is_passed_over(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are found; but no descriptor left is an error."""
    real = walk.open_below
    error = PermissionError(13, "Permission denied")

    def refuse(where: int, folder: Any) -> int:
        if list(folder) == ["sub", "deep"]:
            raise error
        return real(where, folder)

    monkeypatch.setattr(walk, "open_below", refuse)
    assert _use(find_files, pattern="**/*.py").splitlines() == ["a.py", "sub/c.py"]
    error = OSError(24, "Too many open files")  # type: ignore[assignment]
    with pytest.raises(ToolFailed, match="Too many open files"):
        _use(find_files, pattern="**/*.py")


@pytest.mark.parametrize("pattern", ["[" * 501, "**/" * 300])
def test_a_pattern_has_a_bound(tree: Path, pattern: str) -> None:
    """What is longer is a bad argument."""
    result = find_files.execute({"pattern": pattern}, cancel=CancelToken(), agent=_agent())
    assert result.is_error


def test_folders_in_a_row_are_as_one(tree: Path) -> None:
    """However often it is said."""
    assert _use(find_files, pattern="**/" * 100 + "*.md") == "sub/deep/e.md"
