"""A program whose classes and functions stand in ``__main__``: what comes back from a host is what it was here."""

from __future__ import annotations

import dataclasses
import enum
import os
import pickle
import subprocess
import sys
from collections import namedtuple
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from actors import AgentManifest, AgentPool, CancelToken, SpawnConfig, tool
from actors.agents import Agent
from actors.cluster.kits import Packer
from actors.cluster.portable import load_value
from actors.cluster.references import References
from actors.core.crash import raised_again
from actors.errors import AgentCrashed, AgentError

T = TypeVar("T")
CALLS = 0
MANIFEST = AgentManifest(name="of-main", capabilities=())
Pair = namedtuple("Pair", "left right")


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int = 0

    def count(self) -> int:
        global CALLS
        CALLS += 1
        return CALLS

    class Inner(enum.Enum):
        A = "a"
        B = "b"


class Box(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value


class Invoice(BaseModel):
    total: float
    lines: list[Invoice] = []


class Wrong(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Refused(AgentError):
    def __init__(self, why: str, *, field: int) -> None:
        super().__init__(why)
        self.field = field


class Doubler(Agent[Any]):
    factor = 2

    def __init__(self, extra: Point) -> None:
        self.extra = extra

    def run(self, query: Point) -> Point:
        assert isinstance(query, Point)
        return Point(query.x * self.factor, self.extra.y)


def scaled(point: Point) -> Point:
    return Point(point.x + 1)


def raises(code: int) -> None:
    try:
        {}["none"]
    except KeyError as error:
        raise Wrong(code) from error


@tool(isolation="process")
def total_of(invoice: Invoice) -> str:
    """Add up an invoice."""
    assert type(invoice) is Invoice
    return f"{invoice.total + sum(line.total for line in invoice.lines):g}, not in {os.getpid()}"


def added_up() -> bool:
    """By a process of that host's own."""
    said = total_of.execute({"invoice": {"total": 1, "lines": [{"total": 2}]}}, cancel=CancelToken(), agent=None)
    total, _, pid = str(said.content).partition(", not in ")
    return total == "3" and pid != str(os.getpid())


def main() -> None:
    lead = 40

    class Local:
        def __init__(self, value: int) -> None:
            self.value = value

    def refuses() -> None:
        raise Refused("no", field=7)

    calls = [
        ((scaled, Point(1)), lambda found: found == Point(2)),
        ((lambda value: lead + value, 2), lambda found: found == 42),
        ((Local, 3), lambda found: type(found) is Local and found.value == 3),
        ((lambda: Point.Inner.B,), lambda found: found is Point.Inner.B),
        ((Box[int], 5), lambda found: type(found) is Box and found.value == 5),
        ((lambda: Invoice(total=2, lines=[Invoice(total=1)]),), lambda found: type(found.lines[0]) is Invoice),
        ((lambda: Pair(1, Point),), lambda found: type(found) is Pair and found.right is Point),
        ((lambda: [Point(1).count(), Point(1)],), lambda found: found[0] == 1 and found[1].count() == 1 and CALLS == 1),
        ((added_up,), bool),
        ((raises, 3), None),
        ((refuses,), None),
        ((lambda: iter(range(3)).__class__.__mro__ and (value for value in range(3)),), None),
    ]
    packer = Packer(References())
    with AgentPool() as pool:
        specs = [pool._factory.function_spec(call[0], call[1:], {}) for call, _ in calls]
        specs.append(pool._factory.spec(SpawnConfig(MANIFEST, Point(4), agent=Doubler, kwargs={"extra": Point(0, 9)})))
        packed = [packer.pack(spec) for spec in specs]
    jobs = pickle.dumps([(each.kit.number, each.kit.data, each.data) for each in packed])
    host = subprocess.run(
        [sys.executable, "-m", "tests.cluster.crossing"], input=jobs, stdout=subprocess.PIPE, check=True
    )
    found = [
        (status, result and load_value(result), error and load_value(error))
        for status, result, error in pickle.loads(host.stdout)
    ]
    for (_, check), (status, result, error) in zip(calls, found, strict=False):
        if check is not None:
            assert status == "completed", error
            assert check(result), result
    look_at_errors(*found[9:12])
    assert found[12][0] == "completed"
    assert found[12][1] == Point(8, 9)
    assert type(found[12][1]) is Point
    sys.stdout.write("whole\n")


def look_at_errors(wrong: Any, refused: Any, stuck: Any) -> None:
    assert type(wrong[2]) is AgentCrashed
    again = raised_again(wrong[2])
    assert isinstance(again, Wrong)
    assert again.code == 3
    assert __file__ in "".join(again.__notes__)
    assert "in raises" in "".join(again.__notes__)
    assert type(again.__cause__) is Wrong
    assert type(again.__cause__.__cause__) is KeyError
    assert refused[0] == "failed"
    assert type(refused[2]) is Refused
    assert refused[2].field == 7
    assert stuck[0] == "crashed"
    assert stuck[2].what == "the result"
    assert "generator" in stuck[2].why


if __name__ == "__main__":
    main()
