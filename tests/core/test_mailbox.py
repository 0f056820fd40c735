"""The mailbox: bounds, order, and one winner of each race with close."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from actors.core.actors.actor import Actor
from actors.core.messaging import mailbox as mailbox_module
from actors.core.messaging.mailbox import NOTHING, Mailbox, MailboxClosed, Put
from actors.core.waiting.waiter import Waiter
from actors.errors import Cancelled

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable


class HookedLock:
    """Stands in for a mailbox's lock: calls a hook before the n-th time it is taken."""

    def __init__(self, lock: threading.Lock, hooks: dict[int, Callable[[], object]]) -> None:
        self._lock = lock
        self._hooks = hooks
        self._taken = 0

    def __enter__(self) -> None:
        self._taken += 1
        hook = self._hooks.pop(self._taken, None)
        if hook is not None:
            hook()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def before_lock(box: Mailbox, nth: int, hook: Callable[[], object]) -> None:
    """Call *hook* just before *box* takes its lock for the *nth* time from now (the hook's own takings count not)."""
    real = box._lock

    def run() -> None:
        box._lock = real
        try:
            hook()
        finally:
            box._lock = hooked  # type: ignore[assignment]

    hooked = HookedLock(real, {nth: run})
    box._lock = hooked  # type: ignore[assignment]


def waiting_putters(box: Mailbox) -> int:
    return len(box._putters or ())


def waiting_getters(box: Mailbox) -> int:
    return len(box._getters or ())


# Without waiting ------------------------------------------------------------------------------------------------


def test_items_come_out_in_the_order_they_went_in() -> None:
    """First in, first out; None is an item like any other."""
    box = Mailbox()
    for item in (1, None, 3):
        assert box.offer(item) is Put.ACCEPTED
    assert len(box) == 3
    assert not box.empty()
    assert [box.take(), box.take(), box.take()] == [1, None, 3]
    assert box.take() is NOTHING
    assert box.empty()


def test_a_full_mailbox_refuses_at_once() -> None:
    """At its capacity an offer, and a put that does not wait, answer FULL and change nothing."""
    box = Mailbox(2)
    assert box.capacity == 2
    assert [box.offer(1), box.offer(2), box.offer(3)] == [Put.ACCEPTED, Put.ACCEPTED, Put.FULL]
    assert box.put(3, 0) is Put.FULL
    assert box.put(3, -1) is Put.FULL
    assert box.close() == [1, 2]


def test_no_bound_accepts_everything() -> None:
    """Capacity None never refuses."""
    box = Mailbox(None)
    assert {box.offer(n) for n in range(1000)} == {Put.ACCEPTED}
    assert len(box) == 1000


def test_close_hands_back_what_was_not_taken_and_refuses_the_rest() -> None:
    """What was accepted is handed back once; later puts of every kind are refused."""
    box = Mailbox()
    box.offer(1)
    box.offer(2)
    assert box.take() == 1
    assert box.close() == [2]
    assert box.close() == []
    assert not box.is_open
    assert box.offer(3) is Put.CLOSED
    assert box.put(3) is Put.CLOSED
    assert box.put_system(3) is False
    assert box.force(3) == 3
    with pytest.raises(MailboxClosed):
        box.take()
    with pytest.raises(MailboxClosed):
        box.get()


def test_a_sealed_mailbox_can_still_be_read() -> None:
    """seal() refuses what comes, and keeps what was accepted; only the first one counts."""
    box = Mailbox()
    box.offer(1)
    assert box.seal() is True
    assert box.seal() is False
    assert box.offer(2) is Put.CLOSED
    assert box.get(0) == 1
    with pytest.raises(MailboxClosed):
        box.get(0)


def test_the_system_lane_is_first_and_has_no_bound() -> None:
    """System items pass the bound and the queue, in their own order, and do not count as depth."""
    box = Mailbox(1)
    box.offer("item")
    assert box.put_system("s1")
    assert box.put_system("s2")
    assert len(box) == 1
    assert [box.take(), box.take(), box.take()] == ["s1", "s2", "item"]
    box.put_system("s3")
    assert not box.empty()
    assert box.close() == [], "system items are nobody's letters"


