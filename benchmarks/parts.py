"""What does an image cost beside its bytes?"""

from __future__ import annotations

import base64
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from actors import AgentManifest, AgentPool, FunctionDriver, ImagePart, SpawnConfig, UserMessage
from actors.drivers.openai import OpenAIDriver

from .contest import MILLI, contest
from .http_throughput import server
from .peers import is_there, not_there
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.ports import LlmDriver

    from .peers import Peers

QUESTION = "What does an image of 20 MB cost, from the query to the wire, next to making base64 and JSON of its bytes?"

MANIFEST = AgentManifest(name="reader", privacy="private")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x04\x00\x00\x00\x04\x00\x08\x02\x00\x00\x00"
MESSAGE: TypeAdapter[UserMessage] = TypeAdapter(UserMessage)


@dataclass(frozen=True, slots=True)
class Workload:
    """Bytes of the image, and how often."""

    size: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(20 << 20, 9), Size.QUICK: Workload(20 << 20, 3), Size.SMOKE: Workload(1 << 16, 1)}


def seconds(do: Callable[[], object]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin


def asked(driver: LlmDriver, data: bytes) -> Callable[[], object]:
    """An agent of a pool of its own is asked with the image."""

    def ask() -> None:
        with AgentPool(driver, 1) as pool:
            query = ["What is it?", ImagePart(data, "image/png")]
            assert pool.spawn(SpawnConfig(MANIFEST, query, stream=False)).result().text == "yes"

    return ask


def bare(data: bytes) -> None:
    """What nobody can do without who sends it."""
    json.dumps({"url": f"data:image/png;base64,{base64.b64encode(data).decode()}"}).encode()


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load = WORKLOADS[size]
    data = PNG.ljust(load.size, b"\0")
    message = UserMessage(["What is it?", ImagePart(data, "image/png")])
    written = MESSAGE.dump_json(message)
    cases: dict[str, Callable[[], object]] = {
        "into a message": lambda: UserMessage([ImagePart(data, "image/png")]),
        "the message as JSON": lambda: MESSAGE.dump_json(message),
        "and back": lambda: MESSAGE.validate_json(written),
        "an agent whose model is a function": asked(FunctionDriver(lambda _: "yes"), data),
    }
    notes = ["The model's server runs in another process, and answers when it has read all."]
    with ExitStack() as stack:
        if is_there("openai"):
            url, _ = stack.enter_context(server(0))
            cases["an agent that asks a server"] = asked(OpenAIDriver("slow", base_url=url), data)
        else:
            notes = [f"The server was skipped: openai is {not_there()}"]
        tables = contest(
            f"an image of {load.size:,} bytes, milliseconds",
            {case: lambda do=do: seconds(do) for case, do in cases.items()},  # type: ignore[misc]
            {"base64 and JSON": lambda: seconds(lambda: bare(data))},
            repeats=load.repeats,
            scale=MILLI,
            unit="ms",
        )
    return Report("parts", QUESTION, tables, notes)
