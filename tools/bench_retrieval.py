"""Times the index of a bundle beside exact search, faiss, hnswlib and usearch.

    python tools/bench_retrieval.py --real

Each finds the top 10 of held-out queries on one thread. Ours takes the plan that it
measures when it is built; of the others the least effort is taken (lists to probe, size
of the queue) that finds the same share of the exact top 10 on the same queries as ours
is tuned with. Then all are asked other queries, in turns, and the least CPU time of
several rounds counts. `product` is the product of queries and vectors by BLAS alone.
`--real` adds vectors of Home Depot's products and real queries (singular vectors of
their words) and of MovieLens (of who saw what). The last line of output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from recjax.index import scann
from recjax.index.exact import BLOCK, TILE, Exact

K, TARGET, QUERIES = 10, 0.99, 512
EFFORTS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724)
Search = Callable[[np.ndarray], np.ndarray]
"""queries [Q, D] -> items [Q, K]"""
Case = tuple[str, np.ndarray, np.ndarray, np.ndarray]
"""A name, vectors, queries to tune with, and others to measure with."""


def clustered(items: int, width: int, seed: int) -> np.ndarray:
    """Returns unit vectors around 1,000 centres with noise of 0.4."""
    centres = np.random.default_rng(99).standard_normal((1_000, width))
    rng = np.random.default_rng(seed)
    points = centres[rng.integers(0, 1_000, items)]
    return unit(points + 0.4 * rng.standard_normal((items, width)))


def unit(points: np.ndarray) -> np.ndarray:
    """Returns rows of length 1, without those of length 0."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return (points / np.maximum(length, 1e-9)).astype(np.float32)[length[:, 0] > 1e-6]


