"""Measures `recjax serve`: requests a CPU-second, latency, overload, and the cache.

    python tools/bench_serving.py [BUNDLE] [--seconds 5]

Without a bundle, one of 54,667 made-up products is written and served: texts as
n-grams, vectors of 256 numbers in clusters, an index of ScaNN where that is installed.
Needs `wrk` (apt install wrk), which asks from the other cores; the server has one.
Rates are told by the second of CPU as well, since a shared machine gives less than it
has.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np

from recjax.bundle import signatures as graphs
from recjax.bundle.check import Function
from recjax.bundle.contract import SERVING, padded
from recjax.bundle.open import INPUTS, open_bundle
from recjax.bundle.served import signatures
from recjax.bundle.serving import Serving
from recjax.bundle.write import Contents, write_bundle
from recjax.data import inputs as raw_inputs
from recjax.errors import told
from recjax.index import scann
from recjax.text import Vocabulary
from recjax.text.features import TextInput

ITEMS, WIDTH, K = 54_667, 256, 10
SCRIPT = """
local bodies, count = {}, 0
for line in io.lines(os.getenv("BODIES")) do count = count + 1; bodies[count] = line end
math.randomseed(os.time())
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function() return wrk.format(nil, nil, nil, bodies[math.random(count)]) end
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.timeout
  io.write(string.format("FOUND %d %f %d %d %f %f %f\\n", summary.requests,
    summary.duration / 1e6, errors.status, failed, latency:percentile(50) / 1e3,
    latency:percentile(90) / 1e3, latency:percentile(99) / 1e3))
end
"""
FOUND = ("requests", "seconds", "refused", "failed", "p50_ms", "p90_ms", "p99_ms")


def main() -> None:
    """Measures, and prints JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of each measurement"
    )
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("error: wrk is not installed: apt install wrk")
    with tempfile.TemporaryDirectory() as folder, told():
        bundle = options.bundle or made_up(Path(folder) / "products")
        found = measure(bundle, Path(folder), options.seconds)
    print(json.dumps(found))


def made_up(folder: Path) -> Path:
    """Writes a bundle of made-up products."""
    generator = np.random.default_rng(0)
    words = [f"word{i}" for i in range(8_000)]
    picked = generator.zipf(1.3, (ITEMS, 8)).clip(max=len(words)) - 1
    titles = [" ".join(words[i] for i in row) for row in picked]
    vocabulary = Vocabulary.build(
        titles, unigrams=8_000, bigrams=20_000, trigrams=8_000
    )
    text = {"text": TextInput(vocabulary, 64)}
    held = generator.normal(size=(vocabulary.size, WIDTH)).astype(np.float32)

    def query(held: Any, arrays: Any) -> Any:
        rows = held[arrays["text"]] * (arrays["text"] > 0)[..., None]
        x = rows.sum(1) + 1e-6
        return x / jnp.linalg.norm(x, axis=-1, keepdims=True)

    centers = generator.normal(size=(500, WIDTH))
    vectors = centers[generator.integers(0, 500, ITEMS)]
    vectors = vectors + 0.5 * generator.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float32)
    raw = {"text": titles[:8]}
    features = {"text": text["text"].encode(raw["text"])}
    live = np.asarray(query(held, features))
    functions = {"query": Function(query, features, live, raw=raw)}

    def save(at: Path) -> None:
        (at / INPUTS).mkdir()
        raw_inputs.save(at / INPUTS, text)

    ids = [f"p{i}" for i in range(ITEMS)]
    contents = Contents(
        *(ids, titles, vectors, functions, held, save, graphs.queries, Serving(100)),
        index=scann.build(vectors, 100),
    )
    program: Any = SimpleNamespace(experiment=SimpleNamespace(name="made"), data=None)
    state: Any = SimpleNamespace(step=0, params={})
    write_bundle(program, state, folder, lambda *_: contents, False, 1e-3, 0.0)
    return folder


