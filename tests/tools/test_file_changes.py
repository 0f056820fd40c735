"""Tools that write files."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import struct
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.terms.capability import FileRead, FileWrite
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools import file_attributes, file_changes
from actors.tools.file_attributes import FileAttributes
from actors.tools.file_changes import CHANGE_TOOLS, edit_file, write_file
from actors.tools.files import MAX_FILE_BYTES
from actors.tools.path_guard import DEEPEST
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
        "in/filler\u3164.txt",
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


def test_folders_are_made_down_to_a_depth(home: Path) -> None:
    """What is deeper could be neither searched nor removed by most programs; nothing of it is made."""
    deepest = "/".join("d" * DEEPEST)
    use(write_file, path=f"in/{deepest}/f.txt", content="x")
    for path in ("in/" + "x/" * 2000 + "f", f"in/{deepest}/d/f.txt", "in/x/" + deepest + "/f.txt"):
        with pytest.raises(ToolFailed, match="folders are made down to 64 below an allowed path"):
            use(write_file, path=path, content="x")
    assert not (home / "in/x").exists()
    assert os.listdir(home / "in" / deepest) == ["f.txt"]
    (home / "in" / deepest / "d").mkdir()
    use(write_file, path=f"in/{deepest}/d/f.txt", content="x")  # into one that is there


# Who may do what ----------------------------------------------------------------------------------------------------

ANYBODY = 0xFFFFFFFF
OWNER, USER, GROUP, MASK, OTHER = 1, 2, 4, 16, 32
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """As the kernel keeps it: a version, then kind, rights and id of each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NARROW = access_list((OWNER, 6, ANYBODY), (USER, 6, 1234), (GROUP, 0, ANYBODY), (MASK, 6, ANYBODY), (OTHER, 0, ANYBODY))
WIDE = access_list((OWNER, 7, ANYBODY), (USER, 7, 77), (GROUP, 7, ANYBODY), (MASK, 7, ANYBODY), (OTHER, 7, ANYBODY))


def attributes(file: Path) -> dict[str, bytes]:
    return {name: os.getxattr(file, name) for name in os.listxattr(file)}


@pytest.fixture
def lists(home: Path) -> Path:
    """A file with an access list that gives a user more than the owning group, and attributes."""
    note = home / "in/note.txt"
    try:
        os.setxattr(note, ACCESS, NARROW)
        os.setxattr(note, "user.origin", b"here\0")
    except (OSError, AttributeError):
        pytest.skip("a system without access lists")
    return note


@pytest.mark.parametrize("change", [{"content": "new"}, {"old": "one", "new": "1"}])
def test_access_list_and_attributes_stay(lists: Path, change: dict[str, str]) -> None:
    """Its mode shows the mask where the group's rights stand: the group gets none of them."""
    before = attributes(lists), lists.stat().st_mode
    use(write_file if "content" in change else edit_file, path="in/note.txt", **change)
    assert (attributes(lists), lists.stat().st_mode) == before
    assert lists.read_text() != "one two two\n"


def test_what_the_folder_gives_to_new_files_does_not_come_to_an_old_one(lists: Path) -> None:
    """Its list for new files is for those; an old one with no list gets none."""
    os.setxattr(lists.parent, DEFAULT, WIDE)
    use(write_file, path="in/note.txt", content="new")
    assert attributes(lists)[ACCESS] == NARROW
    os.removexattr(lists, ACCESS)
    lists.chmod(0o640)
    use(write_file, path="in/note.txt", content="newer")
    assert attributes(lists) == {"user.origin": b"here\0"}
    assert stat.S_IMODE(lists.stat().st_mode) == 0o640
    use(write_file, path="in/other.txt", content="x")
    assert ACCESS in attributes(lists.parent / "other.txt")


