"""No way out of the allowed paths."""

from __future__ import annotations

import gc
import os
import pickle
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from actors.agent.terms.capability import FileRead, FileWrite, Memory
from actors.errors import ToolFailed
from actors.tools.path_guard import PathGuard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is allowed, ``in``, beside one that is not; the working directory holds both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "file").write_text("inside")
    (tmp_path / "in" / "sub" / "file").write_text("below")
    (tmp_path / "out" / "file").write_text("secret")
    return tmp_path


def _read(guard: PathGuard, path: object) -> str:
    with open(guard.open(str(path))) as file:
        return file.read()


def test_the_guard_of_an_agent_holds_all_its_grants() -> None:
    """Every grant of the kind counts, and none of another kind."""
    grants = (
        FileRead(allowed_paths=("a", "b")),
        Memory(),
        FileWrite(allowed_paths=("w",)),
        FileRead(allowed_paths=("c",)),
    )
    agent = SimpleNamespace(manifest=SimpleNamespace(capabilities=grants))
    assert PathGuard.of(agent) == PathGuard(("a", "b", "c"))  # type: ignore[arg-type]
    assert PathGuard.of(agent, FileWrite) == PathGuard(("w",))  # type: ignore[arg-type]


@pytest.mark.parametrize("allowed", ["in", "./in/", "{tree}/in", "in/sub/..", "out/../in", "*", "."])
@pytest.mark.parametrize("path", ["in/file", "{tree}/in/file", "in/sub/../file", "./in//file", "out/../in/file"])
def test_inside(tree: Path, allowed: str, path: str) -> None:
    """However a path and a grant are written, what lies inside is opened."""
    guard = PathGuard((allowed.format(tree=tree),))
    assert _read(guard, path.format(tree=tree)) == "inside"
    assert guard.resolve(path.format(tree=tree)) == os.path.realpath(tree / "in" / "file")


@pytest.mark.parametrize(
    "path",
    [
        "out/file",
        "{tree}/out/file",
        "in/../out/file",
        "in/sub/../../out/file",
        "in/../in/../out/file",
        ".",
        "..",
        "/",
        "in/..",
        "in2/file",
        "infile",
        "out/nothing",
        "/etc/passwd",
        "{tree}/in/../../../../../../../../etc/passwd",
        "/proc/self/cwd/out/file",
        "/proc/self/root{tree}/out/file",
    ],
)
def test_outside(tree: Path, path: str) -> None:
    """What leads out is refused, and the answer is the same whether it exists or not."""
    (tree / "in2").mkdir()
    given = path.format(tree=tree)
    for attempt in (PathGuard(("in",)).open, PathGuard(("in",)).resolve):
        with pytest.raises(ToolFailed) as caught:
            attempt(given)
        assert str(caught.value) == f"{given!r} is not in allowed_paths (in)"


def test_nothing_is_allowed_without_a_path(tree: Path) -> None:
    """A grant without paths allows none."""
    with pytest.raises(ToolFailed, match=r"not in allowed_paths \(none\)"):
        PathGuard(()).open("in/file")


def test_links(tree: Path) -> None:
    """What counts is where a link leads: inside it is followed, outside it is refused, also in the middle."""
    (tree / "in" / "good").symlink_to("sub/file")
    (tree / "in" / "bad").symlink_to("../out/file")
    (tree / "in" / "folder").symlink_to("../out")
    (tree / "in" / "twice").symlink_to("folder/file")
    (tree / "out" / "back").symlink_to("../in/file")
    guard = PathGuard(("in",))
    assert _read(guard, "in/good") == "below"
    assert _read(guard, "out/back") == "inside"
    for path in ("in/bad", "in/folder/file", "in/twice", "in/folder/../file2", "in/folder"):
        with pytest.raises(ToolFailed, match="not in allowed_paths"):
            guard.open(path)


