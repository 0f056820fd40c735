"""MCP servers that attack whoever listens to them: nobody else notices."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from actors import Cancelled, CancelToken, ToolFailed
from actors.core.process import event_loop
from actors.core.process.event_loop import Room
from actors.tools.mcp import McpServers
from tests.waiting import BOUND, eventually

from .test_mcp import call, pids, rogue, tools

pytestmark = pytest.mark.process


def others_go_on(found: dict[str, Any]) -> None:
    """Model calls, and other calls of the same server, are answered."""

    async def beat() -> str:
        return "beats"

    for number in range(20):
        assert event_loop.run(beat(), CancelToken(), within=BOUND) == "beats"
        assert event_loop.run(beat(), CancelToken(), Room.TOOLS, within=BOUND) == "beats"
        if number % 5 == 0:
            assert call(found["rogue.echo"], text=f"n{number}").content.endswith(f" n{number}")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no json",
        '{"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}',
        '{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}',
        '{"jsonrpc": "2.0", "id": 70000, "method": "ping"}',
        '{"jsonrpc": "2.0", "id": "a", "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}',
        '{"jsonrpc": "2.0", "id": 999999, "result": {}}',
        '{"jsonrpc": "2.0", "id": null, "error": {"code": 1, "message": "x"}}',
    ],
)
def test_one_that_writes_lines_for_ever(servers: McpServers, line: str) -> None:
    """Whatever they are: while it does, all others are answered, it is, too, and it is heard to its end."""
    found = tools(servers, rogue())
    assert call(found["rogue.spout"], text=line).content == "it spouts"
    others_go_on(found)
    assert call(found["rogue.hush"]).content.startswith("hush")
    assert call(found["rogue.echo"], text="hi").content.endswith(" hi")


@pytest.mark.parametrize("id_is_last", [False, True])
@pytest.mark.parametrize(
    ("piece", "count", "reason"),
    [
        ("[],", 5_000_000, "its answer is longer than 8,000,000 bytes"),
        ("0,", 7_000_000, "its answer is longer than 8,000,000 bytes"),
        ("[],", 2_000_000, "its answer holds more than 500,000 values"),
        ('"",', 2_000_000, "its answer holds more than 500,000 values"),
    ],
)
def test_an_answer_that_is_too_large_fails_its_call_alone(
    servers: McpServers,
    lives: Path,
    piece: str,
    count: int,
    reason: str,
    id_is_last: bool,
) -> None:
    """It is dropped while it is read, or not read at all; the error names the server, which goes on."""
    found = tools(servers, rogue(lives=lives))
    with pytest.raises(ToolFailed, match=rf"rogue\.big: {reason}"):
        call(found["rogue.big"], piece=piece, count=count, id_is_last=id_is_last)
    others_go_on(found)
    assert len(pids(lives)) == 1


def test_an_error_with_the_code_of_an_end_is_no_end(servers: McpServers, lives: Path) -> None:
    """A server may use -32000 for anything: its other calls go on."""
    found = tools(servers, rogue(lives=lives))
    for _ in range(6):
        with pytest.raises(ToolFailed, match=r"rogue\.say: no such page \[SANITIZED\]"):
            call(found["rogue.say"], result='{}, "error": {"code": -32000, "message": "no such page [INST]"}')
    assert call(found["rogue.echo"], text="hi").content.endswith(" hi")
    assert len(pids(lives)) == 1


def test_an_answer_that_is_large_and_plain_is_read(servers: McpServers) -> None:
    """So many characters are shown, and what is cut is told."""
    result = call(tools(servers, rogue())["rogue.flood"])
    assert result.content.endswith("[2,900,000 more characters were cut]")


RESULTS: dict[str, tuple[str, str]] = {
    "text only, where structure was declared": ('{"content": [{"type": "text", "text": "so"}]}', "so"),
    "structure only": ('{"content": [], "structuredContent": {"a": 1}}', '{"a": 1}'),
    "structure without content": ('{"structuredContent": {"a": 1}}', '{"a": 1}'),
    "structure that does not fit": (
        '{"content": [], "structuredContent": {"s": "aaaaaaaaaaaaaaaaaaaaaaaaaaa!"}}',
        '{"s": "aaaaaaaaaaaaaaaaaaaaaaaaaaa!"}',
    ),
    "no numbers": (
        '{"content": [], "structuredContent": {"a": [NaN, Infinity, 1e400]}}',
        '{"a": [NaN, Infinity, Infinity]}',
    ),
    "deep": (
        f'{{"content": [{{"type": "text", "text": "so"}}], "_meta": {{"x": {"[" * 5_000}{"]" * 5_000}}}}}',
        "so",
    ),
    "halves of characters": ('{"content": [{"type": "text", "text": "\\ud800x"}]}', "?x"),
}

LISTED = {
    "tools": [
        {"name": "say", "inputSchema": {"type": "object"}, "outputSchema": {"$ref": "#/$defs/d0"}},
        {"name": "echo", "inputSchema": {"properties": {"text": {"type": "string"}}}},
        {"name": "list", "inputSchema": []},
        {"name": "text", "inputSchema": {"type": "string"}},
        {"name": "slipped", "inputSchema": {"properties": {"a": {}, "required": ["a"]}}},
        {"name": "variants", "inputSchema": {"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}},
        {"name": "echo", "inputSchema": {}},
        {"name": "no numbers"},
        {"inputSchema": {}},
        "no tool",
        {"name": "deep", "inputSchema": {"properties": {"a": "DEEP"}}},
        {"name": "wide", "inputSchema": {"properties": {f"p{n}": {"type": "string"} for n in range(150_000)}}},
        {"name": "infinite", "inputSchema": {"properties": {"a": {"maximum": float("inf"), "default": float("nan")}}}},
    ]
}
LISTED["tools"][0]["outputSchema"]["$defs"] = {  # type: ignore[index]
    **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)},
    "d30": {"type": "object", "properties": {"s": {"pattern": "^(a+)+$"}}, "required": ["s"]},
}


@pytest.fixture
def listing(tmp_path: Path) -> dict[str, Any]:
    """A server whose tools are mostly bad."""
    path = tmp_path / "listed.json"
    path.write_text(json.dumps(LISTED).replace('"DEEP"', '{"not": ' * 20_000 + "{}" + "}" * 20_000))
    server = rogue("listed", tmp_path / "lives")
    server["command"].append(str(path))
    return server


@pytest.mark.parametrize(("result", "shown"), RESULTS.values(), ids=RESULTS)
def test_results_are_not_compared_with_what_was_declared(
    servers: McpServers,
    listing: dict[str, Any],
    result: str,
    shown: str,
) -> None:
    """A text is kept, whatever the schema of the output asks for: its patterns and references are of the server."""
    assert call(tools(servers, listing)["rogue.say"], result=result).content == shown


LEFT_OUT = {
    "list: its inputSchema is no object but a list",
    "text: its inputSchema is not one of an object: string",
    "echo: another tool of the server has its name",
    "'no numbers': its name is not 1 to 100 of A-Z a-z 0-9 _ . / -",
    "None: its name is not 1 to 100 of A-Z a-z 0-9 _ . / -",
    "deep: its inputSchema is nested deeper than 100",
    "wide: its inputSchema has more than 50,000 characters",
}


def test_a_tool_that_is_bad_is_left_out_and_named(
    servers: McpServers,
    listing: dict[str, Any],
    log_lines: list[str],
) -> None:
    """In the log, with its server; the others are there, and work."""
    found = tools(servers, listing)
    assert set(found) == {f"rogue.{name}" for name in ("say", "echo", "slipped", "variants", "infinite")}
    assert set(servers.left_out()) == {f"rogue.{line}" for line in LEFT_OUT}
    for line in LEFT_OUT:
        name, _, reason = line.partition(": ")
        assert any(f"MCP server rogue: the tool {name} is left out: {reason}" in said for said in log_lines)
    json.dumps([tool.definition.input_schema for tool in found.values()], allow_nan=False)
    assert call(found["rogue.echo"], text="hi").content.endswith(" hi")


# By HTTP ----------------------------------------------------------------------------------------------------------


class Roomy(ThreadingHTTPServer):
    """Whose line of those that want to connect has room for all of a test: who finds it full waits for seconds."""

    request_queue_size = 128


class Web:
    """An MCP server by streamable HTTP, on loopback, that behaves as the called tool says."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.hanging = threading.Semaphore(0)
        self.told: list[str] = []
        self.sessions = 1
        self.gets = 0
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Nothing is written."""

            def do_GET(self) -> None:
                web.gets += 1
                if self.headers.get("last-event-id") == "e1":
                    web.events(self, [f"id: e2\ndata: {web.answer(web.resumed, web.text('resumed'))}\n\n"])
                else:
                    web.status(self, 405)

            def do_DELETE(self) -> None:
                web.told.append("DELETE")
                web.status(self, 200)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                web.told.append(str(body.get("method", body.get("result", body.get("error")))))
                if "id" in body and "method" in body:
                    web.handle(self, body)
                else:
                    web.status(self, 202)

        self._server = Roomy(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever hung up needs no answer
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.resumed: Any = None
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/mcp"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @staticmethod
    def answer(id_: Any, result: dict[str, Any]) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": id_, "result": result})

    @staticmethod
    def text(text: str) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": text}]}

    @staticmethod
    def status(handler: Any, code: int, body: bytes = b"", **headers: str) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def events(self, handler: Any, events: list[str]) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        for event in events:
            handler.wfile.write(event.encode())
        handler.close_connection = True

    def json(self, handler: Any, id_: Any, result: dict[str, Any], **headers: str) -> None:
        self.status(handler, 200, self.answer(id_, result).encode(), content_type="application/json", **headers)

    def handle(self, handler: Any, body: dict[str, Any]) -> None:
        method, id_ = body["method"], body["id"]
        if method == "initialize":
            info = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "w", "version": "1"}}
            self.json(handler, id_, info, mcp_session_id=f"s{self.sessions}")
        elif handler.headers.get("mcp-session-id") not in (None, f"s{self.sessions}"):
            self.status(handler, 404)
        elif method == "tools/list":
            self.json(handler, id_, {"tools": [{"name": name, "inputSchema": {}} for name in NAMES]})
        elif method == "tools/call":
            getattr(self, body["params"]["name"])(handler, id_)
        else:
            self.status(handler, 404)

    # Its tools ----------------------------------------------------------------------------------------------------

    def echo(self, handler: Any, id_: Any) -> None:
        self.json(handler, id_, self.text("hi"))

    def hang(self, handler: Any, id_: Any) -> None:
        self.hanging.release()
        self.release.wait(BOUND * 3)
        self.json(handler, id_, self.text("released"))

    def half(self, handler: Any, id_: Any) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"jsonrpc": "2.0", "id": %d, "result"' % id_)
        handler.close_connection = True

    def drop(self, handler: Any, id_: Any) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    def huge(self, handler: Any, id_: Any) -> None:
        self.status(handler, 200, b"[" + b"[]," * 4_000_000 + b"0]", content_type="application/json")

    def huge_event(self, handler: Any, id_: Any) -> None:
        self.events(handler, ["data: " + "[]," * 4_000_000 + "\n\n"])

    def nonsense(self, handler: Any, id_: Any) -> None:
        self.status(handler, 200, b"<html>", content_type="application/json")

    def page(self, handler: Any, id_: Any) -> None:
        self.status(handler, 502, b"<html>bad gateway</html>", content_type="text/html")

    def long_page(self, handler: Any, id_: Any) -> None:
        self.status(handler, 503, b"<html>" * 10_000, content_type="text/html")

    def long_error(self, handler: Any, id_: Any) -> None:
        self.status(handler, 500, b'{"error": {"message": "' + b"x" * 20_000 + b'"}}', content_type="application/json")

    def accepted(self, handler: Any, id_: Any) -> None:
        self.status(handler, 202)

    def elsewhere(self, handler: Any, id_: Any) -> None:
        self.status(handler, 307, location="http://203.0.113.1/mcp")

    def stream(self, handler: Any, id_: Any) -> None:
        ask = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
        pings = [f"data: {json.dumps(ask)}\n\n"] * 3
        answer = f"data: {self.answer(id_, self.text('streamed'))}\n\n"
        self.events(handler, [": hello\n\n", *pings, *[f"data: {json.dumps(note)}\n\n"] * 3_000, answer])

    def broken_stream(self, handler: Any, id_: Any) -> None:
        self.events(handler, ["data: \n\n", ": and then nothing\n\n"])

    def resumes(self, handler: Any, id_: Any) -> None:
        self.resumed = id_
        self.events(handler, ["id: e1\nretry: 1\ndata: \n\n"])


NAMES = [
    name
    for name in vars(Web)
    if name not in ("close", "answer", "text", "status", "events", "json", "handle") and not name.startswith("_")
]


@pytest.fixture
def web() -> Iterator[Web]:
    """A server that ends."""
    made = Web()
    yield made
    made.close()


@pytest.fixture
def found(web: Web, servers: McpServers) -> dict[str, Any]:
    """Its tools."""
    return tools(servers, {"name": "web", "transport": "http", "url": web.url, "timeout": BOUND * 2}, privacy="private")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("half", "RemoteProtocolError"),
        ("drop", "ReadError|RemoteProtocolError"),
        ("huge", "longer than 8,000,000 bytes"),
        ("huge_event", "cannot be read"),
        ("nonsense", "answered nonsense"),
        ("page", "the server answered 502 Bad Gateway"),
        ("long_page", "the server answered 503 Service Unavailable"),
        ("long_error", "the server answered 500 Internal Server Error"),
        ("accepted", "202 Accepted"),
        ("elsewhere", r"redirects to http://203\.0\.113\.1/mcp"),
        ("broken_stream", "ended without an answer"),
    ],
)
def test_a_call_that_fails_is_the_only_one(
    web: Web,
    found: dict[str, Any],
    in_thread: Callable[..., Any],
    name: str,
    reason: str,
) -> None:
    """Another one, which is under way meanwhile, is answered; and so is the next one."""
    under_way = in_thread(call, found["web.hang"])
    assert web.hanging.acquire(timeout=BOUND)
    with pytest.raises(ToolFailed, match=rf"web\.{name}: .*({reason})"):
        call(found[f"web.{name}"])
    assert call(found["web.echo"]).content == "hi"
    web.release.set()
    assert under_way.result(BOUND).content == "released"
    assert web.told.count("initialize") == 1
    assert web.told.count("tools/call") == 3, "a call is sent once, whatever becomes of it"


def test_calls_that_hang_or_are_cancelled_end_no_other(
    web: Web, found: dict[str, Any], in_thread: Callable[..., Any]
) -> None:
    """One is cancelled, as its agent is: the server is told, and another one goes on beside many that hang."""
    token = CancelToken()
    cancelled = in_thread(call, found["web.hang"], token)
    others = [in_thread(call, found["web.hang"]) for _ in range(20)]
    for _ in range(21):
        assert web.hanging.acquire(timeout=BOUND)
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        cancelled.result(BOUND)
    eventually(lambda: "notifications/cancelled" in web.told)
    for _ in range(5):
        assert call(found["web.echo"]).content == "hi"
    web.release.set()
    assert [other.result(BOUND).content for other in others] == ["released"] * 20
    assert web.told.count("initialize") == 1


def test_a_stream_of_events(web: Web, found: dict[str, Any]) -> None:
    """What the server asks in it is answered, what it notes is dropped; one that breaks off is resumed."""
    assert call(found["web.stream"]).content == "streamed"
    eventually(lambda: web.told.count("{}") == 3)
    assert call(found["web.resumes"]).content == "resumed"
    assert web.gets == 1  # none is held open for what only the server wants


def test_a_server_that_forgets_its_sessions(web: Web, found: dict[str, Any]) -> None:
    """It is opened again for the next call, and it is told of the end."""
    web.sessions += 1

    def works() -> bool:
        try:
            return bool(call(found["web.echo"]).content == "hi")
        except ToolFailed:
            return False

    eventually(works)
    assert web.told.count("initialize") == 2


def test_it_is_told_of_the_end(web: Web) -> None:
    """A session is given back."""
    made = McpServers()
    tools(made, {"name": "web", "transport": "http", "url": web.url}, privacy="private")
    made.close()
    assert web.told[-1] == "DELETE"


# The loop ---------------------------------------------------------------------------------------------------------


def test_a_loop_of_tools_that_has_ended_is_replaced(servers: McpServers, lives: Path) -> None:
    """A call that was under way fails, its server is ended, and the next call has another one."""
    found = tools(servers, rogue(lives=lives))
    loop = event_loop.private_loop(Room.TOOLS)
    loop.call_soon_threadsafe(loop.call_later, 0.2, loop.stop)
    with pytest.raises(ToolFailed, match="the event loop of servers of tools was stopped"):
        call(found["rogue.hang"])
    assert call(found["rogue.echo"], text="hi").content.endswith(" hi")
    assert len(pids(lives)) == 2
