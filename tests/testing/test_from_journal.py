"""``Cassette.from_journal``: the answers of a run that really was, found by what was asked."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest

from actors import (
    AgentLoopResult,
    AgentManifest,
    AgentOutcome,
    AgentPool,
    Attachment,
    CassetteMiss,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    JournalCorrupt,
    JournalVersion,
    Overloaded,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolResultMessage,
    tool,
)
from actors.testing import Cassette

MANIFEST = AgentManifest(name="a")


@tool
def length(text: str) -> str:
    """Tell how long a text is."""
    return str(len(text))


@tool
def upper(text: str) -> str:
    """Shout."""
    return text.upper()


class Paid(FunctionDriver):
    """A model that costs something."""

    def estimate_cost(self, usage: TokenUsage) -> float:
        return usage.input_tokens * 0.25 + usage.output_tokens


def model(request: CompletionRequest) -> CompletionResponse:
    said = request.messages[-1]
    if isinstance(said, ToolResultMessage):
        return CompletionResponse(f"it has {said.content}", usage=TokenUsage(7, 8))
    kept = Attachment("openai http://127.0.0.1:8080", {"id": "r"})
    call = ToolCall("c", "length", {"text": said.content}, attachment=kept)
    return CompletionResponse("", StopReason.TOOL_USE, (call,), TokenUsage(len(said.content), 1), attachment=kept)


def configs(*texts: str) -> list[SpawnConfig[AgentLoopResult]]:
    return [SpawnConfig(MANIFEST, text, key=text) for text in texts]


def run(driver: Any, *texts: str, tools: Any = (length,), **options: Any) -> list[AgentOutcome[AgentLoopResult]]:
    with AgentPool(driver, tools=list(tools), max_queued=None, **options) as pool:
        return list(pool.map(configs(*texts)))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def test_a_run_is_replayed(journal: Path) -> None:
    """Answers, tokens and costs, in any order; what a tool does it does again."""
    texts = ["x" * (1 + number) for number in range(30)]
    really = run(Paid(model), *texts, journal=journal)
    with Cassette.from_journal(journal) as cassette:
        replayed = run(cassette.driver(), *texts[::-1])[::-1]
        assert cassette.unused == ()
        assert not cassette.is_recording
    assert [outcome.unwrap() for outcome in replayed] == [outcome.unwrap() for outcome in really]
    assert [(one.usage, one.cost_usd) for one in replayed] == [(one.usage, one.cost_usd) for one in really]
    assert replayed[0].cost_usd == 0.25 + 1 + 7 * 0.25 + 8


def test_tries_that_failed_are_paid_as_they_were(journal: Path) -> None:
    """The answer comes at once, and costs what all tries have cost."""
    failed = Overloaded("full", retry_after=0)
    failed.tokens = 100, 0
    driver = ScriptedDriver([failed, CompletionResponse("yes", usage=TokenUsage(5, 5))], usd_per_token=0.5)
    (really,) = run(driver, "?", journal=journal)
    with Cassette.from_journal(journal) as cassette:
        (replayed,) = run(cassette.driver(), "?")
    assert (replayed.usage, replayed.cost_usd) == (really.usage, really.cost_usd) == (TokenUsage(105, 5), 55.0)


@pytest.mark.parametrize(
    ("changes", "tools", "query", "what"),
    [
        ({"model": {"system_prompt": "Be brief."}}, (length,), "xx", "system prompt"),
        ({"model": {"temperature": 1.0}}, (length,), "xx", "settings"),
        ({"model": {"model_repo": "large"}}, (length,), "xx", "model"),
        ({}, (length, upper), "xx", "tools"),
        ({}, (length,), "yy", "message 1"),
    ],
)
def test_a_miss_names_the_part_that_differs(journal: Path, changes: Any, tools: Any, query: str, what: str) -> None:
    """From the nearest request that was answered, and whose that was."""
    run(Paid(model), "xx", "a longer one", journal=journal)
    manifest = AgentManifest.model_validate({"name": "a", **changes})
    with Cassette.from_journal(journal) as cassette, AgentPool(cassette.driver(), tools=list(tools)) as pool:
        error = pool.spawn(SpawnConfig(manifest, query)).outcome(10).error
        assert len(cassette.unused) == 4
    assert isinstance(error, CassetteMiss)
    assert f"what differs first: {what}\n" in str(error)
    if query == "xx":
        assert "completion 0 of agent xx" in str(error)


def test_a_miss_later_in_a_conversation(journal: Path) -> None:
    """The message that differs is counted from the first: here the tool said something else."""

    @tool(name="length")
    def wrong(text: str) -> str:
        """Tell how long a text is."""
        return "too long"

    run(Paid(model), "xx", journal=journal)
    with Cassette.from_journal(journal) as cassette:
        (outcome,) = run(cassette.driver(), "xx", tools=(wrong,))
        assert "completion 1 of agent xx; what differs first: message 3\n" in str(outcome.error)
        assert [answer.place for answer in cassette.unused] == ["completion 1 of agent xx"]
        assert cassette.unused[0].request is None


def test_what_was_set_aside_is_left_out(journal: Path) -> None:
    """After a rerun the answers are those of the last run."""
    run(ScriptedDriver(["old"]), "?", journal=journal)
    with sqlite3.connect(journal) as connection:
        row = connection.execute("SELECT * FROM entry WHERE kind = 'completion'").fetchone()
        aside = '{"v": 1, "from": "0", "what": "tools"}'
        values = ("?", "", "aside", None, 1, 1.0, None, aside, zlib.crc32(aside.encode()))
        connection.execute("INSERT INTO entry VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        newer = row[8].replace('"old"', '"new"')
        connection.execute(
            "INSERT INTO entry VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row[1:8], newer, zlib.crc32(newer.encode()))
        )
    connection.close()
    with Cassette.from_journal(journal) as cassette:
        (outcome,) = run(cassette.driver(), "?")
        assert (outcome.unwrap().text, cassette.unused) == ("new", ())


def test_while_a_program_writes_it(journal: Path) -> None:
    """What is in it by then is replayed; it is not changed, and nobody is kept out."""
    with AgentPool(Paid(model), tools=[length], journal=journal) as pool:
        pool.spawn(configs("xx")[0]).result(10)
        with Cassette.from_journal(journal) as cassette:
            (outcome,) = run(cassette.driver(), "xx")
        assert outcome.unwrap().text == "it has 2"
        assert pool.spawn(configs("yyy")[0]).result(10).text == "it has 3"


def test_what_is_no_journal(journal: Path) -> None:
    """A file that is not there, or is another one; an entry that is damaged, or newer."""
    with pytest.raises(FileNotFoundError):
        Cassette.from_journal(journal)
    with pytest.raises(ValueError, match="context_window"):
        Cassette.from_journal(journal, context_window=0)
    journal.write_text("{}\n")
    with pytest.raises(JournalCorrupt, match="no journal"):
        Cassette.from_journal(journal)
    journal.unlink()
    run(Paid(model), "xx", journal=journal)
    for payload, checksum, error, why in (
        ('{"v": 1}', 0, JournalCorrupt, "checksum"),
        ('{"v": 1}', zlib.crc32(b'{"v": 1}'), JournalCorrupt, "cannot be read"),
        ("[]", zlib.crc32(b"[]"), JournalCorrupt, "cannot be read"),
        ('{"v": 2}', zlib.crc32(b'{"v": 2}'), JournalVersion, "version 2"),
    ):
        with sqlite3.connect(journal) as connection:
            connection.execute(
                "UPDATE entry SET payload = ?, checksum = ? WHERE kind = 'completion' AND path = '1'",
                (payload, checksum),
            )
        connection.close()
        with pytest.raises(error, match=f"entry .*{why}"):
            Cassette.from_journal(journal)
