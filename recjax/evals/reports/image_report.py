"""A page of pictures of an image run: what queries find, and what it is trained on."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from recjax.evals.embed import embed_images, images_of
from recjax.evals.reports.page import Section, page
from recjax.index.exact import Exact
from recjax.train.program import Program
from recjax.train.state import State

RIGHT, NEAR, WRONG, PLAIN = (
    (60, 169, 81),
    (239, 177, 24),
    (220, 70, 60),
    (150, 150, 150),
)
EDGE, GAP = 4, 6


def image_report(
    program: Program,
    state: State,
    split: str = "test",
    against: str = "train",
    rows: int = 12,
    columns: int = 8,
) -> str:
    """Returns an HTML page that needs no other file.

    Args:
      program: the opened experiment.
      state: the trained state.
      split: queries.
      against: gallery.
      rows: queries of each grid.
      columns: neighbours of each.
    """
    data = images_of(program)
    asked, held = data.table.of_split(split), data.table.of_split(against)
    queries, images = (
        embed_images(program, state, x, data.shown) for x in (asked, held)
    )
    found = Exact(images).search(queries, columns)[0]
    labels = data.table.labels
    shared = (labels[held[found]] == labels[asked][:, None]).cumprod(2).sum(2)
    levels = labels.shape[1]
    wrong = np.flatnonzero(shared[:, 0] < levels)
    some = np.random.default_rng(0)
    note = (
        f"The query stands on the left, its nearest {columns} of {against} beside it. "
        f"Green: the same {data.table.levels[-1]} class; yellow: they share a coarser "
        "level; red: none."
    )

    def drawn(queries: np.ndarray) -> bytes:
        chosen = np.sort(some.permutation(queries)[:rows])
        cells = np.concatenate([asked[chosen, None], held[found[chosen]]], 1)
        marks = [[PLAIN, *(_mark(s, levels) for s in shared[q])] for q in chosen]
        return grid([data.center_crops(row) for row in cells], marks)

    sections = [Section("Random queries", note, drawn(np.arange(len(asked))))]
    if len(wrong):
        share = f"{len(wrong):,} of {len(asked):,} queries find another class first."
        sections.append(Section("Wrong at the first place", share, drawn(wrong)))
    sections.append(_triplets(data, rows))
    return page(program.experiment.name, sections)


def grid(rows: Sequence[np.ndarray], marks: Sequence[Sequence[tuple]]) -> bytes:
    """Draws rows of pictures with coloured edges.

    Args:
      rows: pictures of each row, uint8 [n, size, size, 3].
      marks: their colours.

    Returns:
      PNG bytes.
    """
    from PIL import Image

    side = 112
    step = side + 2 * EDGE + GAP
    wide = max(map(len, rows))
    sheet = Image.new("RGB", (wide * step + GAP, len(rows) * step + GAP), "white")
    for y, (row, colours) in enumerate(zip(rows, marks, strict=True)):
        for x, (pixels, colour) in enumerate(zip(row, colours, strict=True)):
            framed = Image.new("RGB", (side + 2 * EDGE,) * 2, colour)
            framed.paste(Image.fromarray(pixels).resize((side, side)), (EDGE, EDGE))
            sheet.paste(framed, (GAP + x * step, GAP + y * step))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _triplets(data, rows: int) -> Section:
    """Shows the first triplets of the training, with their relevance."""
    drawn = data.triplets(0)
    places = np.stack([drawn.query, drawn.positive, drawn.negative], 1)[:rows]
    cells = data.training[places]
    table = [("query", "positive", "relevance", "negative", "relevance")]
    graded = zip(drawn.positive_relevance, drawn.negative_relevance, strict=True)
    for row, (near, far) in zip(cells, graded, strict=False):
        query, positive, negative = (data.table.names[i] for i in row)
        table.append((query, positive, f"{near:.2f}", negative, f"{far:.2f}"))
    colours = [[PLAIN, RIGHT, WRONG]] * len(cells)
    note = "Query, positive and negative of the first training step."
    picture = grid([data.center_crops(row) for row in cells], colours)
    return Section("Triplets", note, picture, table)


def _mark(shared: int, levels: int) -> tuple[int, int, int]:
    if shared == levels:
        return RIGHT
    return NEAR if shared else WRONG
