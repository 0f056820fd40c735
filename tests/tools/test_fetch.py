"""The tool that reads pages of the web."""

from __future__ import annotations

import encodings
import gc
import gzip
import socket
import ssl
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.agent.terms.capability import Network
from actors.agent.terms.hosts import AllowedHost, refusal
from actors.core.process import event_loop
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools.fetch import MAX_CHARACTERS, MAX_ERROR, fetch_tool, fetch_url

from ..network.certificate import PEM
from .web import BOUND, Web, head, web_server


@pytest.fixture
def web() -> Iterator[Web]:
    """A server on 127.0.0.1."""
    with web_server() as server:
        yield server


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to, one answer after another (the last one stays); what is not in it, as ever."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        answers = known.get(host)
        if answers is None:
            return real(host, port, *args, **options)
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def granted(*allowed: str) -> Any:
    """An agent that may go there."""
    return SimpleNamespace(manifest=SimpleNamespace(capabilities=(Network(allowed_hosts=allowed),)))


def fetch(url: str, *allowed: str, tool: Any = fetch_url, **arguments: Any) -> Any:
    return tool.execute({"url": url, **arguments}, cancel=CancelToken(), agent=granted(*(allowed or ("127.0.0.1",))))


def told(url: str, *allowed: str) -> str:
    """The error that the model gets."""
    try:
        result = fetch(url, *allowed)
    except ToolFailed as error:
        return str(error)
    assert result.is_error
    return str(result.content)


# What it reads ---------------------------------------------------------------------------------------------------


def test_it_reads_the_text_of_a_page(web: Web) -> None:
    """Block by block, with the targets of links; scripts and styles are not seen."""
    web.page(
        "/",
        "<html><head><title>T</title><style>x{}</style></head><body><h1>News &amp;\nmore</h1>"
        "<p>See <a href='/a'>the <b>first</b></a>, or <a href='javascript:x()'>this</a>.</p>"
        "<script>alert(1)</script><ul><li>one<li>two</ul><table><tr><td>a<td>b</table><!-- hidden -->",
    )
    text = fetch(f"{web.url}/").content
    assert text == f"{web.url}/\n\nNews & more\nSee the first (/a), or this.\n- one\n- two\n| a | b"


def test_other_text_is_read_as_it_is(web: Web) -> None:
    """JSON, plain text; and HTML when it is asked for raw."""
    web.page("/json", '{"a":  1}', "application/json")
    web.page("/latin", "é".encode("latin-1"), "text/plain; charset=iso-8859-1")
    web.page("/html", "<p>x</p>")
    web.page("/wide", "é".encode("utf-16"), "text/plain; charset=UTF-16")
    web.page("/wide.html", "<p>é".encode("utf-16-le"), "text/html; charset=utf-16le")
    assert fetch(f"{web.url}/wide").content.endswith("\n\né")
    assert fetch(f"{web.url}/wide.html").content.endswith("\n\né")
    assert fetch(f"{web.url}/json").content.endswith('\n\n{"a":  1}')
    assert fetch(f"{web.url}/latin").content.endswith("\n\né")
    assert fetch(f"{web.url}/html", raw=True).content.endswith("\n\n<p>x</p>")


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "zip", "rot13", "none-such", "utf-8\0", ""])
def test_an_odd_encoding_does_no_harm(web: Web, charset: str) -> None:
    """Only encodings of text are used; HTML and plain text."""
    web.page("/", "<p>a\\u0041</p>", f"text/html; charset={charset}".replace("\0", ""))
    web.page("/plain", "a\\u0041", f"text/plain; charset={charset}".replace("\0", ""))
    assert fetch(f"{web.url}/").content.endswith("a\\u0041")
    assert fetch(f"{web.url}/plain").content.endswith("a\\u0041")


def test_names_of_encodings_are_not_remembered(web: Web) -> None:
    """Python keeps each that it was asked for in vain."""
    before = len(encodings._cache)
    for number in range(5):
        web.page("/", "<p>a", f"text/html; charset=none-such-{number}{'x' * 1_000 * number}")
        assert fetch(f"{web.url}/").content.endswith("\n\na")
    assert len(encodings._cache) == before


def test_what_is_no_text_is_refused(web: Web) -> None:
    """With its kind and size."""
    web.page("/", b"\x89PNG\0", "image/png")
    with pytest.raises(ToolFailed, match=r"is no text but image/png \(5 bytes\)"):
        fetch(f"{web.url}/")


