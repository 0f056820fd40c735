"""The notebook: every cell runs, shows what it promises, and the one that is interrupted leaves no agent running."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
THREADS = (
    "import threading\n[thread.name for thread in threading.enumerate() if thread.name.startswith(('pool', 'actors'))]"
)


def outputs_of(cell: dict) -> str:
    """All that a cell shows, as text and as HTML."""
    return json.dumps([output.get("data") or output.get("text") or output["ename"] for output in cell["outputs"]])


def test_every_cell(run, tmp_path, monkeypatch):
    """In a kernel, as a person would run it."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    done = run(Path(__file__).with_name("run_notebook.py"), NOTEBOOK, THREADS)
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    seen = {cell["id"]: outputs_of(cell) for cell in cells if cell["cell_type"] == "code"}

    assert "AgentPool pool-1 open" in seen["pool"]
    assert "200 of 200 done" in seen["loop"]
    assert "<progress value=" in seen["loop"]
    assert '"160"' in seen["loop"]
    assert "5 of 5 done" in seen["block"]
    table = seen["block"].partition("<tbody>")[2]
    assert 0 < table.index("there is nothing to judge") < table.index("completed")
    assert "('Lovely.', 5)" in seen["values"]
    assert "('...', 'failed', " in seen["to-rows"]
    assert "(judge): failed" in seen["failed"]
    assert "(judge): completed" in seen["handle"]
    assert "tokens" in seen["stats"]
    assert "KeyboardInterrupt" in seen["interrupted"]
    assert "1 of 1,001 done" in seen["interrupted"]
    assert "first" in seen["interrupted"]
    assert '"0"' in seen["left"]
    assert "closed" in seen["close"]
    assert "cancelled" in seen["close"]
    assert json.loads(outputs_of(cells[-1])) == [{"text/plain": ["[]"]}]


def test_it_is_kept_without_outputs():
    """They would differ with each run."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in code)
    assert len({cell["id"] for cell in cells}) == len(cells)
