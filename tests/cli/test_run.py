"""``actors run`` with good input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from actors.cli import run as run_room
from actors.cli.job import Job
from actors.cli.options import RunOptions

from .conftest import lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEYS = [
    *("key", "agent_id", "name", "query", "tag", "status", "result", "error", "place", "traceback", "model", "usage"),
    *("tokens", "iterations", "tool_calls", "cost_usd", "started_at", "ended_at", "seconds"),
]


def test_prompt_prints_the_answer(cli: Callable[..., Any]) -> None:
    """One prompt: its answer, a table and a summary on standard output, exit code 0."""
    result = cli("run", "ask.toml", "--prompt", "hello")
    assert result.exit_code == 0
    assert "\nanswer to hello\n" in result.stdout
    assert "1 agent: 1 completed" in result.stdout
    assert "10 tokens in, 5 out" in result.stdout


def test_every_line_has_every_field(cli: Callable[..., Any], folder: Path) -> None:
    """The fields of a results line are the same for a result and for an error."""
    write_lines(folder / "jobs.jsonl", {"query": "a", "name": "anna", "tag": {"row": 7}}, {"query": "fail b"})
    result = cli("run", "ask.toml", "--input", "jobs.jsonl", "--out", "out.jsonl", "--max-concurrent", "1")
    assert result.exit_code == 1
    good, bad = lines_of(folder / "out.jsonl")
    assert list(good) == list(bad) == KEYS
    assert (good["name"], good["query"], good["tag"]) == ("anna", "a", {"row": 7})
    assert (good["status"], good["result"], good["error"]) == ("completed", "answer to a", None)
    assert (good["usage"]["input_tokens"], good["usage"]["output_tokens"], good["tokens"]) == (10, 5, 15)
    assert (good["iterations"], good["tool_calls"]) == (1, 0)
    assert (bad["status"], bad["result"], bad["tokens"]) == ("failed", None, 0)
    assert bad["error"] == {"type": "InferenceFailed", "text": "no answer to fail b"}


def test_a_crash_names_the_exception(cli: Callable[..., Any], folder: Path) -> None:
    """A crash is one outcome; its error has the type that the agent's code raised, markup and all."""
    result = cli("run", "ask.toml", "--prompt", "boom", "--out", "out.jsonl")
    assert result.exit_code == 1
    (record,) = lines_of(folder / "out.jsonl")
    assert record["status"] == "crashed"
    assert record["error"] == {"type": "ValueError", "text": "boom [red]x[/nothing]"}
    assert "boom [red]x[/nothing]" in result.stdout


def test_verbose_shows_the_traceback_of_a_crash(cli: Callable[..., Any]) -> None:
    """With -v the traceback of a crash is on standard error, without it nowhere."""
    assert "Traceback" in cli("run", "ask.toml", "--prompt", "boom", "-v").stderr
    assert "Traceback" not in cli("run", "ask.toml", "--prompt", "boom").output


