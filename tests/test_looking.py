"""What is seen of handles, outcomes, pools and manifests: a line, or a table of a notebook."""

from __future__ import annotations

import os
import re
import sys
from html.parser import HTMLParser
from subprocess import run
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentError,
    AgentManifest,
    AgentOutcome,
    AgentPool,
    FunctionDriver,
    Outcomes,
    ScriptedDriver,
    SpawnConfig,
    tool,
)
from actors.core.glance import glance, plain
from actors.core.html_table import LONGEST, LONGEST_MORE, Folded, HtmlTable
from actors.core.records.trusted import trusted
from actors.ports import CompletionResponse, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .waiting import Gate

BOUND = 30
HOSTILE = "<script>alert('1')</script>&\u2028\u202e\x1b[2J\"\n<b>"
HUGE = "x" * 1_000_000


class Rude:
    """Nothing can be had of it."""

    def __repr__(self) -> str:
        raise SystemExit(3)


class Job(Agent[Any]):
    """Ends as its query says."""

    def run(self, query: str) -> Any:
        if query == "crash":
            return {"b": 1}[HOSTILE]
        if query == "fail":
            raise AgentError(HOSTILE + HUGE)
        if query == "rude":
            return Rude()
        if query == "wait":
            self.sleep(BOUND)
        return query


def job(query: str, name: str = "job") -> SpawnConfig:
    return SpawnConfig(AgentManifest(name=name), query, agent=Job)


@pytest.fixture
def pool() -> Iterator[AgentPool]:
    """One with room for all."""
    with AgentPool(ScriptedDriver([], default=HUGE), max_queued=None, name="team") as pool:
        yield pool


