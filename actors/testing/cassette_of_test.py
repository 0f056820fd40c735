"""How the cassette of a test is called, and what is told of one that is not used up."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from ..core.shown import shown

if TYPE_CHECKING:
    from .cassette import Cassette

PLAIN = re.compile(r"[a-z0-9_.-]{1,60}")
"""Ids of parameters that are the end of a file name as they are, on every system."""
NAMED = 10


def file_name(name: str, plain: str, cls: type | None) -> str:
    """A name, without its ending, that every system takes, and that no other test of the file has.

    Args:
        name: That of the test, with the id of its parameters.
        plain: Without it.
        cls: The class of the test.
    """
    if cls is not None:
        plain = f"{cls.__qualname__}.{plain}"
    if not name.endswith("]") or "[" not in name:
        return plain
    label = name.partition("[")[2][:-1]
    if PLAIN.fullmatch(label):
        return f"{plain}-{label}"
    digest = hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    slug = re.sub(r"[^a-z0-9_.-]+", "_", label.lower())[:50].strip("_.-")
    return f"{plain}-{slug}-{digest}" if slug else f"{plain}-{digest}"


def advice_on_unused(cassette: Cassette) -> str:
    """What is told of a test that leaves answers unused."""
    unused = cassette.unused
    told = [f"  {answer.place}: {_asked(answer.request)}" for answer in unused[:NAMED]]
    if len(unused) > NAMED:
        told.append(f"  and {len(unused) - NAMED} more")
    count = "1 answer" if len(unused) == 1 else f"{len(unused)} answers"
    head = f"recorded and not used: {count} of {cassette.path}"
    return "\n".join([head, *told, "record it anew with ACTORS_CASSETTE=all"])


def _asked(request: Any) -> str:
    """The last words of a request."""
    try:
        return shown(str(request["messages"][-1]["content"]), 80)
    except (TypeError, LookupError):  # somebody has written it by hand
        return "no message"
