"""What stands on a host for a limiter of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.clock import SYSTEM_CLOCK
from ...drivers.limiter import Permit, RateLimiter, asking_now, tell_waited
from ...drivers.rate_headers import used_up
from ...drivers.shared_limiters import limiter_named
from ...errors import Cancelled, NotAcrossNodes
from ..limiters import ACQUIRE, ANSWERED, FEED, LET_GO, REFUSED, STATS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...core.waiting.cancel import CancelToken
    from ...drivers.limiter import LimiterStats, Turn
    from ...drivers.rate_headers import UsedUp
    from ..limiters import Which
    from ..program import Program
    from .node_account import Names


class NodeLimiter(RateLimiter):
    """A limiter of the program, for the drivers of a host: it lets their calls through, in one line with all others.

    Threads: any. Locks: none: it knows nothing that changes.
    """

    def __init__(self, program: Program, names: Names, which: Which) -> None:
        super().__init__()
        self._program = program
        self._names = names
        self._which = which
        self._calls = NodeCalls(program, names.host)

    def __reduce__(self) -> tuple[Any, ...]:
        """Of one that is known by its key: the same in any process."""
        return super().__reduce__() if isinstance(self._which, int) else (limiter_named, self._which)

    def acquire(self, tokens: int, *, cancel: CancelToken) -> Permit:
        """Wait until a call of *tokens* may begin.

        Raises:
            Cancelled: *cancel* came first.
        """
        cancel.check()
        host, number = self._names.host, next(self._names.numbers)
        since = SYSTEM_CLOCK.monotonic()
        try:
            waited = self._program.ask(ACQUIRE, 0, host, number, self._which, tokens, cancel=cancel)
        except BaseException as error:
            self._program.note(LET_GO, 0, host, number)  # it may have been let through after all
            if isinstance(error, Cancelled):
                tell_waited(since)
            raise
        if waited:
            tell_waited(since)
        return Permit(self._calls, number)

    def acquire_later(self, *_: object) -> Turn:
        """Not here.

        Raises:
            NotAcrossNodes: Always.
        """
        raise NotAcrossNodes("acquire_later of a limiter", "acquire waits")

    def feed(self, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """Take in what headers say about the limits."""
        self.hear(used_up(headers), asking_now(self._calls), refused=refused)

    def hear(self, limits: Sequence[UsedUp], started: Any, *, refused: bool = False) -> None:
        """Take in that nothing is left of *limits*."""
        if limits or not refused:
            self._program.note(FEED, 0, self._which, tuple(limits), self._names.host, started, refused)

    def stats(self) -> LimiterStats:
        """What it does right now."""
        stats: LimiterStats = self._program.ask(STATS, 0, self._which)
        return stats


class NodeCalls:
    """Calls of one host, by the numbers of their permits.

    Locks: none.
    """

    __slots__ = ("_host", "_program")

    def __init__(self, program: Program, host: str) -> None:
        self._program = program
        self._host = host

    def answered(self, started: int, tokens: int) -> None:
        """The provider took the call."""
        self._program.note(ANSWERED, 0, self._host, started, tokens)

    def refused(self, started: int, retry_after: float | None) -> float | None:
        """The provider refused the call: seconds that it is to wait."""
        seconds: float | None = self._program.ask(REFUSED, 0, self._host, started, retry_after)
        return seconds

    def end(self, started: int, tokens: int) -> None:  # noqa: ARG002 - they were told when it was answered
        """The call has ended."""
        self._program.note(LET_GO, 0, self._host, started)
