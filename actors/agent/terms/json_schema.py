"""Answers that have to fit a JSON Schema which somebody wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...core.crash import text_of
from ...core.shown import shown
from .importing import OBJECT_PATH
from .manifest_problems import did_you_mean
from .shortened import shortened
from .structured import (
    LONGEST,
    PROBLEMS,
    Shape,
    json_of,
    place_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_OBJECT_PATH = re.compile(rf"^{OBJECT_PATH}$")
LONGEST_PROBLEM = 300
"""Characters of one of them."""


class SchemaShape(Shape):
    """What the answer has to be, by a JSON Schema; its values are what ``json.loads`` makes.

    Args:
        schema: One that :func:`check_schema` lets pass.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        from referencing import Registry

        self.schema = schema
        # With a registry of its own nothing is fetched from anywhere.
        self._validator = _validator_class(schema)(schema, registry=Registry())

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has the schema."""
        return type(self), (self.schema,)

    def read(self, text: str) -> Any:
        """The value of *text*.

        Raises:
            ValueError: It does not fit; the message tells the model what to mend.
        """
        try:
            value = json.loads(json_of(text), parse_constant=_no_number)
            found = sorted(self._validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
        except json.JSONDecodeError as error:
            raise ValueError(f"Invalid JSON: {error}") from None
        except Exception as error:  # nested too deep, say
            raise ValueError(shortened(f"{type(error).__name__}: {text_of(error)}", LONGEST)) from error
        if found:
            problems = [f"{place_of(error.absolute_path)}{shown(error.message, LONGEST_PROBLEM)}" for error in found]
            raise ValueError(shortened("; ".join(problems[:PROBLEMS]), LONGEST))
        return value

    def fitted(self, value: Any) -> Any:
        """*value* as JSON has it.

        Raises:
            ValueError: It does not fit.
        """
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, RecursionError) as error:
            raise ValueError(f"JSON has no such value: {error}") from error
        return self.read(text)


@lru_cache(maxsize=64)
def _kept_shape(schema: str) -> SchemaShape:
    return SchemaShape(json.loads(schema))


def shape_of_schema(schema: Mapping[str, Any]) -> SchemaShape:
    """The shape of *schema*, which many agents share."""
    return _kept_shape(json.dumps(schema))


def output_of(value: Any) -> Any:
    """What ``output`` of a manifest says: a path, or a JSON Schema; each also in a table of its own, under its name.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, Mapping):
        value = dict(value)
    if isinstance(value, dict) and len(value) == 1 and not value.keys().isdisjoint(("model", "schema")):
        ((name, value),) = value.items()
        if not isinstance(value, str if name == "model" else dict):
            raise ValueError(f"{name}: must be {'package.module:name' if name == 'model' else 'a table'}")
    if isinstance(value, str):
        if _OBJECT_PATH.match(value) is None:
            raise ValueError(f"must be a JSON Schema, or have the form 'package.module:name', got {value!r}")
    elif isinstance(value, dict):
        check_schema(value)
    elif value is not None:
        raise ValueError(f"must be a JSON Schema, or have the form 'package.module:name', got {type(value).__name__}")
    return value


def check_schema(schema: dict[str, Any]) -> None:
    """Refuse what is no JSON Schema.

    Raises:
        ValueError: With the place of what is wrong.
    """
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON Schema: {error}") from None
    validator = _validator_class(schema)
    keywords = set(validator.VALIDATORS) | set(validator.META_SCHEMA.get("properties", ()))
    if not set(schema) & keywords:
        known = "type, properties, required, enum, ..."
        meant = did_you_mean(next(iter(schema), None), ["model", "schema", *sorted(keywords)])
        raise ValueError(f"is no JSON Schema: it has none of its keywords ({known}){meant}")
    problems = list(islice(_problems(validator, schema), PROBLEMS))
    if problems:
        raise ValueError("; ".join(problems))


def _validator_class(schema: dict[str, Any]) -> Any:
    from jsonschema.validators import Draft202012Validator, validator_for

    if "$schema" not in schema:
        return Draft202012Validator
    named = schema["$schema"]
    found = validator_for(schema, default=None) if isinstance(named, str) else None
    if found is None:
        raise ValueError(f"$schema: {shown(str(named))!r} is no JSON Schema dialect that is known here")
    return found


def _problems(validator: Any, schema: dict[str, Any]) -> Iterator[str]:
    is_whole = True
    try:
        judge = validator(validator.META_SCHEMA, format_checker=validator.FORMAT_CHECKER)
        for error in judge.iter_errors(schema):
            is_whole = False
            path = list(error.absolute_path)
            message = shown(error.message, LONGEST_PROBLEM)
            if path and path[-1] == "type" and isinstance(error.instance, str):
                message = f"{shown(error.instance)!r} is no type of JSON Schema ({', '.join(TYPES)})"
                message += did_you_mean(error.instance, TYPES)
            yield f"{place_of(path)}{message}"
    except RecursionError:
        yield "is nested too deep"
        return
    if is_whole:
        yield from _dead_references(schema)


def _dead_references(schema: dict[str, Any]) -> Iterator[str]:
    """The ``$ref`` that lead nowhere. What names itself (``$id``) has references of its own: they are left to it."""
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, specification_with

    dialect = specification_with(schema["$schema"]) if "$schema" in schema else DRAFT202012
    resolver = REGISTRY.resolver_with_root(dialect.create_resource(schema))
    waiting: list[tuple[list[Any], Any]] = [([], schema)]
    while waiting:
        path, part = waiting.pop()
        if isinstance(part, dict) and not (path and "$id" in part):
            waiting += (([*path, key], value) for key, value in part.items() if key not in ("const", "enum", "default"))
            reference = part.get("$ref")
            if isinstance(reference, str):
                try:
                    resolver.lookup(reference)
                except (Unresolvable, ValueError, LookupError):
                    yield f"{place_of([*path, '$ref'])}{shown(reference)!r} leads nowhere in this schema"
        elif isinstance(part, list):
            waiting += (([*path, index], value) for index, value in enumerate(part))


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
