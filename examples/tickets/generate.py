"""Writes 5,000 support tickets as JSON lines, always the same ones.

python examples/tickets/generate.py tickets.jsonl
python examples/tickets/generate.py tickets.jsonl --count 300 --seed 7
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

SUBJECTS = {
    "billing": ["I was charged twice for {thing}", "The invoice for {thing} names the wrong company"],
    "bug": ["{thing} crashes when I press save", "Since the update {thing} shows an error"],
    "account": ["I cannot log in to {thing}", "Please change the e-mail address for {thing}"],
    "question": ["How do I export my data from {thing}?", "Does {thing} work offline?"],
}
THINGS = ["the mobile app", "the web shop", "my subscription", "the reports", "the calendar", "the import"]
MOODS = [
    "",
    " Please hurry.",
    " This is the third time I ask.",
    " Thank you!",
    " It can wait.",
    "\nSent from my phone",
]


def tickets(count: int, seed: int) -> Iterator[dict[str, str]]:
    """*count* tickets: ``id``, ``customer``, ``text`` and ``wanted``, the label that a person would give."""
    chosen = random.Random(seed)  # noqa: S311 - nothing secret
    for number in range(1, count + 1):
        wanted = chosen.choice(list(SUBJECTS))
        text = chosen.choice(SUBJECTS[wanted]).format(thing=chosen.choice(THINGS)) + "." + chosen.choice(MOODS)
        yield {"id": f"T-{number:05}", "customer": f"C-{chosen.randrange(900):03}", "text": text, "wanted": wanted}


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with asked.path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(ticket) + "\n" for ticket in tickets(asked.count, asked.seed))


if __name__ == "__main__":
    main()
