"""The tools that an MCP server lists, each looked at by itself: made acceptable to models, or left out with a reason.

Nothing here follows a reference further than to see where it leads: what it would unfold to is counted.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from ..agent.terms.sanitize import sanitize
from ..core.crash import report
from ..core.shown import shown

MAX_TOOLS = 500
MAX_SCHEMA = 50_000
"""Characters of a tool's schema; a tool with a longer one is left out."""
MAX_DESCRIPTION = 4_000
MAX_LISTED = 1_000_000
"""Characters of all schemas and descriptions: a model has to read them."""
MAX_DEPTH = 100
MAX_UNFOLDED = 100_000
"""Parts of a schema with all its references in place, for whoever unfolds it."""
MAX_REFERENCES = 20
"""References that lead to references; a longer chain leads nowhere, as a circle does."""
LONGEST_REFERENCE = 500
LONGEST_REASON = 300
MAX_LEFT_OUT = 50
"""So many are named; of the others the number is told."""
NAME = re.compile(r"[A-Za-z0-9_./-]{1,100}")
"""A tool with another name is left out: ``*`` would be a pattern where tools are approved."""

TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
MEANT = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object", "list": "array"}
"""What is often written for them."""
OF_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value has a schema under each name."""
LIST_OF_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
A_SCHEMA = frozenset(
    {"additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
    | {"unevaluatedProperties", "unevaluatedItems", "contentSchema", "additionalItems"}
)
NOT_AT_ROOT = ("enum", "const", "not", "if", "then", "else", "anyOf", "oneOf", "allOf", "$ref")
"""What no model takes of the arguments of a tool as a whole; the server looks at them itself."""


HINTS = ("readOnlyHint", "idempotentHint")
"""What of a tool's annotations is of use: each says, where it is true, that the same call again does no harm."""


class BadTool(ValueError):
    """Why a tool is left out, on one line: names of its own may stand in it."""

    def __init__(self, why: str) -> None:
        super().__init__(shown(why, LONGEST_REASON))


@dataclass
class Listing:
    """One list of tools, page by page.

    Args:
        left_out: Names, as they can be shown, with the reasons.
    """

    left_out: dict[str, str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _left: int = MAX_LISTED
    _unnamed: int = 0

    def accepted(self, tools: list[Any]) -> list[dict[str, Any]]:
        """Those of a page that can be used, as they can be used."""
        kept = []
        for tool in tools:
            try:
                kept.append(self._accepted(tool))
            except BadTool as error:
                self._leave_out(tool, str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is: it is of this tool alone
                report("a tool of an MCP server could not be looked at")
                self._leave_out(tool, f"it cannot be looked at: {type(error).__name__}")
        return kept

    def _accepted(self, tool: Any) -> dict[str, Any]:
        if not isinstance(tool, dict):
            raise BadTool(f"it is no object but {_kind(tool)}")
        name = tool.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name) or sanitize(name) != name:
            raise BadTool("its name is not 1 to 100 of A-Z a-z 0-9 _ . / -")
        if name in self._names:
            raise BadTool("another tool of the server has its name")
        if len(self._names) == MAX_TOOLS:
            raise BadTool(f"the server has more than {MAX_TOOLS} tools")
        description = tool.get("description")
        text = clean_text(description[:MAX_DESCRIPTION]) if isinstance(description, str) else ""
        schema = acceptable(tool.get("inputSchema"))
        self._left -= len(text) + len(json.dumps(schema))
        if self._left < 0:
            raise BadTool(f"what the server says of its tools has more than {MAX_LISTED:,} characters")
        self._names.add(name)
        return {"name": name, "description": text, "inputSchema": schema, "annotations": _hints(tool)}

    def _leave_out(self, tool: Any, why: str) -> None:
        name = tool.get("name") if isinstance(tool, dict) else None
        label = name if isinstance(name, str) and NAME.fullmatch(name) else repr(name)[:100]
        if label in self.left_out:
            return
        if len(self.left_out) < MAX_LEFT_OUT:
            self.left_out[label] = why
            return
        self._unnamed += 1
        self.left_out["others"] = f"{self._unnamed:,} more cannot be used either"


def acceptable(schema: Any) -> dict[str, Any]:
    """*schema* as one of an object, without markers, infinite numbers, and references that lead nowhere.

    Raises:
        BadTool: It cannot be made so, or is too large.
    """
    if schema is None:
        return {"type": "object", "properties": {}}
    if not isinstance(schema, dict):
        raise BadTool(f"its inputSchema is no object but {_kind(schema)}")
    _refuse_large(schema)
    cleaner = _Cleaner()
    root = _of_object(cleaner.whole(schema))
    cleaner.drop_references(root)
    if len(json.dumps(root)) > MAX_SCHEMA:
        raise BadTool(f"its inputSchema has more than {MAX_SCHEMA:,} characters")
    _refuse_unfolding(root)
    return root


def _hints(tool: dict[str, Any]) -> dict[str, bool]:
    """Those that are true, and nothing that only looks so.

    They do not contradict each other: by the protocol nothing else counts of a tool that only reads.
    """
    annotations = tool.get("annotations")
    return {hint: True for hint in HINTS if isinstance(annotations, dict) and annotations.get(hint) is True}


def clean_text(text: str) -> str:
    """Without markers, and without halves of characters."""
    return sanitize(text.encode(errors="replace").decode())


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "a number")


