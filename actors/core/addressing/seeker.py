"""A sender that waits for room in any of several mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import Cancelled, DispatcherExhausted
from ..messaging.putter import Put, Putter
from ..waiting.wait_graph import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..messaging.mailbox import Mailbox
    from ..waiting.wait_graph import WaitNode

GIVEN_UP = "given up"


class Seeker(Putter):
    """A sender that stands in the lines of several mailboxes: the first that has room takes its item.

    Locks: none. What became of it is decided once, by a single operation: the mailbox that took the item, or that it
    was given up.
    """

    __slots__ = ("_fate",)

    def __init__(self, item: Any) -> None:
        super().__init__(item)
        self._fate: dict[str, Any] = {}

    def admit(self, mailbox: Mailbox) -> bool:
        """There is room in *mailbox*; False: it was found elsewhere, or is not sought any more."""
        if self._fate.setdefault("fate", mailbox) is not mailbox:
            return False
        self.result = Put.ACCEPTED
        return True

    def refuse(self) -> None:
        """One of the mailboxes was closed: it is woken, and looks at all of them again."""

    def give_up(self) -> Mailbox | None:
        """Seek no longer; the mailbox that has taken the item, if one has."""
        fate = self._fate.setdefault("fate", GIVEN_UP)
        return None if fate is GIVEN_UP else fate

    def seek(
        self,
        mailboxes: Sequence[Mailbox],
        timeout: float | None,
        target: WaitNode | None,
        is_wanted: Callable[[], bool],
    ) -> Mailbox | None:
        """Wait for room in any of *mailboxes*, at most *timeout* seconds, or until it is given up.

        Args:
            target: Who makes room, if the wait takes part in the search for circles.
            is_wanted: Called when it stands in line: False does not wait.
        Returns:
            The one that has taken the item; None: none has, and none will.
        """
        lined: list[Mailbox] = []
        try:
            for mailbox in mailboxes:
                if not mailbox.line_up(self):
                    break  # there is room now, or it was closed
                lined.append(mailbox)
            else:
                if is_wanted():
                    wait_for(self.waiter, timeout, "room in a mailbox of a router", target)
        except (Cancelled, DispatcherExhausted):
            if self.give_up() is None:  # else it is on its way: who sends must know
                raise
        except BaseException:
            self.give_up()
            raise
        finally:
            for mailbox in lined:
                mailbox.leave_line(self)
        return self.give_up()
