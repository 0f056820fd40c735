"""Tools that write files."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.capability import FileRead, FileWrite
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools import file_changes
from actors.tools.file_changes import CHANGE_TOOLS, edit_file, write_file
from actors.tools.files import MAX_FILE_BYTES
from actors.tools.registry import ToolRegistry


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; ``in`` may be written and read, its neighbour ``out`` may not."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text("secret\n")
    (inside / "note.txt").write_text("one two two\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def agent(write: tuple[str, ...] = ("in",), read: tuple[str, ...] = ("in",)) -> Any:
    grants = FileWrite(allowed_paths=write), FileRead(allowed_paths=read)
    return SimpleNamespace(manifest=SimpleNamespace(capabilities=grants))


def use(tool: Any, by: Any = None, **arguments: Any) -> str:
    result = tool.execute(arguments, cancel=CancelToken(), agent=by or agent())
    assert not result.is_error, result.content
    return str(result.content)


def everything(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_both_need_the_capability() -> None:
    """A grant to read is none to write."""
    registry = ToolRegistry(CHANGE_TOOLS)
    assert registry.definitions_for((FileRead(allowed_paths=("*",)),)) == []
    assert len(registry.definitions_for((FileWrite(allowed_paths=("x",)),))) == 2


def test_a_new_file_is_written_with_its_folders(home: Path) -> None:
    """And it says how much."""
    assert use(write_file, path="in/a/b/new.txt", content="hé\n") == "wrote in/a/b/new.txt (4 bytes)"
    assert (home / "in/a/b/new.txt").read_text() == "hé\n"


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(home: Path) -> None:
    """Its permissions stay, but setuid does not; nothing is left beside it."""
    note = home / "in/note.txt"
    note.chmod(0o4750)
    assert use(write_file, path="in/note.txt", content="new") == "replaced in/note.txt (3 bytes)"
    assert (note.read_text(), stat.S_IMODE(note.stat().st_mode)) == ("new", 0o750)
    assert os.listdir(home / "in") == ["note.txt"]


def test_a_single_file_may_be_what_is_allowed(home: Path) -> None:
    """It and nothing beside it."""
    by = agent(("in/only.md",))
    use(write_file, by, path="in/only.md", content="x")
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        use(write_file, by, path="in/other.md", content="x")
    assert everything(home / "in") == {"only.md": "x", "note.txt": "one two two\n"}


@pytest.mark.parametrize(
    "path",
    [
        "out/new.txt",
        "in/../out/new.txt",
        "/etc/actors-test",
        "in/link/new.txt",
        "in/link.txt",
        "in/dangling.txt",
        "..",
        "IN/new.txt",
        "ｉｎ/new.txt",
        "",
        "in/nul\0.txt",
        "in/\ud800.txt",
        "in/line\nbreak.txt",
        "in/bell\a.txt",
        "in/right\u202eto-left.txt",
    ],
)
def test_no_way_leads_out(home: Path, path: str) -> None:
    """Not by dots, links (to folders, to files, to nothing yet), other letters, or signs that are no name."""
    (home / "in/link").symlink_to(home / "out")
    (home / "in/link.txt").symlink_to(home / "out/secret.txt")
    (home / "in/dangling.txt").symlink_to(home / "out/new.txt")
    for tool, arguments in ((write_file, {"content": "x"}), (edit_file, {"old": "secret", "new": "x"})):
        with pytest.raises(ToolFailed):
            tool.execute({"path": path, **arguments}, cancel=CancelToken(), agent=agent())
    assert everything(home / "out") == {"secret.txt": "secret\n"}
    assert not (home / "IN").exists()


def test_a_link_swapped_in_between_check_and_use_is_not_followed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder becomes a link right after it was resolved: nothing is written on its other side."""
    (home / "in/sub").mkdir()
    real = os.path.realpath

    def swap(path: Any, **options: Any) -> Any:
        found = real(path, **options)
        if str(path).endswith("new.txt") and not (home / "in/sub").is_symlink():
            (home / "in/sub").rmdir()
            (home / "in/sub").symlink_to(home / "out")
        return found

    monkeypatch.setattr(os.path, "realpath", swap)
    with pytest.raises(ToolFailed, match="cannot open the folder"):
        use(write_file, path="in/sub/new.txt", content="x")
    assert everything(home / "out") == {"secret.txt": "secret\n"}


