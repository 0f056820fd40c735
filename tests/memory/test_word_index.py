"""Words, and the index that ranks by them."""

from __future__ import annotations

import math
import random

import pytest

from actors.memory.word_index import WordIndex, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, WORLD! 42", ["hello", "world", "42"]),
        ("snake_case and kebab-case", ["snake", "case", "and", "kebab", "case"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ΌΣΟΣ όσος", ["όσοσ", "όσοσ"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("東京 tower", ["東", "京", "tower"]),
        ("\uff46ull ﬁn", ["full", "fin"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("\ud800 …!?", []),
        ("", []),
    ],
)
def test_words_of_any_script(text: str, expected: list[str]) -> None:
    """Words are split alike in every script, whatever their case, width and encoding."""
    assert words(text) == expected


def _plain_scores(documents: dict[int, list[str]], query: list[str]) -> dict[int, float]:
    """BM25 by its definition, without an index."""
    mean = sum(map(len, documents.values())) / len(documents)
    weights = {}
    for word in set(query):
        having = sum(word in held for held in documents.values())
        weights[word] = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
    result = {}
    for number, held in documents.items():
        score = 0.0
        for word, weight in weights.items():
            count = held.count(word)
            score += weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(held) / mean))
        if score:
            result[number] = score / (sum(weights.values()) * 2.2)
    return result


def _skewed(rng: random.Random, size: int) -> list[str]:
    return [f"w{int(40 * rng.random() ** 3)}" for _ in range(size)]


@pytest.mark.parametrize("seed", range(20))
def test_the_index_agrees_with_the_definition(seed: int) -> None:
    """After any adds and removes the scores are those of BM25 over the documents that are left."""
    rng = random.Random(seed)
    index: WordIndex[int] = WordIndex()
    documents: dict[int, list[str]] = {}
    for number in range(80):
        documents[number] = _skewed(rng, rng.randint(1, 12))
        index.add(number, documents[number])
        if rng.random() < 0.4:
            gone = rng.choice(list(documents))
            index.remove(gone, documents.pop(gone))
    query = [*_skewed(rng, 4), "unknown"]
    assert index.scores(query) == pytest.approx(_plain_scores(documents, query))
    assert len(index) == len(documents)


@pytest.mark.parametrize("seed", range(60))
def test_the_short_cut_for_the_best_is_exact(seed: int) -> None:
    """Asked for the best few, the index gives the same ones with the same scores as without the short cut."""
    rng = random.Random(seed)
    index: WordIndex[int] = WordIndex()
    for number in range(300):
        index.add(number, _skewed(rng, rng.randint(1, 20)))
    query = _skewed(rng, rng.randint(1, 12))
    best = rng.randint(1, 8)

    def accepts(number: int) -> bool:
        return number % 3 != seed % 3

    everything = index.scores(query, accepts=accepts)
    few = index.scores(query, accepts=accepts, best=best)
    bar = sorted(everything.values(), reverse=True)[:best][-1]
    assert {number: score for number, score in everything.items() if score >= bar} == {
        number: score for number, score in few.items() if score >= bar
    }


def test_the_short_cut_is_taken() -> None:
    """Documents that only hold common words are not scored when a rare word settles who is best."""
    index: WordIndex[int] = WordIndex()
    for number in range(500):
        index.add(number, ["common", "rare"] if number == 7 else ["common"])
    assert list(index.scores(["common", "rare"], best=1)) == [7]
    assert len(index.scores(["common", "rare"])) == 500


def test_nothing_is_left_of_what_was_removed() -> None:
    """An index that was emptied holds no word and no length."""
    index: WordIndex[str] = WordIndex()
    index.add("a", ["x", "y", "x"])
    index.remove("a", ["x", "y", "x"])
    assert (index._postings, index._lengths, index._total_length) == ({}, {}, 0)
    assert index.scores(["x"]) == {}


def test_documents_without_words() -> None:
    """A document without words is never found and breaks no mean."""
    index: WordIndex[str] = WordIndex()
    index.add("empty", [])
    assert index.scores(["x"]) == {}
    index.add("full", ["x"])
    assert list(index.scores(["x"])) == ["full"]
