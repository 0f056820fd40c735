"""``actors run --journal``, ``--resume``, and ``actors journal``."""

from __future__ import annotations

import csv
import io
import signal
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from actors import Journal
from actors.agent.keys import problem_of_key
from actors.cli.recording import key_of
from actors.cli.summary import show, summary
from actors.cli.tally import Tally

from .conftest import lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOT = '''
import os
from actors import CompletionResponse, FunctionDriver, InferenceFailed, StopReason, TokenUsage, ToolCall, tool

def answer(request):
    query = request.messages[0].content
    with open("asked", "a") as file:
        file.write(query + "\\n")
    if "fail" in query and not os.path.exists("mended"):
        raise InferenceFailed("no answer")
    if "pay" in query and len(request.messages) == 1:
        call = ToolCall(id="1", name="pay", input={"to": query})
        return CompletionResponse(tool_calls=(call,), usage=TokenUsage(1000, 0), stop_reason=StopReason.TOOL_USE)
    return CompletionResponse(text="answer to " + query, usage=TokenUsage(1000, 0))

def make(manifest):
    return FunctionDriver(answer)

@tool
def pay(to: str) -> str:
    """Pay somebody."""
    if "die" in to and not os.path.exists("mended"):
        os._exit(9)
    with open("paid", "a") as file:
        file.write(to + "\\n")
    return "paid"
'''
PAY = """
name = "pay"
tools = ["payer:pay"]
[model]
driver = "payer:make"
usd_per_million_input_tokens = 100
usd_per_million_output_tokens = 100
"""


