"""Keeps the ledger of one conversation: what it has bought is not bought again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from ...core.records.content_field import content_from_data, content_to_data
from ...core.records.error_json import error_to_json
from ...core.records.json_marks import from_json, marked_text
from ...core.records.told import told_text
from ...errors import JournalFailed
from ..account import AGAIN
from ..budget import Spending
from ..ledger import (
    DONE,
    RAISED,
    digest_of,
    is_before,
)
from ..wire import (
    Digester,
    difference,
    messages_from_data,
    messages_to_data,
    paid_from_data,
    paid_to_data,
    parts_to_data,
    response_from_data,
    response_to_data,
)
from .driver_call import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...core.records.conversation import Message
    from ...core.records.parts import Part
    from ..agent import Agent
    from ..guard import LoopGuard
    from ..ledger import Entry, Ledger, Scope
    from ..ports import CompletionRequest, CompletionResponse
    from ..wire import RequestParts
    from .driver_call import Payment

    Contents: TypeAlias = list[str | tuple[Part, ...]]

ContentT = TypeVar("ContentT", str, "str | tuple[Part, ...]")
ONE_TURN = Spending(iterations=1)
RECALLED: Final[Mapping[str, Any]] = {"recalled": True}


class Bookkeeper:
    """Looks up what the conversation of an agent has bought in earlier lives, and enters what it buys now.

    Nothing is counted twice: what guard, budgets and account of this process have counted stands in ``ledger.counted``;
    what comes from an earlier process is counted when it is recalled, and is never refused for want of a budget.

    Args:
        model: The model that is asked; empty when nobody says.

    Threads: the agent's own.
    """

    def __init__(self, agent: Agent[Any], ledger: Ledger, guard: LoopGuard, model: str) -> None:
        self._agent = agent
        self.ledger = ledger
        self._guard = guard
        self._model = model
        self._digester = Digester()
        self._before: Sequence[str] = ()  # the digests of the messages of the request before
        self._asked: RequestParts | None = None
        self._failed: list[Payment] = []  # what tries of earlier lives have cost that led to no answer
        self.path = ""
        """That of the completion at hand."""

    # Turns ------------------------------------------------------------------------------------------------------

    def begin_turn(self) -> bool:
        """The next turn begins: is it still to be counted? One of an earlier process is counted here; one that broke
        off before its answer was there is a turn of its own.
        """
        self.path = path = self.ledger.root.next_completion()
        if not self._is_answered():
            return True
        if path not in self.ledger.counted:
            self._count_turn()
        return False

    def _is_answered(self) -> bool:
        entry = self.ledger.find(self.path)
        return (entry is not None and entry.state is DONE) or self.ledger.find(self._closed) is not None

    @property
    def _closed(self) -> str:
        return f"{self.path}/@closed"

    def close_turn(self) -> Sequence[Payment]:
        """The turn ends here, in each life: a guardrail has refused what was to be asked, or what was asked.

        Returns:
            What an earlier process has paid in it, and the guard has still to count.
        """
        entry = self.ledger.find(self.path)
        paid = () if entry is None else self._counted(paid_from_data(entry.data["paid"]))
        self.ledger.counted.add(self.path)
        self.ledger.enter(self._closed, DONE, "closed", {})
        return paid

    def _count_turn(self, what: str = "turn") -> None:
        self.ledger.counted.add(self.path)
        self._guard.check_iteration().enforce()
        warn(self._agent, self._agent._parts.account.charge(ONE_TURN, self.path, what))
        self._agent._context.expenses.turn()

    def hear(self, read: Callable[[], Contents]) -> Contents:
        """The messages of this turn: those of an earlier life; else what is there now, unless its answer is known."""
        entry = self.ledger.find(f"{self.path}/@heard")
        if entry is not None:
            return _contents_of(entry)
        if self._is_answered():
            return []
        return self._entered(f"{self.path}/@heard", "heard", texts) if (texts := read()) else []

    # Completions ------------------------------------------------------------------------------------------------

    def recall(self, request: CompletionRequest) -> tuple[CompletionResponse | None, Sequence[Payment]]:
        """The answer to *request* that is known (None: it is to be bought), and what was paid for it, or for tries that
        led to none, and the guard has still to count.

        Raises:
            JournalChanged: Another request was answered here.
        """
        self._asked = parts = self._digester.parts(request)
        self._failed = []
        entry = self.ledger.find(self.path)
        if entry is None:
            return None, ()
        if entry.state is RAISED:
            self._failed = paid_from_data(entry.data["paid"])
            return None, self._counted(self._failed)
        if entry.digest != parts.whole or entry.data["model"] != self._model:
            self.set_aside(difference(entry.data["parts"], self._before, parts) or "model")
            return None, ()
        response = response_from_data(entry.data["response"])
        self._before = parts.messages
        told: dict[str, Any] = {
            **RECALLED,
            "model": request.model or self._model or None,
            "stop_reason": str(response.stop_reason),
        }
        if self._agent._context.tells_content:
            told["text"] = told_text(response.text)
        return response, self._counted(paid_from_data(entry.data["paid"]), told)

    def _counted(self, paid: Sequence[Payment], told: Mapping[str, Any] = RECALLED) -> Sequence[Payment]:
        """*paid*, which is counted here in budgets and account, if an earlier process has paid it; else nothing.

        Args:
            told: What is told of the last of them, which led to the answer.
        """
        if not self.ledger.count(self.path):
            return ()
        count_paid(self._agent, self.path, paid, told)
        return paid

    def enter(self, response: CompletionResponse, paid: Sequence[Payment]) -> None:
        """*response* was bought.

        Raises:
            JournalFailed: It cannot be recorded.
        """
        parts = self._asked
        assert parts is not None  # it was looked for first
        data = {
            "response": response_to_data(response),
            "paid": paid_to_data([*self._failed, *paid]),
            "parts": parts_to_data(parts, self._before),
            "model": self._model,
        }
        self.ledger.counted.add(self.path)
        self.ledger.enter(self.path, DONE, "completion", data, digest=parts.whole)
        self._before = parts.messages

    def enter_failed(self, error: BaseException, paid: Sequence[Payment]) -> None:
        """There is no answer, but tries were paid: that is known to the next one, which takes the place of this."""
        data = {"paid": paid_to_data([*self._failed, *paid]), "model": self._model, "error": error_to_json(error)}
        with suppress(JournalFailed):  # the agent is told what has failed first
            self.ledger.enter(self.path, RAISED, "completion", data)

    def digest(self, said: Message) -> None:
        """*said* enters the conversation: it counts as it is now, whatever tools do to the arguments that they get."""
        self._digester.message(said)

    def filtered(self, messages: Sequence[Message], choose: Callable[[], list[Message]]) -> list[Message]:
        """What the filter of a handoff has left of *messages* in an earlier life; else what it leaves now.

        Raises:
            JournalFailed: It cannot be recorded.
        """
        path = f"{self.path}/@filtered"
        entry = self.ledger.find(path)
        if entry is not None:
            return messages_from_data(entry.data["messages"], messages)
        found = choose()
        self.ledger.enter(path, DONE, "filtered", {"messages": messages_to_data(found, messages)})
        return found

    def counts_handoff(self) -> bool:
        """Has the guard of this process still to count the handoff of the answer at hand? Then it does now."""
        path = f"{self.path}/@handoff"
        is_new = path not in self.ledger.counted
        self.ledger.counted.add(path)
        return is_new

    def hand_on(self, model: str, source: str, target: str) -> None:
        """The conversation goes on under another manifest, with that model.

        Raises:
            JournalFailed: It cannot be recorded.
        """
        self._model = model
        names = {"source": marked_text(source), "target": marked_text(target)}
        self.ledger.enter(f"{self.path}/@handoff", DONE, "handoff", names)

    def set_aside(self, what: str) -> None:
        """From the completion at hand on nothing is known any more: *what* differs.

        Raises:
            JournalChanged: That is not wanted.
        """
        was_answered, number = self._is_answered(), int(self.path)
        self.ledger.set_aside(self.path, what)
        self.ledger.counted -= {path for path in self.ledger.counted if not is_before(path, number)}
        if was_answered:
            self._count_turn(AGAIN)  # this one was among those; now it is another one

    def digest_of(self, messages: Sequence[Message]) -> str:
        """The digest of *messages* together."""
        return digest_of(" ".join(map(self._digester.message, messages)))

    # What else has to be the same again -------------------------------------------------------------------------

    def memories(self, recall: Callable[[], list[str]]) -> list[str]:
        """The memories that this conversation began with."""
        path = self.ledger.root.next_path("@memories")
        entry = self.ledger.find(path)
        return self._entered(path, "memories", recall()) if entry is None else _texts_of(entry)

    def instructions(self, make: Callable[[], str], said: object) -> str:
        """The system prompt that this conversation began with, unless it is what the manifest *said*; after a handoff,
        that with which it went on.
        """
        path = f"{self.path}/@instructions" if self.path else self.ledger.root.next_path("@instructions")
        entry = self.ledger.find(path)
        if entry is not None:
            return _texts_of(entry)[0]
        text = make()
        return text if text == said else self._entered(path, "instructions", [text])[0]

    def remember(self, remember: Callable[[], object]) -> None:
        """Remember the answer, unless that was done."""
        path = self.ledger.root.next_path("@remembered")
        if self.ledger.find(path) is None:
            remember()
            self.ledger.enter(path, DONE, "remembered", {})

    def _entered(self, path: str, kind: str, contents: list[ContentT]) -> list[ContentT]:
        self.ledger.enter(path, DONE, kind, {"texts": [content_to_data(content) for content in contents]})
        return contents


def spent_to_data(scope: Scope) -> dict[str, Any]:
    """What was spent inside *scope*, as a part of what is entered of it."""
    spent = {"paid": paid_to_data(scope.paid), "below": paid_to_data(scope.below)}
    return {name: each for name, each in spent.items() if each}


def count_spent(agent: Agent[Any], path: str, data: Mapping[str, Any]) -> None:
    """Count what the effect at *path* of an earlier process has spent: by itself, and by agents that it has started."""
    count_paid(agent, path, paid_from_data(data.get("paid", ())))
    for number, (usage, cost_usd) in enumerate(paid_from_data(data.get("below", ())), 1):
        spent = Spending(tokens=usage.total, cost_usd=cost_usd)
        warn(agent, agent._parts.account.charge(spent, path, f"below {number}"))
        agent._context.expenses.spend_below(usage, cost_usd)


def count_paid(agent: Agent[Any], path: str, paid: Sequence[Payment], told: Mapping[str, Any] = RECALLED) -> None:
    """Count in budgets and account what an earlier process has paid at *path*: it is not refused.

    Args:
        told: What is told of the last of them.
    """
    for number, (usage, cost_usd) in enumerate(paid, 1):
        spent = Spending(tokens=usage.total, cost_usd=cost_usd)
        warn(agent, agent._parts.account.charge(spent, path, f"paid {number}"))
        agent._context.spend(usage, cost_usd, told if number == len(paid) else RECALLED)


def _contents_of(entry: Entry) -> Contents:
    return [content_from_data(data) for data in entry.data["texts"]]


def _texts_of(entry: Entry) -> list[str]:
    return [from_json(text) for text in entry.data["texts"]]
