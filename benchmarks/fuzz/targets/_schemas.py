"""What all readers of schemas have in common."""

from __future__ import annotations

import json
from typing import Any

from ..target import Target


class ReadsSchemas(Target):
    """A schema as JSON."""

    def grown(self, data: bytes, times: int) -> bytes | None:
        """So many of it, as the properties of one."""
        properties = {f"p{n}": schema_of(data) for n in range(times)}
        return json.dumps({"type": "object", "properties": properties}).encode()


def schema_of(data: bytes) -> Any:
    """The schema that *data* is; a text where it is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")
