"""What a client of the live view may say: a strict and small part of HTTP/1.1."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_HEAD = 16_384
"""Bytes of the request line and the headers."""
MOST_BODY = 65_536

_LINE = re.compile(rb"([A-Z]{1,20}) (\S+) HTTP/1\.[01]")
_TARGET = re.compile(r"/(?!/)[!-\"$-~]*")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNPRINTED = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

ONCE = frozenset({"host", "origin", "authorization", "content-length", "content-type", "transfer-encoding"})
"""Headers of which a second one is an attempt to be understood in two ways."""


class Refused(Exception):
    """A request that is not answered with what it asks for.

    Args:
        status: The code of HTTP.
        why: For people.
        allow: What may be done instead.
        more: Is said beside it, in JSON.
    """

    def __init__(self, status: int, why: str, *, allow: str = "", **more: Any) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.allow = allow
        self.more = more


@dataclass(frozen=True, slots=True)
class Request:
    """One request. The names of headers are in small letters; each occurs once."""

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def read_request(data: bytes | bytearray) -> Request | None:
    """The request that *data* begins with; None when it is not whole yet.

    Raises:
        Refused: It will never be one that is answered.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        _refuse_early(data)
        return None
    if end > MOST_HEAD:
        raise Refused(431, "the head of a request may have 16 KB")
    line, *lines = bytes(data[:end]).split(b"\r\n")
    method, target = _request_line(line)
    headers = _headers(lines)
    body_begins = end + 4
    size = _body_size(method, headers)
    if len(data) - body_begins < size:
        return None
    if len(data) - body_begins > size:
        raise Refused(400, "more was sent than one request")
    path, _, query = target.partition("?")
    return Request(method, path, _query(query), headers, bytes(data[body_begins:]))


def _refuse_early(data: bytes | bytearray) -> None:
    """What is wrong already, and need not be waited for."""
    if len(data) > MOST_HEAD:
        raise Refused(431, "the head of a request may have 16 KB")
    line, found, rest = bytes(data).partition(b"\n")
    if found:
        if not line.endswith(b"\r") or b"\n\n" in rest:
            raise Refused(400, "lines end with CR LF")
        _request_line(line[:-1])


def _request_line(line: bytes) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Refused(400, "this is no request of HTTP/1.1")
    target = found[2].decode("latin-1")
    if _TARGET.fullmatch(target) is None:
        raise Refused(400, "the target of a request is a path of this server")
    return found[1].decode("ascii"), target


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        said, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(said) is None or _UNPRINTED.search(value) is not None:
            raise Refused(400, "a header is malformed")
        name = said.decode("ascii").lower()
        if name in headers and name in ONCE:
            raise Refused(400, f"there is more than one {name} header")
        headers[name] = value.strip(b" \t").decode("latin-1")
    return headers


def _body_size(method: str, headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers or "expect" in headers or "upgrade" in headers:
        raise Refused(400, "a body is sent with its Content-Length, in one piece")
    said = headers.get("content-length")
    if said is None:
        return 0
    if not (said.isascii() and said.isdigit() and len(said) <= 10):
        raise Refused(400, "Content-Length is no number of bytes")
    size = int(said)
    if size and method != "POST":
        raise Refused(400, f"a {method} has no body")
    if size > MOST_BODY:
        raise Refused(413, "a body may have 64 KB")
    return size


def _query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=10, errors="strict")
    except ValueError:
        raise Refused(400, "the query of the URL is malformed") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Refused(400, "the query of the URL says something twice")
    return query
