"""How one agent ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Generic, cast

from pydantic import BaseModel, field_serializer, model_validator
from typing_extensions import TypeVar

from ...public import publish
from ..crash import raised_again, traceback_of
from .built_later import BUILT_LATER
from .conversation import Message
from .json_fields import AnError, AnyValue, Text
from .message import AgentId
from .result_field import RESULT
from .usage import NO_TOKENS, TokenUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

T_co = TypeVar("T_co", covariant=True, default=Any)


class AgentStatus(StrEnum):
    """Where an agent is in its life; the last seven are how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    PARKED = "parked"
    RESTARTING = "restarting"
    COMPLETED = "completed"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    ABANDONED = "abandoned"
    LOST = "lost"


class AgentOutcome(
    BaseModel, Generic[T_co], frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=BUILT_LATER
):
    """How one agent ended, and with what.

    Args:
        status: ``completed``, ``failed`` (``error`` is the agent's own error), ``crashed``, ``cancelled``,
            ``timed_out``, ``abandoned`` or ``lost`` (its node went).
        result: What ``run`` returned; None unless completed.
        started_at: UTC; None if it never started.
        ended_at: UTC.
        duration: Seconds from the first start to the end; 0 if it never started.
        restarts: How often it was started again.
        parent_id: The agent that started it; None for the program.
        depth: 0 for an agent that the program started, 1 for its children, and so on.
        model: The model that it asked; None for an agent without one.
        answered_by: The name of the manifest under which its conversation ended: its own, or that to which it was
            handed on. None for an agent without a conversation.
        usage: Tokens of its completions, over all its lives.
        cost_usd: What they cost.
        iterations: Turns of its loop.
        tool_calls: How many were asked for and counted.
        usage_total: Tokens of it and of all below it.
        cost_usd_total: What it and all below it cost.
        messages: The conversation of its last life; empty with ``SpawnConfig(keep_messages=False)``.
        key: Names the agent over all processes; None without a name.
        recalled: It ended before, and nothing was done for it now: in an earlier process, of which a journal tells, or
            in an earlier life of its parent. What it used is told again; it counts once.

    It goes through JSON, whatever it holds. What JSON cannot hold is said by its type, in its place; an error has
    ``type``, ``message``, ``cause`` and ``traceback``. Who reads it names the type of the result, where that is none
    of JSON's own.

    Example:
        ```python
        from actors import AgentOutcome, AgentPool

        with AgentPool() as pool:
            text = pool.submit(divmod, 7, 2).outcome().model_dump_json()
        print(AgentOutcome[tuple[int, int]].model_validate_json(text).result)
        ```

        ```text
        (3, 1)
        ```

    ``model_dump()``, without JSON, keeps query, tag, result and error as the objects that they are.
    """

    agent_id: AgentId
    name: Text
    query: AnyValue
    tag: AnyValue = None
    status: AgentStatus
    result: Annotated[T_co | None, RESULT] = None
    error: AnError = None
    started_at: datetime | None = None
    ended_at: datetime
    duration: float = 0.0
    restarts: int = 0
    parent_id: AgentId | None = None
    depth: int = 0
    model: Text | None = None
    answered_by: Text | None = None
    usage: TokenUsage = NO_TOKENS
    cost_usd: float = 0.0
    iterations: int = 0
    tool_calls: int = 0
    usage_total: TokenUsage = NO_TOKENS
    cost_usd_total: float = 0.0
    messages: tuple[Message, ...] = ()
    key: Text | None = None
    recalled: bool = False

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        from .outcome_words import parts_of

        return parts_of(self)

    def _repr_html_(self) -> str:
        from .outcome_html import outcome_html

        return outcome_html(self)

    @model_validator(mode="before")
    @classmethod
    def _from_json(cls, given: Any) -> Any:
        from .outcome_json import is_json, read

        return read(given) if is_json(given) else given

    @field_serializer("usage", "usage_total", "messages", when_used="json")
    def _said(self, value: Any) -> Any:
        from .outcome_json import said

        return said(value)

    def to_row(self) -> dict[str, str | int | float | bool | None]:
        """All of it in one flat row, for CSV, Parquet or a DataFrame: texts, numbers and truth values alone.

        A result with names in it (a model, a dataclass, a dict) has a column for each, ``result.label``, and in
        ``result`` its JSON. An agent that has a key has columns ``key`` and ``recalled``, too. Moments are texts in
        ISO 8601. Of several outcomes ``Outcomes.to_rows`` makes rows with the same columns.

        Example:
            ```python
            from actors import AgentPool

            with AgentPool() as pool:
                row = pool.submit(divmod, 7, 2).outcome().to_row()
            print(row["status"], row["result"])
            ```

            ```text
            completed [3, 1]
            ```
        """
        from .outcome_row import row_of

        return row_of(dict(self))

    @property
    def ok(self) -> bool:
        """Did it complete?"""
        return self.status is AgentStatus.COMPLETED

    @property
    def traceback(self) -> str | None:
        """The frames of the agent's own code that led to the error, as Python prints them; None where nothing was
        raised, or where it is not known. Formatted on demand.
        """
        return None if self.error is None else traceback_of(self.error)

    def unwrap(self) -> T_co:
        """The result.

        Raises:
            ActorsError: A fresh copy of ``error``, when it did not complete.
        """
        if self.error is not None:
            raise raised_again(self.error, alone=True)
        return cast("T_co", self.result)


publish("actors.agents", AgentOutcome, AgentStatus)
