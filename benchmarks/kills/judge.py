"""Compares what the journal says after each kill with what the world outside has seen: J1 to J5 of the design."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from .cast import SCRIPTS, answer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .books import Entry
    from .outside import Line

PAYMENTS = ("pay", "charge", "reserve")


class Judge:
    """Sees one pool from its first start to its last.

    Args:
        kinds: What each agent's conversation is, by its name; those of children, too.
    """

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = kinds
        self.problems: list[str] = []
        self._recorded: set[tuple[str, str]] = set()  # name and path of what was done when the last start began

    def look(self, run: int, entries: Sequence[Entry], lines: Sequence[Line]) -> None:
        """After start number *run*: is the file a prefix, and does it hold what others were told?"""
        names = names_of(entries)
        told: list[str] = list(self._of_file(entries, names))
        told += self._of_world([line for line in lines if line.run == run], entries, names)
        self.problems += [f"after start {run}: {text}" for text in told]
        self._recorded = {(names[entry.agent], entry.path) for entry in entries if entry.path and entry.state == "done"}

    # The file: a prefix of what happened ------------------------------------------------------------------------

    def _of_file(self, entries: Sequence[Entry], names: Mapping[str, str]) -> Iterator[str]:
        if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
            yield "the numbers of the entries have gaps (J2)"
        of_agent: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            of_agent[entry.agent].append(entry)
        for agent, own in of_agent.items():
            name = names[agent]
            if own[0].state != "admitted":
                yield f"{agent} begins with {own[0].state} (J2)"
            else:
                yield from (f"{name}: {text}" for text in prefix_faults(own, self.kinds[name]))

    # The world --------------------------------------------------------------------------------------------------

    def _of_world(self, lines: Sequence[Line], entries: Sequence[Entry], names: Mapping[str, str]) -> Iterator[str]:
        begun = {
            (names[entry.agent], entry.path) for entry in entries if entry.state in ("begun", "done") and entry.path
        }
        completed = {
            names[entry.agent] for entry in entries if entry.state == "ended" and entry.payload["status"] == "completed"
        }
        asked: Counter[tuple[str, str]] = Counter()
        for line in lines:
            path = self.path_of(line)
            asked[line.who, path] += line.what == "asked"
            if line.what in ("asked", "begun", "noted") and (line.who, path) in self._recorded:
                yield f"{line.who}: {line.what} {path}, which an earlier process has recorded (J4)"
            if line.what == "begun" and (line.who, path) not in begun:
                yield f"{line.who}: {path} began, and is not in the file (J5)"
            if line.what in ("told", "seen") and line.detail[0] == "completed" and line.who not in completed:
                yield f"{line.who}: {line.what} to have completed, and that is not in the file (J1)"
            if line.what in ("told", "seen") and line.detail[0] != "completed":
                yield f"{line.who} ended {line.detail}"
        yield from (f"{who}: asked {path} {count} times" for (who, path), count in asked.items() if count > 1)

    def path_of(self, line: Line) -> str:
        """Where in the journal what *line* tells of stands; empty for what has no place there."""
        if line.what in ("asked", "answered"):
            return str(line.detail)
        if line.what not in ("begun", "paid", "noted"):
            return ""
        word, _, turn = line.detail[0].partition(" ")
        return f"{turn}.{SCRIPTS[self.kinds[line.who]][int(turn)].index(word)}" if turn else word

    # In the end ---------------------------------------------------------------------------------------------------

    def close(self, run: int, entries: Sequence[Entry], lines: Sequence[Line]) -> None:
        """After the last start: is all done, and nothing twice?"""
        self.problems += self._left(run, entries, lines)
        self.problems += bought_twice(lines)
        self.problems += self._paid(lines)

    def _left(self, run: int, entries: Sequence[Entry], lines: Sequence[Line]) -> Iterator[str]:
        names = names_of(entries)
        if sorted(names.values()) != sorted(self.kinds):
            yield f"the journal has other agents: {set(names.values()) ^ set(self.kinds)}"
        ended = Counter(
            names[entry.agent] for entry in entries if entry.state == "ended" and entry.payload["status"] == "completed"
        )
        yield from (f"{name} has {ended[name]} outcomes (J3)" for name in self.kinds if ended[name] != 1)
        seen = Counter(line.who for line in lines if line.what == "seen" and line.run == run)
        for name in self.kinds:
            if "." not in name and seen[name] != 1:
                yield f"{name} was seen {seen[name]} times in the last start"
        for line in lines:
            if line.what == "seen" and line.detail[2] != answer_of(line.who):
                yield f"{line.who} says {line.detail[2]}"

    def _paid(self, lines: Sequence[Line]) -> Iterator[str]:
        paid: Counter[tuple[str, str]] = Counter()
        keys: dict[tuple[str, str], set[str]] = defaultdict(set)
        for line in lines:
            if line.what in ("begun", "paid", "noted"):
                keys[line.who, line.detail[0]].add(line.detail[1])
                paid[line.who, line.detail[0]] += line.what == "paid"
        yield from (f"{what} was paid {count} times" for what, count in paid.items() if count > 1)
        yield from (f"{what} had several keys: {found}" for what, found in keys.items() if len(found) > 1)
        if len({key for found in keys.values() for key in found}) < len(keys):
            yield "two effects had the same key"
        for what in self.purposes():
            if what[1].startswith(("charge", "reserve")) and paid[what] != 1:
                yield f"{what} was paid {paid[what]} times, and one can look"

    def purposes(self) -> Iterator[tuple[str, str]]:
        """What each agent has to pay."""
        for name, kind in self.kinds.items():
            if kind == "steps":
                yield name, "reserve"
            for turn, words in enumerate(SCRIPTS[kind]):
                yield from ((name, f"{word} {turn}") for word in words if word in PAYMENTS)


def names_of(entries: Iterable[Entry]) -> dict[str, str]:
    """The names of agents by their keys; of one that was never admitted its key."""
    names = {entry.agent: entry.agent for entry in entries}
    return names | {entry.agent: entry.payload["name"] for entry in entries if entry.state == "admitted"}


def prefix_faults(own: Iterable[Entry], kind: str) -> Iterator[str]:
    """What stands in the entries of one agent without that which came before it."""
    done: set[str] = set()
    begun: dict[str, int] = {}
    here = 0  # the process in which it lives
    ended = False
    script = SCRIPTS[kind]
    for entry in own:
        path, state = entry.path, entry.state
        if ended:
            yield f"{path} {state} after its end (J2)"
        if not path:
            if state == "begun":
                here = entry.process
            if state == "ended" and entry.payload["status"] == "completed":
                ended = True
                missing = needed(kind, len(script)) - done - before(begun, here)
                if missing:
                    yield f"its outcome without {missing} (J2)"
            continue
        if entry.process != here:
            yield f"{path} {state} of process {entry.process}, in which it did not begin (J2)"
        if state == "begun":
            begun[path] = entry.process
        if entry.kind in ("completion", "tool", "step"):
            first = not path.isdecimal() and path != "ship"
            turn = len(script) if path == "ship" else 0 if path == "reserve" else int(path.partition(".")[0])
            due = needed(kind, turn, of_answer=first and path != "reserve") if path != "reserve" else set()
            missing = due - done - before(begun, here)
            if missing:
                yield f"{path} {state} without {missing} (J2)"
        if state == "done":
            if path not in begun and entry.payload.get("effect") == "at_most_once":
                yield f"{path} is done, and was never begun (J5)"
            if path in done:
                yield f"{path} is done twice (J4)"
            done.add(path)


def needed(kind: str, turn: int, *, of_answer: bool = False) -> set[str]:
    """The paths that come before completion number *turn*; *of_answer*: before what that one asked for."""
    paths = {"reserve"} if kind == "steps" else set()
    for number, words in enumerate(SCRIPTS[kind][:turn]):
        paths.add(str(number))
        paths |= {f"{number}.{index}" for index in range(len(words))}
    return paths | {str(turn)} if of_answer else paths


def before(begun: Mapping[str, int], here: int) -> set[str]:
    """What an earlier process has begun: in doubt, the model was told so, and goes on."""
    return {path for path, process in begun.items() if process < here}


def lost(lines: Iterable[Line], what: str) -> Counter[tuple[str, int]]:
    """How many answers (``answered``), or calls (``asked``), each agent lost at the end of a start: those that were
    needed again later.
    """
    last: dict[tuple[str, int], int] = {}
    found: Counter[tuple[str, int]] = Counter()
    for line in lines:
        if line.what == what:
            if (line.who, line.detail) in last:
                found[line.who, last[line.who, line.detail]] += 1
            last[line.who, line.detail] = line.run
    return found


def bought_twice(lines: Iterable[Line]) -> Iterator[str]:
    """At a kill an agent loses one answer at most."""
    for (who, run), count in lost(lines, "answered").items():
        if count > 1:
            yield f"{who} lost {count} answers at the end of start {run}"
