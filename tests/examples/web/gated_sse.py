"""The example's ASGI server with a model that the test leads, and a door for the test: a program.

POST /step?n=1, POST /slots?n=64, GET /memory; a client that does not read has gone after ``SEND_TIMEOUT`` seconds.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import desk
import sse_app
import uvicorn
from gated_desk import GatedDesk
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

SEND_TIMEOUT = 0.5


def rss() -> int:
    """Bytes of this process that are in memory."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * 4096 if pages.exists() else 0


def main() -> None:
    """Serve on a free port until a signal comes."""
    model = GatedDesk()
    desk.LIFE = None  # the timers of agents that have ended, up to 4,096 of them, would blur what memory is needed
    sse_app.SEND_TIMEOUT = SEND_TIMEOUT
    app = sse_app.make_app(model, max_concurrent=256, max_queued=0)

    async def step(request: Request) -> Response:
        model.steps.give(int(request.query_params["n"]))
        return Response()

    async def slots(request: Request) -> Response:
        sse_app.pool_of(request).resize(int(request.query_params["n"]))
        return Response()

    async def memory(_: Request) -> Response:
        gc.collect()
        return JSONResponse({"blocks": sys.getallocatedblocks(), "rss": rss()})

    app.add_route("/step", step, methods=["POST"])
    app.add_route("/slots", slots, methods=["POST"])
    app.add_route("/memory", memory)
    uvicorn.run(app, host="127.0.0.1", port=0, timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
