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


CHAT = """\
ann joins tea
bob joins tea
ann says in tea: Is anybody here? (1 hear it)
bob says in tea: I am. (1 hear it)
bob joins code
cid joins tea
cid joins code
cid says in code: Who knows Python? (1 hear it)
bob quits, and has read
  [tea] ann: Is anybody here?
  [code] cid: Who knows Python?
ann says in tea: Who has the biscuits? (1 hear it)
cid leaves tea
ann says in tea: Nobody, it seems. (0 hear it)
cid quits, and has read
  [tea] ann: Who has the biscuits?
ann quits, and has read
  [tea] bob: I am.
"""


def test_chat_room(run):
    """Who is in a room hears the others; who quits has read all before, and hears no more."""
    done = run(EXAMPLES / "chat_room.py")

    assert (done.returncode, done.stderr, done.stdout) == (0, "", CHAT)


def test_chat_room_of_a_file(run, tmp_path):
    """Who is in no room says nothing, joins one again after having quit, and is told what cannot be done."""
    (tmp_path / "chat").write_text("a: hello\na: /join r\na: /quit\nb: /join r\nb: /leave s\na: /join r\nb: hi\n")

    done = run(EXAMPLES / "chat_room.py", tmp_path / "chat")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        *("a cannot do that: hello", "a joins r", "a quits, and has read"),
        *("b joins r", "b cannot do that: /leave s", "a joins r", "b says in r: hi (1 hear it)"),
        *("a quits, and has read", "  [r] b: hi", "b quits, and has read"),
    ]


@pytest.mark.parametrize(("accounts", "crashes"), [(2, 1), (1000, 4)])
def test_bank(run, accounts, crashes):
    """Whatever crashes, every cent is there; one transfer in 500 crashes an account."""
    done = run(EXAMPLES / "bank.py", accounts)

    assert (done.returncode, done.stderr) == (0, "")
    transfers, cents = done.stdout.splitlines()
    assert transfers == f"{2 * accounts} transfers between {accounts} accounts; {crashes} crashed, and went on"
    total = accounts * 100_00
    assert cents.startswith(f"{total} of {total} cents are there, ")
    assert 100_00 <= int(cents.split()[6]) <= total


@pytest.mark.parametrize("pages", [1, 60, 700])
def test_crawler(run, pages):
    """All pages but the one that is down, and those behind it; each is asked for as often as it has to be."""
    done = run(EXAMPLES / "crawler.py", pages)

    reached, down = {0}, set()
    for number in range(pages):  # links lead to higher numbers
        if number in reached and number == 11:
            reached, down = reached - {number}, {number}
        elif number in reached:
            reached |= {link for link in (2 * number + 1, 2 * number + 2) if link < pages}
    requests = len(reached) + 4 * len(down) + sum(number % 4 for number in reached if number % 5 == 3)
    names = [f"http://c.example/{number}" for number in down]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(reached)} pages in {requests} requests; {names} down after 4 tries\n"


def test_every_example_is_tested():
    """A new example needs a test here or beside."""
    tested = {"bank.py", "chat_room.py", "crawler.py", "embed.py", "two_agents.py", "word_count.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


def test_examples_of_actors_are_short():
    """A reader sees the whole of each at once."""
    for name in ("bank.py", "chat_room.py", "crawler.py"):
        assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 80
