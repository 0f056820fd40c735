"""What a ledger keeps of how a conversation was made to fit: no summary is bought twice, and requests stay the same."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.records.error_json import error_to_json
from ...errors import JournalFailed
from ..ledger import DONE, RAISED, digest_of
from ..wire import (
    Digester,
    messages_from_data,
    messages_to_data,
    paid_from_data,
    paid_to_data,
    parts_to_data,
    response_from_data,
    response_to_data,
)
from .bookkeeper import count_paid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...core.records.conversation import Message
    from ..agent import Agent
    from ..ports import CompletionRequest, CompletionResponse
    from .bookkeeper import Bookkeeper
    from .driver_call import Payment


class KnownSummary(NamedTuple):
    """What is known of a summary.

    Args:
        is_known: It was bought, or given up, in an earlier life.
        response: None: there was none.
        uncounted: What the guard has still to count.
    """

    is_known: bool
    response: CompletionResponse | None = None
    uncounted: Sequence[Payment] = ()


class CompactionBooks:
    """Looks up, and enters, what was done before the completion at hand so that its request fits.

    Threads: the agent's own.
    """

    def __init__(self, agent: Agent[Any], books: Bookkeeper) -> None:
        self._agent = agent
        self._books = books
        self._failed: list[Payment] = []  # what tries of earlier lives have cost that led to no summary

    @property
    def _path(self) -> str:
        return f"{self._books.path}/@summary"

    def recall(self, request: CompletionRequest) -> KnownSummary:
        """What is known of the summary that *request* asks for.

        Raises:
            JournalChanged: Another one was asked for here.
        """
        self._failed = []
        ledger = self._books.ledger
        entry = ledger.find(self._path)
        if entry is None:
            return KnownSummary(is_known=False)
        paid = paid_from_data(entry.data["paid"])
        if entry.state is RAISED:
            self._failed = paid
            return KnownSummary(is_known=False, uncounted=self._counted(paid))
        if entry.digest != Digester().parts(request).whole:
            self._books.set_aside("the summary")
            return KnownSummary(is_known=False)
        response = response_from_data(entry.data["response"]) if "response" in entry.data else None
        return KnownSummary(is_known=True, response=response, uncounted=self._counted(paid))

    def _counted(self, paid: Sequence[Payment]) -> Sequence[Payment]:
        """*paid*, which is counted here in budgets and account, if an earlier process has paid it; else nothing."""
        if not self._books.ledger.count(self._path):
            return ()
        count_paid(self._agent, self._path, paid)
        return paid

    def enter(self, request: CompletionRequest, response: CompletionResponse, paid: Sequence[Payment]) -> None:
        """The summary was bought.

        Raises:
            JournalFailed: It cannot be recorded.
        """
        parts = Digester().parts(request)
        data = {"response": response_to_data(response), "parts": parts_to_data(parts)}
        self._enter(parts.whole, {**self._paid(request, paid), **data})

    def give_up(self, request: CompletionRequest, error: Exception, paid: Sequence[Payment]) -> None:
        """There will be no summary here, in no life.

        Raises:
            JournalFailed: It cannot be recorded.
        """
        data = {**self._paid(request, paid), "error": error_to_json(error)}
        self._enter(Digester().parts(request).whole, data)

    def enter_failed(self, request: CompletionRequest, error: BaseException, paid: Sequence[Payment]) -> None:
        """It was broken off, but tries were paid."""
        data = {**self._paid(request, paid), "error": error_to_json(error)}
        with suppress(JournalFailed):  # the agent is told what has failed first
            self._books.ledger.enter(self._path, RAISED, "summary", data)

    def _paid(self, request: CompletionRequest, paid: Sequence[Payment]) -> dict[str, Any]:
        return {"paid": paid_to_data([*self._failed, *paid]), "model": request.model}

    def _enter(self, digest: str, data: dict[str, Any]) -> None:
        self._books.ledger.counted.add(self._path)
        self._books.ledger.enter(self._path, DONE, "summary", data, digest=digest)

    def chosen(self, messages: Sequence[Message], room: int, choose: Callable[[], list[Message]]) -> list[Message]:
        """What of *messages* a function has left in an earlier life; else what it leaves now.

        Raises:
            JournalChanged: It was asked something else.
        """
        path, ledger = f"{self._books.path}/@context", self._books.ledger
        digest = digest_of(f"{room} {self._books.digest_of(messages)}")
        entry = ledger.find(path)
        if entry is not None and entry.digest == digest:
            return messages_from_data(entry.data["messages"], messages)
        if entry is not None:
            self._books.set_aside("what the context policy was asked")
        found = choose()
        ledger.enter(path, DONE, "context", {"messages": messages_to_data(found, messages)}, digest=digest)
        return found
