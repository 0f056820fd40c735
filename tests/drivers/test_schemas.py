"""Schemas as providers take them: a table of shapes, what each provider refuses, and whatever a stranger may send."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from jsonschema import Draft202012Validator

from actors.agent.bounds import problem_in
from actors.drivers.edge.schemas import CAREFUL, OPENAI, RULES, Accepted, Refused, SchemaRules, acceptable
from actors.drivers.edge.schemas.rules import CAREFUL_KEYWORDS
from actors.tools import fetch, file_changes, files, memory_tools, shell
from actors.tools.tool import FunctionTool

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (Path(__file__).parent / "schemas").iterdir()
}
CASES = [(name, rules) for name, row in sorted(TABLE.items()) for rules in row["rules"]]


@pytest.mark.parametrize(("name", "rules"), CASES)
def test_a_shape(name: str, rules: str) -> None:
    """As the table has it; each row says why, and where that was learnt."""
    row = TABLE[name]
    assert row["why"]
    assert row["source"].startswith("https://")
    made = acceptable(row["schema"], RULES[rules])
    wanted = row["rules"][rules]
    if "refused" in wanted:
        assert made == Refused(wanted["refused"])
        return
    assert isinstance(made, Accepted)
    assert made.schema == wanted["accepted"]
    assert list(made.notes) == wanted["notes"]
    assert refusals_of(made.schema, RULES[rules]) == []


# What providers refuse ------------------------------------------------------------------------------------------

STRUCTURE = {"type", "description", "enum", "anyOf", "items", "properties", "required"}


def inside(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema in a schema, with its place."""
    yield place, schema
    for word in ("properties", "$defs", "patternProperties"):
        for name, value in schema.get(word, {}).items():
            if isinstance(value, dict):
                yield from inside(value, f"{place}/{word}/{name}")
    for word in ("items", "not", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(word), dict):
            yield from inside(schema[word], f"{place}/{word}")
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for number, value in enumerate(schema.get(word, [])):
            yield from inside(value, f"{place}/{word}/{number}")


def refusals_of(schema: dict[str, Any], rules: SchemaRules) -> list[str]:
    """Why a provider of these rules refuses *schema*, by what is known of it."""
    found = []
    Draft202012Validator.check_schema(schema)
    if schema.get("type") != "object" or schema.keys() & {"anyOf", "oneOf", "allOf", "enum", "const", "not", "$ref"}:
        found.append("the root must be an object, without a union")
    for place, one in inside(schema):
        kinds = [one.get("type")] if isinstance(one.get("type", ""), str) else one["type"]
        if "object" in kinds and "properties" not in one:
            found.append(f"{place}: object schema missing properties")
        if "array" in kinds and "items" not in one:
            found.append(f"{place}: array schema missing items")
        found += [
            f"{place}: {name} is not defined" for name in one.get("required", ()) if name not in one["properties"]
        ]
        words = (
            STRUCTURE | rules.keywords | ({"$ref"} if rules.has_refs else set()) | ({"$defs"} if not place else set())
        )
        found += [f"{place}: unknown name {word}" for word in one if word not in words]
        if "$ref" in one and not (one["$ref"].startswith("#/$defs/") and one["$ref"][8:] in schema["$defs"]):
            found.append(f"{place}: {one['$ref']} leads nowhere")
        if rules.is_typed:
            found += typing_refusals(place, one, rules)
    return found


