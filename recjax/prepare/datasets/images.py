"""Labelled images as a TFDS builder: bytes of the files, labels apart from them."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from recjax.data.images.table import ImageTable
from recjax.prepare.datasets.base import Builder


class ImagesBuilder(Builder):
    """`pixels` has the bytes of a file a record, `labels` its labels, in one order.

    The files are kept as they are: decoded once in preparation to find bad ones, then
    at the size that training asks for.
    """

    KIND = "images"
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=n) for n in ("pixels", "labels", "levels")
    ]

    @abc.abstractmethod
    def tables(self) -> ImageTable:
        """Returns the data to write, from raw files."""

    def features(self) -> dict[str, dict[str, Any]]:
        """Returns the features of a record for each config."""
        text = tfds.features.Text()
        return {
            "pixels": {"image": text},
            "labels": {
                "name": text,
                "labels": tfds.features.Tensor(shape=(None,), dtype=np.int32),
                "split": np.int64,
            },
            "levels": {"level": text, "classes": tfds.features.Sequence(text)},
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """Yields the records of this builder's config."""
        data = self.tables()
        if self.builder_config.name == "levels":
            for level, classes in zip(data.levels, data.classes, strict=True):
                yield {"level": level, "classes": list(classes)}
            return
        for i, name in enumerate(data.names):
            if self.builder_config.name == "pixels":
                yield {"image": data.read(i)}
            else:
                yield {
                    "name": name,
                    "labels": data.labels[i],
                    "split": int(data.split[i]),
                }


class OwnImages(ImagesBuilder):
    """Images whose labels are already in memory."""

    name = "own_images"

    def __init__(self, *, data: ImageTable, **kwargs: Any) -> None:
        """Takes the data; `kwargs` are those of a TFDS builder."""
        self._data = data
        super().__init__(**kwargs)

    def tables(self) -> ImageTable:
        """Returns the data."""
        return self._data
