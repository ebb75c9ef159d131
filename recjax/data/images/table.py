"""Labelled images: names, classes and splits in memory, pixels read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recjax.data import records
from recjax.data.splits import ByColumn, members
from recjax.errors import UserError, nearest


@dataclass(frozen=True)
class ImageTable:
    """`N` images.

    Attributes:
      names: the user's own names, for example relative paths [N].
      labels: classes from coarse to fine, each numbered from 0 [N, levels].
      levels: names of the levels.
      classes: names of the classes of each level.
      split: number in `recjax.data.splits.SPLITS` of each image [N].
      read: position -> bytes of the image file.
    """

    names: Sequence[str]
    labels: np.ndarray
    levels: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    split: np.ndarray
    read: Callable[[int], bytes]

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.names)

    def of_split(self, split: str) -> np.ndarray:
        """Returns the positions of a split's images.

        Raises:
          UserError: there is no such split, or it is empty.
        """
        return members(self.split, split, ByColumn(), "images")

    def in_classes(self, names: Sequence[str]) -> np.ndarray:
        """Tells which images are in any of these classes, of whatever level [N].

        Raises:
          UserError: there is no such class.
        """
        found = np.zeros(len(self), bool)
        for name in names:
            levels = [i for i, known in enumerate(self.classes) if name in known]
            if not levels:
                known = [one for classes in self.classes for one in classes]
                raise UserError(f"there is no class {name!r}.{nearest(name, known)}")
            for i in levels:
                found |= self.labels[:, i] == self.classes[i].index(name)
        return found

    def level(self, level: str) -> int:
        """Returns the position of a level.

        Raises:
          UserError: there is no such level.
        """
        if level not in self.levels:
            raise UserError(f"there is no level {level!r}; levels are {self.levels}")
        return self.levels.index(level)


class _Reader:
    """Reads single records of array_record; threads may share it."""

    def __init__(self, path: Path):
        self._path = path

    @cached_property
    def _source(self):
        import tensorflow_datasets as tfds

        versions = sorted((self._path / "pixels").glob("*.*.*"))
        return tfds.builder_from_directory(versions[-1]).as_data_source("train")

    def __call__(self, position: int) -> bytes:
        return self._source[int(position)]["image"]


def load_images(path: Path) -> ImageTable:
    """Opens prepared images.

    Args:
      path: folder that `recjax data prepare` made.

    Raises:
      UserError: it holds other data, or is damaged.
    """
    records.expect(path, "images")
    names, labels, split = [], [], []
    for record in records.read(path, "labels"):
        names.append(record["name"].decode())
        labels.append(record["labels"])
        split.append(int(record["split"]))
    levels, classes = [], []
    for record in records.read(path, "levels"):
        levels.append(record["level"].decode())
        classes.append(tuple(x.decode() for x in record["classes"]))
    return ImageTable(
        names=tuple(names),
        labels=np.array(labels, np.int32).reshape(len(names), len(levels)),
        levels=tuple(levels),
        classes=tuple(classes),
        split=np.array(split, np.int8),
        read=_Reader(path),
    )
