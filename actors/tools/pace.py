"""How fast one party is heard on a loop that many share."""

from __future__ import annotations

import asyncio

HANDFUL = 10
"""Steps between two turns of everybody else."""
BURST = 1_000
"""Steps at full speed; a crowd of them after that."""
REST = 0.01
"""Seconds of rest for each further 100."""


class Pace:
    """Lets all others have their turn, and slows down who never ends."""

    def __init__(self) -> None:
        self._steps = 0

    async def step(self) -> None:
        """One more piece was heard."""
        self._steps += 1
        if self._steps > BURST and self._steps % 100 == 0:
            await asyncio.sleep(REST)
        elif self._steps % HANDFUL == 0:
            await asyncio.sleep(0)

    def useful(self) -> None:
        """That was what is waited for."""
        self._steps = 0
