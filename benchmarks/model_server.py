"""A model's server on loopback that thinks for a while and says one word.

``python -m benchmarks.model_server SECONDS [tell] [rounds:N] [FAULT:SHARE]...`` speaks as much of Chat Completions as
is needed, prints its port (and, if it is to tell, a line for each request), and ends when its input does. With
``rounds``, the first N - 1 answers of a conversation are calls of the tool ``note``. Faults, each with its share of the
requests: ``error`` (HTTP 500), ``refuse`` (HTTP 429, with headers that tell all to wait for minutes), ``cut`` (half
an answer), ``broken`` (an answer that is no JSON).
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

ANSWER: dict[str, Any] = {
    "id": "answer",
    "object": "chat.completion",
    "created": 0,
    "model": "slow",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}
CALL = {"id": "call", "type": "function", "function": {"name": "note", "arguments": '{"text": "x"}'}}
MESSAGE = {"role": "assistant", "content": None, "tool_calls": [CALL]}
USE = {**ANSWER, "choices": [{"index": 0, "finish_reason": "tool_calls", "message": MESSAGE}]}
REFUSAL = {
    "Retry-After": "1",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-tokens": "6m0s",
}


def written(body: bytes, status: int = 200, **headers: str) -> bytes:
    """A response, byte for byte."""
    told = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body


YES, USES = written(json.dumps(ANSWER).encode()), written(json.dumps(USE).encode())
FAULTS = {
    "error": written(b'{"error": {"message": "it broke", "type": "server_error"}}', 500),
    "refuse": written(b'{"error": {"message": "slowly", "type": "rate_limit_error"}}', 429, **REFUSAL),
    "cut": YES[: len(YES) - 20],
    "broken": written(b'{"choices": [{"mess'),
}


async def serve(latency: float, *, tells: bool, rounds: int, faults: dict[str, float]) -> None:
    """Answer until the input ends."""
    lot = random.Random(1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                lines = request.decode("latin-1").lower().split("\r\n")
                length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
                body = await reader.readexactly(length)
                if tells:
                    print("asked", flush=True)
                await asyncio.sleep(latency)
                drawn, fault = lot.random(), None
                for name, share in faults.items():
                    if drawn < share:
                        fault = name
                        break
                    drawn -= share
                last = body.count(b'"tool_call_id"') >= rounds - 1
                writer.write(FAULTS[fault] if fault else YES if last else USES)
                if fault == "cut":
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is done, or we are
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


def main(seconds: str, *words: str) -> None:
    """Serve as the command line says."""
    said = dict(word.split(":") for word in words if ":" in word)
    rounds = int(said.pop("rounds", 1))
    faults = {name: float(share) for name, share in said.items()}
    asyncio.run(serve(float(seconds), tells="tell" in words, rounds=rounds, faults=faults))


if __name__ == "__main__":
    main(*sys.argv[1:])
