"""What is said of an optional package that is missing: a command that works from here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import actors
from actors.extras import how_to_install, need

METADATA = [
    "pykka>=4",
    'httpx2>=2; extra == "http"',
    'lxml>=6; extra == "http" and python_version >= "3"',
    'old>=1; extra == "http" and python_version < "3"',
    'google-re2[fast]<2,>=1.1; extra == "grep"',
    'actors[http,grep]; extra == "tools"',
]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata of an installed project, and a Python at a path that a shell would take apart."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: METADATA)
    monkeypatch.setattr(sys, "executable", "/my venv/bin/python")


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [
        ("http", ["httpx2>=2", "lxml>=6"]),
        ("grep", ["google-re2[fast]<2,>=1.1"]),
        ("tools", ["google-re2[fast]<2,>=1.1", "httpx2>=2", "lxml>=6"]),
    ],
)
def test_the_command_names_the_requirements_of_the_extra(extra: str, wanted: list[str]) -> None:
    """Those that hold here, for this interpreter, as words of a shell; never our own name, which an index may give to
    somebody else.
    """
    assert shlex.split(how_to_install(extra)) == ["/my venv/bin/python", "-m", "pip", "install", *wanted]


def test_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """By uv where it is, else pip is brought first, where that can be done."""
    found = {"uv": "/bin/uv"}
    specs = {"ensurepip": object()}
    monkeypatch.setattr(importlib.util, "find_spec", specs.get)
    monkeypatch.setattr(shutil, "which", found.get)
    assert how_to_install("grep") == ("uv pip install --python '/my venv/bin/python' 'google-re2[fast]<2,>=1.1'")
    found.clear()
    assert how_to_install("grep").startswith("'/my venv/bin/python' -m ensurepip && '/my venv/bin/python' -m pip ins")
    specs.clear()
    assert how_to_install("grep").startswith("'/my venv/bin/python' -m pip install")


def test_an_extra_that_the_metadata_does_not_know_is_installed_from_the_checkout() -> None:
    """As where the metadata is older than the code, or where there is none."""
    folder = Path(actors.__file__).parents[1]
    assert shlex.split(how_to_install("new"))[-1] == f"{folder}[new]"


def test_without_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a checkout its folder is named; elsewhere there is nothing to name, and no wrong command."""

    def nothing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", nothing)
    assert how_to_install("grep").endswith(f"pip install '{Path(actors.__file__).parents[1]}[grep]'")
    monkeypatch.setattr("actors.extras.__file__", str(tmp_path / "site-packages" / "actors" / "extras.py"))
    assert how_to_install("grep") == "the installer that brought actors, with its extra 'grep'"


def test_the_error_names_who_needs_what() -> None:
    """The package, what needs it, and the command; the cause is the import's."""
    with pytest.raises(ImportError) as caught:
        need("no_such_package", "grep", "a search")
    assert str(caught.value) == (
        "a search needs the package 'no_such_package', which is not installed (or not whole: No module named "
        "'no_such_package'); install it with: '/my venv/bin/python' -m pip install 'google-re2[fast]<2,>=1.1'"
    )
    assert caught.value.name == "no_such_package"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_our_own_metadata_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each extra that the code asks for names at least one requirement."""
    monkeypatch.undo()
    for extra in ("openai", "anthropic", "grep", "http", "mcp"):
        words = shlex.split(how_to_install(extra))
        assert words[:4] == [sys.executable, "-m", "pip", "install"]
        assert words[4:] == sorted(str(Requirement(word)) for word in words[4:])
