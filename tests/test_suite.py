"""The tests themselves: what they share is there once."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
HOMES = {"Gate": "waiting.py", "eventually": "waiting.py"}
DEFINED = re.compile(rf"^ *(?:class|def|async def) ({'|'.join(HOMES)})\b", re.MULTILINE)


def test_there_is_one_way_to_wait() -> None:
    """One ``Gate`` and one ``eventually``: who needs more of them adds it there."""
    found = [
        (name, path.relative_to(TESTS).as_posix())
        for path in TESTS.rglob("*.py")
        for name in DEFINED.findall(path.read_text(encoding="utf-8"))
    ]
    assert sorted(found) == sorted(HOMES.items())
