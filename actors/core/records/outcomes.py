"""How many agents ended, and what becomes of the others when one fails."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Literal, cast

from typing_extensions import TypeVar

from ...public import publish
from ..crash import raised_again
from ..shown import agent_label
from .failed import has_failed

if TYPE_CHECKING:
    from .outcome import AgentOutcome


T = TypeVar("T", default=Any)

SHOWN = 10
"""So many stand in a ``repr``."""


class FailurePolicy(StrEnum):
    """What becomes of the other agents when one fails: nothing, or they are cancelled."""

    COLLECT = "collect"
    CANCEL_REST = "cancel_rest"


FailureWord = Literal["collect", "cancel_rest"]


class Outcomes(dict[int, "AgentOutcome[T]"], Generic[T]):
    """Outcomes by agent id, in order of completion: an ordinary dict, that can be unwrapped.

    As of any dict, a ``for`` over it gives the ids; :meth:`values` gives the outcomes.

    Example:
        ```python
        from actors import AgentPool

        with AgentPool() as pool:
            pool.submit(len, "word")
            for outcome in pool.join_all().values():
                print(outcome.name, outcome.status)
        ```

        ```text
        len completed
        ```
    """

    def __repr__(self) -> str:
        shown = ", ".join(f"{id_}: {self[id_]!r}" for id_ in islice(self, SHOWN))
        more = f", … and {len(self) - SHOWN:,} more" if len(self) > SHOWN else ""
        return f"{type(self).__name__}({{{shown}{more}}})"

    def _repr_html_(self) -> str:
        from .outcome_html import outcomes_html

        return outcomes_html(list(self.values()))

    def unwrap(self) -> dict[int, T]:
        """The results by agent id, when all completed.

        Raises:
            ExceptionGroup: Fresh copies of the errors of those that failed, in order of completion, each with a note
                that names its agent. Those that were only cancelled count when nobody failed.
        """
        bad = [outcome for outcome in self.values() if not outcome.ok]
        failed = [outcome for outcome in bad if has_failed(outcome)] or bad
        if failed:
            raise ExceptionGroup(f"{len(bad)} of {len(self)} agents did not complete", [_noted(o) for o in failed])
        return {id_: cast("T", outcome.result) for id_, outcome in self.items()}

    def to_rows(self) -> list[dict[str, str | int | float | bool | None]]:
        """A flat row for each, all with the same columns: for CSV, Parquet or a DataFrame.

        See ``AgentOutcome.to_row``. A column that one of them does not have is None in its row.

        Example:
            ```python
            import csv
            import sys

            from actors import AgentPool

            with AgentPool(max_queued=None) as pool:
                for number in range(3):
                    pool.submit(divmod, 6, number)
                rows = pool.join_all().to_rows()
            writer = csv.DictWriter(sys.stdout, rows[0])
            writer.writeheader()
            writer.writerows(rows)
            ```
        """
        from .outcome_row import aligned

        return aligned([outcome.to_row() for outcome in self.values()])


def _noted(outcome: AgentOutcome[Any]) -> Exception:
    assert outcome.error is not None
    error = raised_again(outcome.error)
    note = f"{agent_label(outcome.agent_id, outcome.name)}, {outcome.status}"
    if note not in getattr(error, "__notes__", ()):  # one that cannot be copied has it from before
        error.add_note(note)
    return error


publish("actors.agents", FailurePolicy, Outcomes)
