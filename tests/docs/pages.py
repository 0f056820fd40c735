"""The pages that people read, and their blocks of code."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
APART = ("docs/design.md", "docs/architecture.md")
"""The contract and the map: their blocks are signatures and pictures, and tests of their own look at them."""
RUN_ELSEWHERE = ("docs/cluster.md",)
"""Pages whose blocks other tests run, or that need machines that are not here."""
RUN_BY_GATE = ("README.md",)
"""Pages whose commands install this repository: the gate runs them, in a clean copy."""
STARTS_PROCESSES = "<!-- starts processes -->"
"""A page says so when a program of it, which is no ``sh`` block, starts one."""
_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w+-]*)(?P<rest>[^`]*)$")
_TITLE = re.compile(r"""title=(["'])(?P<title>.+?)\1""")


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    page: str
    line: int
    language: str
    title: str | None
    text: str
    output: str | None = None
    """What it prints: the block ``text`` that stands directly after it."""

    @property
    def place(self) -> str:
        """As in ``docs/index.md:12``, the line of its first line of code."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """All pages whose blocks are programs."""
    found = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [page for page in found if name_of(page) not in APART]


def name_of(page: Path) -> str:
    """Its path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    """Its blocks in order; those that are the output of another one are not among them."""
    name, lines = name_of(page), page.read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    ended = -1  # the line after the last block, past empty ones
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        close = fence["indent"] + fence["ticks"]
        end = next((n for n in range(at + 1, len(lines)) if lines[n].rstrip() == close), None)
        assert end is not None, f"{name}:{at + 1}: this block has no end"
        text = textwrap.dedent("\n".join(lines[at + 1 : end]) + "\n") if end > at + 1 else ""
        title = _TITLE.search(fence["rest"])
        block = Block(name, at + 2, fence["language"], title["title"] if title else None, text)
        if block.language == "text" and not title and found and ended == at and found[-1].language in ("python", "sh"):
            found[-1] = Block(**(vars(found[-1]) | {"output": text}))
        else:
            found.append(block)
        at = ended = end + 1
        while ended < len(lines) and not lines[ended].strip():
            ended += 1
    return found


def agrees(printed: str, expected: str) -> bool:
    """Whether *printed* is what stands on the page: a line ``...`` is any lines, ``...`` in a line any characters."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "..." else ".*".join(map(re.escape, line.rstrip().split("..."))) + r"\n"
        for line in expected.rstrip().splitlines()
    )
    lines = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, lines) is not None
