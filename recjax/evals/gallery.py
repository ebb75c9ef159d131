"""Image search: photographs of a split against a gallery, by model or baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from recjax.data.dataset import HasImages
from recjax.data.images.table import ImageTable
from recjax.errors import UserError
from recjax.evals.embed import as_images, embed_images
from recjax.evals.evaluation import Evaluated
from recjax.evals.photo_answers import by_class, photo_answers, photo_map
from recjax.index.exact import Exact, Score, dot
from recjax.metrics import gallery
from recjax.metrics.sample import Sample
from recjax.train.program import Program
from recjax.train.state import State

Embed = Callable[[np.ndarray], np.ndarray]
"""Positions of images [n] -> vectors [n, D]."""


class ImageScorer(Protocol):
    """Settings of an embedding that needs no training on triplets."""

    def check(self) -> None:
        """Checks what can be checked without the images.

        Raises:
          UserError: a package is missing.
        """

    def fit(self, data: HasImages, held: np.ndarray) -> tuple[Embed, Score]:
        """Returns how images are embedded, and what is large between near ones.

        Args:
          data: the images.
          held: positions of the images of the gallery, that it may learn from.
        """


@dataclass(frozen=True)
class GalleryRanking:
    """Recall@K and MAP@R on each level of classes: a split against another one.

    Attributes:
      split: queries.
      scorer: what embeds the images, such as `ImageFeature("lab")`; None for the model.
      gallery: what is searched, never the split itself: photographs are taken in
        bursts, and each would find its neighbour in the burst.
      ks: of recall.
      every: steps between evaluations in training; 0 for the end alone.
      flip: the model embeds the mirror image too and takes the mean of both.
      of: only queries of these classes, of any level; all where none is named.
    """

    split: str = "test"
    scorer: ImageScorer | None = None
    gallery: str = "train"
    ks: tuple[int, ...] = (1, 2, 4, 8)
    every: int = 0
    flip: bool = False
    of: tuple[str, ...] = ()

    @property
    def trained(self) -> bool:
        """Whether it looks at the state."""
        return self.scorer is None

    def metrics(self, data: Any) -> Sequence[str]:
        """Returns the names of the figures that `run` will find.

        Raises:
          UserError: the data holds no images or none of a split, the split is its own
            gallery, or no query is of the classes.
        """
        table = as_images(data).table
        self.positions(table)
        if self.scorer is not None:
            self.scorer.check()
        each = "map@r", *(f"recall@{k}" for k in self.ks), "answerable"
        return [f"{level}/{one}" for level in table.levels[::-1] for one in each]

    def run(self, program: Program, state: State) -> Evaluated:
        """Returns recall@K and MAP@R by level, the finest one first."""
        data = as_images(program.dataset)
        table, labels = data.table, data.table.labels
        asked, held = self.positions(table)
        embed: Embed = partial(
            embed_images, program, state, show=data.shown, flip=self.flip
        )
        score: Score = dot
        if self.scorer is not None:
            embed, score = self.scorer.fit(data, held)
        pairs = {
            level: (labels[asked, i], labels[held, i])
            for i, level in enumerate(table.levels)
        }
        most = max(*self.ks, *(gallery.most_relevant(*pair) for pair in pairs.values()))
        vectors = embed(asked)
        found = Exact(embed(held), score, "the gallery").search(vectors, most)[0]
        values = {
            f"{level}/{name}": of_query
            for level in table.levels[::-1]
            for name, of_query in gallery.class_figures(
                found, *pairs[level], self.ks
            ).items()
        }
        figures = {name: float(one.mean()) for name, one in values.items()}
        samples = {name: Sample.of(one) for name, one in values.items()}
        made = Evaluated(figures, samples=samples)
        if not self.trained:
            return made
        metric = f"{table.levels[-1]}/recall@{min(self.ks)}"
        return replace(
            made,
            answers=photo_answers(data, asked, held, found, program.experiment.seed),
            cohorts={metric: by_class(table, asked, values[metric])},
            embeddings=photo_map(table, asked, vectors),
        )

    def positions(self, table: ImageTable) -> tuple[np.ndarray, np.ndarray]:
        """Returns the positions of the queries and of the gallery.

        Raises:
          UserError: the split is its own gallery, or no query is of the classes.
        """
        if self.split == self.gallery:
            raise UserError(
                f"{self.split} cannot be its own gallery: name another split"
            )
        asked, held = table.of_split(self.split), table.of_split(self.gallery)
        asked = asked[table.in_classes(self.of)[asked]] if self.of else asked
        if not len(asked):
            raise UserError(
                f"no image of the split {self.split!r} is in the classes {self.of}"
            )
        return asked, held
