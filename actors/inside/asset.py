"""The files beside the code that pages are made of."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def asset(name: str) -> str:
    """The text of the file *name*, a path below this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
