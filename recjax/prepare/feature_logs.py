"""Text features from raw logs: titles of a pin's boards, and queries that found it.

Logs become counts, counts of two logs add up, and counts become features. So a log can
be counted in parts, in any order and on any machine, and adding what is new equals
counting everything again.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from recjax.seconds import DAY
from recjax.text.ngrams import words
from recjax.text.normalize import normalize

BOARD_TITLES = 10
ENGAGED_QUERIES = 20
WINDOW_DAYS = 730


def clean_text(text: str) -> str:
    """Returns `text` case-folded, with single spaces: what counts as the same text."""
    return " ".join(normalize(text).split())


def count_board_titles(saves: pl.DataFrame) -> pl.DataFrame:
    """Counts saves of each entity to boards of each title.

    Args:
      saves: columns id and board_title, a row a save.

    Returns:
      Columns id, board_title (as `clean_text` gives it) and count; blank titles are
      left out.
    """
    frame = saves.select("id", _clean_column(saves["board_title"])).drop_nulls()
    return add_counts([frame.with_columns(count=pl.lit(1, pl.Int64))])


def rank_board_titles(counts: pl.DataFrame, top: int = BOARD_TITLES) -> pl.DataFrame:
    """Returns the best distinct board titles of each entity.

    With `n` saves of the entity, a title's score is its share of them, plus the mean
    over its words of the share of them whose title has that word: what one board calls
    "dining" and another "my dining room" agree on. Equal scores: more words first, then
    more characters, then by alphabet. (The paper names the score's two parts and the
    rules for ties, not their formula.)

    Args:
      counts: what `count_board_titles` returns.
      top: titles an entity.

    Returns:
      Columns id and board_title (list of text), by id.

    Source:
      arXiv 2404.16260, section on board titles.
    """
    titles = counts["board_title"].unique()
    split = pl.DataFrame(
        {"board_title": titles, "word": [words(title) for title in titles]},
        schema_overrides={"word": pl.List(pl.String)},
    )
    # A title of punctuation alone has no words, and agrees with nobody.
    length = split.select("board_title", words=pl.col("word").list.len())
    each = split.explode("word").unique().drop_nulls()
    frame = counts.with_columns(all=pl.col("count").sum().over("id"))
    said = frame.join(each, on="board_title")
    shared = said.with_columns(said=pl.col("count").sum().over("id", "word"))
    # Whole numbers until one division: the same in whatever order parts were counted.
    mean = shared.group_by("id", "board_title").agg(
        said=pl.col("said").sum(), distinct=pl.len()
    )
    frame = frame.join(mean, on=["id", "board_title"], how="left")
    frame = frame.join(length, on="board_title", how="left")
    prevalence = (pl.col("said") / pl.col("distinct")).fill_null(0.0)
    frame = frame.with_columns(
        score=(pl.col("count") + prevalence) / pl.col("all"),
        characters=pl.col("board_title").str.len_chars(),
    )
    best = ["score", "words", "characters"]
    return _first(frame, best, "board_title", top)


def count_queries(events: pl.DataFrame, every: int) -> pl.DataFrame:
    """Counts engagements of each entity after each query, by periods of days.

    Args:
      events: columns id, query and timestamp (unix seconds), a row an engagement.
      every: days of a period.

    Returns:
      Columns id, query (as `clean_text` gives it), period (`every` days since 1970)
      and count; blank queries are left out.
    """
    period = (events["timestamp"] // (every * DAY)).cast(pl.Int32).alias("period")
    frame = events.select("id", _clean_column(events["query"]), period).drop_nulls()
    return add_counts([frame.with_columns(count=pl.lit(1, pl.Int64))])


def within(counts: pl.DataFrame, now: int, every: int, window: int) -> pl.DataFrame:
    """Returns the counts of whole periods in the window that ends at `now`.

    Args:
      counts: what `count_queries` returns.
      now: unix seconds; the period that it lies in is not over and left out.
      every: days of a period.
      window: days; the earliest period is the one that begins in it.
    """
    last = now // (every * DAY)
    return counts.filter(pl.col("period").is_between(last - window // every, last - 1))


def rank_queries(counts: pl.DataFrame, top: int = ENGAGED_QUERIES) -> pl.DataFrame:
    """Returns the queries that most engagements of each entity came from.

    Equal counts: the more recent first, then by alphabet.

    Args:
      counts: what `count_queries` and `within` return.
      top: queries an entity.

    Returns:
      Columns id and engaged_queries (list of text), by id.
    """
    total = counts.group_by("id", "query").agg(
        pl.col("count").sum(), pl.col("period").max()
    )
    found = _first(total, ["count", "period"], "query", top)
    return found.rename({"query": "engaged_queries"})


def add_counts(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Returns the sum of counts: rows that agree in all other columns become one."""
    whole = pl.concat(parts)
    keys = [name for name in whole.columns if name != "count"]
    return whole.group_by(keys).agg(pl.col("count").sum()).sort(keys)


def _clean_column(values: pl.Series) -> pl.Series:
    """Returns cleaned texts, null where nothing is left; each distinct one once."""
    distinct = values.drop_nulls().unique()
    cleaned = [clean_text(text) or None for text in distinct]
    return values.replace_strict(
        distinct, pl.Series(cleaned, dtype=pl.String), default=None
    ).cast(pl.String)


def _first(
    frame: pl.DataFrame, best: Sequence[str], name: str, top: int
) -> pl.DataFrame:
    """Returns of each id the first `top` values of a column, highest `best` first."""
    keys = ["id", *best, name]
    ordered = frame.sort(keys, descending=[False, *[True] * len(best), False])
    return ordered.group_by("id", maintain_order=True).agg(pl.col(name).head(top))
