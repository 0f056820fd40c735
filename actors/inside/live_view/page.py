"""The page that a live view serves: one document, made of the small files that stand beside this one."""

from __future__ import annotations

from functools import cache
from typing import Final

from ..asset import asset

SCRIPTS: Final = (
    *("text", "dom", "door", "store", "waits", "verdict", "head", "approvals", "rows", "agents", "stuck", "events"),
    *("details", "main"),
)
"""In the order in which each finds what those before it define."""


def page(nonce: str) -> bytes:
    """The page, with *nonce* on its style and its script, which are allowed by it alone.

    It holds nothing of the pool: its script asks the server that it came from for all that it shows, with the token
    that stands in its own address.
    """
    whole = asset("live_view/live.html")
    for mark, part in {"@STYLE@": _style(), "@SCRIPT@": _script(), "@NONCE@": nonce}.items():
        whole = whole.replace(mark, part)
    return whole.encode()


@cache
def _style() -> str:
    return "\n".join(map(asset, ("look.css", "live_view/live.css")))


@cache
def _script() -> str:
    texts = (asset(f"live_view/{name}.js") for name in SCRIPTS)
    return "\n".join(['(() => {\n"use strict";', asset("states.js"), *texts, "})();"])
