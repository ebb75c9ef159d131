"""What each group of an invented catalogue's features tells a linear model.

    python tools/catalog_ladder.py --pins 20000

A bag of the query's words is mapped to the dense features of the pins it led to (ridge
regression on the training pairs), pins are scored by the linear discriminant of those
features, and BM25 over the texts is added. No network is trained; so a ladder seen here
is in the data. BM25 alone stands beside it.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
import scipy.sparse as sp

from recjax.data.catalog.entities import unpack_bits
from recjax.evals.baselines.bm25 import Bm25
from recjax.prepare.synthetic.catalog import WINDOWS, chunk
from recjax.prepare.synthetic.world import CODE_BYTES, CatalogSettings, make_world

DENSE = ("gs_v5", "item_is_v2", "ue_v4")
WRITTEN = ("title", "description", "canonical_desc", "domain", "product_types", "gpt")
WRITTEN += ("rich_pin_title", "rich_pin_description")
SEEN = (*WRITTEN, "image_caption")
RUNGS = {
    "continuous": (),
    "+ title, description": WRITTEN,
    "+ captions": SEEN,
    "+ board titles": (*SEEN, "board_title"),
    "+ engaged queries": (*SEEN, "board_title", "engaged_queries"),
}
WEIGHTS = (0.1, 0.2, 0.4, 0.8)
"""Of BM25 beside the dense features; chosen on the last training pairs."""
RIDGE, K = 3.0, 10


def ladder(settings: CatalogSettings) -> pl.DataFrame:
    """Returns Recall@10 over all pins, a row a rung and a column a set of pairs."""
    made = chunk(make_world(settings), "pin", 0, settings.pins)
    frame = pl.from_arrow(made.entities)
    position = pl.DataFrame({"candidate": frame["id"]}).with_row_index("pin")
    pairs = made.pairs.join(position, on="candidate", maintain_order="left")
    before = pl.col("timestamp") < WINDOWS["train"][1]
    train, test = pairs.filter(before).sort("timestamp"), pairs.filter(~before)
    valid, train = train.tail(1_500), train.head(-1_500)
    test = test.sort("timestamp").tail(3_000)
    asked = pl.concat([valid, test])
    vocabulary: dict[str, int] = {}
    known = bag(train["query"], vocabulary, grow=True)
    bags = bag(asked["query"], vocabulary, grow=False)
    bare = (frame["title"].is_null() & frame["description"].is_null()).to_numpy()
    kinds = ("save", "long_click", "relevance")
    sets = {name: (test["action"] == name).to_numpy() for name in kinds}
    sets["save, no title"] = sets["save"] & bare[test["pin"].to_numpy()]
    dense, right = _dense(frame), asked["pin"].to_numpy()
    dense -= dense.mean(axis=0)
    seen = _standard(discriminant(known, train["pin"].to_numpy(), bags, dense))
    rows = []
    for rung, fields in RUNGS.items():
        found, extra = recall(seen, right), {"weight": 0.0}
        if fields:
            text = Bm25("none").index(_texts(frame, fields), asked["query"].to_list())
            matched = _standard(text.scores(0, asked.height))
            alone = recall(matched, right)[valid.height :]
            extra = {"BM25, save": alone[sets["save"]].mean()}
            tried = {w: recall(seen + w * matched, right) for w in WEIGHTS}
            best = max(tried, key=lambda w: tried[w][: valid.height].mean())
            found, extra["weight"] = tried[best], best
        of = {name: found[valid.height :][at].mean() for name, at in sets.items()}
        rows.append({"features": rung, **of, **extra})
    order = ("features", *sets, "weight", "BM25, save")
    return pl.DataFrame(rows, infer_schema_length=None).select(order)


def _standard(scores: np.ndarray) -> np.ndarray:
    """Returns scores of mean 0 and deviation 1 in each row."""
    scores = scores - scores.mean(axis=1, keepdims=True)
    return scores / np.maximum(scores.std(axis=1, keepdims=True), 1e-9)


def bag(queries: pl.Series, vocabulary: dict[str, int], *, grow: bool) -> sp.csr_array:
    """Returns the words of each query, with length 1; unknown ones are left out."""
    ids, offsets = [], [0]
    for query in queries:
        for word in query.split():
            if grow:
                ids.append(vocabulary.setdefault(word, len(vocabulary)))
            elif word in vocabulary:
                ids.append(vocabulary[word])
        offsets.append(len(ids))
    counts = np.diff(offsets)
    values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
    shape = (len(queries), len(vocabulary))
    return sp.csr_array((values, ids, offsets), shape=shape)


def discriminant(
    known: sp.csr_array, clicked: np.ndarray, asked: sp.csr_array, features: np.ndarray
) -> np.ndarray:
    """Returns scores of all entities for the queries `asked`.

    Args:
      known: bags of the training pairs' queries.
      clicked: their entities.
      asked: bags of the queries to answer.
      features: of all entities, centred.
    """
    words = _ridge(known, features[clicked])
    noise = features[clicked] - known @ words
    spread = noise.T @ noise / len(noise)
    spread += 0.02 * np.trace(spread) / len(spread) * np.eye(len(spread))
    weighed = np.linalg.solve(spread, features.T)
    likely = asked @ words
    # Far from the predicted point in the noise's own measure is unlikely.
    far = 0.5 * np.einsum("nd,dn->n", features, weighed)
    return (likely @ weighed - far).astype(np.float32)


def _ridge(bags: sp.csr_array, targets: np.ndarray) -> np.ndarray:
    """Returns the weights of ridge regression by conjugate gradients."""
    right = bags.T @ targets
    found = np.zeros_like(right)
    rest, step = right.copy(), right.copy()
    size = (rest**2).sum(axis=0)
    for _ in range(20):
        moved = bags.T @ (bags @ step) + RIDGE * step
        rate = size / np.maximum((step * moved).sum(axis=0), 1e-12)
        found += rate * step
        rest -= rate * moved
        new = (rest**2).sum(axis=0)
        step = rest + new / np.maximum(size, 1e-12) * step
        size = new
    return found


def recall(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns for each row whether `right` is among its best K; ties count by half."""
    own = scores[np.arange(len(right)), right][:, None]
    above = (scores > own).sum(axis=1)
    ties = (scores == own).sum(axis=1) - 1
    return 1 + above + ties / 2 <= K


def _dense(frame: pl.DataFrame) -> np.ndarray:
    draw = np.random.default_rng(0)
    parts = [frame[name].to_numpy() for name in DENSE[:2]]
    codes = np.frombuffer(b"".join(frame["ue_v4"]), np.uint8)
    bits = unpack_bits(codes.reshape(-1, CODE_BYTES)) - 0.5
    parts.append(bits @ draw.normal(0, 0.125, (bits.shape[1], 256)) / 8)
    return np.concatenate(parts, axis=1).astype(np.float32)


def _texts(frame: pl.DataFrame, fields: tuple[str, ...]) -> list[str]:
    columns = []
    for name in fields:
        column = frame[name]
        if column.dtype == pl.List(pl.String):
            column = column.list.join(" ")
        columns.append(column.fill_null("").to_list())
    return [" ".join(texts) for texts in zip(*columns, strict=True)]


def main() -> None:
    """Prints the ladder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pins", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = ladder(CatalogSettings(seed=given.seed).sized(given.pins))
    with pl.Config(
        float_precision=3, tbl_cols=-1, fmt_str_lengths=40, tbl_width_chars=120
    ):
        print(found)


if __name__ == "__main__":
    main()
