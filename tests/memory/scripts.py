"""Words of five scripts, and texts of them at random."""

from __future__ import annotations

from itertools import accumulate
from random import Random

SCRIPTS = {
    "latin": "abcdefghijklmnopqrstuvwxyzéàüßñøłşčãŒÆ",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяёїґ",
    "chinese": "".join(map(chr, range(0x4E00, 0x4E00 + 800))),
    "devanagari": "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूेैोौं्",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويَُِّ",
}


class Corpus:
    """Texts of one script, in which few words are frequent, as in all languages."""

    def __init__(self, script: str, seed: int, words: int = 2_000) -> None:
        self._random = Random(seed)
        signs = SCRIPTS[script]
        self._between = "" if script == "chinese" else " "
        self._words = ["".join(self._random.choices(signs, k=self._random.randint(2, 9))) for _ in range(words)]
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(words)))

    def text(self, least: int, most: int) -> str:
        """So many words, with an odd sign here and there."""
        words = self._random.choices(self._words, cum_weights=self._weights, k=self._random.randint(least, most))
        marks = ["! ", "\n", "… "] if self._random.random() < 0.5 else [", "]
        return self._random.choice(marks).join(
            self._between.join(words[start : start + 7]) for start in range(0, len(words), 7)
        )
