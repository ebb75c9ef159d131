"""Measures `recjax serve`: requests a CPU-second, latency, overload, and the cache.

    python tools/bench_serving.py [BUNDLE] [--seconds 5] [--requests 10000]

Without a bundle, one of 54,667 made-up products is written and served: texts as
n-grams, vectors of 256 numbers in clusters, an index of ScaNN where that is installed.
Needs `wrk` (apt install wrk), which asks from the other cores; the server has one.
Rates are told by the second of CPU as well, since a shared machine gives less than it
has.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
from serving_probe import Probe
from serving_process import Server

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
local pause = tonumber(os.getenv("PAUSE_MS") or "0")
if pause > 0 then delay = function() return math.random(0, 2 * pause) end end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('FOUND {"requests": %d, "seconds": %f, "refused": %d, ' ..
    '"unconnected": %d, "broken": %d, "late": %d, "p50_ms": %f, "p90_ms": %f, ' ..
    '"p99_ms": %f}\\n', summary.requests, summary.duration / 1e6, errors.status,
    errors.connect, errors.read + errors.write, errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3))
end
"""
CLIENTS = 1, 8, 32, 128
PATH = "/v1/models/products:predict"
QUEUE, PAUSE_MS, CONNECTIONS = 128, 1_000, 8_000
"""Examples that wait; mean pause of a client that keeps to a rate; their most."""
ROOM = "--queue", str(QUEUE), "--connections", str(CONNECTIONS)


def main() -> None:
    """Measures, and prints JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of each measurement"
    )
    parser.add_argument(
        "--requests", type=int, default=10_000, help="of random sizes, one by one"
    )
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("error: wrk is not installed: apt install wrk")
    with tempfile.TemporaryDirectory() as folder, told():
        bundle = options.bundle or made_up(Path(folder) / "products")
        found = measure(bundle, Path(folder), options.seconds, options.requests)
    print(json.dumps(found, default=float))


def made_up(folder: Path, seed: int = 0) -> Path:
    """Writes a bundle of made-up products."""
    generator = np.random.default_rng(seed)
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


def measure(
    bundle: Path, folder: Path, seconds: float, requests: int
) -> dict[str, Any]:
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
    known = folder / "known"
    write_bodies(known, texts[:100])
    found: dict[str, Any] = {"model_us": costs, "load": os.getloadavg()[0]}
    served = f"products={bundle}"
    with Server(served, "--cache-mb", "0", *ROOM) as server:
        found["sizes"] = random_sizes(server, texts, requests)
        for clients in CLIENTS:
            found[f"clients_{clients}"] = asked(server, bodies, clients, seconds)
        sustained = max(found[f"clients_{n}"]["per_second"] for n in CLIENTS)
        with Probe(server.port, PATH, texts[:500], K) as probe:
            found["overload"] = overload(server, bodies, sustained, seconds, probe)
        with Probe(server.port, PATH, texts[:500], K) as probe:
            time.sleep(2)
        found["after"] = probe.told()
    with Server(served) as server:
        for name, stream in (("zipf", zipf), ("zipf_warm", zipf), ("known", known)):
            before = known_rows(server)
            found[name] = asked(server, stream, 32, seconds)
            hits, all = known_rows(server) - before
            found[name]["hit_rate"] = round(hits / all, 3)
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
        found[rows] = {name: round(float(took), 1) for name, took in parts.items()}
        found[rows]["all"] = round(sum(parts.values()), 1)
    return found


def write_bodies(path: Path, texts: list[str]) -> None:
    """Writes a request a line."""
    with path.open("w") as file:
        for text in texts:
            body = {"instances": [{"text": text, "k": K}]}
            file.write(json.dumps(body) + "\n")


def asked(
    server: Server,
    bodies: Path,
    clients: int,
    seconds: float,
    probe: Probe | None = None,
    pause_ms: int = 0,
) -> dict[str, Any]:
    """Returns what so many clients see.

    They ask as fast as they are answered, or after a random pause of some mean.
    """
    script = bodies.with_suffix(".lua")
    script.write_text(SCRIPT)
    how = {"BODIES": str(bodies), "PAUSE_MS": str(pause_ms)}
    found = dict(server.wrk(PATH, script, clients, seconds, **how))
    told = probe.told() if probe else {"probe_statuses": {}}
    served = found["requests"] - found["refused"]
    served += told["probe_statuses"].get(200, 0)
    found["per_second"] = served / found["seconds"]
    found["per_cpu_second"] = served / max(found["cpu"], 1e-9)
    found = {name: round(one, 2) for name, one in found.items()}
    found |= told if probe else {}
    print(f"{bodies.name}, {clients} clients: {found}", flush=True)
    return found


def random_sizes(server: Server, texts: list[str], count: int) -> dict[str, Any]:
    """Returns milliseconds of the first requests, of 1 to 128 rows at random.

    Small ones are as frequent as large ones, by their logarithm.
    """
    draw, took = random.Random(1), []
    link = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(count):
        rows = int(2 ** draw.uniform(0, 7))
        asked = [{"text": text, "k": K} for text in draw.choices(texts, k=rows)]
        start = time.perf_counter()
        link.request("POST", PATH, json.dumps({"instances": asked}))
        answer = link.getresponse()
        if not answer.read() or answer.status != 200:
            raise SystemExit(f"error: {rows} rows were answered by {answer.status}")
        took.append(1e3 * (time.perf_counter() - start))
    median, most = np.median(took), max(took)
    slow = sum(one > 10 * median for one in took)
    found = {"median_ms": median, "most_ms": most, "over_10_medians": slow}
    found = {name: round(float(one), 2) for name, one in found.items()}
    print(f"{count} requests of random sizes: {found}", flush=True)
    return found


def overload(
    server: Server, bodies: Path, sustained: float, seconds: float, probe: Probe
) -> dict[str, Any]:
    """Returns what clients see that ask at three times a rate, answered or not.

    Their pauses are long beside an answer, so that they hardly wait for the server.
    """
    clients = min(int(3 * sustained * PAUSE_MS / 1e3), CONNECTIONS - 100)
    found = asked(server, bodies, clients, seconds, probe, PAUSE_MS)
    found["offered_to_sustained"] = round(
        found["requests"] / found["seconds"] / sustained, 2
    )
    return found


def known_rows(server: Server) -> np.ndarray:
    """Returns the rows that the cache knew and those that it was asked for."""
    lines = [
        line.split()
        for line in server.get("/metrics").splitlines()
        if line.startswith("recjax_cache_rows_total{")
    ]
    known = sum(float(count) for name, count in lines if '"miss"' not in name)
    return np.array([known, sum(float(count) for _, count in lines)])


if __name__ == "__main__":
    main()
