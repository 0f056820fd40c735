"""What one agent has bought and done, so that nothing is bought or done twice."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ..public import publish
from .keys import LONGEST_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..core.records.outcome import AgentOutcome
    from ..core.records.usage import TokenUsage

_SPECIAL: Final = re.compile("[/~%#\ud800-\udfff]")


class InDoubt(StrEnum):
    """What becomes of an effect that an earlier process has begun, and of which nobody knows whether it was done: the
    model is told, somebody is asked for approval, or the agent fails.
    """

    TELL = "tell"
    ASK = "ask"
    FAIL = "fail"


InDoubtWord = Literal["tell", "ask", "fail"]


class EntryState(StrEnum):
    """How far something is: an effect is begun and then done, or it raised; all else is done at once. A completion that
    raised has no answer, and tries that were paid.
    """

    BEGUN = "begun"
    DONE = "done"
    RAISED = "raised"


BEGUN: Final = EntryState.BEGUN
DONE: Final = EntryState.DONE
RAISED: Final = EntryState.RAISED


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger knows of one path.

    Args:
        path: ``3`` the fourth completion, ``3.1`` the second call of that answer, ``fetch`` a step of one's own,
            ``3.1/fetch`` one inside that call, ``3/@heard``, ``@memories``, ``@instructions`` what else has
            to be the same again.
        state: Of the last entry of that path.
        kind: ``completion``, ``tool``, ``step``, ``approval``, ``guardrail``, ``handoff``, ``heard``, ``memories``,
            ``instructions``, ``summary``, ``context``, ``filtered``, ``remembered``, ``closed`` (a turn without an
            answer that counts).
        digest: Of the request of a completion; empty for all else.
        data: What JSON can hold, as it was given.
        at: Seconds since the epoch.
    """

    path: str
    state: EntryState
    kind: str
    digest: str
    data: Mapping[str, Any]
    at: float = 0.0


class Ledger(Protocol):
    """What one agent has bought and done, over all its lives: those of this process, and with a journal those of
    earlier ones. It is kept beside the agent, and outlives it.

    Guarantees: what :meth:`enter` was told with ``safe=True`` is on disk when it returns, with all before it.

    Threads: any of the agent's.

    Locks: ``counted`` is changed by the agent's own thread.
    """

    in_doubt: InDoubt
    """What becomes of effects that nobody knows the end of."""
    calls_raised_again: bool
    """Is a step that raised simply called again? Without a journal that is what a restart is for."""
    values: dict[str, Any]
    """What steps of this process have returned that JSON cannot hold, by their paths."""
    counted: set[str]
    """The paths of what guard, budgets and account of this process have counted."""

    def begin_life(self) -> None:
        """The agent is started (again): what it does is looked up from the beginning."""

    def refuse_when_failed(self) -> None:
        """Raise when nothing can be recorded any more: before something is bought.

        Raises:
            JournalFailed: It cannot.
        """

    def secure(self) -> None:
        """Another answer is about to be bought, or somebody is asked for approval: wait until what was bought and done
        before is on disk, so that a process that dies has one answer of each agent at most to buy again, and what was
        done before it is not in doubt.

        Raises:
            JournalFailed: It is not, or nothing can be recorded any more.
        """

    def find(self, path: str) -> Entry | None:
        """The last entry of *path*; None: it is new."""

    def enter(
        self,
        path: str,
        state: EntryState,
        kind: str,
        data: Mapping[str, Any],
        *,
        digest: str = "",
        safe: bool = False,
    ) -> None:
        """Note what has happened. The first ``done`` of a path stands: a later one is left out.

        Two threads may enter the same end of one effect, with the same data.

        Args:
            data: What JSON can hold; nobody changes it from now on.
            safe: Wait until it is on disk.
        Raises:
            JournalFailed: It cannot be recorded.
        """

    def count(self, path: str) -> bool:
        """Has what stands at *path* still to be counted by guard, budgets and account? True once, for what an earlier
        process has entered.
        """

    def set_aside(self, path: str, what: str) -> None:
        """The completion at *path* was another one: *what* differs. From there on nothing is known any more.

        Raises:
            JournalChanged: That is not wanted, or an ``at_most_once`` effect from there on was begun.
        """

    def effect_key(self, path: str) -> str:
        """What names the effect at *path* in all its tries: ASCII letters and digits, for an idempotency header."""

    def not_kept(self, type_name: str) -> None:
        """The result of a step, of that type, is not kept, since JSON cannot hold it: whoever records says so, once."""

    @property
    def root(self) -> Scope:
        """What the agent itself does, outside any effect."""


