"""Under which key an agent answers at a session, where a journal records it: so that a turn which broke off goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..core.records.content import text_of_content
from ..core.records.json_marks import from_json, marked_text
from ..core.records.json_plain import is_plain
from ..errors import SessionError
from .ledger import digest_of
from .ports import UserMessage
from .terms.message_text import said
from .wire import message_from_data, message_to_data, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .turns import SessionStore, Turn

PATH: Final = "@turn"
"""Where a ledger knows the turn."""
TOLD: Final = "@told"
"""Where it knows that the outcome came back from it."""
KIND: Final = "turn"
LONG: Final = 100_000
"""Characters of a query that is noted itself, and not by its digest alone."""


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """What a journal knows of the agent of a key.

    Args:
        is_taken: An agent of this process has or had the key.
        is_open: Its job goes on when the same is asked: it has not ended with a final status, or nobody knows whether
            its outcome was seen, since the process died that had it.
        is_broken_off: It did not end at all, or nobody knows whether that was seen.
        has_completed: It ended so, whoever saw it.
        note: What it noted when it began; None: it did not begin.
    """

    is_taken: bool
    is_open: bool = False
    is_broken_off: bool = False
    has_completed: bool = False
    note: Mapping[str, Any] | None = None


class Knows(Protocol):
    """Who knows which agents were recorded: a journal."""

    def known(self, key: str, path: str) -> KnownAgent | None:
        """What is known of the agent of *key*, with what stands at *path* of its ledger; None: nothing."""


def query_to_data(query: Any) -> dict[str, Any]:
    """What was asked, as data that JSON can hold: by its digests, and, where it is short and can be told, itself."""
    content = said(query)
    kind = type(query).__name__
    told: dict[str, Any] = {"kind": kind, "text": digest_of(text_of_content(content))}
    if isinstance(query, str) or is_plain(query):
        value = marked_text(query) if isinstance(query, str) else query
    elif isinstance(content, str):  # an object, of which only its text is known
        return told
    else:
        value = message_to_data(UserMessage(content))["content"]
        told["parts"] = True
    line = to_text(value)
    told["digest"] = digest_of(line)
    if len(line) <= LONG:
        told["value"] = value
    return told


def query_from_data(told: Mapping[str, Any]) -> Any:
    """What was asked.

    Raises:
        SessionError: It was too long to be noted, or an object of which only its text is known.
    """
    if "value" not in told:
        raise SessionError("what was asked was not noted, since it is too long or no plain data: ask it again to go on")
    if "parts" not in told:
        return from_json(told["value"]) if told["kind"] == "str" else told["value"]
    content = message_from_data({"role": "user", "content": told["value"]}).content
    return content if told["kind"] == "tuple" else list(content) if told["kind"] == "list" else content[0]


def note_of(session: str, turns: Sequence[Turn], number: int, query: Any) -> dict[str, Any]:
    """What a later process has to know, to go on with turn *number* that was begun when *turns* were there."""
    before = [turn for turn in turns if turn.number == number - 1]
    after = before[0].at.isoformat() if before else None
    return {"session": session, "number": number, "after": after, "query": query_to_data(query)}


def still_fits(note: Mapping[str, Any], turns: Sequence[Turn]) -> bool:
    """Is a turn that was begun the next one, or the last one, of a session that ends with *turns* now?"""
    last = turns[-1].number if turns else 0
    number = note.get("number")
    if number not in (last, last + 1):
        return False
    before = [turn for turn in turns if turn.number == number - 1]
    return bool(note.get("after") == (before[0].at.isoformat() if before else None))


def sign_of(turn: Turn) -> str:
    """What an agent notes of the turn that it is about to store, to know it again."""
    return digest_of(f"{len(turn.query)} {turn.query}{turn.text}")


class SessionKeys:
    """Finds keys: ``session/ID/NUMBER``, and ``~2``, ``~3`` ... where that agent failed, and another one is asked.

    Threads: any. It keeps nothing.
    """

    def __init__(self, store: SessionStore, journal: Knows) -> None:
        self._store = store
        self.journal = journal

    def find(self, session: str, query: Any, ahead: int) -> str:
        """The key of the agent that is asked *query*: that of one which broke off at the same, or a new one.

        Args:
            ahead: So many agents are asked in this session before it, and have not ended.
        """
        turns = self._last_turns(session)
        asked = query_to_data(query)
        for key, known in self._begun(session, turns):
            if known.is_open and known.note is not None and known.note.get("query") == asked:
                return key
        last = turns[-1].number if turns else 0
        return next(key for key, known in self._keys(session, last + 1 + ahead) if known is None)

    def broken_off(self, session: str) -> list[Any]:
        """What was asked in *session* and is not answered, as far as anybody knows: one query, or none."""
        for _, known in reversed(list(self._begun(session, self._last_turns(session)))):
            if known.is_broken_off and known.note is not None:
                return [query_from_data(known.note["query"])]
        return []

    def _last_turns(self, session: str) -> Sequence[Turn]:
        return self._store.turns(session, 2)

    def _begun(self, session: str, turns: Sequence[Turn]) -> Iterator[tuple[str, KnownAgent]]:
        """The agents of earlier processes that were at the last turn, or at the next one, as it would be now."""
        last = turns[-1].number if turns else 0
        for number in range(max(1, last), last + 2):
            for key, known in self._keys(session, number):
                if known is None:
                    break
                if known.is_taken or known.note is None or not still_fits(known.note, turns):
                    continue
                if number == last and not (known.is_broken_off and known.note.get("stores") == sign_of(turns[-1])):
                    continue  # another agent has stored that turn
                if number > last and known.has_completed and "stores" in known.note:
                    continue  # its turn was dropped
                yield key, known

    def _keys(self, session: str, number: int) -> Iterator[tuple[str, KnownAgent | None]]:
        """Those for that turn, one after another, without an end."""
        stem = f"session/{session}/{number}"
        tries = 1
        while True:
            key = stem if tries == 1 else f"{stem}~{tries}"
            yield key, self.journal.known(key, PATH)
            tries += 1
