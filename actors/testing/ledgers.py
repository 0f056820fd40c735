"""What every ledger promises, as tests."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

from ..agent.ledger import BEGUN, DONE, RAISED, Entry, InDoubt
from ..errors import JournalChanged

if TYPE_CHECKING:
    from ..agent.ledger import Ledger

BOUND = 30.0
"""Seconds after which a wait has failed. None of them is meant to take long."""
AT_ONCE = 8
EACH = 25
ODD_DATA: tuple[dict[str, Any], ...] = (
    {},
    {"text": "é\u0301\U0001f600\u202e\0", "lone": "\ud800", "long": "x" * 100_000},
    {"numbers": [0, -1, 2**70, 1e308, 0.1], "none": None, "yes": True, "nested": [{"a": [[], {}]}]},
)
ODD_PATHS = ("0", "12.3", "step", "a%2Fb", "12.3/step~2", "0/@heard", "@memories", "ü", "12.3/@approval~2")


class LedgerConformance:
    """The suite for ledgers. Subclass it, say how to make a new one, and let pytest collect it.

    What a ledger has to be closed with goes into ``self.cleanup``, an ``ExitStack`` that each test closes.
    """

    cleanup: ExitStack

    def setup_method(self) -> None:
        """Before each test."""
        self.cleanup = ExitStack()

    def teardown_method(self) -> None:
        """After each test."""
        self.cleanup.close()

    # What a subclass says ---------------------------------------------------------------------------------------

    def make_ledger(self) -> Ledger:
        """A ledger that knows nothing, of an agent of its own; its first life has begun."""
        raise NotImplementedError

    def reopen(self, ledger: Ledger) -> Ledger:  # noqa: ARG002 - for those who can
        """What another process, after the end of this one, has of the same agent. For those that outlive a process."""
        raise SkipTest("it does not outlive its process")

    # What is entered --------------------------------------------------------------------------------------------

    def test_what_is_new_is_not_found(self) -> None:
        """Whatever the path."""
        ledger = self.make_ledger()
        assert [ledger.find(path) for path in ODD_PATHS] == [None] * len(ODD_PATHS)

    def test_what_is_entered_is_found(self) -> None:
        """At its path alone, with all that was said of it."""
        ledger = self.make_ledger()
        for number, path in enumerate(ODD_PATHS):
            ledger.enter(path, DONE, f"kind {number}", {"number": number}, digest=f"d{number}")
        for number, path in enumerate(ODD_PATHS):
            assert _told(ledger.find(path)) == (path, DONE, f"kind {number}", f"d{number}", {"number": number})

    def test_odd_data(self) -> None:
        """All that JSON can hold."""
        ledger = self.make_ledger()
        for number, data in enumerate(ODD_DATA):
            ledger.enter(f"odd {number}", DONE, "step", data)
        assert [_data(ledger, f"odd {number}") for number in range(len(ODD_DATA))] == list(ODD_DATA)

    def test_the_first_end_stands(self) -> None:
        """What comes after it changes nothing: a result that is late, another beginning."""
        ledger = self.make_ledger()
        ledger.enter("1.0", BEGUN, "tool", {"try": 1}, safe=True)
        assert _told(ledger.find("1.0")) == ("1.0", BEGUN, "tool", "", {"try": 1})
        ledger.enter("1.0", DONE, "tool", {"content": "first"})
        ledger.enter("1.0", DONE, "tool", {"content": "late"})
        ledger.enter("1.0", BEGUN, "tool", {"try": 2}, safe=True)
        assert _told(ledger.find("1.0")) == ("1.0", DONE, "tool", "", {"content": "first"})

    def test_what_raised_can_be_done(self) -> None:
        """The last entry counts, as long as there is no end."""
        ledger = self.make_ledger()
        states = []
        for state in (BEGUN, RAISED, BEGUN, DONE):
            ledger.enter("pay", state, "step", {"state": state.value}, safe=state is BEGUN)
            states.append((_data(ledger, "pay") or {}).get("state"))
        assert states == ["begun", "raised", "begun", "done"]

    def test_many_threads(self) -> None:
        """Nothing is lost; of one end that several enter there is one."""
        ledger = self.make_ledger()
        start = threading.Barrier(AT_ONCE)

        def work(number: int) -> None:
            start.wait(BOUND)
            for turn in range(EACH):
                ledger.enter(f"{turn}.{number}", BEGUN, "tool", {}, safe=turn == 0)
                ledger.enter(f"{turn}.{number}", DONE, "tool", {"number": number})
                ledger.enter(f"shared {turn}", DONE, "step", {"turn": turn})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        found = [_data(ledger, f"{turn}.{number}") for turn in range(EACH) for number in range(AT_ONCE)]
        assert found == [{"number": number} for _ in range(EACH) for number in range(AT_ONCE)]
        assert [_data(ledger, f"shared {turn}") for turn in range(EACH)] == [{"turn": turn} for turn in range(EACH)]

    # What is not the same again ---------------------------------------------------------------------------------

    def test_what_is_set_aside_is_not_found(self) -> None:
        """All from that completion on, and nothing before; one that refuses that has kept all of it."""
        ledger = self.make_ledger()
        before: tuple[str, ...] = ("0", "1", "1.0", "1.0/step", "1/@heard", "fetch")
        after: tuple[str, ...] = ("2", "2.0", "2/@heard", "2.0/step", "10")
        for path in (*before, *after):
            ledger.enter(path, DONE, "step", {"path": path})
        changed = _refusal_to_set_aside(ledger)
        if changed is not None:
            assert (changed.path, changed.what) == ("2", "tools")
            before, after = (*before, *after), ()
        assert [_data(ledger, path) for path in before] == [{"path": path} for path in before]
        assert [ledger.find(path) for path in after] == [None] * len(after)
        for path in after:
            ledger.enter(path, DONE, "step", {"path": "new"})
        assert [_data(ledger, path) for path in after] == [{"path": "new"}] * len(after)

    # Names ------------------------------------------------------------------------------------------------------

    def test_effect_keys(self) -> None:
        """One for each effect of each agent, the same each time, that can stand in a header."""
        ledger, other = self.make_ledger(), self.make_ledger()
        keys = [each.effect_key(path) for each in (ledger, other) for path in ODD_PATHS]
        assert len(set(keys)) == len(keys)
        assert all(key.isascii() and key.isalnum() and len(key) <= 64 for key in keys)
        ledger.begin_life()
        assert [ledger.effect_key(path) for path in ODD_PATHS] == keys[: len(ODD_PATHS)]

    def test_each_life_counts_anew(self) -> None:
        """So the same steps and children have the same names again, and what was entered is found."""
        ledger = self.make_ledger()
        lives = []
        for _ in range(2):
            scope = ledger.root
            with scope.step("fetch") as first:
                pass
            with scope.step("fetch") as second:
                pass
            lives.append([first, second, scope.next_completion(), scope.next_completion(), scope.next_child()])
            ledger.enter("fetch", DONE, "step", {})
            ledger.begin_life()
        assert lives == [["fetch", "fetch~2", "0", "1", "#1"]] * 2
        assert ledger.find("fetch") is not None

    def test_what_it_says(self) -> None:
        """Its policy; that nothing has failed; that what was entered here was counted here."""
        ledger = self.make_ledger()
        ledger.enter("0", DONE, "completion", {})
        ledger.begin_life()
        assert ledger.in_doubt in tuple(InDoubt)
        assert isinstance(ledger.calls_raised_again, bool)
        ledger.refuse_when_failed()
        ledger.secure()
        assert not ledger.count("0")
        assert not ledger.count("1")

    # Another process --------------------------------------------------------------------------------------------

    def test_another_process_finds_all_of_it(self) -> None:
        """As it was entered, and in the state of its last entry."""
        ledger = self.make_ledger()
        for number, data in enumerate(ODD_DATA):
            ledger.enter(f"{number}", DONE, "completion", data, digest=f"d{number}")
        for state in (BEGUN, RAISED):
            ledger.enter(state.value, state, "step", {"name": state.value})
        ledger.enter("late", DONE, "tool", {"content": "first"})
        ledger.enter("late", DONE, "tool", {"content": "late"})
        again = self.reopen(ledger)
        for number, data in enumerate(ODD_DATA):
            told = _told(again.find(f"{number}"))
            assert told is not None
            assert told[:4] == (f"{number}", DONE, "completion", f"d{number}")
            assert {**told[4], **data} == told[4]
        assert [entry and entry.state for entry in map(again.find, ("begun", "raised", "late"))] == [
            BEGUN,
            RAISED,
            DONE,
        ]
        assert (_data(again, "late") or {})["content"] == "first"

    def test_another_process_counts_it_once(self) -> None:
        """What it has entered itself it has counted."""
        ledger = self.make_ledger()
        ledger.enter("0", DONE, "completion", {})
        again = self.reopen(ledger)
        again.enter("1", DONE, "completion", {})
        assert [again.count(path) for path in ("0", "0", "1", "2")] == [True, False, False, False]

    def test_another_process_has_the_same_keys(self) -> None:
        """Else nobody could ask the world outside what was done."""
        ledger = self.make_ledger()
        keys = [ledger.effect_key(path) for path in ODD_PATHS]
        again = self.reopen(ledger)
        assert [again.effect_key(path) for path in ODD_PATHS] == keys

    def test_another_process_goes_on(self) -> None:
        """What was begun is ended there, and a third one finds that."""
        ledger = self.make_ledger()
        ledger.enter("0.0", BEGUN, "tool", {"tool": "pay"}, safe=True)
        again = self.reopen(ledger)
        again.enter("0.0", BEGUN, "tool", {"tool": "pay", "attempt": 2}, safe=True)
        again.enter("0.0", DONE, "tool", {"content": "paid"})
        third = self.reopen(again)
        assert (_data(third, "0.0") or {})["content"] == "paid"


def _refusal_to_set_aside(ledger: Ledger) -> JournalChanged | None:
    try:
        ledger.set_aside("2", "tools")
    except JournalChanged as changed:
        return changed
    return None


def _told(entry: Entry | None) -> tuple[Any, ...] | None:
    return None if entry is None else (entry.path, entry.state, entry.kind, entry.digest, dict(entry.data))


def _data(ledger: Ledger, path: str) -> dict[str, Any] | None:
    entry = ledger.find(path)
    return None if entry is None else dict(entry.data)
