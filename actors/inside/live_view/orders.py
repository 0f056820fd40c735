"""What who looks at a live view may order: to abort an agent, to approve or deny a call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .request import Refused

if TYPE_CHECKING:
    from .request import Request

FIELDS = {
    "/abort": {"agent_id": int, "reason": str},
    "/approve": {"agent_id": int, "call_id": str},
    "/deny": {"agent_id": int, "call_id": str, "reason": str},
}
OPTIONAL = "reason"


@dataclass(frozen=True, slots=True)
class Order:
    """One order; what it does not say is empty."""

    agent_id: int
    call_id: str = ""
    reason: str = ""


def read_order(request: Request) -> Order:
    """What the body of *request* orders.

    Raises:
        Refused: It is none.
    """
    kind, _, more = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/json" or more.strip().lower() not in ("", "charset=utf-8"):
        raise Refused(415, "an order is application/json")
    fields = FIELDS[request.path]
    said = _object(request.body)
    if said.keys() - fields.keys() or fields.keys() - {OPTIONAL} - said.keys():
        raise Refused(400, f"an order to {request.path} says {', '.join(fields)}")
    for name, value in said.items():
        if type(value) is not fields[name] or not _is_good(value):
            raise Refused(400, f"{name} must be {'a whole number' if fields[name] is int else 'a text'}")
    return Order(**said)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is no JSON") from None
    if not isinstance(said, dict):
        raise Refused(400, "an order is one object")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name occurs twice")
    return fields


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _is_good(value: object) -> bool:
    """Is it an id that there may be, or a text that can be written?"""
    if isinstance(value, int):
        return 0 <= value < 2**63
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError:  # half of a character
        return False
    return True
