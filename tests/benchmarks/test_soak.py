"""The soak: short, and whether it would see what it looks for."""

from __future__ import annotations

import threading
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentEnded, AgentMessage, AgentPool, AgentStarted
from benchmarks import __main__ as command
from benchmarks.soak import checks, endure
from benchmarks.soak.era import Era
from benchmarks.soak.faults import Faults, Place
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 3.0


@pytest.fixture(autouse=True)
def _impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests hang up on purpose is seen soon."""
    if "short" not in request.node.name:
        monkeypatch.setattr(checks, "BOUND", 0.2)
        monkeypatch.setattr(checks, "SOON", 0.2)


def field(pool: AgentPool, **parts: Any) -> Any:
    """As much of a field as a check needs."""
    return SimpleNamespace(pool=pool, ledger=Ledger(), sink=None, release=threading.Event(), **parts)


def message(number: int) -> AgentMessage:
    return AgentMessage(1, 2, (number, True))


# The soak itself ------------------------------------------------------------------------------------------------


def test_short_soak() -> None:
    """A few seconds of random work and faults: nothing is lost, hangs or leaks."""
    report = endure(SECONDS, seed=7)
    assert not report.problems, "\n".join(report.problems)
    sums = {row[""]: row[" "] for row in report.tables[0].rows}
    assert sums["threads leaked"] == sums["violations"] == 0
    for name in ("agents", "faults", "messages handled", "messages dead", "asks"):
        assert sums[name], f"nothing was done: {name}"


@pytest.mark.process
def test_violation_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A violation is shown with the seed of its era, and the exit code is 1."""

    def live(era: Era) -> None:
        era._field.random.random()
        era._close()
        era.ledger.violate("something was lost")

    monkeypatch.setattr(Era, "live", live)
    with pytest.raises(SystemExit) as end:
        command.main(["soak", "--minutes", "0.00001", "--seed", "41"])
    assert end.value.code == 1
    assert "repeat it with --seed 41: something was lost" in " ".join(capsys.readouterr().out.split())


