"""A model's server on loopback that answers as a test says, in all dialects, and misbehaves where it is told to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from actors import CompletionResponse, StopReason, TokenUsage, ToolCall

BOUND = 10.0
OPENAI_STOPS = {
    StopReason.END_TURN: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.TOOL_USE: "tool_calls",
    StopReason.STOP_SEQUENCE: "stop",
}


@dataclass
class Asked:
    """One request: its path, headers in lower case, and body, also as the bytes that came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes = b""

    @property
    def streams(self) -> bool:
        """Does it ask for a stream?"""
        return bool(self.body.get("stream"))

    @property
    def is_anthropic(self) -> bool:
        """Which dialect?"""
        return self.path.endswith("/messages")

    @property
    def is_responses(self) -> bool:
        """The newer one of OpenAI's?"""
        return self.path.endswith("/responses")


@dataclass
class Reply:
    """What the server sends.

    Args:
        pieces: The body, in pieces; None is a place where it waits for the client to go away.
        cut: Close the connection after the pieces, as if the server had died.
        delay: Seconds before the first byte, and between pieces.
    """

    pieces: list[bytes | None]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: bool = False
    delay: float = 0.0
    head: bool = True


Answer = Reply | CompletionResponse | str


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON body; names of *headers* have underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply([json.dumps(body).encode()], status, named)


def failure(status: int, message: str = "no", kind: str = "server_error", **headers: str) -> Reply:
    """An error, as both providers word it."""
    body = {"type": "error", "error": {"type": kind, "message": message, "code": kind, "param": None}}
    return reply(body, status, **headers)


def hang(*, after: int = 0) -> Reply:
    """Never ends: no byte at all, or *after* pieces of a stream."""
    return Reply([*[b": wait\n\n"] * after, None], head=after > 0, content_type="text/event-stream")


def say(answer: CompletionResponse | str, asked: Asked, *, cut_after: int | None = None, delay: float = 0.0) -> Reply:
    """*answer* in the dialect of *asked*, in one piece or streamed; broken off after so many pieces."""
    response = CompletionResponse(answer, usage=TokenUsage(7, 3)) if isinstance(answer, str) else answer
    dialect = "anthropic" if asked.is_anthropic else "responses" if asked.is_responses else "chat"
    whole_of, events_of = DIALECTS[dialect]
    events = events_of(response)
    if asked.streams:
        pieces: list[bytes | None] = list(events)
        return Reply(pieces[:cut_after], content_type="text/event-stream", cut=cut_after is not None, delay=delay)
    whole = json.dumps(whole_of(response)).encode()
    return Reply([whole[: len(whole) // 2] if cut_after is not None else whole], cut=cut_after is not None, delay=delay)


def _openai_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.input)}}


def _openai_usage(usage: TokenUsage) -> dict[str, int]:
    return {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens, "total_tokens": usage.total}


def _openai_whole(response: CompletionResponse) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": response.text or None}
    if response.tool_calls:
        message["tool_calls"] = [_openai_call(call) for call in response.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": OPENAI_STOPS[response.stop_reason]}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": _openai_usage(response.usage),
    }


def _openai_events(response: CompletionResponse) -> Iterable[bytes]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": word}) for word in response.text.replace(" ", " \0").split("\0") if word]
    for place, call in enumerate(response.tool_calls):
        whole = _openai_call(call)
        arguments = whole["function"]["arguments"]
        begun = {**whole, "index": place, "function": {"name": call.name, "arguments": arguments[:3]}}
        chunks.append(chunk({"tool_calls": [begun]}))
        chunks.append(chunk({"tool_calls": [{"index": place, "function": {"arguments": arguments[3:]}}]}))
    chunks.append(chunk({}, OPENAI_STOPS[response.stop_reason]))
    chunks.append({**chunk({}), "choices": [], "usage": _openai_usage(response.usage)})
    return [*(f"data: {json.dumps(one)}\n\n".encode() for one in chunks), b"data: [DONE]\n\n"]


def _anthropic_whole(response: CompletionResponse) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": response.text}] if response.text else []
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input} for call in response.tool_calls
    ]
    return {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": str(response.stop_reason),
        "stop_sequence": None,
        "usage": {"input_tokens": response.usage.input_tokens, "output_tokens": response.usage.output_tokens},
    }


