"""The agents of both servers: one judges a text, the other answers it.

Their model is a function, so that nothing here needs a network. A real one is named by the environment:

    MODEL=qwen3 MODEL_URL=http://127.0.0.1:11434/v1 python examples/web/sse_app.py
"""

import os
import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, StringConstraints

from actors import (
    AgentLoopResult,
    AgentManifest,
    Cancelled,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    Event,
    FunctionDriver,
    LlmDriver,
    ModelConfig,
    SpawnConfig,
    TextDelta,
)

PAUSE = 0.1
"""Seconds between two words, for a person who looks on."""
LIFE: float | None = 120.0
"""Seconds that an agent has, however long its client would wait."""


class Question(BaseModel):
    """What a client sends. A bound on what strangers send is a bound on what they cost."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class Verdict(BaseModel):
    """What `/ask` answers."""

    kind: Literal["question", "remark"]
    words: int


def judge(question: Question) -> SpawnConfig[Verdict]:
    """An agent whose result is a `Verdict`: an answer that does not fit goes back to the model."""
    return SpawnConfig(
        _manifest("judge"), question.text, output_type=Verdict, stream=False, timeout=LIFE, keep_messages=False
    )


def answer(question: Question) -> SpawnConfig[AgentLoopResult]:
    """An agent whose text comes in pieces."""
    return SpawnConfig(_manifest("answer"), question.text, timeout=LIFE, keep_messages=False)


def _manifest(name: str) -> AgentManifest:
    # Where the model is, is decided by whoever starts the server: the texts go there.
    return AgentManifest(name=name, privacy="standard", model=ModelConfig(context_window=32_000))


def the_driver() -> LlmDriver:
    """The model that the environment names, else the function."""
    if "MODEL_URL" not in os.environ:
        return WordByWord()
    from actors.drivers.openai import OpenAIDriver  # the extra `openai`

    return OpenAIDriver(os.environ.get("MODEL", ""), base_url=os.environ["MODEL_URL"])


class WordByWord(FunctionDriver):
    """Stands where a model would: `fn` makes the answer, and a stream is its words, with a pause before each."""

    def __init__(self, fn: Callable[[CompletionRequest], str] | None = None, *, pause: float = PAUSE) -> None:
        super().__init__(fn or reply, context_window=32_000)
        self.pause = pause

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """Hand over a word at a time. A cancel ends the pause: nobody is left to read on."""
        response = self.complete(request, cancel=cancel)
        for word in re.findall(r"\s*\S+\s*$|\s*\S+", response.text):
            if cancel.wait(self.pause):
                raise Cancelled(cancel.reason, timed_out=cancel.timed_out)
            on_event(TextDelta(text=word))
        return response


def reply(request: CompletionRequest) -> str:
    """What stands in for a model says."""
    text = request.messages[-1].text
    if request.output_schema is None:
        return f"You wrote: {text}\nThat is all I can say of it, one word after the other."
    kind: Literal["question", "remark"] = "question" if "?" in text else "remark"
    return Verdict(kind=kind, words=len(text.split())).model_dump_json()
