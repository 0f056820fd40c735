"""A memory in this process: ranked by words, gone with the process."""

from __future__ import annotations

import heapq
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import mul
from typing import TYPE_CHECKING, Any

from ..agent.ports import MemoryFragment, MemorySource
from .direction import direction_of
from .moment import in_utc
from .refusals import refuse_no_bound, refuse_no_number
from .word_index import WordIndex, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..agent.ports import MemoryFilter


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """A fragment as it is kept. Compared by identity: it is a key of the index."""

    order: int
    id: str
    agent: str
    content: str
    source: MemorySource
    created_at: datetime
    direction: tuple[float, ...] | None

    def shown(self, score: float) -> MemoryFragment:
        return MemoryFragment(self.id, self.content, self.source, score, self.created_at)


class InMemorySubstrate:
    """Remembers fragments of text, and values by key, for any number of agents.

    Recall ranks by words (BM25): a score is the share of the query's weight that a fragment carries, and a
    fragment without any word of the query is not recalled. With a query embedding, the score is the mean of
    that share and of the cosine similarity (the similarity alone when the query has no words); a fragment
    whose embedding is missing or of another length has similarity 0.

    Args:
        max_fragments: How many fragments are kept; the oldest is forgotten first. None: no bound.

    Guarantees: the best first, of equal ones the newest; a fragment is found from the moment :meth:`remember`
    returns until it is forgotten, and never after. Ids cannot be guessed, so that an agent can forget only
    what it was shown. Values set for one agent are not seen by another.

    Locks: ``_lock`` guards every field. Texts are split, and embeddings compared, outside it.
    """

    def __init__(self, max_fragments: int | None = None) -> None:
        refuse_no_bound(max_fragments)
        self._max_fragments = max_fragments
        self._lock = threading.Lock()
        # Ordered: its oldest is found at once, where a dict would walk over all that was deleted before it.
        self._fragments: OrderedDict[str, _Stored] = OrderedDict()
        self._index: WordIndex[_Stored] = WordIndex()
        self._values: dict[tuple[str, str], Any] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many fragments are kept."""
        return len(self._fragments)

    def __bool__(self) -> bool:
        return True  # an empty memory is still a memory

    def remember(
        self,
        agent: str,
        content: str,
        source: MemorySource = MemorySource.CONVERSATION,
        embedding: Sequence[float] | None = None,
    ) -> str:
        """Store *content*; return the new fragment's id.

        Args:
            agent: Whose memory it is.
            source: Where it comes from.
        Raises:
            MemoryFailed: The embedding holds something that is not a finite number.
        """
        text_words = words(content)
        direction = direction_of(embedding)
        new_id = secrets.token_hex(12)
        with self._lock:
            self._count += 1
            stored = _Stored(self._count, new_id, agent, content, MemorySource(source), datetime.now(UTC), direction)
            self._fragments[new_id] = stored
            self._index.add(stored, text_words)
            if self._max_fragments is not None and len(self._fragments) > self._max_fragments:
                _, oldest = self._fragments.popitem(last=False)
                self._index.remove(oldest, words(oldest.content))
        return new_id

    def recall(
        self,
        query: str,
        limit: int = 5,
        filter: MemoryFilter | None = None,  # noqa: A002 - the port's name
        query_embedding: Sequence[float] | None = None,
    ) -> list[MemoryFragment]:
        """Find what fits *query*, the best first.

        Args:
            query: Words; how they are ordered, and their case, make no difference.
            limit: At most so many.
            filter: Which fragments count. A ``since`` without a time zone is local time, as always in Python.
            query_embedding: The query's embedding, of the same model as those that were stored.
        Raises:
            MemoryFailed: The embedding holds something that is not a finite number.
        """
        refuse_no_number(limit=limit)
        if limit < 1:
            return []
        query_words = words(query)
        accepts = _condition(filter)
        direction = direction_of(query_embedding)
        if direction is None:
            with self._lock:
                scores = self._index.scores(query_words, accepts=accepts, best=limit)
        else:
            with self._lock:
                scores = self._index.scores(query_words, accepts=accepts)
                fragments = list(self._fragments.values())
            if accepts is not None:
                fragments = [stored for stored in fragments if accepts(stored)]
            scores = _with_similarity(scores, fragments, direction, by_words=bool(query_words))
        ranked = heapq.nlargest(limit, scores.items(), key=lambda item: (item[1], item[0].order))
        return [stored.shown(score) for stored, score in ranked]

    def set(self, agent: str, key: str, value: Any) -> None:
        """Store *value* under *key* for *agent*, as it is; None forgets the key."""
        with self._lock:
            if value is None:
                self._values.pop((agent, key), None)
            else:
                self._values[agent, key] = value

    def get(self, agent: str, key: str) -> Any | None:
        """The value under *key*, or None.

        Args:
            agent: Whose.
        """
        with self._lock:
            return self._values.get((agent, key))

    def forget(self, id: str) -> None:  # noqa: A002 - the port's name
        """Drop a fragment; an unknown id is no error."""
        with self._lock:
            stored = self._fragments.pop(id, None)
            if stored is not None:
                self._index.remove(stored, words(stored.content))


def _condition(filter: MemoryFilter | None) -> Callable[[_Stored], bool] | None:  # noqa: A002 - as in recall
    """What *filter* demands of a fragment; None when it demands nothing."""
    if filter is None or (filter.agent is None and filter.source is None and filter.since is None):
        return None
    agent, source = filter.agent, filter.source
    since = None if filter.since is None else in_utc(filter.since)

    def accepts(stored: _Stored) -> bool:
        return (
            (agent is None or stored.agent == agent)
            and (source is None or stored.source == source)
            and (since is None or stored.created_at >= since)
        )

    return accepts


def _with_similarity(
    scores: dict[_Stored, float],
    fragments: list[_Stored],
    direction: tuple[float, ...],
    *,
    by_words: bool,
) -> dict[_Stored, float]:
    """Combine the word scores with how near each fragment's embedding is; what has neither is left out."""
    combined = {}
    for stored in fragments:
        similarity = 0.0
        if stored.direction is not None and len(stored.direction) == len(direction):
            similarity = min(1.0, max(0.0, sum(map(mul, stored.direction, direction))))
        score = (scores.get(stored, 0.0) + similarity) / 2.0 if by_words else similarity
        if score > 0.0:
            combined[stored] = score
    return combined
