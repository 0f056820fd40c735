"""Something that is done in the writer's thread, for somebody who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence


class Errand:
    """Something else that is done in the writer's thread, in its transaction, behind the entries that were added
    before; what fails of it leaves no trace, and is nobody else's failure.

    Args:
        do: Called with the connection.
    """

    __slots__ = ("_do", "_fault", "_result")

    def __init__(self, do: Callable[[sqlite3.Connection], Any]) -> None:
        self._do = do
        self._result: Any = None
        self._fault: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Do it, again if need be. Threads: the writer's."""
        self._result = self._fault = None
        connection.execute("SAVEPOINT errand")
        try:
            self._result = self._do(connection)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            self._fault = error
            if connection.in_transaction:
                connection.execute("ROLLBACK TO errand")
        finally:
            if connection.in_transaction:
                connection.execute("RELEASE errand")

    def result(self) -> Any:
        """What came of it, when it was done."""
        if self._fault is not None:
            raise self._fault
        return self._result


def run_all(connection: sqlite3.Connection, errands: Sequence[Errand]) -> None:
    """Do *errands*, one after another: what a ``Committer`` writes whose entries are all of this kind.

    Raises:
        Exception: What one has met that ended the transaction (a full disk): nothing of any is there.
    """
    for errand in errands:
        errand.run(connection)
        if not connection.in_transaction:
            errand.result()
