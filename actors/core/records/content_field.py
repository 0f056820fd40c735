"""A field that holds content: in JSON a text, or a list of parts with their kinds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from .content import NO_PART, PARTS, is_part
from .json_fields import Text, written_bytes, written_text
from .json_marks import from_json
from .parts import Part, TextPart

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

_FIELDS: Final = ("data", "media_type", "name", "url")


class _Content:
    """Lists become tuples, a text among parts becomes one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        # What this schema says is read where a JSON Schema is made; to check by it would tell of both choices.
        both = core_schema.union_schema(
            [handler.generate_schema(Text), core_schema.list_schema(handler.generate_schema(Part))]
        )
        writing = core_schema.plain_serializer_function_ser_schema(_written, info_arg=True)
        return core_schema.no_info_wrap_validator_function(_read, both, serialization=writing)


Content: TypeAlias = Annotated[Text | Sequence[Part], _Content()]
"""As a message has it: text, or a tuple of parts."""
LooseContent: TypeAlias = str | Part | Sequence[Part | str]
"""As a message takes it: one part alone, or texts among parts, too."""


def data_of_part(part: Part, *, as_json: bool = True) -> dict[str, Any]:
    """*part* as data, with its kind; what is empty is left out.

    Args:
        as_json: Bytes are base64, and text that cannot be written is marked.
    """
    if isinstance(part, TextPart):
        return {"kind": part.kind, "text": written_text(part.text) if as_json else part.text}
    held: dict[str, Any] = {name: getattr(part, name) for name in _FIELDS if getattr(part, name, "")}
    if as_json:
        held = {name: written_bytes(each) if name == "data" else written_text(each) for name, each in held.items()}
    return {"kind": part.kind, **held}


def outline_of_part(part: Part) -> dict[str, Any]:
    """What tells *part* from all others, as data: with the digest of its bytes in place of them."""
    if isinstance(part, TextPart):
        return data_of_part(part)
    name = written_text(getattr(part, "name", ""))
    return {"kind": part.kind, "media_type": part.media_type, "digest": part.digest, "url": part.url, "name": name}


def content_to_data(content: str | Sequence[Part]) -> Any:
    """*content* as data that JSON can hold."""
    return written_text(content) if isinstance(content, str) else [data_of_part(part) for part in content]


def content_from_data(data: Any) -> Any:
    """The content that :func:`content_to_data` wrote.

    Raises:
        ValueError: It is none.
    """
    return _reader(tuple[Part, ...]).validate_python(data) if isinstance(data, list) else from_json(data)


def _read(value: Any, _: Any) -> Any:
    if type(value) is str:
        return value
    if isinstance(value, PARTS):
        return (value,)
    if not isinstance(value, list | tuple):
        return _reader(Text).validate_python(value)
    if not value:
        raise ValueError(NO_PART)
    listed = [{"kind": "text", "text": each} if isinstance(each, str) else each for each in value]
    return _reader(tuple[Part, ...]).validate_python(listed)


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    """Made when it is first needed: it takes a millisecond."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _written(value: Any, info: Any) -> Any:
    if isinstance(value, str):
        return written_text(value) if info.mode == "json" else value
    parts = value if isinstance(value, tuple) else ()
    if not all(map(is_part, parts)) or not parts:  # drivers of a user's own say what they please
        return written_text(value)
    return [data_of_part(part, as_json=info.mode == "json") for part in parts]
