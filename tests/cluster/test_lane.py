"""Lanes: each item arrives once and in order, however the calls go that carry them."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given, strategies as st

from actors.cluster.items import Cancel, Read
from actors.cluster.lane import (
    MOST_BYTES,
    MOST_ITEMS,
    Batch,
    DrainCall,
    Drained,
    Gap,
    HostState,
    Inlet,
    Outbox,
    PutAnswer,
    PutCall,
    dump,
    load,
)


def item(number: int, size: int = 0) -> Cancel:
    return Cancel((number,), "x" * size, False)


def numbers(items: list[Cancel]) -> list[int]:
    return [one.ids[0] for one in items]


def some(outbox: Outbox) -> Batch:
    """What it would send now."""
    batch = outbox.next()
    assert batch is not None
    return batch


def test_items_are_numbered_from_one_and_come_again_until_they_are_acknowledged() -> None:
    """What is not acknowledged comes again, with what came behind it."""
    outbox = Outbox()
    for number in (1, 2, 3):
        outbox.put(item(number))
    first = some(outbox)
    assert (first.first, len(first.items)) == (1, 3)
    outbox.acknowledge(2)
    outbox.put(item(4))
    second = some(outbox)
    assert (second.first, second.items[0]) == (3, first.items[2])
    assert len(second.items) == 2
    assert outbox.acknowledged == 2


def test_there_is_nothing_to_send_when_all_is_acknowledged() -> None:
    """An acknowledged lane is empty, and goes on with the next number."""
    outbox = Outbox()
    assert outbox.next() is None
    outbox.put(item(1))
    outbox.acknowledge(1)
    assert (outbox.next(), len(outbox)) == (None, 0)
    outbox.put(item(2))
    assert some(outbox).first == 2


def test_an_old_acknowledgement_changes_nothing() -> None:
    """Answers come late and twice: a lower number than before is left."""
    outbox = Outbox()
    for number in (1, 2, 3):
        outbox.put(item(number))
    outbox.acknowledge(2)
    outbox.acknowledge(1)
    assert some(outbox).first == 3


def test_an_acknowledgement_of_what_was_never_sent_is_a_gap() -> None:
    """The other end speaks of another lane."""
    outbox = Outbox()
    outbox.put(item(1))
    with pytest.raises(Gap, match="number 2 is acknowledged, but the last is 1"):
        outbox.acknowledge(2)
    assert some(outbox).first == 1


def test_the_inlet_drops_what_it_has_and_takes_the_rest() -> None:
    """A batch that comes again brings only what is new in it."""
    outbox, inlet = Outbox(), Inlet()
    outbox.put(item(1))
    assert numbers(inlet.take(some(outbox))) == [1]
    outbox.put(item(2))
    again = some(outbox)
    assert numbers(inlet.take(again)) == [2]
    assert inlet.take(again) == []
    assert inlet.last == 2


def test_an_older_batch_after_a_newer_one_brings_nothing() -> None:
    """What was overtaken on its way is dropped."""
    inlet = Inlet()
    data = [dump(item(number)) for number in (1, 2, 3)]
    inlet.take(Batch(1, data))
    assert inlet.take(Batch(1, data[:1])) == []
    assert inlet.last == 3


def test_a_gap_is_an_error_that_names_the_items() -> None:
    """Nothing is taken behind a gap."""
    inlet = Inlet()
    inlet.take(Batch(1, [dump(item(1))]))
    with pytest.raises(Gap, match="items 2 to 4 are missing"):
        inlet.take(Batch(5, [dump(item(5))]))
    assert inlet.last == 1


def test_a_batch_has_at_most_512_items() -> None:
    """The others follow in the next one."""
    outbox = Outbox()
    for number in range(MOST_ITEMS + 1):
        outbox.put(item(number))
    batch = some(outbox)
    assert len(batch.items) == MOST_ITEMS
    outbox.acknowledge(MOST_ITEMS)
    assert len(some(outbox).items) == 1


def test_a_batch_has_at_most_90000_bytes() -> None:
    """As a whole frame it stays below what Ray passes on at once."""
    outbox = Outbox()
    for number in range(200):
        outbox.put(item(number, 2_000))
    batch = some(outbox)
    frame = dump(PutCall("i" * 32, *batch))
    assert MOST_BYTES - 3_000 < len(frame) < MOST_BYTES + 200


@pytest.mark.parametrize("before", [0, 1])
def test_a_larger_item_goes_alone(before: int) -> None:
    """It neither waits for ever nor takes others with it."""
    outbox, inlet = Outbox(), Inlet()
    for number in range(before):
        outbox.put(item(number))
    outbox.put(item(7, MOST_BYTES))
    outbox.put(item(8))
    got: list[list[int]] = []
    while (batch := outbox.next()) is not None:
        got.append(numbers(inlet.take(batch)))
        outbox.acknowledge(inlet.last)
    assert got == [*([number] for number in range(before)), [7], [8]]


def test_the_first_item_of_an_empty_lane_is_told_of_after_it_is_in() -> None:
    """Whoever sends is woken once, and finds it; further ones ring nobody."""
    seen: list[int] = []
    outbox = Outbox()
    outbox.when_filled = lambda: seen.append(len(outbox))
    outbox.put(item(1))
    outbox.put(item(2))
    assert seen == [1]
    outbox.acknowledge(2)
    outbox.put(item(3))
    assert seen == [1, 1]


def test_an_item_is_taken_as_it_is_when_it_is_put_in() -> None:
    """What changes afterwards is not what is sent."""
    ids = [1]
    outbox = Outbox()
    outbox.put(Read(tuple(ids)))
    ids.append(2)
    assert Inlet().take(some(outbox)) == [Read((1,))]


def test_many_threads_put_in_and_each_keeps_its_order() -> None:
    """Nothing is lost between threads, and those of one stay in order."""
    outbox, inlet = Outbox(), Inlet()
    threads = [
        threading.Thread(target=lambda who=who: [outbox.put(item(who * 1000 + n)) for n in range(200)])
        for who in range(4)
    ]
    for thread in threads:
        thread.start()
    got: list[int] = []
    while len(got) < 800:
        if (batch := outbox.next()) is not None:
            got += numbers(inlet.take(batch))
            outbox.acknowledge(inlet.last)
    for thread in threads:
        thread.join(10)
    assert [n for n in got if n < 1000] == list(range(200))
    assert sorted(got) == [who * 1000 + n for who in range(4) for n in range(200)]


STATE = HostState("one", 1.5, 3, 0, 9)


@pytest.mark.parametrize(
    "frame", [PutCall("one", 1, [b"a"], 0.5), PutAnswer(STATE), DrainCall("one", 3, 1.0, 1.5), Drained(STATE, 4, [])]
)
def test_a_frame_arrives_as_it_was(frame: tuple[object, ...]) -> None:
    """Each of the four kinds survives its way."""
    assert load(dump(frame), type(frame)) == frame


def test_a_frame_of_another_kind_is_refused() -> None:
    """A call and its answer cannot be taken for each other."""
    with pytest.raises(TypeError, match="expected PutCall, got DrainCall"):
        load(dump(DrainCall("one", 0, 1.0)), PutCall)


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.sampled_from([0, 10, 50_000, 100_000]), max_size=30),
    faults=st.floats(0, 0.6),
)
def test_all_items_arrive_once_and_in_order_whatever_the_calls_do(seed: int, sizes: list[int], faults: float) -> None:
    """Calls and answers are lost, doubled and overtake each other; the lane gives over each item once, in order."""
    chance = random.Random(seed)
    outbox, inlet = Outbox(), Inlet()
    got: list[int] = []
    calls: list[Batch] = []
    answers: list[int] = []
    waiting = list(enumerate(sizes))
    while len(got) < len(sizes) or len(outbox):
        if waiting and chance.random() < 0.5:
            outbox.put(item(*waiting.pop(0)))
        if (batch := outbox.next()) is not None:
            calls += [batch] * (chance.random() >= faults) + [batch] * (chance.random() < faults)
        if calls:
            call = calls[0] if chance.random() >= faults else chance.choice(calls)
            if chance.random() >= faults:
                calls.remove(call)
            got += numbers(inlet.take(call))
            answers += [inlet.last] * (chance.random() >= faults)
        if answers:
            outbox.acknowledge(answers.pop(chance.randrange(len(answers))))
    assert got == list(range(len(sizes)))
