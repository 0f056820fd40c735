"""The ledger of a journal: what agents have bought and done, over all processes."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AssistantMessage,
    Budget,
    CompletionResponse,
    FunctionDriver,
    Journal,
    JournalChanged,
    JournalFailed,
    Spawn,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    tool,
)
from actors.agent.account import BudgetAccount
from actors.agent.ledger import BEGUN, DONE
from actors.agent.recorder import Identity
from actors.journal.store import from_text, to_text
from actors.testing import LedgerConformance

from .programs import MANIFEST, Counting, entries, run, states

if TYPE_CHECKING:
    from pathlib import Path

    from actors.agent.ledger import Ledger
    from actors.journal.ledger import JournalLedger


def begun(journal: Journal, key: str) -> JournalLedger:
    """The ledger of an agent of that key, whose first life begins."""
    config = SpawnConfig(MANIFEST, "q", agent=Counting, key=key)
    record = journal.record(Identity(config, MANIFEST, Counting, None, BudgetAccount(())))
    record.claim(None)
    assert record.recall() is None
    record.ledger.begin_life()
    return record.ledger


class TestJournalLedger(LedgerConformance):
    """It keeps what every ledger promises."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "run.db"
        self.journal: Journal | None = None
        self.numbers = itertools.count()

    def open(self) -> Journal:
        if self.journal is None:
            self.journal = Journal(self.path, on_change="rerun")
            self.cleanup.callback(lambda: self.journal and self.journal.close())
        return self.journal

    def make_ledger(self) -> Ledger:
        return begun(self.open(), f"agent {next(self.numbers)}")

    def reopen(self, ledger: Ledger) -> Ledger:
        assert self.journal is not None
        self.journal.close()
        self.journal = None
        return begun(self.open(), ledger.key)  # type: ignore[attr-defined]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def test_what_is_safe_is_in_the_file(path: Path) -> None:
    """When it was entered, with all before it, in order."""
    with Journal(path) as journal:
        ledger = begun(journal, "k")
        for number in range(100):
            ledger.enter(f"{number}", DONE, "completion", {"number": number}, digest="d")
        ledger.enter("100.0", BEGUN, "tool", {"effect": "at_most_once"}, safe=True)
        assert [place for _, place, _, _ in entries(path, "k") if place] == [*map(str, range(100)), "100.0"]
        ledger.enter("100.0", DONE, "tool", {})
        ledger.enter("100.0", DONE, "tool", {"late": True})
    assert [state for _, place, state, _ in entries(path, "k") if place == "100.0"] == ["begun", "done"]


def test_nobody_waits_for_what_is_on_disk(path: Path) -> None:
    """As with every model that takes longer than a disk: then nothing more stands in the line."""
    with Journal(path) as journal:
        ledger, store = begun(journal, "k"), journal._desk.store
        ledger.enter("0", DONE, "completion", {}, digest="d")
        store.run(lambda connection: connection)
        added = store.mark()
        ledger.secure()
        store.flush()
        assert store.mark() == added
        ledger.enter("1", DONE, "completion", {}, digest="d")
        ledger.secure()
        assert entries(path, "k")[-1][1:3] == ("1", "done")


TEXTS: dict[str, dict[str, Any]] = {
    "plain": {"v": 1, "a": [1, 2.5, None, True, {"b": "c"}], "x": 1e-300},
    "not ASCII": {"a": "gr\u00fcn \U0001f600"},
    "half of a surrogate pair": {"a": "\ud800"},
    "looks like no number": {"a": "NaN Infinity"},
    "many digits": {"a": 10**300},
}


@pytest.mark.parametrize("data", TEXTS.values(), ids=TEXTS)
def test_lines_are_ascii_and_come_back(data: dict[str, Any]) -> None:
    """Whoever writes them: they are the same as Python's own."""
    text = to_text(data)
    assert text.isascii()
    assert from_text(text) == json.loads(text) == data


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), object()])
def test_what_json_cannot_hold_is_no_line(value: Any) -> None:
    """No other program could read it."""
    with pytest.raises((ValueError, TypeError)):
        to_text({"a": [value]})


