"""The turn of one agent in a session: what was said before it, and what becomes of what is said in it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from loguru import logger

from ..core.records.outcome import AgentStatus
from ..errors import AgentError, SessionError
from .carried_summary import CarriedSummary
from .ledger import BEGUN, DONE
from .session_keys import KIND, PATH, TOLD, SessionKeys, note_of, sign_of, still_fits
from .turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.records.conversation import Message
    from ..core.records.ending import Ending
    from ..core.records.outcome import AgentOutcome
    from ..core.records.spec import Record
    from ..core.records.usage import TokenUsage
    from .config import SpawnConfig
    from .ledger import HasLedger
    from .session_line import SessionLines, SessionPlace
    from .turns import SessionStore


@dataclass(frozen=True, slots=True)
class Said:
    """What an agent's loop has taken of its turn."""

    query: str
    messages: tuple[Message, ...]
    text: str
    usage: TokenUsage
    cost_usd: float
    agent: str
    model: str | None


class AgentTurn(Protocol):
    """The turn of one agent, as far as its loop needs it.

    Threads: the agent's own.
    """

    @property
    def history(self) -> Sequence[Message]:
        """What was said before."""

    @property
    def summary(self) -> CarriedSummary:
        """The summary that the session goes on with."""

    def begin_life(self) -> None:
        """The agent is started (again): what it said in a life that failed does not count."""

    def take(self, said: Said) -> None:
        """The loop has come to its end: that is the turn, if the agent completes."""


class PoolSessions:
    """The sessions of one pool: where they are stored, and whose turn it is."""

    __slots__ = ("lines", "store")

    def __init__(self, store: SessionStore, lines: SessionLines) -> None:
        self.store = store
        self.lines = lines


