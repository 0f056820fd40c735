"""An MCP server that knows who worked on what, made with the official package: ``python history_server.py``."""

import subprocess
from collections import Counter

from mcp.server import MCPServer

server = MCPServer("history")


@server.tool()
def authors(folder: str, at_most: int = 5) -> dict[str, int]:
    """Tell who made how many commits that touch a folder, the busiest first.

    Args:
        folder: Relative to the repository.
    """
    command = ["git", "log", "--format=%aN", "--", f":(literal){folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return dict(Counter(done.stdout.splitlines()).most_common(at_most))


if __name__ == "__main__":
    server.run()
