"""What a journal says in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loguru import logger

from ..core.checks import leaf_lock
from ..core.records.json_value import class_name

if TYPE_CHECKING:
    from ..agent.agent import Agent


class Told:
    """Says once what concerns many agents.

    Threads: any.

    Locks: ``_lock`` guards ``_types``.
    """

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self._types: set[tuple[str, str]] = set()

    def _is_new(self, what: str, type_name: str) -> bool:
        with self._lock:
            is_new = (what, type_name) not in self._types
            self._types.add((what, type_name))
        return is_new

    def step_not_kept(self, type_name: str) -> None:
        """JSON does not hold the result of a step, of that type, exactly."""
        if self._is_new("step", type_name):
            logger.warning(
                "results of steps of type {} are not kept by the journal: JSON does not hold them exactly. On resume a "
                "step that is idempotent is done again, and any other is in doubt. Name the type, one that pydantic "
                "knows: step(..., result_type=...)",
                type_name,
            )

    def not_kept(self, type_name: str, agent_class: type[Agent[Any]]) -> None:
        """JSON does not hold a result of that type exactly."""
        if self._is_new("agent", type_name):
            logger.warning(
                "results of type {} are not kept by the journal: JSON does not hold them exactly. On resume such an "
                "agent is run again from what it has bought and done, which buys nothing. Or name the type, one that "
                "pydantic knows: {}.result_type = ...",
                type_name,
                class_name(agent_class),
            )

    @staticmethod
    def budget(warning: str) -> None:
        """A budget warns of what earlier processes have spent."""
        logger.warning("{}", warning)
