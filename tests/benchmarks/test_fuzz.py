"""The fuzzing: a little of each target, and whether it would see what it looks for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import __main__ as command
from benchmarks.fuzz import fuzz, targets
from benchmarks.fuzz.campaign import Campaign, rule_of
from benchmarks.fuzz.costs import hold_costs
from benchmarks.fuzz.lines import SeenLines
from benchmarks.fuzz.mutations import LONGEST, mutated
from benchmarks.fuzz.nasty import NASTY
from benchmarks.fuzz.reduce import reduced
from benchmarks.fuzz.target import Target, Violation, hold, hold_message, hold_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SEED = 7
INPUTS = 100


class Planted(Target):
    """Has what defect a test puts into it."""

    about = "a planted defect"
    words = (b"@",)

    def __init__(self, check: Callable[[bytes], object], seed: bytes = b"some text\nof lines\n") -> None:
        self._check = check
        self._seed = seed

    def seeds(self) -> Iterable[bytes]:
        return [self._seed]

    def check(self, data: bytes, *, thorough: bool = False) -> Any:
        return self._check(data)


def campaign(tmp_path: Path, check: Callable[[bytes], object], **how: Any) -> Campaign:
    target = Planted(check, how.pop("start", b"some text\nof lines\n"))
    return Campaign("planted", target, seed=SEED, folder=tmp_path / "planted", **how)


def run(*words: str) -> int:
    """The exit code of the command line."""
    with pytest.raises(SystemExit) as end:
        command.main(list(words))
    return int(end.value.code or 0)


# Each target ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", targets.NAMES)
def test_a_little_of_each(name: str, tmp_path: Path) -> None:
    """Nothing is found in some inputs that are made of what it knows."""
    try:
        target = targets.find(name)
    except ImportError as error:
        pytest.skip(f"{name} is left out: {error}")
    assert target.about
    one = Campaign(name, target, seed=SEED, folder=tmp_path)
    one.round(INPUTS)
    assert not one.finds, "\n".join(f"{find.text}\n{find.data!r}" for find in one.finds.values())
    assert one.executions == INPUTS
    assert one.shapes > 1


def test_there_are_many() -> None:
    """Found by name; one that begins with an underscore is none."""
    assert {"chat", "messages", "events", "errors", "names", "arguments"} <= set(targets.NAMES)
    assert not any(name.startswith("_") for name in targets.NAMES)
    with pytest.raises(KeyError):
        targets.find("_answers")


# Would it see? ----------------------------------------------------------------------------------------------------


def test_a_planted_defect_is_found_and_made_small(tmp_path: Path) -> None:
    """Whatever stands around it is taken out; the file holds what is left."""

    def check(data: bytes) -> object:
        hold(b"@" not in data, "there is no @", data)
        return len(data) % 2

    one = campaign(tmp_path, check)
    traced = sys.gettrace()
    while not one.finds:
        one.round(INPUTS)
    assert sys.gettrace() == traced
    (find,) = one.finds.values()
    assert (find.rule, find.data, find.path.read_bytes()) == ("there is no @", b"@", b"@")
    assert find.text == "there is no @: b'@'"
    one.round(INPUTS)
    assert list(one.finds.values()) == [find]


def test_a_defect_in_a_value_of_json_is_found_and_made_small(tmp_path: Path) -> None:
    """Down to the values that it takes."""

    def check(data: bytes) -> object:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return "none"
        if isinstance(value, dict) and "a" in value and value["a"] is None:
            raise LookupError("planted")
        return type(value)

    one = campaign(tmp_path, check, start=b'{"x": [1, 2, {"y": "z"}], "a": "b", "c": {}}')
    while not one.finds:
        one.round(INPUTS)
    (find,) = one.finds.values()
    assert find.data in (b'{"a": null}', b'{"a":null}')
    assert find.rule == "only the library's own errors: LookupError in test_fuzz.py, check()"
    assert "planted" in find.text


def test_quadratic_work_is_found(tmp_path: Path) -> None:
    """By its calls, however fast the machine is."""

    def check(data: bytes) -> object:
        for place in range(0, len(data), 2):
            for other in range(0, place, 2):
                ord(data[other : other + 1])
        return None

    with pytest.raises(Violation, match="work is linear: calls"):
        hold_costs(Planted(check), b"x" * 60)
    assert hold_costs(Planted(lambda data: [ord(data[at : at + 1]) for at in range(len(data))]), b"x" * 900) > 0.5


def test_memory_without_a_bound_is_found() -> None:
    """By its peak."""
    with pytest.raises(Violation, match="memory is bounded by the input"):
        hold_costs(Planted(lambda data: bytearray(len(data) * 10_000)), b"x" * 200)


def test_what_messages_and_values_must_be() -> None:
    """Printable, bounded, JSON."""
    hold_message("fine")
    hold_plain({"a": [1, "\u00e4"]}, "plain")
    for text in ("a\nb", "\x1b[31m", "x" * 9_999):
        with pytest.raises(Violation, match="messages of errors are"):
            hold_message(text)
    for value in (float("nan"), "\ud800", {1, 2}):
        with pytest.raises(Violation, match=r"^plain: "):
            hold_plain(value, "plain")


def test_an_error_is_named_by_its_place_in_the_library() -> None:
    """Two that are raised at two places are two."""
    from actors.drivers.edge.names import CallIds

    with pytest.raises(AttributeError) as caught:
        CallIds(None, 9).of_call("x")  # type: ignore[arg-type]
    assert rule_of(caught.value) == "only the library's own errors: AttributeError in names.py, of_call()"


# How it goes ------------------------------------------------------------------------------------------------------


def test_the_seed_decides_what_is_drawn(tmp_path: Path) -> None:
    """Round after round."""

    def drawn(seed: int) -> list[bytes]:
        seen: list[bytes] = []
        target = Planted(lambda data: seen.append(data) or len(seen) % 5)  # type: ignore[func-returns-value]
        one = Campaign("planted", target, seed=seed, folder=tmp_path)
        one.round(30)
        one.round(30)
        return seen

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_what_shows_something_new_is_kept(tmp_path: Path) -> None:
    """And written, where that was asked for; the next run begins with it."""
    one = campaign(tmp_path, len, keeps=True)
    one.round(30)
    assert one.new > 5
    kept = {path.read_bytes() for path in (tmp_path / "planted").iterdir()}
    assert len(kept) == one.new
    again = campaign(tmp_path, len)
    again.begin()
    assert again.executions == one.new + 1
    assert again.new == 0


def test_lines_are_seen_once() -> None:
    """Those of the library, between its beginning and its end; not where somebody else traces."""
    from actors.drivers.edge.stops import end_of

    seen = SeenLines()
    with seen:
        end_of("stop")
        first = seen.count
        end_of("stop")
        again = seen.count
    end_of("stop")
    if seen.works:
        assert 0 < first == again == seen.count
    if sys.version_info < (3, 12):
        before = sys.gettrace()
        sys.settrace(lambda *_: None)
        try:
            with seen:
                assert not seen.works
        finally:
            sys.settrace(before)


def test_inputs_are_bounded_and_of_all_kinds() -> None:
    """However often something is repeated; and each change can be made to anything."""
    random = Random(SEED)
    inputs = [b"", b"\n", b"data: {}\n\ndata: [1]\n\n", b'{"a": [1, {"b": "c"}]}', *(text.encode() for text in NASTY)]
    made = [mutated(random, inputs, [b"word"]) for _ in range(3_000)]
    assert max(map(len, made)) <= LONGEST
    assert len(set(made)) > 1_500


@pytest.mark.parametrize(
    ("data", "needed", "left"),
    [
        (b"a\n\nb\n\nc", b"b", b"b"),
        (b'data: {"a": [1, 2], "b": {"c": 3}}', b'"c"', b'"c"'),
        (b"x" * 500 + b"yz" + b"x" * 500, b"yz", b"yz"),
        (b"", b"", b""),
    ],
)
def test_an_input_is_made_small(data: bytes, needed: bytes, left: bytes) -> None:
    """What is not needed is taken out."""
    assert reduced(data, lambda given: needed in given) == left


# The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The only target; it breaks at an @. What it was fed."""
    fed: list[bytes] = []

    def check(data: bytes) -> object:
        fed.append(data)
        hold(b"@" not in data, "there is no @", data)
        return None

    monkeypatch.setattr(targets, "NAMES", ("planted",))
    monkeypatch.setattr(targets, "find", lambda name: Planted(check))
    return fed


