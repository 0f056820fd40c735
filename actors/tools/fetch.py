"""A tool that reads pages of the web, from the hosts that the manifest allows (``network``). Its extra is ``http``."""

from __future__ import annotations

import asyncio
import codecs
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.capability import EVERYTHING, Network
from ..agent.hosts import AllowedHost, plain, refusal
from ..agent.ports import ToolResult
from ..core.process import event_loop
from ..errors import CapabilityDenied, MalformedAnswer, ToolFailed
from ..extras import need
from ..network.address import is_loopback, is_public
from .tool import FunctionTool, tool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ..agent.agent import Agent
    from ..core.waiting.cancel import CancelToken

MAX_BYTES = 2_000_000
"""So much of a page is read."""
MAX_CHARACTERS = 50_000
"""So much of its text is shown at once."""
MAX_REDIRECTS = 5
TIMEOUT = 60.0
CLIENT = "actors (fetch_url)"

REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
NO_TEXT = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf_7"})
"""Encodings of Python that no server means; some take quadratic time."""


def fetch_tool(
    *,
    private_hosts: Collection[str] = (),
    max_bytes: int = MAX_BYTES,
    timeout: float = TIMEOUT,
    name: str = "fetch_url",
) -> FunctionTool[..., ToolResult]:
    """Make the tool that reads pages.

    A host must be in ``allowed_hosts``, also each that a page redirects to; and the address that it resolves to must be
    a public one: no public name leads into a private network. The exceptions are those that are named: an address in
    ``allowed_hosts``, ``localhost`` for this machine, and *private_hosts*.

    Args:
        private_hosts: Names whose addresses may be private; they must be in ``allowed_hosts``, too.
        max_bytes: So much of a page is read.
        timeout: Seconds for all of it.
        name: The tool's name.
    """
    private = frozenset(plain(host) for host in private_hosts)

    def fetch_url(
        url: Annotated[str, Field(max_length=8_000)],
        raw: bool = False,
        offset: Annotated[int, Field(ge=0)] = 0,
        *,
        agent: Agent[Any],
        cancel: CancelToken,
    ) -> ToolResult:
        """Read a page of the web by GET: the text of HTML with the targets of its links, other text as it is.

        Args:
            url: Beginning with http:// or https://.
            raw: ApprovalGate HTML as it is.
            offset: How many characters to skip: for what did not fit the answer before.
        """
        need("httpx2", "http", "fetch_url")
        from ..network.transport import make_client

        grants = [grant for grant in agent.manifest.capabilities if isinstance(grant, Network)]
        gate = _Gate([item for grant in grants for item in grant.allowed_hosts], private)
        try:
            client = make_client(
                gate.refuse_address, timeout=timeout, max_answer_bytes=None, headers={"User-Agent": CLIENT}
            )
        except OSError as error:  # no file descriptor is left for the certificates
            raise ToolFailed(f"nothing can be fetched now: {error.strerror or error}") from error
        page = event_loop.run(_bounded(partial(_get, client, gate, url, max_bytes), timeout), cancel)
        return _answer(page, raw=raw, offset=offset)

    # The call's own bound comes first: it can say what was waited for.
    return tool(fetch_url, capability=Network(), timeout=timeout + 5, name=name)


fetch_url = fetch_tool()
"""The tool with its defaults."""


class _Gate:
    """What one agent may connect to."""

    def __init__(self, items: Sequence[str], private: frozenset[str]) -> None:
        self._items = items
        self._private = private
        self._named = [AllowedHost.parse(item) for item in items if item != EVERYTHING]

    def check(self, url: Any) -> None:
        """Refuse what is no URL of an allowed host."""
        if url.scheme not in PORTS:
            raise ToolFailed(f"{str(url)!r} does not begin with http:// or https://")
        if url.userinfo:
            raise ToolFailed("a user name or a password in a URL is not allowed")
        if not 0 < (url.port or PORTS[url.scheme]) < 65_536:
            raise ToolFailed(f"{url.port} is no port")
        if not url.host or any(not (sign.isalnum() or sign in ".-_:") for sign in url.host):
            raise ToolFailed(f"{str(url)!r} has no host that can be looked up")
        if EVERYTHING in self._items:
            return
        port = url.port or PORTS[url.scheme]
        spellings = (url.host, url.raw_host.decode("ascii"))  # an international name is listed in either
        refusals = [refusal(self._items, host, port) for host in spellings]
        if None not in refusals:
            raise ToolFailed(refusals[0] or "")

    def refuse_address(self, host: str, port: int, address: str) -> str | None:
        """Why *host* may not be connected to at *address*, which it resolved to."""
        name = plain(host)
        if is_public(address) or name in self._private:
            return None
        is_itself = name == plain(address) or (name == "localhost" and is_loopback(address))
        if is_itself and any(item.allows(name, port) for item in self._named):
            return None
        return f"{host} leads to {address}, which is no public address"


