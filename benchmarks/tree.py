"""A node of the tree of the skynet program, whatever library its actors are made with."""

from __future__ import annotations

from typing import Any

from .program_sizes import BRANCHES


def hear(node: Any, message: Any) -> None:
    """A message to *node*, whatever library it is made with: it has ``left`` and ``sum``, ``branch`` and ``end``."""
    if message[0] == "sum":
        node.sum += message[1]
        node.left -= 1
        if node.left == 0:
            node.end(node.sum)
        return
    _, number, size = message
    if size == 1:
        node.end(number)
        return
    below = size // BRANCHES
    for branch in range(BRANCHES):
        node.branch(("grow", number + branch * below, below))
