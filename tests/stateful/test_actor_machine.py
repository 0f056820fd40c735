"""Random steps and faults: long-lived actors do what their model does."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pykka
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors import ActorDead, ActorRef, AskTimeout, DeadlockError, Dispatcher, InboxFull, Timer
from actors.core.waiting.crowd import crowd

from ..manual_alarm import ManualAlarm
from ..waiting import eventually
from .actor_model import ActorModel, Letter, TimerModel
from .aside import in_threads, threads
from .pool_machine import FAULT_NAMES, HARMLESS_FAULT, MAYBE_FAULT
from .profile import chosen, when
from .puppet import Puppet
from .scripted import FAULTS, fault
from .stage import BOUND, Log

COUNTS: Counter[str] = Counter()
INDEX = st.integers(0, 30)


class ActorMachine(RuleBasedStateMachine):
    """All that can be done to actors."""

    def __init__(self) -> None:
        super().__init__()
        self.acted = False
        self.log = Log()
        self.models: list[ActorModel] = []
        self.refs: list[ActorRef[Any]] = []
        self.puppets: list[Puppet] = []
        self.hooks: list[list[str]] = []
        self.asks: list[tuple[Any, Letter]] = []
        self.calls: Counter[int] = Counter()
        self._numbers = iter(range(1, 1_000_000))
        self.timers: list[tuple[ActorModel, TimerModel, Timer]] = []
        self.dispatchers = {
            "pinned": "pinned",
            **{name: Dispatcher(count, 1, linger=0.0, stalled_after=None) for name, count in (("one", 1), ("two", 2))},
        }
        self.alarm = ManualAlarm()
        self.real_alarm, crowd().alarm = crowd().alarm, self.alarm
        self.before = threads()
        self.registered = set(pykka.ActorRegistry.get_all())

    @initialize()
    def count(self) -> None:
        """One more example."""
        COUNTS["examples"] += 1

    def number(self) -> int:
        """A number not used before."""
        return next(self._numbers)

    # Looking ----------------------------------------------------------------------------------------------------

    def _consume(self, kind: str, value: Any) -> None:
        model = self.models[value[0]]
        if kind == "hook":
            self.hooks[value[0]].append(value[1])
        elif kind == "handling":
            assert model.current is not None, f"actor {value[0]} handles {value[1]}, its mailbox should be empty"
            assert model.current.content == value[1], "out of order, or handled twice"
            assert not model.current.seen, "handled twice"
            model.current.seen = True
        elif model.waits is None:  # aborted just after it got its answer
            assert model.ended
        else:
            letter = model.waits[1]
            assert letter.content == value[1]
            assert self._fits(letter, value[2]), (letter, value[2])
            model.waits = None

    @staticmethod
    def _fits(letter: Letter, result: Any) -> bool:
        if letter.fate == "answered":
            return bool(result == letter.reply)
        if letter.fate == "raised":
            return result is FAULTS[str(letter.reply)]
        expected = {"refused": ActorDead, "circle": DeadlockError, "full": ActorDead}[letter.fate]
        return isinstance(result, type) and issubclass(result, expected)

    def _is_quiet(self) -> bool:
        return all(
            model.ended
            or (
                (model.current is None or model.current.seen)
                and (model.waits is None or model.waits[1].fate in ("accepted", "handling"))
            )
            for model in self.models
        )

    @invariant()
    def agree(self) -> None:
        """The actors are what the model says."""
        if not self.acted:
            return
        self.acted = False
        COUNTS["steps"] += 1
        assert self.log.follow(self._consume, self._is_quiet), f"it did not come to rest: {self.models}"
        # Who asks has sent its message before it waits: of two that ask each other either might be refused meanwhile.
        for model in self.models:
            if not model.ended and model.waits is not None:
                eventually(self.refs[model.name]._cell.targets)
        for model, ref in zip(self.models, self.refs, strict=True):
            if model.ended:
                assert ref.actor_stopped.wait(BOUND), f"actor {model.name} did not end"
            assert ref.is_alive() != model.ended
        assert self.log.follow(self._consume, lambda: True)
        assert not self.log.violations, self.log.violations
        assert self.hooks == [model.hooks for model in self.models]
        for ref, model in zip(self.refs, self.models, strict=True):
            assert model.capacity is None or len(ref.actor_inbox) <= model.capacity
        # Polled: no event announces that an ask whose asker has given up was passed over.
        eventually(lambda: [len(ref.actor_inbox) for ref in self.refs] == [len(model.inbox) for model in self.models])
        for model, timer, real in self.timers:
            assert real.active is timer.is_active, (model, timer, real)
        self._compare_asks()

    def _compare_asks(self) -> None:
        pending = []
        for future, letter in self.asks:
            if letter.fate in ("accepted", "handling"):
                assert not future.done()
                pending.append((future, letter))
            elif letter.fate == "answered":
                assert future.result(BOUND) == letter.reply
            else:
                expected = FAULTS[str(letter.reply)] if letter.fate == "raised" else ActorDead
                with pytest.raises(expected) as caught:
                    future.result(BOUND)
                assert letter.fate == "refused" or type(caught.value) is expected
            assert self.calls[letter.content] <= 1
        self.asks = pending

    def some(self, index: int, *, alive: bool = True) -> int:
        """The number of one of them; mostly one that lives."""
        living = [model.name for model in self.models if not model.ended]
        return (living if living and (alive or index < 25) else range(len(self.models)))[
            index % len(living if living and (alive or index < 25) else self.models)
        ]

    def busy(self) -> list[ActorModel]:
        """Those that wait for a decision."""
        return [model for model in self.models if model.current is not None and model.waits is None]

    # Rules ------------------------------------------------------------------------------------------------------

    @rule(
        capacity=st.sampled_from([1, 1, 2, 3, None]),
        dispatcher=st.sampled_from(["pinned", "one", "one", "two"]),
        on_start=MAYBE_FAULT,
        on_stop=MAYBE_FAULT,
        on_failure=MAYBE_FAULT,
    )
    @when(lambda self: len(self.living()) < 3)
    def start(self, capacity: int | None, dispatcher: str, **faults: str | None) -> None:
        """One more actor, on any dispatcher; one that fails in ``on_start`` has ended at once."""
        self.begin(capacity, faults, dispatcher)

    def living(self) -> list[ActorModel]:
        """Those that have not ended."""
        return [model for model in self.models if not model.ended]

    def otherwise(self) -> None:
        """A rule found nobody to steer: there is somebody afterwards, who handles something."""
        self.acted = True
        if not self.living():
            self.begin(1, {})
        model = next((model for model in self.living() if not model.sealed), None)
        if model is not None and model.current is None:
            letter = Letter(self.number(), is_ask=True)
            assert model.offer(letter) == "accepted"
            self.asks.append((self.refs[model.name].ask_future(letter.content), letter))

    def begin(self, capacity: int | None, faults: dict[str, str | None], dispatcher: str = "one") -> None:
        """Start an actor."""
        model = ActorModel(len(self.models), capacity)
        COUNTS[dispatcher] += 1
        options = {"inbox_capacity": capacity, "dispatcher": self.dispatchers[dispatcher]}
        cls = type("Puppet", (Puppet,), options)
        self.models.append(model)
        self.hooks.append([])
        self.refs.append(cls.start(model.name, self.log, faults, self.puppets))
        if faults.get("on_start") is not None:
            model.end(None)

    @rule(index=INDEX)
    @when(lambda self: self.models)
    def tell(self, index: int) -> None:
        """A message is accepted, or refused with the reason."""
        name = self.some(index, alive=False)
        letter = Letter(self.number(), is_ask=False)
        answer = self.models[name].offer(letter)
        if answer == "accepted":
            self.refs[name].tell(letter.content)
        else:
            with pytest.raises(InboxFull if answer == "full" else ActorDead) as caught:
                self.refs[name].tell(letter.content)
            assert caught.value.message == letter.content

    @rule(index=INDEX, call_fault=HARMLESS_FAULT)
    @when(lambda self: self.models)
    def ask(self, index: int, call_fault: str | None) -> None:
        """An ask never raises at the send; it settles once."""
        name = self.some(index, alive=False)
        letter = Letter(self.number(), is_ask=True)
        answer = self.models[name].offer(letter)
        future = self.refs[name].ask_future(letter.content)
        if answer == "accepted":

            def called(_: Any) -> None:
                self.calls[letter.content] += 1
                if call_fault is not None:
                    raise fault(call_fault)

            future.add_done_callback(called)
            self.asks.append((future, letter))
        else:
            with pytest.raises(InboxFull if answer == "full" else ActorDead):
                future.result(0)

    @rule(index=INDEX)
    @when(lambda self: self.busy())
    def ask_without_patience(self, index: int) -> None:
        """An ask that ran out of time is not handled later."""
        model = self.busy()[index % len(self.busy())]
        letter = Letter(self.number(), is_ask=True)
        if model.offer(letter) == "dead":
            with pytest.raises(ActorDead):
                self.refs[model.name].ask(letter.content, timeout=0)
        else:
            letter.fate = "given up"
            with pytest.raises(AskTimeout):
                self.refs[model.name].ask(letter.content, timeout=0)

    @rule(index=INDEX)
    @when(lambda self: self.busy())
    def handler_returns(self, index: int) -> None:
        """The reply goes to the asker; the next message is handled."""
        model = self.busy()[index % len(self.busy())]
        reply = self.number()
        model.settle("answered", reply)
        self.puppets[model.name].decisions.put(("return", reply))

    @rule(index=INDEX, name=FAULT_NAMES)
    @when(lambda self: self.busy())
    def handler_raises(self, index: int, name: str) -> None:
        """The asker is told and the actor lives on; without one it ends, alone."""
        model = self.busy()[index % len(self.busy())]
        model.settle("raised", name)
        self.puppets[model.name].decisions.put(("raise", name))

    @rule(index=INDEX, whom=INDEX)
    @when(lambda self: self.busy())
    def handler_asks(self, index: int, whom: int) -> None:
        """A handler asks any actor; a circle is refused at once."""
        model = self.busy()[index % len(self.busy())]
        self.let_ask(model, self.models[self.some(whom, alive=False)])

    @rule(index=INDEX)
    @when(lambda self: len([model for model in self.living() if not model.sealed]) > 1)
    def handlers_ask_each_other(self, index: int) -> None:
        """One asks another, which asks back while it handles that: the second ask is refused at once."""
        living = [model for model in self.living() if not model.sealed]
        first = living.pop(index % len(living))
        if first.waits is None and first.current is not None and living[0].current is None:
            self.let_ask(first, living[0])
            self.acted = True
            self.agree()
            self.let_ask(living[0], first)
            self.acted = True

    def let_ask(self, model: ActorModel, other: ActorModel) -> None:
        """The handler of *model* asks *other*."""
        letter = Letter(self.number(), is_ask=True)
        full = other.capacity is not None and len(other.inbox) >= other.capacity
        if other.waits_for(model):
            letter.fate = "circle"
        elif full and not other.sealed:
            return  # it would wait for room
        elif other.offer(letter) == "dead":
            letter.fate = "refused"
        model.waits = (other, letter)
        self.puppets[model.name].decisions.put(("ask", (self.refs[other.name], letter.content)))

    @rule(index=INDEX, asks=st.booleans())
    @when(lambda self: any(not model.sealed and model.capacity for model in self.busy()))
    def fill(self, index: int, asks: bool) -> None:
        """A mailbox is filled, by tells or by asks."""
        models = [model for model in self.busy() if not model.sealed and model.capacity]
        model = models[index % len(models)]
        for _ in range((model.capacity or 0) - len(model.inbox)):
            letter = Letter(self.number(), is_ask=asks)
            assert model.offer(letter) == "accepted"
            if asks:
                self.asks.append((self.refs[model.name].ask_future(letter.content), letter))
            else:
                self.refs[model.name].tell(letter.content)

    @rule(index=INDEX, how=st.sampled_from(["room", "stop", "abort"]))
    @when(lambda self: self.full_and_busy())
    def blocked_sender(self, index: int, how: str) -> None:
        """A sender that waits for room gets it, or is told that the actor ends."""
        model = self.full_and_busy()[index % len(self.full_and_busy())]
        ref, puppet = self.refs[model.name], self.puppets[model.name]
        letter = Letter(self.number(), is_ask=False)
        if how == "room":
            model.settle("answered", letter.content)
        elif how == "stop":
            model.sealed = True
        else:
            model.abort()
        act = {
            "room": lambda: puppet.decisions.put(("return", letter.content)),
            "stop": lambda: ref.stop(block=False),
            "abort": ref.abort,
        }[how]
        sent, _ = in_threads(lambda: ref.tell(letter.content, timeout=BOUND), act)
        if how == "room":
            assert sent is None
            assert model.offer(letter) == "accepted"
        else:
            assert isinstance(sent, ActorDead)
            assert sent.message == letter.content

    def full_and_busy(self) -> list[ActorModel]:
        """Those that handle something, and have no room."""
        return [
            model
            for model in self.busy()
            if not model.sealed and len(model.inbox) == model.capacity and model.inbox[0].fate != "given up"
        ]

    @rule(index=INDEX, delay=st.integers(0, 50), ticks=st.booleans())
    @when(lambda self: self.models)
    def set_timer(self, index: int, delay: int, ticks: bool) -> None:
        """A message comes later, once or again and again."""
        self.set_one(self.models[self.some(index)], delay, ticks=ticks)

    def set_one(self, model: ActorModel, delay: int, *, ticks: bool) -> None:
        """Set a timer of an actor; one that was told to end refuses it."""
        number, ref = self.number(), self.refs[model.name]
        seconds = delay + number / 1e6 + 0.001  # no two are due at once
        if model.sealed:
            with pytest.raises(ActorDead):
                ref.tell_every(seconds, number) if ticks else ref.tell_later(seconds, number)
            return
        timer = model.set_timer(number, self.alarm.by_hand.at + seconds, seconds if ticks else None)
        real = ref.tell_every(seconds, number) if ticks else ref.tell_later(seconds, number)
        self.timers.append((model, timer, real))

    @rule(count=st.integers(1, 3))
    @when(lambda self: self.living())
    def time_passes(self, count: int) -> None:
        """Until so many timers were due, one after another; there is one at least, unless all were told to end."""
        if not self.due():
            self.set_one(self.living()[0], 1, ticks=True)
        for _ in range(count):
            if not self.due():
                return
            model, timer = min(self.due(), key=lambda pair: pair[1].at)
            COUNTS["ticks"] += 1
            self.alarm.advance(timer.at - self.alarm.by_hand.at)
            self.alarm.by_hand.at = timer.at
            model.ring(timer)
            self.acted = True
            self.agree()

    def due(self) -> list[tuple[ActorModel, TimerModel]]:
        """The timers that are still to ring."""
        return [(model, one) for model in self.models for one in model.timers if one.is_due and not one.is_over]

    @rule(index=INDEX)
    @when(lambda self: self.timers)
    def cancel_timer(self, index: int) -> None:
        """No message of it is handled any more."""
        model, timer, real = self.timers.pop(index % len(self.timers))
        assert real.cancel() is model.cancel(timer)
        assert not real.active

    @rule(index=INDEX)
    @when(lambda self: self.models)
    def stop(self, index: int) -> None:
        """It handles what was accepted before, then ends; the stop waits for no room."""
        name = self.some(index, alive=False)
        model = self.models[name]
        model.sealed = True
        model.advance()
        self.refs[name].stop(block=False)

    @rule(index=INDEX)
    @when(lambda self: self.models)
    def abort(self, index: int) -> None:
        """It ends now: what it handles is interrupted, the rest is refused."""
        name = self.some(index, alive=False)
        self.models[name].abort()
        self.refs[name].abort("enough")

    def teardown(self) -> None:
        """End all of them: each ask has its answer, no thread is left."""
        sound = sys.exc_info()[0] is None
        crowd().alarm = self.real_alarm
        for model, ref in zip(self.models, self.refs, strict=False):
            model.abort()
            ref.abort("the end")
        if not sound:
            return
        self.acted = True
        self.agree()
        assert not self.asks
        for thread in threads() - self.before:
            thread.join(BOUND)
        left = [thread.name for thread in threads() - self.before]
        assert not left, f"threads are left: {left}"
        assert set(pykka.ActorRegistry.get_all()) == self.registered


TestActors = ActorMachine.TestCase
TestActors.settings = chosen()


def teardown_module() -> None:
    """Tell how much was tried; seen with ``-s``."""
    print(f"\nactor machine: {COUNTS['examples']} examples, {COUNTS['steps']} steps, {COUNTS['ticks']} ticks")  # noqa: T201
