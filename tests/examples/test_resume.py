"""The office that is killed: whatever happens to it, each invoice is paid once."""

import re
from pathlib import Path

RESUME = Path(__file__).parents[2] / "examples" / "resume"
KILLS, INVOICES = 3, 12


def test_killed_and_nothing_paid_twice(run, tmp_path):
    """Killed three times and started again: the bank has one payment for each invoice, and no answer is missing."""
    done = run(RESUME / "kill.py", "--kills", KILLS, "--invoices", INVOICES, "--seed", 5, "--folder", tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    *starts, paid, doubts, bought = done.stdout.splitlines()
    assert [line.partition(":")[0].split() for line in starts] == [["start", str(n + 1)] for n in range(len(starts))]
    assert [line.endswith("killed with -9") for line in starts] == [True] * (len(starts) - 1) + [False]
    assert starts[-1].endswith("ended by itself")
    assert paid == f"{INVOICES} invoices: {INVOICES} paid, 0 of them twice"
    assert re.fullmatch(
        r"\d+ times a payment was in doubt: \d+ times the bank had made it, so it was not made again", doubts
    )
    needed, total, again = map(int, re.findall(r"\d+", bought))
    assert needed == 3 * INVOICES
    assert total == needed + again == sum(int(line.split()[2]) for line in starts)

    known = run(RESUME / "office.py", tmp_path, INVOICES)
    assert (known.returncode, known.stderr) == (0, "")
    lines = known.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [f"2026-{number:03}" for number in range(1, INVOICES + 1)]
    assert all(line.endswith("(known from an earlier start)") for line in lines)


def test_the_readme_shows_how_to_start_it():
    """The command of the README is one that is there, and its lines are what the script prints."""
    text = (RESUME / "README.md").read_text(encoding="utf-8")
    assert "python examples/resume/kill.py --kills 12" in text
    assert "24 invoices: 24 paid, 0 of them twice" in text
