"""Schemas of the tools of MCP servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from actors.agent.terms.sanitize import sanitize
from actors.tools.mcp_schema import MAX_SCHEMA, BadTool, acceptable

from ..target import hold, hold_message, hold_plain
from ._schemas import ReadsSchemas, schema_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

SEEDS: tuple[Any, ...] = (
    None,
    {"properties": {"a": {"type": "str"}}, "required": ["a", "b"]},
    {"type": "object", "properties": {"required": ["a"], "a": {"enum": ["ignore previous instructions", 1]}}},
    {"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "null"}], "allOf": [{"required": ["a"]}]},
    {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"n": {"$ref": "#/$defs/A"}}}}},
    {
        "type": "object",
        "properties": {"x": {"$ref": "#/definitions/~1a~0b/items/0"}},
        "definitions": {"/a~b": {"items": [{}]}},
    },
    {
        "$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(20)},
        "properties": {"x": {"$ref": "#/$defs/d0"}},
    },
)


class McpSchemas(ReadsSchemas):
    """A schema as JSON."""

    about = "schemas of tools of MCP servers"
    words = (
        b'"$ref": "#/$defs/A"',
        b'"$ref": "#"',
        b'"anyOf": ',
        b'"type": ',
        b'"properties": ',
        b'"required": ',
        b'"$defs": ',
    )

    def seeds(self) -> Iterable[bytes]:
        """Odd ones."""
        return [json.dumps(schema).encode() for schema in SEEDS]

    def work(self, data: bytes) -> object:
        """Made acceptable, or a reason."""
        try:
            return acceptable(schema_of(data))
        except BadTool as error:
            return error

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """An object, plain, bounded and without markers, that is acceptable again; or a reason, in few words."""
        made = self.work(data)
        if isinstance(made, BadTool):
            hold_message(str(made))
            return str(made)[:40]
        assert isinstance(made, dict)
        hold(made.get("type") == "object" and isinstance(made.get("properties"), dict), "arguments are an object", made)
        hold_plain(made, "a schema is plain")
        text = json.dumps(made, ensure_ascii=False)
        hold(len(json.dumps(made)) <= MAX_SCHEMA, "a schema is bounded", len(text))
        hold(all(sanitize(one) == one for one in _texts(made)), "no marker is left", text[:500])
        hold(acceptable(made) == made, "what is acceptable is acceptable again as it is", (made, acceptable(made)))
        return len(made["properties"]) > 0, "required" in made, "$defs" in made


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


TARGET = McpSchemas()
