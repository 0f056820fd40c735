"""A server that speaks Chat Completions and classifies tickets by their words: stands where a real model would.

    python examples/tickets/server.py --port 8765 --log calls.txt

Each answer that it gave, which a real one would have put on the bill, is a line of the log. ``--port 0`` takes a free
port; the first line of its output says which.
"""

import argparse
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = {
    "billing": {"charged", "invoice", "refund", "twice"},
    "bug": {"crashes", "error", "update", "save"},
    "account": {"log", "login", "password", "address"},
    "question": {"how", "does", "export", "offline"},
}


def classify(text: str) -> dict[str, Any]:
    """The label whose words stand in *text* most often, and how sure that is."""
    words = re.findall(r"[a-z]+", text.lower())
    hits = {label: sum(word in known for word in words) for label, known in WORDS.items()}
    label = max(hits, key=lambda name: hits[name])
    return {"label": label, "confidence": round(hits[label] / (sum(hits.values()) or 1), 2)}


class Handler(BaseHTTPRequestHandler):
    """Answers requests for completions, in one piece or as a stream."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        """Answer one."""
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # the client went away
            self.close_connection = True
            return
        asked = json.loads(body)
        question = asked["messages"][-1]["content"]
        time.sleep(self.server.seconds)
        answer = json.dumps(classify(question))
        words = sum(len(message["content"].split()) for message in asked["messages"])
        usage = {"prompt_tokens": words, "completion_tokens": 9, "total_tokens": words + 9}
        self.server.bill(question)
        if asked.get("stream"):
            self.send("text/event-stream", stream(answer, usage))
        else:
            message = {"role": "assistant", "content": answer}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            self.send("application/json", json.dumps({**HEAD, "choices": [choice], "usage": usage}).encode())

    def send(self, kind: str, body: bytes) -> None:
        """Send *body*."""
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature of http.server
        """Say nothing."""


HEAD = {"id": "c", "object": "chat.completion", "created": 1, "model": "words"}


def stream(answer: str, usage: dict[str, int]) -> bytes:
    """*answer* as server-sent events."""
    head = {**HEAD, "object": "chat.completion.chunk"}
    chunks = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": answer}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**head, "choices": [], "usage": usage},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode() + b"data: [DONE]\n\n"


class Server(ThreadingHTTPServer):
    """The server.

    Args:
        port: 0 takes a free one.
        seconds: How long a model would think.
        log: Where each answer is noted.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, *, seconds: float = 0.0, log: str | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.seconds = seconds
        self.answered: list[str] = []
        self._lock = threading.Lock()
        self._log = None if log is None else open(log, "a", encoding="utf-8")  # noqa: SIM115 - as long as the server

    def bill(self, question: str) -> None:
        """Note an answer."""
        with self._lock:
            self.answered.append(question)
            if self._log is not None:
                self._log.write(json.dumps(question) + "\n")
                self._log.flush()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main() -> None:
    """Serve until somebody stops it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--seconds", type=float, default=0.02)
    parser.add_argument("--log")
    asked = parser.parse_args()
    with Server(asked.port, seconds=asked.seconds, log=asked.log) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
