"""Pushes Home Depot's 54,667 products into LanceDB and Milvus, killed in the middle.

    python tools/bench_push.py

Vectors are singular vectors of the titles' words (see bench_retrieval.py), queries are
real ones. Each push is killed once some items are there, and begun again. Recall@10
is against exact search, ties counted, without a condition and with one that a tenth to
a third of the items meets. The last line of output is JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from bench_retrieval import home_depot

from recjax.bundle import engine
from recjax.index.exact import Exact
from recjax.index.filters import Filter
from recjax.index.item_vectors import ItemVectors, write_vectors

K, QUERIES = 10, 500


def pushed(folder: Path, to: str, kill: bool) -> str:
    """Pushes; kills the push once its bar shows that some items are there."""
    table = str(folder / "items.csv")
    command = [sys.executable, "-m", "recjax", "push", str(folder), "--to", to]
    command += ["--items", table]
    if not kill:
        return subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        while b"20." not in (told := run.stderr.read1()) and run.poll() is None:
            if any(f"{part}%|".encode() in told for part in range(20, 95)):
                break
        os.kill(run.pid, signal.SIGKILL)
    return ""


def recall(index, vectors, queries, meets, where) -> tuple[float, float]:
    """Returns recall@K, and milliseconds a query."""
    exact = np.where(meets, queries @ vectors.T, -np.inf)
    lowest = -np.partition(-exact, K - 1, axis=1)[:, K - 1]
    begin = time.perf_counter()
    items, _ = index.search(queries, K, where)
    took = (time.perf_counter() - begin) * 1_000 / len(queries)
    found = np.take_along_axis(exact, np.maximum(items, 0), 1)
    return float(((found >= lowest[:, None] - 1e-5) & (items >= 0)).mean()), took


def main() -> None:
    """Prints a table and JSON."""
    _, vectors, queries, _ = home_depot()
    queries = queries[:QUERIES]
    number = np.arange(len(vectors))
    aisle, price = number * 7919 % 26, number * 104_729 % 1_000 / 10
    conditions = {
        "none": ([], number >= 0),
        "price < 10": ([("price", "<", 10.0)], price < 10),
        "aisle in a, b, c": (
            [("aisle", "in", ("a", "b", "c"))],
            aisle < 3,
        ),
    }
    result = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ids = [f"p{i}" for i in number]
        write_vectors(folder, ids, ids, vectors)
        letters = [chr(97 + one) for one in aisle]
        table = pl.DataFrame({"item": ids, "price": price, "aisle": letters})
        table.write_csv(folder / "items.csv")
        for to in (f"lancedb:{folder}/lance", f"milvus:{folder}/milvus"):
            kind = to.partition(":")[0]
            pushed(folder, to, True)
            begin = time.perf_counter()
            print(pushed(folder, to, False))
            result[kind] = {"second_push_s": round(time.perf_counter() - begin, 1)}
            index = engine.load(folder, ItemVectors.open(folder))
            assert index is not None and index.engine.count() == len(ids)
            there = [index.engine.read(range(at, min(at + 5_000, len(ids)))) for at in
                     range(0, len(ids), 5_000)]  # fmt: skip
            assert sum(map(len, there)) == len(ids)
            for name, (where, meets) in conditions.items():
                filters = [
                    Filter(c, o, v if isinstance(v, tuple) else (v,))
                    for c, o, v in where
                ]
                share, took = recall(index, vectors, queries, meets, filters)
                result[kind][name] = {"recall": round(share, 4), "ms": round(took, 2)}
                print(
                    f"{kind:8} {name:18} recall@10 {share:.4f}  {took:6.2f} ms a query"
                )
    begin = time.perf_counter()
    Exact(vectors).search(queries, K)
    result["exact_ms"] = round((time.perf_counter() - begin) * 1_000 / len(queries), 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
