"""The short examples: each runs as the README says and prints what it promises."""

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_word_count_of_given_files(run, tmp_path):
    """Each file's words, in the order given; a missing file harms only its own agent."""
    (tmp_path / "one.txt").write_text("one\n")
    (tmp_path / "three.txt").write_text("one two\nthree\n")

    done = run(EXAMPLES / "word_count.py", tmp_path / "three.txt", tmp_path / "gone.txt", tmp_path / "one.txt")

    assert (done.returncode, done.stderr) == (0, "")
    three, gone, one = done.stdout.splitlines()
    assert three.split() == ["3", str(tmp_path / "three.txt")]
    assert "FileNotFoundError" in gone
    assert one.split() == ["1", str(tmp_path / "one.txt")]


def test_word_count_of_the_examples(run):
    """Without arguments it counts the examples themselves."""
    done = run(EXAMPLES / "word_count.py")

    assert (done.returncode, done.stderr) == (0, "")
    found = {Path(path).name: int(words) for words, path in map(str.split, done.stdout.splitlines())}
    files = EXAMPLES.glob("*.py")
    assert found == {file.name: len(file.read_text(encoding="utf-8").split()) for file in files}


@pytest.mark.parametrize("number", [1, 50, 73, 100])
def test_two_agents_find_the_number(run, number):
    """Every answer is true, and halving needs at most seven guesses."""
    done = run(EXAMPLES / "two_agents.py", number)

    assert (done.returncode, done.stderr) == (0, "")
    *guesses, summary = done.stdout.splitlines()
    assert 1 <= len(guesses) <= 7
    assert summary == f"found {number} with {len(guesses)} guesses"
    for line in guesses:
        guess, answer = line.split("? ")
        assert answer == ("yes" if int(guess) == number else "higher" if int(guess) < number else "lower")


@pytest.mark.parametrize("argument", ["0", "101", "many"])
def test_two_agents_refuse_a_bad_number(run, argument):
    """A message for people, no traceback."""
    done = run(EXAMPLES / "two_agents.py", argument)

    assert (done.returncode, done.stderr) == (2, "usage: two_agents.py [NUMBER from 1 to 100]\n")


def test_embed(run):
    """Values, a crash, a time out of ours and one of an agent's; then nothing is left."""
    done = run(EXAMPLES / "embed.py")

    assert (done.returncode, done.stderr) == (0, "")
    first, *prices, melon, total, left = done.stdout.splitlines()
    assert first == "melon: not yet"
    assert sorted(prices) == [
        "apple: 0.40",
        "fig: crashed (ValueError: could not convert string to float: 'a lot')",
        "pear: 0.65",
    ]
    assert melon.startswith("melon: timed_out (")
    assert (total, left) == ("total: 1.05", "agents left: 0")


def test_every_example_is_tested():
    """A new example needs a test here or beside."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"embed.py", "two_agents.py", "word_count.py"}
