"""Count the words of many files at once: an agent of your own, without a model.

python examples/word_count.py [FILE...]
"""

import sys
from pathlib import Path

from actors import Agent, AgentManifest, AgentPool, SpawnConfig


class WordCount(Agent[int]):
    """An agent is a class with a `run`; what that returns is the result."""

    def run(self, query: str) -> int:
        """Count the words of the file that *query* names."""
        return len(Path(query).read_text(encoding="utf-8").split())


def main() -> None:
    """Run one agent per file, four at a time."""
    files = sys.argv[1:] or sorted(map(str, Path(__file__).parent.glob("*.py")))
    manifest = AgentManifest(name="word-count")
    with AgentPool(max_concurrent=4) as pool:
        for outcome in pool.map(SpawnConfig(manifest, file, agent=WordCount) for file in files):
            print(f"{outcome.result if outcome.ok else outcome.error!s:>6}  {outcome.query}")


if __name__ == "__main__":
    main()
