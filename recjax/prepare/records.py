"""Tables as TFDS data sets of array_record: a record holds a block of rows.

A record a row would be decoded a million times; a record of some megabytes of columns
is read whole. Records keep their order, so that codes stay the positions of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from recjax.tables.typed import Ragged
from recjax.text.column import Texts, pack

VERSION = "2.0.0"
ROWS, BYTES = 65_536, 4 << 20
"""Most rows of a record, and bytes that it has about at most."""


@dataclass(frozen=True)
class Stored:
    """A column as it lies on disk.

    Attributes:
      values: the rows.
      labels: what its codes stand for; None where another table says.
    """

    values: np.ndarray | Ragged | Texts
    labels: Texts | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns suffix of the file -> flat array."""
        if isinstance(self.values, Texts):
            found = {"": self.values.data, ".start": self.values.offsets}
        elif isinstance(self.values, Ragged):
            found = {"": self.values.values, ".start": self.values.start}
        else:
            found = {"": self.values}
        if self.labels is not None:
            found |= {".labels": self.labels.data, ".labels.start": self.labels.offsets}
        return found

    def features(self) -> dict[str, Any]:
        """Returns the TFDS features of a block of rows."""
        flat = self.arrays()
        found: dict[str, Any] = {"values": _array(flat[""])}
        if ".start" in flat:
            found["lengths"] = _array(np.zeros(0, np.int64))
        if self.labels is not None:
            found["labels"] = {
                "values": _array(self.labels.data),
                "lengths": _array(np.zeros(0, np.int64)),
            }
        return found

    def block(self, start: int, stop: int) -> dict[str, Any]:
        """Returns some rows; the labels come with the first."""
        flat = self.arrays()
        found: dict[str, Any] = {}
        if ".start" in flat:
            bounds = flat[".start"][start : stop + 1]
            found["values"] = flat[""][bounds[0] : bounds[-1]]
            found["lengths"] = np.diff(bounds)
        else:
            found["values"] = flat[""][start:stop]
        if self.labels is not None:
            own = pack([]) if start else self.labels
            found["labels"] = {"values": own.data, "lengths": np.diff(own.offsets)}
        return found


def write_records(
    folder: Path, name: str, rows: int, columns: Mapping[str, Stored]
) -> None:
    """Writes a table as the TFDS config `name`, below `folder`.

    Args:
      folder: the config's folder; it gets one for the version.
      name: of the table.
      rows: of the table.
      columns: name of the feature -> column.
    """
    place = folder / VERSION
    place.mkdir(parents=True)
    identity = tfds.core.DatasetIdentity(
        name="recjax",
        version=tfds.core.Version(VERSION),
        data_dir=str(place),
        module_name=__name__,
        config_name=name,
        config_description=f"{rows} rows in blocks",
    )
    features = {key: column.features() for key, column in columns.items()}
    info = tfds.core.DatasetInfo(
        builder=identity,
        features=tfds.features.FeaturesDict(features),
        disable_shuffling=True,  # positions in the file are the codes of others
    )
    # TFDS's builders gather a gigabyte in memory first; its sequential writer does not.
    writer = tfds.core.SequentialWriter(info, 1 << 40, file_format="array_record")
    writer.initialize_splits(["train"])
    for start, stop in _blocks(rows, columns):
        block = {key: column.block(start, stop) for key, column in columns.items()}
        writer.add_examples({"train": [block]})
    writer.close_splits(["train"])


def _blocks(rows: int, columns: Mapping[str, Stored]) -> Iterator[tuple[int, int]]:
    size = sum(
        values.nbytes for c in columns.values() for values in c.arrays().values()
    )
    step = max(1, min(ROWS, BYTES * rows // max(size, 1)))
    # A config without any record cannot be opened.
    for start in range(0, max(rows, 1), step):
        yield start, min(start + step, rows)


def _array(like: np.ndarray) -> tfds.features.Tensor:
    return tfds.features.Tensor(
        shape=(None, *like.shape[1:]),
        dtype=like.dtype.type,
        encoding=tfds.features.Encoding.BYTES,
    )