class Scope:
    """What is done inside one effect (or by the agent itself, outside all): how its steps and children are named.

    Threads: those of one effect.

    Locks: none; its fields change by single operations.
    """

    __slots__ = ("_children", "_completions", "_names", "_running", "below", "ledger", "paid", "path")

    def __init__(self, ledger: Ledger, path: str) -> None:
        self.ledger = ledger
        self.path = path
        self._names: dict[str, count[int]] = {}
        self._running: dict[str, object] = {}
        self._children = count(1)
        self._completions = count()
        self.paid: list[tuple[TokenUsage, float]] = []
        """What completions inside it have cost: of a recalled effect it is counted."""
        self.below: list[tuple[TokenUsage, float]] = []
        """What agents that were started inside it have cost, with all below them: as well."""

    def next_completion(self) -> str:
        """The path of the next completion: ``3`` for the fourth."""
        return str(next(self._completions))

    def next_child(self) -> str:
        """Where the next child is started: ``3.1#2`` for the second of that call, ``#1`` for the first outside all."""
        return f"{self.path}#{next(self._children)}"

    def next_path(self, name: str) -> str:
        """The path of what is called *name* here; a name that is used again gets ``~2``."""
        number = next(self._names.setdefault(name, count(1)))
        last = name if number == 1 else f"{name}~{number}"
        return f"{self.path}/{last}" if self.path else last

    @contextmanager
    def step(self, name: str) -> Iterator[str]:
        """Be at the step of that *name*, whose path this gives.

        Raises:
            ValueError: One of that name is under way here: nobody could say which of the two is which the next time.
        """
        mine, quoted = object(), quoted_name(name)
        if self._running.setdefault(quoted, mine) is not mine:
            raise ValueError(f"a step named {name!r} is under way: steps at the same time need names of their own")
        try:
            yield self.next_path(quoted)
        finally:
            del self._running[quoted]


_SCOPE: Final[ContextVar[Scope | None]] = ContextVar("actors-effect", default=None)


def scope_of(ledger: Ledger) -> Scope:
    """The effect inside which this thread works for the agent of *ledger*; its root outside all."""
    scope = _SCOPE.get()
    return scope if scope is not None and scope.ledger is ledger else ledger.root


class HasLedger(Protocol):
    """Who may have a ledger."""

    ledger: Ledger | None


class Owner(Protocol):
    """An agent, as far as its ledger needs it."""

    @property
    def _parts(self) -> HasLedger:
        """What it was given."""


def next_child_path(agent: Owner) -> str:
    """Where *agent* starts its next child, for the child's key. The same again in each life, whatever else runs beside
    it: the count is that of the effect inside which this thread works.
    """
    ledger = agent._parts.ledger
    return "" if ledger is None else scope_of(ledger).next_child()


def note_paid(ledger: Ledger, usage: TokenUsage, cost_usd: float) -> None:
    """A completion that was paid inside an effect belongs to it."""
    scope = _SCOPE.get()
    if scope is not None and scope.path and scope.ledger is ledger:
        scope.paid.append((usage, cost_usd))


def current_effect_key() -> str:
    """The key of the effect inside which this thread works; a fresh one outside all."""
    scope = _SCOPE.get()
    return uuid.uuid4().hex if scope is None or not scope.path else scope.ledger.effect_key(scope.path)


@contextmanager
def inside(scope: Scope) -> Iterator[None]:
    """Work inside *scope*: whatever this thread starts takes it along."""
    token = _SCOPE.set(scope)
    try:
        yield
    finally:
        _SCOPE.reset(token)


