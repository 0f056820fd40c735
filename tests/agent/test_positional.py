"""Records that take their first fields by position: what is said of a value too many."""

from __future__ import annotations

from typing import Any

import pytest

from actors import AgentManifest, AgentMessage, SpawnConfig

MANIFEST = AgentManifest(name="a")


@pytest.mark.parametrize(
    ("record", "args", "fields", "said"),
    [
        (SpawnConfig, (MANIFEST, "a", "b"), {}, "SpawnConfig takes manifest and query, got 3 positional values"),
        (SpawnConfig, (MANIFEST, "a"), {"query": "b"}, "SpawnConfig got query twice"),
        (SpawnConfig, (MANIFEST,), {"manifest": MANIFEST}, "SpawnConfig got manifest twice"),
        (AgentMessage, (1, 2, "a", "b"), {}, "AgentMessage takes sender, to and content, got 4 positional values"),
        (AgentMessage, (1, 2, "a"), {"content": "b"}, "AgentMessage got content twice"),
    ],
)
def test_a_value_too_many_is_refused(record: Any, args: tuple[Any, ...], fields: dict[str, Any], said: str) -> None:
    """None is dropped in silence."""
    with pytest.raises(TypeError, match=said):
        record(*args, **fields)


def test_both_ways_give_the_same() -> None:
    """By position, by name, or both."""
    assert SpawnConfig(MANIFEST, "a") == SpawnConfig(MANIFEST, query="a") == SpawnConfig(manifest=MANIFEST, query="a")
    assert AgentMessage(1, 2, "a") == AgentMessage(1, to=2, content="a") == AgentMessage(sender=1, to=2, content="a")
