"""Tools that read files."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from actors.agent.terms.capability import FileRead, FileWrite
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools import files, regular_file, walk
from actors.tools.file_changes import edit_file, write_file
from actors.tools.files import FILE_TOOLS, find_files, list_files, read_file
from actors.tools.grep import grep_files
from actors.tools.registry import ToolRegistry
from actors.tools.shown_path import meant_path, shown_path
from tests.waiting import BOUND, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    paths = allowed or (".",)
    grants = FileRead(allowed_paths=paths), FileWrite(allowed_paths=paths)
    return SimpleNamespace(manifest=SimpleNamespace(capabilities=grants))


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
    """After it was listed: it is not waited for, and not opened."""
    real = walk.Walk._enter

    def swap(self: Any, path: str) -> None:
        if path == "sub" and (tree / "sub").is_dir():
            os.rename(tree / "sub", tree / "was")
            os.mkfifo(tree / "sub")
        real(self, path)

    monkeypatch.setattr(walk.Walk, "_enter", swap)
    assert _use(find_files, pattern="**/*.py").splitlines() == ["a.py"]


def test_a_folder_that_may_not_be_listed_is_passed_over(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are found, and it is said; but no descriptor left is an error."""
    real = walk.Walk._enter
    error = PermissionError(13, "Permission denied")

    def refuse(self: Any, path: str) -> None:
        if path == "sub/deep":
            raise error
        real(self, path)

    monkeypatch.setattr(walk.Walk, "_enter", refuse)
    said = "[passed over, as it cannot be listed: sub/deep]"
    assert _use(find_files, pattern="**/*.py").splitlines() == ["a.py", "sub/c.py", said]
    assert _use(grep_files, pattern="in ").splitlines()[-1] == said
    error = OSError(24, "Too many open files")  # type: ignore[assignment]
    with pytest.raises(ToolFailed, match="Too many open files"):
        _use(find_files, pattern="**/*.py")


LEADS_NOWHERE = {
    "gone": "nothing",
    "circle": "circle",
    "ping": "pong",
    "below_a_file": "a.py/x",
    "too_long": "x" * 300,
    "closed": "closed.d/inner",
}


@pytest.mark.parametrize("name", LEADS_NOWHERE)
@pytest.mark.parametrize("by_path", [False, True])
def test_a_link_that_leads_nowhere_hides_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch, name: str, by_path: bool
) -> None:
    """Broken, in a circle, below a file, too long, or where nobody may look: its neighbours are listed and searched."""
    if by_path:
        monkeypatch.setattr(os, "supports_fd", set())
    (tree / "pong").symlink_to("ping")
    (tree / "closed.d").mkdir(0)
    (tree / name).symlink_to(LEADS_NOWHERE[name])
    try:
        listed = _use(list_files).splitlines()
        assert {"a.py", "b.txt", "sub/", name} <= set(listed)
        found = _use(find_files, pattern="**").splitlines()
        assert {"a.py", "b.txt", "sub/c.py", "sub/deep/d.py", name} <= set(found)
        assert _use(grep_files, pattern="in sub").splitlines()[:3] == [
            "sub/c.py:1:in sub/c.py",
            "sub/deep/d.py:1:in sub/deep/d.py",
            "sub/deep/e.md:1:in sub/deep/e.md",
        ]
    finally:
        (tree / "closed.d").chmod(0o700)


class NoWord:
    """An entry of which nothing can be told."""

    def __init__(self, entry: Any) -> None:
        self.name = entry.name

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        raise PermissionError(13, "Permission denied")

    def is_symlink(self) -> bool:
        raise OSError(5, "Input/output error")


