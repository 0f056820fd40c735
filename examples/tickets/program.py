"""The tickets in a program: the results as a DataFrame. ``python examples/tickets/program.py tickets.jsonl``.

It needs pandas (``pip install pandas``), and the model's server, as ``triage.toml`` says.
"""

import json
import sys
from pathlib import Path

from actors import AgentManifest, AgentPool, SpawnConfig


def main(path: str, base_url: str | None = None) -> None:
    """Classify the tickets in the file at *path*, and show how many have which label, and what that took."""
    try:
        import pandas as pd
    except ImportError:
        sys.exit("this example ends with a DataFrame: pip install pandas")
    triage = AgentManifest.load(Path(__file__).with_name("triage.toml"))
    if base_url is not None:
        triage = triage.model_copy(update={"model": triage.model.model_copy(update={"base_url": base_url})})
    with open(path, encoding="utf-8") as file, AgentPool(max_concurrent=32) as pool:
        tickets = (json.loads(line) for line in file)
        rows = [
            {"id": done.tag["id"], **(done.result or {}), "status": str(done.status), "tokens": done.usage.total,
             "usd": done.cost_usd, "seconds": done.duration}
            for done in pool.map((SpawnConfig(triage, ticket["text"], tag=ticket) for ticket in tickets), ordered=False)
        ]  # fmt: skip
    frame = pd.DataFrame(rows).set_index("id").sort_index()
    print(frame.groupby("label").agg({"confidence": "mean", "tokens": "sum", "usd": "sum", "seconds": "max"}))


if __name__ == "__main__":
    main(*sys.argv[1:])