class Seen(HTMLParser):
    """What a browser makes of a table: its texts by row, and the tags and attributes that there are."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.styles: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.styles += [value or "" for name, value in attrs if name == "style"]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


def seen(value: Any) -> Seen:
    """The table of *value*, which is harmless and has nothing from elsewhere."""
    found = Seen(value._repr_html_())
    assert found.tags <= {
        *("div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "details", "summary", "pre"),
    }
    assert found.attributes <= {"style", "scope"}
    assert found.text.replace("\n", "").isprintable()
    for style in found.styles:
        assert "url" not in style
        colours = re.findall(r"(?:color|background):([^;]+)", style)
        assert all(
            re.fullmatch(r"inherit|none|transparent|rgba\(.*, ?\.\d+\)|rgba\(.*,\.\d+\)", one) for one in colours
        )
    return found


# On one line ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("a", "'a'"),
        (HOSTILE, r"'<script>alert('1')</script>&\u2028\u202e\x1b[2J" + '"' + r"\n<b>'"),
        ("\udc80\u200b", r"'\udc80\u200b'"),
        (HUGE, f"'{'x' * 77}…'"),
        (None, "None"),
        ([1, 2, 3], "[1, 2, 3]"),
        (list(range(1000)), "[0, 1, 2, 3, 4, 5, ...]"),
        (Rude(), "<Rude, whose repr raised SystemExit>"),
        ({"a": Rude()}, "<dict, whose repr raised SystemExit>"),
        ("C:\\x\\y", r"'C:\\x\\y'"),
    ],
)
def test_a_value_at_a_glance(value: object, line: str) -> None:
    """Short, on one line, whatever it is."""
    assert glance(value) == line


def test_a_class_that_has_the_name_of_a_built_in_one() -> None:
    """Is shown as what it is."""

    class dict:  # noqa: N801, A001
        def __repr__(self) -> str:
            return "mine\nthe second line"

    assert glance(dict()) == "mine\\nthe second line"
    assert plain(dict()) == "mine\\nthe second line"
    assert (plain("it's"), plain(None), plain(3)) == ("it's", "", "3")


def test_the_line_of_a_handle(pool: AgentPool) -> None:
    """Id, name, status; once it has ended why, and where."""
    waiting = pool.spawn(job("wait", HOSTILE * 10))
    assert re.fullmatch(r"<AgentHandle 1 '<script>.*…' (queued|running)>", repr(waiting))
    good, crash, fail = pool.fan_out([job("good"), job("crash"), job("fail")])
    for handle in (good, crash, fail):
        handle.outcome(BOUND)
    assert repr(good) == "<AgentHandle 2 'job' completed>"
    line = Job.run.__code__.co_firstlineno + 2
    assert repr(crash).startswith("<AgentHandle 3 'job' crashed: KeyError: ")
    assert repr(crash).endswith(f" at {__file__}:{line} in run>")
    assert repr(fail).startswith("<AgentHandle 4 'job' failed: AgentError: <script>")
    assert repr(fail).endswith(f"x… at {__file__}:{line + 2} in run>")
    assert all(repr(handle).isprintable() and len(repr(handle)) < 500 for handle in (waiting, good, crash, fail))
    waiting.cancel()


def test_the_line_of_an_outcome(pool: AgentPool) -> None:
    """The same; tokens and money only where there are any, and never the conversation."""
    assert re.fullmatch(
        r"AgentOutcome\(agent_id=1, name='job', status=completed, query='good', result='good', duration=0\.\d\d s\)",
        repr(pool.spawn(job("good")).outcome(BOUND)),
    )
    llm = pool.spawn(SpawnConfig(AgentManifest(name="llm", privacy="standard"), "y" * 1_000)).outcome(BOUND)
    assert len(str(llm.messages)) > len(HUGE)
    assert re.fullmatch(
        r"AgentOutcome\(agent_id=2, name='llm', status=completed, query='y{37}…', result='x{77}…', "
        r"duration=\d\.\d\d s(, tokens=[\d,]+)?\)",
        repr(llm),
    )
    assert re.fullmatch(r"<AgentLoopResult 'x+…', 1 iteration, 0 tool calls(, [\d,]+ tokens)?>", repr(llm.result))
    crash = pool.spawn(job("crash", HOSTILE)).outcome(BOUND)
    for text in (repr(crash), str(crash), str(llm), repr(llm)):
        assert text.isprintable()
        assert len(text) < 600
    assert ", status=crashed, query='crash', error=KeyError: " in repr(crash)
    assert f" at {__file__}:" in repr(crash)


def test_tokens_and_money_are_named_where_there_are_any() -> None:
    """As figures that people read."""
    checked = AgentOutcome(
        agent_id=1,
        name="a",
        query="q",
        status="completed",
        result=1,
        ended_at="2026-01-01T00:00:00Z",
        usage={"input_tokens": 1000, "output_tokens": 234},
        cost_usd=0.0042,
    )
    assert repr(checked).endswith("duration=0.00 s, tokens=1,234, cost=$0.0042)")
    assert repr(trusted(AgentOutcome, dict(checked.__dict__))) == repr(checked)


def test_the_line_of_all_outcomes(pool: AgentPool) -> None:
    """The first of them, and how many more there are."""
    pool.fan_out([job("good") for _ in range(12)])
    outcomes = pool.join_all(BOUND)
    assert repr(outcomes).startswith("Outcomes({")
    assert repr(outcomes).count("AgentOutcome(") == 10
    assert repr(outcomes).endswith(", … and 2 more})")
    assert repr(Outcomes()) == "Outcomes({})"


def test_the_line_of_a_pool(pool: AgentPool) -> None:
    """What it does now, and how many have ended how."""
    assert repr(pool) == "<AgentPool team open: 0 of 4 active, 0 queued>"
    pool.fan_out([job("good"), job("crash"), job("good")])
    pool.join_all(BOUND)
    found = repr(pool)
    assert found.startswith("<AgentPool team open: 0 of 4 active, 0 queued, ")
    assert {"2 completed", "1 crashed"} <= set(found.removesuffix(">").split(", "))
    pool.close()
    assert repr(pool).startswith("<AgentPool team closed: ")
    with AgentPool(name=HOSTILE) as other:
        assert repr(other).isprintable()


def test_a_pool_that_could_not_be_made_has_a_line() -> None:
    """So that a traceback can show it."""
    pool = AgentPool.__new__(AgentPool)
    with pytest.raises(TypeError):
        pool.__init__(max_concurrent="4")  # type: ignore[misc, arg-type]
    assert repr(pool) == "<AgentPool that could not be made>"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.process
def test_lines_in_a_forked_child(pool: AgentPool) -> None:
    """They can be looked at there, too: a debugger does."""
    handle = pool.spawn(job("good"))
    handle.outcome(BOUND)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, f"{pool!r} {handle!r} {handle.__class__._repr_html_(handle)[:5]}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as said:
        text = said.read()
    assert text == (
        "<AgentPool team of another process: 0 of 4 active, 0 queued, 1 completed> "
        "<AgentHandle 1 'job' completed> <div>"
    )


def test_the_line_of_a_manifest() -> None:
    """What it is, and what it may do; not its prompt."""
    manifest = AgentManifest(
        name=HOSTILE,
        privacy="private",
        model={"remote_model": "big", "system_prompt": HUGE},
        tools=["a:b", "c:d"],
        mcp_servers=[{"name": "time", "command": ["x"]}],
    )
    assert repr(manifest) == (
        r"AgentManifest(name='<script>alert('1')</script>&\u2028…', model='big', privacy=private, "
        "capabilities=[rag, memory], tools=2, mcp_servers=[time])"
    )
    assert repr(AgentManifest()) == (
        "AgentManifest(name='unnamed-agent', privacy=sovereign, capabilities=[rag, memory])"
    )


# In a notebook ----------------------------------------------------------------------------------------------------


def test_a_table_of_outcomes(pool: AgentPool) -> None:
    """Those that failed first, then what was cancelled, each marked; then the others."""
    pool.fan_out([job("good", HOSTILE), job("crash"), job("rude"), job("fail"), job(HUGE)])
    waiting = pool.spawn(job("wait"))
    waiting.cancel(HOSTILE)
    outcomes = pool.join_all(BOUND)
    html = outcomes._repr_html_()
    assert len(html) < 20_000
    found = seen(outcomes)
    head, *rows = found.rows
    assert head == ["", "id", "name", "status", "query", "result or error", "time"]
    assert [(row[0], row[3]) for row in rows] == [
        *([("✗", "crashed"), ("✗", "failed")] if rows[0][3] == "crashed" else [("✗", "failed"), ("✗", "crashed")]),
        ("⊘", "cancelled"),
        *[("✓", "completed")] * 3,
    ]
    by_id = {row[1]: row for row in rows}
    assert by_id["2"][5].startswith("KeyError: ")
    assert f"{__file__}:" in by_id["2"][5]
    assert by_id["3"][5] == "<Rude, whose repr raised SystemExit>"
    assert by_id["1"][2].startswith("<script>alert('1')</script>&\\u2028")
    assert found.text.startswith("6 outcomes, ")
    assert "3 completed" in found.text
    assert "1 cancelled" in found.text


def test_many_outcomes_are_bounded(pool: AgentPool) -> None:
    """A hundred rows, those that failed among them, wherever they stood; and how many more there are."""
    pool.fan_out([job("good") for _ in range(149)] + [job("crash")])
    found = seen(pool.join_all(BOUND))
    assert len(found.rows) == 1 + 100
    assert found.rows[1][0] == "✗"
    assert found.text.endswith("and 50 more")


def test_tokens_and_money_have_columns_where_there_are_any() -> None:
    """And the caption has their sums."""
    one = AgentOutcome(
        agent_id=1234,
        name="a",
        query="q",
        status="completed",
        result=1,
        ended_at="2026-01-01T00:00:00Z",
        model="big",
        usage={"input_tokens": 1000, "output_tokens": 234},
        usage_total={"input_tokens": 2000, "output_tokens": 234},
        cost_usd=0.5,
        cost_usd_total=0.75,
    )
    found = seen(Outcomes({1: one}))
    assert found.rows[0][-2:] == ["tokens", "cost"]
    assert found.rows[1][-2:] == ["1,234", "$0.50"]
    assert found.rows[1][1] == "1234"  # a name, not a number
    assert "1,234 tokens, $0.50" in found.text
    rows = dict(seen(one).rows)
    assert rows["model"] == "big, 0 iterations, 0 tool calls, 1,234 tokens, $0.50"
    assert rows["its children"] == "1,000 tokens, $0.25"
    assert seen(Outcomes()).text.startswith("0 outcomes")


def test_a_table_of_one_outcome(pool: AgentPool) -> None:
    """What it was asked, what became of it, the traceback folded; a handle shows the same."""
    handle = pool.spawn(SpawnConfig(AgentManifest(name=HOSTILE), "crash", agent=Job, tag={"n": HOSTILE}))
    outcome = handle.outcome(BOUND)
    found = seen(outcome)
    assert found.text.startswith("✗ agent 1 (<script>")
    rows = dict(found.rows)
    assert rows["query"] == "crash"
    assert rows["error"].startswith("KeyError: ")
    assert rows["traceback"].startswith("showTraceback (most recent call last):\n")
    assert 'return {"b": 1}[HOSTILE]' in rows["traceback"]
    assert "<script>" in rows["tag"]
    assert handle._repr_html_() == outcome._repr_html_()
    good = dict(seen(pool.spawn(job(HUGE)).outcome(BOUND)).rows)
    assert good["result"] == "x" * 199 + "…"
    assert "traceback" not in good


def test_a_table_of_an_agent_that_runs(gate: Gate) -> None:
    """Its state, and what it was asked; and what the pool does meanwhile."""

    def answer(request: Any) -> str:
        gate.arrive()
        return "done"

    with AgentPool(FunctionDriver(answer), max_concurrent=1, max_queued=None, name="team") as pool:
        running = pool.spawn(SpawnConfig(AgentManifest(name="first"), "q", tag="t"))
        queued = pool.spawn(SpawnConfig(AgentManifest(name=HOSTILE), HUGE))
        gate.await_reached()
        assert seen(running).text.startswith("agent 1 (first): running")
        assert dict(seen(running).rows) == {"query": "q", "tag": "t"}
        assert seen(queued).text.startswith(r"agent 2 (<script>alert('1')</script>&\u2028\u202e\x1b[2J" + '"')
        dump = pool.dump()
        head, first, second = seen(dump).rows
        assert head == ["", "agent", "state", "since", "unread", "waits for", "stack"]
        assert first[1:3] == ["agent 1 (first)", "in_driver"]
        assert __file__ in first[-1]
        assert second[2] == "queued"
        stats = dict(seen(pool.stats()).rows)
        assert (stats["active"], stats["queued"], stats["outstanding"]) == ("1", "1", "2")
        assert "tokens" not in stats
        gate.open()
        pool.join_all(BOUND)
    ended = dict(seen(pool.stats()).rows)  # the second query was too long for the window
    assert (ended["completed"], ended["failed"]) == ("1", "1")


def test_a_stack_stands_behind_a_line_of_the_users(gate: Gate) -> None:
    """Also where only the thread of a tool has one."""

    @tool
    def look() -> str:
        """Look."""
        gate.arrive()
        return "seen"

    answers = [CompletionResponse(tool_calls=[ToolCall("c", "look", {})]), "done"]
    with AgentPool(ScriptedDriver(answers), tools=[look]) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(name="first", privacy="standard"), "q"))
        gate.await_reached()
        (_, (*_, state, _, _, _, stack)) = seen(pool.dump()).rows
        gate.open()
        assert handle.result(BOUND).text == "done"
    assert state == "in_tool: look"
    assert stack.startswith(f"{os.path.dirname(__file__)}{os.sep}")


def test_stats_mark_what_failed(pool: AgentPool) -> None:
    """By a tint of the row."""
    pool.fan_out([job("crash"), job("good")])
    pool.join_all(BOUND)
    html = pool.stats()._repr_html_()
    (crashed,) = re.findall(r"<tr style=\"([^\"]*)\"><th [^>]*>crashed<", html)
    (completed,) = re.findall(r"<tr style=\"([^\"]*)\"><th [^>]*>completed<", html)
    assert "rgba(220,38,38" in crashed
    assert completed.endswith("background:transparent")


def test_texts_of_a_table_are_escaped_and_bounded() -> None:
    """Captions, heads, cells, folded texts and what stands below."""
    table = HtmlTable(HOSTILE, [HOSTILE, "b"])
    table.row(HOSTILE, 1234)
    table.row(Folded(HOSTILE, f"{HOSTILE}\n" * 10), HUGE)
    table.row("x", Folded("w", HUGE + "end"))
    table.after(HOSTILE)
    html = str(table)
    assert "<script" not in html
    assert "<b>" not in html
    found = Seen(html)
    assert found.rows[1][1] == "1,234"
    assert found.rows[2][1] == "x" * (LONGEST - 1) + "…"
    assert found.rows[3][1] == "w…" + "x" * (LONGEST_MORE - 4) + "end"
    assert found.text.count("<script>") == 1 + 1 + 1 + 1 + 10 + 1


@pytest.mark.process
def test_no_table_is_imported_before_one_is_asked_for() -> None:
    """A program that shows none pays for none."""
    code = "import actors, sys; print([name for name in sys.modules if 'html' in name or 'notebook' in name])"
    loaded = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "actors." not in loaded
    assert loaded.startswith("[")