def test_a_link_in_a_circle(tree: Path) -> None:
    """A link to itself is an error, not an endless loop."""
    (tree / "in" / "circle").symlink_to("circle")
    with pytest.raises(ToolFailed, match="cannot open"):
        PathGuard(("in",)).open("in/circle")


def test_a_grant_that_is_a_link(tree: Path) -> None:
    """A link in the manifest was granted by the user, and means what it leads to."""
    (tree / "granted").symlink_to("out")
    guard = PathGuard(("granted",))
    assert _read(guard, "granted/file") == "secret"
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        guard.open("in/file")


def test_a_single_file_may_be_granted(tree: Path) -> None:
    """A grant may be a file: that one, and none beside it."""
    guard = PathGuard(("in/file",))
    assert _read(guard, "in/file") == "inside"
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        guard.open("in/sub/file")


@pytest.mark.parametrize("swapped", ["folder", "file"])
def test_a_link_put_in_the_way_after_the_check(tree: Path, monkeypatch: pytest.MonkeyPatch, swapped: str) -> None:
    """A folder or a file that becomes a link between the check and the opening is not followed."""
    real = PathGuard._resolve

    def swap_after(self: PathGuard, path: str) -> tuple[str, str]:
        resolved = real(self, path)
        if swapped == "folder":
            (tree / "in" / "sub").rename(tree / "moved")
            (tree / "in" / "sub").symlink_to("../out")
        else:
            (tree / "in" / "sub" / "file").unlink()
            (tree / "in" / "sub" / "file").symlink_to("../../out/file")
        return resolved

    monkeypatch.setattr(PathGuard, "_resolve", swap_after)
    with pytest.raises(ToolFailed, match="cannot open"):
        PathGuard(("in",)).open("in/sub/file")


def test_a_folder_that_is_swapped_all_the_time(tree: Path) -> None:
    """While somebody swaps a folder for a link to the outside, no read ever sees the outside."""
    stop = threading.Event()
    spare, place = tree / "spare", tree / "in" / "sub"

    def swap() -> None:
        while not stop.is_set():
            place.rename(spare)
            place.symlink_to("../out")
            place.unlink()
            spare.rename(place)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        for _ in range(2_000):
            try:
                seen.add(_read(PathGuard(("in",)), "in/sub/file"))
            except ToolFailed:
                seen.add("refused")
    finally:
        stop.set()
        swapper.join(timeout=30)
    assert seen <= {"below", "refused"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "empty"),
        ("in/a\0b", "not a path"),
        ("in/\ud800", "not a path"),
        ("in/" + "x" * 500, "cannot (open|resolve)"),
        ("in/" + "x" * 5000, "longer than 4,096"),
        ("in/nothing", "No such file"),
        ("in/file/below", "Not a directory"),
    ],
)
def test_bad_paths(tree: Path, path: str, text: str) -> None:
    """A path that cannot be, or is not there, is an error that says so."""
    with pytest.raises(ToolFailed, match=text):
        PathGuard(("in",)).open(path)


@pytest.fixture
def open_files() -> Iterator[None]:
    """Fails a test that leaves a file open."""
    gc.collect()  # what earlier tests left to it would be closed in between
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    yield
    after = os.listdir("/proc/self/fd") if before else []
    assert len(after) == len(before)


def test_no_descriptor_is_left_open(tree: Path, open_files: None) -> None:
    """Neither a success nor a failure half-way leaves a folder open."""
    guard = PathGuard(("*",))
    for _ in range(5):
        os.close(guard.open(str(tree / "in" / "sub" / "file")))
        with pytest.raises(ToolFailed):
            guard.open(str(tree / "in" / "sub" / "nothing"))
        with pytest.raises(ToolFailed):
            guard.open(str(tree / "in" / "file" / "x"))


