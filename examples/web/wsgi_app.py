"""A synchronous server: a plain WSGI application, for gunicorn or any other.

pip install "actors[web]"
gunicorn --chdir examples/web --config examples/web/gunicorn_conf.py wsgi_app:app

curl -d '{"text": "Who are you?"}' http://127.0.0.1:8000/ask
"""

import json
import logging
import os
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from desk import Question, judge, the_driver
from pydantic import ValidationError

from actors import AgentCancelled, AgentPool, CapacityError, PoolClosed

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

MOST_BYTES = 65_536
log = logging.getLogger("gunicorn.error")
_making = threading.Lock()
_pool: AgentPool | None = None


def the_pool() -> AgentPool:
    """The pool of this process, made by its first request.

    A pool is threads, and a fork does not copy them. Made where this module is imported, it would be made before the
    workers of `gunicorn --preload` are forked, and each use of it in a worker would be a `ForkedPoolError`. It needs no
    end of its own either: when the worker ends, what still runs is cancelled.
    """
    global _pool
    with _making:
        if _pool is None:
            _pool = AgentPool(the_driver(), max_concurrent=64, owed=False)
        return _pool


def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """The application."""
    status, body = respond(environ)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def respond(environ: "WSGIEnvironment") -> tuple[HTTPStatus, bytes]:
    """The status and the body."""
    try:
        match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
            case "POST", "/ask":
                length = int(environ.get("CONTENT_LENGTH") or 0)
                if length > MOST_BYTES:
                    return refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES:,} bytes")
                return HTTPStatus.OK, ask(environ["wsgi.input"].read(length))
            case "GET", "/stats":
                return HTTPStatus.OK, stats()
            case _:
                return refusal(HTTPStatus.NOT_FOUND, "POST /ask, or GET /stats")
    except ValidationError as error:
        return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, [problem["msg"] for problem in error.errors()])
    except (CapacityError, PoolClosed, AgentCancelled):  # no room, or the worker ends
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too much to do")
    except Exception:
        log.exception("an agent failed")  # all of it is here; a stranger need not see it
        return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the agent failed")


def ask(body: bytes) -> bytes:
    """One agent, one typed result. The thread of the request waits for it."""
    handle = the_pool().spawn(judge(Question.model_validate_json(body)), timeout=5)  # so long for a slot, then busy
    try:
        return handle.result().model_dump_json().encode()
    finally:
        handle.cancel("the request is over")  # a worker that gives it up, at its timeout, leaves no agent


def stats() -> bytes:
    """Figures of this worker's pool."""
    now = the_pool().stats()
    return json.dumps({"pid": os.getpid(), "active": now.active, "started": now.started, "ended": now.ended}).encode()


def refusal(status: HTTPStatus, problem: object) -> tuple[HTTPStatus, bytes]:
    """An error as JSON."""
    return status, json.dumps({"error": problem}).encode()
