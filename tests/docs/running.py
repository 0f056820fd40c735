"""Runs the blocks of a page, as its reader would: in order, in one folder."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tomllib
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from actors import AgentManifest

from .pages import ROOT, Block, agrees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LANGUAGES = ("python", "sh", "text", "toml", "json", "yaml", "csv", "html", "js", "console", "mermaid", "md")
BOUND = 120
SPEAKS = ("CI", "OPENAI_", "ANTHROPIC_", "ACTORS_", "LOGURU_", "OTEL_", "RAY_", "PYTEST_")
"""How names begin that tell a program of a page what its reader did not say: no page asks a server that costs, and each
does the same in a service that checks every change (where ``CI`` is set) as at a desk."""


class BlockFailed(AssertionError):
    """A block does not do what its page says."""

    def __init__(self, block: Block, why: str) -> None:
        super().__init__(f"{block.place}: {why}\n--- the block:\n{block.text}")


class PageRun:
    """A page's folder, and what its blocks left there."""

    def __init__(self, folder: Path, read: Callable[[], tuple[str, str]]) -> None:
        self._folder = folder
        self._read = read
        self._groups: list[int] = []

    def run(self, block: Block) -> None:
        """Run or check it.

        Raises:
            BlockFailed: It does not do what the page says.
        """
        if block.language not in LANGUAGES:
            raise BlockFailed(block, f"no such language here: {block.language!r}; there are {LANGUAGES}")
        if block.title is not None:
            self._write(block)
        if block.language == "python":
            self._python(block)
        elif block.language == "sh":
            self._shell(block)
        elif block.language in ("toml", "json", "yaml"):
            self._parse(block)

    def close(self) -> None:
        """End the processes that still run."""
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _write(self, block: Block) -> None:
        assert block.title is not None
        path = self._folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        importlib.invalidate_caches()

    def _python(self, block: Block) -> None:
        module = types.ModuleType("__main__")
        module.__file__ = block.title or str(ROOT / block.page)
        # Lines are numbered as in the file that a traceback shows: the titled one, or the page.
        text = block.text if block.title else "\n" * (block.line - 1) + block.text
        names: dict[str, Any] = module.__dict__
        with as_program(self._folder, module):
            try:
                exec(compile(text, module.__file__, "exec", dont_inherit=True), names)  # noqa: S102 - our own text
            except SystemExit as error:
                if error.code not in (None, 0):
                    raise BlockFailed(block, f"ends with {error.code}\n{''.join(self._read())}") from None
            except BaseException as error:
                shown = "".join(traceback.format_exception(error))
                raise BlockFailed(block, f"raises\n{shown}{''.join(self._read())}") from None
        out, err = self._read()
        if err:
            raise BlockFailed(block, f"writes to stderr:\n{err}")
        self._compare(block, out)

    def _shell(self, block: Block) -> None:
        printed, said = self._folder / ".stdout", self._folder / ".stderr"
        given = {name: value for name, value in os.environ.items() if not name.startswith(SPEAKS)}
        given |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self._folder),
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }
        # Files: what is left in the background keeps no pipe open.
        with open(printed, "wb") as out, open(said, "wb") as err:
            process = subprocess.Popen(
                ["/bin/bash", "-euo", "pipefail", "-c", block.text],
                cwd=self._folder,
                env=given,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            self._groups.append(process.pid)
            try:
                code = process.wait(BOUND)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
        output, errors = printed.read_text(encoding="utf-8"), said.read_text(encoding="utf-8")
        if code != 0:
            raise BlockFailed(block, f"ends with {code}\n{output}{errors}")
        self._compare(block, output)

    def _compare(self, block: Block, printed: str) -> None:
        if block.output is not None and not agrees(printed, block.output):
            raise BlockFailed(block, f"prints\n{printed}--- where the page has\n{block.output}")

    def _parse(self, block: Block) -> None:
        try:
            if block.language == "toml":
                if "name" in tomllib.loads(block.text) and block.title is None:
                    AgentManifest.from_toml(block.text)
            elif block.language == "json":
                json.loads(block.text)
            else:
                list(yaml.safe_load_all(block.text))
        except Exception as error:
            raise BlockFailed(block, f"is no {block.language}: {error}") from None


def run_or_fail(page_run: PageRun, block: Block) -> None:
    """Run it; where it does not do what its page says, the test fails with these words alone."""
    try:
        page_run.run(block)
        return
    except BlockFailed as failed:
        told = str(failed)
    pytest.fail(told, pytrace=False)


@contextlib.contextmanager
def as_program(folder: Path, module: types.ModuleType) -> Iterator[None]:
    """Let *module* be the program that runs, in *folder*; what it changed of the process is as before afterwards."""
    main, path, argv, environment = sys.modules["__main__"], sys.path[:], sys.argv[:], dict(os.environ)
    sys.modules["__main__"] = module
    sys.path.insert(0, str(folder))
    sys.argv[:] = [str(module.__file__)]
    for name in environment:
        if name.startswith(SPEAKS):
            del os.environ[name]
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a file may change within one tick of the clock
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        sys.modules["__main__"] = main
        sys.path[:], sys.argv[:] = path, argv
        os.environ.clear()
        os.environ.update(environment)
        for name, loaded in list(sys.modules.items()):
            if str(getattr(loaded, "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]
