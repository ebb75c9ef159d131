"""Graded relevance of images that does not come from their classes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recjax.data.images.table import ImageTable
from recjax.data.triplets.relevance import Relevance, from_features, from_pairs
from recjax.errors import UserError
from recjax.images.handcrafted import handcrafted
from recjax.tables.old.check import clean
from recjax.tables.old.columns import Column
from recjax.tables.old.read import read_table
from recjax.tables.report import Findings

log = logging.getLogger(__name__)
NAMES = ("image", "other_image")
SCHEMA = (*(Column(name, "id") for name in NAMES), Column("relevance", "gain"))
Look = Callable[[Sequence[int]], np.ndarray]
"""Positions -> pixels, uint8 [n, size, size, 3]."""


@dataclass(frozen=True)
class RelevanceTable:
    """Relevance as a file of the user says.

    It has a row a pair, in either order; pairs that are not listed have relevance 0, as
    have images of different categories. In memory it takes 4 bytes for each two images
    of a category.

    Attributes:
      path: CSV, TSV or Parquet with the columns image, other_image (names as in the
        prepared images) and relevance (at least 0).
    """

    path: str

    def open(self, table: ImageTable, images: np.ndarray, look: Look) -> Relevance:
        """Returns the relevance of some images; pairs with others train nothing.

        Args:
          table: all images.
          images: positions of those that train, categories by their first level.
          look: not needed.

        Raises:
          UserError: a column is missing, a name is unknown, an image is paired with
            itself or across categories, a pair is listed twice, or a value is no
            relevance: with file, row and value.
        """
        del look
        findings = Findings()
        read = read_table(Path(self.path), SCHEMA, {}, "utf-8", findings)
        frame = clean(read, SCHEMA, "s", 0.0, findings)
        if frame is not None:
            frame = _placed(frame.filter("good"), table, read.file, findings)
        report = findings.report()
        if frame is None or not report.ok:
            raise UserError(f"data.relevance.path = {self.path!r}:\n{report}")
        category = np.unique(table.labels[images, 0], return_inverse=True)[1]
        here = np.full(len(table), -1)
        here[images] = np.arange(len(images))
        one, two = (here[frame[name].to_numpy()] for name in NAMES)
        both = (one >= 0) & (two >= 0)
        value = frame["relevance"].to_numpy()[both]
        return from_pairs(category, one[both], two[both], value)


@dataclass(frozen=True)
class GoldenRelevance:
    """Relevance by visual features that need no training: colour, shape, texture.

    Attributes:
      scale: larger values make unlike images more relevant (`from_features`).
    """

    scale: float = 1.0

    def open(self, table: ImageTable, images: np.ndarray, look: Look) -> Relevance:
        """Returns the relevance of some images, each of which is decoded once."""
        log.info("handcrafted features of %d images", len(images))
        features = np.stack([handcrafted(look([image])[0]) for image in images])
        category = np.unique(table.labels[images, 0], return_inverse=True)[1]
        return from_features(category, features.astype(np.float32), self.scale)


def _placed(
    frame: pl.DataFrame, table: ImageTable, file: str, findings: Findings
) -> pl.DataFrame:
    """Returns the pairs with positions in place of names; what is wrong is found."""
    place = {str(name): i for i, name in enumerate(table.names)}
    right = np.ones(frame.height, bool)

    def problem(column: str, kind: str, where: np.ndarray, fix: str) -> None:
        nonlocal right
        rows = frame.filter(pl.Series(where & right))
        findings.of_rows(file, column, kind, rows["row"], rows[column], fix)
        right &= ~where

    at = [np.array([place.get(n, -1) for n in frame[c]], np.int64) for c in NAMES]
    for column, found in zip(NAMES, at, strict=True):
        fix = "name it as it was prepared, or remove the row"
        problem(column, "no prepared image has this name", found < 0, fix)
    one, two = at
    problem("other_image", "an image with itself", one == two, "remove the row")
    apart = table.labels[one, 0] != table.labels[two, 0]
    kind = f"images of different classes of level {table.levels[0]!r}"
    problem("other_image", kind, apart, "remove the row: their relevance is 0")
    pair = np.minimum(one, two) * len(table) + np.maximum(one, two)
    twice = ~pl.Series(pair).is_first_distinct().to_numpy()
    problem("other_image", "the pair stands in an earlier row", twice, "remove one")
    return frame.with_columns(image=pl.Series(one), other_image=pl.Series(two))