def test_force_drops_the_oldest() -> None:
    """A forced item always gets in; the oldest makes room and is handed back."""
    box = Mailbox(2)
    assert box.force(1) is NOTHING
    assert box.force(2) is NOTHING
    assert box.force(3) == 1
    assert box.close() == [2, 3]


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_mailbox_without_any_room_is_refused(capacity: int) -> None:
    """A sender that waits for room in it would wait for ever."""
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox(capacity)


def test_get_without_waiting_times_out() -> None:
    """get(0) does not wait."""
    with pytest.raises(TimeoutError, match="within 0 s"):
        Mailbox().get(0)


# Waiting readers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("put", [Mailbox.offer, Mailbox.force, Mailbox.put_system, Mailbox.put])
def test_a_waiting_reader_is_woken_by_every_kind_of_put(put: Any, in_thread: Any, eventually: Any) -> None:
    """A reader that waits gets the item, whichever way it came."""
    box = Mailbox(4)
    reader = in_thread(box.get)
    eventually(lambda: waiting_getters(box) == 1)
    put(box, "item")
    assert reader.result(10) == "item"
    assert waiting_getters(box) == 0


def test_readers_are_served_one_item_each(in_thread: Any, eventually: Any) -> None:
    """Two readers and two items: each gets one."""
    box = Mailbox()
    readers = [in_thread(box.get), in_thread(box.get)]
    eventually(lambda: waiting_getters(box) == 2)
    box.offer("a")
    box.offer("b")
    assert {reader.result(10) for reader in readers} == {"a", "b"}


@pytest.mark.parametrize("end", [Mailbox.close, Mailbox.seal])
def test_a_waiting_reader_is_woken_by_the_end(end: Any, in_thread: Any, eventually: Any) -> None:
    """Who waits for an item learns that none will come."""
    box = Mailbox()
    reader = in_thread(box.get)
    eventually(lambda: waiting_getters(box) == 1)
    end(box)
    with pytest.raises(MailboxClosed):
        reader.result(10)


def test_a_reader_whose_item_was_snatched_waits_on(in_thread: Any, eventually: Any) -> None:
    """A woken reader that finds nothing waits again, and gets the next item."""
    box = Mailbox()
    reader = in_thread(box.get)
    eventually(lambda: waiting_getters(box) == 1)
    with box._lock:  # the reader cannot look yet
        first = box._getters.pop(0)  # type: ignore[union-attr]
    first.wake()
    eventually(lambda: waiting_getters(box) == 1)
    box.offer("item")
    assert reader.result(10) == "item"


def test_an_item_that_arrives_between_the_look_and_the_wait_is_not_missed() -> None:
    """put just before the reader enters the line: the reader does not wait."""
    box = Mailbox()
    # The look takes no lock, where it finds nothing: the first is that of the reader that is about to line up.
    before_lock(box, 1, lambda: box.offer("item"))
    assert box.get(10) == "item"


