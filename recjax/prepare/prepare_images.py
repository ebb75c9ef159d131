"""Preparing the user's own images: checked, decoded once, written as array_record."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from recjax.prepare.datasets.images import OwnImages
from recjax.prepare.image_folder import validate_images
from recjax.prepare.prepare import OnBadRow, prepare_own


def prepare_images(
    source: str | Path,
    *,
    out: str | Path,
    on_bad_row: OnBadRow = "error",
    max_bad_share: float = 0.01,
) -> Path:
    """Checks and prepares your own labelled images; as `prepare_interactions`.

    Args:
      source: a folder of class folders, or a CSV with the column image and one of class
        names for each level; see `recjax.prepare.image_folder`.
      out: name or path of the data set; see `place`.
      on_bad_row: "error" or "skip"; each image is decoded once.
      max_bad_share: the largest share of images that "skip" leaves out.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: an image, an argument or `out` is bad; with the whole report.
    """
    return prepare_own(
        "images",
        partial(validate_images, source),
        lambda c: partial(OwnImages, data=c.table),
        # A folder has no hash: the images are looked at each time.
        {"images": Path(source) if Path(source).is_dir() else Path(source).parent},
        {},
        out=out,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )
