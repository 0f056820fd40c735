"""What answers in place of a model: a function from the conversation so far to the next step.

It keeps nothing between calls, so one driver serves any number of agents at once, and the same conversation
always gets the same answer. A real model does the same job from the ``system_prompt`` of audit.toml.
"""

import json
import os
import re
from typing import Any

from actors import (
    AgentManifest,
    AssistantMessage,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    StopReason,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)

HEAD_LINES = 5
GENERATED = re.compile(r"generated (by|from)|do not edit", re.IGNORECASE)
SOURCE_FILE = re.compile(r"""["'`](?P<quoted>[^"'`\n]+\.pyi?)["'`]|(?P<bare>\S+\.pyi?)(?=[\s,;:.!?)]|$)""")

VERDICTS = ((0, "clean"), (9, "small things"), (49, "needs work"))
"""The highest score of each; above all of them stands "fix first"."""


def make_driver(manifest: AgentManifest) -> FunctionDriver:
    """Called for the manifest that names it in ``model.driver``."""
    return FunctionDriver(decide, context_window=manifest.model.context_window or 16384)


def decide(request: CompletionRequest) -> CompletionResponse | str:
    """First look at the file, then judge it."""
    path, results = read_conversation(request)
    if path is None:
        return unreadable("", "the question names no Python file")
    if not results:
        return CompletionResponse(stop_reason=StopReason.TOOL_USE, tool_calls=first_look(path, len(request.messages)))
    measured, worst, head = (results.get(tool) for tool in ("measure_file", "worst_functions", "read_file"))
    if measured is None or measured.is_error:
        return unreadable(path, measured.content if measured else "it was not measured")
    functions = [] if worst is None or worst.is_error else json.loads(worst.content)
    generated = head is not None and not head.is_error and bool(GENERATED.search(head.content))
    return judge(json.loads(measured.content), functions, generated=generated)


def read_conversation(request: CompletionRequest) -> tuple[str | None, dict[str, ToolResultMessage]]:
    """Find the file that was asked for last, and what each tool has said of it since."""
    path: str | None = None
    names: dict[str, str] = {}
    results: dict[str, ToolResultMessage] = {}
    for message in request.messages:
        if isinstance(message, UserMessage) and (found := named_file(message.content)):
            path, results = found, {}
        elif isinstance(message, AssistantMessage):
            names = {call.id: call.name for call in message.tool_calls}
        elif isinstance(message, ToolResultMessage) and message.tool_call_id in names:
            results[names[message.tool_call_id]] = message
    return path, results


def named_file(text: str) -> str | None:
    """The path in *text*: the whole of it, or the last thing in it that is written like a Python file."""
    text = text.strip()
    if os.path.isfile(text):  # a path with spaces looks like a sentence
        return text
    found = [match["quoted"] or match["bare"] for match in SOURCE_FILE.finditer(text)]
    return found[-1] if found else None


def first_look(path: str, step: int) -> list[ToolCall]:
    """The calls of one answer run at the same time; *step* keeps their ids unique in the conversation."""
    return [
        ToolCall(f"measure-{step}", "measure_file", {"path": path}),
        ToolCall(f"worst-{step}", "worst_functions", {"path": path, "limit": 1}),
        ToolCall(f"head-{step}", "read_file", {"path": path, "limit": HEAD_LINES}),
    ]


def judge(measured: dict[str, Any], worst: list[dict[str, Any]], *, generated: bool) -> str:
    """Put the verdict into a line for people and a line for programs."""
    score = measured["score"]
    verdict = next((words for highest, words in VERDICTS if score <= highest), "fix first")
    counted = (("long_functions", "long function"), ("bare_excepts", "bare except"))
    facts = [f"score {score}", plural(measured["lines"], "line")]
    facts += [plural(measured[key], words) for key, words in counted if measured[key]]
    if measured["complex_functions"] and worst:
        facts.append("complexity up to {complexity} ({name}, line {line})".format(**worst[0]))
    if measured["missing_docstrings"]:
        facts.append(plural(measured["missing_docstrings"], "missing docstring"))
    if generated:
        facts.append("written by a program")
    report = {**measured, "verdict": verdict, "worst": worst[0] if worst else None, "generated": generated}
    return f"{verdict}: {', '.join(facts)}\n{json.dumps(report)}"


def unreadable(path: str, reason: str) -> str:
    """Say why there is no verdict."""
    reason = " ".join(reason.split())
    return f"unreadable: {reason}\n{json.dumps({'path': path, 'verdict': 'unreadable', 'reason': reason})}"


def plural(number: int, words: str) -> str:
    """*number* of what *words* names."""
    return f"{number} {words}" if number == 1 else f"{number} {words}s"
