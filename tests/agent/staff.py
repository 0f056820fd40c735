"""A model that several manifests share: what it says is written for each, by its system prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors import AgentManifest, CompletionRequest, CompletionResponse, FunctionDriver, TokenUsage

if TYPE_CHECKING:
    from actors import ToolDefinition

USAGE = TokenUsage(10, 5)


class Staff:
    """What each manifest's model says, in order; the last one again and again. Notes what it was asked."""

    def __init__(self, **scripts: list[Any]) -> None:
        self.scripts = {f"I am {name}.": list(script) for name, script in scripts.items()}
        self.requests: list[CompletionRequest] = []
        self.driver = FunctionDriver(self)

    def __call__(self, request: CompletionRequest) -> Any:
        self.requests.append(request)
        script = self.scripts[(request.system or "").partition("\n")[0]]
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, BaseException):
            raise said
        return CompletionResponse(said, usage=USAGE) if isinstance(said, str) else said

    @property
    def speakers(self) -> list[str]:
        """Who was asked, in order."""
        return [(request.system or "").split()[2].rstrip(".") for request in self.requests]

    def tools(self, number: int) -> list[str]:
        """The names of the tools of that request."""
        offered: list[ToolDefinition] = list(self.requests[number].tools)
        return [each.name for each in offered]


def member(name: str, **fields: Any) -> AgentManifest:
    """A manifest with a prompt of its own."""
    model: Any = {"system_prompt": f"I am {name}.", **fields.pop("model", {})}
    return AgentManifest(name=name, model=model, **{"privacy": "standard", **fields})
