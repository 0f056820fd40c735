"""What is installed beside the code: every file that stands in the packages, and no pattern for nothing."""

from __future__ import annotations

import configparser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_file_is_in_a_wheel() -> None:
    """The pages, their scripts and styles: a file that no pattern names would be missing where it is installed."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    packaged: set[Path] = set()
    for package, patterns in config["options.package_data"].items():
        folder = ROOT.joinpath(*package.split("."))
        for pattern in filter(None, map(str.strip, patterns.replace("\n", ",").split(","))):
            found = set(folder.glob(pattern))
            assert found, f"{pattern} in {package} names nothing"
            packaged |= found
    there = {path for path in (ROOT / "actors").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in there if path.suffix not in (".py", ".pyc")} - packaged == set()