@pytest.fixture
def pay(cli: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """Run five lines with a journal; number 2 fails until it is mended."""
    (folder / "payer.py").write_text(BOT)
    (folder / "pay.toml").write_text(PAY)
    write_lines(folder / "in.jsonl", *({"id": n, "query": f"fail {n}" if n == 2 else f"pay {n}"} for n in range(5)))

    def run(*args: str) -> Any:
        return cli("run", "pay.toml", "--input", "in.jsonl", "--key", "id", "--journal", "run.db", *args)

    return run


def asked(folder: Path) -> int:
    return len((folder / "asked").read_text().splitlines())


def test_what_was_done_is_not_done_again(pay: Callable[..., Any], folder: Path) -> None:
    """Those that completed are recalled: nothing is asked or paid for them, and it is said what that saved; those that
    did not are run again.
    """
    first = pay("--out", "out.jsonl")
    assert first.exit_code == 1
    assert "recalled" not in first.stdout
    assert "run.db: the same command with --resume goes on; what was bought is not bought again" in first.stderr
    before = asked(folder)
    (folder / "mended").touch()
    again = pay("--resume")
    assert again.exit_code == 0
    assert "5 agents: 5 completed · 4 recalled · not bought again: $0.80, 8,000 tokens" in again.stdout
    assert "goes on" not in again.stderr
    assert "#3 pay: completed" in again.stderr
    assert again.stderr.count("completed") == 1  # of those that were recalled no line tells
    assert asked(folder) == before + 1
    assert sorted((folder / "paid").read_text().split("\n")) == ["", *(f"pay {n}" for n in (0, 1, 3, 4))]


def test_rows_that_are_there_are_not_written_twice(pay: Callable[..., Any], folder: Path) -> None:
    """And those that lack are written from what was recalled: of a file that is new, or was cut off."""
    pay("--out", "out.jsonl")
    rows = {row["key"]: row for row in lines_of(folder / "out.jsonl")}
    before = asked(folder)
    lines = (folder / "out.jsonl").read_text().splitlines(keepends=True)
    good = [line for line in lines if '"completed"' in line]
    (folder / "out.jsonl").write_text("".join(good[:2]) + good[2][:40])
    again = pay("--out", "out.jsonl", "--resume")
    assert "3 agents: 2 completed, 1 failed · 2 recalled" in again.stdout
    assert "2 completed before" in again.stdout
    found = lines_of(folder / "out.jsonl")
    assert sorted(row["key"] for row in found) == ["0", "1", "2", "3", "4"]
    same = ("key", "query", "status", "result", "usage", "cost_usd", "started_at", "ended_at", "seconds", "model")
    for row in found:
        if row["key"] != "2":
            assert {name: row[name] for name in same} == {name: rows[row["key"]][name] for name in same}
    assert asked(folder) == before + 1
    new = pay("--out", "new.csv", "--resume")
    assert "4 recalled" in new.stdout
    with (folder / "new.csv").open(newline="") as file:
        assert sorted(row["key"] for row in csv.DictReader(file)) == ["0", "1", "2", "3", "4"]
    stream = pay("--out", "-", "--resume")
    assert stream.stdout.count('"completed"') == 4
    assert asked(folder) == before + 3  # the one that fails


def test_a_journal_that_exists(pay: Callable[..., Any], folder: Path) -> None:
    """Is refused without --resume, whatever becomes of the results; and nothing else is touched."""
    pay("--out", "out.jsonl")
    before = (folder / "run.db").read_bytes()
    for args in ([], ["--out", "new.jsonl"], ["--out", "out.jsonl", "--overwrite"]):
        result = pay(*args)
        assert result.exit_code == 2
        assert result.stderr == "error: --journal run.db: exists already: --resume goes on with it\n"
    assert not (folder / "new.jsonl").exists()
    assert len(lines_of(folder / "out.jsonl")) == 5
    assert (folder / "run.db").read_bytes() == before


def test_a_refusal_leaves_no_journal(pay: Callable[..., Any], folder: Path) -> None:
    """One that would be new; nor does the refusal of a journal leave results."""
    (folder / "out.jsonl").write_text("precious\n")
    assert "--out out.jsonl: exists already" in pay("--out", "out.jsonl").stderr
    assert not (folder / "run.db").exists()
    (folder / "run.db").write_text("another one's")
    result = pay("--out", "new.jsonl", "--resume")
    assert result.exit_code == 2
    assert "error: --journal run.db: " in result.stderr
    assert "run.db is no journal" in result.stderr
    assert (folder / "run.db").read_text() == "another one's"
    assert not (folder / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--journal", "-"], "--journal needs a file: standard output cannot be gone on with"),
        (["--journal", "no/run.db"], "--journal no/run.db: cannot be written: its folder is not there"),
        (["--journal", "", "--resume"], "--journal '': is no file that one could go on with"),
        (["--journal", "."], "--journal .: is no file that one could go on with"),
        (["--journal", "x", "--out", "x"], "--journal and --out are the same file, x"),
        (["--journal", "ask.toml", "--resume"], "--journal and manifest ask.toml are the same file"),
        (["--resume"], "--resume is about the file of --out, or of --journal: give --out FILE or --journal FILE"),
        (["--resume", "--overwrite", "--journal", "x", "--out", "y"], "exclude each other"),
        (["--overwrite", "--journal", "x"], "--overwrite is about the file of --out: give --out FILE"),
    ],
)
def test_refused(cli: Callable[..., Any], args: list[str], message: str) -> None:
    """What makes no sense, each with what to do."""
    result = cli("run", "ask.toml", "--prompt", "x", *args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_what_is_not_what_was_recorded(pay: Callable[..., Any], folder: Path) -> None:
    """Is refused by itself, is counted, and the others go on."""
    pay("-q")
    text = (folder / "in.jsonl").read_text()
    (folder / "in.jsonl").write_text(text.replace("pay 3", "pay three"))
    (folder / "mended").touch()
    result = pay("--resume")
    assert result.exit_code == 1
    assert "error: pay/3: its query is not what the journal has recorded under that key" in result.stderr
    assert "4 agents: 4 completed · 3 recalled · " in result.stdout
    assert "1 refused by the journal" in result.stdout
    assert "three" not in (folder / "asked").read_text()


def test_one_that_is_busy(pay: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """Is refused, to a run and to prune; show and check read it meanwhile."""
    pay("-q")
    with Journal("run.db"):
        for result in (pay("--resume"), cli("journal", "prune", "run.db")):
            assert result.exit_code == 2
            assert "writes it: wait for that one, or end it; 'actors journal show run.db' tells" in result.stderr
        shown = cli("journal", "show", "run.db")
        assert "writes it, since" in shown.stdout
        assert cli("journal", "check", "run.db").exit_code == 0


def test_keys(cli: Callable[..., Any], folder: Path) -> None:
    """The manifest and the file, the digest of the line, or the field of --key; of two manifests of one name the second
    has a number.
    """
    (folder / "docs").mkdir()
    (folder / "docs" / "a.txt").write_text("a")
    (folder / "twin.toml").write_text((folder / "ask.toml").read_text())
    write_lines(folder / "in.jsonl", {"query": "x"}, {"query": "x"})
    cli("run", "ask.toml", "--glob", "docs/*.txt", "--journal", "run.db", "-q")
    cli("run", "ask.toml", "second.toml", "twin.toml", "--prompt", "p", "--journal", "run.db", "--resume", "-q")
    cli("run", "ask.toml", "--input", "in.jsonl", "--journal", "run.db", "--resume", "-q")
    with Journal.read("run.db") as journal:
        keys = [agent.key for agent in journal.agents()]
    line, prompt = "3ae49d63219afd74", "c8e2614ae07865be"
    assert keys == [
        f"ask-2/{prompt}",
        f"ask/{line}",
        f"ask/{line}-2",
        f"ask/{prompt}",
        "ask/docs/a.txt",
        f"second/{prompt}",
    ]


def test_a_key_that_is_too_long() -> None:
    """Is cut, and still tells its file from all others."""
    one, other = (key_of("ask", "folder/" * 100 + name) for name in ("one", "other"))
    assert one != other
    assert problem_of_key(one) is None
    assert key_of("ask", "folder/" * 100 + "one") == one
    assert key_of("ask", "a.txt") == "ask/a.txt"


def test_glob_leaves_the_journal_out(cli: Callable[..., Any], folder: Path) -> None:
    """And what stands beside it."""
    result = cli("run", "ask.toml", "--glob", "run*", "--journal", "run.db")
    assert "matches no file" in result.stderr
    (folder / "run.txt").write_text("x")
    cli("run", "ask.toml", "--glob", "run*", "--journal", "run.db", "-q")
    result = cli("run", "ask.toml", "--glob", "run*", "--journal", "run.db", "--resume")
    assert "1 agent: 1 completed · 1 recalled" in result.stdout


def test_a_run_that_was_killed(
    start: Callable[..., Any], pay: Callable[..., Any], cli: Callable[..., Any], folder: Path
) -> None:
    """Goes on where it stood: what was answered is not asked again, and who may have been paid is not paid again."""
    write_lines(folder / "in.jsonl", {"id": "x", "query": "pay and die"})
    process = start("run", "pay.toml", "--input", "in.jsonl", "--key", "id", "--journal", "run.db")
    process.communicate()
    assert process.returncode == 9
    shown = cli("journal", "show", "run.db")
    assert "pay/x  interrupted      2       1         1  $0.10" in shown.stdout
    assert "in doubt: 1 effect of 1 agent begun, and nobody knows whether done" in shown.stdout
    assert "to go on: the program again, with the same work (actors run ... --journal run.db --resume)" in shown.stdout
    steps = cli("journal", "show", "run.db", "--agent", "pay/x")
    assert "pay/x (pay): interrupted, 1 effect in doubt" in steps.stdout
    assert "pay(to=pay and die)" in steps.stdout
    assert "0.0 (pay): begun, and nobody knows whether it was done; its effect key is " in steps.stdout
    (folder / "mended").touch()
    again = pay("--resume")
    assert again.exit_code == 0
    assert "1 agent: 1 completed · not bought again: $0.10, 1,000 tokens" in again.stdout
    assert asked(folder) == 2
    assert not (folder / "paid").exists()


def test_a_run_that_was_interrupted(start: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """Ends its agents, says how it goes on, and goes on."""
    write_lines(folder / "in.jsonl", {"query": "wait"}, {"query": "done"})
    process = start("run", "wait.toml", "--input", "in.jsonl", "--journal", "run.db")
    assert process.stderr is not None
    assert "#2 wait: completed" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "run.db: the same command with --resume goes on" in errors
    assert "1 cancelled, 1 completed" in cli("journal", "show", "run.db").stdout
    text = (folder / "bot.py").read_text()
    assert '"wait" in query' in text
    (folder / "bot.py").write_text(text.replace('"wait" in query', "False"))
    again = start("run", "wait.toml", "--input", "in.jsonl", "--journal", "run.db", "--resume")
    output, _ = again.communicate()
    assert again.returncode == 0
    assert "2 agents: 2 completed · 1 recalled" in output


def test_show_is_about_what_matters(pay: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """Who failed stands first; of many the rest is counted; a key that is not there is refused with the nearest."""
    pay("-q")
    lines = cli("journal", "show", "run.db").stdout.splitlines()
    assert lines[0].split() == ["agent", "status", "steps", "bought", "cost", "error"]
    assert lines[2].split()[:4] == ["pay/2", "failed", "0", "0"]
    assert lines[2].endswith("InferenceFailed: no answer")
    assert lines[3].split() == ["pay/0", "completed", "3", "2", "$0.20"]
    assert "5 agents: 1 failed, 4 completed · 8 answers bought · 8,000 tokens in, 0 out · $0.80" in lines
    result = cli("journal", "show", "run.db", "--agent", "pay/22")
    assert result.exit_code == 2
    assert "the journal has no agent 'pay/22', did you mean 'pay/2'?" in result.stderr
    for command in ("show", "check", "prune"):
        result = cli("journal", command, "nowhere.db")
        assert (result.exit_code, result.stderr) == (2, "error: nowhere.db: there is no such journal\n")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_show_of_what_a_stranger_wrote(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Keys, errors and answers move no cursor, and no line of a table is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    query = "fail \x1b[31m" + "x" * 5_000
    write_lines(folder / "in.jsonl", *({"id": f"\x1b[2J{'k' * 400}{n}", "query": query} for n in range(60)))
    cli("run", "ask.toml", "--input", "in.jsonl", "--key", "id", "--journal", "run.db", "-q")
    found = cli("journal", "show", "run.db").stdout
    assert "\x1b" not in found
    assert "… and 10 more (--all shows them)" in found
    table = found.partition("\n\n")[0].splitlines()
    assert len(table) == 52
    assert {len(line) <= width for line in table} == {True}
    assert len({line.split()[0] for line in table[2:]}) == 50
    assert len(cli("journal", "show", "run.db", "--all").stdout.partition("\n\n")[0].splitlines()) == 62
    key = f"ask/\x1b[2J{'k' * 400}7"
    steps = cli("journal", "show", "run.db", "--agent", key).stdout
    assert "\x1b" not in steps
    assert "error: InferenceFailed: no answer to fail \N{REPLACEMENT CHARACTER}[31mxxx" in steps


def test_check(pay: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """Tells each thing that is wrong, with its place; a file that is no journal is one, too."""
    pay("-q")
    assert cli("journal", "check", "run.db").stdout == "run.db: whole (5 agents)\n"
    connection = sqlite3.connect("run.db")
    connection.execute("UPDATE entry SET payload = '{}' WHERE agent = 'pay/0' AND path = '1'")
    connection.commit()
    connection.close()
    result = cli("journal", "check", "run.db")
    assert result.exit_code == 1
    assert "agent pay/0, step 1: its payload is not what was written: the checksum differs" in result.stdout
    (folder / "text").write_text("x" * 100)
    result = cli("journal", "check", "text")
    assert result.exit_code == 1
    assert "is no journal" in result.stdout


def test_prune(pay: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """Says how much went; the outcomes come back as before."""
    pay("-q")
    result = cli("journal", "prune", "run.db", "--before", "2020-01-31")
    assert result.stdout.startswith("run.db: 0 entries dropped, 0 bytes freed")
    result = cli("journal", "prune", "run.db", "--before", "soon")
    assert (result.exit_code, "--before soon: is no date: write 2026-01-31" in result.stderr) == (2, True)
    result = cli("journal", "prune", "run.db")
    assert result.exit_code == 0
    assert result.stdout.startswith("run.db: 16 entries dropped, ")
    before = asked(folder)
    assert "4 recalled · not bought again: $0.80" in pay("--resume").stdout
    assert asked(folder) == before + 1
    assert "pruned" in cli("journal", "show", "run.db").stdout


def test_the_summary_of_nothing_that_was_recalled() -> None:
    """Has no word of it."""
    tally = Tally()
    tally.stop_clock()
    assert "recalled" not in summary(tally, out=None)
    assert "not bought again" not in summary(tally, out=None)


def test_an_empty_file(cli: Callable[..., Any], folder: Path) -> None:
    """Is no journal yet, whoever looks; and none is made of it."""
    (folder / "empty.db").touch()
    for command in ("show", "check", "prune"):
        result = cli("journal", command, "empty.db")
        assert (result.exit_code, "empty.db is empty: there is no journal in it yet" in result.stderr) == (2, True)
    assert (folder / "empty.db").read_bytes() == b""


def test_what_cannot_be_read_at_all(pay: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """Who checks is not told to check."""
    pay("-q")
    whole = (folder / "run.db").read_bytes()
    (folder / "run.db").write_bytes(whole[: len(whole) // 2])
    result = cli("journal", "check", "run.db")
    assert result.exit_code == 1
    assert "run.db is damaged: " in result.stdout
    assert "actors journal check" not in result.stdout + result.stderr
    assert "take a copy that is whole, or another path" in result.stderr
    assert "`actors journal check" in cli("journal", "show", "run.db").stderr


@pytest.mark.parametrize("width", [60, 80, 200])
def test_show_of_wide_characters(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """They take two columns each: no other column is cut for them."""
    monkeypatch.setenv("COLUMNS", str(width))
    wide = "\N{CJK UNIFIED IDEOGRAPH-6F22}" * 40
    lines = [{"id": f"{wide}{n}", "query": f"fail {n}"} for n in range(3)]
    write_lines(folder / "in.jsonl", *lines)
    cli("run", "ask.toml", "--input", "in.jsonl", "--key", "id", "--journal", "run.db", "-q")
    head, _, *rows = cli("journal", "show", "run.db").stdout.partition("\n\n")[0].splitlines()
    assert head.split()[:4] == ["agent", "status", "steps", "bought"]
    assert [row.split()[1] for row in rows] == ["failed"] * 3
    assert len({row.split()[0] for row in rows}) == 3
    assert max(map(cell_len, rows)) <= width


class Terminal(io.StringIO):
    """Text that is written to a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_the_sum_on_a_terminal_is_broken_between_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is cut in two; in a pipe it stays one line."""
    monkeypatch.setenv("COLUMNS", "40")
    tally = Tally()
    tally.recalled, tally.skipped, tally.refused = 32, 11_520, 29_760
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        show(tally, out=None, stream=stream)
    whole = pipe.getvalue().strip()
    assert whole.startswith("no agent ran · 32 recalled · 11,520 completed before · 29,760 refused by the journal · ")
    assert "\n" not in whole
    lines = terminal.getvalue().strip().splitlines()
    assert len(lines) > 1
    assert [len(line) <= 40 for line in lines] == [True] * len(lines)
    told = " ".join(line.strip() for line in lines)
    assert told.rpartition(" · ")[0] == whole.rpartition(" · ")[0]  # the last is the time until it was shown


def test_prune_of_a_damaged_file(pay: Callable[..., Any], cli: Callable[..., Any], folder: Path) -> None:
    """Is told what is wrong with it, and not to mend the disk."""
    pay("-q")
    file = sqlite3.connect("run.db")
    (page,) = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'entry_agent'").fetchone()
    (size,) = file.execute("PRAGMA page_size").fetchone()
    file.close()
    whole = bytearray((folder / "run.db").read_bytes())
    whole[(page - 1) * size : page * size] = b"\xff" * size
    (folder / "run.db").write_bytes(whole)
    result = cli("journal", "prune", "run.db")
    assert result.exit_code == 1
    assert "run.db could not be written: database disk image is malformed" in result.stderr
    assert "`actors journal check " in result.stderr
    assert "mend that" not in result.stderr
