"""Judged triplets of the user: similarity precision and score-at-top-K of a run."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from recjax.data.pipeline import HostBatch
from recjax.errors import UserError
from recjax.evals.embed import Show, embed_images, images_of
from recjax.images.decode import BadImageError
from recjax.metrics.similarity import Precision, score_at_top, similarity_precision
from recjax.tables.columns import Column
from recjax.tables.read import header, read
from recjax.tables.report import Findings
from recjax.tables.result import Options
from recjax.train.program import Program
from recjax.train.state import State

log = logging.getLogger(__name__)
COLUMNS = ("query_image", "positive_image", "negative_image")
SHOWN = 5


@dataclass(frozen=True)
class TripletFigures:
    """How a run does on judged triplets.

    Attributes:
      precision: similarity precision.
      left_out: triplets with an image that cannot be decoded.
      bad: such images -> why.
      score: score-at-top-K; None without pools.
      k: `K`.
    """

    precision: Precision
    left_out: int
    bad: Mapping[str, str]
    score: int | None
    k: int

    def __str__(self) -> str:
        """For people."""
        lines = [f"similarity precision: {self.precision}"]
        if self.score is not None:
            lines.append(f"score-at-top-{self.k}: {self.score:,}")
        if self.bad:
            lines.append(
                f"{self.left_out:,} triplets left out: {len(self.bad):,} images cannot "
                "be decoded"
            )
            shown = list(self.bad.items())[:SHOWN]
            lines += [f"  {name}: {reason}" for name, reason in shown]
            if len(self.bad) > SHOWN:
                lines.append(f"  ... and {len(self.bad) - SHOWN:,} more")
        return "\n".join(lines)


class ImageEmbedder(Protocol):
    """From bytes of image files to embeddings."""

    def pixels(self, data: bytes) -> np.ndarray:
        """Decodes an image as the model sees it, uint8 [size, size, 3].

        Raises:
          BadImageError: it cannot be decoded.
        """

    def embed(self, names: Sequence[str], show: Show) -> np.ndarray:
        """Returns vectors of length 1 [n, D] of what `show` reads block by block."""


@dataclass(frozen=True)
class RunImageEmbedder:
    """Embeds images with a trained run.

    Attributes:
      program: the opened experiment.
      state: the trained state.
    """

    program: Program
    state: State

    def pixels(self, data: bytes) -> np.ndarray:
        """See `ImageEmbedder`."""
        settings = images_of(self.program).settings
        return settings.center_crop(data, settings.size)

    def embed(self, names: Sequence[str], show: Show) -> np.ndarray:
        """See `ImageEmbedder`."""
        return embed_images(self.program, self.state, names, show)


def evaluate_triplets(
    embedder: ImageEmbedder,
    triplets: Path,
    images: Path,
    pools: Path | None = None,
    k: int = 30,
    options: Options | None = None,
) -> TripletFigures:
    """Embeds each image once and compares distances.

    Args:
      embedder: of a run or of a bundle.
      triplets: table with query_image, positive_image, negative_image and, for pools,
        text_query; paths below `images`.
      images: folder of the images.
      pools: table with text_query and image: what is ranked for each query image.
      k: `K` of score-at-top-K.
      options: how the tables are read.

    Raises:
      UserError: a file, column or image is missing, or every triplet is left out.
    """
    options = options or Options()
    columns = COLUMNS if pools is None else (*COLUMNS, "text_query")
    rows = _read(triplets, columns, options)
    pool = None if pools is None else _read(pools, ("text_query", "image"), options)
    named = [rows[c] for c in COLUMNS] + ([] if pool is None else [pool["image"]])
    names = list(dict.fromkeys(name for column in named for name in column))
    _all_there(names, images, pools or triplets)
    good, bad = [], {}

    def show(block: Sequence[str]) -> HostBatch:
        pixels = [embedder.pixels((images / name).read_bytes()) for name in block]
        return {"image": np.stack(pixels)}

    for name in names:
        # Decoded twice: to hold all pixels would take memory with their number.
        try:
            embedder.pixels((images / name).read_bytes())
            good.append(name)
        except BadImageError as error:
            bad[name] = str(error)
    place = {name: i for i, name in enumerate(good)}
    count = len(rows[COLUMNS[0]])
    used = [i for i in range(count) if all(rows[c][i] in place for c in COLUMNS)]
    if not used:
        raise UserError(f"{triplets}: no triplet is left; {len(bad)} images are bad")
    vectors = embedder.embed(good, show)
    q, p, n = (np.array([place[rows[c][i]] for i in used]) for c in COLUMNS)
    near, far = (((vectors[q] - vectors[x]) ** 2).sum(1) for x in (p, n))
    score = None
    if pool is not None:
        text = [rows["text_query"][i] for i in used]
        score = _score(vectors, place, pool, q, p, n, text, k)
    precision = similarity_precision(near, far, q)
    return TripletFigures(precision, count - len(used), bad, score, k)


def _score(vectors, place, pool, query, positive, negative, text, k: int) -> int:
    """Ranks each query image's pool by distance to it."""
    members: dict[str, list[int]] = {}
    for name, image in zip(pool["text_query"], pool["image"], strict=True):
        if image in place:
            members.setdefault(name, []).append(place[image])
    ranks: dict[Hashable, dict[int, int]] = {}
    for image, name in dict.fromkeys(zip(query.tolist(), text, strict=True)):
        if name not in members:
            raise UserError(f"no pool of text_query {name!r} is given; add its images")
        inside = np.array([i for i in dict.fromkeys(members[name]) if i != image])
        order = inside[np.argsort(-(vectors[inside] @ vectors[image]), kind="stable")]
        ranks[image, name] = {int(i): at for at, i in enumerate(order, start=1)}
    keys = list(zip(query.tolist(), text, strict=True))
    return score_at_top(keys, ranks, positive.tolist(), negative.tolist(), k)


def _read(path: Path, columns: Sequence[str], options: Options) -> dict[str, list[str]]:
    findings, schema = Findings(), [Column(name, "id") for name in columns]
    # What is said for one of two tables may not be there in the other.
    there = header(path, replace(options, rename={}), Findings()) or ()
    kept = {name: ours for name, ours in options.rename.items() if name in there}
    options = replace(options, rename=kept)
    found = read(path, schema, options, findings)
    report = findings.report()
    if found is None or not report.ok:
        raise UserError(str(report))
    table = found.table
    return {name: table[name].vocabulary.take(table[name].array) for name in columns}


def _all_there(names: Sequence[str], images: Path, file: Path) -> None:
    missing = [name for name in names if not (images / name).is_file()]
    if missing:
        shown = ", ".join(map(repr, missing[:SHOWN]))
        raise UserError(
            f"{file} names {len(missing):,} images that are not in {images}: {shown}"
            f"{', ...' if len(missing) > SHOWN else ''}; give the right --images"
        )