def typing_refusals(place: str, one: dict[str, Any], rules: SchemaRules) -> list[str]:
    """Those of a provider that wants a type everywhere."""
    found = []
    how = [word for word in ("type", "anyOf", "$ref") if word in one]
    if len(how) != 1:
        found.append(f"{place}: needs one of type, anyOf and $ref, has {how}")
    elif how != ["type"] and set(one) - {"$defs"} != set(how):
        found.append(f"{place}: something stands beside {how[0]}")
    if not isinstance(one.get("type", ""), str):
        found.append(f"{place}: a list of types")
    if "enum" in one and not (one["type"] == "string" and one["enum"] and all(one["enum"])):
        found.append(f"{place}: enum is for texts that are not empty")
    if one.get("type") != "object" and one.keys() & {"properties", "required"}:
        found.append(f"{place}: properties: only allowed for OBJECT type")
    if one.get("type") != "array" and "items" in one:
        found.append(f"{place}: items: only allowed for ARRAY type")
    if "format" in one and one["format"] not in (rules.formats or ()):
        found.append(f"{place}: format {one['format']}")
    return found


def test_the_check_itself_refuses() -> None:
    """What it is given as it was found in the wild."""
    assert refusals_of({"type": "object"}, OPENAI) == [": object schema missing properties"]
    assert refusals_of({"type": "object", "properties": {"a": {"type": "array"}}}, OPENAI) == [
        "/properties/a: array schema missing items"
    ]
    careful = {"a": {}, "b": {"type": "integer", "enum": [1]}, "c": {"type": ["string", "null"]}, "d": {"const": 1}}
    assert len(refusals_of({"type": "object", "properties": careful}, CAREFUL)) == 5
    assert refusals_of({"type": "array", "items": {}}, OPENAI) == ["the root must be an object, without a union"]


def tools_of_our_own() -> list[FunctionTool[..., Any]]:
    modules = (files, file_changes, memory_tools, shell, fetch)
    found = [value for module in modules for value in vars(module).values() if isinstance(value, FunctionTool)]
    return list({tool.name: tool for tool in found}.values())


@pytest.mark.parametrize("rules", RULES)
def test_the_tools_of_the_library_are_taken(rules: str) -> None:
    """Each, everywhere, with each of its parameters."""
    tools = tools_of_our_own()
    assert len(tools) > 5
    for tool in tools:
        made = acceptable(tool.definition.input_schema, RULES[rules])
        assert isinstance(made, Accepted)
        assert refusals_of(made.schema, RULES[rules]) == []
        assert made.schema["properties"].keys() == tool.definition.input_schema["properties"].keys()


def test_a_plain_schema_stays_as_it_is() -> None:
    """Everywhere."""
    schema = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Where."},
            "lines": {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 5},
            "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
        },
        "required": ["path"],
    }
    for rules in RULES.values():
        assert acceptable(schema, rules) == Accepted(schema)


# Strangers ------------------------------------------------------------------------------------------------------


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    """A few definitions, which are a billion schemas when they are put in place."""
    definitions = {
        f"d{level}": {
            "allOf": [{"$ref": f"#/$defs/d{level + 1}"}],
            "properties": {side: {"$ref": f"#/$defs/d{level + 1}"} for side in "lr"},
        }
        for level in range(levels)
    }
    return {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": definitions}


HOSTILE: dict[str, Any] = {
    "nested": nested(5_000),
    "a key that is no text": {"type": "object", "properties": {1: {}}},
    "many properties": {"type": "object", "properties": {str(number): {} for number in range(150_000)}},
    "no schema": "object",
    "nothing": None,
    "no object": {"type": ["string", "array"]},
    "a union of none": {"anyOf": [{"type": "string"}, {"type": "array"}]},
    "bytes": {"type": "object", "default": b"x"},
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("rules", RULES)
def test_what_cannot_be_made_acceptable(name: str, rules: str) -> None:
    """It is refused with a reason."""
    made = acceptable(HOSTILE[name], RULES[rules])
    assert isinstance(made, Refused)
    assert 0 < len(made.reason) < 300


def test_references_that_double() -> None:
    """They stay where they are taken, and are refused where they would have to be put in place."""
    assert isinstance(acceptable(doubling(30), OPENAI), Accepted)
    made = acceptable(doubling(30), CAREFUL)
    assert isinstance(made, Refused)
    assert "10,000" in made.reason
    assert isinstance(acceptable(doubling(3), CAREFUL), Accepted)


@pytest.mark.parametrize("rules", RULES)
def test_a_long_chain_of_references(rules: str) -> None:
    """However long, it is followed without recursion."""
    definitions: dict[str, Any] = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3_000)}
    definitions["d3000"] = {"type": "string"}
    made = acceptable(
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": definitions}, RULES[rules]
    )
    assert isinstance(made, Accepted)
    assert refusals_of(made.schema, RULES[rules]) == []


