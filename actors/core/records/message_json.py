"""Messages in JSON: told apart by their role alone.

JSON without one is refused: to guess whose words they are could make an instruction of what a user said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

ROLES = "system, user, assistant, tool"


def schema_of(role: str, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    """How pydantic reads and writes one class of messages."""

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if _role_of(value) != role:
            raise PydanticCustomError(
                "message_role", "its role is {found}, not {role}", {"found": repr(value["role"]), "role": repr(role)}
            )
        return {name: each for name, each in value.items() if name != "role"}

    def write(value: Any, write_fields: Any) -> Any:
        written = write_fields(value)
        return {"role": role, **written} if isinstance(written, dict) else written

    # By its reference pydantic finds a class that it has met: that has to lead here, and not to the fields alone.
    fields: dict[str, Any] = {**handler.resolve_ref_schema(handler(source))}
    ref = fields.pop("ref", None)
    return core_schema.no_info_before_validator_function(
        read,
        cast("core_schema.CoreSchema", fields),
        ref=ref,
        serialization=core_schema.wrap_serializer_function_ser_schema(write),
    )


def schema_of_all(classes: tuple[Any, ...], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    """How pydantic reads and writes any message: the role says of which class it is."""
    roles = {cls.role: cls for cls in classes}

    def check(value: Any) -> Any:
        if isinstance(value, Mapping):
            role = _role_of(value)
            if not isinstance(role, str) or role not in roles:
                raise PydanticCustomError(
                    "message_role",
                    "its role is {found}: it must be one of {roles}",
                    {"found": repr(role), "roles": ROLES},
                )
            return value if isinstance(value, dict) else dict(value)
        if not isinstance(value, classes):
            raise PydanticCustomError(
                "message_type",
                "a message is a SystemMessage, UserMessage, AssistantMessage or ToolResultMessage, "
                'or data with a "role", not {found}',
                {"found": type(value).__name__},
            )
        return value

    choices = {role: handler.generate_schema(cls) for role, cls in roles.items()}
    return core_schema.no_info_before_validator_function(check, core_schema.tagged_union_schema(choices, "role"))


def json_schema_of(role: str, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """The JSON Schema of one class, with its role."""
    schema = handler(core)
    fields = handler.resolve_ref_schema(schema)
    if "role" not in fields["properties"]:
        said = {"const": role, "title": "Role", "type": "string"}
        fields["properties"] = {"role": said, **fields["properties"]}
        fields["required"] = ["role", *fields.get("required", [])]
    return schema


def _role_of(value: Mapping[Any, Any]) -> Any:
    if "role" not in value:
        raise PydanticCustomError(
            "message_role",
            'it has no "role", and whose words these are is not guessed: add one of {roles}',
            {"roles": ROLES},
        )
    return value["role"]
