"""What the tables of a manifest are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

Text = Annotated[str, Field(strict=True)]
Word = Annotated[str, Field(strict=True, min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
ObjectPath = Annotated[str, Field(strict=True, pattern=r"^[\w.]+:[\w.]+$")]
ToolName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ManifestTable(BaseModel, frozen=True, extra="forbid", protected_namespaces=()):
    """A part of a manifest, or all of it."""
