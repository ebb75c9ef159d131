"""An invented catalogue: pins, products, who engaged with them, and raw logs.

Everything about an entity follows from the settings and its cell of 1,024 entities, so
any part can be made anywhere, in chunks of any size, with one result. A query is drawn
from what an entity is about; hence popular entities have more queries, and common
concepts make common queries. Time has three windows: the history that features are
built from, then training, then, after a gap, evaluation. So no feature has seen an
engagement that is trained on or evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from recjax.prepare import feature_logs
from recjax.prepare.synthetic import entity_features
from recjax.prepare.synthetic.cell import CELL, CONCEPTS, Cell, draw_cell
from recjax.prepare.synthetic.world import SEEKER, World

DAY = feature_logs.DAY
BEGIN = 18_600 * DAY
"""Unix seconds of the first day, in December 2020."""
WINDOWS = {
    "history": (BEGIN, BEGIN + 730 * DAY),
    "train": (BEGIN + 730 * DAY, BEGIN + 1_095 * DAY),
    "test": (BEGIN + 1_110 * DAY, BEGIN + 1_117 * DAY),
}
"""Window -> first second, and the first second after it."""

FOCUS = np.log([0.3, 0.25, 0.15, 0.12, 0.1, 0.08])
"""How much of what people want each of an entity's concepts is."""
ACTIONS = {
    "pin": {"save": 0.55, "long_click": 0.45},
    "product": {
        "save": 0.6,
        "long_click": 0.38,
        "add_to_cart": 0.015,
        "checkout": 0.005,
    },
}


@dataclass(frozen=True)
class Chunk:
    """A part of the catalogue, as the tables that a user would bring.

    Attributes:
      entities: id, text fields and dense features.
      pairs: query, candidate, candidate_type, action, timestamp: of training and
        evaluation.
      saves: id, board_title: the raw log behind the board titles.
      events: id, query, timestamp: the raw log behind the engaged queries.
    """

    entities: pa.Table
    pairs: pl.DataFrame
    saves: pl.DataFrame
    events: pl.DataFrame