def test_an_item_that_arrives_just_as_the_time_runs_out_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait runs out, the item comes before the reader leaves the line: it is returned, not lost."""
    box = Mailbox()

    def late(*_: Any) -> bool:
        box.offer("item")
        return False

    monkeypatch.setattr(mailbox_module, "wait_for", late)
    assert box.get(0.0) == "item"
    assert waiting_getters(box) == 0


def test_a_signal_that_came_too_late_goes_to_the_next_reader(
    monkeypatch: pytest.MonkeyPatch, in_thread: Any, eventually: Any
) -> None:
    """A reader that is cancelled just as it was woken hands the wake to the one behind it."""
    box = Mailbox()
    real = mailbox_module.wait_for
    turns: list[str] = []

    def wait(waiter: Any, timeout: float | None, on: str) -> bool:
        if turns:  # the second reader waits as usual
            return real(waiter, timeout, on)
        turns.append("first")
        second.append(in_thread(box.get))
        eventually(lambda: waiting_getters(box) == 2)
        box.offer("item")  # wakes the first, which is being cancelled
        raise Cancelled("just now")

    second: list[Any] = []
    monkeypatch.setattr(mailbox_module, "wait_for", wait)
    with pytest.raises(Cancelled):
        box.get()
    assert second[0].result(10) == "item"


def test_a_reader_that_gives_up_leaves_the_line() -> None:
    """After a timeout nobody stands in the line, so no later wake is lost on it."""
    box = Mailbox()
    with pytest.raises(TimeoutError):
        box.get(0.001)
    assert waiting_getters(box) == 0


# Waiting senders ------------------------------------------------------------------------------------------------


def test_a_blocked_sender_gets_in_when_room_appears(in_thread: Any, eventually: Any) -> None:
    """Taking an item lets the first waiting sender in."""
    box = Mailbox(1)
    box.offer(1)
    sender = in_thread(box.put, 2)
    eventually(lambda: waiting_putters(box) == 1)
    assert box.take() == 1
    assert sender.result(10) is Put.ACCEPTED
    assert box.take() == 2


def test_blocked_senders_get_in_in_the_order_they_came(in_thread: Any, eventually: Any) -> None:
    """First come, first served, and nobody overtakes them."""
    box = Mailbox(1)
    box.offer(0)
    senders = []
    for n in (1, 2, 3):
        senders.append(in_thread(box.put, n))
        eventually(lambda n=n: waiting_putters(box) == n)
    assert [box.get(10) for _ in range(4)] == [0, 1, 2, 3]
    assert [sender.result(10) for sender in senders] == [Put.ACCEPTED] * 3


def test_depth_never_passes_the_capacity_while_senders_wait(in_thread: Any, eventually: Any) -> None:
    """I6: a place that became free goes to who waits for it, not also to a newcomer."""
    box = Mailbox(1)
    box.offer(1)
    sender = in_thread(box.put, 2)
    eventually(lambda: waiting_putters(box) == 1)
    assert box.take() == 1
    assert box.offer(3) is Put.FULL
    assert len(box) == 1
    assert sender.result(10) is Put.ACCEPTED


def test_a_blocked_sender_gives_up_in_time() -> None:
    """No room within the timeout is FULL, and the item is nowhere."""
    box = Mailbox(1)
    box.offer(1)
    assert box.put(2, 0.001) is Put.FULL
    assert waiting_putters(box) == 0
    assert box.close() == [1]


def test_room_that_appears_before_the_sender_lines_up_is_used() -> None:
    """A reader takes between the refused offer and the line: the sender gets in without waiting."""
    box = Mailbox(1)
    box.offer(1)
    before_lock(box, 2, box.take)  # 1: the offer is refused; 2: the sender is about to line up
    assert box.put(2, 10) is Put.ACCEPTED
    assert box.close() == [2]


def test_room_that_appears_just_as_the_time_runs_out_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait runs out, a reader makes room before the sender leaves: the item was accepted, and says so."""
    box = Mailbox(1)
    box.offer(1)

    def late(*_: Any) -> bool:
        assert box.take() == 1
        return False

    monkeypatch.setattr(mailbox_module, "wait_for", late)
    assert box.put(2, 5) is Put.ACCEPTED
    assert box.close() == [2]


def test_a_sender_that_is_cancelled_leaves_nothing_behind(eventually: Any) -> None:
    """An actor that is aborted while it waits for room raises Cancelled, and its item is not sent."""
    box = Mailbox(1)
    box.offer(1)
    ended: list[BaseException] = []

    class Sender(Actor):
        def on_receive(self, message: Any) -> None:
            try:
                box.put(message)
            except Cancelled as error:
                ended.append(error)
                raise

    ref = Sender.start()
    ref.tell(2)
    eventually(lambda: waiting_putters(box) == 1)
    ref.abort("enough")
    assert ref.actor_stopped.wait(10)
    assert [str(error) for error in ended] == ["enough"]
    assert waiting_putters(box) == 0
    assert box.close() == [1]


