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
    check_items(path)
    return ItemVectors.open(Path(path))


def check_items(path: str | Path) -> None:
    """Checks the files of a bundle; a folder without a manifest has nothing to check.

    Raises:
      UserError: a file is missing or damaged, or it is of another recjax.
    """
    if (Path(path) / manifest.NAME).exists():
        manifest.verify(Path(path))


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