def _anthropic_events(response: CompletionResponse) -> Iterable[bytes]:
    whole = _anthropic_whole(response)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for place, block in enumerate(whole["content"]):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        events.append({"type": "content_block_start", "index": place, "content_block": empty})
        if block["type"] == "text":
            deltas = [
                {"type": "text_delta", "text": word} for word in block["text"].replace(" ", " \0").split("\0") if word
            ]
        else:
            text = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in (text[:3], text[3:])]
        events += [{"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": place})
    events.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": response.usage.output_tokens},
        }
    )
    events.append({"type": "message_stop"})
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events]


def _responses_whole(response: CompletionResponse) -> dict[str, Any]:
    content = [{"type": "output_text", "text": response.text, "annotations": []}]
    output: list[dict[str, Any]] = []
    if response.text:
        output = [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}]
    output += [
        {
            "id": f"fc_{place}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": json.dumps(call.input),
        }
        for place, call in enumerate(response.tool_calls)
    ]
    is_cut = response.stop_reason is StopReason.MAX_TOKENS
    usage = response.usage
    return {
        "id": "resp_1",
        "object": "response",
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "error": None,
        "output": output,
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total,
        },
    }


def _responses_events(response: CompletionResponse) -> Iterable[bytes]:
    whole = _responses_whole(response)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for place, item in enumerate(whole["output"]):
        at = {"output_index": place, "item_id": item["id"]}
        if item["type"] == "message":
            empty, kind = {**item, "content": []}, "response.output_text"
            words = [word for word in response.text.replace(" ", " \0").split("\0") if word]
            at["content_index"] = 0
        else:
            empty, kind = {**item, "arguments": ""}, "response.function_call_arguments"
            words = [item["arguments"][:3], item["arguments"][3:]]
        events.append({"type": "response.output_item.added", "output_index": place, "item": empty})
        events += [{"type": f"{kind}.delta", **at, "delta": word} for word in words]
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events]


DIALECTS = {
    "anthropic": (_anthropic_whole, _anthropic_events),
    "chat": (_openai_whole, _openai_events),
    "responses": (_responses_whole, _responses_events),
}


class Provider:
    """The server. It answers with the next of *answers* (the last one again and again), or with what a function says.

    Its first answers wait until *gathers* requests have come: so many are under way at once.

    ``asked`` has what came; ``open`` counts its connections, ``arrived`` and ``gone`` are told of each request and of
    each client that went away while the server was not done.
    """

    def __init__(self, answers: Iterable[Answer] | Callable[[Asked], Answer], *, gathers: int = 1) -> None:
        self._gathers = gathers
        self._answer = answers if callable(answers) else _in_order(answers)
        self.asked: list[Asked] = []
        self.open = 0
        self.most_at_once = self._at_once = 0
        self.arrived = threading.Semaphore(0)
        self.gone = threading.Semaphore(0)
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(BOUND)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(BOUND)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        """For OpenAI's package."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """For Anthropic's package."""
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._gathered = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # the server ends
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = Asked(head[0].split(" ")[1], headers, json.loads(body or b"{}"), body)
        self.asked.append(asked)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.arrived.release()
        if len(self.asked) >= self._gathers:
            self._gathered.set()
        await self._gathered.wait()
        try:
            answer = self._answer(asked)
            sent = answer if isinstance(answer, Reply) else say(answer, asked)
            return await self._send(sent, reader, writer)
        except ConnectionError:
            self.gone.release()
            raise
        finally:
            self._at_once -= 1

    async def _send(self, sent: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if sent.head:
            lines = {"content-type": sent.content_type, "transfer-encoding": "chunked", **sent.headers}
            written = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            writer.write(f"HTTP/1.1 {sent.status} X\r\n{written}\r\n".encode())
        for piece in sent.pieces:
            if sent.delay and await self._left(reader, sent.delay):
                return False
            if piece is None:
                await self._left(reader, None)
                return False
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        if not sent.cut:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return not sent.cut

    async def _left(self, reader: asyncio.StreamReader, seconds: float | None) -> bool:
        """Did the client go away within *seconds*?"""
        try:
            data = await asyncio.wait_for(reader.read(1), seconds)
        except TimeoutError:
            return False
        assert data == b"", "the client sends more than one request at once"
        self.gone.release()
        return True


def _in_order(answers: Iterable[Answer]) -> Callable[[Asked], Answer]:
    left = deque(answers)
    return lambda _: left.popleft() if len(left) > 1 else left[0]
