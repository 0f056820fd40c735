"""Finds fragments in a file by their words: BM25 as FTS5 counts it."""

from __future__ import annotations

import heapq
import json
import math
from typing import TYPE_CHECKING

from .word_index import words

if TYPE_CHECKING:
    import sqlite3

    from .condition import Condition

ENOUGH = 5_000
"""So many fragments are looked at: those with the rarest words."""
CEILING = 2.2
"""The most that BM25 multiplies a word's weight by."""
LEAST_WEIGHT = 1e-6
"""What FTS5 takes for the weight of a word that more than half of the fragments have."""
LONGEST_WORD = 8_000
"""Signs of one word that count. FTS5 cuts at 32 KB."""
TOGETHER = 4
"""So many of the common words are looked for in one fragment."""
ALIKE = 1e-12
"""Scores that differ by less are equal."""
FREQUENT = 1_000
"""A word that more fragments have is frequent."""
STALE = 200
"""When one in so many fragments came or went, frequent words are counted anew."""
MOST_KNOWN = 10_000
"""Frequent words whose number is kept."""
MOST_COMMON = 200
"""So many common words of one query count, the rarest of them: an expression of FTS5 has a greatest depth."""


def index_text(content: str) -> str:
    """*content* as it is handed to FTS5: our words, joined by spaces, which is where it splits them again."""
    return " ".join(word[:LONGEST_WORD] for word in words(content))


def query_words(query: str) -> list[str]:
    """The words to look for, each once."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in words(query)))


class FrequentWords:
    """How many fragments have a frequent word: to count them takes long, and it changes little.

    Threads: any. ``_known`` changes by single operations.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def get(self, word: str, total: int) -> int | None:
        """So many of *total* fragments; None where that is not known, or was when there were clearly fewer or more."""
        known = self._known.get(word)
        if known is None or abs(known[1] - total) * STALE > total:
            return None
        return min(known[0], total)

    def note(self, word: str, count: int, total: int) -> None:
        """So many of *total* have it."""
        if count > FREQUENT:
            if len(self._known) >= MOST_KNOWN:
                self._known = {}
            self._known[word] = count, total


