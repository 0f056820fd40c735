"""The certificates that this process trusts, read once: that takes a tenth of a second."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import httpx2

from ..core.process.fork import ProcessLock

if TYPE_CHECKING:
    import ssl

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where the environment says that others are; httpx reads them."""


class _Certificates:
    """Locks: ``_reading`` guards ``_read``."""

    def __init__(self) -> None:
        self._reading = ProcessLock()
        self._read: dict[tuple[str | None, ...], ssl.SSLContext] = {}

    def context(self) -> ssl.SSLContext:
        key = tuple(os.environ.get(name) for name in VARIABLES)
        with self._reading:
            if key not in self._read:
                self._read[key] = httpx2.create_ssl_context()
            return self._read[key]


@cache
def _certificates() -> _Certificates:
    return _Certificates()


def ssl_context() -> ssl.SSLContext:
    """What every client of the process verifies servers with; nobody is to change it.

    Raises:
        OSError: The certificates cannot be read, now.
    Threads: any.
    """
    return _certificates().context()
