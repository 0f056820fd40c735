"""Answers by rules, in place of a model, with the delays and the troubles that a provider has."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from typing import Any

from archive import PLACES, Desk

from actors import CancelToken, CompletionRequest, CompletionResponse, FunctionDriver, TokenUsage, ToolCall, UserMessage
from actors.errors import InferenceFailed, Overloaded

MESSAGE = re.compile(r"\[message from .* \(id (?P<sender>\d+)\)\] (?P<text>.*)", re.DOTALL)
SPARED = 4
"""In a larger run, one story of so many has the troubles of the first."""


class OfflineModel(FunctionDriver):
    """A model that is slow, and at times overloaded: always in the same places of one run.

    Locks: ``_lock`` guards ``_troubled``.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(answer, context_window=32_000)
        self.model = "rules"  # as it is called in outcomes, events and spans
        self._desk = desk
        self._lock = threading.Lock()
        self._troubled: Counter[str] = Counter()

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Answer after a while."""
        job = job_of(request)
        at = f"{job.get('story')}/{job.get('topic', '')} {len(request.messages)}"
        self._desk.take(self._desk.seconds(f"model {at}", 0.3, 1.2), cancel)
        self._fail(job, request)
        answered = super().complete(request, cancel=cancel)
        read = sum(len(message.text) for message in request.messages) // 4 + 200
        written = len(answered.text) // 4 + 40 * len(answered.tool_calls) + 20
        return CompletionResponse(answered.text, tool_calls=answered.tool_calls, usage=TokenUsage(read, written))

    def _fail(self, job: dict[str, Any], request: CompletionRequest) -> None:
        """What goes wrong at a provider."""
        if job.get("story", 1) % SPARED != 1 or "topic" not in job:
            return
        done = results_of(request)
        if job["topic"] == "the flood" and "read_page" in done and self._times(job) <= 2:
            raise Overloaded("the model is overloaded", retry_after=1.2 / self._desk.speed)
        if job["topic"] == "the birds" and "read_page" in done and self._times(job) == 1:
            raise ConnectionResetError("the connection to the model was reset")  # nobody's error class: a crash
        if job["topic"] == "the owners" and "search_archive" in done:
            raise InferenceFailed("the provider's filter refuses to answer")

    def _times(self, job: dict[str, Any]) -> int:
        key = f"{job['story']}/{job['topic']}"
        with self._lock:
            self._troubled[key] += 1
            return self._troubled[key]


def answer(request: CompletionRequest) -> CompletionResponse | str:
    """What is said next. Who is asked is seen by the tools that it has."""
    tools = {tool.name for tool in request.tools}
    if "compare_sources" in tools:
        return check(request)
    return write(request) if "publish" in tools else research(request)


def research(request: CompletionRequest) -> CompletionResponse | str:
    """Search everywhere at once, read what was found, tell the checker, and wait for what it says."""
    job, done = job_of(request), results_of(request)
    if "search_archive" not in done:
        return calls(request, *(("search_archive", {"place": place, "words": job["topic"]}) for place in PLACES))
    if "read_page" not in done:
        found = [title for result in done["search_archive"] for title in json.loads(result)]
        return calls(request, *(("read_page", {"title": title}) for title in found))
    claim = done["read_page"][0]
    if "send_message" not in done:
        said = json.dumps({"topic": job["topic"], "claim": claim})
        return calls(request, ("send_message", {"to": job["checker"], "content": said}))
    heard = heard_in(request)
    if not heard and "wait_for_message" not in done:
        return calls(request, ("wait_for_message", {"timeout": 120}))
    return f"{claim} [{heard[-1][1] if heard else 'not checked'}]"


def check(request: CompletionRequest) -> CompletionResponse | str:
    """Wait for claims, compare each, and answer who made it."""
    job, done = job_of(request), results_of(request)
    heard = [(sender, json.loads(text)) for sender, text in heard_in(request)]
    claims = [(sender, said["claim"]) for sender, said in heard if "claim" in said]
    compared, told = done.get("compare_sources", []), len(done.get("send_message", []))
    if len(compared) < len(claims):
        return calls(request, *(("compare_sources", {"claim": claim}) for _, claim in claims[len(compared) :]))
    if told < len(compared):
        verdicts = zip(claims[told:], compared[told:], strict=True)
        return calls(request, *(("send_message", {"to": to, "content": said}) for (to, _), said in verdicts))
    gave_up = any(result.startswith("no message came") for result in done.get("wait_for_message", []))
    if len(heard) < job["claims"] and not gave_up:
        return calls(request, ("wait_for_message", {"timeout": 120}))
    return f"{compared.count('confirmed')} of {job['claims']} claims are confirmed"


def write(request: CompletionRequest) -> CompletionResponse | str:
    """Print the story, and say what came of it."""
    job, done = job_of(request), results_of(request)
    if "publish" not in done:
        return calls(request, ("publish", {"headline": "The mill turns again", "text": " ".join(job["facts"])}))
    return done["publish"][0]


def job_of(request: CompletionRequest) -> dict[str, Any]:
    """What the agent was asked to do."""
    query = next(message for message in request.messages if isinstance(message, UserMessage))
    job: dict[str, Any] = json.loads(query.text)
    return job


def results_of(request: CompletionRequest) -> dict[str, list[str]]:
    """What each tool has answered so far."""
    names: dict[str, str] = {}
    results: dict[str, list[str]] = {}
    for message in request.messages:
        for made in getattr(message, "tool_calls", ()):
            names[made.id] = made.name
        if message.role == "tool":
            results.setdefault(names.get(message.tool_call_id, ""), []).append(message.text)
    return results


def heard_in(request: CompletionRequest) -> list[tuple[int, str]]:
    """The messages of other agents, with their senders: those that it waited for, and those that came meanwhile."""
    found = [MESSAGE.fullmatch(message.text) for message in request.messages if message.role in ("tool", "user")]
    return [(int(one["sender"]), one["text"]) for one in found if one]


def calls(request: CompletionRequest, *wanted: tuple[str, dict[str, Any]]) -> CompletionResponse:
    """An answer that asks for these calls, all at once; their ids are new in the conversation."""
    turn = len(request.messages)
    made = (ToolCall(f"{turn}-{place}", name, given) for place, (name, given) in enumerate(wanted))
    return CompletionResponse(tool_calls=tuple(made))
