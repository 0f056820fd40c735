"""What bad input gets: a message that says where and what to do, exit code 2, and nothing started."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REFUSED = {
    "nothing to do": ([], "--prompt TEXT, --input FILE.jsonl or --glob PATTERN"),
    "two sources": (["--input", "jobs.jsonl", "--glob", "*"], "exclude each other"),
    "prompt and input": (["--input", "jobs.jsonl", "--prompt", "x"], "exclude each other"),
    "empty prompt": (["--prompt", "  "], "--prompt is empty"),
    "prompt without path": (["--prompt", "x", "--glob", "*"], "{path}"),
    "negative concurrency": (["--prompt", "x", "--max-concurrent", "-1"], "at least 1"),
    "no concurrency": (["--prompt", "x", "--max-concurrent", "0"], "at least 1"),
    "no time": (["--prompt", "x", "--timeout", "0"], "above 0"),
    "no number of seconds": (["--prompt", "x", "--timeout", "nan"], "above 0"),
    "endless time": (["--prompt", "x", "--timeout", "inf"], "above 0"),
    "missing input": (["--input", "gone.jsonl"], "gone.jsonl: cannot be read: No such file"),
    "input is a folder": (["--input", "."], "cannot be read"),
    "empty input": (["--input", "empty.jsonl"], "empty.jsonl is empty"),
    "only blank lines": (["--input", "blank.jsonl"], "blank.jsonl is empty"),
    "glob without match": (["--glob", "gone/*.py"], "'gone/*.py' matches no file"),
    "glob of folders": (["--glob", "fol*"], "matches no file"),
    "out in no folder": (
        ["--prompt", "x", "--out", "gone/out.jsonl"],
        "--out gone/out.jsonl: cannot be written",
    ),
    "out is a folder": (["--prompt", "x", "--out", "."], "cannot be written"),
    "events in no folder": (
        ["--prompt", "x", "--events", "gone/e.jsonl"],
        "--events gone/e.jsonl: cannot be",
    ),
    "out is the input": (
        ["--input", "jobs.jsonl", "--out", "./jobs.jsonl"],
        "--out and --input are the same file",
    ),
    "out is a link to it": (
        ["--input", "jobs.jsonl", "--out", "link.jsonl"],
        "--out and --input are the same",
    ),
    "events are the input": (["--input", "jobs.jsonl", "--events", "jobs.jsonl"], "the same file"),
    "out is events": (
        ["--prompt", "x", "--out", "new", "--events", "./new"],
        "--events and --out are the same",
    ),
    "out is the manifest": (
        ["--prompt", "x", "--out", "ask.toml"],
        "--out and manifest ask.toml are the same",
    ),
    "driver without module": (["--prompt", "x", "--driver", "gone.module:make"], "--driver: "),
    "driver without name": (["--prompt", "x", "--driver", "bot:gone"], "'gone'"),
    "driver without colon": (["--prompt", "x", "--driver", "bot"], "no built-in driver 'bot'"),
    "driver misspelt": (["--prompt", "x", "--driver", "opena:gpt-5"], "'opena', did you mean 'openai'?"),
    "driver and model": (["--prompt", "x", "--driver", "openai:a", "--model", "b"], "--driver names 'a' already"),
    "driver that cannot be called": (["--prompt", "x", "--driver", "bot:no_tool"], "cannot be called"),
    "driver that raises": (["--prompt", "x", "--driver", "bot:explode"], "RuntimeError: no model file"),
    "driver that is none": (["--prompt", "x", "--driver", "bot:shout"], "bot:shout"),
    "driver too open": (["--prompt", "x", "--driver", "bot:make_remote"], "privacy sovereign"),
}


@pytest.mark.parametrize(("args", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(cli: Callable[..., Any], folder: Path, args: list[str], message: str) -> None:
    """It says what is wrong, in a line and without a traceback; no agent runs and no file is harmed."""
    jobs = write_lines(folder / "jobs.jsonl", {"query": "x"}).read_bytes()
    (folder / "empty.jsonl").touch()
    (folder / "blank.jsonl").write_text("\n  \n")
    (folder / "folder").mkdir()
    (folder / "link.jsonl").symlink_to("jobs.jsonl")
    manifest = (folder / "ask.toml").read_bytes()
    result = cli("run", "ask.toml", *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert (folder / "jobs.jsonl").read_bytes() == jobs
    assert (folder / "ask.toml").read_bytes() == manifest


BAD_MANIFESTS = {
    "unknown key": (b'name = "x"\nnmae = "y"\n', "nmae"),
    "wrong type": (b'name = "x"\n[resources]\nmax_iterations = "many"\n', "max_iterations"),
    "zero limit": (b'name = "x"\n[resources]\nmax_tool_calls = 0\n', "max_tool_calls"),
    "no toml": (b"name = \n", "bad.toml"),
    "not UTF-8": (b'name = "\xff"\n', "UTF-8"),
    "driver of no module": (b'[model]\ndriver = "gone.module:make"\n', "gone.module:make"),
    "tool of no module": (b'tools = ["gone.module:t"]\n[model]\ndriver = "bot:make"\n', "gone.module:t"),
    "tool that is none": (
        b'tools = ["bot:no_tool"]\n[model]\ndriver = "bot:make"\n',
        "'bot:no_tool' is no tool",
    ),
    "agent that is none": (b'agent = "bot:make"\n', "'bot:make' is no subclass"),
}


@pytest.mark.parametrize("command", [["run", "--prompt", "x", "--out", "out.jsonl"], ["validate"]])
@pytest.mark.parametrize(("text", "message"), BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_bad_manifest(cli: Callable[..., Any], folder: Path, text: bytes, message: str, command: list[str]) -> None:
    """``run`` and ``validate`` name the file and the problem, and nothing is started or written."""
    (folder / "bad.toml").write_bytes(text)
    result = cli(*command, "ask.toml", "bad.toml")
    assert result.exit_code == 2
    assert "bad.toml" in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (folder / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("nodriver.toml", "agent 'nodriver' needs a driver"),
        ("remote.toml", "agent 'unnamed-agent' has privacy sovereign, but its driver's tier is standard"),
        ("explode.toml", "model.driver: 'bot:explode' raised RuntimeError: no model file"),
    ],
)
def test_manifest_that_is_good_but_cannot_run(
    cli: Callable[..., Any], folder: Path, manifest: str, message: str
) -> None:
    """What only a run needs, ``run`` refuses; ``validate`` makes no driver and finds the manifest good."""
    (folder / "remote.toml").write_text('[model]\ndriver = "bot:make_remote"\n')
    (folder / "explode.toml").write_text('[model]\ndriver = "bot:explode"\n')
    result = cli("run", manifest, "--prompt", "x")
    assert result.exit_code == 2
    assert f"error: {manifest}: {message}" in result.stderr
    assert cli("validate", manifest).exit_code == 0


def test_every_problem_of_every_manifest(cli: Callable[..., Any], folder: Path) -> None:
    """All problems of all manifests come at once."""
    (folder / "one.toml").write_text('typo = 1\n[model]\ntemperature = 9.0\ndriver = "bot:make"\n')
    (folder / "two.toml").write_text('agent = "bot:gone"\ntools = ["bot:gone2"]\n')
    result = cli("run", "one.toml", "two.toml", "missing.toml", "--prompt", "x")
    assert result.exit_code == 2
    for expected in ("one.toml: typo", "temperature", "two.toml: agent", "gone2", "missing.toml: "):
        assert expected in result.stderr


BAD_LINES = {
    "no json": (b"{query: 1}", "not JSON"),
    "cut off": (b'{"query": "x"', "not JSON: Expecting ',' delimiter (column 14)"),
    "no object": (b'["query"]', "not a JSON object"),
    "no query": (b'{"name": "x"}', '"query" is missing'),
    "query of a wrong type": (b'{"query": 3}', '"query" must be a string, not a number'),
    "empty query": (b'{"query": " "}', '"query" is empty'),
    "name of a wrong type": (b'{"query": "x", "name": []}', '"name" must be a string'),
    "not UTF-8": (b'{"query": "\xff"}', "not UTF-8"),
    "not a number": (b'{"query": "x", "tag": NaN}', "NaN"),
    "half a character": (b'{"query": "x", "name": "\\ud800"}', "half a character"),
    "too deep": (b"[" * 200_000, "nested too deep"),
}


@pytest.mark.parametrize(("line", "message"), BAD_LINES.values(), ids=BAD_LINES)
def test_bad_line(cli: Callable[..., Any], folder: Path, line: bytes, message: str) -> None:
    """A bad line is named by file and number, the others still run, and the exit code is 1."""
    (folder / "jobs.jsonl").write_bytes(b'{"query": "one"}\n' + line + b'\n{"query": "three"}\n')
    result = cli("run", "ask.toml", "--input", "jobs.jsonl", "--out", "out.jsonl")
    assert result.exit_code == 1
    assert "error: jobs.jsonl:2: " in result.stderr
    assert message in result.stderr
    assert "1 bad input left out" in result.stdout
    assert sorted(record["query"] for record in lines_of(folder / "out.jsonl")) == ["one", "three"]


def test_bad_lines_alone(cli: Callable[..., Any]) -> None:
    """Input that holds bad lines only is no empty input: exit code 1, the lines are named."""
    result = cli("run", "ask.toml", "--input", "-", stdin="nonsense\n")
    assert result.exit_code == 1
    assert "standard input:1: not JSON" in result.stderr
    assert "no agent ran" in result.stdout


def test_many_bad_lines_are_counted(cli: Callable[..., Any]) -> None:
    """The first bad lines are shown, all are counted."""
    result = cli("run", "ask.toml", "--input", "-", stdin="x\n" * 500)
    assert result.stderr.count("not JSON") == 20
    assert "500 bad inputs left out" in result.stdout


def test_empty_input_leaves_the_old_results(cli: Callable[..., Any], folder: Path) -> None:
    """A run that is refused does not empty the results of the one before."""
    (folder / "out.jsonl").write_text("precious\n")
    assert cli("run", "ask.toml", "--glob", "gone*", "--out", "out.jsonl").exit_code == 2
    assert (folder / "out.jsonl").read_text() == "precious\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_the_run(cli: Callable[..., Any], folder: Path) -> None:
    """When the results cannot be written any more the run ends, says so, and tells what was done."""
    write_lines(folder / "jobs.jsonl", *({"query": f"wait {n}" if n else "quick"} for n in range(8)))
    result = cli("run", "wait.toml", "--input", "jobs.jsonl", "--out", "/dev/full")
    assert result.exit_code == 1
    assert "--out /dev/full: cannot be written any more: No space left" in result.stderr
    assert "quick" in result.stdout
    assert "results in" not in result.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_lost_events_file_is_told(cli: Callable[..., Any], folder: Path) -> None:
    """When events cannot be written the agents still run to their end, and the exit code is 1."""
    result = cli("run", "ask.toml", "--prompt", "x", "--events", "/dev/full", "--out", "out.jsonl")
    assert result.exit_code == 1
    assert "--events /dev/full: cannot be written any more" in result.stderr
    assert lines_of(folder / "out.jsonl")[0]["status"] == "completed"


def test_names_that_are_not_utf8(cli: Callable[..., Any], folder: Path) -> None:
    """A file whose name is not UTF-8 is bad input; the others still run."""
    (folder / os.fsdecode(b"bad\nerror: forged\xff.txt")).touch()
    (folder / "bad.txt").touch()
    result = cli("run", "grants.toml", "--glob", "bad*", "--out", "out.jsonl")
    assert result.exit_code == 1
    assert "error: 'bad\\nerror: forged\\udcff.txt': the file's name is not UTF-8: rename it\n" in result.stderr
    assert [record["query"] for record in lines_of(folder / "out.jsonl")] == ["bad.txt"]


def test_folders_that_are_too_deep_for_a_pattern(cli: Callable[..., Any], folder: Path, monkeypatch: Any) -> None:
    """Are an error that says so."""

    def walk(*_: Any, **__: Any) -> Any:
        yield "ask.toml"
        raise RecursionError

    monkeypatch.setattr("actors.cli.inputs.glob.iglob", walk)
    result = cli("run", "ask.toml", "--glob", "**/x", "--out", "out.jsonl")
    assert result.exit_code == 2
    assert "--glob '**/x': the folders are nested too deep; name one of them" in result.stderr


def test_unknown_option(cli: Callable[..., Any]) -> None:
    """Bad usage is exit code 2, with the way to the help."""
    result = cli("run", "ask.toml", "--prompt", "x", "--bogus")
    assert result.exit_code == 2
    assert "--bogus" in result.stderr
