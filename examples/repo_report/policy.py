"""What answers in place of two models: functions from the conversation so far to the next step.

They keep nothing between calls. Real models do the same jobs from the ``system_prompt`` of the manifests.
"""

import json
import re
from typing import Any

from actors import (
    AgentManifest,
    AssistantMessage,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    InferenceFailed,
    StopReason,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)

MESSAGE = re.compile(r"\[message from [^\]]*\] (?P<text>.*)", re.DOTALL)
TODOS_SHOWN = 20
LEFT_OUT = ("[passed over", "... only the first ")
HIT = re.compile(r".+?:\d+:")  # how grep_files shows a line: other lines of its answer are about what it did not find


def analyst(manifest: AgentManifest) -> FunctionDriver:
    """Called for the manifest that names it in ``model.driver``."""
    return FunctionDriver(analyse, context_window=manifest.model.context_window or 200_000)


def writer(manifest: AgentManifest) -> FunctionDriver:
    """Called for the manifest that names it in ``model.driver``."""
    return FunctionDriver(write, context_window=manifest.model.context_window or 200_000)


# The analyst -------------------------------------------------------------------------------------------------------


def analyse(request: CompletionRequest) -> CompletionResponse | str:
    """Look at everything at once, then note it, then tell it, then end."""
    job, results = job_of(request), results_of(request)
    folder = job["folder"]
    below = "*" if folder == "." else "**/*"
    if "find_files" not in results:
        return calls(
            request,
            find_files={"pattern": below, "path": folder},
            grep_files={"pattern": r"\b(TODO|FIXME)\b", "path": folder, "glob": below, "regex": True},
            run_command={"command": ["git", "log", "--oneline", "--max-count=5", "--", folder]},
            **{"history.authors": {"folder": folder}},
            read_file={"path": f"{folder}/README.md", "limit": 20},
        )
    found = finding(folder, results)
    if "memory_remember" not in results:  # before the message: who has heard of it may recall it
        note = f"{folder} has {found['files']} files and {len(found['todos'])} open points. {found['about']}"
        return calls(request, memory_remember={"content": note})
    if "send_message" not in results:
        return calls(request, send_message={"to": job["writer"], "content": json.dumps(found)})
    return f"{folder}: told the writer"


def finding(folder: str, results: dict[str, ToolResultMessage]) -> dict[str, Any]:
    """What the analyst tells of its folder. Without these three there is nothing to tell."""
    for name in ("find_files", "grep_files", "run_command"):
        if results[name].is_error:
            raise InferenceFailed(f"{folder} could not be looked at: {results[name].content}")
    files = lines_of(results["find_files"], but="no file fits")
    todos = [line for line in lines_of(results["grep_files"]) if HIT.match(line)]
    log = lines_of(results["run_command"])[2:]  # after the exit code and the heading
    authors = results["history.authors"]
    readme = results["read_file"]
    return {
        "folder": folder,
        "files": len(files),
        "todos": [todo if folder == "." else f"{folder}/{todo}" for todo in todos],
        "commits": log,
        "authors": {} if authors.is_error else json.loads(authors.content),
        "about": "" if readme.is_error else first_sentence(readme.content),
    }


def first_sentence(text: str) -> str:
    """The first line of a README that is no heading."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith(("#", "[", "!", "<", "="))), "")


# The writer --------------------------------------------------------------------------------------------------------


def write(request: CompletionRequest) -> CompletionResponse | str:
    """Wait for everybody, recall the notes, write the report, and say whether it could be written."""
    job, results = job_of(request), results_of(request)
    heard = [json.loads(text) for text in heard_in(request)]
    if len(heard) < job["analysts"] and not gave_up(results):
        return calls(request, wait_for_message={"timeout": 120})
    if "memory_recall_shared" not in results:
        return calls(request, memory_recall_shared={"query": "files open points", "limit": 50})
    if "write_file" not in results:
        notes = [note["content"] for note in json.loads(results["memory_recall_shared"].content)]
        return calls(request, write_file={"path": job["report"], "content": report(job, heard, notes)})
    return results["write_file"].content


def gave_up(results: dict[str, ToolResultMessage]) -> bool:
    """Did the last wait run out?"""
    last = results.get("wait_for_message")
    return last is not None and last.is_error


def report(job: dict[str, Any], heard: list[dict[str, Any]], notes: list[str]) -> str:
    """The whole report."""
    found = sorted((one for one in heard if "failed" not in one), key=lambda one: one["folder"])
    failed = sorted((one["folder"], one["failed"]) for one in heard if "failed" in one)
    todos = [todo for one in found for todo in one["todos"]]
    lines = [
        f"# {job['name']}",
        "",
        f"{len(found)} of {job['analysts']} folders were looked at: "
        f"{sum(one['files'] for one in found):,} files, {len(todos):,} open points.",
        "",
        "| folder | files | open points | last commit | authors |",
        "| --- | ---: | ---: | --- | --- |",
        *(row(one) for one in found),
        "",
        "## Left to do",
        "",
        *([f"- {cell(todo)}" for todo in todos[:TODOS_SHOWN]] or ["Nothing is marked."]),
        *([f"- and {len(todos) - TODOS_SHOWN} more"] if len(todos) > TODOS_SHOWN else []),
        "",
        "## Notes",
        "",
        *(f"- {cell(note)}" for note in sorted(notes)),
        *(f"- {folder} could not be looked at: {cell(why)}" for folder, why in failed),
        "",
    ]
    return "\n".join(lines)


def row(one: dict[str, Any]) -> str:
    """A folder in the table."""
    authors = ", ".join(f"{name} ({count})" for name, count in one["authors"].items())
    last = one["commits"][0] if one["commits"] else "none"
    return f"| {cell(one['folder'])} | {one['files']} | {len(one['todos'])} | {cell(last)} | {cell(authors)} |"


def cell(text: str) -> str:
    """*text* on one line that breaks no table."""
    return " ".join(text.split()).replace("|", "\\|")


# The conversation --------------------------------------------------------------------------------------------------


def job_of(request: CompletionRequest) -> dict[str, Any]:
    """What the program asked for."""
    query = next(message for message in request.messages if isinstance(message, UserMessage))
    job: dict[str, Any] = json.loads(query.content)
    return job


def results_of(request: CompletionRequest) -> dict[str, ToolResultMessage]:
    """What each tool has said last."""
    names: dict[str, str] = {}
    results: dict[str, ToolResultMessage] = {}
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            names.update((call.id, call.name) for call in message.tool_calls)
        elif isinstance(message, ToolResultMessage):
            results[names[message.tool_call_id]] = message
    return results


def heard_in(request: CompletionRequest) -> list[str]:
    """The messages of other agents: those that came while it thought, and those that it waited for."""
    texts = [
        message.content
        for message in request.messages
        if isinstance(message, UserMessage) or (isinstance(message, ToolResultMessage) and not message.is_error)
    ]
    return [found["text"] for text in texts if (found := MESSAGE.fullmatch(text))]


def lines_of(result: ToolResultMessage, *, but: str = "") -> list[str]:
    """The lines of a result, without those that say that there is nothing, or what was left out."""
    return [line for line in result.content.splitlines() if line != but and not line.startswith(LEFT_OUT)]


def calls(request: CompletionRequest, **inputs: dict[str, Any]) -> CompletionResponse:
    """Ask for these calls; their ids are new in the conversation."""
    turn = len(request.messages)
    made = tuple(ToolCall(f"{turn}-{name}", name, arguments) for name, arguments in inputs.items())
    return CompletionResponse(stop_reason=StopReason.TOOL_USE, tool_calls=made)