def test_surprise_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that the soak did not expect is a find, too."""

    def live(era: Era) -> None:
        era._close()
        raise LookupError("surprise")

    monkeypatch.setattr(Era, "live", live)
    problem, pool = endure(0.00001, seed=41).problems
    assert problem.startswith("repeat it with --seed 41: Traceback")
    assert problem.endswith("LookupError: surprise\n")
    assert "seed 41 was <AgentPool" in pool
    assert "0 agents" in pool  # the dump


def test_seed_decides_what_is_drawn() -> None:
    """Two eras of one seed draw the same plans."""

    def plans() -> list[object]:
        from benchmarks.soak.plan import Planner

        planner = Planner(Random(3))
        return [planner.draw() for _ in range(50)]

    assert plans() == plans()


# Would it see? --------------------------------------------------------------------------------------------------


def test_sees_a_message_read_twice() -> None:
    """Each message is read once."""
    ledger = Ledger()
    ledger.handled(message(1))
    assert not ledger.violations
    ledger.handled(message(1))
    assert "read twice" in ledger.violations[0]


def test_sees_a_message_out_of_order() -> None:
    """Those of one pair are read in the order sent."""
    ledger = Ledger()
    ledger.handled(message(2))
    ledger.handled(message(1))
    assert "out of order" in ledger.violations[0]


def test_sees_a_lost_message(make_pool: Callable[..., AgentPool]) -> None:
    """Accepted, and neither handled nor a dead letter."""
    it = field(make_pool())
    checks.messages(it)
    assert not it.ledger.violations
    it.ledger.note("messages accepted")
    checks.messages(it)
    assert "1 messages accepted, 0 handled, 0 dead letters" in it.ledger.violations[0]


@pytest.mark.parametrize("max_queued", [0, None])
def test_sees_a_lost_slot(make_pool: Callable[..., AgentPool], gate: Any, max_queued: int | None) -> None:
    """A slot that is not free when all is at rest."""
    it = field(make_pool(max_concurrent=2, max_queued=max_queued))
    checks.every_slot_is_free(it)
    assert not it.ledger.violations
    it.pool.submit(gate.hold)
    try:
        checks.every_slot_is_free(it)
    except TimeoutError:
        pass  # join_all of the probes: the one that holds the slot is among them
    gate.open()
    assert "not all 2 slots are free" in "".join(it.ledger.violations)


def test_sees_a_slot_too_many(make_pool: Callable[..., AgentPool]) -> None:
    """One agent more than there are slots gets one."""
    pool = make_pool(max_concurrent=3, max_queued=None)
    it = field(pool)
    it.pool = SimpleNamespace(
        max_concurrent=2, stats=pool.stats, submit=pool.submit, join_all=pool.join_all, dump=pool.dump
    )
    checks.every_slot_is_free(it)
    assert "one agent more than slots" in it.ledger.violations[0]


def test_sees_a_stray_thread(make_pool: Callable[..., AgentPool]) -> None:
    """A thread that is not counted as abandoned, and one that never ends."""
    it = field(make_pool())
    before, end = set(threading.enumerate()), threading.Event()
    assert not checks.threads(it, before)
    assert not it.ledger.violations
    stray = threading.Thread(target=end.wait, name="stray")
    stray.start()
    try:
        assert checks.threads(it, before) == {stray}
    finally:
        end.set()
        stray.join()
    assert ["stray" in violation for violation in it.ledger.violations] == [True, True]


def test_sees_an_agent_that_does_not_end(make_pool: Callable[..., AgentPool], gate: Any) -> None:
    """An agent that is there after everybody was joined."""
    it = field(make_pool())
    it.pool.submit(gate.hold)
    checks.at_rest(it)
    gate.open()
    assert "agents are left" in it.ledger.violations[0]


def test_sees_ends_that_do_not_add_up(make_pool: Callable[..., AgentPool]) -> None:
    """No done callback, two of them, an outcome yielded twice, an ask that was never settled."""
    pool = make_pool()
    it = field(pool)
    it.pool = SimpleNamespace(
        stats=pool.stats, router=SimpleNamespace(agent_count=1), join_all=pool.join_all, dump=pool.dump
    )
    checks.after_close(it)
    assert not it.ledger.violations
    it.ledger.watch(1)
    it.ledger.ended(2, "completed")
    it.ledger.ended(2, "completed")
    it.ledger.took(3)
    it.ledger.took(3)
    it.ledger.note("asks")
    checks.after_close(it)
    seen = "\n".join(it.ledger.violations)
    for text in ("no done callback came for [1]", "done callback for an agent: {2: 2}", "join for an agent: {3: 2}"):
        assert text in seen
    assert "1 asks, 0 settled" in seen


def test_sees_events_that_do_not_add_up() -> None:
    """A gap in the numbers, an event after the end."""
    ledger = Ledger()
    sink = Sink(ledger, Faults(), SimpleNamespace(random=lambda: 1.0))  # type: ignore[arg-type]  # never slow
    sink(AgentStarted(agent_id=1, seq=1))
    sink(AgentEnded(agent_id=1, seq=2, status="completed"))
    assert not ledger.violations
    sink(AgentStarted(agent_id=2, seq=4))
    sink(AgentEnded(agent_id=1, seq=5, status="completed"))
    assert "event 4 came after 2" in ledger.violations[0]
    assert sink.ended[1] == 2


def test_faults_are_counted_by_kind_and_place() -> None:
    """What was raised stands in the report."""
    faults = Faults()
    assert isinstance(faults.make(SystemExit, Place.INIT), SystemExit)
    faults.note("cancelled")
    assert faults.total() == 2
    assert faults.raised().rows[0] == {"in": "__init__", "SystemExit": 1}
    assert faults.others() == {"cancelled": 1}
