"""What the tables of a manifest are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from ...core.glance import glance
from ...core.records.built_later import BUILT_LATER
from .importing import OBJECT_PATH

Text = Annotated[str, Field(strict=True)]
Word = Annotated[str, Field(strict=True, min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
ObjectPath = Annotated[str, Field(strict=True, pattern=rf"^{OBJECT_PATH}$")]
ToolName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ManifestTable(BaseModel, frozen=True, extra="forbid", protected_namespaces=(), defer_build=BUILT_LATER):
    """A part of a manifest, or all of it."""


def _manifest_or_path(given: object) -> object:
    if (isinstance(given, str) and given) or "capabilities" in getattr(type(given), "model_fields", ()):
        return given
    raise ValueError(f"a manifest is the path of its file or an AgentManifest, not {glance(given, 40)}")


if TYPE_CHECKING:
    ManifestOrPath = str | ManifestTable
else:
    ManifestOrPath = Annotated[Any, AfterValidator(_manifest_or_path)]  # the class of a manifest holds these tables
