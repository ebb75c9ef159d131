"""Item vectors that stay on disk: a bundle, or any folder with the same two files.

vectors.npy   float32 [N, D], or fewer bits: see `compact`
items.jsonl   one JSON object an item, in the order of the vectors: id, title
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recjax import disk
from recjax.errors import UserError
from recjax.index import compact
from recjax.index.compact import Compact, Vectors

Best = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""Number of results -> the best items and their scores, [B, K]."""
_BROKEN = (OSError, ValueError, LookupError, AttributeError, TypeError, RuntimeError)


@dataclass(frozen=True)
class Found:
    """One result.

    Attributes:
      id: the item's own id.
      title: what to show a person.
      score: of the item, such as its dot product with the query.
    """

    id: str
    title: str
    score: float


@dataclass(frozen=True)
class ItemVectors:
    """Vectors of N items.

    Attributes:
      ids: item ids.
      titles: what to show a person.
      vectors: [N, D], read from disk where it is asked for.
      place: name of the file, for messages.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    vectors: Vectors
    place: str = "vectors"

    @classmethod
    def open(cls, folder: Path) -> ItemVectors:
        """Opens a folder; the vectors are mapped into memory, not read.

        Raises:
          UserError: a file is missing or broken, or the two do not fit.
        """
        folder = Path(folder)
        try:
            ids, titles = _read_items(folder / "items.jsonl")
            # Not np.load, which opens archives and pickles too.
            vectors = np.lib.format.open_memmap(folder / "vectors.npy", mode="r")
            if vectors.ndim != 2 or len(vectors) != len(ids):
                raise ValueError(
                    f"vectors.npy has shape {vectors.shape}, items.jsonl {len(ids)} "
                    "lines; write one vector an item"
                )
            if vectors.dtype.kind not in "fiu":
                raise ValueError(f"vectors.npy holds {vectors.dtype}, not float32")
            vectors = compact.opened(folder, vectors)
        except FileNotFoundError as error:
            raise UserError(
                f"{error.filename}: no such file; {folder} must be a bundle, or hold "
                "vectors.npy and items.jsonl"
            ) from None
        except (*_BROKEN, OverflowError) as error:
            said = f"{folder}: not readable as item vectors: {error}"
            raise UserError(said) from None
        return cls(ids, titles, vectors, f"{folder}/vectors.npy")

    @cached_property
    def rows(self) -> dict[str, int]:
        """Id -> row of the vectors."""
        return {id: row for row, id in enumerate(self.ids)}

    @cached_property
    def digest(self) -> str:
        """What tells them from others: a hash of all ids and all vectors, 1.4 GB/s."""
        vectors = np.ascontiguousarray(self.vectors)
        found = hashlib.sha256(json.dumps(self.ids).encode())
        found.update(repr((vectors.shape, vectors.dtype.str)).encode())
        found.update(vectors.view(np.uint8).data)
        return found.hexdigest()

    def found(
        self, rows: np.ndarray, scores: np.ndarray, hidden: Collection[str] = ()
    ) -> list[Found]:
        """Returns some rows as results, but no row -1 and no hidden id."""
        return [
            Found(self.ids[row], self.titles[row], float(score))
            for row, score in zip(rows, scores, strict=True)
            if row >= 0 and self.ids[row] not in hidden
        ]

    def unit(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns the vectors of some rows with length 1: float32 [len(rows), D].

        Raises:
          UserError: a vector has no direction: zero, NaN or infinite.
        """
        rows = np.asarray(rows, np.int64)
        found = np.asarray(self.vectors[rows], np.float32)
        length = np.sqrt(np.einsum("ij,ij->i", found, found, dtype=np.float64))
        wrong = np.flatnonzero(~((length > 0) & np.isfinite(length)))
        if len(wrong):
            row = int(rows[wrong[0]])
            raise UserError(
                f"{self.place}, row {row} (item {self.ids[row]!r}): the vector has "
                f"length {length[wrong[0]]:g} and no direction; leave the item out of "
                "the events, or give it a vector"
            )
        return (found / length[:, None]).astype(np.float32)


def write_vectors(
    folder: Path, ids: Sequence[str], titles: Sequence[str], vectors: Vectors
) -> None:
    """Writes a folder that `ItemVectors.open` reads.

    Who has files of before open keeps them as they were.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with disk.whole(folder / "vectors.npy") as path, path.open("wb") as file:
        few = isinstance(vectors, Compact)
        np.save(file, vectors.stored if few else np.asarray(vectors, np.float32))
    if isinstance(vectors, Compact):
        disk.write_text(folder / compact.NAME, vectors.about())
    else:
        (folder / compact.NAME).unlink(missing_ok=True)
    with disk.whole(folder / "items.jsonl") as path, path.open("wb") as file:
        for id, title in zip(ids, titles, strict=True):
            file.write(json.dumps({"id": str(id), "title": title}).encode() + b"\n")


def _read_items(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns ids and titles.

    Raises:
      UserError: a row is no item, or has an id that an earlier one has; names it.
    """
    ids: dict[str, int] = {}
    titles = []
    with path.open(encoding="utf-8-sig") as file:
        for row, line in enumerate(file, 1):
            try:
                item = json.loads(line)
                id, title = item["id"], item.get("title", "")
                if isinstance(id, bool | float) or not isinstance(id, str | int):
                    raise TypeError(f"the id {id!r} is neither text nor a whole number")
            except _BROKEN as error:
                raise UserError(
                    f"{path}, row {row}: {line.strip()[:60]!r} is no item ({error!r}); "
                    'write {"id": "...", "title": "..."}'
                ) from None
            if (first := ids.setdefault(str(id), row)) != row:
                raise UserError(
                    f"{path}, row {row}: the id {str(id)!r} stands in row {first} too; "
                    "give each item one row, and one vector"
                )
            titles.append(str(title))
    return tuple(ids), tuple(titles)


def best_of(
    items: ItemVectors, best: Best, k: int, hidden: Sequence[Collection[str]] = ()
) -> list[list[Found]]:
    """Returns the best `k` of each row without `hidden` ids, of what `best` gives.

    Raises:
      UserError: `k` is not positive.
    """
    if k < 1:
        raise UserError(f"k = {k}: ask for at least one result")
    rows, scores = best(k + max(map(len, hidden), default=0))
    found = zip(rows, scores, hidden or [()] * len(rows), strict=True)
    return [items.found(*one)[:k] for one in found]
