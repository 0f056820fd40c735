"""Fields of records whose JSON says all: each kind is an annotation that pydantic reads.

What they are made of is imported when the first record is written or read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from ...errors import ActorsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


class _Text:
    """Any text, half of a surrogate pair included."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        writing = core_schema.plain_serializer_function_ser_schema(written_text, when_used="json")
        return core_schema.no_info_wrap_validator_function(_read_text, handler(source), serialization=writing)


class _Data:
    """Plain data by name, tuples and numbers that are none included."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        writing = core_schema.plain_serializer_function_ser_schema(_written_data, info_arg=True)
        return core_schema.no_info_wrap_validator_function(_read_data, handler(source), serialization=writing)


class _Base64:
    """Bytes: in JSON as base64, of the usual alphabet."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        writing = core_schema.plain_serializer_function_ser_schema(written_bytes, when_used="json")
        return core_schema.no_info_wrap_validator_function(_read_bytes, handler(source), serialization=writing)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "contentEncoding": "base64"}


class UserValue:
    """What a user put in: in Python it is never looked into, and in JSON it is said.

    Args:
        write: What it is in JSON.
        read: Reads a :class:`FromJson`; the schema of the field checks what it gives.
    """

    def __init__(self, write: Callable[[Any], Any], read: Callable[[Any, Callable[[Any], Any]], Any]) -> None:
        self._write = write
        self._read = read

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        # Without the second step model_dump() would make dicts of models, and refuse a list that holds itself.
        as_it_is = core_schema.any_schema(serialization=core_schema.to_string_ser_schema(when_used="json"))
        reading = core_schema.no_info_wrap_validator_function(self._read, handler(source))
        writing = core_schema.plain_serializer_function_ser_schema(self._write, when_used="json")
        return core_schema.chain_schema([reading, as_it_is], serialization=writing)


class _AnError:
    """An error of ours: in JSON an object that tells it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        writing = core_schema.plain_serializer_function_ser_schema(_written_error, when_used="json-unless-none")
        return core_schema.no_info_wrap_validator_function(_read_error, handler(source), serialization=writing)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from .error_json import SCHEMA

        return SCHEMA


def written_text(value: Any) -> Any:
    """*value* as JSON: of a text that can be written, itself."""
    if type(value) is str and value.isascii():
        return value
    from .json_value import to_json

    return to_json(value, exact=True)


def _written_data(value: Any, info: Any) -> Any:
    from .json_marks import quoted

    return written_text(value) if info.mode == "json" else quoted(value)


def _read_text(value: Any, check: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        from .json_marks import from_json

        value = from_json(value)
    return value if type(value) is str else check(value)


def _read_data(value: Any, check: Callable[[Any], Any]) -> Any:
    from .json_marks import from_json

    read = from_json(value)
    return read if isinstance(read, Mapping) else check(value)


def written_bytes(value: bytes) -> str:
    """*value* as base64."""
    from binascii import b2a_base64

    return b2a_base64(value, newline=False).decode("ascii")


def _read_bytes(value: Any, check: Callable[[Any], Any]) -> Any:
    if not isinstance(value, str):
        return check(value)
    from base64 import b64decode

    return b64decode(value, validate=True)


def _written_error(error: BaseException) -> Any:
    from .error_json import error_to_json

    return error_to_json(error)


def _read_error(value: Any, check: Callable[[Any], Any]) -> Any:
    if not isinstance(value, Mapping):
        return check(value)
    from .error_json import error_from_json

    return error_from_json(value)


class FromJson(NamedTuple):
    """A value as it stood in JSON: a type of the reader's may want another reading of it."""

    data: Any


def read_any(value: Any, check: Callable[[Any], Any]) -> Any:
    """What *value* was before it was JSON, as *check* lets it pass; what was no JSON is only checked."""
    if type(value) is not FromJson:
        return check(value)
    from .json_marks import from_json, unmarked

    try:
        return check(from_json(value.data))
    except ValueError as refused:
        plain = unmarked(value.data)
        if plain == value.data:
            raise
        try:
            return check(plain)  # the value of an enumeration, say
        except ValueError:
            raise refused from None


Text: TypeAlias = Annotated[str, _Text()]
Base64: TypeAlias = Annotated[bytes, _Base64()]
Data: TypeAlias = Annotated[Mapping[str, Any], _Data()]
AnyValue: TypeAlias = Annotated[Any, UserValue(written_text, read_any)]
AnError: TypeAlias = Annotated[ActorsError | None, _AnError()]