def test_a_long_text_is_read_in_parts(web: Web) -> None:
    """The answer says where to go on."""
    web.page("/", "x" * MAX_CHARACTERS + "rest", "text/plain")
    assert f"4 characters follow: read on with offset={MAX_CHARACTERS}" in fetch(f"{web.url}/").content
    assert fetch(f"{web.url}/", offset=MAX_CHARACTERS).content == f"{web.url}/\n\nrest"
    with pytest.raises(ToolFailed, match="past the end"):
        fetch(f"{web.url}/", offset=MAX_CHARACTERS + 4)


def test_an_error_of_the_server_is_an_error_with_its_text(web: Web) -> None:
    """The model may learn from it."""
    result = fetch(f"{web.url}/none")
    assert result.is_error
    assert "the server answered 404 Not Found" in result.content
    assert "nothing here" in result.content


def test_redirects_are_followed(web: Web) -> None:
    """Relative ones too; the answer names where it ended."""
    web.redirect("/a", "/b?x=1")
    web.redirect("/b", f"{web.url}/c", 308)
    web.page("/c", "there", "text/plain")
    assert fetch(f"{web.url}/a").content == f"{web.url}/c\n\nthere"
    web.redirect("/round", "/round")
    with pytest.raises(ToolFailed, match="more than 5 redirects"):
        fetch(f"{web.url}/round")


# Where it may not go ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://127.0.0.2/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1%2eexample.com/",
        "http://１２７.0.0.1.evil/",
        "http://localhost/",
        "http://0/",
    ],
)
def test_a_host_that_is_not_listed_is_refused(url: str) -> None:
    """Also when it is another spelling of one that is."""
    with pytest.raises(ToolFailed, match=r"not in allowed_hosts|no host|cannot be fetched"):
        fetch(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "http://user@127.0.0.1/",
    ],
)
def test_credentials_in_a_url_are_refused(url: str) -> None:
    """They are not repeated."""
    with pytest.raises(ToolFailed) as info:
        fetch(url, "127.0.0.1", "example.com")
    assert "password in a URL" in str(info.value)
    assert "secret" not in str(info.value)


@pytest.mark.parametrize(
    "url",
    ["", "x", "/etc/passwd", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://", "http:///x",
     "//127.0.0.1/", "http://127.0.0.1\n/", "http://127.0.0.1:99999999/", "http://[::1/", "data:text/html,x",
     "http://exa mple/", "http://a\\@127.0.0.1/", "javascript:x", "HTTP//x", "http://\ud800/", "http://*/"],
)  # fmt: skip
def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    """Readably."""
    assert told(url, "*")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a00:1::]/",
        "http://[::127.0.0.1]/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://[ff02::1]/",
        "http://255.255.255.255/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[fec0::1]/",
        "http://[2600::5efe:7f00:1]/",
        "http://[3fff::1]/",
        "http://192.88.99.1/",
        "http://192.0.0.8/",
        "http://localhost/",
    ],
)
def test_every_host_does_not_mean_private_ones(url: str) -> None:
    """``"*"`` allows public addresses, in whatever spelling the private ones come."""
    with pytest.raises(ToolFailed, match=r"no public address|cannot be fetched: (ConnectError: the name|InvalidURL)"):
        fetch(url, "*")


def test_a_public_name_leads_into_no_private_network(names: dict[str, list[str]], web: Web) -> None:
    """What a name resolves to is looked at, also when one of several answers is private."""
    web.page("/", "secret", "text/plain")
    names["example.com"] = ["127.0.0.1"]
    with pytest.raises(ToolFailed, match=r"example.com leads to 127.0.0.1, which is no public address"):
        fetch(f"http://example.com:{web.port}/", "example.com")
    assert web.asked == []


def test_a_name_that_changes_between_check_and_use_is_looked_up_once(names: dict[str, list[str]], web: Web) -> None:
    """The address that was judged is the one connected to."""
    web.page("/", "secret", "text/plain")
    names["example.com"] = ["192.0.2.1", "127.0.0.1"]
    with pytest.raises(ToolFailed):
        fetch(f"http://example.com:{web.port}/", "example.com", tool=fetch_tool(timeout=0.5))
    assert web.asked == []


