"""What share of distances an image model leaves to its branch as it was."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.evals.baselines.images import ImageFeature
from recjax.evals.embed import as_images, embed_images, unit
from recjax.evals.evaluation import Evaluated
from recjax.evals.gallery import GalleryRanking
from recjax.index.exact import Exact
from recjax.metrics import gallery
from recjax.metrics.sample import Sample
from recjax.models.multiscale import Multiscale
from recjax.nn.backbones import FrozenFront
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BranchShare:
    """MAP@R and R@1 of the finest classes with every share of `Multiscale.kept`.

    What a model learns of some classes costs it others that the branch knew. How much
    of it to leave is seen on classes whose images train nothing (`Images.held_out`).
    One training tells of all shares: none is trained with, they weigh two vectors. The
    log says which has the best MAP@R; set it as `model.kept`.

    Attributes:
      of: the classes held out.
      split: queries, never the test.
      gallery: what is searched.
      shares: that are tried, each from 0 to 1.
      every: steps between evaluations in training; 0 for the end alone.

    Example:
      {"share": BranchShare(of=("Packages",))}
    """

    of: tuple[str, ...]
    split: str = "validation"
    gallery: str = "train"
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    every: int = 0
    trained = True

    def __post_init__(self) -> None:
        """Checks what needs no data.

        Raises:
          ValueError: it would be chosen on the test, or a share is none.
        """
        wrong = [share for share in self.shares if not 0 <= share <= 1]
        if self.split == "test" or not self.of or not self.shares or wrong:
            raise ValueError(
                f"BranchShare: split {self.split!r} must not be the test, `of` "
                f"{self.of} must name classes, shares {self.shares} lie from 0 to 1"
            )

    def metrics(self, data: Any) -> Sequence[str]:
        """Returns the names of the figures; see `Evaluation`.

        Raises:
          UserError: a class has no image of the split, or trains the model.
        """
        images = as_images(data)
        self._ranking.metrics(images)
        classes, held_out = images.table.in_classes, images.settings.held_out
        if (classes(self.of) & ~classes(held_out)).any():
            raise UserError(
                f"BranchShare: images of {self.of} train the model: set data.held_out "
                f"= {self.of}"
            )
        return [f"{share}/{name}" for share in self.shares for name in self._names]

    @property
    def _names(self) -> tuple[str, str]:
        return "map@r", "recall@1"

    @property
    def _ranking(self) -> GalleryRanking:
        return GalleryRanking(self.split, gallery=self.gallery, of=self.of)

    def run(self, program: Program, state: State) -> Evaluated:
        """Returns the figures of every share.

        Raises:
          UserError: the model has no branch that starts from weights.
        """
        data, model = as_images(program.dataset), program.experiment.model
        branch = model.branch if isinstance(model, Multiscale) else None
        weights = branch.weights if isinstance(branch, FrozenFront) else None
        if not isinstance(model, Multiscale) or weights is None:
            raise UserError(
                "BranchShare needs a Multiscale whose branch starts from weights"
            )
        asked, held = self._ranking.positions(data.table)
        label = data.table.labels[:, -1]

        def parts(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Returns what was learned, and the branch as it was, of length 1 each."""
            vectors = embed_images(program, state, images, data.shown)
            learned, start = vectors[:, : model.width], vectors[:, model.width :]
            if not model.kept:
                start = ImageFeature(weights).fit(data, held)[0](images)
            return unit(learned), unit(start)

        query, known = parts(asked), parts(held)
        gallery_of, made = np.concatenate(known, 1), dict[str, np.ndarray]()
        for share in self.shares:
            # Products of vectors add up, so that it is enough to weigh one side.
            weighed = np.concatenate([(1 - share) * query[0], share * query[1]], 1)
            found = self._figures(weighed, gallery_of, label[asked], label[held])
            made |= {f"{share}/{name}": found[name] for name in self._names}
        figures = {name: float(values.mean()) for name, values in made.items()}
        best = max(self.shares, key=lambda share: figures[f"{share}/map@r"])
        log.info(
            "of %s, not trained on, the branch best keeps a share of %g (MAP@R %.4f); "
            "the model keeps %g",
            *(self.of, best, figures[f"{best}/map@r"], model.kept),
        )
        samples = {name: Sample.of(values) for name, values in made.items()}
        return Evaluated(figures, samples=samples)

    def _figures(
        self,
        queries: np.ndarray,
        known: np.ndarray,
        asked: np.ndarray,
        held: np.ndarray,
    ) -> dict[str, np.ndarray]:
        most = max(1, gallery.most_relevant(asked, held))
        found = Exact(known, name="the gallery").search(queries, most)[0]
        return gallery.class_figures(found, asked, held, (1,))
