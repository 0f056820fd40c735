"""Run a notebook as a kernel does, cell by cell, and write it with its outputs, as JSON.

python tests/examples/run_notebook.py NOTEBOOK [CODE of a further cell]...
"""

import os
import sys

import nbformat
from nbclient import NotebookClient

SECONDS = 60
"""What one cell may take on a busy machine."""


def main(path: str, *more: str) -> None:
    """Run all cells; one that fails and is not marked so ends it."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in more]
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3").execute(env=dict(os.environ))
    sys.stdout.write(nbformat.writes(notebook))


if __name__ == "__main__":
    main(*sys.argv[1:])
