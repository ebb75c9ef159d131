"""Batches of image triplets drawn by graded relevance, and images to evaluate on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from recjax import rng
from recjax.data import pipeline, splits
from recjax.data.images.graded import HandcraftedRelevance, RelevanceTable
from recjax.data.images.table import ImageTable, load_images
from recjax.data.images.views import Keep, KeptViews, open_views
from recjax.data.pipeline import Host, HostBatch
from recjax.data.prepared import prepared_path
from recjax.data.triplets.exact import TripletRules, Triplets, TripletSampler
from recjax.data.triplets.online import FromReservoirs, OnlineTriplets
from recjax.data.triplets.relevance import Relevance, from_classes
from recjax.errors import UserError
from recjax.features import ImageFeature, Sides
from recjax.images.augment import Augment, CenterCrop
from recjax.images.decode import BadImageError


@dataclass(frozen=True)
class Images:
    """Settings of triplets from prepared images.

    Attributes:
      source: name or folder of prepared images.
      grades: relevance of two images that share a level and no finer one, by level
        from coarse to fine; the first level is the category.
      relevance: where it comes from instead of grades.
      rules: what a triplet must be.
      reservoirs: draw from these, as in the paper; None draws exactly.
      batch_size: triplets of the global batch.
      size: pixels a side.
      augment: how training images are varied.
      center_crop: what evaluation sees of an image.
      split: images that train the model.
      held_out: classes, of any level, whose images train nothing, so that they can
        stand for what an embedding meets later: `GalleryRanking(of=...)`.
      views: train on so many variations of each image, kept with the maps of the
        model's frozen parts, and evaluate on such maps; 0 varies an image anew
        whenever it is drawn.
    """

    source: str
    grades: tuple[float, ...] = ()
    rules: TripletRules = TripletRules()
    relevance: RelevanceTable | HandcraftedRelevance | None = None
    reservoirs: FromReservoirs | None = None
    batch_size: int = 32
    size: int = 224
    augment: Augment = field(default_factory=Augment)
    center_crop: CenterCrop = field(default_factory=CenterCrop)
    split: str = "train"
    held_out: tuple[str, ...] = ()
    views: int = 0

    def open(self, seed: int) -> ImagesData:
        """Opens the prepared images.

        Raises:
          UserError: they are not prepared, or the settings do not fit them.
        """
        if self.views < 0:
            raise UserError(
                f"data.views = {self.views}: keep at least one, or 0 for none"
            )
        table = load_images(prepared_path(self.source))
        if self.relevance is not None and self.grades:
            raise UserError("data.grades and data.relevance are both given: take one")
        if self.relevance is None and len(self.grades) != len(table.levels):
            raise UserError(
                f"data.grades has {len(self.grades)} numbers; {self.source} has the "
                f"levels {', '.join(table.levels)}: give one grade a level"
            )
        return ImagesData(self, seed, table)


@dataclass(frozen=True, eq=False)
class ImagesData:
    """Opened images.

    Attributes:
      settings: the settings.
      seed: of triplets and augmentation.
      table: all images.
      keep: makes and opens views, where they are wanted.
    """

    settings: Images
    seed: int
    table: ImageTable
    keep: Keep | None = None

    @property
    def views(self) -> int:
        """How many views of each image are kept; 0 for none."""
        return self.settings.views

    def keeping(self, keep: Keep) -> ImagesData:
        """Returns the data set with the function that opens views."""
        return replace(self, keep=keep)

    @cached_property
    def training(self) -> np.ndarray:
        """Positions of the images that train the model.

        Raises:
          UserError: all are held out, or a class that should be is not there.
        """
        images, held_out = self._split, self.settings.held_out
        images = images[~self.table.in_classes(held_out)[images]]
        if not len(images):
            raise UserError(f"data.held_out = {held_out} leaves no image to train on")
        return images

    @cached_property
    def _split(self) -> np.ndarray:
        return self.table.of_split(self.settings.split)

    @cached_property
    def relevance(self) -> Relevance:
        """Of the training images to each other."""
        table, images = self.table, self.training
        if self.settings.relevance is not None:
            return self.settings.relevance.open(table, images, self.center_crops)
        return from_classes(table.labels[images], self.settings.grades)

    @cached_property
    def sampler(self) -> TripletSampler | OnlineTriplets:
        """Draws triplets of positions in `training`."""
        rules, reservoirs = self.settings.rules, self.settings.reservoirs
        if reservoirs is not None:
            return OnlineTriplets(self.relevance, rules, reservoirs, self.seed)
        return TripletSampler(self.relevance, rules)

    @property
    def sides(self) -> Sides:
        """One side: images."""
        return {"image": {"image": ImageFeature(self.settings.size)}}

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Nothing: images are asked for by their bytes."""
        return {}

    def triplets(self, step: int) -> Triplets:
        """Returns the triplets of a step's global batch, as positions in `training`."""
        generator = rng.host_stream(self.seed, "triplets", step)
        at = () if self.settings.reservoirs is None else (step,)
        return self.sampler.draw(generator, self.settings.batch_size, *at)

    def batch(self, step: int, host: Host = (0, 1)) -> HostBatch:
        """Returns a host's part of the batch of a step.

        A batch: image [B, 3, size, size, 3] uint8, image_id [B, 3], label [B, 3,
        levels], relevance [B, 2] and weight [B]; with `views`, maps [B, 3, h, w, C].
        """
        mine = pipeline.rows_of(host, self.settings.batch_size)
        drawn = self.triplets(step)
        positions = np.stack([drawn.query, drawn.positive, drawn.negative], 1)
        graded = (drawn.positive_relevance, drawn.negative_relevance)
        images = self.training[positions[mine]]
        # One stream an image, so that hosts need not make each other's.
        first = (step * self.settings.batch_size + mine.start) * 3
        streams = np.arange(first, first + images.size).reshape(images.shape)
        if not self.settings.views:
            pixels = [
                self._varied(image, "augment", stream)
                for image, stream in zip(images.flat, streams.flat, strict=True)
            ]
            shown = {"image": np.stack(pixels).reshape(*images.shape, *pixels[0].shape)}
        else:
            shown = self._views_of(positions[mine], streams)
        return {
            **shown,
            "image_id": images.astype(np.int32),
            "label": self.table.labels[images],
            "relevance": np.stack(graded, 1)[mine].astype(np.float32),
            "weight": np.ones(len(images), np.float32),
        }

    @cached_property
    def _kept(self) -> KeptViews:
        """The views of the split, those of an image one after the other.

        Runs share them, whatever else they change.
        """
        images, count = self._split, self.settings.views
        drawn = f"{self.settings.size} {self.settings.augment} {count}"
        return open_views(
            self.keep,
            self.table,
            images,
            drawn,
            count * len(images),
            lambda number: self._varied(images[number // count], "view", number, 0),
        )

    @cached_property
    def _center_crops(self) -> KeptViews:
        """What evaluation sees of all images, by position."""
        images, size = np.arange(len(self.table)), self.settings.size
        drawn, total = f"{size} {self.settings.center_crop}", len(images)
        return open_views(
            self.keep,
            self.table,
            images,
            drawn,
            total,
            lambda i: self._decoded_crop(i, size),
        )

    def _views_of(self, positions: np.ndarray, streams: np.ndarray) -> HostBatch:
        """Returns pixels and maps of a view of each image."""
        count = self.settings.views
        drawn = [
            rng.host_stream(self.seed, "view_of", stream).integers(count)
            for stream in streams.flat
        ]
        kept = np.searchsorted(self._split, self.training[positions])
        numbers = kept * count + np.reshape(drawn, positions.shape)
        return {
            "image": self._kept.pixels[numbers],
            "maps": self._kept.maps[numbers],
        }

    def _varied(
        self, position: int, stream: str, number: int, seed: int | None = None
    ) -> np.ndarray:
        vary, size = self.settings.augment, self.settings.size
        own = rng.host_stream(self.seed if seed is None else seed, stream, int(number))
        return self._decoded(position, lambda data: vary(data, size, own))

    def center_crops(
        self, positions: Sequence[int], size: int | None = None
    ) -> np.ndarray:
        """Decodes what evaluation sees of images, uint8 [n, size, size, 3]."""
        size = size or self.settings.size
        if not len(positions):
            return np.zeros((0, size, size, 3), np.uint8)
        return np.stack([self._decoded_crop(i, size) for i in positions])

    def shown(self, positions: Sequence[int]) -> HostBatch:
        """Returns what evaluation gives the model of images: image, perhaps maps."""
        if not self.settings.views:
            return {"image": self.center_crops(positions)}
        kept, positions = self._center_crops, np.asarray(positions, np.int64)
        return {"image": kept.pixels[positions], "maps": kept.maps[positions]}

    def _decoded_crop(self, position: int, size: int) -> np.ndarray:
        return self._decoded(position, lambda d: self.settings.center_crop(d, size))

    def _decoded(self, position: int, make: Any) -> np.ndarray:
        try:
            return make(self.table.read(int(position)))
        except BadImageError as error:
            name = self.table.names[int(position)]
            raise UserError(
                f"{self.settings.source}: image {name!r} cannot be decoded: {error}; "
                "prepare the data again, it names all such images"
            ) from error

    def facts(self) -> Mapping[str, Any]:
        """Returns sizes of the data, and images that no triplet can start from."""
        table, known = self.table, self.relevance
        lone = int((known.total[known.group] == 0).sum())
        return {
            "source": self.settings.source,
            **splits.counts(table.split, "images"),
            **{
                f"classes of level {level}": len(classes)
                for level, classes in zip(table.levels, table.classes, strict=True)
            },
            "images held out of training": len(self._split) - len(self.training),
            "training images without a relevant other": lone,
        }
