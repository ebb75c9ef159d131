"""An invented shop: its items, who looked at what, and what fits which words."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import polars as pl

from recjax.errors import UserError
from recjax.seconds import DAY

KINDS = ("kettle", "lamp", "chair", "rug", "shelf", "clock", "mirror", "basket")
COLOURS = ("black", "white", "red", "green", "blue", "oak", "brass", "cream")
STYLES = ("small", "large", "folding", "round", "vintage")
EMPTY = ("", "cheap ", "new ", "buy ", "best ", "nice ", "my ", "a ", "the ", "get ")
START = 1_700_000_000


def items(kinds: int = len(KINDS), colours: int = 4, styles: int = 2) -> pl.DataFrame:
    """Returns a table of things: item, title, tags (its kind), colour, price."""
    prices = random.Random(1)
    rows = [
        (
            f"{kind[:2]}-{style[:2]}{colour[:3]}",
            f"{style} {colour} {kind}",
            kind,
            colour,
            prices.randrange(500, 20_000) / 100,
        )
        for kind in KINDS[:kinds]
        for colour in COLOURS[:colours]
        for style in STYLES[:styles]
    ]
    names = ["item", "title", "tags", "colour", "price"]
    return pl.DataFrame(rows, schema=names, orient="row")


def events(things: pl.DataFrame, users: int, each: int, seed: int = 0) -> pl.DataFrame:
    """Returns what users looked at: user, item, timestamp (seconds), action.

    Each stays with two kinds of things, and never takes one twice.
    """
    draw, rows = random.Random(seed), []
    by_kind: dict[str, list[str]] = {}
    for item, kind in things.select("item", "tags").iter_rows():
        by_kind.setdefault(kind, []).append(item)
    for user in range(users):
        liked = draw.sample(sorted(by_kind), 2)
        wanted = [item for kind in liked for item in by_kind[kind]]
        when = START + draw.randrange(200 * DAY)
        for item in draw.sample(wanted, min(each, len(wanted))):
            when += draw.randrange(60, 3 * DAY)
            action = "buy" if draw.random() < 0.2 else "view"
            rows.append((f"u{user}", item, when, action))
    names = ["user", "item", "timestamp", "action"]
    return pl.DataFrame(rows, schema=names, orient="row")


def judgements(things: pl.DataFrame, whole: bool = True) -> pl.DataFrame:
    """Returns what fits words: query, candidate, grade; 3 is right, 2 of the kind.

    Args:
      things: items.
      whole: whole titles are queries too.
    """
    rows = list(things.select("item", "title", "tags").iter_rows())
    graded = [(f"{title.split()[1]} {kind}", item, 3) for item, title, kind in rows]
    graded += [(title, item, 3) for item, title, _ in rows if whole]
    graded += [(kind, item, 2) for item, _, kind in rows]
    names = ["query", "candidate", "grade"]
    return pl.DataFrame(graded, schema=names, orient="row")


def interactions(users: int = 80, each: int = 12, seed: int = 0) -> dict[str, Any]:
    """Returns arguments of `rj.prepare`: events and items.

    Args:
      users: how many.
      each: events of a user, at most 16.
      seed: of what they do.
    """
    things = items()
    return {"events": events(things, users, each, seed), "items": things}


def sessions(users: int = 80, each: int = 12, seed: int = 0) -> dict[str, Any]:
    """Returns arguments of `rj.prepare`: events with sessions of three, and items.

    Args:
      users: how many.
      each: events of a user, at most 16.
      seed: of what they do.
    """
    made = interactions(users, each, seed)
    at = pl.int_range(pl.len()).over("user") // 3
    session = (pl.col("user") + "-" + at.cast(pl.String)).alias("session")
    return {**made, "events": made["events"].with_columns(session)}


def search(queries: int = 104) -> dict[str, Any]:
    """Returns arguments of `rj.prepare`: graded judgements and items.

    Args:
      queries: at least so many; more than 104 begin with a word that says nothing,
        such as "cheap red lamp".
    """
    things = items()
    graded = judgements(things)
    more = -(-queries // graded["query"].n_unique())
    if more > len(EMPTY):
        raise UserError(f"queries={queries}: there are words for {104 * len(EMPTY)}")
    longer = [
        graded.with_columns((pl.lit(word) + pl.col("query")).alias("query"))
        for word in EMPTY[:more]
    ]
    return {"judgements": pl.concat(longer), "items": things}


def catalog() -> dict[str, Any]:
    """Returns arguments of `rj.prepare`: judgements with actions, products and pins."""
    things = items()
    graded = judgements(things)
    products = things.select(pl.col("item").alias("id"), "title")
    pins = products.select(
        (pl.lit("pin-") + pl.col("id")).alias("id"),
        (pl.lit("a photo of a ") + pl.col("title")).alias("title"),
    )
    bought = graded.select(
        "query",
        "candidate",
        pl.lit("product").alias("candidate_type"),
        pl.when(pl.col("grade") == 3)
        .then(pl.lit("buy"))
        .otherwise(pl.lit("click"))
        .alias("action"),
    )
    saved = bought.select(
        "query",
        (pl.lit("pin-") + pl.col("candidate")).alias("candidate"),
        pl.lit("pin").alias("candidate_type"),
        pl.lit("save").alias("action"),
    )
    entities = {"product": products, "pin": pins}
    return {"judgements": pl.concat([bought, saved]), "entities": entities}


def users(users: int = 20, each: int = 12, width: int = 8) -> dict[str, Any]:
    """Returns arguments of `rj.cluster_users`: events, and vectors of items.

    Args:
      users: how many; each has two interests.
      each: events of a user, at most 16.
      width: of the vectors; those of a kind of things lie close together.
    """
    made, draw = interactions(users, each), np.random.default_rng(0)
    things = made["items"]
    centres = draw.normal(size=(len(KINDS), width))
    kinds = [KINDS.index(kind) for kind in things["tags"]]
    vectors = centres[kinds] + 0.1 * draw.normal(size=(len(kinds), width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    named = dict(zip(things["item"], vectors.astype(np.float32), strict=True))
    return {"events": made["events"], "vectors": named}
