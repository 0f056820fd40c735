"""Limiters, for drivers of hosts: one for each key, over all of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from ..drivers.limiter import Permit
from ..drivers.shared_limiters import limiter_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..drivers.limiter import LimiterStats, RateLimiter, Turn
    from ..drivers.rate_headers import UsedUp
    from .engine_state import EngineState
    from .program import Asked

    Which: TypeAlias = int | tuple[str, str]
    """A limiter: its number; or the server and the digest of the key for which it is."""

ACQUIRE: Final = "acquire"
"""Asked, and answered when a call may begin, by the seconds that it took: host and number of the permit, which limiter,
how many tokens.
"""
ANSWERED: Final = "permit.answered"
REFUSED: Final = "permit.refused"
"""Asked: the seconds after which a refused call may be asked again."""
LET_GO: Final = "permit.let_go"
"""Noted: the permit is free, or is wanted no longer."""
FEED: Final = "limiter.feed"
STATS: Final = "limiter.stats"


class Limiters:
    """Lets calls of drivers through that are on hosts.

    Guarantees: never more are let through than the limiter of the program allows, over all hosts and the program; of a
    host that went all permits are free.

    Locks: none: the engine's thread alone, and whoever ends it after that.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._permits: dict[str, dict[int, Permit | Turn]] = {}
        self._of_keys: dict[tuple[str, str], RateLimiter] = {}
        desk = state.desk
        desk.serve_later(ACQUIRE, self._acquire)
        desk.serve(REFUSED, self._refused)
        desk.serve(STATS, self._stats)
        desk.hear(ANSWERED, self._answered)
        desk.hear(LET_GO, self._let_go)
        desk.hear(FEED, self._feed)
        state.when_gone(self._gone)

    def _find(self, which: Which) -> RateLimiter:
        if isinstance(which, int):
            limiter: RateLimiter = self._state.references.find("limiter", which)
            return limiter
        found = self._of_keys.get(which)
        if found is None:  # from now on it is held: what it has learned is not forgotten between two calls
            found = self._of_keys[which] = limiter_named(*which)
        return found

    def _after(self, seconds: float, fn: Callable[[], None]) -> None:
        """Have *fn* called on the engine's thread."""
        thread = self._state.thread
        if seconds:
            thread.do(partial(self._call_at, thread.now() + seconds, fn))
        else:
            thread.do(fn)

    def _call_at(self, moment: float, fn: Callable[[], None]) -> None:
        self._state.thread.do_at(moment, fn)

    def _acquire(self, asked: Asked, host: str, number: int, which: Which, tokens: int) -> None:
        permits = self._permits.setdefault(host, {})

        def given(permit: Permit, seconds: float) -> None:
            if asked.is_gone:
                permit.let_go()
                return
            permits[number] = permit
            asked.answer(seconds)

        turn = self._find(which).acquire_later(tokens, given, self._after)
        permits.setdefault(number, turn)
        asked.when_gone(partial(self._let_go, asked.agent_id, host, number))

    def _permit(self, host: str, number: int) -> Permit | None:
        permit = self._permits.get(host, {}).get(number)
        return permit if isinstance(permit, Permit) else None

    def _answered(self, agent_id: int, host: str, number: int, tokens: int) -> None:  # noqa: ARG002
        if (permit := self._permit(host, number)) is not None:
            permit.answered(tokens)

    def _refused(self, agent_id: int, host: str, number: int, retry_after: float | None) -> float | None:  # noqa: ARG002
        permit = self._permit(host, number)
        return None if permit is None else permit.refused(retry_after)

    def _let_go(self, agent_id: int, host: str, number: int) -> None:  # noqa: ARG002
        held = self._permits.get(host, {}).pop(number, None)
        if held is not None:
            _free(held)

    def _feed(
        self, _: int, which: Which, limits: Sequence[UsedUp], host: str, number: int | None, refused: bool
    ) -> None:
        permit = None if number is None else self._permit(host, number)
        try:
            limiter = self._find(which)
        except LookupError:  # nobody holds it any more, so nobody will ask it
            return
        limiter.hear(limits, None if permit is None else permit.started, refused=refused)

    def _stats(self, agent_id: int, which: Which) -> LimiterStats:  # noqa: ARG002
        return self._find(which).stats()

    def _gone(self, host: str) -> None:
        for held in self._permits.pop(host, {}).values():
            _free(held)


def _free(held: Permit | Turn) -> None:
    if isinstance(held, Permit):
        held.let_go()
    else:
        held.leave()
