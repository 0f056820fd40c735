"""What a long-lived actor should do, in plain Python."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(eq=False)
class Letter:
    """One message.

    Args:
        fate: ``accepted``, ``handling``, ``answered``, ``raised``, ``refused`` (its actor ended) or ``given up`` (its
            asker did).
        seen: Has the actor reported that it handles it?
    """

    content: int
    is_ask: bool
    fate: str = "accepted"
    reply: object = None
    seen: bool = False


@dataclass(eq=False)
class TimerModel:
    """A timer of an actor.

    Args:
        at: When it is due.
        every: Seconds after which it is due again; None for one that comes once.
        is_due: Is it still to ring?
        is_over: Was it cancelled, or did its actor end?
        lies: The last message that it has put in.
        refused: It rang, and its actor accepted nothing any more.
    """

    content: int
    at: float
    every: float | None
    is_due: bool = True
    is_over: bool = False
    lies: Letter | None = None
    refused: bool = False

    @property
    def is_active(self) -> bool:
        """Is a message of it still to come?"""
        return not self.is_over and (self.is_due or self.lies_unread or self.refused)

    @property
    def lies_unread(self) -> bool:
        """Does its message lie in the mailbox?"""
        return self.lies is not None and self.lies.fate == "accepted"


@dataclass(eq=False)
class ActorModel:
    """An actor that keeps its promises.

    Args:
        waits: The ask that its handler waits for, and of whom.
        hooks: What it has to have called, at its end.
    """

    name: int
    capacity: int | None
    inbox: deque[Letter] = field(default_factory=deque)
    current: Letter | None = None
    waits: tuple[ActorModel, Letter] | None = None
    sealed: bool = False
    ended: bool = False
    hooks: list[str] = field(default_factory=list)
    timers: list[TimerModel] = field(default_factory=list)

    def offer(self, letter: Letter) -> str:
        """A message is sent without waiting: ``accepted``, ``full`` or ``dead``."""
        if self.sealed or self.ended:
            return "dead"
        if self.capacity is not None and len(self.inbox) >= self.capacity:
            return "full"
        self.inbox.append(letter)
        self.advance()
        return "accepted"

    def advance(self) -> None:
        """Take what is next, or end."""
        while self.current is None and not self.ended:
            if self.inbox:
                letter = self.inbox.popleft()
                if letter.fate != "given up":  # nobody waits for it any more: it is not handled
                    letter.fate = "handling"
                    self.current = letter
            elif self.sealed:
                self.end("on_stop")
            else:
                return

    def set_timer(self, content: int, at: float, every: float | None) -> TimerModel:
        """It ends with the actor."""
        timer = TimerModel(content, at, every)
        self.timers.append(timer)
        return timer

    def ring(self, timer: TimerModel) -> None:
        """It is due: its message comes in, if there is room, and none of it lies there."""
        if timer.every is None:
            timer.is_due = False
        else:
            timer.at += timer.every
        if not timer.lies_unread:
            letter = Letter(timer.content, is_ask=False)
            answer = self.offer(letter)
            if answer == "accepted":
                timer.lies = letter
            timer.refused = answer == "dead"

    def cancel(self, timer: TimerModel) -> bool:
        """Nothing of it is handled any more; False when it had ended."""
        was_active, timer.is_over = timer.is_active, True
        if timer.lies_unread and timer.lies is not None:
            timer.lies.fate = "given up"
        return was_active

    def settle(self, fate: str, reply: object = None) -> None:
        """The handler is done with the current message."""
        letter, self.current = self.current, None
        assert letter is not None
        if letter.fate == "handling":
            letter.fate, letter.reply = fate, reply
        if fate == "raised" and not letter.is_ask:
            self.end("on_failure")
        else:
            self.advance()

    def abort(self) -> None:
        """Cancelled now."""
        if self.ended:
            return
        if self.current is not None and self.current.fate == "handling":
            self.current.fate = "refused"
        if self.waits is not None:
            self.waits[1].fate = "given up"
            self.waits = None
        self.end("on_stop")

    def end(self, hook: str | None) -> None:
        """It is over: what was not handled is refused."""
        self.ended = self.sealed = True
        for timer in self.timers:
            timer.is_over = True
        self.current = None
        if hook is not None:
            self.hooks.append(hook)
        for letter in self.inbox:
            if letter.fate == "accepted":
                letter.fate = "refused"
        self.inbox.clear()

    def waits_for(self, other: ActorModel) -> bool:
        """Does it wait for *other*, directly or not?"""
        following: ActorModel | None = self
        while following is not None:
            if following is other:
                return True
            following = None if following.waits is None else following.waits[0]
        return False
