"""What the live view sends back: the bytes of HTTP/1.1."""

from __future__ import annotations

from http import HTTPStatus
from json import dumps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .request import Refused

JSON = "application/json"
HEADERS = (
    "Connection: close",
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Referrer-Policy: no-referrer",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
)
"""Of every answer. None lets a page of somebody else read it (there is no CORS)."""
NOTHING = "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'"


def response(status: int, kind: str, body: bytes, *more: str) -> bytes:
    """An answer."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *HEADERS,
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def said(body: bytes) -> bytes:
    """An answer in JSON."""
    return response(200, JSON, body, NOTHING)


def served(page: bytes, nonce: str) -> bytes:
    """A page: what says *nonce* is run and drawn, and it asks nobody but its own server."""
    rules = [
        "default-src 'none'",
        f"script-src 'nonce-{nonce}'",
        f"style-src 'nonce-{nonce}'",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    return response(200, "text/html; charset=utf-8", page, "Content-Security-Policy: " + "; ".join(rules))


def refusal(refused: Refused) -> bytes:
    """An answer to what is not answered: why, for people."""
    more = [NOTHING]
    if refused.allow:
        more.append(f"Allow: {refused.allow}")
    if refused.status == HTTPStatus.UNAUTHORIZED:
        more.append("WWW-Authenticate: Bearer")
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        more.append("Retry-After: 1")
    return response(refused.status, JSON, dumps({"error": refused.why, **refused.more}).encode("ascii"), *more)
