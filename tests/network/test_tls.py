"""Which certificates are trusted."""

from __future__ import annotations

import os
import ssl
import threading
from pathlib import Path

import httpx2
import pytest

from actors.network.tls import ssl_context

from .certificate import PEM


def test_the_certificates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when many threads ask for them first; again only when the settings change."""
    made: list[ssl.SSLContext] = []
    real = httpx2.create_ssl_context

    def make() -> ssl.SSLContext:
        made.append(real())
        return made[-1]

    monkeypatch.setattr(httpx2, "create_ssl_context", make)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)  # unlike whoever asked before
    begin = threading.Barrier(8)
    got: list[ssl.SSLContext] = []

    def ask() -> None:
        begin.wait(10)
        got.append(ssl_context())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(got) == 8
    assert len(made) == 1
    assert set(map(id, got)) == {id(made[0])}


def test_the_settings_of_the_environment_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``SSL_CERT_FILE`` names the certificates that are trusted, from the next call on."""
    before = ssl_context()
    file = tmp_path / "certificates.pem"
    file.write_text(PEM[PEM.index("-----BEGIN CERT") :])
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl_context()
    assert context is not before
    assert [dict(one[0] for one in known["subject"])["commonName"] for known in context.get_ca_certs()] == ["loopback"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    context.set_alpn_protocols(["h2"])  # changes nothing: it is everybody's
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(OSError, match="No such file"):
        ssl_context()