def test_where_folders_cannot_be_walked(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``dir_fd`` the check still holds."""
    monkeypatch.setattr("actors.tools.path_guard._WALKS", False)
    assert _read(PathGuard(("in",)), "in/file") == "inside"
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        PathGuard(("in",)).open("out/file")
    with pytest.raises(ToolFailed, match="No such file"):
        PathGuard(("in",)).open("in/nothing")


def test_a_working_directory_that_is_gone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path in a folder that was deleted is an error, not a crash."""
    (tree / "gone").mkdir()
    monkeypatch.chdir(tree / "gone")
    (tree / "gone").rmdir()
    with pytest.raises(ToolFailed, match="cannot resolve 'x'"):
        PathGuard(("*",)).open("x")


def test_a_childs_path_that_leads_out_by_a_link_is_refused(tree: Path) -> None:
    """By name it is below its parent's; where it leads decides, also when the link came later."""
    parent = FileRead(allowed_paths=("in",))
    cut = FileRead(allowed_paths=("in/way", "in")).narrowed(parent)
    child = FileRead(allowed_paths=("in/way",)).narrowed(parent)
    grandchild = child.narrowed(FileRead(allowed_paths=("in/way",)).narrowed(parent))  # type: ignore[union-attr,arg-type]
    (tree / "in/way").symlink_to(tree / "out")
    for grant in (cut, child, grandchild):
        agent = SimpleNamespace(manifest=SimpleNamespace(capabilities=(grant,)))
        with pytest.raises(ToolFailed, match="not in allowed_paths"):
            PathGuard.of(agent).open("in/way/file")  # type: ignore[arg-type]
    again = pickle.loads(pickle.dumps(child))
    agent = SimpleNamespace(manifest=SimpleNamespace(capabilities=(again,)))
    with pytest.raises(ToolFailed, match="not in allowed_paths"):
        PathGuard.of(agent).open("in/way/file")  # type: ignore[arg-type]
    assert child == FileRead(allowed_paths=("in/way",))


def test_both_kinds_must_allow_it(tree: Path) -> None:
    """What needs two rights is looked at once, for both."""
    grants = (FileWrite(allowed_paths=(".",)), FileRead(allowed_paths=("in",)))
    guard = PathGuard.of(SimpleNamespace(manifest=SimpleNamespace(capabilities=grants)), FileWrite, FileRead)  # type: ignore[arg-type]
    assert _read(guard, "in/file") == "inside"
    with pytest.raises(ToolFailed, match=r"not in allowed_paths \(file_write: .; and file_read: in\)"):
        guard.open("out/file")


def test_a_long_chain_of_links_is_resolved_or_refused(tree: Path) -> None:
    """Before 3.12 Python follows it by recursion; it is not to come out."""
    (tree / "in/l0").symlink_to(tree / "in/file")
    for number in range(1, 1500):
        (tree / f"in/l{number}").symlink_to(tree / f"in/l{number - 1}")
    try:
        text = _read(PathGuard(("in",)), "in/l1499")
    except ToolFailed as error:
        text = str(error)
    assert text == "inside" or "too many links" in text or "Too many levels" in text


def test_an_error_shows_a_long_name_in_part(tree: Path) -> None:
    """It goes to a model, and into logs."""
    with pytest.raises(ToolFailed) as info:
        PathGuard(("in",)).open("x" * 1_000)
    assert len(str(info.value)) < 400


def test_a_folder_above_the_grant_that_is_swapped_is_not_followed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the check and the opening."""
    (tree / "in/sub").mkdir(exist_ok=True)
    (tree / "in/sub/f").write_text("inside")
    (tree / "out/sub").mkdir(exist_ok=True)
    (tree / "out/sub/f").write_text("outside")
    guard = PathGuard((str(tree / "in/sub"),))
    real = PathGuard._resolve

    def swap(self: PathGuard, path: str) -> tuple[str, str]:
        found = real(self, path)
        os.rename(tree / "in", tree / "was")
        (tree / "in").symlink_to(tree / "out")
        return found

    monkeypatch.setattr(PathGuard, "_resolve", swap)
    with pytest.raises(ToolFailed, match="cannot open"):
        guard.open(str(tree / "in/sub/f"))
