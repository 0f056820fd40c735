"""A timeline as one page of HTML that opens from disk and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Final

from .asset import asset
from .timeline_page.data import MOST_OF_A_NAME, cut, data_of

if TYPE_CHECKING:
    from .picture import Picture, TimelineAgent

_SCRIPTS: Final = (
    *("data", "words", "state", "palette", "rows", "slices", "chart", "overview", "head", "tables", "details"),
    *("search", "pointer", "keys", "page"),
)
"""In the order in which they stand in the page: one script, in small files."""
_LONGEST: Final = 10
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IN_JSON: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def page_of(picture: Picture) -> str:
    """The page that shows *picture*.

    What comes from models and users stands in it as JSON alone, with each character escaped by which it could be taken
    for markup, and as escaped text where no script runs. The browser is told to run the one script and the one style
    whose hashes are given, and to load nothing.

    Returns:
        Text that UTF-8 can encode.
    """
    style, script = _style(), _script()
    parts = {
        "title": _plain(f"{cut(picture.name, MOST_OF_A_NAME)}: timeline"),
        "policy": f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"script-src {_hash_of(script)}; style-src {_hash_of(style)}",
        "style": style,
        "longest": "".join(map(_row_of, sorted(picture.agents, key=_length_of, reverse=True)[:_LONGEST])),
        "data": json.dumps(data_of(picture), separators=(",", ":")).translate(_IN_JSON),
        "script": script,
    }
    pieces = asset("timeline_page/page.html").split("@@")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


@cache
def _style() -> str:
    return "\n".join(map(asset, ("look.css", "timeline_page/page.css")))


@cache
def _script() -> str:
    return "\n".join([asset("states.js"), *(asset(f"timeline_page/{name}.js") for name in _SCRIPTS)])


@cache
def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _length_of(agent: TimelineAgent) -> float:
    return agent.end - agent.begin


def _row_of(agent: TimelineAgent) -> str:
    cells = (agent.name, agent.key or "", agent.status or "open", f"{_length_of(agent):.3f} s", agent.error or "")
    return f"<tr>{''.join(f'<td>{_plain(cut(cell, MOST_OF_A_NAME))}</td>' for cell in cells)}</tr>"


def _plain(text: str) -> str:
    """*text* for markup: what HTML or UTF-8 cannot hold is a replacement character."""
    return html.escape(_UNWRITABLE.sub("\ufffd", text))
