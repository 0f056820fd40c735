"""Records of several classes in JSON, told apart by one field alone, which says of which class each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler


@dataclass(frozen=True, slots=True)
class Tag:
    """The field that tells them apart.

    Args:
        name: Of the field, which is a class variable of each class.
        noun: What each of them is called.
        words: What the field may say.
        classes: What they are called in Python.
        missing: What is told of data that has none.
        keeps_all: Are fields written that hold nothing, too?
    """

    name: str
    noun: str
    words: str
    classes: str
    missing: str
    keeps_all: bool = True

    def schema_of(self, word: str, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """How pydantic reads and writes the class that says *word*."""

        def read(value: Any) -> Any:
            if not isinstance(value, Mapping):
                return value
            if (found := self._word_of(value)) != word:
                raise self._error("its {name} is {found}, not {word}", found=repr(found), word=repr(word))
            return {name: each for name, each in value.items() if name != self.name}

        def write(value: Any, write_fields: Any) -> Any:
            written = write_fields(value)
            if not isinstance(written, dict):
                return written
            return {self.name: word, **{key: each for key, each in written.items() if each or self.keeps_all}}

        # By its reference pydantic finds a class that it has met: that has to lead here, and not to the fields alone.
        fields: dict[str, Any] = {**handler.resolve_ref_schema(handler(source))}
        ref = fields.pop("ref", None)
        return core_schema.no_info_before_validator_function(
            read,
            cast("core_schema.CoreSchema", fields),
            ref=ref,
            serialization=core_schema.wrap_serializer_function_ser_schema(write),
        )

    def schema_of_all(self, classes: tuple[Any, ...], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """How pydantic reads and writes any of *classes*."""
        by_word = {getattr(cls, self.name): cls for cls in classes}

        def check(value: Any) -> Any:
            if isinstance(value, Mapping):
                word = self._word_of(value)
                if not isinstance(word, str) or word not in by_word:
                    raise self._error("its {name} is {found}: it must be one of {words}", found=repr(word))
                return value if isinstance(value, dict) else dict(value)
            if not isinstance(value, classes):
                raise PydanticCustomError(
                    f"{self.noun}_type",
                    'a {noun} is a {classes}, or data with a "{name}", not {found}',
                    {"noun": self.noun, "classes": self.classes, "name": self.name, "found": type(value).__name__},
                )
            return value

        choices = {word: handler.generate_schema(cls) for word, cls in by_word.items()}
        union = core_schema.tagged_union_schema(choices, self.name)
        return core_schema.no_info_before_validator_function(check, union)

    def json_schema_of(self, word: str, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The JSON Schema of one class, with the field that tells it."""
        schema = handler(core)
        fields = handler.resolve_ref_schema(schema)
        if self.name not in fields["properties"]:
            said = {"const": word, "title": self.name.title(), "type": "string"}
            fields["properties"] = {self.name: said, **fields["properties"]}
            fields["required"] = [self.name, *fields.get("required", [])]
        return schema

    def _word_of(self, value: Mapping[Any, Any]) -> Any:
        if self.name not in value:
            raise self._error(self.missing)
        return value[self.name]

    def _error(self, text: str, **told: Any) -> PydanticCustomError:
        kind: Any = f"{self.noun}_{self.name}"
        template: Any = text
        return PydanticCustomError(kind, template, {"name": self.name, "words": self.words, **told})
