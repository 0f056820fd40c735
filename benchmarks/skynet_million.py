"""Does the tree of the skynet program come to its end with a million leaves, and how fast?"""

from __future__ import annotations

from .peers import Peers
from .report import Report
from .savina import Load, answer
from .size import Size
from .skynet import play

QUESTION = "How fast does the tree of the skynet program grow to a million leaves, and sum them up?"
THREADS = "a thread for each actor: hundreds of thousands of them live at once"
TOO_MANY = {
    "pinned": THREADS,
    "pykka": THREADS,
    "thespian": "a process for each actor",
    "thespian's default": "it takes hours: each message copies its addresses",
}
LOADS = {
    Size.FULL: Load(1_000_000, 0, repeats=1, warmups=0, too_many=TOO_MANY),
    Size.QUICK: Load(100_000, 0, repeats=1, warmups=0, too_many=TOO_MANY),
    Size.SMOKE: Load(10, 0, repeats=1, warmups=0, too_many=TOO_MANY),
}


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("skynet_million", QUESTION, play, LOADS[size], peers or Peers())