def test_links_that_change_all_the_time_never_lead_out(home: Path) -> None:
    """A folder that is now a folder, now a link: each write lands inside, or fails."""
    stop = threading.Event()
    sub = home / "in/sub"
    flips = 0

    def flip() -> None:
        nonlocal flips
        while not stop.is_set():
            shutil.rmtree(sub, ignore_errors=True)  # write_file makes it as well
            try:
                sub.symlink_to(home / "out")
                flips += 1
                os.unlink(sub)
                sub.mkdir()
            except OSError:
                pass

    flipping = threading.Thread(target=flip)
    flipping.start()
    landed = 0
    try:
        while not (landed >= 3 and flips >= 20):
            try:
                use(write_file, path="in/sub/x.txt", content="x")
                landed += 1
            except ToolFailed:
                pass
    finally:
        stop.set()
        flipping.join()
    assert everything(home / "out") == {"secret.txt": "secret\n"}


def test_what_is_no_regular_file_is_refused(home: Path) -> None:
    """Folders, pipes and devices; no pipe is waited for."""
    os.mkfifo(home / "in/pipe")
    (home / "in/sub").mkdir()
    for path in ("in/pipe", "in/sub"):
        with pytest.raises(ToolFailed, match=r"no regular file|is a folder|not a regular file"):
            use(write_file, path=path, content="x")
        with pytest.raises(ToolFailed):
            use(edit_file, path=path, old="a", new="b")
    with pytest.raises(ToolFailed, match="no regular file"):
        use(write_file, agent(("*",)), path="/dev/null", content="x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_hard_link_to_the_outside_is_cut_not_written_through(home: Path) -> None:
    """The file inside is another one from then on."""
    os.link(home / "out/secret.txt", home / "in/hard.txt")
    use(write_file, path="in/hard.txt", content="mine")
    assert (home / "out/secret.txt").read_text() == "secret\n"


def test_a_write_protected_file_stays(home: Path) -> None:
    """Replacing it would go round its protection."""
    (home / "in/note.txt").chmod(0o444)
    with pytest.raises(ToolFailed, match="write-protected"):
        use(write_file, path="in/note.txt", content="x")


@pytest.mark.parametrize("content", ["\ud800", "x" * (MAX_FILE_BYTES + 1)])
def test_what_cannot_be_a_file_is_refused(home: Path, content: str) -> None:
    """Half a character, or too much; the file that is there stays."""
    with pytest.raises(ToolFailed):
        use(write_file, path="in/note.txt", content=content)
    assert everything(home / "in") == {"note.txt": "one two two\n"}


def test_a_full_disk_leaves_the_old_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write fails, readably, and nothing is left behind."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_changes.os, "fsync", full)
    with pytest.raises(ToolFailed, match="No space left"):
        use(write_file, path="in/note.txt", content="new")
    assert everything(home / "in") == {"note.txt": "one two two\n"}


def test_an_edit_replaces_the_exact_piece(home: Path) -> None:
    """Once, or each place when asked."""
    assert use(edit_file, path="in/note.txt", old="one", new="1") == "replaced 1 place in in/note.txt"
    with pytest.raises(ToolFailed, match="stands 2 times"):
        use(edit_file, path="in/note.txt", old="two", new="2")
    told = use(edit_file, path="in/note.txt", old="two", new="2", replace_all=True)
    assert told == "replaced 2 places in in/note.txt"
    assert (home / "in/note.txt").read_text() == "1 2 2\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"old": "three", "new": "3"}, "does not stand in"),
        ({"old": "ONE", "new": "1"}, "does not stand in"),
        ({"old": "one", "new": "one"}, "the same"),
        ({"old": "one", "new": "\ud800"}, "half a character"),
        ({"path": "in/none.txt", "old": "a", "new": "b"}, "there is no file"),
        ({"old": "o", "new": "x" * MAX_FILE_BYTES, "replace_all": True}, "more than the"),
    ],
)
def test_a_bad_edit_changes_nothing(home: Path, arguments: dict[str, Any], problem: str) -> None:
    """And says what to do."""
    with pytest.raises(ToolFailed, match=problem):
        use(edit_file, **{"path": "in/note.txt", **arguments})
    assert everything(home / "in") == {"note.txt": "one two two\n"}


def test_an_empty_old_is_a_bad_argument(home: Path) -> None:
    """It would stand everywhere."""
    result = edit_file.execute({"path": "in/note.txt", "old": "", "new": "x"}, cancel=CancelToken(), agent=agent())
    assert result.is_error
    assert "old" in result.content


def test_an_edit_needs_the_right_to_read(home: Path) -> None:
    """Its answer would tell what stands in the file."""
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        use(edit_file, agent(read=("out",)), path="in/note.txt", old="one", new="1")


