"""References within a schema: where they lead, and what may not be followed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

from .parts import Schema, merged, said_as, without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rules import SchemaRules

Stack: TypeAlias = tuple[str, ...]
"""The places that were followed to where one is."""

MAX_NODES = 10_000
"""How many schemas one may hold, those that references bring in included."""

MAX_FOLLOWED = 500
"""How many references, each of which says more, may lead to one place."""

MAX_PARTS = 1_000
"""Of ``anyOf``, ``oneOf`` and ``allOf``."""


class RefusedError(Exception):
    """There is no acceptable schema."""


def refuse_many(parts: Sequence[object]) -> None:
    """Raise RefusedError where a union, or what is put together, has too many parts: each is compared with others."""
    if len(parts) > MAX_PARTS:
        raise RefusedError(f"a union in it has more than {MAX_PARTS:,} parts")


class References:
    """The references of one schema.

    Args:
        schema: The whole.
        notes: Where what was changed is noted.
    """

    def __init__(self, schema: Any, rules: SchemaRules, notes: list[str]) -> None:
        self._given = schema
        self._rules = rules
        self._notes = notes
        self._count = 0
        self._targets: dict[str, Schema | None] = {}
        self._ends: dict[str, str] = {}
        self._names: set[str] = set()
        self._named: dict[str, str] = {}  # places that are referred to, and how
        self.unmade: list[tuple[str, str]] = []  # those, until somebody has made what stands there

    def count(self) -> None:
        """One more schema.

        Raises:
            RefusedError: There are too many.
        """
        self._count += 1
        if self._count > MAX_NODES:
            raise RefusedError(f"it has more than {MAX_NODES:,} schemas in it")

    def is_recursive(self, place: str, stack: Stack) -> bool:
        """Has it been followed? Twice, where it cannot stay: beside what it is merged with it may stand once more."""
        return stack.count(place) >= (1 if self._rules.has_refs else 2)

    def end_of(self, place: str) -> str:
        """Where the references that begin at *place* lead, as long as each is nothing but a reference."""
        chain: list[str] = []
        while place not in self._ends:
            self._ends[place] = place  # for a circle
            chain.append(place)
            found = self.at(place)
            if not (isinstance(found, dict) and len(found) == 1 and isinstance(found.get("$ref"), str)):
                break
            place = found["$ref"]
        end = self._ends[place]
        self._ends.update(dict.fromkeys(chain, end))
        return end

    def target(self, place: Any) -> Schema | None:
        """The schema at the end of the references that begin at *place*; None when they lead nowhere."""
        chain: list[str] = []
        found: Schema | None = None
        while isinstance(place, str):
            if place in self._targets:
                found = self._targets[place]
                break
            self._targets[place] = None  # for a circle
            chain.append(place)
            target = self.at(place)
            if not isinstance(target, dict):
                break
            if "$ref" not in target:
                found = target
                break
            place = target["$ref"]
        self._targets.update(dict.fromkeys(chain, found))
        return found

    def name_of(self, place: str) -> str:
        """How it is referred to."""
        if place not in self._named:
            plain = re.sub(r"[^A-Za-z0-9_.-]", "_", place.rpartition("/")[2])[:50] or "root"
            name = plain if plain not in self._names else f"{plain}_{len(self._names)}"
            while name in self._names:
                name += "_"
            self._names.add(name)
            self._named[place] = name
            self.unmade.append((place, name))
        return self._named[place]

    def at(self, place: str) -> Any:
        """What stands at *place* (``#/$defs/Name``); None when nothing does, or it is elsewhere."""
        if not place.startswith("#"):
            return None
        value: Any = self._given
        for step in place.split("/")[1:]:
            step = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value if place in ("#", "") or "/" in place else None

    def expanded(self, given: Any, stack: Stack, *, follow: bool = False) -> tuple[Schema, Stack]:
        """*given* without a reference and, where it is not taken, without ``allOf``; and what was followed for that."""
        schema: Schema = dict(given) if isinstance(given, dict) else {}
        if not isinstance(given, dict | bool):
            self._notes.append(f"{said_as(given)} is no schema")
        while "$ref" in schema:
            self.count()
            place = schema.pop("$ref")
            place = self.end_of(place) if isinstance(place, str) else place
            target = self.target(place)
            if len(stack) > MAX_FOLLOWED:
                raise RefusedError(f"more than {MAX_FOLLOWED} references follow each other")
            if target is None or self.is_recursive(place, stack):
                self._notes.append(f"the reference {said_as(place)} leads nowhere")
                break
            stack = (*stack, place)
            schema = merged(schema, self.at(place), self._notes)
        parts = schema.get("allOf")
        if isinstance(parts, list) and (follow or "allOf" not in self._rules.keywords):
            refuse_many(parts)
            schema = without(schema, "allOf")
            for part in parts:
                self.count()
                if isinstance(part, dict):
                    inner, deeper = self.expanded(part, stack, follow=follow)
                    stack = (*stack, *(place for place in deeper if place not in stack))
                    schema = merged(schema, inner, self._notes)
        return schema, stack