def test_a_crash_has_its_place(cli: Callable[..., Any], folder: Path) -> None:
    """In the table with the line of the user's, in the file with the traceback; an error of the library's has none."""
    write_lines(folder / "jobs.jsonl", {"query": "boom"}, {"query": "x" * 50_000})
    result = cli("run", "ask.toml", "--input", "jobs.jsonl", "--out", "out.jsonl", "--max-concurrent", "1")
    assert "  bot.py:11 in answer: ValueError: boom [red]x[/nothing]" in result.stdout
    crash, overflow = lines_of(folder / "out.jsonl")
    assert crash["place"] == "bot.py:11 in answer"
    assert crash["traceback"].endswith("ValueError: boom [red]x[/nothing]\n")
    assert (overflow["error"]["type"], overflow["place"]) == ("ContextOverflow", None)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_rows_differ_at_every_width(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Failures come first, then the slowest, then others; each query can be told from the next."""
    monkeypatch.setenv("COLUMNS", str(width))
    words = "please say what this ticket of a customer of ours is about, number"
    write_lines(folder / "jobs.jsonl", *({"query": f"{words} {n}{' fail' * (n == 22)}"} for n in range(30)))
    lines = cli("run", "ask.toml", "--input", "jobs.jsonl").stdout.splitlines()
    assert all(len(line) <= width for line in lines[:-2])
    titles = [line for line in lines if line in ("failed", "slowest", "dearest", "others that completed")]
    assert titles == ["failed", "slowest", "others that completed"]
    shown = [line.partition(" s  ")[2].strip() for line in lines if " s  " in line]
    assert len(set(shown)) == len(shown) == 20
    assert "22 fail" in shown[0]


def test_rows_of_wide_characters_differ(cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes two columns a character is cut in time, not where the column ends."""
    monkeypatch.setenv("COLUMNS", "60")
    write_lines(folder / "jobs.jsonl", *({"query": f"{'客户工单归类' * 8}{n}号"} for n in range(5)))
    lines = cli("run", "ask.toml", "--input", "jobs.jsonl").stdout.splitlines()
    shown = [line.partition(" s  ")[2].strip() for line in lines if " s  " in line]
    assert len(set(shown)) == len(shown) == 5


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("manifests", [["ask.toml"], ["ask.toml", "second.toml"]])
def test_long_keys_leave_room(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, width: int, manifests: list[str]
) -> None:
    """However long the keys and the names: no line is wider than the terminal, no status is cut, and each row begins as
    no other does, with its key, and its name beside it or below.
    """
    monkeypatch.setenv("COLUMNS", str(width))
    for name in manifests:
        text = (folder / name).read_text()
        name_line = next(line for line in text.splitlines() if line.startswith("name = "))
        (folder / name).write_text(text.replace(name_line, f'name = "a-long-name-for-an-agent-{name[:3]}"'))
    write_lines(folder / "jobs.jsonl", *({"id": f"{'customer-0' * 8}{n}", "query": "the same"} for n in range(6)))
    lines = cli("run", *manifests, "--input", "jobs.jsonl", "--key", "id").stdout.splitlines()
    assert all(len(line) <= width for line in lines[:-1])
    rows = [at for at, line in enumerate(lines) if "  completed  " in line]
    shown = {(lines[at].partition("  completed  ")[0], lines[at + 1].partition("  ")[0]) for at in rows}
    assert len(shown) == 6 * len(manifests) == len(rows)


def test_each_input_runs_with_each_manifest(cli: Callable[..., Any], folder: Path) -> None:
    """Two manifests and two lines are four agents; a name of the line's tells the manifests apart."""
    write_lines(folder / "jobs.jsonl", {"query": "a", "name": "n"}, {"query": "b"})
    result = cli("run", "ask.toml", "second.toml", "--input", "jobs.jsonl", "--out", "out.jsonl")
    assert result.exit_code == 0
    seen = {(record["name"], record["query"], record["result"]) for record in lines_of(folder / "out.jsonl")}
    assert seen == {
        ("n@ask", "a", "answer to a"),
        ("n@second", "a", "other"),
        ("ask", "b", "answer to b"),
        ("second", "b", "other"),
    }


def test_standard_input(cli: Callable[..., Any], folder: Path) -> None:
    """``--input -`` reads standard input; a byte order mark and empty lines are no lines."""
    text = b'\xef\xbb\xbf{"query": "one"}\n\n  \n{"query": "two"}'
    assert cli("run", "ask.toml", "--input", "-", "--out", "out.jsonl", stdin=text).exit_code == 0
    assert {record["query"] for record in lines_of(folder / "out.jsonl")} == {"one", "two"}


def test_results_on_standard_output(cli: Callable[..., Any]) -> None:
    """``--out -`` writes the lines to standard output and nothing else there."""
    result = cli("run", "ask.toml", "--prompt", "hello", "--out", "-")
    assert json.loads(result.stdout)["result"] == "answer to hello"
    assert "1 agent: 1 completed" in result.stderr


def test_quiet_is_silent(cli: Callable[..., Any], folder: Path) -> None:
    """-q prints nothing at all when all is well, and the file is written."""
    assert cli("run", "ask.toml", "--prompt", "hello", "-q", "--out", "out.jsonl").output == ""
    assert len(lines_of(folder / "out.jsonl")) == 1


def test_driver_option_wins(cli: Callable[..., Any], folder: Path) -> None:
    """--driver answers in place of the manifest's driver."""
    assert "\nother\n" in cli("run", "ask.toml", "--prompt", "x", "--driver", "bot:make_other").stdout
    assert "\nother\n" in cli("run", "nodriver.toml", "--prompt", "x", "--driver", "bot:make_other").stdout


def test_timeout_ends_an_agent(cli: Callable[..., Any], folder: Path) -> None:
    """--timeout is the life of each agent."""
    result = cli("run", "wait.toml", "--prompt", "wait", "--timeout", "0.05", "--out", "out.jsonl")
    assert result.exit_code == 1
    assert lines_of(folder / "out.jsonl")[0]["status"] == "timed_out"


def test_events_file(cli: Callable[..., Any], folder: Path) -> None:
    """--events writes one JSON object for each event, in order, with its kind."""
    assert cli("run", "ask.toml", "--prompt", "x", "--events", "events.jsonl").exit_code == 0
    events = lines_of(folder / "events.jsonl")
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    kinds = [event["event"] for event in events]
    assert kinds.index("agent_started") < kinds.index("completion_finished") < kinds.index("agent_ended")
    assert {event["agent"] for event in events} == {"ask"}


@pytest.mark.parametrize("absolute", [False, True])
def test_glob_grants_each_agent_its_own_file(cli: Callable[..., Any], folder: Path, absolute: bool) -> None:
    """One agent for each file; its query is the path as matched, and it may read that file alone."""
    (folder / "src" / "deep").mkdir(parents=True)
    for name in ("a.py", "deep/b.py", "deep/c.txt"):
        (folder / "src" / name).write_text("")
    pattern = "src/**/*.py"
    result = cli("run", "grants.toml", "--glob", str(folder / pattern) if absolute else pattern, "--out", "out.jsonl")
    assert result.exit_code == 0
    start = folder if absolute else type(folder)()
    files = {str(start / "src" / "a.py"), str(start / "src" / "deep" / "b.py")}
    records = lines_of(folder / "out.jsonl")
    assert {record["query"] for record in records} == files
    for record in records:
        assert record["result"] == [str(folder / record["query"])]


def test_glob_with_a_prompt(cli: Callable[..., Any], folder: Path) -> None:
    """--prompt says where the path goes; other braces stay."""
    result = cli("run", "ask.toml", "--glob", "bot.p?", "--prompt", "read {path} {now}", "--out", "out.jsonl")
    assert result.exit_code == 0
    assert lines_of(folder / "out.jsonl")[0]["query"] == "read bot.py {now}"


def test_a_file_named_star_grants_only_itself(cli: Callable[..., Any], folder: Path) -> None:
    """The grant for a file whose name is ``*`` is no grant for everything."""
    (folder / "star").mkdir()
    (folder / "star" / "*").write_text("")
    assert cli("run", "grants.toml", "--glob", "star/*", "--out", "out.jsonl").exit_code == 0
    assert lines_of(folder / "out.jsonl")[0]["result"] == [str(folder / "star" / "*")]


def test_glob_leaves_out_what_the_run_writes(cli: Callable[..., Any], folder: Path) -> None:
    """The results file of the run is none of its inputs."""
    write_lines(folder / "old.jsonl", {"old": 1})
    (folder / "out.jsonl").write_text("from an earlier run\n")
    assert cli("run", "grants.toml", "--glob", "*.jsonl", "--out", "out.jsonl", "--overwrite").exit_code == 0
    assert [record["query"] for record in lines_of(folder / "out.jsonl")] == ["old.jsonl"]


def test_what_json_cannot_hold_is_said_by_its_type(cli: Callable[..., Any], folder: Path) -> None:
    """In its place; the rest is as it was."""
    write_lines(folder / "jobs.jsonl", *({"query": query} for query in ("set", "set", "nan")))
    for out in ("out.jsonl", "out.csv"):
        args = ("run", "odd.toml", "--input", "jobs.jsonl", "--out", out, "--max-concurrent", "1")
        assert cli(*args).exit_code == 0
    first, second, third = lines_of(folder / "out.jsonl")
    assert first["result"] == second["result"] == {"set": {"not_json": "set", "value": [1]}, "plain": [1, 2]}
    assert third["result"]["not_json"] == "dict"
    assert '{""not_json"": ""set"", ""value"": [1]}' in (folder / "out.csv").read_text()


def test_the_table_is_bounded_and_shows_failures_first(cli: Callable[..., Any], folder: Path) -> None:
    """Of many agents the table shows twenty, the failed ones first, and says how many more there are."""
    write_lines(folder / "jobs.jsonl", *({"query": f"q{n}" if n < 60 else f"fail {n}"} for n in range(63)))
    result = cli("run", "ask.toml", "--input", "jobs.jsonl", "-q")
    assert result.stdout == ""
    result = cli("run", "ask.toml", "--input", "jobs.jsonl")
    rows = [line for line in result.stdout.splitlines() if " ask " in line]
    assert len(rows) == 20
    assert all("failed" in row for row in rows[:3])
    assert all("completed" in row for row in rows[3:])
    assert "… and 43 more" in result.stdout
    assert "63 agents: 60 completed, 3 failed" in result.stdout


def test_input_is_read_lazily(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the input, it is never read far ahead of what has ended."""
    lead: list[int] = []

    class Endless:
        def __iter__(self) -> Iterator[Job]:
            for number in range(600):
                lead.append(number + 1 - started[0]._tally.done)
                yield Job(f"q{number}")

    started: list[run_room.Run] = []

    class Watched(run_room.Run):
        def _tasks(self, items: Any) -> Any:
            started.append(self)
            return super()._tasks(iter(Endless()))

    monkeypatch.setattr(run_room, "Run", Watched)
    options = RunOptions(manifests=("wait.toml",), prompt="q", max_concurrent=2, quiet=True)
    assert run_room.run(options) == 0
    assert len(lead) == 600
    assert max(lead) <= 2 * 2 + 16 + 1