class SessionRecord:
    """Gives an agent what was said in its session before, and stores its turn when it completes.

    Guarantees: the turn is stored whole, once, and before anybody sees the outcome; of an agent that ends otherwise
    nothing is stored. It is the only agent of its pool at the session from its first slot to its end.

    Args:
        parts: Who has the agent's ledger, if it has one.
        open_books: Gives the agent a ledger, and makes what else is recorded of it, under that key if one is given.
        keys: Finds its key; None where it has one, or needs none.

    Threads: one at a time; ``keep`` any, and of several the first counts.

    Locks: none; ``_is_open`` and ``_stored`` change by single operations, ``_inner`` and ``_place`` are written before
    the admission,
    all else by the agent's own thread.
    """

    def __init__(
        self,
        sessions: PoolSessions,
        config: SpawnConfig[Any],
        parts: HasLedger,
        open_books: Callable[[str | None], Record | None],
        keys: SessionKeys | None = None,
    ) -> None:
        assert config.session is not None
        self.session: str = config.session
        self._sessions = sessions
        self._config = config
        self._parts = parts
        self._open_books = open_books
        self._keys = keys
        self._inner: Record | None = None
        self._place: SessionPlace | None = None
        self._is_open = [True]
        self._stored: list[bool] = []  # one: its turn, until it is taken back
        self.counts = True
        self._before: list[Turn] = []
        self._number = 0
        self._note: dict[str, Any] = {}  # what a later process has to know, to go on with this turn
        self._is_again = False
        self._said: Said | None = None
        self.summary = CarriedSummary(is_alone=not config.messages)

    # Admission ------------------------------------------------------------------------------------------------------

    def claim(self, cell: Any) -> str | None:
        """Stand in the line of its session, and take its key."""
        lines = self._sessions.lines
        ahead = lines.length(self.session)
        self._place = lines.enter(self.session, cell)
        while True:
            key = None if self._keys is None else self._keys.find(self.session, self._config.query, ahead)
            self._inner = self._open_books(key)
            if self._inner is None:
                return self._config.key
            try:
                return self._inner.claim(cell)
            except ValueError:
                if key is None or not self._is_taken(key):
                    raise  # else another thread was first: there are more

    def _is_taken(self, key: str) -> bool:
        known = None if self._keys is None else self._keys.journal.known(key, PATH)
        return known is not None and known.is_taken

    def release(self) -> None:
        """It was not admitted."""
        self._leave()
        if self._inner is not None:
            self._inner.release()

    def _leave(self) -> None:
        if self._place is not None:
            self._sessions.lines.leave(self._place)

    # Its life -------------------------------------------------------------------------------------------------------

    def recall(self) -> Ending | None:
        """Wait for its turn; then how it ended earlier, if it did.

        Raises:
            Cancelled: It was cancelled meanwhile.
            DeadlockError: It would wait for one that waits for it.
            SessionError: What was said before cannot be read.
        """
        assert self._place is not None  # it was admitted
        self._sessions.lines.take(self._place)
        ending = None
        if self._inner is not None:
            ending = self._inner.recall()
            self.counts = self._inner.counts
        if ending is None:
            self._begin()
        else:  # its turn was stored then
            self._is_open.clear()
            if self._parts.ledger is not None:
                self._parts.ledger.enter(TOLD, BEGUN, KIND, {})
            self._leave()
        return ending

    def _begin(self) -> None:
        """Look what was said before, and which number this turn has."""
        offered = self._config.history
        turns = self._sessions.store.turns(self.session, None if offered is None else max(offered, 1) + 1)
        last = turns[-1].number if turns else 0
        ledger = self._parts.ledger
        known = None if ledger is None else ledger.find(PATH)
        self._number = last + 1
        if known is not None and still_fits(known.data, turns):
            self._number, self._is_again = known.data["number"], True
        before = [turn for turn in turns if turn.number < self._number]
        self._before = before if offered is None else before[max(0, len(before) - offered) :]
        self.summary.begin(self._before, self._number)
        self._note = note_of(self.session, turns, self._number, self._config.query)
        if ledger is not None and not self._is_again:
            ledger.enter(PATH, BEGUN, KIND, self._note)

    def begin_life(self) -> None:
        """The agent is started (again): what it said in a life that failed does not count."""
        self._said = None
        self.summary.begin_life()

    @property
    def history(self) -> Sequence[Message]:
        """What was said before."""
        return [message for turn in self._before for message in turn.messages]

    def take(self, said: Said) -> None:
        """The loop has come to its end: that is the turn, if the agent completes."""
        self._said = said

    # The end --------------------------------------------------------------------------------------------------------

    def keep(self, outcome: AgentOutcome[Any]) -> None:
        """Store the turn of an agent that completed, and let the next one of the session begin.

        Raises:
            SessionError: It could not be stored; the answer is its ``text``.
            AgentError: The outcome cannot be recorded; then the turn is not stored either.
        """
        try:
            self._is_open.pop()
        except IndexError:
            if outcome.status is not AgentStatus.COMPLETED:
                self._withdraw()  # it was abandoned after its turn was stored, in its on_end
            return
        try:
            self._keep(outcome)
        finally:
            self._leave()

    def _keep(self, outcome: AgentOutcome[Any]) -> None:
        inner = self._inner
        is_stored = False
        try:
            is_stored = outcome.status is AgentStatus.COMPLETED and self._store()
        except AgentError as error:
            if inner is not None:
                with suppress(AgentError):  # whoever asked is told what has failed first
                    changed = {"status": AgentStatus.FAILED, "result": None, "error": error}
                    inner.keep(outcome.model_copy(update=changed))
            raise
        try:
            ledger = self._parts.ledger
            if is_stored and ledger is not None:
                ledger.enter(PATH, DONE, KIND, self._note)
            if inner is not None:
                inner.keep(outcome)
        except AgentError:
            self._withdraw()
            raise
        if self._place is not None and self._place.cell.outcome is not None:
            self._withdraw()  # it was abandoned meanwhile

    def _store(self) -> bool:
        said = self._said
        if said is None:
            logger.warning(
                "{}: its run() has not called that of LlmAgent: nothing of it is stored in session {!r}",
                self._config.manifest.name,
                self.session,
            )
            return False
        turn = Turn(
            number=self._number,
            query=said.query,
            messages=said.messages,
            text=said.text,
            usage=said.usage,
            cost_usd=said.cost_usd,
            agent=said.agent,
            model=said.model,
            at=datetime.now(UTC),
            summary=self.summary.bought(),
        )
        ledger = self._parts.ledger
        if ledger is not None:  # a later process must know that the turn is this agent's
            self._note = {**self._note, "stores": sign_of(turn)}
            ledger.enter(PATH, BEGUN, KIND, self._note)
            ledger.secure()
        try:
            self._sessions.store.append(self.session, turn, again=self._is_again)
        except AgentError:
            raise
        except Exception as error:  # of a store of a user's own
            what = f"turn {turn.number} of session {self.session!r} could not be stored: {error}"
            raise SessionError(what, session=self.session, text=turn.text) from error
        self._stored.append(True)
        return True

    def _withdraw(self) -> None:
        """The agent did not complete after all: if its turn is stored, take it back."""
        try:
            self._stored.pop()
        except IndexError:
            return
        store = self._sessions.store
        try:
            facts = store.facts(self.session)
            if facts is not None and facts.turns == self._number:
                store.undo(self.session)
        except SessionError as error:
            logger.error("turn {} of session {!r} could not be taken back: {}", self._number, self.session, error)