# Races with close: both winners ---------------------------------------------------------------------------------


def test_put_wins_against_close() -> None:
    """An item accepted before the close is handed back by it."""
    box = Mailbox()
    left: list[Any] = []
    assert box.offer(1) is Put.ACCEPTED
    left += box.close()
    assert left == [1]


def test_close_wins_against_put() -> None:
    """The close comes while the sender is about to take the lock: the sender is told, the item is nowhere."""
    box = Mailbox()
    left: list[Any] = []
    before_lock(box, 1, lambda: left.extend(box.close()))
    assert box.offer(1) is Put.CLOSED
    assert left == []


def test_put_and_close_exclude_each_other(in_thread: Any) -> None:
    """While a put holds the lock a close waits: nothing falls between them, whoever comes first."""
    for first in ("put", "close"):
        box = Mailbox()
        box._lock.acquire()
        steps = {"put": lambda b=box: b.offer(1), "close": lambda b=box: b.close()}
        one = in_thread(steps[first])
        other = in_thread(steps["close" if first == "put" else "put"])
        assert not one.done()
        assert not other.done()
        box._lock.release()
        put, closed = (one, other) if first == "put" else (other, one)
        accepted = put.result(10) is Put.ACCEPTED
        assert closed.result(10) == ([1] if accepted else [])


def test_a_blocked_put_wins_against_close(in_thread: Any, eventually: Any) -> None:
    """Room first, then the close: the sender is told ACCEPTED and the close hands the item back."""
    box = Mailbox(1)
    box.offer(1)
    sender = in_thread(box.put, 2)
    eventually(lambda: waiting_putters(box) == 1)
    assert box.take() == 1
    assert box.close() == [2]
    assert sender.result(10) is Put.ACCEPTED


@pytest.mark.parametrize("end", [Mailbox.close, Mailbox.seal])
def test_close_wins_against_a_blocked_put(end: Any, in_thread: Any, eventually: Any) -> None:
    """The close first: the sender is woken with CLOSED, its item is not among what was accepted."""
    box = Mailbox(1)
    box.offer(1)
    sender = in_thread(box.put, 2)
    eventually(lambda: waiting_putters(box) == 1)
    end(box)
    assert sender.result(10) is Put.CLOSED
    assert box.close() == ([1] if end is Mailbox.seal else [])


def test_a_close_between_the_refusal_and_the_line_is_seen() -> None:
    """The mailbox closes after the offer was refused and before the sender lines up: CLOSED, no wait."""
    box = Mailbox(1)
    box.offer(1)
    before_lock(box, 2, box.close)
    assert box.put(2) is Put.CLOSED


# The fast lane ----------------------------------------------------------------------------------------------------


class Lane(deque[Any]):
    """The items of a mailbox without a bound, with something that happens just before or just after the next put."""

    def __init__(self, box: Mailbox) -> None:
        super().__init__()
        self.before = self.after = lambda: None
        box._items = box._free = self

    def append(self, item: Any) -> None:
        before, self.before = self.before, lambda: None
        before()
        super().append(item)
        after, self.after = self.after, lambda: None
        after()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("end", [Mailbox.close, Mailbox.seal])
def test_a_close_while_an_item_is_put_in_without_the_lock(end: Any, when: str) -> None:
    """What a close hands back was accepted, and nothing else; a sealed mailbox has only what was in time."""
    box = Mailbox()
    lane, left = Lane(box), []
    for item in ("same", "other"):
        box.offer(item)
    setattr(lane, when, lambda: left.extend(end(box) if end is Mailbox.close else [end(box)]))
    found = box.offer("same")
    if end is Mailbox.close and when == "after":
        assert (found, left) == (Put.ACCEPTED, ["same", "other", "same"])
    else:
        assert found is Put.CLOSED
    if end is Mailbox.seal:
        assert [box.take(), box.take()] == ["same", "other"]
    with pytest.raises(MailboxClosed):
        box.take()
    assert (list(lane), box.close()) == ([], [])