@dataclass(frozen=True, slots=True)
class _Page:
    url: str
    status: int
    reason: str
    content_type: str
    data: bytes
    cut: bool


async def _bounded(get: Callable[[], Any], timeout: float) -> _Page:
    httpx2 = need("httpx2", "http", "fetch_url")
    try:
        async with asyncio.timeout(timeout):
            page: _Page = await get()
            return page
    except TimeoutError:
        raise ToolFailed(f"the page did not come within {timeout:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise ToolFailed(f"the page cannot be fetched: {type(error).__name__}: {error}") from error
    except (CapabilityDenied, MalformedAnswer) as error:
        raise ToolFailed(str(error)) from error
    except (OSError, OverflowError, ExceptionGroup) as error:
        raise ToolFailed(f"the page cannot be fetched: {type(error).__name__}: {error}") from error


async def _get(client: Any, gate: _Gate, text: str, limit: int) -> _Page:
    httpx2 = need("httpx2", "http", "fetch_url")
    url = httpx2.URL(text)
    async with client:
        for _ in range(MAX_REDIRECTS + 1):
            gate.check(url)
            async with client.stream("GET", url) as response:
                target = response.headers.get("location")
                if response.status_code not in REDIRECTS or target is None:
                    return await _read(response, limit)
            following = url.join(target)
            if url.scheme == "https" and following.scheme == "http":
                raise ToolFailed(f"{url} redirects to {following}, which is not encrypted")
            url = following
    raise ToolFailed(f"more than {MAX_REDIRECTS} redirects, the last one to {url}")


async def _read(response: Any, limit: int) -> _Page:
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > limit:
            break
    return _Page(
        str(response.url),
        response.status_code,
        response.reason_phrase,
        response.headers.get("content-type", ""),
        bytes(data[:limit]),
        len(data) > limit,
    )


def _answer(page: _Page, *, raw: bool, offset: int) -> ToolResult:
    text = _text(page, raw=raw)
    if offset and offset >= len(text):
        raise ToolFailed(f"the text has {len(text)} characters; offset {offset} is past the end")
    shown = text[offset : offset + MAX_CHARACTERS]
    notes = [page.url]
    if page.status >= 400:
        notes.append(f"the server answered {page.status} {page.reason}")
    if page.cut:
        notes.append(f"only its first {len(page.data):,} bytes were read")
    if offset + len(shown) < len(text):
        notes.append(
            f"{len(text) - offset - len(shown):,} characters follow: read on with offset={offset + len(shown)}"
        )
    return ToolResult("\n".join(notes) + f"\n\n{shown}", is_error=page.status >= 400)


def _text(page: _Page, *, raw: bool) -> str:
    kind, _, parameters = page.content_type.partition(";")
    kind = kind.strip().lower()
    encoding = _encoding(parameters)
    if kind in ("text/html", "application/xhtml+xml") and not raw:
        need("lxml", "http", "the text of a page in fetch_url")
        from .html_text import text_of

        return text_of(page.data, encoding)
    if b"\0" in page.data[:1000] or not _is_text(kind):
        raise ToolFailed(f"{page.url} is no text but {kind or 'of an unknown kind'} ({len(page.data):,} bytes)")
    text = page.data.decode(encoding or "utf-8", errors="replace")
    return text.encode("utf-8", errors="replace").decode()  # without halves of characters, whatever was decoded


def _is_text(kind: str) -> bool:
    return kind == "" or kind.startswith("text/") or kind.endswith(("json", "xml", "javascript", "yaml"))


def _encoding(parameters: str) -> str | None:
    """The encoding that a ``Content-Type`` names, if Python knows it as one of text."""
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            try:
                name = codecs.lookup(value.strip().strip("\"'")).name
                b" ".decode(name)
            except (LookupError, ValueError):
                return None
            return None if name.replace("-", "_") in NO_TEXT else name
    return None
