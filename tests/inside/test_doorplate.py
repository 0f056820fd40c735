"""Where ``actors top`` finds the live view of a process."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from actors import LiveView
from actors.inside.live_view.doorplate import Door, Doorplate, doors

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders have no modes there")
NOBODY = 2**22 + 1
"""No process has this id."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: Any) -> Path:
    """A runtime folder of this test alone."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "actors"


@pytest.fixture
def warned() -> Iterator[list[str]]:
    """What the library warns of."""
    lines: list[str] = []
    logger.enable("actors")
    number = logger.add(lambda line: lines.append(str(line)), level="WARNING", format="{message}")
    yield lines
    logger.remove(number)
    logger.disable("actors")


def put(folder: Path, name: str, said: object) -> Path:
    """A file as a view leaves it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.write_bytes(said if isinstance(said, bytes) else json.dumps(said).encode())
    return path


def plate(pid: int, **more: Any) -> dict[str, Any]:
    """What stands in such a file."""
    return {"v": 1, "pid": pid, "url": "http://127.0.0.1:1/?token=t", "pool": "p", "began": 1.0, **more}


def test_a_view_is_found_by_its_process(make_pool: Any, folder: Path) -> None:
    """While it is open; two of one pool are two. Nobody else can read where they are."""
    pool = make_pool(name="mill")
    with LiveView(pool) as first, LiveView(pool) as second:
        found = doors(os.getpid())
        assert {door.url for door in found} == {first.url, second.url}
        assert {(door.pool, door.pid) for door in found} == {("mill", os.getpid())}
        assert [door.began for door in found] == sorted(door.began for door in found)
        assert abs(found[0].began - time.time()) < 60
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert doors(NOBODY) == []
        assert "token" not in repr(found)
    assert doors() == []
    assert list(folder.iterdir()) == []


def test_what_a_dead_process_left_is_swept(folder: Path) -> None:
    """By whoever reads; what is none of ours stays."""
    stale = put(folder, f"{NOBODY}-1.json", plate(NOBODY))
    strange = put(folder, "notes.txt", b"mine")
    alive = put(folder, f"{os.getpid()}-7.json", plate(os.getpid()))
    assert [door.pid for door in doors()] == [os.getpid()]
    assert (stale.exists(), strange.exists(), alive.exists()) == (False, True, True)


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b"[" * 60_000, b"\xff", b"x" * 100_000], ids=range(6))
def test_what_is_no_json_is_passed_over(folder: Path, said: bytes) -> None:
    """Half written, or something else."""
    put(folder, f"{os.getpid()}-1.json", said)
    assert doors() == []


@pytest.mark.parametrize("more", [{"v": 2}, {"url": 7}, {"pool": None}, {"began": "now"}, {"pid": 1}], ids=str)
def test_what_is_no_doorplate_is_passed_over(folder: Path, more: dict[str, Any]) -> None:
    """Of a newer version, with other fields, or speaking for another process than its name does."""
    path = put(folder, f"{os.getpid()}-1.json", plate(os.getpid()))
    assert len(doors()) == 1
    path.write_text(json.dumps({**plate(os.getpid()), **more}))
    assert doors() == []


def test_a_link_and_a_pipe_are_passed_over(folder: Path, tmp_path: Path) -> None:
    """Nobody waits for what never comes."""
    target = put(folder, "elsewhere", plate(os.getpid()))
    (folder / f"{os.getpid()}-1.json").symlink_to(target)
    os.mkfifo(folder / f"{os.getpid()}-2.json")
    assert doors() == []


@pytest.mark.parametrize("how", ["link", "open", "file"])
def test_a_folder_that_is_not_ones_own_is_refused(
    make_pool: Any, folder: Path, tmp_path: Path, warned: list[str], how: str
) -> None:
    """Nothing is written there, which is a warning, and nothing read, which is an error; the view works."""
    if how == "link":
        (tmp_path / "other").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "other")
    elif how == "open":
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    else:
        folder.write_bytes(b"")
    with LiveView(make_pool()) as view:
        assert view.url
        with pytest.raises(PermissionError, match="must be a real folder of this user with mode 0700, and is not"):
            doors()
    assert len(warned) == 1
    assert "actors top will not find the live view" in warned[0]
    assert "token" not in warned[0]


def test_without_a_runtime_folder_it_is_a_folder_for_temporary_files(
    make_pool: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Named for the user, and for him alone."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LiveView(make_pool()):
        (door,) = doors()
        own = tmp_path / f"actors-{os.getuid()}"
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
        assert len(list(own.iterdir())) == 1
        assert door.pid == os.getpid()


def test_a_runtime_folder_that_others_may_enter_is_not_taken(tmp_path: Path, monkeypatch: Any) -> None:
    """The one for temporary files is."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hung = Doorplate(Door(os.getpid(), "http://127.0.0.1:1/", "p", 1.0))
    assert not list(shared.iterdir())
    assert [door.pool for door in doors()] == ["p"]
    hung.take_down()
    hung.take_down()
    assert doors() == []