class WordSearch:
    """One query, in one state of the file.

    A score is the share of the query's weight that a fragment carries. Of few fragments (``ENOUGH``) all are looked at,
    and scores are those of ``WordIndex``. Of more, the candidates are those with the rarest words; then all words count
    for those, common ones with the weight that FTS5 gives them.
    """

    def __init__(
        self, connection: sqlite3.Connection, condition: Condition | None, frequent: FrequentWords | None = None
    ) -> None:
        self._connection = connection
        self._condition = condition
        self._frequent = FrequentWords() if frequent is None else frequent
        self._total = count_of(connection)
        self._having: dict[str, int] = {}

    def scores(self, wanted: list[str], best: int) -> dict[int, float]:
        """The score of each candidate, by its number.

        Args:
            wanted: Words, each once.
            best: How many of the best are wanted; others may be missing.
        """
        if not self._total or not wanted:
            return {}
        self._having = {word: self._count(word) for word in wanted}
        ceiling = sum(map(self._weight, wanted)) * CEILING
        known = sorted((word for word in wanted if self._having[word]), key=self._having.__getitem__)
        scores: dict[int, float] = {}
        counted: dict[int, float] = {}  # as FTS5 sums it up
        rare = 0
        for word in known:
            if self._total > ENOUGH and len(scores) + self._having[word] > ENOUGH:
                break
            self._add(scores, counted, word, self._rows(_quoted(word)))
            rare += 1
        if rare < len(known):
            self._add_common(scores, counted, known[:rare], known[rare:], best)
        return {number: score / ceiling for number, score in scores.items()}

    def _count(self, word: str) -> int:
        """How many fragments have *word*."""
        known = self._frequent.get(word, self._total)
        if known is not None:
            return known
        row = self._connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (word,)).fetchone()
        count = 0 if row is None else int(row[0])
        self._frequent.note(word, count, self._total)
        return count

    def _weight(self, word: str) -> float:
        """How much *word* tells: the fewer fragments have it, the more. As in ``WordIndex``."""
        having = self._having[word]
        return math.log(1.0 + max(0.0, self._total - having + 0.5) / (having + 0.5))

    def _weight_there(self, word: str) -> float:
        """The weight that FTS5 gives it."""
        having = self._having[word]
        weight = math.log((self._total - having + 0.5) / (having + 0.5)) if having <= self._total else 0.0
        return weight if weight > 0.0 else LEAST_WEIGHT

    def _add(
        self, scores: dict[int, float], counted: dict[int, float], word: str, rows: list[tuple[int, float]]
    ) -> None:
        factor = self._weight(word) / self._weight_there(word)
        score, sum_there = scores.get, counted.get
        for number, value in rows:
            scores[number] = score(number, 0.0) - value * factor
            counted[number] = sum_there(number, 0.0) - value

    def _add_common(
        self, scores: dict[int, float], counted: dict[int, float], rare: list[str], common: list[str], best: int
    ) -> None:
        """Let the common words count for the candidates; where there are few, find more with the rarest of them."""
        room = max(best, ENOUGH) - len(scores)
        telling = [word for word in common if self._weight_there(word) > LEAST_WEIGHT][:MOST_COMMON]
        further = self._further(common, scores, room) if self._could_enter(scores, common, best) else set()
        if rare and telling:
            self._add_among(scores, counted, " OR ".join(map(_quoted, rare)), telling)
        if not further:
            return
        fresh: dict[int, float] = {}
        there: dict[int, float] = {}
        self._add(fresh, there, common[0], self._rows(_quoted(common[0]), further))
        others = [word for word in telling if word != common[0]]
        if others:
            self._add_among(fresh, there, _quoted(common[0]), others, further)
        scores |= fresh

    def _could_enter(self, scores: dict[int, float], common: list[str], best: int) -> bool:
        """Could one that has none but *common* words be among the best?"""
        if len(scores) < best:
            return True
        return heapq.nlargest(best, scores.values())[-1] <= sum(map(self._weight, common)) * CEILING

    def _further(self, common: list[str], known: dict[int, float], room: int) -> set[int]:
        """The numbers of so many more that have the rarest of the *common* words: those with all of the rarest few
        first, then with all but one of these, and so on; the newest first.
        """
        found: set[int] = set()
        for count in range(min(len(common), TOGETHER), 0, -1):
            if len(found) >= room:
                break
            match = " AND ".join(map(_quoted, common[:count]))
            rows = self._connection.execute(*self._select("words.rowid", match, newest=room + len(known)))
            for (number,) in rows:
                if number not in known and len(found) < room:
                    found.add(number)
        return found

    def _add_among(
        self,
        scores: dict[int, float],
        counted: dict[int, float],
        group: str,
        words: list[str],
        among: set[int] | None = None,
    ) -> None:
        """Add what *words* give to those that *group* finds, and for which FTS5 has counted so much already."""
        match = f"({group}) AND ({' OR '.join(map(_quoted, words))})"
        for number, value in self._rows(match, among):
            if number in counted:
                scores[number] += max(0.0, -value - counted[number])

    def _rows(self, match: str, among: set[int] | None = None) -> list[tuple[int, float]]:
        """What fits, each with BM25 as FTS5 gives it: below 0, the lower the better."""
        return self._connection.execute(*self._select("words.rowid, bm25(words)", match, among)).fetchall()

    def _select(
        self, columns: str, match: str, among: set[int] | None = None, *, newest: int | None = None
    ) -> tuple[str, list[object]]:
        sql = f"SELECT {columns} FROM words"  # noqa: S608 - ours
        values: list[object] = [match]
        if among is not None:
            # FTS5 begins at the first of them; the plus keeps SQLite from asking it for each of them anew.
            sql += " WHERE words MATCH ? AND words.rowid >= ? AND +words.rowid IN (SELECT value FROM json_each(?))"
            values += [min(among), json.dumps(list(among))]
        elif self._condition is None:
            sql += " WHERE words MATCH ?"
        else:
            sql += f" CROSS JOIN fragment ON fragment.number = words.rowid WHERE words MATCH ?{self._condition.sql}"
            values += self._condition.values
        if newest is not None:
            sql += " ORDER BY words.rowid DESC LIMIT ?"
            values.append(newest)
        return sql, values


def count_of(connection: sqlite3.Connection) -> int:
    """How many fragments there are: FTS5 keeps count (its record 1), where SQLite would walk over all of them."""
    row = connection.execute("SELECT block FROM words_data WHERE id = 1").fetchone()
    count = 0
    for byte in row[0] if row is not None else b"":
        count = count << 7 | byte & 0x7F
        if byte < 0x80:  # the last one of the first number
            break
    return count


def best_of(scores: dict[int, float], limit: int) -> list[tuple[int, float]]:
    """The best, of equal ones the newest. What sums differ by in their last digits is no difference."""
    bar = heapq.nlargest(limit, scores.values())[-1] - ALIKE if limit < len(scores) else 0.0
    found = [(number, min(1.0, score)) for number, score in scores.items() if score >= bar]
    found.sort(key=lambda item: (-round(item[1] / ALIKE), -item[0]))
    return found[:limit]


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
