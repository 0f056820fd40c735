"""Schemas of tools, as providers take them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from actors.drivers.edge.schemas import RULES, Accepted, acceptable
from actors.drivers.edge.text import sendable

from ..target import files, hold, hold_message, hold_plain
from ._schemas import ReadsSchemas, schema_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

SEEDS: tuple[Any, ...] = (
    {"type": "object"},
    {"type": "object", "properties": {"path": {"type": "string", "minLength": 1}}, "required": ["path"]},
    {
        "type": "object",
        "properties": {"pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}},
    },
    {"anyOf": [{"type": "object", "properties": {"a": {"type": "number"}}}, {"type": "object", "required": ["b"]}]},
    {"$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}}, "$ref": "#/$defs/N"},
    {
        "type": ["object", "null"],
        "properties": {"x": {"type": ["string", "null"], "enum": ["a", None]}, "y": {"const": 1}},
    },
    {
        "type": "object",
        "properties": {"x": {"oneOf": [{"type": "string", "format": "date"}, {"$ref": "#/properties/y"}]}, "y": True},
    },
    {"type": "object", "additionalProperties": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2}},
    {"type": "object", "properties": {"x": {"allOf": [{"type": "string"}, {"pattern": "^a+$"}], "default": "a"}}},
    {
        "type": "object",
        "properties": {"x": {"if": {"const": 1}, "then": False, "not": {}}},
        "patternProperties": {".": {}},
    },
)
WORDS = (
    *(
        "type",
        "properties",
        "items",
        "prefixItems",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "$defs",
        "enum",
        "const",
        "required",
    ),
    *("additionalProperties", "format", "pattern", "not", "default", "minItems", "description", "title", "definitions"),
)


class Schemas(ReadsSchemas):
    """A schema as JSON."""

    about = "schemas of tools, as providers take them"
    words = (
        *(f'"{word}": '.encode() for word in WORDS),
        b'"#/$defs/N"',
        b'"#"',
        b'"object"',
        b'"array"',
        b'["string", "null"]',
    )

    def seeds(self) -> Iterable[bytes]:
        """Usual ones, odd ones, and those that the tests know."""
        known = [json.loads(row)["schema"] for row in files("drivers/schemas/*.json")]
        return [json.dumps(schema).encode() for schema in (*SEEDS, *known)]

    def work(self, data: bytes) -> object:
        """For the server that is not known."""
        return acceptable(schema_of(data))

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:
        """An object that every parser reads, and that is accepted again as it is; or a reason, in few words."""
        schema = schema_of(data)
        shape: list[Hashable] = []
        for name, rules in RULES.items() if thorough else [*RULES.items()][:1]:
            before = repr(schema)
            made = acceptable(schema, rules)
            hold(repr(schema) == before, "a schema is left as it was")
            if isinstance(made, Accepted):
                hold(made.schema.get("type") == "object", "arguments are an object", (name, made.schema))
                hold_plain(sendable(made.schema), "a schema is plain")
                again = acceptable(made.schema, rules)
                hold(
                    isinstance(again, Accepted) and again.schema == made.schema,
                    "what is accepted is accepted again as it is",
                    f"{name}: {made.schema}\n{again}",
                )
                shape.append((len(made.notes) > 0, "$defs" in made.schema, bool(made.schema.get("properties"))))
            else:
                hold_message(made.reason)
                shape.append(made.reason[:20])
        return shape[0]


TARGET = Schemas()
