"""One model behind each driver: it says what a script has, and what it was asked can be looked at.

The three that ask a server are asked over a real connection.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Self

from actors import AgentManifest, CompletionRequest, FunctionDriver, ScriptedDriver
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from tests.drivers.provider import Asked, Provider, Reply, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors import LlmDriver

WIRES: Final = ("chat", "responses", "anthropic")
KINDS: Final = (*WIRES, "function", "scripted")


class Stand:
    """A model of one kind.

    Args:
        kind: One of ``KINDS``.
        answers: What it says, in order: texts, answers, or replies of a server; the last one again and again.
        options: Of the driver.
    """

    def __init__(self, kind: str, answers: Iterable[object], **options: Any) -> None:
        self.kind = kind
        self._left: list[Any] = list(answers)
        self._noted: list[CompletionRequest] = []
        self._server = Provider(self._reply)
        self._options = options
        self.driver: LlmDriver = FunctionDriver(self._answer)

    def __enter__(self) -> Self:
        if self.kind in WIRES:
            self._server.__enter__()
        self.driver = self._made()
        STANDS[self.kind] = self
        return self

    def __exit__(self, *_: object) -> None:
        STANDS.pop(self.kind, None)
        if self.kind in WIRES:
            close: Any = self.driver
            close.close_idle()
            self._server.__exit__()

    @property
    def url(self) -> str:
        """Where its server is."""
        return self._server.root if self.kind == "anthropic" else self._server.url

    @property
    def asked(self) -> list[Any]:
        """What it was asked: the bodies of requests, or for drivers without a server the requests."""
        if self.kind in WIRES:
            return [each.body for each in self._server.asked]
        return self._noted if self.kind == "function" else list(self.driver.requests)  # type: ignore[attr-defined]

    @property
    def raw(self) -> list[bytes]:
        """The same as bytes."""
        return [each.raw for each in self._server.asked]

    def model(self, **fields: Any) -> dict[str, Any]:
        """A ``[model]`` that names it."""
        if self.kind not in WIRES:
            return {"driver": "tests.drivers.stand:driver_named", "remote_model": self.kind, **fields}
        named = {"remote_model": "m", "base_url": self.url, **fields}
        return (
            {"driver": "anthropic", **named}
            if self.kind == "anthropic"
            else {"driver": "openai", "api": self.kind, **named}
        )

    def system(self, number: int = -1) -> str:
        """The system prompt of that request."""
        body = self.asked[number]
        if isinstance(body, CompletionRequest):
            return body.system or ""
        if self.kind == "chat":
            return next((turn["content"] for turn in body["messages"] if turn["role"] == "system"), "")
        return str(body.get("instructions" if self.kind == "responses" else "system", ""))

    def tools(self, number: int = -1) -> dict[str, Any]:
        """The schemas of its tools, by name."""
        body = self.asked[number]
        if isinstance(body, CompletionRequest):
            return {tool.name: dict(tool.input_schema) for tool in body.tools}
        found = [tool.get("function", tool) for tool in body.get("tools", ())]
        return {tool["name"]: tool.get("parameters", tool.get("input_schema")) for tool in found}

    def told(self, number: int = -1) -> str:
        """All that it was told in that request, as one text."""
        body = self.asked[number]
        return repr(body) if isinstance(body, CompletionRequest) else json.dumps(body, ensure_ascii=False)

    def _made(self) -> LlmDriver:
        if self.kind == "anthropic":
            return AnthropicDriver("m", base_url=self.url, api_key="k", **self._options)
        if self.kind == "function":
            return FunctionDriver(self._answer, **self._options)
        if self.kind == "scripted":
            return ScriptedDriver(self._left, default=self._left[-1] if self._left else None, **self._options)
        api: Any = self.kind
        return OpenAIDriver("m", base_url=self.url, api_key="k", api=api, **self._options)

    def _next(self) -> Any:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    def _reply(self, asked: Asked) -> Reply:
        answer = self._next()
        return answer if isinstance(answer, Reply) else say(answer, asked)

    def _answer(self, request: CompletionRequest) -> Any:
        self._noted.append(request)
        return self._next()


STANDS: dict[str, Stand] = {}
"""Those that are open, by kind: for manifests that name one."""


def driver_named(manifest: AgentManifest) -> LlmDriver:
    """The driver of the one whose kind is the manifest's model."""
    return STANDS[manifest.model.name].driver