def _refuse_large(schema: Any) -> None:
    """Before anything is done with it, and only so far as it may go."""
    size, line = 0, [(schema, 1)]
    while line:
        value, depth = line.pop()
        if depth > MAX_DEPTH:
            raise BadTool(f"its inputSchema is nested deeper than {MAX_DEPTH}")
        size += 2 + (len(value) if isinstance(value, str) else 0)
        if isinstance(value, dict):
            size += sum(2 + len(key) for key in value) if len(value) < MAX_SCHEMA else MAX_SCHEMA
            line += [(item, depth + 1) for item in value.values()] if size <= MAX_SCHEMA else []
        elif isinstance(value, list):
            size += len(value)
            line += [(item, depth + 1) for item in value] if size <= MAX_SCHEMA else []
        if size > MAX_SCHEMA:
            raise BadTool(f"its inputSchema has more than {MAX_SCHEMA:,} characters")


class _Cleaner:
    """Makes a schema anew, part by part. What it has made is a schema wherever a reference of it leads."""

    def __init__(self) -> None:
        self._made: dict[int, dict[str, Any]] = {}
        self._referring: list[dict[str, Any]] = []

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """All of *schema*."""
        root = self.schema(schema, "inputSchema")
        self.drop_references(root)
        return root

    def drop_references(self, root: dict[str, Any]) -> None:
        """Drop those that lead to no schema within *root*, or only to further references round a circle."""
        lost = [one for one in self._referring if not self._leads_somewhere(root, one["$ref"])]
        for one in lost:
            del one["$ref"]
        self._referring = [one for one in self._referring if "$ref" in one]

    def schema(self, value: Any, place: str) -> dict[str, Any]:
        if isinstance(value, bool):
            return {} if value else {"not": {}}
        if not isinstance(value, dict):
            raise BadTool(f"{place} is no schema but {_kind(value)}")
        made: dict[str, Any] = {}
        for key, item in value.items():
            there = f"{place}.{key}"[:200]
            if key in OF_SCHEMAS:
                self._named(made, key, item, there)
            elif key in ("items", "prefixItems") and item == []:  # it says nothing, and no model's server takes it
                pass
            elif key in LIST_OF_SCHEMAS:
                if not isinstance(item, list) or not item:
                    raise BadTool(f"{there} is no list of schemas but {_kind(item)}")
                made[key] = [self.schema(one, f"{there}.{n}") for n, one in enumerate(item)]
            elif key == "items" and isinstance(item, list):  # as it was written before 2020
                made["prefixItems"] = [self.schema(one, f"{there}.{n}") for n, one in enumerate(item)]
            elif key in A_SCHEMA or key == "items":
                made[key] = self.schema(item, there)
            else:
                self._other(made, key, item)
        self._require_what_is_there(value, made)
        self._made[id(made)] = made
        if "$ref" in made:
            self._referring.append(made)
        return made

    def _named(self, made: dict[str, Any], key: str, item: Any, place: str) -> None:
        if not isinstance(item, dict):
            raise BadTool(f"{place} is no object but {_kind(item)}")
        if key == "properties" and isinstance(item.get("required"), list):  # it slipped one level down
            item = {name: one for name, one in item.items() if name != "required"}
        made[key] = {clean_text(name): self.schema(one, f"{place}.{name}") for name, one in item.items()}

    def _other(self, made: dict[str, Any], key: str, item: Any) -> None:
        if key == "type":
            named = [one for one in (item if isinstance(item, list) else [item]) if isinstance(one, str)]
            types = list(dict.fromkeys(MEANT.get(one, one) for one in named if MEANT.get(one, one) in TYPES))
            if types:
                made["type"] = types[0] if len(types) == 1 else types
        elif key in ("$ref", "$dynamicRef"):
            if isinstance(item, str) and len(item) <= LONGEST_REFERENCE and sanitize(item) == item:
                made["$ref"] = item
        elif key == "enum":
            if isinstance(item, list) and (values := _plain(item)):
                made["enum"] = values
        elif key not in ("required", "$id", "$schema", "$anchor", "$dynamicAnchor") and _is_number(item):
            made[clean_text(key)] = _plain(item)

    def _leads_somewhere(self, root: dict[str, Any], reference: str) -> bool:
        for _ in range(MAX_REFERENCES):
            target = _at(root, reference)
            if target is not root and id(target) not in self._made:  # plain data is no schema, whatever it looks like
                return False
            if "$ref" not in target:
                return True
            reference = target["$ref"]
        return False

    def _require_what_is_there(self, value: dict[str, Any], made: dict[str, Any]) -> None:
        properties = value.get("properties")
        if not isinstance(properties, dict):
            return
        slipped = properties.get("required")
        required = value.get("required", slipped if isinstance(slipped, list) else None)
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        # As drafts before 4 had it: on the property itself.
        names += [name for name, one in properties.items() if isinstance(one, dict) and one.get("required") is True]
        known = dict.fromkeys(name for name in map(clean_text, names) if name in made["properties"])
        if known:
            made["required"] = list(known)