def test_a_private_name_must_be_named_twice(names: dict[str, list[str]], web: Web) -> None:
    """In ``private_hosts`` by who makes the tool, in ``allowed_hosts`` by the manifest."""
    web.page("/", "intranet", "text/plain")
    names["intranet.example.com"] = ["127.0.0.1"]
    inside = fetch_tool(private_hosts=["Intranet.example.com."])
    url = f"http://intranet.example.com:{web.port}/"
    assert fetch(url, "*.example.com", tool=inside).content.endswith("intranet")
    with pytest.raises(ToolFailed, match="not in allowed_hosts"):
        fetch(url, "example.com", tool=inside)
    with pytest.raises(ToolFailed, match="no public address"):
        fetch(url, "*.example.com")


def test_localhost_by_name_is_this_machine_alone(names: dict[str, list[str]], web: Web) -> None:
    """A grant of localhost follows it nowhere else."""
    web.page("/", "here", "text/plain")
    assert fetch(f"http://localhost:{web.port}/", "localhost").content.endswith("here")
    names["localhost"] = ["10.0.0.1"]
    with pytest.raises(ToolFailed, match="no public address"):
        fetch(f"http://localhost:{web.port}/", "localhost")


def test_a_named_address_is_named_with_its_port(web: Web) -> None:
    """Also beside ``"*"``, which allows public ones."""
    web.page("/", "here", "text/plain")
    assert fetch(f"{web.url}/", "*", f"127.0.0.1:{web.port}").content.endswith("here")
    for item in ("127.0.0.1:1", "localhost:1"):
        with pytest.raises(ToolFailed, match="no public address"):
            fetch(f"{web.url}/", "*", item)


def test_a_port_that_is_none(web: Web) -> None:
    """By the model, or by a redirect."""
    web.redirect("/", "http://127.0.0.1:99999/")
    for url in ("http://127.0.0.1:99999/", f"{web.url}/"):
        with pytest.raises(ToolFailed, match="99999 is no port"):
            fetch(url)


def test_half_characters_are_not_handed_on(web: Web) -> None:
    """No encoding brings one into the conversation: it could not be sent to a model."""
    web.page("/", "+2AA-x", "text/plain; charset=utf-7")
    fetch(f"{web.url}/").content.encode()


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/secret",
        "http://localhost:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "//127.0.0.3:{port}/secret",
        "http://user:pw@127.0.0.1:{port}/secret",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/secret",
    ],
)
def test_each_redirect_is_checked_again(web: Web, target: str) -> None:
    """Host, address, scheme and credentials."""
    web.redirect("/", target.format(port=web.port))
    web.page("/secret", "secret", "text/plain")
    with pytest.raises(ToolFailed):
        fetch(f"{web.url}/")
    assert web.asked == ["/"]


def test_a_redirect_to_a_private_address_is_not_followed(names: dict[str, list[str]], web: Web) -> None:
    """Also where every host is allowed."""
    web.redirect("/", "http://internal.example.com/")
    names["internal.example.com"] = ["10.1.2.3"]
    with pytest.raises(ToolFailed, match=r"internal.example.com leads to 10.1.2.3"):
        fetch(f"{web.url}/", "127.0.0.1", "internal.example.com")


# What it survives ------------------------------------------------------------------------------------------------


def test_an_endless_body_is_cut(web: Web) -> None:
    """So much is read, and no more is kept."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(head("text/plain") + b"\r\n")
        while not web.closing.is_set():
            connection.sendall(b"x" * 65_536)

    web.answers["/"] = flood
    result = fetch(f"{web.url}/", tool=fetch_tool(max_bytes=100_000))
    assert "only its first 100,000 bytes were read" in result.content


def test_a_body_that_trickles_runs_out_of_time(web: Web) -> None:
    """The bound is for all of it, not for each piece."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(head("text/plain") + b"\r\n")
        while not web.closing.wait(0.02):
            connection.sendall(b"x")

    web.answers["/"] = trickle
    with pytest.raises(ToolFailed, match=r"did not come within 0.3 s"):
        fetch(f"{web.url}/", tool=fetch_tool(timeout=0.3))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP"])
def test_a_packed_body_is_not_unpacked(web: Web, coding: str) -> None:
    """It was asked for as it is: what is packed may unpack to any size."""
    web.page("/", gzip.compress(b"x" * 10_000_000), "text/plain", Content_Encoding=coding)
    with pytest.raises(ToolFailed, match="packed its answer"):
        fetch(f"{web.url}/")
    assert "accept-encoding: identity" in web.heads[0].lower()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 999 X\r\n" + b"A: " + b"x" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_broken_answer_is_a_readable_error(web: Web, answer: bytes) -> None:
    """Whatever the server sends."""
    web.answers["/"] = answer
    assert told(f"{web.url}/")