def home_depot(width: int = 128) -> Case:
    """Returns titles and real queries as singular vectors of weighted words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from recjax.prepare.datasets import home_depot

    tables = home_depot.data().tables
    texts = [*tables["item"]["title"].texts], [*tables["query"]["id"].vocabulary]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32)
    titles = words.fit_transform(texts[0])
    _, _, base = svds(titles, width, random_state=0)
    queries = unit(words.transform(texts[1]) @ base.T)
    return "Home Depot", unit(titles @ base.T), queries[::2], queries[1::2]


def movielens(width: int = 64) -> Case:
    """Returns films and users as singular vectors of who saw what."""
    from recjax.prepare.datasets import movielens_100k

    events = movielens_100k.data().tables["events"]
    user, item = (events[name].array for name in ("user", "item"))
    seen = sparse.csr_array((np.ones(len(user)), (user, item)))
    left, size, right = svds(seen, width, random_state=0)
    users = unit(left * size)
    return "MovieLens", unit(right.T), users[::2], users[1::2]


def cases(real: bool) -> Iterator[Case]:
    """Yields what is measured."""
    for width in (64, 256):
        held = clustered(QUERIES, width, 1), clustered(QUERIES, width, 2)
        yield f"100k x {width}", clustered(100_000, width, 0), *held
    if real:
        yield home_depot()
        yield movielens()


def rivals(vectors: np.ndarray) -> Iterator[tuple[str, Callable[[int], Search]]]:
    """Yields what is compared: a name, and the search of an effort."""
    try:
        import faiss
        import hnswlib
        from usearch.index import Index
    except ImportError as error:
        sys.exit(f"{error}: pip install 'recjax[bench]'")
    size, width = vectors.shape
    faiss.omp_set_num_threads(1)
    lists = round(4 * size**0.5) if size > 10_000 else round(size**0.5)

    def by_lists(index) -> Callable[[int], Search]:
        index.train(vectors)
        index.add(vectors)

        def of(effort: int) -> Search:
            faiss.ParameterSpace().set_index_parameter(index, "nprobe", effort)
            return lambda queries: index.search(queries, K)[1]

        return of

    product = faiss.METRIC_INNER_PRODUCT
    yield "faiss IVF", by_lists(faiss.index_factory(width, f"IVF{lists},Flat", product))
    made = f"IVF{round(size**0.5)},PQ{width // 2}x4fs,RFlat"
    fast = faiss.index_factory(width, made, product)
    fast.k_factor = 10
    yield "faiss IVF fast scan", by_lists(fast)
    graph = hnswlib.Index("ip", width)
    graph.init_index(size, ef_construction=100, M=16)
    graph.set_num_threads(1)
    graph.add_items(vectors)

    def of_graph(effort: int) -> Search:
        def search(queries: np.ndarray) -> np.ndarray:
            graph.set_ef(max(effort, K))
            return graph.knn_query(queries, K)[0]

        return search

    yield "hnswlib", of_graph
    other = Index(ndim=width, metric="ip", dtype="f32", connectivity=16)
    other.add(np.arange(size), vectors, threads=1)

    def of_other(effort: int) -> Search:
        def search(queries: np.ndarray) -> np.ndarray:
            other.expansion_search = max(effort, K)
            return other.search(queries, K, threads=1).keys

        return search

    yield "usearch", of_other


def recall(vectors: np.ndarray, queries: np.ndarray, search: Search) -> float:
    """Returns the share of the exact top K that is found; ties count."""
    lowest = Exact(vectors).search(queries, K)[1][:, -1:]
    found = search(queries)
    scores = np.einsum("qd,qkd->qk", queries, vectors[np.maximum(found, 0)])
    return float(((scores >= lowest - 1e-5) & (found >= 0)).mean())


def products(vectors: np.ndarray) -> Search:
    """Returns the product alone, in the blocks of exact search."""

    def search(queries: np.ndarray) -> np.ndarray:
        for at in range(0, len(queries), BLOCK):
            for start in range(0, len(vectors), TILE):
                queries[at : at + BLOCK] @ vectors[start : start + TILE].T
        return queries

    return search


def measure(case: Case, rounds: int) -> dict:
    """Returns name -> recall, queries a CPU-second and CPU-seconds to build."""
    _, vectors, held, queries = case
    held, queries, exact = held[:QUERIES], queries[:QUERIES], Exact(vectors)
    start = time.process_time()
    index = scann.build(vectors, K, held, TARGET)
    built = {"exact": 0.0, "recjax": time.process_time() - start}
    ways = {
        "product": products(vectors),
        "exact": lambda x: exact.search(x, K)[0],
        "recjax": lambda x: index.search(x, K)[0],
    }
    start, efforts = time.process_time(), {}
    for name, of in rivals(vectors):
        built[name] = time.process_time() - start
        for effort in EFFORTS:
            if recall(vectors, held, of(effort)) >= TARGET:
                break
        efforts[name], ways[name] = effort, of(effort)
        start = time.process_time()
    best = dict.fromkeys(ways, np.inf)
    for _ in range(rounds):
        for name, search in ways.items():
            start = time.process_time()
            search(queries)
            best[name] = min(best[name], time.process_time() - start)
    found = {}
    for name, search in ways.items():
        found[name] = {
            "recall": name != "product" and round(recall(vectors, queries, search), 4),
            "rate": round(len(queries) / best[name]),
            "built": round(built.get(name, 0.0), 1),
            "effort": efforts.get(name),
        }
    if isinstance(index, scann.Scann):
        found["recjax"]["effort"] = index.measured[f"index_top_{K}"]
    return found


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", action="store_true", help="Home Depot and MovieLens")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    told = {}
    for case in cases(chosen.real):
        name, vectors = case[0], case[1]
        flops = 2 * vectors.size
        print(f"{name}: {vectors.shape}, {flops / 1e6:.1f} MFLOP a query, exactly")
        found = told[name] = measure(case, chosen.rounds)
        for way, row in found.items():
            against = row["rate"] / found["exact"]["rate"]
            print(
                f"  {way:20} recall@10 {row['recall']:.4f} {row['rate']:9,} a CPU-s "
                f"{against:7.2f} x exact, built in {row['built']:6.1f} CPU-s "
                f"{row['effort'] or ''}",
                flush=True,
            )
        found["exact_x_product"] = round(
            found["product"]["rate"] / found["exact"]["rate"], 3
        )
    print(json.dumps(told))


if __name__ == "__main__":
    main()
