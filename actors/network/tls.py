"""Which certificates are trusted: read once for the process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..core.process import fork
from ..extras import need

if TYPE_CHECKING:
    import ssl

SETTINGS = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables of the environment that name other certificates than the system's."""

_made = fork.ProcessLock()
_context: ssl.SSLContext | None = None
_key: tuple[object, ...] | None = None


def ssl_context() -> ssl.SSLContext:
    """The context for connections to servers, as httpx makes it: to read all certificates takes a tenth of a second.

    A forked child makes its own, and so does whoever asks after the settings have changed. It is shared: nobody changes
    it.

    Raises:
        OSError: The certificates cannot be read.
    Threads: any.
    """
    global _context, _key
    key = (fork.generation(), *(os.environ.get(name) for name in SETTINGS))
    with _made:
        if _context is None or _key != key:
            _context, _key = _make(), key
        return _context


def _make() -> ssl.SSLContext:
    context: ssl.SSLContext = need("httpx2", "http", "a connection to a server").create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    # Each connection sets it again, to the same: OpenSSL would change it under the feet of those that begin just then.
    context.set_alpn_protocols = _stay  # type: ignore[assignment, method-assign]
    return context


def _stay(_: object) -> None:
    """It is set."""