def test_a_cancel_ends_it_and_closes_the_connection(web: Web) -> None:
    """At once; the server sees it go."""
    gone = threading.Event()
    asked = threading.Event()

    def wait(connection: socket.socket) -> None:
        asked.set()
        if connection.recv(1) == b"":
            gone.set()

    web.answers["/"] = wait
    token = CancelToken()

    def cancel() -> None:
        asked.wait(BOUND)
        token.cancel("enough")

    cancelling = threading.Thread(target=cancel)
    cancelling.start()
    with pytest.raises(Cancelled):
        fetch_url.execute({"url": f"{web.url}/"}, cancel=token, agent=granted("127.0.0.1"))
    cancelling.join()
    assert gone.wait(BOUND)


@pytest.mark.parametrize(("package", "module"), [("httpx2", "httpx2"), ("lxml", "lxml")])
def test_without_its_packages_the_error_names_the_command(
    web: Web, monkeypatch: pytest.MonkeyPatch, package: str, module: str
) -> None:
    """The extra is ``http``."""
    web.page("/", "<p>x")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{package}.*pip install 'httpx2>=2' 'lxml>=6'"):
        fetch(f"{web.url}/")


def test_fifty_at_once(web: Web) -> None:
    """Each in the thread of its call."""
    web.page("/", "x", "text/plain")
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(fetch(f"{web.url}/").content)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert texts == [f"{web.url}/\n\nx"] * 50


# What strangers cannot do to others ------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be done on the private loop, where the calls of all agents are."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a page is none of the loop's business")

    monkeypatch.setattr(event_loop, "_thread_of", refuse)


@pytest.mark.usefixtures("no_loop")
def test_pieces_of_one_byte_are_read_in_the_thread_of_the_call(web: Web) -> None:
    """However many: nobody else's call waits behind them."""
    web.answers["/"] = CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    assert fetch(f"{web.url}/").content.endswith("\n\n" + "x" * 20_000)


@pytest.mark.usefixtures("no_loop")
def test_what_stands_between_the_pieces_is_bounded_too(web: Web) -> None:
    """What came until then is read."""
    web.answers["/"] = CHUNKED + (b"1;" + b"e" * 60_000 + b"\r\nx\r\n") * 100 + b"0\r\n\r\n"
    text = fetch(f"{web.url}/", tool=fetch_tool(max_bytes=100_000)).content
    assert "bytes were read" in text
    assert 10 < text.count("x") < 30


def test_heads_without_an_end_are_bounded(web: Web) -> None:
    """Answers that announce another one, and lines that never end."""
    sent = 0

    def announce(connection: socket.socket) -> None:
        nonlocal sent
        while not web.closing.is_set():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)
            sent += 25_000

    web.answers["/100"] = announce
    with pytest.raises(ToolFailed, match="far more than its page"):
        fetch(f"{web.url}/100", tool=fetch_tool(max_bytes=1_000))
    assert sent < 20_000_000
    web.answers["/lines"] = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000
    with pytest.raises(ToolFailed, match="too long"):
        fetch(f"{web.url}/lines")


def test_an_answer_may_be_announced(web: Web) -> None:
    """By early hints."""
    web.answers["/"] = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head("text/plain") + b"\r\nyes"
    assert fetch(f"{web.url}/").content.endswith("\n\nyes")


