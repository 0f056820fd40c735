"""Makes a schema that a provider takes of one that it may not take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ....agent.bounds import problem_in
from ....agent.terms.shortened import shortened
from .parts import (
    LEAVES,
    Schema,
    bare,
    children,
    equal_once,
    exclusive_of,
    json_of,
    kind_of,
    kinds_in,
    may_both,
    merged,
    names_in,
    said_as,
    values_of,
    without,
)
from .references import References, RefusedError, refuse_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .references import Stack
    from .rules import SchemaRules

LONGEST_SAID = 200
"""Characters of a keyword and its value that the description says in its place."""
LONGEST_DESCRIPTION = 10_000


class SchemaMaker:
    """Makes one schema of one."""

    def __init__(self, schema: Any, rules: SchemaRules) -> None:
        self._given = schema
        self._rules = rules
        self.notes: list[str] = []
        self._refs = References(schema, rules, self.notes)

    # The root -----------------------------------------------------------------------------------------------------

    def root(self) -> dict[str, Any]:
        """The whole."""
        schema, stack = self._refs.expanded(self._given, ("#",), follow=True)
        schema = self._without_root_union(schema, stack)
        kinds = kinds_in(schema.get("type"))
        if kinds and "object" not in kinds:
            raise RefusedError(f"it is of type {', '.join(kinds)}, and an object is needed")
        said: dict[str, Any] = {}
        said |= {key: schema.pop(key) for key in ("enum", "const", "not", "if", "then", "else") if key in schema}
        made = self._of_kind({**schema, "type": "object"}, "object", stack, 0)
        self._say(made, said)
        if self._rules.names:
            self._fit_names(made)
        definitions = self._definitions()
        return {**made, "$defs": definitions} if definitions else made

    def _without_root_union(self, schema: Schema, stack: Stack) -> Schema:
        """One object in place of several: it has the properties of all, and needs what all of them need."""
        for word in ("anyOf", "oneOf"):
            if word not in schema:
                continue
            found = schema[word] if isinstance(schema[word], list) else []
            refuse_many(found)
            schema = without(schema, word)
            branches = []
            for branch in found:
                expanded = self._without_root_union(*self._refs.expanded(branch, stack, follow=True))
                if set(kinds_in(expanded.get("type")) or ["object"]) & {"object"}:
                    branches.append(expanded)
            if not branches:
                if found and "properties" not in schema:
                    raise RefusedError(f"none of its root's {word} is an object")
                continue
            schema = self._united(schema, branches)
        return schema

    def _united(self, schema: Schema, branches: Sequence[Schema]) -> Schema:
        self.notes.append("the union at the root became one object")
        everywhere = children(schema.get("properties"))
        properties: dict[str, list[Any]] = {name: [value] for name, value in everywhere.items()}
        needed = [names_in(branch.get("required")) for branch in branches]
        for branch in branches:
            for name, value in children(branch.get("properties")).items():
                known = properties.setdefault(name, [])
                if value not in known and name not in everywhere:
                    known.append(value)
        both = [name for name in needed[0] if all(name in names for names in needed)]
        sets = [", ".join(name for name in names if name not in both) for names in needed]
        if len(set(sets)) > 1:
            schema = {**schema, "description": _joined(schema.get("description"), _one_of(sets))}
        elif not schema.get("description"):
            schema = {**schema, "description": branches[0].get("description")}
        own = names_in(schema.get("required"))
        closed = all(branch.get("additionalProperties") is False for branch in branches)
        return {
            **schema,
            **({"additionalProperties": False} if closed and "additionalProperties" not in schema else {}),
            "properties": {
                name: values[0] if len(values) == 1 else {"anyOf": values} for name, values in properties.items()
            },
            "required": [*own, *(name for name in both if name not in own)],
        }

    def _fit_names(self, made: dict[str, Any]) -> None:
        pattern = re.compile(self._rules.names)
        for name in [name for name in made["properties"] if not pattern.fullmatch(name)]:
            if name in made.get("required", ()):
                raise RefusedError(
                    f"the provider takes no parameter named {shortened(name, 100)!r}, and it is required"
                )
            del made["properties"][name]
            self.notes.append(f"the parameter {shortened(name, 100)!r} was left out for its name")

    def _definitions(self) -> dict[str, Any]:
        """What is referred to; each may refer to more."""
        made: dict[str, Any] = {}
        while self._refs.unmade:
            place, name = self._refs.unmade.pop(0)
            made[name] = self._node(self._refs.at(place), (place,), 1) or self._anything()
        return made

    # A schema inside ------------------------------------------------------------------------------------------------

    def _node(self, given: Any, stack: Stack, level: int) -> dict[str, Any] | None:
        """*given* as the provider takes it; None when nothing fits it."""
        if given is False:
            return None
        if level > self._rules.levels:
            self.notes.append(f"what stands deeper than {self._rules.levels} levels was left open")
            return self._anything()
        reference = self._reference(given, stack)
        if reference is not None:
            return reference
        schema, stack = self._refs.expanded(given, stack)
        if not self._rules.is_typed:
            return self._loose(schema, stack, level)
        branches = self._branches(schema, stack, level)
        if len(branches) < 2:
            return branches[0] if branches else None
        # Alone: some take nothing beside a union (https://github.com/anomalyco/opencode/pull/14659).
        self._annotate_first(branches, schema)
        return {"anyOf": branches}

    def _branches(self, schema: Schema, stack: Stack, level: int) -> list[dict[str, Any]]:
        """The types that it may be of, each with what belongs to it."""
        for word in ("anyOf", "oneOf"):
            options = schema.get(word)
            if isinstance(options, list) and options:
                refuse_many(options)
                rest = without(schema, word)
                found = self._options(rest, options, stack, level)
                if len(found) == 1:
                    self._annotate_first(found, rest)
                return found or self._branches(rest, stack, level)
        kinds = self._kinds(schema)
        if len(kinds) == 1:
            return [self._of_kind(schema, kinds[0], stack, level)]
        if not kinds:
            return list(self._anything()["anyOf"])
        inner = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
        return equal_once(self._of_kind(inner, kind, stack, level + 1) for kind in kinds)

    def _options(self, rest: Schema, options: Sequence[Any], stack: Stack, level: int) -> list[dict[str, Any]]:
        """The branches of a union, each with what stands beside the union."""
        beside = {key: value for key, value in rest.items() if key not in _ANNOTATIONS and key != "nullable"}
        kinds = kinds_in(beside.get("type"))
        found: list[dict[str, Any]] = []
        for option in options:
            branch = self._reference(option, stack)
            if branch is None:
                expanded, inner = self._refs.expanded(option, stack)
                if option is False or not may_both(kinds, kinds_in(expanded.get("type"))):
                    continue
                branch = self._node(merged(expanded, beside, self.notes), inner, level + 1)
            if branch is not None:
                found += branch.get("anyOf", [branch])
        if rest.get("nullable") is True and found:
            found.append({"type": "null"})
        return equal_once(found)

    def _annotate_first(self, branches: Sequence[dict[str, Any]], schema: Schema) -> None:
        """The words about a union, in its first branch; a default, in the one that it is of."""
        first = branches[0]
        if "$ref" in first:
            return
        own = first.pop("description", None)
        self._annotate(first, {key: schema[key] for key in ("description", "title") if key in schema})
        if own is not None and own != first.get("description"):
            first["description"] = _joined(first.get("description"), own)
        if schema.get("default") is not None:
            kind = kind_of(schema["default"])
            fits = [one for one in branches if one.get("type") in (kind, "number" if kind == "integer" else kind)]
            self._annotate((fits or [{}])[0], {"default": schema["default"]})

    def _kinds(self, schema: Schema) -> list[str]:
        """The types of what fits *schema*; none when anything does."""
        kinds = kinds_in(schema.get("type"))
        if "type" in schema and not kinds:
            self.notes.append(f"the type {said_as(schema['type'])} is none")
        values = values_of(schema)
        if values and self._rules.lists_texts_only:
            found = equal_once(kind_of(value) for value in values)
            kinds = [kind for kind in found if kind in kinds or (kind == "integer" and "number" in kinds)] or found
        if not kinds:
            kinds = equal_once(LEAVES[word][0][0] for word in schema if word in LEAVES)
        if schema.get("nullable") is True and kinds and "null" not in kinds:
            kinds = [*kinds, "null"]
        return kinds

    def _loose(self, schema: Schema, stack: Stack, level: int) -> dict[str, Any] | None:
        """Where not everything needs a type: the schema as it stands, its parts mended."""
        kinds = self._kinds(schema) if schema.keys() & {"type", "nullable"} else []
        made: dict[str, Any] = {}
        if kinds:
            made["type"] = kinds[0] if len(kinds) == 1 else kinds
        # What has no type may be of any; then its parts say what is meant.
        meant = kinds or [of[0] for word, (of, check) in LEAVES.items() if check is None and word in schema]
        shapes = [kind for kind in ("object", "array") if kind in meant]
        self._fill(made, schema, kinds or ["string", "number", "array", "object"], stack, level, shapes=shapes)
        for word in ("anyOf", "oneOf", "allOf"):
            options = schema.get(word)
            if not isinstance(options, list):
                continue
            found = [self._node(option, stack, level + 1) for option in options]
            kept = [one for one in found if one is not None]
            if not kept and options and word != "allOf":
                return None
            if kept:
                made[word] = kept
        return made

    def _of_kind(self, schema: Schema, kind: str, stack: Stack, level: int) -> dict[str, Any]:
        """*schema* for values of that one type."""
        made: dict[str, Any] = {"type": kind}
        shapes = [kind] if kind in ("object", "array") else []
        self._fill(made, schema, [kind], stack, level, shapes=shapes)
        return made

    def _fill(
        self,
        made: dict[str, Any],
        schema: Schema,
        kinds: Sequence[str],
        stack: Stack,
        level: int,
        *,
        shapes: Sequence[str],
    ) -> None:
        """Put into *made* what *schema* says of values of *kinds*, and into its description what is left."""
        self._refs.count()
        said: dict[str, Any] = {}
        self._take_values(made, schema, kinds, said)
        self._take_leaves(made, schema, kinds, said)
        if "array" in shapes:
            self._take_items(made, schema, stack, level, said)
        if "object" in shapes:
            self._take_properties(made, schema, stack, level, said)
        for word in ("not", "propertyNames", "patternProperties"):
            self._take_inner(made, schema, word, stack, level, said)
        for word in _ONLY_SAID:
            if word in schema:
                said[word] = schema[word]
        self._annotate(made, schema)
        self._say(made, said)

    # Keywords -------------------------------------------------------------------------------------------------------

    def _take_values(self, made: dict[str, Any], schema: Schema, kinds: Sequence[str], said: dict[str, Any]) -> None:
        """``enum`` and ``const``."""
        if "const" in schema and "const" in self._rules.keywords and not problem_in(schema["const"]):
            made["const"] = schema["const"]
            return
        values = values_of(schema)
        if not values:
            return
        if not self._rules.lists_texts_only:
            made["enum"] = values
            return
        texts = [value for value in values if isinstance(value, str) and value]
        if "string" in kinds and texts:
            made["enum"] = texts
        others = [
            one for one in values if kind_of(one) in kinds and not (one is None or (isinstance(one, str) and one))
        ]
        if others and not (kinds == ["boolean"] and len(others) > 1):
            said["one of"] = [*texts, *others] if "string" in kinds else others

    def _take_leaves(self, made: dict[str, Any], schema: Schema, kinds: Sequence[str], said: dict[str, Any]) -> None:
        """Keywords that hold no schemas."""
        for word, value in {**schema, **exclusive_of(schema)}.items():
            of, check = LEAVES.get(word, ((), None))
            if check is None or value is None or not set(of) & set(kinds):
                continue
            checked = check(value)
            if checked is None:
                self.notes.append(f"{word}: {said_as(value)} is not possible")
            elif word not in self._rules.keywords or not self._takes_format(word, checked):
                if checked is not False:
                    said[word] = checked
            else:
                made[word] = checked
        self._take_exclusive(made, kinds, said)

    def _takes_format(self, word: str, value: Any) -> bool:
        return word != "format" or self._rules.formats is None or value in self._rules.formats

    @staticmethod
    def _take_exclusive(made: dict[str, Any], kinds: Sequence[str], said: dict[str, Any]) -> None:
        """Bounds of whole numbers can be said without ``exclusive``."""
        if list(kinds) != ["integer"]:
            return
        for word, bound, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
            value = said.get(word)
            if not isinstance(value, int) and not (isinstance(value, float) and value.is_integer()):
                continue
            del said[word]
            tight = int(value) + step
            made[bound] = tight if bound not in made else (max if step > 0 else min)(tight, made[bound])

    def _take_items(self, made: dict[str, Any], schema: Schema, stack: Stack, level: int, said: dict[str, Any]) -> None:
        items, first = schema.get("items"), schema.get("prefixItems")
        if isinstance(items, list):  # as tuples were written before 2020
            first, items = items, schema.get("additionalItems")
        first = first if isinstance(first, list) else []
        rest = self._node(items, stack, level + 1) if isinstance(items, dict | bool) else None
        prefix = [self._node(one, stack, level + 1) or self._anything() for one in first]
        if items is False and first:
            made.setdefault("maxItems", len(first))
        if prefix and "prefixItems" in self._rules.keywords:
            made["prefixItems"] = prefix
            made["items"] = rest if rest is not None else {}
            return
        if len(equal_once(prefix)) > 1:
            said["in this order"] = [bare(one) for one in prefix]
        options = [*prefix, *([] if rest is None else [rest])]
        if len(options) == 1:
            made["items"] = options[0]
            return
        branches = equal_once(branch for option in options for branch in option.get("anyOf", [option]))
        if not branches:
            made["items"] = self._anything()
        else:
            made["items"] = branches[0] if len(branches) == 1 else {"anyOf": branches}

    def _take_properties(
        self, made: dict[str, Any], schema: Schema, stack: Stack, level: int, said: dict[str, Any]
    ) -> None:
        given = schema.get("properties")
        required = names_in(schema.get("required"))
        if given is not None and not isinstance(given, dict):
            self.notes.append("properties are no object")
        properties: dict[str, Any] = {}
        for name, value in children(given).items():
            if name in self._rules.reserved:
                self.notes.append(f"the property {name!r} was left out: the name is reserved")
                continue
            if not isinstance(value, dict | bool):
                if name == "required":  # it stands one level too deep
                    required += [other for other in names_in(value) if other not in required]
                self.notes.append(f"the property {shortened(name, 100)!r} has no schema")
                if name in _MISPLACED:
                    continue
                value = {"type": value}  # {"a": "string"}
            if isinstance(value, dict) and value.get("required") is True and name not in required:
                required.append(name)  # as it was written before 2013
            one = self._node(value, stack, level + 1)
            if one is not None:
                properties[name] = one
        made["properties"] = properties
        extra = schema.get("additionalProperties")
        for name in required:
            if name not in properties and name not in self._rules.reserved and extra is not False:
                properties[name] = self._anything()
        if kept := [name for name in required if name in properties]:
            made["required"] = kept
        if "additionalProperties" in self._rules.keywords and isinstance(extra, dict | bool):
            inner = self._node(extra, stack, level + 1) if isinstance(extra, dict) else extra
            made["additionalProperties"] = False if inner is None else inner
        elif isinstance(extra, dict) and extra:
            said["additionalProperties"] = extra

    def _take_inner(
        self, made: dict[str, Any], schema: Schema, word: str, stack: Stack, level: int, said: dict[str, Any]
    ) -> None:
        """A keyword that holds schemas, where it is taken."""
        value = schema.get(word)
        if not isinstance(value, dict) or not value:
            return
        if word not in self._rules.keywords:
            said[word] = value
        elif word == "patternProperties":
            found = {name: self._node(one, stack, level + 1) for name, one in value.items()}
            made[word] = {name: False if one is None else one for name, one in found.items()}
        else:
            inner = self._node(value, stack, level + 1)
            if inner:
                made[word] = inner

    def _annotate(self, made: dict[str, Any], schema: Schema) -> None:
        """Words about it."""
        words = schema.get("description")
        if isinstance(words, str) and words.strip() and "description" not in made:
            made["description"] = shortened(words, LONGEST_DESCRIPTION)
        for word in ("title", "examples", "default"):
            value = schema.get(word)
            if word not in schema or word not in self._rules.keywords or word in made or problem_in(value):
                continue
            if isinstance(value, {"title": str, "examples": list}.get(word, object)):
                made[word] = value

    def _say(self, made: dict[str, Any], said: dict[str, Any]) -> None:
        """What has no keyword there goes into the description."""
        for word, value in said.items():
            if problem_in(value):
                continue
            text = f"{word}: {json_of(value)}"
            self.notes.append(f"{shortened(text, LONGEST_SAID)} is in the description alone")
            if len(text) <= LONGEST_SAID:
                joined = _joined(made.get("description"), f"({text})")
                made["description"] = shortened(joined, LONGEST_DESCRIPTION)

    def _anything(self) -> dict[str, Any]:
        self._refs.count()
        if not self._rules.is_typed:
            return {}
        return {
            "anyOf": [
                {"type": "string"},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "object", "properties": {}},
                {"type": "array", "items": {"type": "string"}},
            ]
        }

    # References -----------------------------------------------------------------------------------------------------

    def _reference(self, given: Any, stack: Stack) -> dict[str, Any] | None:
        """What stands for a reference that is not followed; None when it is followed, or is none."""
        place = given.get("$ref") if isinstance(given, dict) else None
        place = self._refs.end_of(place) if isinstance(place, str) else place
        target = self._refs.target(place)
        if not isinstance(place, str) or target is None:
            return None
        is_recursive = self._refs.is_recursive(place, stack)
        # Where everything is typed nothing may stand beside it: what has words of its own is followed.
        if self._rules.has_refs and (is_recursive or not self._rules.is_typed or len(given) == 1):
            self._refs.count()
            made: dict[str, Any] = {"$ref": f"#/$defs/{self._refs.name_of(place)}"}
            if not self._rules.is_typed:
                self._annotate(made, given)
            return made
        if not is_recursive:
            return None
        self.notes.append(f"{shortened(place, 100)} is recursive: what stands deeper was left open")
        self._refs.count()
        if kinds_in(target.get("type")) == ["array"]:
            return {"type": "array", "items": self._anything()}
        return {"type": "object", "properties": {}}


_ANNOTATIONS = frozenset({"description", "title", "default", "examples"})
_MISPLACED = frozenset({"$schema", "additionalProperties", "description", "properties", "required", "title", "type"})
_ONLY_SAID = (
    "contains", "dependentRequired", "dependentSchemas", "else", "if", "then", "unevaluatedProperties",
    "contentEncoding", "contentMediaType",
)  # fmt: skip


def _one_of(sets: Iterable[str]) -> str:
    return "Give one of these sets: " + "; or ".join(names or "none" for names in sets) + "."


def _joined(words: Any, more: str) -> str:
    return f"{words.rstrip()} {more}" if isinstance(words, str) and words.strip() else more