def test_a_late_item_is_withdrawn_from_between_others() -> None:
    """Two come too late: each takes out its own, whatever else there is, and asks no item whether it is another."""

    class Item:
        __eq__ = None  # type: ignore[assignment]

    box = Mailbox()
    lane, early, late = Lane(box), Item(), Item()
    box.offer(early)

    def another() -> None:
        box.seal()
        deque.append(lane, late)

    lane.after = another
    assert box.offer(Item()) is Put.CLOSED
    assert list(lane) == [early, late]
    assert box._withdraw(late, lane) is Put.CLOSED
    assert box._withdraw(late, lane) is Put.ACCEPTED, "it is not there any more: somebody has it"
    assert box.take() is early


def test_a_reader_that_was_under_way_has_a_late_item() -> None:
    """It took the item after the close, before it was withdrawn: it was accepted."""
    box = Mailbox()
    lane = Lane(box)

    def seal_and_take() -> None:
        box.seal()
        assert lane.popleft() == "item"

    lane.after = seal_and_take
    assert box.offer("item") is Put.ACCEPTED
    with pytest.raises(MailboxClosed):
        box.take()


def test_another_reader_may_take_the_last_item_first() -> None:
    """Between the look and the take: there is nothing, and that is no error."""

    class Taken(deque[Any]):
        def popleft(self) -> Any:
            raise IndexError

    box = Mailbox()
    box._items = box._free = Taken(["item"])
    assert box.take() is NOTHING


