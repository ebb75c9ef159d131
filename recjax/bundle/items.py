"""The items of a bundle, for programs that ask it nothing else: they need no JAX."""

from __future__ import annotations

from pathlib import Path

from recjax import disk
from recjax.bundle import manifest
from recjax.data.identity import Identity
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors


def open_items(path: str | Path) -> ItemVectors:
    """Opens the items of a bundle, checked, or of a folder without a manifest."""
    folder = Path(path)
    if (folder / manifest.NAME).exists():
        manifest.verify(folder)
    return ItemVectors.open(folder)


def data_of(path: str | Path) -> Identity | None:
    """Returns the data that a bundle is of; None where it says nothing of it.

    Raises:
      UserError: its manifest is damaged.
    """
    file = Path(path) / manifest.NAME
    if not file.is_file():
        return None
    told = disk.read_json(file, "export it anew").get("info", {}).get("data")
    try:
        return None if told is None else Identity.read(told)
    except TypeError as error:
        raise UserError(f"{file}: not a readable manifest ({error})") from error
