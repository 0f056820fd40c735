"""The summary that a session goes on with: it is bought in one turn, and stands in those that come after it, too."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from ..core.records.conversation import UserMessage
from .turns import TurnSummary

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .turns import Turn


@dataclass(frozen=True, slots=True)
class Carried:
    """A summary, and what it stands for in one conversation.

    Args:
        message: What is sent.
        covered: The places of the messages that it stands for.
        at: So many messages were there when it was bought.
    """

    message: UserMessage
    covered: frozenset[int]
    at: int


class CarriedSummary:
    """Carries a summary from turn to turn of a session, and from who hands a conversation on to who goes on with it.

    It is taken over only where all that it stands for is offered again: not where ``history`` leaves some of it out.

    Args:
        is_alone: Is nothing in the conversation but the turns before and this one? Else what is for this turn alone
            would come into later ones, so nothing is stored.

    Threads: the agent's own.
    """

    __slots__ = ("_before", "_begun_with", "_is_alone", "_number", "current")

    def __init__(self, *, is_alone: bool) -> None:
        self._is_alone = is_alone
        self._before: Sequence[Turn] = ()
        self._number = 1
        self._begun_with: Carried | None = None
        self.current: Carried | None = None
        """What there is now; None: nothing."""

    def go_on(self, carried: Carried | None) -> None:
        """Begin with what another one goes on with: for who has nothing else of the session, and stores nothing."""
        self.current = self._begun_with = carried

    def new(self) -> Carried | None:
        """What was bought in this turn; None: nothing."""
        return None if self.current is self._begun_with else self.current

    def begin(self, before: Sequence[Turn], number: int) -> None:
        """Begin turn *number*, to which those before it are offered."""
        self._before, self._number = before, number
        self.current = self._begun_with = _carried(before)

    def begin_life(self) -> None:
        """The agent is started (again): what it bought in a life that failed comes from its ledger."""
        self.current = self._begun_with

    def take(self, message: UserMessage, covered: Collection[int], at: int) -> None:
        """One was bought, when *at* messages were there: it stands for those at *covered*, from now on."""
        self.current = Carried(message, frozenset(covered), at)

    def bought(self) -> TurnSummary | None:
        """What was bought in this turn, for later ones; None: nothing."""
        made = self.new()
        if made is None or not self._is_alone:
            return None
        starts = _starts(self._before)
        query = starts[-1]
        end = max(made.covered) + 1
        if made.covered != frozenset(range(end)) - {query}:
            return None
        place = bisect_right(starts, end) - 1
        numbers = [*(turn.number for turn in self._before), self._number]
        return TurnSummary(str(made.message.content), numbers[0], numbers[place], end - starts[place], made.at - query)


def _starts(before: Sequence[Turn]) -> list[int]:
    """The place of the first message of each turn, and of the one that comes after them."""
    return list(accumulate((len(turn.messages) for turn in before), initial=0))


def _carried(before: Sequence[Turn]) -> Carried | None:
    """The last summary that stands for what *before* begins with, and for nothing else."""
    starts = _starts(before)
    for place in range(len(before) - 1, -1, -1):
        found = before[place].summary
        if found is None or found.first != before[0].number or not found.first <= found.turn <= before[place].number:
            continue
        end = min(starts[found.turn - found.first] + max(0, found.messages), starts[-1])
        covered = frozenset(range(end)) - {starts[place]}
        return Carried(UserMessage(found.text), covered, starts[place] + found.at)
    return None
