"""Recorded answers, found by what was asked."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from ...agent.wire import request_to_data, to_text
from .diff import common_start, differences, readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...agent.ports import CompletionRequest
    from ...core.records.usage import TokenUsage
    from .answer import DriverFacts, RecordedAnswer

LOOKED_AT = 2_000
"""Characters of a message that are compared to find the nearest."""


class Miss(Protocol):
    """Says in what a request differs from those that were recorded."""

    def __call__(self, request: CompletionRequest, /) -> str:
        """For a person; "" when nothing was recorded."""


class Shelf:
    """Recorded answers, each taken once: those of one digest in the order in which they were given.

    Args:
        answers: In that order.
        why: What a miss says; None: the answers have requests, and it shows the nearest one.

    Threads: any.

    Locks: ``_lock`` guards ``_waiting``, all else is never changed.
    """

    def __init__(self, answers: Sequence[RecordedAnswer], why: Miss | None = None) -> None:
        self.answers = answers
        self._why = self._nearest if why is None else why
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[RecordedAnswer]] = {}
        self._facts: dict[int, DriverFacts] = {}
        self._prices: dict[tuple[int, str], DriverFacts] = {}
        self._costs: dict[tuple[Any, ...], float] = {}
        for answer in answers:
            self._waiting.setdefault(answer.digest, deque()).append(answer)
            self._facts.setdefault(answer.driver.number, answer.driver)
            self._prices.setdefault((answer.driver.number, answer.model), answer.driver)
            usage = None if answer.cost_usd is None else answer.usage()
            if usage is not None and answer.cost_usd is not None:
                for key in _of_cost(answer.driver.number, answer.model, usage):
                    self._costs.setdefault(key, answer.cost_usd)

    def take(self, digest: str, number: int) -> RecordedAnswer | None:
        """The next answer to a request, of driver *number* before those of others; None when there is none."""
        with self._lock:
            waiting = self._waiting.get(digest)
            if not waiting:
                return None
            index = next((index for index, one in enumerate(waiting) if one.driver.number == number), 0)
            answer = waiting[index]
            del waiting[index]
            return answer

    def put_back(self, answer: RecordedAnswer) -> None:
        """It was not given after all: whoever asks next gets it."""
        with self._lock:
            self._waiting[answer.digest].appendleft(answer)

    @property
    def unused(self) -> tuple[RecordedAnswer, ...]:
        """What nobody has asked for, in order."""
        with self._lock:
            left = {id(answer) for waiting in self._waiting.values() for answer in waiting}
        return tuple(answer for answer in self.answers if id(answer) in left)

    # What is known of the drivers -------------------------------------------------------------------------------

    def facts(self, number: int) -> DriverFacts | None:
        """Of driver *number*, or of the first one where that has answered nothing; None where nobody has."""
        return self._facts.get(number) or (self._facts[min(self._facts)] if self._facts else None)

    def prices(self, number: int, model: str) -> DriverFacts | None:
        """What is known of the prices of *model* there."""
        return self._prices.get((number, model)) or self.facts(number)

    def cost(self, number: int, model: str, usage: TokenUsage) -> float | None:
        """What *usage* was recorded to cost: of *model* there, of it elsewhere, or of any; None where it was not."""
        keys = _of_cost(number, model, usage)
        return next((self._costs[key] for key in keys if key in self._costs), None)

    # A miss -----------------------------------------------------------------------------------------------------

    def miss(self, request: CompletionRequest, digest: str) -> str:
        """Why there is no answer to *request*, in at most 36 lines."""
        used = [answer.place for answer in self.answers if answer.digest == digest]
        if used:
            times = "once" if len(used) == 1 else f"{len(used)} times"
            return f"it was recorded {times} ({', '.join(used[:10])}), and asked once more"
        return self._why(request) if self.answers else "nothing is recorded there"

    def _nearest(self, request: CompletionRequest) -> str:
        asked = request_to_data(request)
        nearest = _nearest_to(asked, self.answers)
        assert nearest.request is not None
        told = differences(readable(nearest.request), readable(asked))
        if not told:
            return f"{nearest.place} has this request under another digest: was it changed by hand?"
        return "\n".join([f"the nearest that was recorded (-: {nearest.place}, +: asked):", *told])


def _of_cost(number: int, model: str, usage: TokenUsage) -> tuple[tuple[Any, ...], ...]:
    """Under what a cost is kept, what fits best first."""
    return (number, model, usage), (model, usage), (usage,)


def _nearest_to(asked: Mapping[str, Any], answers: Sequence[RecordedAnswer]) -> RecordedAnswer:
    """That with the most equal parts; of several that of whose first other message the words are the most alike."""
    words: dict[int, set[str]] = {}

    def rank(answer: RecordedAnswer) -> tuple[int, float, int]:
        told = answer.request or {}
        mine, theirs = asked.get("messages") or [], told.get("messages") or []
        common = common_start(mine, theirs)
        equal = sum(told.get(name) == value for name, value in asked.items() if name != "messages")
        wanted = words.setdefault(common, _words(mine[common : common + 1]))
        found = _words(theirs[common : common + 1])
        return equal + common, len(wanted & found) / max(1, len(wanted | found)), -abs(len(mine) - len(theirs))

    return max(answers, key=rank)


def _words(messages: Sequence[Any]) -> set[str]:
    """Words, and signs: not every language puts spaces between words."""
    text = to_text(messages)[:LOOKED_AT]
    return {*text.split(), *text}