class MemoryLedger:
    """A ledger for the lives of one agent in one process: nothing is written.

    Threads: any of the agent's.

    Locks: ``entries``, ``values``, ``counted`` and ``children`` change by single operations; ``root`` is written by the
    agent's own thread.
    """

    in_doubt = InDoubt.TELL
    calls_raised_again = True
    is_written = False
    """Is what it is told kept for later processes?"""

    def __init__(self, name: str = "") -> None:
        self.entries: dict[str, Entry] = {}
        self.values: dict[str, Any] = {}
        self.counted: set[str] = set()
        self.children: dict[str, KnownChild] = {}
        """Without a journal: those that it has started, by the paths in which it did."""
        self._name = name or uuid.uuid4().hex
        self.root = Scope(self, "")

    def copied(self) -> MemoryLedger:
        """One that knows the same, for who does the same job next: this one's agent may still be at work."""
        copy = MemoryLedger(self._name)
        copy.entries, copy.values, copy.counted = self.entries.copy(), self.values.copy(), self.counted.copy()
        copy.children = self.children.copy()
        return copy

    def begin_life(self) -> None:
        """The agent is started (again)."""
        self.root = Scope(self, "")

    def refuse_when_failed(self) -> None:
        """It never is."""

    def secure(self) -> None:
        """They are as safe as the process."""

    def find(self, path: str) -> Entry | None:
        """The last entry of *path*."""
        return self.entries.get(path)

    def enter(
        self,
        path: str,
        state: EntryState,
        kind: str,
        data: Mapping[str, Any],
        *,
        digest: str = "",
        safe: bool = False,  # noqa: ARG002 - it is as safe as the process
    ) -> None:
        """Note what has happened."""
        known = self.entries.get(path)
        if known is None or known.state is not DONE:
            self.entries[path] = Entry(path, state, kind, digest, data)

    def count(self, path: str) -> bool:  # noqa: ARG002 - all of it was done here
        """Nothing comes from an earlier process."""
        return False

    def uncounted(self) -> frozenset[str]:
        """The paths of what is known and has still to be counted: see :meth:`count`."""
        return frozenset()

    def came_before(self, path: str) -> bool:  # noqa: ARG002 - all of it was done here
        """Was what stands at *path* entered by an earlier process?"""
        return False

    def set_aside(self, path: str, what: str) -> None:  # noqa: ARG002 - nobody is told
        """From *path* on nothing is known any more: an agent that is started again may ask something else."""
        self.entries = {name: entry for name, entry in self.entries.items() if is_before(name, int(path))}
        self.children = {name: child for name, child in self.children.items() if is_before(name, int(path))}

    def not_kept(self, type_name: str) -> None:
        """Nothing is to be said: in this process it stands in ``values``."""

    @property
    def namer(self) -> Callable[[str], str]:
        """What gives effects their keys, as of now; it can be pickled."""
        return partial(_effect_key, self._name)

    def effect_key(self, path: str) -> str:
        """What names the effect at *path* in all its tries."""
        return self.namer(path)


def _effect_key(name: str, path: str) -> str:
    return digest_of(f"{name}\0{path}")


@dataclass(slots=True)
class KnownChild:
    """What is known of an agent that another one has started.

    Args:
        asked: What it was and had to do.
        ledger: What it has bought and done; None when it has completed, and needs it no more.
        outcome: None: it has not completed.
    """

    asked: tuple[Any, ...]
    ledger: MemoryLedger | None
    outcome: AgentOutcome[Any] | None = None

    def complete(self, outcome: AgentOutcome[Any]) -> None:
        """It is not run again."""
        self.ledger, self.outcome = None, outcome


def is_before(path: str, number: int) -> bool:
    """Was what stands at *path* done before the completion of that *number*? Steps of one's own have no number."""
    head = path.partition("/")[0].partition(".")[0]
    return not head.isdecimal() or int(head) < number


def quoted_name(name: object) -> str:
    """The name of a step as part of a path: it can be nothing else that stands there.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty, or too long.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a step is text, not {type(name).__name__}")
    if not name or len(name) > LONGEST_KEY:
        raise ValueError(f"the name of a step has 1 to {LONGEST_KEY} characters, this one has {len(name)}")
    quoted = _SPECIAL.sub(_percent, name)
    if quoted[0] == "@" or quoted.partition(".")[0].isdecimal():
        quoted = _percent(quoted[0]) + quoted[1:]
    return quoted


def _percent(found: re.Match[str] | str) -> str:
    text = found if isinstance(found, str) else found[0]
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def digest_of(text: str) -> str:
    """*text* in 32 hexadecimal digits."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


publish("actors.journals", InDoubt)
