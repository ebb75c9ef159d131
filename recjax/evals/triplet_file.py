"""Judged triplets of the user: what is near whom, by one scorer or several."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recjax.errors import UserError
from recjax.evals.triplet_scorers import TripletScorer
from recjax.images.decode import BadImageError
from recjax.metrics.similarity import Precision, score_at_top, similarity_precision
from recjax.tables.columns import Column
from recjax.tables.read import header, read
from recjax.tables.report import Findings
from recjax.tables.result import Options

log = logging.getLogger(__name__)
COLUMNS = ("query_image", "positive_image", "negative_image")
SHOWN = 5
BLOCK, TELL_SECONDS = 64, 10
"""Images at a time; seconds between two lines of progress."""


@dataclass(frozen=True)
class TripletFigures:
    """How scorers do on the same judged triplets.

    Attributes:
      precision: scorer -> its similarity precision; the first is what others are
        compared with.
      score: scorer -> its score-at-top-K; empty without pools.
      k: `K`.
      bad: images that cannot be decoded -> why.
      left_out: why triplets are left out -> how many.
      told: what else is to be known of the triplets -> how many.
    """

    precision: Mapping[str, Precision]
    score: Mapping[str, int] = field(default_factory=dict)
    k: int = 30
    bad: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """For people."""
        first, *others = self.precision
        own = self.precision[first]
        wide = max(map(len, self.precision))
        lines = [f"similarity precision: {own}"]
        if others:
            lines[0] = f"similarity precision, and how far above {first}:"
            lines.append(f"  {first:{wide}}  {own}")
        for name in others:
            one = self.precision[name]
            lines.append(f"  {name:{wide}}  {one}  {one.against(own)}")
        for name, score in self.score.items():
            of = f" of {name}" if others else ""
            lines.append(f"score-at-top-{self.k}{of}: {score:,}")
        lines += [f"{n:,} triplets left out: {why}" for why, n in self.left_out.items()]
        lines += [f"  {name}: {why}" for name, why in list(self.bad.items())[:SHOWN]]
        if len(self.bad) > SHOWN:
            lines.append(f"  ... and {len(self.bad) - SHOWN:,} more")
        return "\n".join([*lines, *(f"{n:,} {what}" for what, n in self.told.items())])


def evaluate_triplets(
    scorers: Mapping[str, TripletScorer],
    triplets: Path,
    images: Path,
    pools: Path | None = None,
    k: int = 30,
    options: Options | None = None,
) -> TripletFigures:
    """Embeds each image once by each scorer, and compares distances.

    Triplets that say nothing of a scorer are left out: with an image that cannot be
    decoded, or in which two of the three are the same picture.

    Args:
      scorers: name -> scorer; see `recjax.evals.triplet_scorers`.
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
    log.info("%d triplets of %d images", len(rows[COLUMNS[0]]), len(names))
    known = _embedded(scorers, names, images)
    three = np.array([[known.place.get(n, -1) for n in rows[c]] for c in COLUMNS]).T
    picture = np.append(known.picture, -1)[three]
    kept, left_out = _telling(picture)
    if not kept.any():
        reasons = "; ".join(f"{n:,}: {why}" for why, n in left_out.items())
        raise UserError(f"{triplets}: no triplet is left ({reasons})")
    precision, score = {}, {}
    for name, scorer in scorers.items():
        vectors = known.vectors[name]
        near, far = _distances(scorer, vectors, three[kept])
        precision[name] = similarity_precision(near, far, picture[kept, 0])
        if pool is not None:
            text = [rows["text_query"][i] for i in np.flatnonzero(kept)]
            score[name] = _score(
                scorer, vectors, known.place, pool, three[kept], text, k
            )
    told = _repeats(picture[kept])
    return TripletFigures(precision, score, k, known.bad, left_out, told)


@dataclass(frozen=True)
class Known:
    """Images, embedded.

    Attributes:
      place: name of an image that can be decoded -> its row.
      picture: a number for each row, the same for files of the same bytes i64[n].
      vectors: scorer -> vectors [n, W].
      bad: other images -> why.
    """

    place: Mapping[str, int]
    picture: np.ndarray
    vectors: Mapping[str, np.ndarray]
    bad: Mapping[str, str]


