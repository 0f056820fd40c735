"""The life of one pool: some rounds of random work, a check after each, a close, and the last checks."""

from __future__ import annotations

import threading
from random import Random
from typing import TYPE_CHECKING

from actors import CapacityError, JoinTimeout

from . import checks
from .deeds import Program, read_all
from .field import Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from .faults import Faults
    from .ledger import Ledger


class _LeftByError(Exception):
    """Leaves the pool's block."""


class Era:
    """One pool's life.

    Args:
        seed: Decides all that is drawn; how the threads interleave, it does not.
        after_round: Called when a round has come to rest.
    """

    def __init__(self, seed: int, faults: Faults, after_round: Callable[[int], None]) -> None:
        self._random = Random(seed)
        self._faults = faults
        self._after_round = after_round
        self._before = set(threading.enumerate())
        self._field = Field(self._random, faults)
        self.leaked: set[threading.Thread] = set()
        self.agents = 0

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self._field.ledger

    @property
    def options(self) -> str:
        """What the pool is like."""
        field = self._field
        return (
            f"{field.pool!r}, max_queued {field.max_queued}, abort_timeout {field.abort_timeout}, "
            f"{'with' if field.restarts else 'without'} restarts, {'without' if field.sink is None else 'with'} a sink"
        )

    @property
    def dump(self) -> str:
        """What the pool does."""
        return str(self._field.pool.dump())

    def live(self) -> None:
        """The rounds, the close and the checks."""
        program = Program(self._field)
        for _ in range(self._random.randint(1, 6)):
            program.round(self._random.randint(5, 120))
            self._come_to_rest()
            if self.ledger.violations:
                break
            self._field.revive()
            self._after_round(sum(self._field.pool.stats().ended.values()))
        program.round(self._random.randint(0, 10))  # so that there is something to close
        self._close()

    def _come_to_rest(self) -> None:
        field = self._field
        if self._random.random() < 0.2:
            field.faults.note("abort_all")
            field.pool.abort_all("the round ends")
        if self._random.random() < 0.3:
            field.release.set()
        self._join()
        read_all(field)
        if not self.ledger.violations:
            checks.at_rest(field)
        field.release.clear()
        field.most_slots = field.pool.max_concurrent

    def _join(self) -> None:
        field = self._field
        try:
            for outcome in field.pool.join_all(checks.BOUND).values():
                field.took(outcome)
        except JoinTimeout:
            self.ledger.violate(f"join_all is not back after {checks.BOUND} s: {field.pool.dump()}")

    def _close(self) -> None:
        field, way = self._field, self._random.choice(("close", "block", "error", "drain"))
        try:
            if way in ("block", "error"):
                with field.pool:
                    if way == "error":
                        field.faults.note("block left by an error")
                        raise _LeftByError
            elif way == "drain":
                field.pool.drain(timeout=0.05)
        except _LeftByError:
            pass
        except (TimeoutError, CapacityError):
            field.ledger.note("refused: drain in time")
        field.pool.close()
        for ref in field.hired:
            ref.stop(block=False)
        self._join()
        checks.actors(field)
        checks.after_close(field)
        self.agents = sum(field.pool.stats().ended.values())
        self.leaked = checks.threads(field, self._before)
        read_all(field)
        field.pool.router.unregister(field.endpoint)
        checks.messages(field)