@pytest.mark.process
def test_a_violation_fails_the_command(
    planted: list[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is shown with its input and the command that repeats it, which does; with it gone, all is well."""
    corpus = tmp_path / "corpus"
    (corpus / "planted").mkdir(parents=True)
    (corpus / "planted" / "mine").write_bytes(b"a @ b")
    words = ("fuzz", "--minutes", "0", "--target", "planted", "--corpus", str(corpus))
    assert run(*words, "--seed", "41") == 1
    shown = "".join(capsys.readouterr().out.split())
    (written,) = (corpus / "planted").glob("violation-*")
    assert written.read_bytes() == b"@"
    for text in (
        "planted: there is no @: b'@'",
        f"1 bytes in {written}",
        f"python -m benchmarks {' '.join(words)} (seed 41)",
    ):
        assert "".join(text.split()) in shown
    (corpus / "planted" / "mine").unlink()
    assert run(*words) == 1
    written.unlink()
    planted.clear()
    assert run(*words) == 0
    assert planted[0] == b"some text\nof lines\n"
    assert "planted" in capsys.readouterr().out


def test_an_interrupt_ends_it_with_its_summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was found until then is told."""
    fed: list[bytes] = []

    def check(data: bytes) -> object:
        fed.append(data)
        if len(fed) > 500:
            raise KeyboardInterrupt
        hold(b"@" not in data, "there is no @", data)
        return None

    monkeypatch.setattr(targets, "find", lambda name: Planted(check))
    found = fuzz(3600, names=["planted"], seed=SEED, corpus=tmp_path)
    assert any("interrupted" in note for note in found.notes)
    assert "there is no @" in found.problems[0]


def test_a_target_that_cannot_be_loaded_is_said_to_be_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is passed over in silence."""

    def find(name: str) -> Target:
        raise ImportError("No module named 'lxml'")

    monkeypatch.setattr(targets, "find", find)
    found = fuzz(0, names=["pages"], corpus=tmp_path)
    assert any("pages was left out: No module named 'lxml'" in note for note in found.notes)


def test_a_target_that_is_none_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing runs."""
    assert run("fuzz", "--target", "events,nobody") == 2
    assert "nobody" in capsys.readouterr().err
