"""JSON Schemas as a provider takes them: one that it does not take spoils the whole request.

What is changed keeps its meaning as near as possible; what cannot be said in the provider's words is said in the
description. What a tool takes is checked by its own schema all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....agent.bounds import problem_in
from .maker import SchemaMaker
from .parts import said_as
from .references import RefusedError
from .rules import ANTHROPIC, CAREFUL, GEMINI, MOONSHOT, OPENAI, RULES, SchemaRules

__all__ = [
    "ANTHROPIC",
    "CAREFUL",
    "GEMINI",
    "MOONSHOT",
    "OPENAI",
    "RULES",
    "Accepted",
    "Refused",
    "SchemaRules",
    "acceptable",
]

MAX_VALUES = 50_000
"""How many values of any kind the given one may hold."""
MAX_CHARACTERS = 200_000
"""Of the schema that comes out, as JSON."""
MAX_NOTES = 20


@dataclass(frozen=True, slots=True)
class Accepted:
    """A schema that a provider takes; ``notes`` say what was changed that changes what is taken."""

    schema: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """There is none; ``reason`` says why."""

    reason: str


def acceptable(schema: object, rules: SchemaRules = CAREFUL) -> Accepted | Refused:
    """*schema*, of a tool's arguments or of an answer, as *rules* have it.

    Pure, and never raises: a schema may come from a stranger. What is accepted is accepted again as it is. It takes
    some ten microseconds for each schema inside: keep what it gives.
    """
    if problem := problem_in(schema, nodes=MAX_VALUES, numbers=False):
        return Refused(problem)
    if isinstance(schema, Mapping):
        schema = dict(schema)
    elif schema is not True:
        return Refused(f"it is no JSON Schema but {said_as(schema)}")
    maker = SchemaMaker(schema, rules)
    try:
        made = maker.root()
    except RefusedError as refusal:
        return Refused(str(refusal))
    size = len(json.dumps(made))
    if size > MAX_CHARACTERS:
        return Refused(f"it has {size:,} characters, more than {MAX_CHARACTERS:,}")
    return Accepted(made, tuple(maker.notes[:MAX_NOTES]))
