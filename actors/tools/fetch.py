"""A tool that reads pages of the web, from the hosts that the manifest allows (``network``). Its extra is ``http``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.ports import ToolResult
from ..agent.terms.capability import EVERYTHING, Network
from ..agent.terms.hosts import AllowedHost, plain, refusal
from ..core.shown import shown
from ..core.waiting.cancel import Deadline
from ..errors import CapabilityDenied, MalformedAnswer, ToolFailed
from ..extras import need
from ..network.address import is_loopback, is_public
from ..network.encoding import known_encoding
from .tool import FunctionTool, tool

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..agent.agent import Agent
    from ..core.waiting.cancel import CancelToken

MAX_BYTES = 2_000_000
"""So much of a page is read."""
MAX_CHARACTERS = 50_000
"""So much of its text is shown at once."""
MAX_ERROR = 400
"""So many characters of a server's own words stand in an error, of a URL half of it."""
MAX_URL = 8_000
MAX_REDIRECTS = 5
TIMEOUT = 60.0
CLIENT = "actors (fetch_url)"
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}

REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
WIRE = 2
"""So many times what is read of a page may come, with what stands between its pieces."""
HEADS = 1_000_000
"""So many bytes may come besides, for the heads of all answers."""


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
        url: Annotated[str, Field(max_length=MAX_URL)],
        raw: bool = False,
        offset: Annotated[int, Field(ge=0)] = 0,
        *,
        agent: Agent[Any],
        cancel: CancelToken,
    ) -> ToolResult:
        """Read a page of the web by GET: the text of HTML with the targets of its links, other text as it is.

        Args:
            url: Beginning with http:// or https://.
            raw: Give HTML as it is.
            offset: How many characters to skip: for what did not fit the answer before.
        """
        need("httpx2", "http", "fetch_url")
        grants = [grant for grant in agent.manifest.capabilities if isinstance(grant, Network)]
        gate = _Gate([item for grant in grants for item in grant.allowed_hosts], private)
        seconds = timeout if cancel.deadline is None else min(timeout, cancel.deadline.remaining())
        fetching = _Fetching(gate, Deadline.after(seconds), cancel, max_bytes)
        try:
            return _answer(fetching.page(url), fetching, raw=raw, offset=offset)
        except TimeoutError:
            raise ToolFailed(f"the page did not come within {timeout:g} s") from None

    # The call's own bound comes first: it can say what was waited for.
    return tool(fetch_url, capability=Network(), timeout=timeout + 5, name=name, effect="idempotent")


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
            raise ToolFailed(f"{_named(url)} does not begin with http:// or https://")
        if url.userinfo:
            raise ToolFailed("a user name or a password in a URL is not allowed")
        port = url.port or PORTS[url.scheme]
        if not 0 < port < 65_536:
            raise ToolFailed(f"{url.port} is no port")
        if not url.host or any(not (sign.isalnum() or sign in ".-_:") for sign in url.host):
            raise ToolFailed(f"{_named(url)} has no host that can be looked up")
        if EVERYTHING in self._items:
            return
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