def test_a_change_by_somebody_else_is_not_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not wait in our line wins, and the model is told."""
    real = os.fsync

    def meanwhile(descriptor: int) -> None:
        real(descriptor)
        (home / "in/note.txt").write_text("somebody else's\n")

    monkeypatch.setattr(file_changes.os, "fsync", meanwhile)
    with pytest.raises(ToolFailed, match="changed by somebody else"):
        use(edit_file, path="in/note.txt", old="one", new="1")
    assert everything(home / "in") == {"note.txt": "somebody else's\n"}


def test_edits_at_the_same_time_are_all_kept(home: Path) -> None:
    """Twenty agents, each with a line of its own."""
    (home / "in/list.txt").write_text("".join(f"line {number};\n" for number in range(20)))
    threads = [
        threading.Thread(
            target=use,
            args=(edit_file,),
            kwargs={"path": "in/list.txt", "old": f"line {number};", "new": f"done {number};"},
        )
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (home / "in/list.txt").read_text() == "".join(f"done {number};\n" for number in range(20))


def test_who_waits_for_its_turn_can_be_cancelled(home: Path) -> None:
    """A folder that somebody keeps locked holds nobody for ever."""
    import fcntl

    folder = os.open(home / "in", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        token = CancelToken()
        threading.Timer(0.05, token.cancel, ("enough",)).start()
        with pytest.raises(Cancelled):
            write_file.execute({"path": "in/x.txt", "content": "x"}, cancel=token, agent=agent())
    finally:
        os.close(folder)
    assert everything(home / "in") == {"note.txt": "one two two\n"}


def test_git_s_own_files_are_not_written_to(home: Path) -> None:
    """What stands there is run by git."""
    (home / "in/.git/hooks").mkdir(parents=True)
    for path in ("in/.git/config", "in/.git/hooks/pre-commit", "in/sub/../.git/x", "in/.git/new/x"):
        with pytest.raises(ToolFailed, match="git repository's own files"):
            use(write_file, path=path, content="x")
    assert everything(home / "in/.git") == {}
    use(write_file, path="in/.gitignore", content="x")


def test_a_new_file_of_somebody_else_is_not_overwritten(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not there a moment ago."""
    real = os.fsync

    def meanwhile(descriptor: int) -> None:
        real(descriptor)
        monkeypatch.setattr(file_changes, "_status", lambda place: None)  # the last instant
        (home / "in/new.txt").write_text("somebody else's\n")

    monkeypatch.setattr(file_changes.os, "fsync", meanwhile)
    with pytest.raises(ToolFailed, match="made by somebody else"):
        use(write_file, path="in/new.txt", content="mine")
    assert everything(home / "in") == {"new.txt": "somebody else's\n", "note.txt": "one two two\n"}


def test_a_change_that_hides_its_time_is_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same length, with the old times put back."""
    note = home / "in/note.txt"
    before = note.stat()
    real = os.fsync

    def meanwhile(descriptor: int) -> None:
        real(descriptor)
        note.write_text("ONE two two\n")
        os.utime(note, ns=(before.st_atime_ns, before.st_mtime_ns))

    monkeypatch.setattr(file_changes.os, "fsync", meanwhile)
    with pytest.raises(ToolFailed, match="changed by somebody else"):
        use(edit_file, path="in/note.txt", old="one", new="1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody")
def test_the_owner_stays(home: Path) -> None:
    """Else he could not read his own file any more."""
    note = home / "in/note.txt"
    os.chown(note, 1000, 1000)
    note.chmod(0o600)
    use(edit_file, path="in/note.txt", old="one", new="1")
    assert (note.stat().st_uid, note.stat().st_gid, stat.S_IMODE(note.stat().st_mode)) == (1000, 1000, 0o600)


def test_a_folder_that_stays_locked_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bound of its own."""
    import fcntl

    monkeypatch.setattr(file_changes, "PATIENCE", 0.05)
    folder = os.open(home / "in", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(ToolFailed, match="somebody else is writing"):
            use(write_file, path="in/x.txt", content="x")
    finally:
        os.close(folder)


def test_the_granted_folder_itself_is_made(home: Path) -> None:
    """It need not be there before."""
    use(write_file, agent(("in/later",)), path="in/later/a/b.txt", content="x")
    assert (home / "in/later/a/b.txt").read_text() == "x"
    with pytest.raises(ToolFailed, match="is a folder"):
        use(write_file, path="in/sub/", content="x")


def test_other_spellings_of_git_are_git(home: Path) -> None:
    """Some file systems do not tell them apart."""
    for path in ("in/.GIT/config", "in/.git /config", "in/.Git./x", "in/.hg/hgrc"):
        with pytest.raises(ToolFailed, match="git repository's own files"):
            use(write_file, path=path, content="x")


def test_an_edit_without_the_right_to_read_says_which_is_missing(home: Path) -> None:
    """Both are named."""
    with pytest.raises(ToolFailed, match=r"not in allowed_paths \(file_write: in; and file_read: none\)"):
        use(edit_file, agent(read=()), path="in/note.txt", old="one", new="1")
