"""The looks inside that the newsroom offers: a live page, spans."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from actors import AgentPool


def add_arguments(parser: ArgumentParser) -> None:
    """Which looks there are, as options."""
    parser.add_argument(
        "--live", type=int, nargs="?", const=0, metavar="PORT", help="a page that shows what happens now"
    )
    parser.add_argument("--control", action="store_true", help="who looks at the live page may approve, deny and abort")


@contextmanager
def looked_at(pool: AgentPool, asked: Namespace) -> Iterator[None]:
    """Open what was asked for, and close it with the block."""
    from actors.inside.live import LiveView

    with ExitStack() as opened:
        if asked.live is not None or asked.control:
            view = opened.enter_context(LiveView(pool, port=asked.live or 0, control=asked.control))
            print(f"live: {view.url}", file=sys.stderr, flush=True)
        yield