@pytest.mark.parametrize("rules", RULES)
def test_numbers_that_are_none(rules: str) -> None:
    """Wherever they stand, nothing of them is left."""
    nan, inf = float("nan"), float("inf")
    leaves = {"minimum": nan, "maximum": inf, "default": [nan], "enum": [1, nan], "examples": [inf], "const": -inf}
    schema = {
        "type": "object",
        "default": {"a": nan},
        "properties": {"a": {"type": "number", **leaves}},
        "not": {"const": nan},
    }
    made = acceptable(schema, RULES[rules])
    assert isinstance(made, Accepted)
    json.dumps(made.schema, allow_nan=False)


@pytest.mark.parametrize("rules", RULES)
def test_deep_schemas_are_left_open_below(rules: str) -> None:
    """Those that can be read, and are deeper than a provider takes."""
    made = acceptable(nested(45), RULES[rules])
    assert isinstance(made, Accepted)
    assert sum(1 for _ in inside(made.schema)) <= RULES[rules].levels + 8
    assert "left open" in "".join(made.notes)


def test_descriptions_are_bounded() -> None:
    """However long, and notes are few."""
    schema = {
        "type": "object",
        "properties": {f"a{n}": {"type": "weird", "description": "d" * 50_000} for n in range(15)},
    }
    made = acceptable(schema, OPENAI)
    assert isinstance(made, Accepted)
    assert {len(one["description"]) for one in made.schema["properties"].values()} == {10_000}
    assert len(made.notes) == 15
    many = acceptable({"type": "object", "properties": {str(n): {"type": "weird"} for n in range(1_000)}}, OPENAI)
    assert isinstance(many, Accepted)
    assert len(many.notes) == 20


WORDS = [
    "$defs", "$id", "$ref", "$schema", "a", "additionalProperties", "allOf", "anyOf", "b", "const", "contains",
    "default", "definitions", "description", "else", "enum", "examples", "exclusiveMinimum", "format", "if", "items",
    "maxItems", "maximum", "minItems", "minLength", "minimum", "not", "nullable", "oneOf", "pattern",
    "patternProperties", "prefixItems", "properties", "propertyNames", "required", "then", "title", "type",
    "uniqueItems",
]  # fmt: skip
TEXTS = [
    "string",
    "object",
    "array",
    "null",
    "integer",
    "weird",
    "a",
    "#",
    "#/$defs/a",
    "#/$defs/b",
    "#/properties/a",
    "",
]
LEAF = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(TEXTS)
TREE = st.recursive(
    LEAF | st.lists(st.sampled_from(TEXTS), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(WORDS), TREE, max_size=7), st.sampled_from(sorted(RULES)))
def test_whatever_comes(schema: dict[str, Any], name: str) -> None:
    """Nothing is raised; what comes out is JSON, is taken, is not changed again; what was given stays as it is."""
    rules, before = RULES[name], repr(schema)
    made = acceptable(schema, rules)
    assert repr(schema) == before
    if isinstance(made, Refused):
        assert made.reason
        return
    assert problem_in(made.schema) == ""
    again = acceptable(made.schema, rules)
    assert isinstance(again, Accepted)
    assert again.schema == made.schema
    if not re.search("pattern|Ref", json.dumps(made.schema)):
        assert refusals_of(made.schema, rules) == []


def test_the_careful_rules_are_the_strictest() -> None:
    """What they take, all take."""
    assert all(rules.keywords >= CAREFUL_KEYWORDS for rules in RULES.values())
    assert SchemaRules() == CAREFUL
