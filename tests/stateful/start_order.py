"""Who starts next, in plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .life import Life


class StartOrder:
    """By priority, the higher first; then in turn by group; then by age.

    A group keeps its turn until the turn comes, also when those who waited in it were cancelled meanwhile.
    """

    def __init__(self) -> None:
        self._levels: dict[int, list[tuple[Any, list[Life]]]] = {}

    def push(self, life: Life) -> None:
        """*life* was admitted."""
        level = self._levels.setdefault(life.plan.priority, [])
        for group, lives in level:
            if group == life.plan.group:
                lives.append(life)
                return
        level.append((life.plan.group, [life]))

    def pop(self) -> Life | None:
        """Take the one that starts next."""
        for priority in sorted(self._levels, reverse=True):
            level = self._levels[priority]
            while level:
                group, lives = level.pop(0)
                while lives and lives[0].stage != "queued":
                    lives.pop(0)
                if not lives:
                    continue
                first = lives.pop(0)
                if lives:
                    level.append((group, lives))
                return first
        return None
