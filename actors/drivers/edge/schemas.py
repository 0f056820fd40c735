"""TEMP."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SchemaRules:
    """TEMP."""


@dataclass
class Made:
    schema: object
    refusal: str = ""


def acceptable(schema: object, rules: SchemaRules) -> Made:
    """TEMP."""
    return Made({"type": "object", "properties": {}, **schema})
