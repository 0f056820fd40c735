"""Optional packages: imported when they are used, and asked for by name when they are not there."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = "actors"


def need(package: str, extra: str, what: str) -> Any:
    """Import *package*.

    Raises:
        ImportError: It is not installed; the message names the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{what} needs the package {package!r}, which is not installed (or not whole: {error}); "
            f"install it with: {how_to_install(extra)}",
            name=package,
        ) from error


def how_to_install(extra: str) -> str:
    """A command for a shell that installs what *extra* asks for, for this interpreter.

    It names the packages, and not the extra: an index knows nothing of a checkout, and may have a stranger under our
    name.
    """
    wanted = sorted(set(_requirements(extra))) or _checkout(extra)
    if not wanted:
        return f"the installer that brought {PROJECT}, with its extra {extra!r}"
    return f"{_installer()} {' '.join(map(_quoted, wanted))}"


def _requirements(extra: str) -> Iterator[str]:
    """What the metadata of the installed project asks for under *extra*; none where it does not know that extra."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    try:
        lines = requires(PROJECT) or []
    except PackageNotFoundError:
        return
    for line in map(Requirement, lines):
        marker, line.marker = line.marker, None
        if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate({"extra": extra}):
            continue
        if line.name == PROJECT:  # an extra may name others of ours
            for other in line.extras - {extra}:
                yield from _requirements(other)
        else:
            yield str(line)


def _checkout(extra: str) -> list[str]:
    """The folder that this file stands in, as something to install, where it is the project's own."""
    folder = Path(__file__).resolve().parents[1]
    return [f"{folder}[{extra}]"] if (folder / "setup.cfg").is_file() else []


def _installer() -> str:
    import shutil

    python = _quoted(sys.executable or "python3")
    if importlib.util.find_spec("pip") is None:  # as in an environment that uv has made
        if shutil.which("uv") is not None:
            return f"uv pip install --python {python}"
        if importlib.util.find_spec("ensurepip") is not None:
            return f"{python} -m ensurepip && {python} -m pip install"
    return f"{python} -m pip install"


def _quoted(word: str) -> str:
    import shlex

    return f'"{word}"' if os.name == "nt" else shlex.quote(word)