def test_nobody_has_more_rights_while_it_is_written(lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is its owner's alone until all else is as it was; at each step nobody has more than in the end."""
    os.setxattr(lists.parent, DEFAULT, WIDE)
    seen: list[tuple[str, int]] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            for file in lists.parent.glob(".*.tmp"):
                seen.append((name, file.stat().st_mode & 0o077))
            return real(*args, **kwargs)

        monkeypatch.setattr(file_attributes.os, name, step)

    lists.chmod(0o604)
    for name in ("fsync", "fchmod", "setxattr", "removexattr", "replace"):
        watch(name)
    use(write_file, path="in/note.txt", content="new")
    assert {name for name, _ in seen} >= {"fsync", "fchmod", "setxattr", "replace"}
    assert all(rights & ~0o004 == 0 for _, rights in seen)
    assert seen[0][1] == 0


@pytest.mark.parametrize("refused", ["fchown", "setxattr", "fchmod"])
def test_what_cannot_be_kept_is_an_error(lists: Path, monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    """The file stays as it was, and nothing is left beside it."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    if refused == "fchown":
        monkeypatch.setattr(FileAttributes, "of", lambda *_: FileAttributes(12345, 12345, 0o600, {}))
    monkeypatch.setattr(file_attributes.os, refused, refuse)
    with pytest.raises(ToolFailed, match=r"cannot write 'in/note.txt': Operation not permitted"):
        use(write_file, path="in/note.txt", content="new")
    assert (lists.read_text(), os.listdir(lists.parent)) == ("one two two\n", ["note.txt"])


def test_a_label_of_the_system_may_be_its_own(lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system gives one to each new file, and does not let everybody change it."""
    real = os.setxattr

    def label(file: Any, name: str, value: bytes) -> None:
        if name.startswith("security."):
            raise PermissionError(1, "Operation not permitted")
        real(file, name, value)

    monkeypatch.setattr(file_attributes.os, "setxattr", label)
    monkeypatch.setattr(FileAttributes, "of", _with_label(FileAttributes.of))
    use(write_file, path="in/note.txt", content="new")
    assert attributes(lists)[ACCESS] == NARROW


def _with_label(real: Any) -> Any:
    def of(*args: Any) -> FileAttributes:
        found = real(*args)
        return FileAttributes(found.uid, found.gid, found.mode, {"security.label": b"x", **found.extended})

    return of


def test_rights_of_a_program_do_not_stay(home: Path) -> None:
    """Neither setuid nor the capabilities of the file: another content has no claim to them."""
    note = home / "in/note.txt"
    capabilities = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    try:
        os.setxattr(note, "security.capability", capabilities)
    except (OSError, AttributeError):
        pytest.skip("only root may give them")
    use(write_file, path="in/note.txt", content="new")
    assert attributes(note) == {}


def test_a_file_system_without_attributes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a system without them: the mode stays."""
    (home / "in/note.txt").chmod(0o640)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(file_attributes.os, "listxattr", refuse)
    use(write_file, path="in/note.txt", content="new")
    monkeypatch.delattr(file_attributes.os, "listxattr")
    use(write_file, path="in/note.txt", content="newer")
    assert stat.S_IMODE((home / "in/note.txt").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("step", "error"), [("replace", errno.EXDEV), ("replace", errno.EBUSY), ("fsync", errno.EDQUOT)]
)
def test_a_step_that_fails_leaves_the_old_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: int
) -> None:
    """A mount point, another file system, no room: it is said, and nothing is left beside it."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(file_changes.os, step, fail)
    with pytest.raises(ToolFailed, match=r"cannot write 'in/note\.txt': "):
        use(write_file, path="in/note.txt", content="new")
    assert everything(home / "in") == {"note.txt": "one two two\n"}
    assert os.listdir(home / "in") == ["note.txt"]


def test_the_longest_name_can_be_written(home: Path) -> None:
    """And replaced: the file that is written first has a short one."""
    name = "x" * 255
    use(write_file, path=f"in/{name}", content="1")
    assert use(edit_file, path=f"in/{name}", old="1", new="2") == f"replaced 1 place in in/{name}"
    with pytest.raises(ToolFailed, match="File name too long"):
        use(write_file, path=f"in/{name}x", content="1")
