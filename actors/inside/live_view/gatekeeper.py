"""Who may ask the live view, and who may not."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from .request import Refused

if TYPE_CHECKING:
    from .request import Request

PAGE = "/"
OWN = frozenset({"same-origin", "none"})
"""From where a browser says that it asks, if it says so: our page, or what was typed into its address line."""


class Gatekeeper:
    """Lets in who knows the token, and comes by the right way.

    That is: to a name of this machine (a page of another site can point its own name here, and its script would ask
    under that), with the token, and, to act, from the page itself.

    Args:
        control: May anybody act?

    Threads: the door's; the token is read anywhere.
    """

    def __init__(self, *, control: bool) -> None:
        self.token = secrets.token_urlsafe(32)
        self.control = control
        self._hosts: frozenset[str] = frozenset()

    def stands_at(self, port: int) -> None:
        """The port that is asked."""
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})

    def refuse_stranger(self, request: Request) -> None:
        """Let *request* pass.

        Raises:
            Refused: Not that one.
        """
        host = request.headers.get("host", "")
        if host not in self._hosts:
            raise Refused(403, "this is answered at 127.0.0.1 and localhost alone")
        if request.method != "GET" and not (self.control and request.method == "POST"):
            raise Refused(405, "that cannot be done here", allow="GET, POST" if self.control else "GET")
        acts = request.method == "POST"
        if not self._is_known(self._word(request)):
            raise Refused(401, "the token is missing or wrong: open the URL that was printed")
        if acts and request.headers.get("origin") != f"http://{host}":
            raise Refused(403, "who acts says so from the page of this view (its Origin)")
        if request.path != PAGE and request.headers.get("sec-fetch-site", "none") not in OWN:
            raise Refused(403, "a page of another site may not ask")

    def _word(self, request: Request) -> str:
        kind, _, word = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return word.strip()
        return request.query.get("token", "") if request.path == PAGE and request.method == "GET" else ""

    def _is_known(self, word: str) -> bool:
        return hmac.compare_digest(word.encode("utf-8", "surrogatepass"), self.token.encode("ascii"))