def _embedded(
    scorers: Mapping[str, TripletScorer], names: Sequence[str], images: Path
) -> Known:
    """Embeds images block by block; tells how far it is."""
    place: dict[str, int] = {}
    bad: dict[str, str] = {}
    digests: dict[bytes, int] = {}
    picture: list[int] = []
    parts: dict[str, list[np.ndarray]] = {name: [] for name in scorers}
    began = told = time.monotonic()
    for start in range(0, len(names), BLOCK):
        seen: dict[str, list[np.ndarray]] = {name: [] for name in scorers}
        for name in names[start : start + BLOCK]:
            data = (images / name).read_bytes()
            try:
                # All read it before one keeps it.
                read_by = {n: scorer.read(data) for n, scorer in scorers.items()}
            except BadImageError as error:
                bad[name] = str(error)
                continue
            place[name] = len(place)
            digest = hashlib.sha256(data).digest()
            picture.append(digests.setdefault(digest, len(digests)))
            for scorer, found in read_by.items():
                seen[scorer].append(found)
        for name, scorer in scorers.items():
            if seen[name]:
                parts[name].append(scorer.embed(np.stack(seen[name])))
        done, now = min(start + BLOCK, len(names)), time.monotonic()
        if now - told > TELL_SECONDS:
            told, left = now, (now - began) / done * (len(names) - done)
            log.info("images: %d/%d, %.0f s left", done, len(names), left)
    vectors = {n: scorers[n].together(np.concatenate(p)) for n, p in parts.items() if p}
    return Known(place, np.array(picture, np.int64), vectors, bad)


def _telling(picture: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Returns which triplets say something of a scorer, and why others do not.

    Args:
      picture: of query, positive and negative, -1 where it cannot be decoded [T, 3].
    """
    query, positive, negative = picture.T
    reasons = {
        "an image cannot be decoded": (picture < 0).any(1),
        "the query is its own positive or negative": (query == positive)
        | (query == negative),
        "positive and negative are the same picture": positive == negative,
    }
    kept, left_out = np.ones(len(picture), bool), {}
    for why, are in reasons.items():
        if count := int((are & kept).sum()):
            left_out[why] = count
        kept &= ~are
    return kept, left_out


def _repeats(picture: np.ndarray) -> dict[str, int]:
    """Returns how many triplets are there twice, or judged the other way round too."""
    once = np.unique(picture, axis=0)
    mirrored = np.concatenate([once, once[:, [0, 2, 1]]])
    both = len(mirrored) - len(np.unique(mirrored, axis=0))
    said = {
        "triplets repeat another; each counts": len(picture) - len(once),
        "triplets are judged the other way round by another": both,
    }
    return {what: count for what, count in said.items() if count}


def _distances(
    scorer: TripletScorer, vectors: np.ndarray, three: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far positive and negative are from the query, [T] each."""
    found = [-scorer.score(vectors[[q]], vectors[[p, n]])[0] for q, p, n in three]
    near, far = np.array(found).T
    return near, far


def _score(
    scorer: TripletScorer,
    vectors: np.ndarray,
    place: Mapping[str, int],
    pool: Mapping[str, list[str]],
    three: np.ndarray,
    text: Sequence[str],
    k: int,
) -> int:
    """Ranks each query image's pool by distance to it."""
    members: dict[str, list[int]] = {}
    for name, image in zip(pool["text_query"], pool["image"], strict=True):
        if image in place:
            members.setdefault(name, []).append(place[image])
    query, positive, negative = three.T.tolist()
    keys = list(zip(query, text, strict=True))
    ranks: dict[Hashable, dict[int, int]] = {}
    for image, name in dict.fromkeys(keys):
        if name not in members:
            raise UserError(f"no pool of text_query {name!r} is given; add its images")
        inside = np.array([i for i in dict.fromkeys(members[name]) if i != image], int)
        found = scorer.score(vectors[[image]], vectors[inside])[0]
        order = inside[np.argsort(-found, kind="stable")]
        ranks[image, name] = {int(i): at for at, i in enumerate(order, start=1)}
    return score_at_top(keys, ranks, positive, negative, k)


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