class _Fetching:
    """One page on its way. All of it happens in the thread of the call: neither a server's pieces nor a slow name cost
    anybody else's time.
    """

    def __init__(self, gate: _Gate, deadline: Deadline, cancel: CancelToken, limit: int) -> None:
        self._gate = gate
        self._deadline = deadline
        self._cancel = cancel
        self._limit = limit

    def check(self) -> None:
        """Go on only while there is time.

        Raises:
            Cancelled: By the token.
            TimeoutError: There is none.
        """
        self._cancel.check()
        if self._deadline.expired:
            raise TimeoutError

    def page(self, url: str) -> _Page:
        """Get it.

        Raises:
            ToolFailed: It may not be fetched, or cannot be.
        """
        httpcore2, httpx2 = need("httpcore2", "http", "fetch_url"), need("httpx2", "http", "fetch_url")
        from ..network.direct import connections

        most_bytes = WIRE * self._limit + HEADS
        try:
            pool = connections(
                self._gate.refuse_address, deadline=self._deadline, cancel=self._cancel, most_bytes=most_bytes
            )
        except OSError as error:  # no file descriptor is left for the certificates
            raise ToolFailed(f"nothing can be fetched now: {error.strerror or error}") from error
        try:
            with pool:
                return self._follow(pool, httpx2.URL(url))
        except (CapabilityDenied, MalformedAnswer) as error:
            raise ToolFailed(shown(str(error), MAX_ERROR)) from None
        except (
            httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, httpx2.InvalidURL, OSError,
            ValueError, OverflowError,
        ) as error:  # fmt: skip
            self.check()  # what breaks off because its time is over is no error of the server
            words = shown(f"{type(error).__name__}: {error}", MAX_ERROR)
            raise ToolFailed(f"the page cannot be fetched: {words}") from None

    def _follow(self, pool: Any, url: Any) -> _Page:
        for _ in range(MAX_REDIRECTS + 1):
            self._gate.check(url)
            answer = self._ask(pool, url)
            if isinstance(answer, _Page):
                return answer
            url = answer
        raise ToolFailed(f"more than {MAX_REDIRECTS} redirects, the last one to {_named(url)}")

    def _ask(self, pool: Any, url: Any) -> Any:
        """The page, or where it redirects to."""
        httpcore2, httpx2 = need("httpcore2", "http", "fetch_url"), need("httpx2", "http", "fetch_url")
        # A packed page could unpack to any size.
        headers = httpx2.Request("GET", url, headers={**HEADERS, "User-Agent": CLIENT}).headers.raw
        where = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        with pool.stream("GET", where, headers=headers) as response:
            answered = httpx2.Headers(response.headers)
            location = answered.get("location")
            if response.status in REDIRECTS and location is not None:
                return _redirected(url, location)
            packed = answered.get("content-encoding", "identity").strip().lower()
            if packed not in ("", "identity"):
                raise MalformedAnswer(f"the server packed its answer ({packed}), which it was asked not to do")
            data, cut = self._body(response)
        reason = response.extensions.get("reason_phrase", b"").decode("ascii", errors="replace")
        kind = answered.get("content-type", "")
        return _Page(str(url), response.status, reason, kind, data, cut)

    def _body(self, response: Any) -> tuple[bytes, bool]:
        """What is read of it, and whether more follows."""
        data = bytearray()
        try:
            for chunk in response.iter_stream():
                self.check()
                data += chunk
                if len(data) > self._limit:
                    break
            else:
                return bytes(data), False
        except MalformedAnswer:  # its pieces are small, and what stands between them is not
            if not data:
                raise
        return bytes(data[: self._limit]), True


def _redirected(url: Any, location: str) -> Any:
    if len(location) > MAX_URL:
        raise ToolFailed(f"{_named(url)} redirects to a URL of {len(location):,} characters")
    following = url.join(location)
    if url.scheme == "https" and following.scheme == "http":
        raise ToolFailed(f"{_named(url)} redirects to {_named(following)}, which is not encrypted")
    return following


def _answer(page: _Page, fetching: _Fetching, *, raw: bool, offset: int) -> ToolResult:
    text = _text(page, fetching, raw=raw)
    if offset and offset >= len(text):
        raise ToolFailed(f"the text has {len(text)} characters; offset {offset} is past the end")
    failed = page.status >= 400
    piece = text[offset : offset + (MAX_ERROR if failed and not offset else MAX_CHARACTERS)]
    notes = [shown(page.url, MAX_URL)]
    if failed:
        notes.append(f"the server answered {page.status} {shown(page.reason)}".rstrip())
    if page.cut:
        notes.append(f"only its first {len(page.data):,} bytes were read")
    if offset + len(piece) < len(text):
        notes.append(
            f"{len(text) - offset - len(piece):,} characters follow: read on with offset={offset + len(piece)}"
        )
    return ToolResult("\n".join(notes) + f"\n\n{piece}", is_error=failed)


def _text(page: _Page, fetching: _Fetching, *, raw: bool) -> str:
    kind, _, parameters = page.content_type.partition(";")
    kind = kind.strip().lower()
    encoding = _encoding(parameters)
    if kind in ("text/html", "application/xhtml+xml") and not raw:
        need("lxml", "http", "the text of a page in fetch_url")
        from .html_text import text_of

        return text_of(page.data, encoding, fetching.check)
    is_wide = (encoding or "").startswith("utf-16")
    if (b"\0" in page.data[:1000] and not is_wide) or not _is_text(kind):
        what = shown(kind) or "of an unknown kind"
        raise ToolFailed(f"{_named(page.url)} is no text but {what} ({len(page.data):,} bytes)")
    text = page.data.decode(encoding or "utf-8", errors="replace")
    return text.encode("utf-8", errors="replace").decode()  # without halves of characters, whatever was decoded


def _named(url: Any) -> str:
    return shown(str(url), MAX_ERROR // 2)


def _is_text(kind: str) -> bool:
    return kind == "" or kind.startswith("text/") or kind.endswith(("json", "xml", "javascript", "yaml"))


def _encoding(parameters: str) -> str | None:
    """The encoding that a ``Content-Type`` names, if Python knows it as one of text."""
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            return known_encoding(value.strip().strip("\"'"))
    return None
