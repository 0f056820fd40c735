"""One agent in the model."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
    """What is settled about an agent when it is spawned.

    Args:
        number: Its query and its tag.
        births: By incarnation: where it fails (``init`` or ``start``), and with what; None lets it live.
        end_fault: What its ``on_end`` raises.
        limit: ``timeout`` or ``deadline`` of 0 seconds: it never gets to run.
        call_fault: What its done callback raises.
    """

    number: int
    births: tuple[tuple[str, str] | None, ...] = ()
    end_fault: str | None = None
    priority: int = 0
    group: str | None = None
    limit: str | None = None
    call_fault: str | None = None


Item = tuple[str, int, int]
"""What lies in a mailbox: ``msg`` or ``ask``, its sender and its content."""


@dataclass(eq=False)
class Life:
    """What is known of one agent.

    Args:
        stage: ``queued``, ``live`` or ``ended``.
        activity: What it does: None when it runs and waits for a command.
        parked, on: Whether, and for what, since its last report.
        verdict: How it has to end, once that is settled: the status, and the detail of it.
        delivery: What became of the message that it waits to send.
        putter: Who waits for room in its mailbox, and with what.
        unsure: What a sender that was cancelled may have got into the mailbox, or may not.
    """

    id: int
    plan: Plan
    parent: Life | None = None
    stage: str = "queued"
    activity: tuple[Any, ...] | None = ("birth",)
    parked: bool = False
    on: str = ""
    restarting: bool = False
    cancelled: bool = False
    verdict: tuple[str, Any] | None = None
    status: str | None = None
    restarts: int = 0
    built: bool = False
    started: bool = False
    ends: int = 0
    owed: bool = False
    depth: int = 0
    inbox: deque[Item] = field(default_factory=deque)
    putter: tuple[Life, Item] | None = None
    unsure: Item | None = None
    delivery: str | None = None
    answered: tuple[bool, Any] | None = None
    children: list[Life] = field(default_factory=list)

    @property
    def kind(self) -> str | None:
        """The word for what it does."""
        return None if self.activity is None else self.activity[0]

    @property
    def is_ready(self) -> bool:
        """Does it run, and wait for a command?"""
        return self.stage == "live" and self.activity is None and not self.cancelled

    def below(self) -> list[Life]:
        """It and all its descendants that have not ended."""
        found = [] if self.stage == "ended" else [self]
        for child in self.children:
            found += child.below()
        return found

    def is_below(self, other: Life) -> bool:
        """Is *other* it or one of its ancestors?"""
        life: Life | None = self
        while life is not None:
            if life is other:
                return True
            life = life.parent
        return False

    def can_go_on(self) -> bool:
        """Is what it waits for there? Then it is only a slot that it may still lack."""
        match self.activity:
            case ("receive", None):
                return bool(self.inbox)
            case ("send", *_):
                return self.delivery is not None
            case ("park", gate):
                return bool(gate.is_set())
            case ("await", Life() as target):
                return target.stage == "ended"
            case ("ask", *_):
                return self.answered is not None
        return True
