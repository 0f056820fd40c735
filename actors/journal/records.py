"""What is recorded of one agent, from its admission to its outcome."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..agent.budget import Spending
from ..agent.kept_value import NotKeptError
from ..agent.ledger import next_child_path, scope_of
from ..core.records.outcome import AgentStatus
from ..errors import JournalError, JournalFailed, JournalGaveUp
from .claims import Claim, child_key, stem_of
from .endings import from_data, name_of, written
from .faults import advice
from .fingerprint import digest_of_parts, first_difference
from .history import VERSION, History
from .ledger import JournalLedger, changed
from .settings import OnChange
from .store import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..agent.ledger import Scope
    from ..agent.recorder import Identity
    from ..core.records.ending import Ending
    from ..core.records.outcome import AgentOutcome
    from ..core.records.usage import TokenUsage
    from .claims import Claims
    from .fingerprint import Fingerprints
    from .settings import Settings
    from .store import Store
    from .told import Told


class Desk:
    """What the records of a journal share."""

    __slots__ = ("claims", "fingerprints", "settings", "store", "told")

    def __init__(
        self, store: Store, settings: Settings, claims: Claims, fingerprints: Fingerprints, told: Told
    ) -> None:
        self.store = store
        self.settings = settings
        self.claims = claims
        self.fingerprints = fingerprints
        self.told = told


class JournalRecord:
    """What is recorded of one agent.

    Threads: one at a time; ``keep`` any, and of several the first counts.

    Locks: none; ``_is_open`` changes by single operations, ``counts`` is written by :meth:`recall`.
    """

    def __init__(self, desk: Desk, identity: Identity) -> None:
        self._desk = desk
        self._identity = identity
        self._ledger = JournalLedger(desk.store, desk.settings, desk.claims.next_life, desk.told)
        self._key = ""
        self._before: Claim | None = None  # who had the key before
        self._scope: Scope | None = None  # the effect of its parent inside which it is started
        self._parts: dict[str, str] = {}
        self._history: History | None = None
        self._changed: str | None = None  # what is to be set aside, when it begins
        self._is_admitted_here = False
        self.counts = True
        self._is_open = [True]

    @property
    def ledger(self) -> JournalLedger:
        """What it has bought and done; what earlier processes have, once it was recalled."""
        return self._ledger

    # Admission ------------------------------------------------------------------------------------------------------

    def claim(self, cell: Any) -> str:  # noqa: ARG002 - for those who wait for others
        """Take its key, and look whether it is the agent that was recorded under it.

        Raises:
            ValueError: Another agent has or had that key, or nothing can be made one of.
            JournalChanged: It is not what was recorded.
            JournalCorrupt: What was recorded is damaged.
            JournalFailed: Nothing can be recorded any more.
        """
        self._desk.store.refuse_when_failed()
        given = self._identity.config.key
        self._parts = self._desk.fingerprints.parts(self._identity, named=given is not None)
        self._key = self._take_key(given)
        self._ledger.belong_to(self._key)
        self._history = self._look_back()
        self._compare(self._history)
        return self._key

    def _take_key(self, given: str | None) -> str:
        parent = None if self._identity.parent is None else self._identity.parent._parts.ledger
        claim = Claim("", 0)
        if isinstance(parent, JournalLedger):
            claim = Claim(parent.key, parent.life)
            self._scope = scope_of(parent)
            if given is None:
                assert self._identity.parent is not None
                given = child_key(parent.key, next_child_path(self._identity.parent))
        if given is None:
            return self._desk.claims.take_first(
                stem_of(self._identity.manifest.name, digest_of_parts(self._parts)), claim
            )
        is_mine, self._before = self._desk.claims.take(given, claim)
        if not is_mine:
            raise ValueError(f"another agent has or had the key {given!r}: a key names one agent of a journal")
        return given

    def _look_back(self) -> History:
        store = self._desk.store
        if self._before is not None:  # its parent was started again: this process has recorded it, too
            store.flush()
        elif not store.has_history:
            return History(store, self._key)
        return History(store, self._key, store.rows(self._key))

    def _compare(self, history: History) -> None:
        if history.fingerprint is None:
            self._admit()
            self._is_admitted_here = True
            return
        what = first_difference(history.fingerprint, self._parts)
        if what is None:
            return
        risky = history.has_risky()
        if risky or self._desk.settings.on_change is not OnChange.RERUN:
            raise changed(self._key, "", what, risky=risky)
        self._changed = what

    def _admit(self) -> None:
        identity = self._identity
        name = identity.manifest.name.encode("utf-8", "backslashreplace").decode()
        parent = None if identity.parent is None else identity.parent.key
        self._write(self._key, "admitted", {"name": name, "parent": parent, "fingerprint": self._parts})

    def release(self) -> None:
        """It was not admitted: as if it never was."""
        key, self._key = self._key, ""
        if not key:  # it had none
            return
        if self._is_admitted_here:
            with suppress(JournalFailed):  # whoever asked is told something else
                self._write(key, "refused", {})
        self._desk.claims.give_back(key, self._before)

    def _write(self, key: str, state: str, data: dict[str, Any], *, safe: bool = False) -> None:
        payload = to_text({"v": VERSION, **data})
        self._desk.store.write(key, "", state, None, payload, safe=safe)

    # Its life -------------------------------------------------------------------------------------------------------

    def recall(self) -> Ending | None:
        """How it ended in an earlier process; None: it is to be run, with its ledger.

        Raises:
            JournalGaveUp: Too many processes died while it lived.
            JournalFailed: Nothing can be recorded any more, or what was recorded cannot be read.
        """
        try:
            return self._recall()
        except JournalError as error:  # an outcome can carry the other one
            raise JournalFailed(str(error)) from error

    def _recall(self) -> Ending | None:
        self._desk.store.refuse_when_failed()
        history, settings = self._history, self._desk.settings
        assert history is not None
        ending = None
        if self._changed is not None:
            history = self._begin_anew(self._changed)
        elif history.ended is not None and self._is_final(history):
            ending = self._recalled(history)
        if ending is not None:
            return ending
        died = len(history.begun - self._desk.store.ended_well - {self._desk.store.number} | history.lost)
        if settings.max_attempts is not None and died >= settings.max_attempts:
            raise JournalGaveUp(
                f"agent {self._key!r} is not begun again: {died} processes died while it lived "
                f"(max_attempts={settings.max_attempts}); open the journal with more of them to try once more"
            )
        self._write(self._key, "begun", {}, safe=settings.max_attempts is not None)
        self._ledger.load(history)
        return None

    def _begin_anew(self, what: str) -> History:
        self._write(self._key, "aside", {"from": "", "what": what})
        self._admit()
        self._changed = None
        history = History(self._desk.store, self._key)
        history.asides = [*(self._history.asides if self._history is not None else ()), 0]
        self._history = history
        return history

    def _is_final(self, history: History) -> bool:
        if history.ended is None:
            return False
        return history.is_pruned or history.ended.get("status") in self._desk.settings.final

    def _recalled(self, history: History) -> Ending | None:
        """The recorded ending; None when its result cannot be had: then it is run again, and buys nothing."""
        assert history.ended is not None
        try:
            ending = from_data(history.ended, self._identity)
        except NotKeptError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            what = f"how agent {self._key!r} ended cannot be read ({error!r})"
            raise JournalFailed(f"{self._desk.store.path}: {what}; {advice(self._desk.store.path)}") from error
        self._is_open.clear()
        if ending.recalled is not None:
            self._tell_parent(ending.recalled["usage_total"], ending.recalled["cost_usd_total"])
        self.counts = history.ended_by != self._desk.store.number
        if self.counts and self._identity.account.is_charged:
            self._charge(ending.recalled or {})
        return ending

    def _charge(self, fields: Mapping[str, Any]) -> None:
        """What it has spent counts for its budgets, and is refused by none of them."""
        spent = Spending(
            iterations=fields["iterations"],
            tool_calls=fields["tool_calls"],
            tokens=fields["usage_total"].total,
            cost_usd=fields["cost_usd_total"],
        )
        for warning in self._identity.account.charge(spent, ""):
            self._desk.told.budget(warning)

    def keep(self, outcome: AgentOutcome[Any]) -> None:
        """Record how it ended; wait until that is safe, if it will not be run again.

        Raises:
            JournalFailed: It cannot be recorded, and would have been final.
        """
        try:
            self._is_open.pop()
        except IndexError:
            return
        self._tell_parent(outcome.usage_total, outcome.cost_usd_total)
        history = self._history
        was_final = history is not None and self._is_final(history)
        if self._changed is not None or isinstance(outcome.error, JournalGaveUp):
            return  # it never began: what was recorded stays as it is
        is_final = outcome.status in self._desk.settings.final
        if was_final and not is_final:
            return
        payload, kept = written(outcome, self._identity, final=is_final)
        if is_final and not kept:
            self._desk.told.not_kept(name_of(outcome.result), self._identity.agent_class)
            if was_final:  # as it was
                return
        try:
            self._desk.store.write(self._key, "", "ended", None, payload, safe=is_final)
        except JournalFailed:
            if is_final or outcome.status is AgentStatus.COMPLETED:
                raise

    def _tell_parent(self, usage: TokenUsage, cost_usd: float) -> None:
        """What it and all below it cost is part of the effect that has started it."""
        scope = self._scope
        if scope is not None and scope.path:  # what the agent itself starts, it starts again
            scope.below.append((usage, cost_usd))
