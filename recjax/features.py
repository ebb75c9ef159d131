"""What a model must know of a data set: the kinds and sizes of its features."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

Names = Callable[[], Sequence[str]]


@dataclass(frozen=True)
class IdFeature:
    """Ids of one kind in a padded array [B, L]; id 0 means that nothing is there.

    Attributes:
      rows: ids run from 1 to `rows - 1`.
      length: `L`.
      weight: starting importance of each id, for example its IDF [rows].
      vectors: what is known of each id beforehand [rows, D].
      names: gives what the ids from 1 on stand for, where that is learned from the
        data, as n-grams are; None where they are its rows.
      named: the experiment asks for it by name, so a model must read it.
      fitted: what was learned of the training rows to make it, as text.
      cut: ids stand at the front and padding costs time, so that columns without an id
        are left out where rows are embedded.
    """

    rows: int
    length: int
    weight: np.ndarray | None = field(default=None, repr=False, compare=False)
    vectors: np.ndarray | None = field(default=None, repr=False, compare=False)
    names: Names | None = field(default=None, repr=False, compare=False)
    named: bool = False
    fitted: str = field(default="", repr=False, compare=False)
    cut: bool = False


@dataclass(frozen=True)
class DenseFeature:
    """Real numbers [B, width]; all zero where the feature is missing.

    Attributes:
      width: how many.
      named: the experiment asks for it by name, so a model must read it.
      fitted: what was learned of the training rows to make it, as text.
    """

    width: int
    named: bool = False
    fitted: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class ImageFeature:
    """Pixels of 0 to 255 [B, size, size, 3]; all zero where there is no image.

    Attributes:
      size: pixels a side.
      named: the experiment asks for it by name, so a model must read it.
    """

    size: int
    named: bool = False


def unread(features: Features, read: Collection[str]) -> list[str]:
    """Returns the features that an experiment asks for and a model does not read."""
    asked = [n for n, f in features.items() if getattr(f, "named", False)]
    return [name for name in asked if name not in read]


def present(name: str) -> str:
    """Returns the name of the feature that tells which vectors of `name` exist.

    It is an identifier, since a SavedModel gives other inputs other names.
    """
    return f"{name}__present"


def field_of(name: str) -> str:
    """Returns the name of the feature that tells the field of each id of `name`."""
    return f"{name}__field"


Kind = TypeVar("Kind", IdFeature, DenseFeature, ImageFeature)
Feature = IdFeature | DenseFeature | ImageFeature
Features = Mapping[str, Feature]
Sides = Mapping[str, Features]
"""The features of each side of a model: {"query": ..., "candidate": ...}."""


def of_kind(features: Features, name: str, kind: type[Kind]) -> Kind:
    """Returns a feature of the kind that a model reads.

    Raises:
      ValueError: it is missing, or of another kind.
    """
    feature = features.get(name)
    if not isinstance(feature, kind):
        raise ValueError(
            f"the model reads {name!r} as {kind.__name__}; the data has "
            f"{type(feature).__name__ if feature else sorted(features)}"
        )
    return feature
