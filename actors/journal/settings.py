"""How a journal is kept: what its door is told, checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeVar

from ..agent.ledger import InDoubt
from ..core.records.outcome import AgentStatus
from ..public import publish
from ..storage.durability import Durability

EnumT = TypeVar("EnumT", bound=StrEnum)


class OnChange(StrEnum):
    """What becomes of an agent that is asked something else than what was recorded under its key: it is refused, or
    what was recorded is set aside and it is run again.
    """

    REFUSE = "refuse"
    RERUN = "rerun"


DurabilityWord = Literal["process", "power"]
OnChangeWord = Literal["refuse", "rerun"]
StatusWord = Literal["completed", "failed", "crashed", "cancelled", "timed_out", "abandoned", "lost"]
ENDED = tuple(AgentStatus)[-7:]
"""How an agent may end."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a journal was told at its door.

    Args:
        final: Statuses that are not run again.
        max_attempts: So many processes may die while an agent lives; None has no limit.
    """

    durability: Durability
    final: frozenset[str]
    on_change: OnChange
    in_doubt: InDoubt
    max_attempts: int | None


def settings_of(
    *, durability: object, final: object, on_change: object, in_doubt: object, max_attempts: object
) -> Settings:
    """The settings of these words.

    Raises:
        TypeError, ValueError: One of them is none; the message says what is allowed.
    """
    if max_attempts is not None:
        if isinstance(max_attempts, bool) or not isinstance(max_attempts, int):
            raise TypeError(f"max_attempts must be a whole number or None, got {max_attempts!r}")
        if max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, got {max_attempts}")
    return Settings(
        durability=_member(Durability, "durability", durability),
        final=_statuses(final),
        on_change=_member(OnChange, "on_change", on_change),
        in_doubt=_member(InDoubt, "in_doubt", in_doubt),
        max_attempts=max_attempts,
    )


def _member(kind: type[EnumT], name: str, word: object) -> EnumT:
    known = " or ".join(repr(str(one)) for one in kind)
    if not isinstance(word, str):
        raise TypeError(f"{name} must be {known}, got {word!r}")
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"{name} must be {known}, got {word!r}") from None


def _statuses(final: object) -> frozenset[str]:
    if isinstance(final, str) or not isinstance(final, Iterable):
        raise TypeError(f'final must be statuses, as in final=("completed", "failed"), got {final!r}')
    found = list(final)
    for status in found:
        if not isinstance(status, str):
            raise TypeError(f"final must be statuses, got {status!r} among them")
        if status not in tuple(map(str, ENDED)):
            raise ValueError(f"final must be of {', '.join(map(str, ENDED))}; got {status!r} among them")
    return frozenset(str(AgentStatus(status)) for status in found)


publish("actors.journals", OnChange)
