"""The example's WSGI application with a model that waits for a file: for gunicorn. The folder is named by ``GATE``."""

from __future__ import annotations

import os
from pathlib import Path

import wsgi_app
from desk import WordByWord, reply

from actors import CancelToken, CompletionRequest, CompletionResponse

app = wsgi_app.app


class WaitsForFile(WordByWord):
    """Where a text begins with ``gated``, it says in a file of its process that it works, and waits for ``open``.

    A file, as no other gate is shared by workers that are forked.
    """

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Answer, in time."""
        text = request.messages[-1].text
        if text.startswith("crash"):
            raise RuntimeError("the secret of the house")
        if text.startswith("gated"):
            folder = Path(os.environ["GATE"])
            (folder / f"working-{os.getpid()}").touch()
            while not (folder / "open").exists():
                cancel.wait(0.01)
                cancel.check()
        return CompletionResponse(reply(request))


wsgi_app.the_driver = WaitsForFile
