"""What JSON Schemas are made of: types, leaves, and two as one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from ....agent.bounds import problem_in
from ..shown import short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Schema: TypeAlias = dict[str, Any]

KINDS = ("string", "number", "integer", "boolean", "object", "array", "null")
_ALSO = {
    "str": "string", "text": "string", "int": "integer", "long": "integer", "float": "number", "double": "number",
    "decimal": "number", "bool": "boolean", "dict": "object", "map": "object", "list": "array", "tuple": "array",
    "none": "null", "nonetype": "null",
}  # fmt: skip


def kinds_in(given: Any) -> list[str]:
    """The types that ``type`` names, each once; also by names that people use for them."""
    named = given if isinstance(given, list) else [given]
    words = [one.strip().lower() for one in named if isinstance(one, str) and len(one) < 20]
    return equal_once(kind for word in words if (kind := _ALSO.get(word, word)) in KINDS)


def kind_of(value: Any) -> str:
    """The type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) or value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list | tuple) else "object"


def may_both(one: Sequence[str], other: Sequence[str]) -> bool:
    """Can a value be of a type of both? No types are any."""
    number = {"integer", "number"}
    return not one or not other or bool(set(one) & set(other)) or bool(number & set(one) and number & set(other))


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _number(value: Any) -> float | int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and not problem_in(value) else None


def _positive(value: Any) -> float | int | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_NUMBERS, _STRING, _ARRAY, _OBJECT = ("number", "integer"), ("string",), ("array",), ("object",)

LEAVES: dict[str, tuple[tuple[str, ...], Callable[[Any], Any] | None]] = {
    "minLength": (_STRING, _count),
    "maxLength": (_STRING, _count),
    "pattern": (_STRING, _text),
    "format": ((*_STRING, *_NUMBERS), _text),
    "minimum": (_NUMBERS, _number),
    "maximum": (_NUMBERS, _number),
    "exclusiveMinimum": (_NUMBERS, _number),
    "exclusiveMaximum": (_NUMBERS, _number),
    "multipleOf": (_NUMBERS, _positive),
    "minItems": (_ARRAY, _count),
    "maxItems": (_ARRAY, _count),
    "uniqueItems": (_ARRAY, _truth),
    "minProperties": (_OBJECT, _count),
    "maxProperties": (_OBJECT, _count),
    "items": (_ARRAY, None),
    "prefixItems": (_ARRAY, None),
    "properties": (_OBJECT, None),
    "required": (_OBJECT, None),
    "additionalProperties": (_OBJECT, None),
    "patternProperties": (_OBJECT, None),
    "propertyNames": (_OBJECT, None),
}
"""Keyword -> the types that it is for, and what makes a proper value of what was given (None: there is none)."""

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_WORDS = ("description", "title", "default", "examples")


def without(schema: Schema, word: str) -> Schema:
    """*schema* without that keyword."""
    return {key: value for key, value in schema.items() if key != word}


def bare(schema: Schema) -> Schema:
    """*schema* without its words."""
    return {key: value for key, value in schema.items() if key not in _WORDS}


def children(given: Any) -> Mapping[str, Any]:
    """What ``properties`` holds."""
    return given if isinstance(given, dict) else {}


def names_in(given: Any) -> list[str]:
    """What ``required`` names, each once."""
    return equal_once(name for name in given if isinstance(name, str)) if isinstance(given, list) else []


def equal_once(values: Iterable[Any]) -> list[Any]:
    """*values* without those that are equal, as JSON, to an earlier one."""
    found: dict[str, Any] = {}
    for value in values:
        alike = int(value) if isinstance(value, float) and value.is_integer() else value
        found.setdefault(json.dumps(alike, sort_keys=True, default=repr), value)
    return list(found.values())


def values_of(schema: Schema) -> list[Any]:
    """What ``enum`` or ``const`` lists, each once."""
    if "const" in schema:
        values = [schema["const"]]
    else:
        found = schema.get("enum")
        values = found if isinstance(found, list) else []
    return equal_once(value for value in values if not problem_in(value))


def exclusive_of(schema: Schema) -> dict[str, Any]:
    """Exclusive bounds as numbers: before 2017 they were true beside ``minimum``."""
    found: dict[str, Any] = {}
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(word), bool):
            found[word] = schema.get(bound) if schema[word] else None
            if schema[word]:
                found[bound] = None
    return found


def merged(one: Schema, other: Schema, notes: list[str]) -> Schema:
    """What fits both, as near as one schema can say that; words are those of *one* first."""
    result = dict(one)
    for word, value in other.items():
        if word not in result or result[word] == value:
            result[word] = value
        elif word in _WORDS:
            continue
        else:
            result[word] = _both(word, result[word], value, notes)
    return result


def _both(word: str, one: Any, other: Any, notes: list[str]) -> Any:
    if word == "properties" and isinstance(one, dict) and isinstance(other, dict):
        return {
            name: _all_of(one[name], other[name]) if name in one and name in other else one.get(name, other.get(name))
            for name in (*one, *(name for name in other if name not in one))
        }
    if word == "required":
        return equal_once([*names_in(one), *names_in(other)])
    if word == "type":
        first, second = kinds_in(one), kinds_in(other)
        common = [kind for kind in first if kind in second]
        if "integer" in first + second and "number" in first + second and "integer" not in common:
            common.append("integer")
        if common or not second:
            return common or one
        if not first:
            return second
    if word == "enum" and isinstance(one, list) and isinstance(other, list):
        common_values = [value for value in one if value in other]
        if common_values:
            return common_values
    if word in _LOWER + _UPPER and _number(one) is not None and _number(other) is not None:
        return max(one, other) if word in _LOWER else min(one, other)
    if word == "allOf" and isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    if word == "items" and isinstance(one, dict) and isinstance(other, dict):
        return _all_of(one, other)
    if word == "additionalProperties" and False in (one, other):
        return False
    notes.append(f"two values of {word[:100]} cannot be one: the first is kept")
    return one


def _all_of(one: Any, other: Any) -> Any:
    if one == other or other is True:
        return one
    return other if one is True else {"allOf": [one, other]}


def json_of(value: Any) -> str:
    """*value* as JSON; what JSON cannot hold is null."""
    return "null" if problem_in(value) else json.dumps(value, ensure_ascii=False)


def said_as(value: Any) -> str:
    """*value* as a note says it: on one line, harmless to show."""
    return short(json_of(value), 100)
