"""Report on a git repository: an agent for each of its folders, and one that writes what they found.

    python examples/repo_report/report.py REPOSITORY [--out REPORT.md] [--yes]

The agents read and search files, run ``git log``, ask an MCP server, keep notes in a shared memory and send messages;
the writer asks before it writes the file. Everything happens on this machine. Needs git, and the extras ``grep`` and
``mcp``.

Exit codes: 0 the report was written, 1 it was not, or a folder could not be looked at, 2 bad usage.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue

from actors import (
    AgentHandle,
    AgentManifest,
    AgentMessage,
    AgentPool,
    ApprovalRequested,
    Event,
    FileWrite,
    InMemorySubstrate,
    SpawnConfig,
)

HERE = Path(__file__).resolve().parent
SECONDS = 300


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Report on a git repository with one agent for each folder.")
    parser.add_argument("repository", type=Path)
    parser.add_argument("--out", type=Path, default=Path("REPORT.md"), help="the report (default: %(default)s)")
    parser.add_argument("--yes", action="store_true", help="approve the writing of the report beforehand")
    parser.add_argument("--max-concurrent", type=int, default=4, metavar="N")
    asked = parser.parse_args()
    out = asked.out.resolve()
    try:
        folders = folders_of(asked.repository)
    except (OSError, subprocess.CalledProcessError) as error:
        parser.error(f"{asked.repository} is no git repository: {getattr(error, 'stderr', error)}")
    os.chdir(asked.repository)  # the manifests' paths, git log and the server start there
    return run(folders, out, approved=asked.yes, max_concurrent=asked.max_concurrent)


def folders_of(repository: Path) -> list[str]:
    """The folders at the top that git knows, and ``.`` for the files beside them."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    paths = [Path(name) for name in listing.split("\0") if name]
    return sorted({path.parts[0] if len(path.parts) > 1 else "." for path in paths})


def run(folders: list[str], out: Path, *, approved: bool, max_concurrent: int) -> int:
    """Start the writer and the analysts, answer the writer's question, and tell how it went."""
    questions: SimpleQueue[ApprovalRequested | None] = SimpleQueue()

    def hear(event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            questions.put(event)

    with AgentPool(
        max_concurrent=max_concurrent, max_queued=None, memory=InMemorySubstrate(), on_event=hear, name="repo report"
    ) as pool:
        writer = pool.spawn(writer_config(len(folders), out))
        writer.add_done_callback(lambda _: questions.put(None))
        analysts = []
        for folder in folders:
            analysts.append(analyst := pool.spawn(analyst_config(folder, writer.id)))
            analyst.add_done_callback(lambda handle, folder=folder: tell_of_failure(pool, writer, handle, folder))
        while (question := questions.get()) is not None:
            if approved or ask(question):
                pool.approve(question.agent_id, question.call_id)
            else:
                pool.deny(question.agent_id, question.call_id, "the user said no")
        outcome = writer.outcome()
        print(outcome.unwrap().text if outcome.ok else f"the writer {outcome.status}: {outcome.error}")
        failed = [analyst.outcome() for analyst in analysts if not analyst.outcome().ok]
    for one in failed:
        print(f"{one.tag}: {one.status}: {one.error}", file=sys.stderr)
    return 0 if outcome.ok and not failed and outcome.unwrap().text.startswith(("wrote", "replaced")) else 1


def writer_config(analysts: int, out: Path) -> SpawnConfig:
    """The writer; it may write the report, and nothing else."""
    manifest = AgentManifest.load(HERE / "writer.toml")
    grants = tuple(
        FileWrite(allowed_paths=(str(out),)) if isinstance(grant, FileWrite) else grant
        for grant in manifest.capabilities
    )
    job = {"name": Path.cwd().name, "analysts": analysts, "report": str(out)}
    changed = manifest.model_copy(update={"capabilities": grants})
    return SpawnConfig(changed, json.dumps(job), timeout=SECONDS, priority=1)


def analyst_config(folder: str, writer: int) -> SpawnConfig:
    """An analyst; all of them share one MCP server, which this Python runs."""
    manifest = AgentManifest.load(HERE / "analyst.toml")
    command = (sys.executable, str(HERE / "history_server.py"))
    servers = tuple(server.model_copy(update={"command": command}) for server in manifest.mcp_servers)
    changed = manifest.model_copy(update={"mcp_servers": servers})
    return SpawnConfig(changed, json.dumps({"folder": folder, "writer": writer}), timeout=SECONDS, tag=folder)


def tell_of_failure(pool: AgentPool, writer: AgentHandle, analyst: AgentHandle, folder: str) -> None:
    """The writer does not wait for one that will say nothing any more."""
    outcome = analyst.outcome(0)
    if not outcome.ok and not writer.done():
        told = json.dumps({"folder": folder, "failed": str(outcome.error)})
        pool.router.send(AgentMessage(0, writer.id, told), timeout=None)


def ask(question: ApprovalRequested) -> bool:
    """Ask on the terminal; without one the answer is no."""
    print(f"{question.agent} asks to call {question.tool} for {question.input['path']}:\n")
    print(question.input["content"])
    try:
        return input("May it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


if __name__ == "__main__":
    sys.exit(main())
