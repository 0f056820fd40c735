"""Looks through an input once before anything runs: what makes no sense is refused then, not after hours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .job import BadInput
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .job import Job

BAD_INPUTS_SHOWN = 20
SHARED_SHOWN = 10


@dataclass(slots=True)
class Survey:
    """What an input holds.

    Args:
        jobs: How many; None = cannot say.
        fields: Those that come back in the rows, in the order in which they come.
        tagged: Does a job have a tag?
        bad: The first pieces that are no jobs.
        bad_count: How many there are.
    """

    jobs: int | None = None
    fields: dict[str, None] = field(default_factory=dict)
    tagged: bool = False
    bad: list[BadInput] = field(default_factory=list)
    bad_count: int = 0


def survey_of(items: Iterable[tuple[str, Job | BadInput]], *, key: str | None, stopped: Callable[[], bool]) -> Survey:
    """Look through *items*, each with its place.

    Args:
        key: The field that has to tell them apart; None: nothing does.
        stopped: Is nobody interested any more?

    Raises:
        RefusedError: Two share a key, or not one of them has a field that an option names.
    """
    survey = Survey(jobs=0)
    places: dict[str, str] = {}
    shared: list[str] = []
    jobs, lacking = 0, 0
    for where, item in items:
        if stopped():
            return survey
        if isinstance(item, BadInput):
            survey.bad_count += 1
            lacking += item.lacks
            if len(survey.bad) < BAD_INPUTS_SHOWN:
                survey.bad.append(item)
            continue
        jobs += 1
        survey.tagged = survey.tagged or item.tag is not None
        if survey.fields.keys() != item.fields.keys():
            survey.fields.update(dict.fromkeys(item.fields))
        if key is not None and (first := places.setdefault(item.key, where)) is not where:
            shared.append(f"{where}: its {key} is {item.key!r}, as at {first}: --key needs one for each line")
    if shared:
        more = [f"and {len(shared) - SHARED_SHOWN:,} more"] * (len(shared) > SHARED_SHOWN)
        raise RefusedError(*shared[:SHARED_SHOWN], *more)
    if lacking and not jobs:
        raise RefusedError(next(str(bad) for bad in survey.bad if bad.lacks))
    survey.jobs = jobs
    return survey
