"""Labelled images: names, classes and splits in memory, pixels read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recjax.data.prepared import Prepared
from recjax.data.splits import ByColumn, members
from recjax.errors import UserError, nearest
from recjax.tables.typed import Table


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


def load_images(name: str | Path) -> ImageTable:
    """Opens the images of a prepared data set.

    Raises:
      UserError: it is not prepared, damaged, or has no labelled images.
    """
    known = Prepared.open(name)
    levels = tuple(known.settings.get("levels", ()))
    return images_of(known.table("image", "image", "split", *levels), levels)


def images_of(table: Table, levels: tuple[str, ...]) -> ImageTable:
    """Returns the columns of a table of images.

    Args:
      table: columns image, split, and one of categories for each level.
      levels: their names, from coarse to fine.
    """
    files, found = table["image"].texts, [table[level] for level in levels]
    splits = np.array(
        [SPLITS.get(name, -1) for name in table["split"].vocabulary], np.int8
    )
    labels = [np.asarray(column.array) - 1 for column in found]
    return ImageTable(
        names=tuple(table["id"].vocabulary),
        labels=np.stack(labels, 1) if labels else np.zeros((table.rows, 0), np.int32),
        levels=levels,
        classes=tuple(tuple(column.vocabulary)[1:] for column in found),
        split=splits[table["split"].array],
        read=files.encoded,
    )