def test_slow_names_hold_up_nobody(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty look-ups hang; another one is answered at once. They end with their calls' cancel, or in time."""
    web.page("/", "here", "text/plain")
    hanging = threading.Semaphore(0)
    over = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        if host == "slow.example.com":
            hanging.release()
            over.wait(BOUND)
        return real("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    token = CancelToken()
    ends: list[BaseException] = []

    def hang() -> None:
        try:
            fetch_url.execute({"url": "http://slow.example.com/"}, cancel=token, agent=granted("slow.example.com"))
        except BaseException as error:
            ends.append(error)

    threads = [threading.Thread(target=hang) for _ in range(50)]
    for thread in threads:
        thread.start()
    try:
        assert all(hanging.acquire(timeout=BOUND) for _ in threads)
        inside = fetch_tool(private_hosts=["fast.example.com"])
        assert fetch(f"http://fast.example.com:{web.port}/", "fast.example.com", tool=inside).content.endswith("here")
        with pytest.raises(ToolFailed, match=r"did not come within 0\.1 s"):
            fetch("http://slow.example.com/", "slow.example.com", tool=fetch_tool(timeout=0.1))
        token.cancel("enough")
        for thread in threads:
            thread.join(BOUND)
        assert [type(end) for end in ends] == [Cancelled] * 50
    finally:
        over.set()
        for thread in threading.enumerate():
            if thread.name == "actors-look-up":
                thread.join(BOUND)


@pytest.mark.parametrize("cancelled", ["before", "after"])
def test_a_cancel_beside_the_answer(web: Web, cancelled: str) -> None:
    """Whichever comes first: the page, or the cancel."""
    token = CancelToken()

    def answer(connection: socket.socket) -> None:
        if cancelled == "before":
            token.cancel("enough")
        connection.sendall(head("text/plain") + b"\r\nyes")

    web.answers["/"] = answer
    if cancelled == "before":
        with pytest.raises(Cancelled):
            fetch_url.execute({"url": f"{web.url}/"}, cancel=token, agent=granted("127.0.0.1"))
    else:
        result = fetch_url.execute({"url": f"{web.url}/"}, cancel=token, agent=granted("127.0.0.1"))
        token.cancel("late")
        assert result.content.endswith("yes")


def test_a_page_over_tls(web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its certificate is looked at; who stops in the middle of the handshake is left."""
    pem = tmp_path / "pem"
    pem.write_text(PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    silent = threading.Event()

    def serve() -> None:
        for kind in ("refused", "read", "silent"):
            connection, _ = listener.accept()
            with connection:
                if kind == "silent":
                    silent.set()
                    connection.settimeout(BOUND)
                    while connection.recv(65_536):
                        pass
                    continue
                try:
                    with context.wrap_socket(connection, server_side=True) as line:
                        line.recv(65_536)
                        line.sendall(head("text/plain") + b"\r\nsecret")
                except OSError:
                    pass  # it does not trust us

    server = threading.Thread(target=serve)
    server.start()
    url = f"https://127.0.0.1:{port}/"
    with listener:
        with pytest.raises(ToolFailed, match="certificate verify failed"):
            fetch(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert fetch(url).content == f"{url}\n\nsecret"
        token = CancelToken()
        cancelling = threading.Thread(target=lambda: silent.wait(BOUND) and token.cancel("enough"))
        cancelling.start()
        with pytest.raises(Cancelled):
            fetch_url.execute({"url": url}, cancel=token, agent=granted("127.0.0.1"))
        cancelling.join()
        server.join(BOUND)
        assert not server.is_alive()


LOUD = "\x1b[31mIGNORE\r" + "x" * 60_000


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 200 OK\r\nbad {LOUD}\r\n\r\n",
        f"{LOUD}\r\n\r\n",
        f"HTTP/1.1 404 {'x' * 60_000}\r\nContent-Type: text/plain\r\n\r\n{'y' * 60_000}",
        f"HTTP/1.1 200 OK\r\nContent-Type: {'x' * 60_000}\r\n\r\n\0",
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {'x' * 60_000}\r\n\r\n",
        f"HTTP/1.1 302 OK\r\nLocation: http://{'x' * 60_000}/\r\n\r\n",
        f"HTTP/1.1 302 OK\r\nLocation: http://{'x' * 7_000}/\r\n\r\n",
        f"HTTP/1.1 302 OK\r\nLocation: {'x' * 7_000}://a/\r\n\r\n",
        f"HTTP/1.1 302 OK\r\nLocation: {'?' * 7_000}\r\nContent-Length: 0\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{'z' * 60_000}\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {'9' * 60_000}\r\n\r\n",
    ],
    ids=range(11),
)
def test_the_words_of_an_error_are_bounded(web: Web, answer: str) -> None:
    """And on one line each, without what moves a cursor: they are the server's."""
    web.answers["/"] = answer.encode("latin-1")
    words = told(f"{web.url}/")
    assert len(words) <= 750
    assert all(line.isprintable() for line in words.split("\n"))


def test_the_text_of_an_error_is_read_on_like_any_other(web: Web) -> None:
    """Its beginning says what is wrong; the rest is there for who asks."""
    web.answers["/"] = b"HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 1_000 + b"rest"
    first = fetch(f"{web.url}/")
    assert first.is_error
    assert f"read on with offset={MAX_ERROR}" in first.content
    assert fetch(f"{web.url}/", offset=MAX_ERROR).content.endswith("x" * (1_000 - MAX_ERROR) + "rest")


def test_cookies_are_neither_kept_nor_sent(web: Web) -> None:
    """Not even to where the page redirects."""
    web.answers["/a"] = b"HTTP/1.1 302 OK\r\nSet-Cookie: a=1\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    web.page("/b", "yes", "text/plain", Set_Cookie="b=2")
    fetch(f"{web.url}/a")
    fetch(f"{web.url}/b")
    assert len(web.heads) == 3
    assert not any("cookie" in request.lower() for request in web.heads)


def test_nothing_of_a_page_is_kept(web: Web) -> None:
    """Nor of what its server says after it; not even until the next garbage collection."""
    much = 1_500_000
    web.page("/plain", "x" * much, "text/plain")
    web.page("/html", "<p>" + "y" * much)
    web.answers["/after"] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok" + b"z" * much
    web.page("/first", "<p>imports stay</p>")
    for path in ("/first", "/after"):
        fetch(f"{web.url}{path}")
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for path in ("/plain", "/html", "/after"):
            fetch(f"{web.url}{path}")
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert kept < 300_000


# Which hosts a grant allows --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "host", "port", "allowed"),
    [
        ("example.com", "example.com", 443, True),
        ("Example.COM.", "EXAMPLE.com", 80, True),
        ("example.com", "example.com.", 80, True),
        ("example.com", "www.example.com", 443, False),
        ("example.com", "notexample.com", 443, False),
        ("*.example.com", "www.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "notexample.com", 443, False),
        ("example.com:8443", "example.com", 8443, True),
        ("example.com:8443", "example.com", 443, False),
        ("127.0.0.1", "127.0.0.1", 80, True),
        ("[::1]", "::1", 80, True),
        ("::1", "0:0::1", 80, True),
        ("[::1]:80", "::1", 81, False),
    ],
)
def test_which_hosts_an_item_allows(item: str, host: str, port: int, allowed: bool) -> None:
    """By name, below a name, at a port."""
    assert (refusal((item,), host, port) is None) is allowed


@pytest.mark.parametrize(
    "item",
    ["http://example.com", "user@host", "*", "*.", "a*b", "host:port", "", " ", ".", "*.0.0.1", "example.com/a", "//a"],
)
def test_an_item_that_is_no_host_is_refused(item: str) -> None:
    """In the manifest; ``"*"`` alone is another thing."""
    with pytest.raises(ValueError, match=r"no host|no port"):
        AllowedHost.parse(item)
    if item not in ("*", ""):
        with pytest.raises(ValueError, match=r"no host|no port"):
            Network(allowed_hosts=(item,))


@pytest.mark.parametrize(
    ("item", "instead"),
    [
        ("http://example.com", "write 'example.com'"),
        ("https://Example.com:8443/a?b", "write 'example.com:8443'"),
        ("https://*.example.com/", "write '*.example.com'"),
        ("http://[::1]:80/", "write '[::1]:80'"),
        ("http://user:word@example.com/", "write 'example.com'"),
        ("http://", "give a name like 'example.com', without http://"),
        ("https://example.com:port/", "give a name like 'example.com', without http://"),
    ],
)
def test_a_url_in_place_of_a_host_says_what_to_write(item: str, instead: str) -> None:
    """It is the most usual mistake."""
    with pytest.raises(ValueError, match="is no host but a URL: ") as info:
        AllowedHost.parse(item)
    assert instead in str(info.value)


@pytest.mark.parametrize(
    ("parent", "child", "kept"),
    [
        ("*.example.com", "www.example.com", "www.example.com"),
        ("example.com", "example.com:443", "example.com:443"),
        ("example.com:443", "example.com", "example.com:443"),
        ("*", "example.com", "example.com"),
        ("example.com", "*", "example.com"),
        ("example.com", "other.com", None),
        ("*.example.com", "127.0.0.1", None),
    ],
)
def test_a_child_reaches_no_more_hosts_than_its_parent(parent: str, child: str, kept: str | None) -> None:
    """The narrower of the two is left."""
    cut = Network(allowed_hosts=(child,)).narrowed(Network(allowed_hosts=(parent,)))
    assert cut == (None if kept is None else Network(allowed_hosts=(kept,)))
