"""Finds fragments in a file by their words, as FTS5 counts them (BM25)."""

from __future__ import annotations

import heapq
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from .condition import Condition
    from .weighted_words import WeightedWords

ENOUGH = 5_000
"""So many fragments are looked at: those with the rarest words."""
TOGETHER = 4
"""So many of the common words are looked for in one fragment."""
TELLING = 4
"""A word that more than one in so many fragments have counts only of those that are looked at closely."""
MOST_WORDS = 200
"""So many words are looked for at once: an expression of FTS5 has a greatest depth."""


class WordSearch:
    """Finds what is among the best for the words of a query, with about the scores that they have.

    Of few fragments (``ENOUGH``) all that have a word are found. Of more, the candidates are those with the rarest
    words; then all words count for those. FTS5 gives common words too little weight: whoever wants the scores of
    ``WordIndex`` asks ``WeightedWords`` for those of the best.

    Args:
        wanted: The words, in the state of the file that *connection* reads.
        condition: Which fragments count; None: all.
    """

    def __init__(self, connection: sqlite3.Connection, wanted: WeightedWords, condition: Condition | None) -> None:
        self._connection = connection
        self._wanted = wanted
        self._condition = condition

    def scores(self, best: int) -> dict[int, float]:
        """The score of each candidate, by its number.

        Args:
            best: How many of the best are wanted; others may be missing.
        """
        known = list(self._wanted.having)
        if self._wanted.total <= ENOUGH:
            found = self._rows(known[:MOST_WORDS])
        else:
            found, rare = self._with_rare(known[:MOST_WORDS])
            found |= self._with_common(found, known[:rare], known[rare : rare + MOST_WORDS], best)
        return {number: score / self._wanted.ceiling for number, score in found.items()}

    def _with_rare(self, known: list[str]) -> tuple[dict[int, float], int]:
        """Those with the first words, until there are ``ENOUGH``; and how many words these were."""
        found: dict[int, float] = {}
        score = found.get
        for place, word in enumerate(known):
            if len(found) + self._wanted.having[word] > ENOUGH:
                return found, place
            for number, value in self._rows([word]).items():
                found[number] = score(number, 0.0) + value
        return found, len(known)

    def _with_common(self, found: dict[int, float], rare: list[str], common: list[str], best: int) -> dict[int, float]:
        """Those of *found* that have *common* words, too, with what all words give; and more that have none but those,
        where these could be among the best.
        """
        telling = [word for word in common if TELLING * self._wanted.having[word] < self._wanted.total]
        scored = self._rows(telling, rare) if rare and telling else {}
        if not common or not self._could_enter({**found, **scored}, common, best):
            return scored
        further = self._further(common, found, max(best, ENOUGH) - len(found))
        if further:
            scored |= self._rows(common[:1], among=further)
            if telling[1:]:
                scored |= self._rows(telling[1:], common[:1], among=further)
        if len(found.keys() | scored.keys()) < best:  # a condition has left too few: also those without that word
            scored = self._rows(common, newest=best) | scored
        return scored

    def _could_enter(self, found: dict[int, float], common: list[str], best: int) -> bool:
        """Could one that has none but *common* words be among the best? One of average length has each of them once."""
        if len(found) < best:
            return True
        return heapq.nlargest(best, found.values())[-1] <= self._wanted.weight_of(common)

    def _further(self, common: list[str], known: dict[int, float], room: int) -> set[int]:
        """The numbers of so many more that have the rarest of the *common* words: those with all of the rarest few
        first, then with all but one of these, and so on; the newest first.
        """
        further: set[int] = set()
        for count in range(min(len(common), TOGETHER), 0, -1):
            if len(further) >= room:
                break
            match = " AND ".join(map(_quoted, common[:count]))
            for (number,) in self._select("words.rowid", match, newest=room + len(known)):
                if number not in known and len(further) < room:
                    further.add(number)
        return further

    def _rows(
        self,
        wanted: list[str],
        group: list[str] | None = None,
        *,
        among: set[int] | None = None,
        newest: int | None = None,
    ) -> dict[int, float]:
        """Those that have one of the *wanted* words (and one of the *group*), with what all these words give."""
        if not wanted:
            return {}
        match = _any(wanted) if group is None else f"({_any(group)}) AND ({_any(wanted)})"
        # FTS5 counts below 0, the lower the better.
        return dict(self._select("words.rowid, -bm25(words)", match, among, newest=newest))

    def _select(
        self, columns: str, match: str, among: set[int] | None = None, *, newest: int | None = None
    ) -> sqlite3.Cursor:
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
        return self._connection.execute(sql, values)


def _any(words: Iterable[str]) -> str:
    return " OR ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
