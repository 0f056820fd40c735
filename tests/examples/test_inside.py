"""The newsroom: a run with all that there is to see."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from ..waiting import eventually

ROOT = Path(__file__).parents[2]
NEWSROOM = ROOT / "examples" / "inside" / "newsroom.py"
BOUND = 60.0


def test_a_story_is_printed(run, tmp_path):
    """Whatever goes wrong on the way; the page of it and its spans tell of each kind of trouble."""
    pytest.importorskip("opentelemetry.sdk")
    page, file = tmp_path / "run.html", tmp_path / "spans.jsonl"
    done = run(NEWSROOM, "--speed", 40, "--timeline", page, "--traces", file)

    assert done.returncode == 0, done.stderr
    checker, editor = sorted(done.stdout.splitlines(), reverse=True)
    assert checker.startswith("fact checker: completed")
    assert checker.endswith("7 of 8 claims are confirmed")
    assert editor.startswith("editor: completed")
    assert editor.endswith("printed: The mill turns again (128 words)")
    assert "birds research" in page.read_text(encoding="utf-8")
    spans = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    ended = Counter(
        span["attributes"].get("actors.outcome") for span in spans if span["name"].startswith("invoke_agent")
    )
    restarted = next(span for span in spans if span["name"] == "invoke_agent birds research")
    assert ended == {"completed": 10, "failed": 1}
    assert restarted["attributes"]["actors.agent.restarts"] == 1
    assert {"Overloaded"} <= {span["attributes"].get("error.type", "").rpartition(".")[2] for span in spans}


@pytest.mark.process
def test_who_sees_the_live_page_may_approve():
    """With ``--control`` nobody else does."""
    with subprocess.Popen(
        [sys.executable, NEWSROOM, "--speed", "40", "--live", "--control"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            url = urlsplit(process.stderr.readline().split()[1])
            token = url.query.partition("=")[2]

            def asked(path, **order):
                origin = f"http://{url.netloc}"
                headers = {"Authorization": f"Bearer {token}", "Origin": origin, "Content-Type": "application/json"}
                body = json.dumps(order).encode() if order else None
                with urlopen(Request(origin + path, body, headers), timeout=BOUND) as answer:  # noqa: S310 - loopback
                    return json.load(answer)

            eventually(lambda: asked("/state")["approvals"], BOUND)
            (question,) = asked("/state")["approvals"]
            assert asked("/approve", agent_id=question["agent_id"], call_id=question["call_id"]) == {"done": True}
            out, _ = process.communicate(timeout=BOUND)
        finally:
            process.kill()
    assert "printed: The mill turns again" in out