class Attendant:
    """Counts how often it is told."""

    def __init__(self) -> None:
        self.woken = self.opened = 0
        self.error: BaseException | None = None

    def wake(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.woken += 1

    def open(self) -> None:
        self.opened += 1


@pytest.mark.parametrize("capacity", [None, 5])
@pytest.mark.parametrize(
    "tell",
    [lambda box: box.offer(1), lambda box: box.force(1), lambda box: box.put_system(1), Mailbox.seal, Mailbox.close],
)
def test_who_attends_is_told_once(tell: Any, capacity: int | None) -> None:
    """Of the first thing that comes, or of the end; when there is something already, it need not be told."""
    box, reader = Mailbox(capacity), Attendant()
    for _ in range(2):
        assert box.attend(reader)
    tell(box)
    tell(box)
    assert reader.woken == 1
    assert not box.attend(reader)
    box.close()
    assert reader.woken == 1


@pytest.mark.parametrize("capacity", [None, 5])
def test_something_that_comes_while_a_reader_enters_itself_is_seen(capacity: int | None) -> None:
    """Before it has entered itself, or after: it is told, or sees it."""
    box = Mailbox(capacity)

    class Late(Attendant):
        def __bool__(self) -> bool:
            raise AssertionError("nobody asks")

    class Box(Mailbox):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "_attendant" and isinstance(value, Late) and when == "before":
                self.offer("item")
            super().__setattr__(name, value)
            if name == "_attendant" and isinstance(value, Late) and when == "after":
                self.offer("item")

    for when in ("before", "after"):
        box, reader = Box(capacity), Late()
        assert not box.attend(reader)
        assert reader.woken == (when == "after")
        assert box.take() == "item"


@pytest.mark.parametrize("capacity", [None, 5])
@pytest.mark.parametrize("comes", ["before", "after"])
def test_who_attends_no_more_leaves_what_comes_to_who_waits(
    comes: str, capacity: int | None, in_thread: Any, eventually: Any
) -> None:
    """An item that has woken the one that goes away, and one that comes after that."""
    box, reader = Mailbox(capacity), Attendant()
    waiting = in_thread(box.get, 10)
    eventually(lambda: waiting_getters(box) == 1)
    assert box.attend(reader)
    if comes == "before":
        box.offer("item")
        assert (reader.woken, waiting_getters(box)) == (1, 1)
    box.unattend(reader)
    if comes == "after":
        box.offer("item")
        assert reader.woken == 0
    assert waiting.result(10) == "item"


@pytest.mark.parametrize("put", ["offer", "force", "put_system"])
@pytest.mark.parametrize("capacity", [None, 5])
def test_an_interrupt_leaves_who_attends_told(put: str, capacity: int | None) -> None:
    """As it is being woken: it is woken in another way, and the item is there."""
    box, reader = Mailbox(capacity), Attendant()
    box.attend(reader)
    reader.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        getattr(box, put)("item")
    assert (reader.woken, reader.opened) == (0, 1)
    assert box.take() == "item"


def test_an_interrupt_just_after_an_item_was_put_in_wakes_the_reader() -> None:
    """It is in, and nobody else would tell of it."""
    box, reader = Mailbox(), Attendant()
    lane = Lane(box)
    box.attend(reader)

    def interrupt() -> None:
        raise KeyboardInterrupt

    lane.after = interrupt
    with pytest.raises(KeyboardInterrupt):
        box.offer("item")
    assert reader.woken == 1
    assert box.take() == "item"


@pytest.mark.parametrize("capacity", [None, 5])
def test_what_a_close_finds_is_kept_before_anybody_else_can_look(capacity: int | None) -> None:
    """Of two that close at the same time, the second finds what the first one has kept."""
    box = Mailbox(capacity)
    kept: list[Any] = []

    def keep(left: list[Any]) -> None:
        assert box._lock._is_owned()
        kept.extend(left)

    box.close(keep)
    assert kept == []
    box = Mailbox(capacity)
    box.offer(1)
    assert (box.close(keep), kept) == ([1], [1])
    assert (box.close(keep), kept) == ([], [1])


@pytest.mark.parametrize("capacity", [None, 5])
def test_an_empty_mailbox_is_closed_without_telling_who_attends(capacity: int | None) -> None:
    """One that has something is sealed: that can still be taken."""
    box, reader = Mailbox(capacity), Attendant()
    assert box.offer(1) is Put.ACCEPTED
    assert not box.close_empty()
    assert box.offer(2) is Put.CLOSED
    assert box.take() == 1
    assert box.close_empty()
    with pytest.raises(MailboxClosed):
        box.take()
    box = Mailbox(capacity)
    box.attend(reader)
    assert box.close_empty()
    assert box.offer(1) is Put.CLOSED
    assert reader.woken == 0


# Interrupts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("put", ["offer", "force", "put_system"])
def test_an_interrupt_of_the_wake_leaves_nobody_asleep(
    put: str, in_thread: Any, eventually: Any, monkeypatch: Any
) -> None:
    """A signal's handler raises as the sender is just waking the reader: the item was accepted, and is read."""
    box = Mailbox()
    reading = in_thread(box.get, 10)
    eventually(lambda: waiting_getters(box) == 1)

    def interrupted(_: Waiter) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Waiter, "wake", interrupted)
        with pytest.raises(KeyboardInterrupt):
            getattr(box, put)("item")
    assert reading.result(10) == "item"


def test_an_interrupt_of_the_wake_leaves_no_sender_asleep(in_thread: Any, eventually: Any, monkeypatch: Any) -> None:
    """Who takes an item makes room for one that waits."""
    box = Mailbox(1)
    box.offer("first")
    sending = in_thread(box.put, "second", 10)
    eventually(lambda: bool(box._putters))

    def interrupted(_: Waiter) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Waiter, "wake", interrupted)
        with pytest.raises(KeyboardInterrupt):
            box.take()
    assert sending.result(10) is Put.ACCEPTED
    assert box.take() == "second"


def test_a_finalizer_may_send_to_the_mailbox_that_is_just_written_to() -> None:
    """A collection may come at any moment, also under the lock."""
    box = Mailbox()

    class Sends:
        def __del__(self) -> None:
            box.offer("last words")

    class Items(deque[Any]):
        def append(self, item: Any) -> None:
            held.clear()
            super().append(item)

    held = [Sends()]
    box._items = Items()
    box.offer("item")
    assert [box.take(), box.take()] == ["last words", "item"]