def test_after_the_end_of_the_journal_nothing_is_entered(path: Path) -> None:
    """And nothing is known that was not written."""
    with Journal(path) as journal:
        ledger = begun(journal, "k")
    for call in (lambda: ledger.enter("0", DONE, "step", {}), ledger.refuse_when_failed):
        with pytest.raises(JournalFailed, match="closed"):
            call()
    assert ledger.find("0") is None


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": {1}}, {"x": 10**10_000}])
def test_what_cannot_be_written_is_refused_and_harms_nobody(path: Path, data: dict[str, Any]) -> None:
    """Whoever enters it hears of it; the writer goes on."""
    with Journal(path) as journal:
        ledger = begun(journal, "k")
        with pytest.raises((ValueError, TypeError)):
            ledger.enter("0", DONE, "step", data)
        with pytest.raises(ValueError, match="surrogate"):
            ledger.enter("half \ud83d", DONE, "step", {})
        ledger.enter("1", DONE, "step", {"text": "half \ud83d"}, safe=True)
    assert [place for _, place, _, _ in entries(path, "k") if place] == ["1"]


def test_another_request_is_refused_or_set_aside(path: Path) -> None:
    """From that completion on; the effects that follow are others, and so are their keys."""
    with Journal(path) as journal:
        ledger = begun(journal, "k")
        for place in ("0", "0.0", "1", "1.0", "fetch"):
            ledger.enter(place, DONE, "step", {"effect": "idempotent"})
        keys = {place: ledger.effect_key(place) for place in ("0.0", "1.0", "fetch")}
        with pytest.raises(JournalChanged, match="completion 1: tools differs") as caught:
            ledger.set_aside("1", "tools")
        assert (caught.value.key, caught.value.path, caught.value.what) == ("k", "1", "tools")
        assert ledger.find("1") is not None
    with Journal(path, on_change="rerun") as journal:
        ledger = begun(journal, "k")
        ledger.set_aside("1", "tools")
    with Journal(path) as journal:
        ledger = begun(journal, "k")
        assert [ledger.find(place) is None for place in ("0", "0.0", "1", "1.0", "fetch")] == [
            False, False, True, True, False,
        ]  # fmt: skip
        again = {place: ledger.effect_key(place) for place in keys}
    assert [again[place] == keys[place] for place in keys] == [True, False, True]


@pytest.mark.parametrize("state", [BEGUN, DONE])
def test_what_must_not_be_done_twice_is_not_set_aside(path: Path, state: Any) -> None:
    """Whatever the journal was told: by a changed request, or a changed query."""
    with Journal(path, on_change="rerun") as journal:
        ledger = begun(journal, "k")
        ledger.enter("0", DONE, "completion", {})
        ledger.enter("0.0", state, "tool", {"effect": "at_most_once"}, safe=True)
        ledger.enter("1", DONE, "completion", {})
        with pytest.raises(JournalChanged, match=r"0\.0"):
            ledger.set_aside("0", "query")
        ledger.set_aside("1", "message 3")
    refused = pytest.raises(JournalChanged, match="must not be done twice")
    with Journal(path, on_change="rerun") as journal, AgentPool(journal=journal) as pool, refused:
        pool.spawn(SpawnConfig(MANIFEST, "other", agent=Counting, key="k"))


def test_the_same_key_in_another_journal_is_another_effect(tmp_path: Path) -> None:
    """Else one file's payment would stand for another's."""
    keys = []
    for name in ("one.db", "two.db"):
        with Journal(tmp_path / name) as journal:
            keys.append(begun(journal, "k").effect_key("0.0"))
    with Journal(tmp_path / "one.db") as journal:
        keys.append(begun(journal, "k").effect_key("0.0"))
    assert keys[0] == keys[2] != keys[1]


# With a model ---------------------------------------------------------------------------------------------------


