"""What the newsroom reads, and the tools with which its agents read it. How long each takes is drawn from a seed."""

import zlib
from dataclasses import dataclass

from actors import Cancelled, CancelToken, ToolFailed, tool
from actors.tools import Deps

TOPICS = ("the builders", "the flood", "the owners", "the repair", "the cost", "the birds", "the cafe", "the opening")
PLACES = ("library", "newspapers")
PAGES = {
    "the builders": "Two brothers from the next village built the mill in 1867, of bricks that came by boat.",
    "the flood": "In the night of the flood the water stood at the second floor for three days; the wheel was lost.",
    "the owners": "It belonged to one family for a century, then to a bank, and since 2009 to the town.",
    "the repair": "The repair took six years. The new wheel weighs nine tons and was made by four apprentices.",
    "the cost": "The town paid 2.1 million; 640,000 of it came from 3,900 people who gave 50 or more.",
    "the birds": "Swifts breed under the roof. Work stopped for eight weeks each summer because of them.",
    "the cafe": "The cafe in the grain store has thirty seats and bakes with the mill's own flour.",
    "the opening": "On Saturday at ten the sluice is opened; entry is free, and the first flour is sold at noon.",
}
SLOW = "newspapers: the opening"
"""One page lies in a cellar. Everybody waits for who reads it."""


@dataclass(frozen=True)
class Desk:
    """How fast the newsroom is.

    Args:
        seed: Of all delays: the same one gives the same run.
        speed: 10 is ten times as fast.
    """

    seed: int = 7
    speed: float = 1.0

    def seconds(self, what: str, low: float, high: float) -> float:
        """How long *what* takes: always the same for one seed."""
        share = zlib.crc32(f"{self.seed} {what}".encode()) / 2**32
        return (low + share * (high - low)) / self.speed

    def take(self, seconds: float, cancel: CancelToken) -> None:
        """Let time pass; a cancel ends it."""
        if cancel.wait(seconds):
            raise Cancelled(cancel.reason, timed_out=cancel.timed_out)


@tool(effect="idempotent")
def search_archive(place: str, words: str, desk: Deps[Desk], cancel: CancelToken) -> list[str]:
    """Search an archive for pages.

    Args:
        place: library or newspapers.
        words: What the pages are about.
    """
    desk.take(desk.seconds(f"search {place} {words}", 0.2, 0.9), cancel)
    if place not in PLACES:
        raise ToolFailed(f"there is no archive {place!r}; there are {', '.join(PLACES)}")
    return [f"{place}: {title}" for title in PAGES if title in words]


@tool(effect="idempotent")
def read_page(title: str, desk: Deps[Desk], cancel: CancelToken) -> str:
    """Read a page of an archive.

    Args:
        title: As a search has given it.
    """
    low, high = (6.0, 7.0) if title == SLOW else (0.3, 1.6)
    desk.take(desk.seconds(f"read {title}", low, high), cancel)
    page = PAGES.get(title.partition(": ")[2])
    if page is None:
        raise ToolFailed(f"there is no page {title!r}; search_archive gives titles")
    return page


@tool(effect="idempotent")
def compare_sources(claim: str, desk: Deps[Desk], cancel: CancelToken) -> str:
    """Compare a claim with all that is in the archives.

    Args:
        claim: One or two sentences.
    """
    desk.take(desk.seconds(f"compare {claim}", 0.2, 0.6), cancel)
    return "confirmed" if claim in PAGES.values() else "not confirmed"


@tool
def publish(headline: str, text: str, desk: Deps[Desk], cancel: CancelToken) -> str:
    """Print the story. Somebody has to approve it.

    Args:
        headline: At most ten words.
        text: The story.
    """
    desk.take(desk.seconds(f"publish {headline}", 0.3, 0.5), cancel)
    return f"printed: {headline} ({len(text.split())} words)"