def chunk(world: World, kind: str, start: int, stop: int) -> Chunk:
    """Returns the entities `start` to `stop` of a kind, and all about them.

    Args:
      world: from `make_world`.
      kind: "pin" (with which come the pairs of related queries) or "product".
      start: index of the first entity.
      stop: index after the last.
    """
    parts = []
    for number in range(start // CELL, -(-stop // CELL)):
        first = number * CELL
        keep = slice(max(start - first, 0), min(stop - first, CELL))
        parts.append(_part(world, kind, number, keep))
    entities, pairs, saves, events = zip(*parts, strict=True)
    entities, saves, events = (
        pa.concat_tables(entities),
        pl.concat(saves),
        pl.concat(events),
    )
    titles = feature_logs.rank_board_titles(feature_logs.count_board_titles(saves))
    queries = feature_logs.rank_queries(feature_logs.count_queries(events, 1))
    for feature in (titles, queries):
        entities = _joined(entities, feature)
    return Chunk(entities, pl.concat(pairs), saves, events)


def _part(world: World, kind: str, number: int, keep: slice) -> tuple:
    """Returns (entities, pairs, saves, events) of a part of a cell."""
    cell = draw_cell(world, kind, number)
    rows = np.arange(CELL)[keep]
    ids = pa.array([f"{kind}-{number * CELL + i}" for i in rows])
    saves, titles = entity_features.board_titles(world, cell)
    events = _engagements(world, cell, "history", cell.history)
    pairs = [_pairs(world, cell, kind, "train", cell.train, ACTIONS[kind])]
    pairs.append(_pairs(world, cell, kind, "test", cell.test, ACTIONS[kind]))
    pairs.append(_pairs(world, cell, kind, "judged", cell.judged, {"relevance": 1.0}))
    if kind == "pin":
        rate = (cell.related, cell.related * 0 + (cell.test > 0))
        for window, counts in zip(("train", "test"), rate, strict=True):
            pairs.append(_related(world, cell, window, counts))
    where = pl.Series(ids).to_frame("id").with_columns(at=pl.Series(rows))

    def own(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.join(where, on="at", maintain_order="left").drop("at")

    events = pl.DataFrame(events)
    found = own(pl.concat(pairs))
    is_query = pl.col("candidate_type") == "query"
    found = found.select(
        "query",
        candidate=pl.when(is_query).then("other").otherwise("id"),
        **{name: pl.col(name) for name in ("candidate_type", "action", "timestamp")},
    )
    saves = own(pl.DataFrame({"at": saves, "board_title": pl.Series(titles)}))
    columns = {"id": ids}
    features = entity_features.columns(world, cell, kind)
    created = np.where(cell.new, WINDOWS["test"][0], BEGIN)
    features["created"] = pa.array(created)
    columns |= {name: column[keep] for name, column in features.items()}
    order = ("id", "query", "timestamp")
    return (
        pa.table(columns),
        found,
        saves.select("id", "board_title"),
        own(events)[order],
    )


def _engagements(
    world: World, cell: Cell, window: str, counts: np.ndarray
) -> dict[str, np.ndarray | pl.Series]:
    """Returns (at, query, timestamp) of `counts[i]` engagements of entity `i`."""
    draw = cell.draw(window)
    at = np.repeat(np.arange(CELL), counts)
    first, last = WINDOWS["test" if window == "judged" else window]
    return {
        "at": at,
        "query": _queries(world, cell, at, draw, misclicks=window != "judged"),
        "timestamp": draw.integers(first, last, len(at)),
    }


def _queries(
    world: World,
    cell: Cell,
    at: np.ndarray,
    draw: np.random.Generator,
    *,
    misclicks: bool = True,
) -> pl.Series:
    """Returns a query for each of the entities `at`: one to three of its concepts."""
    other = draw.integers(0, CELL, len(at))
    strayed = draw.random(len(at)) < world.settings.misclicks * misclicks
    at = np.where(strayed, other, at)
    keys = FOCUS + draw.gumbel(size=(len(at), CONCEPTS))
    wanted = np.sort(np.argsort(-keys, axis=1)[:, :3], axis=1)
    concepts = np.take_along_axis(cell.concepts[at], wanted, axis=1)
    many = draw.choice([1, 2, 3], len(at), p=[0.25, 0.5, 0.25])
    words = world.concept_word(concepts, SEEKER, draw.random(concepts.shape))
    words[np.arange(3) >= many[:, None]] = -1
    named = (many == 1) | (draw.random(len(at)) < 0.2)
    name = np.where(named, world.topic_word(cell.topic[at]), -1)
    # A set of concepts has one order, so that the same wish is the same query.
    words = np.sort(words, axis=1)
    texts = world.texts(np.concatenate([words, name[:, None]], axis=1))
    return pl.Series("query", texts, dtype=pl.String)


def _pairs(
    world: World,
    cell: Cell,
    kind: str,
    window: str,
    counts: np.ndarray,
    actions: dict[str, float],
) -> pl.DataFrame:
    found = _engagements(world, cell, window, counts)
    draw = cell.draw(f"{window}/action")
    action = draw.choice(list(actions), len(found["at"]), p=list(actions.values()))
    return _frame(found, kind, pl.Series(action, dtype=pl.String), None)


def _related(world: World, cell: Cell, window: str, counts: np.ndarray) -> pl.DataFrame:
    """Returns pairs of different queries for one entity: both were asked for it."""
    draw = cell.draw(f"{window}/related")
    at = np.repeat(np.arange(CELL), counts)
    query, other = (_queries(world, cell, at, draw) for _ in range(2))
    first, last = WINDOWS[window]
    timestamp = draw.integers(first, last, len(at))
    found = {"at": at, "query": query, "timestamp": timestamp}
    frame = _frame(found, "query", pl.lit("click"), other)
    return frame.filter(pl.col("query") != pl.col("other"))


def _frame(
    found: dict, kind: str, action: pl.Series | pl.Expr, other: pl.Series | None
) -> pl.DataFrame:
    return pl.DataFrame(found).select(
        "at",
        "query",
        "timestamp",
        action=action,
        candidate_type=pl.lit(kind),
        other=pl.lit(None, pl.String) if other is None else other,
    )


def _joined(entities: pa.Table, feature: pl.DataFrame) -> pa.Table:
    """Returns the table with a feature's lists; null where an entity has none."""
    ids = pl.DataFrame({"id": pl.from_arrow(entities["id"])})
    found = ids.join(feature, on="id", how="left", maintain_order="left")
    name = feature.columns[1]
    return entities.append_column(name, found[name].to_arrow())
