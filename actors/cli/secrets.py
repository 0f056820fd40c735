"""Secrets of the environment, which no output may show."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SAYS_SO = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL", re.IGNORECASE)
"""In the name of a variable."""
SHORTEST = 6
"""Characters of a value that is taken for a secret: shorter ones stand in too many words."""


class Secrets:
    """Takes the values of those environment variables out of texts whose names say that they are secret.

    Args:
        environment: Name -> value; None: that of this process, as it is now.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        named = [(value, name) for name, value in found.items() if SAYS_SO.search(name) and len(value) >= SHORTEST]
        # Long ones first: one may hold another.
        masks = {form: f"[{name}]" for value, name in named for form in _forms(value)}
        self._masks = dict(sorted(masks.items(), key=lambda mask: len(mask[0]), reverse=True))
        self._pattern = re.compile("|".join(map(re.escape, self._masks))) if masks else None

    def masked(self, text: str) -> str:
        """*text*, with the variable's name in the place of each of its secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._masks[found.group()], text)


def _forms(value: str) -> tuple[str, ...]:
    """*value* as it is, and as it stands in JSON of both kinds."""
    return value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]