def test_an_entry_that_cannot_be_looked_at_is_listed_by_its_name(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell with the name what it is, and nobody may look."""
    real = os.scandir

    @contextmanager
    def scandir(where: Any) -> Iterator[Any]:
        with real(where) as entries:
            yield (NoWord(entry) if entry.name == "b.txt" else entry for entry in entries)

    monkeypatch.setattr(files.os, "scandir", scandir)
    monkeypatch.setattr(os, "supports_fd", {scandir})
    assert _use(list_files) == "a.py\nb.txt\nsub/"
    assert _use(find_files, pattern="*") == "a.py\nb.txt"


@pytest.mark.process
def test_looking_at_a_pipe_does_not_end_its_writer(tree: Path) -> None:
    """By no tool: it waits on, and what it writes later reaches its reader."""
    os.mkfifo(tree / "pipe")
    writer = subprocess.Popen(["sh", "-c", "echo ready; echo hello > pipe"], stdout=subprocess.PIPE)  # noqa: S607
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        eventually(lambda: _waits_in_open(writer.pid))
        for tool, arguments in (
            (read_file, {}),
            (list_files, {}),
            (find_files, {"pattern": "*"}),
            (grep_files, {"pattern": "x"}),
            (grep_files, {"pattern": "x", "path": "."}),
            (edit_file, {"old": "a", "new": "b"}),
            (write_file, {"content": "x"}),
        ):
            with suppress(ToolFailed):
                tool.execute({"path": "pipe", **arguments}, cancel=CancelToken(), agent=_agent())
            assert writer.poll() is None
            assert _waits_in_open(writer.pid)
        assert (tree / "pipe").read_bytes() == b"hello\n"
        assert writer.wait(BOUND) == 0
    finally:
        writer.kill()
        writer.wait()
        if writer.stdout is not None:
            writer.stdout.close()


def _waits_in_open(pid: int) -> bool:
    """Does it stand in the opening of a pipe, for a reader?"""
    return "pipe" not in " ".join(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")[3:]) and (
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    )


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("swapped", ["before", "after"])
def test_a_file_that_becomes_a_pipe(tree: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, looks: bool) -> None:
    """Swapped before the look it is refused; after it, the file that was looked at is read, where a system can do so.
    Nothing waits.
    """
    if not looks:
        monkeypatch.setattr(regular_file, "_LOOKS", 0)
    (tree / "x").write_text("the file\n")
    os.mkfifo(tree / "pipe")
    real = regular_file._refuse_irregular

    def swap(status: Any) -> None:
        monkeypatch.setattr(regular_file, "_refuse_irregular", real)
        real(status)
        os.rename(tree / "pipe", tree / "x")

    if swapped == "before":
        os.rename(tree / "pipe", tree / "x")
    else:
        monkeypatch.setattr(regular_file, "_refuse_irregular", swap)
    if swapped == "after" and looks:
        assert _use(read_file, path="x") == "the file\n"
    else:
        with pytest.raises(ToolFailed, match="cannot open 'x': it is not a regular file"):
            _use(read_file, path="x")


def test_devices_and_sockets_are_not_opened(tree: Path) -> None:
    """Not by a link, either; nor searched."""
    (tree / "zero").symlink_to("/dev/zero")
    (tree / "dev").symlink_to("/dev")
    for path in ("zero", "dev/zero", "/dev/zero"):
        with pytest.raises(ToolFailed, match="it is not a regular file"):
            _use(read_file, "*", path=path)
        with pytest.raises(ToolFailed, match="cannot list"):
            _use(grep_files, "*", path=path, pattern="x")
    assert _use(grep_files, "*", pattern="zero") == "no line holds it"


@pytest.mark.parametrize("arguments", [{"offset": 1}, {"offset": 10**6}, {"offset": 1, "limit": 10**9}])
def test_a_line_without_an_end_ends_at_a_cancel(tree: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any) -> None:
    """Also in the middle of the second one, which is skipped or too long to be shown."""
    with open(tree / "long", "wb") as file:
        file.write(b"first\n")
        file.truncate(1 << 40)

    class Token(CancelToken):
        looks = 0

        def check(self) -> None:
            self.looks += 1
            if self.looks == 3:
                self.cancel("enough")
            super().check()

    monkeypatch.setattr(files, "MAX_SHOWN", 1 << 16)
    token = Token()
    if arguments["offset"] > 1:
        with pytest.raises(Cancelled):
            read_file.execute({"path": "long", **arguments}, cancel=token, agent=_agent())
    else:  # it is cut long before that
        assert "too long" in str(read_file.execute({"path": "long", **arguments}, cancel=token, agent=_agent()).content)
    assert token.looks <= 3


ODD_NAMES = [
    "new\nline",
    "a\x1b[2Jb",
    "right\u202eto-left",
    "tag\U000e0041",
    "\udcff",
    "it's",
    "'quoted'",
    '"quoted"',
    "'new\\nline'",
    "new\\nline",
    "back\\slash",
    " space",
    "space ",
    "a:1:b",
    "é\u0301",
    "nbsp\u00a0x",
    "filler\u3164",
    "selector\ufe0fx",
    "joined\u200dx",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_shown_so_that_it_can_be_opened(tree: Path, name: str) -> None:
    """On one printable line, in each answer and each error; as it is shown it is read, searched and edited."""
    folder = tree / "odd" / name
    folder.mkdir(parents=True)
    (folder / name).write_text("look here\n")
    shown = _use(list_files, path="odd").removesuffix("/")
    assert shown.isprintable()
    assert _use(list_files, path=f"odd/{shown}") == shown
    found = _use(find_files, pattern="**", path="odd")
    assert found == f"{shown}/{shown}"
    assert _use(read_file, path=f"odd/{found}") == "look here\n"
    hit = _use(grep_files, pattern="look", path="odd")
    assert hit == f"{found}:1:look here"
    assert hit.isprintable()
    assert _use(grep_files, pattern="look", path=f"odd/{found}") == f"odd/{hit}"
    told = _use(edit_file, path=f"odd/{found}", old="look", new="see")
    assert told == f"replaced 1 place in odd/{found}"
    assert (folder / name).read_text() == "see here\n"
    with pytest.raises(ToolFailed) as info:
        _use(read_file, path=f"odd/{name}/nothing")
    assert str(info.value).isprintable()


def test_no_two_names_are_shown_alike() -> None:
    """However odd they are; and each is taken back."""
    parts = ["a", "'", '"', "\\", "n", "x0a", "\n", " ", ":1:", "\udcff", "\u202e", "\u3164"]
    names = {a + b + c for a in parts for b in parts for c in parts}
    assert len({shown_path(name) for name in names}) == len(names)
    assert all(meant_path(shown_path(f"x/{name}/y")) == f"x/{name}/y" for name in names)
    assert all(shown_path(name).isprintable() for name in names)


def test_a_plain_name_in_quotes_is_no_other_name(tree: Path) -> None:
    """What needs no quotes is meant as it stands."""
    with pytest.raises(ToolFailed, match="No such file"):
        _use(read_file, path="'a.py'")
    (tree / "'a.py'").write_text("quotes\n")
    assert _use(read_file, path="'a.py'") == "quotes\n"
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        _use(read_file, path="'..\\x2f..\\x2fetc'/../../../etc/passwd")


@pytest.mark.parametrize("tool", [list_files, find_files])
def test_a_listing_is_bounded_in_characters(tree: Path, tool: Any) -> None:
    """Names may be long, and escapes make them longer."""
    for number in range(400):
        (tree / "sub" / ("\x01" * 240 + f"{number:03}")).touch()
    arguments = {"pattern": "*"} if tool is find_files else {}
    lines = _use(tool, path="sub", **arguments)
    assert len(lines) <= files.MAX_SHOWN + 100
    *names, last = lines.splitlines()
    assert 0 < len(names) < 400
    assert last == f"... only the first {len(names)} are shown; ask for less"


def test_what_is_too_deep_is_said(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not looked at."""
    monkeypatch.setattr(walk, "MAX_DEPTH", 1)
    found = _use(find_files, pattern="**/*.py").splitlines()
    assert found == ["a.py", "sub/c.py", "[passed over, as it is deeper than 1 folders: sub/deep]"]


@pytest.mark.parametrize("pattern", ["[" * 501, "**/" * 300])
def test_a_pattern_has_a_bound(tree: Path, pattern: str) -> None:
    """What is longer is a bad argument."""
    result = find_files.execute({"pattern": pattern}, cancel=CancelToken(), agent=_agent())
    assert result.is_error


def test_folders_in_a_row_are_as_one(tree: Path) -> None:
    """However often it is said."""
    assert _use(find_files, pattern="**/" * 100 + "*.md") == "sub/deep/e.md"
