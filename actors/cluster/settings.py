"""What a host is told as it is made."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..core.records.spec import RestartPolicy


class HostSettings(NamedTuple):
    """What a host is told as it is made: what the pool was told of its agents, by the names of ``AgentPool``.

    Args:
        name: For threads and messages.
        lost_after: Seconds without an answer after which the program gives the host up.
        tells_all: Are the events of all agents told, whoever they are?
        tells_text: And the text of answers as it comes?
    """

    name: str
    inbox_capacity: int
    max_live: int | None
    stalled_after: float | None
    abort_timeout: float
    restart: RestartPolicy | None
    lost_after: float
    with_content: bool
    tells_all: bool
    tells_text: bool

    def dump(self) -> bytes:
        """As bytes."""
        return pickle.dumps(self, pickle.HIGHEST_PROTOCOL)

    @classmethod
    def load(cls, data: bytes) -> HostSettings:
        """What :meth:`dump` made."""
        settings = pickle.loads(data)  # noqa: S301 - of the program
        if not isinstance(settings, cls):
            raise TypeError(f"expected the settings of a host, got {type(settings).__name__}")
        return settings