class Model:
    """Asks for a tool, and then ends; it counts what is asked, and may die."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.paid: list[str] = []
        self.dies_at = 99

    @property
    def driver(self) -> FunctionDriver:
        return FunctionDriver(self.answer)

    def answer(self, request: Any) -> CompletionResponse:
        turn = sum(message.role == "assistant" for message in request.messages)
        if turn == self.dies_at:
            raise KeyboardInterrupt
        self.asked.append(turn)
        usage = TokenUsage(10, 1)
        if turn < 2:
            call = ToolCall(f"c{turn}", "pay", {"amount": turn})
            return CompletionResponse("", StopReason.TOOL_USE, (call,), usage=usage)
        return CompletionResponse("done", StopReason.END_TURN, usage=usage)

    @property
    def tools(self) -> list[Any]:
        @tool
        def pay(amount: int, effect_key: str) -> str:
            """Pay."""
            self.paid.append(effect_key)
            return f"paid {amount}"

        return [pay]


ASKING = AgentManifest(name="asking", capabilities=())


@pytest.mark.parametrize("dies_at", [0, 1, 2])
def test_a_run_that_broke_off_goes_on_where_it_stood(path: Path, dies_at: int) -> None:
    """Nothing is bought or paid twice, and it has cost as much as one that did not break off."""
    model = Model()
    model.dies_at = dies_at
    config = SpawnConfig(ASKING, "q", key="k")
    (first,) = run(path, [config], driver=model.driver, tools=model.tools)
    assert first.status == "crashed"
    model.dies_at = 99
    (again,) = run(path, [config], driver=model.driver, tools=model.tools)
    assert again.ok
    assert model.asked == [0, 1, 2]
    assert len(model.paid) == len(set(model.paid)) == 2
    assert (again.usage, again.iterations, again.tool_calls) == (TokenUsage(30, 3), 3, 2)
    (recalled,) = run(path, [config], driver=model.driver, tools=model.tools)
    assert recalled == again.model_copy(update={"recalled": True})
    assert states(path, "k") == ["admitted", "begun", "ended", "begun", "ended"]


class Helped(Model):
    """Its tool starts an agent, which asks the model, and a step inside it asks once more."""

    @property
    def tools(self) -> list[Any]:
        @tool
        def pay(amount: int, agent: Agent[Any]) -> str:
            """Pay."""
            child = SpawnConfig(MANIFEST, f"child {amount}", messages=DEEP)
            text = agent.step("asked", lambda: agent.spawn(child).outcome().result.text)
            return f"{text} {agent.spawn(SpawnConfig(MANIFEST, 'sibling', messages=DEEP)).outcome().result.text}"

        return [pay]


DEEP = (AssistantMessage("a"), AssistantMessage("b"))  # so its turn is the last one


@pytest.mark.parametrize("dies_at", [1, 2])
def test_what_agents_below_an_effect_have_cost_counts_again(path: Path, dies_at: int) -> None:
    """For the budgets and the totals: as if the run had not broken off."""
    whole, broken = Helped(), Helped()
    config = SpawnConfig(AgentManifest(name="asking", capabilities=(Spawn(max_depth=1),)), "q", key="k")
    (want,) = run(path.with_name("whole.db"), [config], driver=whole.driver, tools=whole.tools)
    assert want.usage_total.total == 7 * 11
    broken.dies_at = dies_at
    run(path, [config], driver=Dying(broken), tools=broken.tools)
    broken.dies_at = 99
    budget = Budget()
    (again,) = run(path, [config], driver=broken.driver, tools=broken.tools, budget=budget)
    assert sorted(broken.asked) == sorted(whole.asked)
    assert (again.usage, again.usage_total) == (want.usage, want.usage_total)
    assert budget.spent.tokens == 7 * 11


class Dying(FunctionDriver):
    """Dies at a turn of the conversation that is not a child's."""

    def __init__(self, model: Model) -> None:
        super().__init__(lambda request: self.answer_of(request))
        self.model = model

    def answer_of(self, request: Any) -> CompletionResponse:
        if request.messages[0] is DEEP[0]:
            dies_at, self.model.dies_at = self.model.dies_at, 99
            try:
                return self.model.answer(request)
            finally:
                self.model.dies_at = dies_at
        return self.model.answer(request)