def measure(bundle: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """Returns what was measured of a bundle that is asked by texts."""
    opened = open_bundle(bundle)
    texts = list(opened.items.titles[:20_000])
    costs = model_cost(signatures(opened)[SERVING], texts)
    for rows, cost in costs.items():
        print(f"model, {rows} rows at once: {cost['all']:.0f} us of CPU a row, {cost}")
    bodies, zipf = folder / "bodies", folder / "zipf"
    write_bodies(bodies, texts)
    weights = 1 / np.arange(1, len(texts) + 1)
    stream = random.Random(0).choices(texts, weights, k=200_000)
    write_bodies(zipf, stream)
    found: dict[str, Any] = {"model_us": costs, "load": os.getloadavg()[0]}
    with Server(bundle, "--cache-mb", "0", "--queue", "128") as server:
        for clients in (1, 8, 32, 128):
            found[f"clients_{clients}"] = server.asked(bodies, clients, seconds)
        # More than wait at once are refused; those that are taken go on as before.
        found["overload"] = server.asked(bodies, 384, seconds)
        found["after"] = server.asked(bodies, 8, min(seconds, 2))
    with Server(bundle) as server:
        found["zipf"] = server.asked(zipf, 32, seconds)
        found["zipf"]["hit_rate"] = round(server.hit_rate(), 3)
    for name, one in found.items():
        if isinstance(one, dict) and "requests" in one:
            print(f"{name}: {one}")
    return found


def model_cost(signature: Any, texts: list[str]) -> dict[int, dict[str, float]]:
    """Returns microseconds of CPU a row of each part of an answer."""
    found = {}
    for rows in (1, 8, 32, 128):
        columns = {"text": texts[:rows], "k": [K] * rows}
        parts = dict.fromkeys(("encode", "embed", "search"), 0.0)
        for turn in range(22):
            marks = [time.process_time()]
            arrays = padded(signature.encode(columns, rows), rows)
            marks.append(time.process_time())
            made = np.asarray(signature.call(arrays))
            marks.append(time.process_time())
            signature.finish(made, columns)
            marks.append(time.process_time())
            if turn >= 2:
                for part, took in zip(parts, np.diff(marks), strict=True):
                    parts[part] += 1e6 * took / 20 / rows
        found[rows] = {name: round(took, 1) for name, took in parts.items()}
        found[rows]["all"] = round(sum(parts.values()), 1)
    return found


def write_bodies(path: Path, texts: list[str]) -> None:
    """Writes a request a line."""
    with path.open("w") as file:
        for text in texts:
            body = {"instances": [{"text": text, "k": K}]}
            file.write(json.dumps(body) + "\n")


class Server:
    """`recjax serve` on one core; a context manager that ends it."""

    def __init__(self, bundle: Path, *options: str) -> None:
        command = [sys.executable, "-m", "recjax", "serve", f"products={bundle}"]
        command += ["--port", "0", *options]
        if shutil.which("taskset"):
            command = ["taskset", "-c", "0", *command]
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ
        )

    def __enter__(self) -> Server:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if '"ready"' in line:
                self._port = json.loads(line)["port"]
                # Who does not read stops a server that writes.
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return self
        raise SystemExit("error: the server did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def _cpu(self) -> float:
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1]
        user, system = stat.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def asked(self, bodies: Path, clients: int, seconds: float) -> dict[str, Any]:
        """Returns what so many clients see that ask as fast as they are answered."""
        script = bodies.with_suffix(".lua")
        script.write_text(SCRIPT)
        url = f"http://127.0.0.1:{self._port}/v1/models/products:predict"
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "-s", script, url]
        before = self._cpu()
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, "BODIES": str(bodies)},
            check=True,
        )
        line = next(x for x in done.stdout.splitlines() if x.startswith("FOUND "))
        numbers = map(float, line.split()[1:])
        found = {name: round(n, 2) for name, n in zip(FOUND, numbers, strict=True)}
        cpu = self._cpu() - before
        served = found["requests"] - found["refused"]
        found |= {
            "per_second": round(served / found["seconds"]),
            "cpu_seconds": round(cpu, 2),
            "per_cpu_second": round(served / max(cpu, 1e-9)),
        }
        return found

    def hit_rate(self) -> float:
        """Returns the share of rows that the cache knew."""
        url = f"http://127.0.0.1:{self._port}/metrics"
        text = urllib.request.urlopen(url).read().decode()
        counts = {
            what: float(line.split()[-1])
            for line in text.splitlines()
            for what in ("hit", "awaited", "miss")
            if line.startswith(f'recjax_cache_rows_total{{cache="{what}"')
        }
        return 1 - counts.get("miss", 0.0) / max(sum(counts.values()), 1)


if __name__ == "__main__":
    main()
