"""An inverted index: which documents hold which words, and how well each fits a query (BM25)."""

from __future__ import annotations

import heapq
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

DocT = TypeVar("DocT", bound=Hashable)

SATURATION = 1.2
"""How soon a repeated word stops to count: a constant of BM25, as usual."""
LENGTH_WEIGHT = 0.75
"""How much a long document pays: the other one."""
CEILING = SATURATION + 1.0
"""The most that BM25 multiplies a word's weight by."""

_ASCII_WORD = re.compile(r"[a-z0-9]+")
# Han and kana are written without spaces: each sign is a word of its own.
UNSPACED = r"\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Signs of those scripts, for a class of a regular expression."""
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")


def words(text: str) -> list[str]:
    """Split *text* into words, in order, with repetitions.

    A word is a run of letters and digits of any script, with their accents and vowel signs. Case, width and
    the way an accent is encoded make no difference.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(map(_kept, folded)).split()


@lru_cache(4_096)
def _kept(sign: str) -> str:
    """What of *sign* stays: itself, as a word of its own where its script is written so; a space in place of others."""
    # Marks belong to the word: \w would split Hindi at each vowel sign.
    if not sign.isalnum() and unicodedata.category(sign)[0] != "M":
        return " "
    return f" {sign} " if _IS_UNSPACED.match(sign) else sign


class WordIndex(Generic[DocT]):
    """Finds documents by their words.

    A score is the share of the query's weight that a document carries, in [0, 1]: rare words weigh more,
    repeated ones less and less, and a word that no document has lowers every score alike.

    Threads: one at a time; who shares it holds a lock.
    """

    def __init__(self) -> None:
        self._postings: dict[str, dict[DocT, int]] = {}
        self._lengths: dict[DocT, int] = {}
        self._total_length = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, document: DocT, text_words: list[str]) -> None:
        """Index *document* under its words."""
        for word, count in Counter(text_words).items():
            self._postings.setdefault(word, {})[document] = count
        self._lengths[document] = len(text_words)
        self._total_length += len(text_words)

    def remove(self, document: DocT, text_words: list[str]) -> None:
        """Forget *document*, which was added with these words (kept here, they would double the index)."""
        for word in set(text_words):
            documents = self._postings[word]
            del documents[document]
            if not documents:
                del self._postings[word]
        self._total_length -= self._lengths.pop(document)

    def scores(
        self,
        query_words: list[str],
        *,
        accepts: Callable[[DocT], bool] | None = None,
        best: int | None = None,
    ) -> dict[DocT, float]:
        """Score the documents that hold at least one word of the query.

        Args:
            query_words: The words to look for.
            accepts: Which documents count; None for all.
            best: How many of the best are wanted. Others may then be missing; ties of the last place are not.
        """
        weights = {word: self._weight(word) for word in query_words}
        ceiling = sum(weights.values()) * CEILING
        known = sorted((word for word in weights if word in self._postings), key=lambda word: -weights[word])
        left = sum(weights[word] for word in known) * CEILING
        given = 0.0
        scores: dict[DocT, float] = {}
        complete = False
        for word in known:
            # Rare words come first. Once the others together cannot lift a new document among the best, they
            # are looked up only for those found so far: the common words, whose lists are long, are seldom
            # walked. (Nobody has more than was given so far: before the half there is nothing to look for.)
            if best is not None and given > left:
                bar = _last_of_best(scores, best)
                complete = complete or bar > left
                if complete:
                    scores = {document: score for document, score in scores.items() if score + left >= bar}
            postings, weight = self._postings[word], weights[word]
            if complete:
                self._add_to_found(scores, postings, weight)
            else:
                self._add_to_all(scores, postings, weight, accepts)
            given += weight * CEILING
            left -= weight * CEILING
        return {document: min(1.0, score / ceiling) for document, score in scores.items()}

    def _weight(self, word: str) -> float:
        """How much *word* tells: the fewer documents have it, the more."""
        having = len(self._postings.get(word, ()))
        return math.log(1.0 + (len(self._lengths) - having + 0.5) / (having + 0.5))

    def _penalty(self) -> tuple[float, float]:
        """What a document pays: a constant, and so much for each of its words."""
        mean = self._total_length / len(self._lengths)
        return SATURATION * (1.0 - LENGTH_WEIGHT), SATURATION * LENGTH_WEIGHT / mean

    def _add_to_all(
        self,
        scores: dict[DocT, float],
        postings: dict[DocT, int],
        weight: float,
        accepts: Callable[[DocT], bool] | None,
    ) -> None:
        constant, per_word = self._penalty()
        lengths, full, so_far = self._lengths, weight * CEILING, scores.get
        for document, count in postings.items():
            if accepts is None or accepts(document):
                gain = full * count / (count + constant + per_word * lengths[document])
                scores[document] = so_far(document, 0.0) + gain

    def _add_to_found(self, scores: dict[DocT, float], postings: dict[DocT, int], weight: float) -> None:
        constant, per_word = self._penalty()
        lengths, full = self._lengths, weight * CEILING
        for document, score in scores.items():
            count = postings.get(document)
            if count is not None:
                gain = full * count / (count + constant + per_word * lengths[document])
                scores[document] = score + gain  # no new key: the dict may be walked on


def _last_of_best(scores: dict[DocT, float], best: int) -> float:
    """The score of the last one of the *best*; 0 while there are fewer."""
    if len(scores) < best:
        return 0.0
    return heapq.nlargest(best, scores.values())[-1]
