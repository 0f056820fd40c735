"""TEMP."""

from typing import Any


class ServerError(Exception):
    def __init__(self, status: Any, headers: Any, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.headers, self.body = status, headers, body
        self.status_code = status


def error_in(answer: Any, headers: Any) -> Any:
    if isinstance(answer, dict) and answer.get("error"):
        code = answer["error"].get("code") if isinstance(answer["error"], dict) else None
        return ServerError(code if isinstance(code, int) else 500, headers, answer)
    return None
