"""The events of a run: counted, and written to a file when there is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..core.records.answer import CompletionFinished
from .jsonl import JsonLines
from .output import open_output
from .refusal import why

if TYPE_CHECKING:
    from ..core.records.event import Event
    from .tally import Tally


class EventSink:
    """What the pool calls with each event.

    Args:
        tally: Where completions are counted.
        path: A file for all events; None = only count.
        resume: Go on with a file that is there; else it is emptied.

    Threads: the pool's event delivery alone calls it; ``close`` comes after the pool.
    """

    def __init__(self, tally: Tally, path: str | None, *, resume: bool = False) -> None:
        self._tally = tally
        self._path = path
        self._lines: JsonLines | None = None
        if path is not None:
            self._lines = JsonLines(open_output(path, option="--events", mode="ab" if resume else "wb"))
        self.problem: str | None = None
        """Why the file is not complete."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, CompletionFinished):
            count = self._tally.save if event.recalled else self._tally.spend
            count(event.input_tokens, event.output_tokens, event.cost_usd)
        if self._lines is None or self.problem is not None:
            return
        try:
            self._lines.write(record_of(event))
        except OSError as error:
            self.problem = f"--events {self._path}: cannot be written any more: {why(error)}"

    def close(self) -> None:
        """Close the file."""
        if self._lines is not None:
            self._lines.close()


def word_of(kind: type[Event]) -> str:
    """How a line names that kind of event: ``agent_started``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def record_of(event: Event) -> dict[str, Any]:
    """The fields of one line; ``event`` is the kind, such as ``agent_started``."""
    at = None if event.at is None else event.at.isoformat()
    return {"event": word_of(type(event)), **dict(event), "at": at}
