"""The page that the live view serves: its parts in one."""

from __future__ import annotations

from importlib.resources import files

PARTS = {"@STYLE@": ("look.css", "live.css"), "@SCRIPT@": ("live.js",)}
"""What in ``live.html`` stands for which files."""


def page(nonce: str) -> bytes:
    """The page, with *nonce* where its style and its script say ``@NONCE@``."""
    folder = files(__package__)
    text = folder.joinpath("live.html").read_text(encoding="utf-8")
    for mark, names in PARTS.items():
        parts = [folder.joinpath(name).read_text(encoding="utf-8") for name in names]
        text = text.replace(mark, "\n".join(parts))
    return text.replace("@NONCE@", nonce).encode()
