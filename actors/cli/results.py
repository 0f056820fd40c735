"""The results file: how each agent ended, one line as soon as it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..agent.loop_result import AgentLoopResult
from ..core.crash import text_of as error_text
from ..errors import AgentCrashed
from .jsonl import JsonLines
from .refusal import OutputLostError, why
from .terminal import say

if TYPE_CHECKING:
    from ..core.records.outcome import AgentOutcome
    from ..errors import ActorsError

MOST_WARNINGS = 10


class ResultsFile:
    """Writes outcomes.

    Args:
        path: A file, or ``-`` for standard output.
    """

    def __init__(self, path: str) -> None:
        self._lines = JsonLines(path, option="--out")
        self._warned: set[str] = set()
        self.written = 0

    def write(self, outcome: AgentOutcome[Any]) -> None:
        """Append *outcome*.

        Raises:
            OutputLostError: It cannot be written.
        """

        def warn(type_name: str) -> None:
            # Once a type: ten thousand agents with a set each need one warning.
            if type_name not in self._warned and len(self._warned) < MOST_WARNINGS:
                self._warned.add(type_name)
                say(
                    f"warning: {self._lines.path}: agent {outcome.agent_id} returned what JSON cannot hold "
                    f"({type_name}); written as its repr"
                )

        try:
            self._lines.write(record_of(outcome), on_repr=warn)
        except OSError as error:
            raise OutputLostError(
                f"--out {self._lines.path}: cannot be written any more: {why(error)}; "
                f"the first {self.written} outcomes are in it"
            ) from None
        self.written += 1

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def record_of(outcome: AgentOutcome[Any]) -> dict[str, Any]:
    """The fields of one line. Every line has every field; what does not apply is null."""
    started = outcome.started_at
    return {
        "agent_id": outcome.agent_id,
        "name": outcome.name,
        "query": outcome.query,
        "tag": outcome.tag,
        "status": outcome.status,
        **_result_fields(outcome.result),
        "error": None if outcome.error is None else error_fields(outcome.error),
        "started_at": None if started is None else started.isoformat(),
        "ended_at": outcome.ended_at.isoformat(),
        "duration": round(outcome.duration, 6),
    }


def error_fields(error: ActorsError) -> dict[str, str]:
    """What is told of *error*: for a crash, the exception that the agent's code raised."""
    if isinstance(error, AgentCrashed):
        return {"type": error.type_name, "text": error.text}
    return {"type": type(error).__name__, "text": error_text(error)}


def text_of(outcome: AgentOutcome[Any]) -> str:
    """The result, or the error, as a text for people."""
    if outcome.error is not None:
        return error_text(outcome.error) or type(outcome.error).__name__
    result = outcome.result
    if isinstance(result, AgentLoopResult):
        return result.text
    if result is None:
        return ""
    try:
        return str(result)
    except Exception as error:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<{type(result).__qualname__}, whose str raised {type(error).__name__}>"


def _result_fields(result: Any) -> dict[str, Any]:
    if not isinstance(result, AgentLoopResult):
        return {"result": result, "usage": None, "iterations": None, "tool_calls": None, "cost_usd": None}
    return {
        "result": result.text,
        "usage": {
            "input_tokens": result.usage.input_tokens,
            "output_tokens": result.usage.output_tokens,
        },
        "iterations": result.iterations,
        "tool_calls": result.tool_calls,
        "cost_usd": result.cost_usd,
    }
