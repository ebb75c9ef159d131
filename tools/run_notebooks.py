"""Runs notebooks, each on a kernel of its own in an empty folder, and times them.

python tools/run_notebooks.py notebooks/*.py
"""

import sys
import tempfile
import time

import jupytext
from nbclient import NotebookClient

TIMEOUT = 240  # Seconds of a cell.


def main(files: list[str]) -> None:
    """Runs all; the first cell that fails ends it with its traceback."""
    begin = time.perf_counter()
    for file in files:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            notebook = jupytext.read(file, fmt="py:percent")
            where = {"metadata": {"path": folder}}
            NotebookClient(notebook, timeout=TIMEOUT, resources=where).execute()
        print(f"{file}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{len(files)} notebooks: {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