def _is_number(value: Any) -> bool:
    """Is it finite, if it is a number?"""
    if isinstance(value, int):
        return value.bit_length() < 1_000
    return not isinstance(value, float) or math.isfinite(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): _plain(item) for key, item in value.items() if _is_number(item)}
    return [_plain(item) for item in value if _is_number(item)] if isinstance(value, list) else value


def _at(root: dict[str, Any], reference: str) -> Any:
    """What a reference within *root* leads to; None when there is nothing."""
    if reference != "#" and not reference.startswith("#/"):  # elsewhere, or an anchor
        return None
    found: Any = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isascii() and key.isdigit() and len(key) < 9 and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict):
            found = found.get(key)
        else:
            return None
    return found


def _of_object(schema: dict[str, Any]) -> dict[str, Any]:
    """As the arguments of a tool are: an object, said at the root."""
    found: dict[str, list[Any]] = {}
    required: list[str] | None = None
    variants = [_behind(schema, one) for key in ("anyOf", "oneOf") for one in schema.get(key, ())]
    objects = [one for one in variants if _may_be_object(one)]
    behind = _behind(schema, schema)
    if not _may_be_object(schema) or not _may_be_object(behind) or (variants and not objects):
        kinds = schema.get("type", behind.get("type", "none of its variants"))
        raise BadTool(f"its inputSchema is not one of an object: {kinds}"[:200])
    for one in objects:  # all that any of them takes; needed is what each of them needs
        _merge(found, one)
        names = one.get("required", [])
        required = names if required is None else [name for name in required if name in names]
    needed = list(required or ())
    for one in [
        *([behind] if behind is not schema else []),
        *(_behind(schema, one) for one in schema.get("allOf", ())),
    ]:
        _merge(found, one)
        needed += one.get("required", [])
    _merge(found, schema)
    needed += schema.get("required", [])
    properties = {name: ones[0] if len(ones) == 1 else {"anyOf": ones} for name, ones in found.items()}
    root = {key: value for key, value in schema.items() if key not in (*NOT_AT_ROOT, "type", "properties", "required")}
    root = {"type": "object", **root, "properties": properties}
    if needed:
        root["required"] = list(dict.fromkeys(name for name in needed if name in properties))
    return root


def _may_be_object(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type", "object")
    return kinds == "object" or (isinstance(kinds, list) and "object" in kinds)


def _behind(root: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """*schema*, or where its references lead."""
    while isinstance(schema.get("$ref"), str):  # ends: none leads round a circle
        schema = _at(root, schema["$ref"])
    return schema


def _merge(found: dict[str, list[Any]], schema: dict[str, Any]) -> None:
    for name, one in schema.get("properties", {}).items():
        ones = found.setdefault(name, [])
        if one not in ones:
            ones.append(one)


def _refuse_unfolding(root: dict[str, Any]) -> None:
    """Refuse one that whoever puts its references in place would never be done with."""
    known: dict[str, int] = {}

    def parts(value: Any, on_the_way: tuple[str, ...]) -> int:
        if isinstance(value, list):
            return sum(parts(item, on_the_way) for item in value)
        if not isinstance(value, dict):
            return 1
        total = 1 + sum(parts(item, on_the_way) for key, item in value.items() if key not in ("$defs", "definitions"))
        reference = value.get("$ref")
        if isinstance(reference, str) and reference not in on_the_way:
            if reference not in known:
                known[reference] = parts(_at(root, reference), (*on_the_way, reference))
            total += known[reference]
        return total

    try:
        too_many = parts(root, ()) > MAX_UNFOLDED
    except RecursionError:  # a chain of references as long as that
        too_many = True
    if too_many:
        raise BadTool(f"the references of its inputSchema unfold to more than {MAX_UNFOLDED:,} parts")
