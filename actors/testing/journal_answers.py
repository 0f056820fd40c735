"""The answers of a run that really was, as its journal has them."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from zlib import crc32

from ..agent.ledger import DONE, is_before
from ..agent.wire import Digester, difference, paid_from_data, response_from_data
from ..core.records.usage import NO_TOKENS
from ..core.shown import shown
from ..drivers.recorded.answer import DriverFacts, RecordedAnswer
from ..drivers.recorded.diff import common_start
from ..errors import JournalCorrupt, JournalVersion
from ..journal.faults import advice, error_of
from ..journal.store import SCHEMA
from ..storage.database import faults_of, open_to_read
from ..storage.faults import StorageFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ..agent.ports import CompletionRequest

VERSION = 1
FIXED = ("system", "model", "settings", "schema", "tools")
"""The parts of a request that have a digest each, beside its messages."""
SELECT = """
SELECT seq, agent, path, state, kind, digest, payload, checksum FROM entry
WHERE kind IN ('completion', 'summary') OR (kind IS NULL AND state = 'aside') ORDER BY seq
"""


class JournalAnswers(NamedTuple):
    """What a journal has of the completions of all its agents, in the order in which they were entered.

    Args:
        parts: The digests of the parts of each request, as :func:`difference` reads them.
    """

    answers: Sequence[RecordedAnswer]
    parts: Sequence[Mapping[str, Any]]

    def difference_from(self, request: CompletionRequest) -> str:
        """In which part *request* differs from the nearest one."""
        asked = Digester().parts(request)
        short = {name: getattr(asked, name) for name in FIXED}

        def rank(parts: Mapping[str, Any]) -> tuple[int, int]:
            messages = parts["messages"]
            size = len(messages[0]) if messages else 0
            equal = sum(short[name].startswith(parts[name]) for name in FIXED)
            common = common_start(messages, [digest[:size] for digest in asked.messages])
            return equal + common, -abs(len(messages) - len(asked.messages))

        nearest = max(self.parts, key=rank)
        what = difference(nearest, (), asked) or "model"
        place = self.answers[self.parts.index(nearest)].place
        return f"the nearest that was answered is {place}; what differs first: {what}"


_Place: TypeAlias = tuple[int, bool]
"""The number of a completion, and whether it is that; if not, it is the summary before it."""


class _Row(NamedTuple):
    seq: int
    agent: str
    path: str
    state: str
    kind: str | None
    digest: str | None
    payload: str
    checksum: int


def read(path: Path, facts: DriverFacts) -> JournalAnswers:
    """Read *path*, also while a program writes it. What was set aside is left out.

    Raises:
        FileNotFoundError: There is none.
        JournalCorrupt: It is no journal, or not as it was written.
        JournalVersion: A newer version has written it.
    """
    try:
        with closing(open_to_read(path, SCHEMA)) as connection, faults_of(path, SCHEMA):
            rows = [_Row(*row) for row in connection.execute(SELECT)]
    except StorageFault as fault:
        raise error_of(fault, path) from fault
    found: list[tuple[int, RecordedAnswer, Mapping[str, Any]]] = []
    for agent, steps in _steps_of(rows, path).items():
        found += _answers_of(agent, steps, path, facts)
    found.sort(key=lambda one: one[0])
    return JournalAnswers([answer for _, answer, _ in found], [parts for _, _, parts in found])


def _steps_of(rows: Iterable[_Row], path: Path) -> dict[str, dict[_Place, _Row]]:
    """The completions that stand, by agent and place."""
    agents: dict[str, dict[_Place, _Row]] = {}
    for row in rows:
        steps = agents.setdefault(row.agent, {})
        if row.kind is None:
            start = _data(row, path).get("from")
            agents[row.agent] = {n: step for n, step in steps.items() if start and is_before(step.path, int(start))}
        elif row.state == DONE and (number := row.path.removesuffix("/@summary")).isdecimal():
            steps.setdefault((int(number), row.kind == "completion"), row)  # the first one stands
    return agents


def _answers_of(
    agent: str, steps: Mapping[_Place, _Row], path: Path, facts: DriverFacts
) -> Iterable[tuple[int, RecordedAnswer, Mapping[str, Any]]]:
    before: list[str] = []
    for (number, is_completion), row in sorted(steps.items()):
        data = _data(row, path)
        if not is_completion and "response" not in data:  # there was none
            continue
        try:
            parts = data["parts"]
            messages = [*before[: parts["kept"]], *parts["messages"]]
            before = messages if is_completion else before
            told = {**{name: parts[name] for name in FIXED}, "kept": 0, "messages": messages}
            what = "completion" if is_completion else "the summary before completion"
            yield row.seq, _answer_of(f"{what} {number} of agent {shown(agent)}", row, data, facts), told
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(row, path, f"it cannot be read ({type(error).__name__}: {error})") from error


def _answer_of(place: str, row: _Row, data: Mapping[str, Any], facts: DriverFacts) -> RecordedAnswer:
    """The answer. What tries before it used is its own: whoever replays it pays as much as was paid."""
    response, paid = response_from_data(data["response"]), paid_from_data(data["paid"])
    if paid:
        response = replace(response, usage=sum((usage for usage, _ in paid), NO_TOKENS))
    cost = sum(cost for _, cost in paid)
    return RecordedAnswer(
        place, row.digest or "", None, response, model=str(data["model"]), cost_usd=cost, driver=facts
    )


def _data(row: _Row, path: Path) -> dict[str, Any]:
    if not isinstance(row.payload, str) or crc32(row.payload.encode()) != row.checksum:
        raise _damaged(row, path, "its checksum does not fit")
    try:
        data: dict[str, Any] = json.loads(row.payload)
        version = data["v"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(row, path, f"it cannot be read ({type(error).__name__})") from error
    if version != VERSION:
        raise JournalVersion(f"entry {row.seq} of {path} has version {version!r}, not {VERSION}: update the library")
    return data


def _damaged(row: _Row, path: Path, what: str) -> JournalCorrupt:
    return JournalCorrupt(
        f"{path} is damaged: entry {row.seq} (agent {row.agent!r}, path {row.path!r}): {what}; {advice(path)}"
    )
