"""Graded relevance of images that does not come from their classes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from recjax.data.images.table import ImageTable
from recjax.data.triplets.relevance import Relevance, from_features, from_pairs
from recjax.errors import UserError
from recjax.extras import require
from recjax.images.handcrafted import handcrafted
from recjax.tables.columns import Column
from recjax.tables.read import read
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read

log = logging.getLogger(__name__)
NAMES = ("image", "other_image")
RELEVANCE = Column("relevance", "number", least=0)
SCHEMA = (*(Column(name, "id") for name in NAMES), RELEVANCE)
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
        pairs = read(self.path, SCHEMA, Options(can_rename=False), findings)
        one = two = value = np.zeros(0)
        if pairs is not None:
            one, two, value = _placed(pairs, table, findings)
        report = findings.report()
        if not report.ok:
            raise UserError(f"data.relevance.path = {self.path!r}:\n{report}")
        category = np.unique(table.labels[images, 0], return_inverse=True)[1]
        here = np.full(len(table), -1)
        here[images] = np.arange(len(images))
        one, two = here[one], here[two]
        both = (one >= 0) & (two >= 0)
        return from_pairs(category, one[both], two[both], value[both])


@dataclass(frozen=True)
class HandcraftedRelevance:
    """Relevance by visual features that need no training: colour, shape, texture.

    Attributes:
      scale: larger values make unlike images more relevant (`from_features`).
    """

    scale: float = 1.0

    def open(self, table: ImageTable, images: np.ndarray, look: Look) -> Relevance:
        """Returns the relevance of some images, each of which is decoded once."""
        require("skimage", "images", "relevance by handcrafted features")
        log.info("handcrafted features of %d images", len(images))
        features = np.stack([handcrafted(look([image])[0]) for image in images])
        category = np.unique(table.labels[images, 0], return_inverse=True)[1]
        return from_features(category, features.astype(np.float32), self.scale)


def _placed(
    read: Read, table: ImageTable, findings: Findings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns positions of both images of each good pair, and its relevance."""
    position = {str(name): i for i, name in enumerate(table.names)}
    good = np.ones(read.table.rows, bool)
    labels = {name: read.table[name].vocabulary for name in NAMES}
    codes = {name: read.table[name].array for name in NAMES}

    def problem(name: str, kind: str, where: np.ndarray, fix: str) -> None:
        at = np.flatnonzero(where & good)
        read.tell(findings, name, kind, at, labels[name].take(codes[name][at]), fix)
        good[at] = False

    known = {
        n: np.array([position.get(id, -1) for id in labels[n]], int) for n in NAMES
    }
    one, two = (known[name][codes[name]] for name in NAMES)
    for name, found in zip(NAMES, (one, two), strict=True):
        fix = "name it as it was prepared, or remove the row"
        problem(name, "no prepared image has this name", found < 0, fix)
    problem("other_image", "an image with itself", one == two, "remove the row")
    apart = table.labels[one, 0] != table.labels[two, 0]
    kind = f"images of different classes of level {table.levels[0]!r}"
    problem("other_image", kind, apart, "remove the row: their relevance is 0")
    pair = np.minimum(one, two) * len(table) + np.maximum(one, two)
    twice = ~pl.Series(pair).is_first_distinct().to_numpy()
    problem("other_image", "the pair stands in an earlier row", twice, "remove one")
    return one[good], two[good], read.table["relevance"].array[good]
