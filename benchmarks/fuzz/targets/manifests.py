"""Manifests in TOML, from bytes of a file."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from actors.errors import ManifestError
from actors.manifests import AgentManifest

from ..target import TESTS, Target, hold

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

FULL = b"""\
name = "full"
instructions = "Do it."
privacy = "standard"
agent = "package.module:Name"

[model]
driver = "openai"
remote_model = "gpt-5"
base_url = "http://127.0.0.1:8000/v1"
context_window = 16000
temperature = 0.1
usd_per_million_input_tokens = 1.0
usd_per_million_output_tokens = 2.5

[resources]
max_iterations = 5
timeout = 30.0

[approval]
default = "ask"

[[capabilities]]
type = "mcp"
server = "git"
tool = "*"

[[mcp_servers]]
name = "git"
transport = "stdio"
command = ["mcp-server-git"]
"""


class Manifests(Target):
    """The bytes of a file."""

    about = "manifests in TOML"
    words = (
        *(
            b"[[mcp_servers]]\n",
            b"[resources]\n",
            b'"""',
            b"'''",
            b"nan",
            b"-inf",
            b"0x7f",
            b"1e400",
            b"1979-05-27",
            b"[" * 600,
        ),
        *(b"= {a.b = 1}", b"= [1, {}]", b"= -1", b'= "sovereign"', b'type = "network"\n'),
    )

    def __init__(self) -> None:
        self._file: Path | None = None

    def seeds(self) -> Iterable[bytes]:
        """Those of the examples, and one that says much."""
        examples = sorted((TESTS.parent / "examples").glob("**/*.toml"))
        return [FULL, *(path.read_bytes() for path in examples)]

    def work(self, data: bytes) -> object:
        """It is read, or refused as a manifest."""
        if self._file is None:
            self._file = Path(tempfile.mkdtemp(prefix="actors-fuzz-")) / "agent.toml"
        self._file.write_bytes(data)
        try:
            return AgentManifest.load(self._file)
        except ManifestError as error:
            return error

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """A manifest that can be written and read again, or an error that says what is wrong, on lines that show."""
        read = self.work(data)
        if isinstance(read, AgentManifest):
            text = read.model_dump_json()
            again = AgentManifest.model_validate_json(text)
            hold(again.model_dump_json() == text, "a manifest survives JSON", text)
            child = read.narrowed(read)
            hold(child.resources.max_iterations <= read.resources.max_iterations, "a child has no more", child)
            hold(child.narrowed(child).privacy == read.privacy, "privacy stays", child)
            return read.privacy, len(read.capabilities) > 0, len(read.mcp_servers) > 0
        assert isinstance(read, ManifestError)
        hold(
            all(line.isprintable() for line in str(read).split("\n")),
            "errors of manifests are free of control characters",
            ascii(read),
        )
        hold(len(str(read)) <= 5_000 + 12 * len(data), "errors of manifests are bounded by the file", len(str(read)))
        hold(read.problems, "an error of a manifest names a problem", read)
        return len(read.problems) > 1, re.sub(r"[^A-Za-z]+", " ", read.problems[0].rpartition(": ")[2])[:12]

    def grown(self, data: bytes, times: int) -> bytes | None:
        """Each table of a list so many times: a key may stand there once."""
        head, mark, tables = data.partition(b"\n[[")
        return head + (mark + tables) * times if mark else None


TARGET = Manifests()
