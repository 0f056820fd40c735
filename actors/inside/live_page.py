"""The page that a live view serves: one document, made of the small files that stand beside this one."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

STYLES: Final = ("look.css", "live.css")

SCRIPTS: Final = (
    "live_text.js",
    "live_dom.js",
    "live_door.js",
    "live_store.js",
    "live_waits.js",
    "live_verdict.js",
    "live_head.js",
    "live_approvals.js",
    "live_rows.js",
    "live_agents.js",
    "live_stuck.js",
    "live_events.js",
    "live_details.js",
    "live_main.js",
)
"""In the order in which each finds what those before it define."""


def page(nonce: str) -> bytes:
    """The page, with *nonce* on its style and its script, which are allowed by it alone.

    It holds nothing of the pool: its script asks the server that it came from for all that it shows, with the token
    that stands in its own address.
    """
    script = "\n".join(['(() => {\n"use strict";', *map(_text, SCRIPTS), "})();"])
    parts = {"@STYLE@": "\n".join(map(_text, STYLES)), "@SCRIPT@": script, "@NONCE@": nonce}
    whole = _text("live.html")
    for mark, part in parts.items():
        whole = whole.replace(mark, part)
    return whole.encode()


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
