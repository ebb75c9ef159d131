"""The engines that a bundle can be pushed to, by their addresses."""

from __future__ import annotations

from pathlib import Path

from recjax.errors import UserError
from recjax.index.engine import Engine, Layout
from recjax.index.lance import Lance
from recjax.index.milvus import Milvus


def open_engine(to: str, layout: Layout) -> Engine:
    """Opens a collection, which need not exist yet.

    Args:
      to: "lancedb:PATH" or "milvus:URI"; a URI without "://" is a file.
      layout: of the collection.

    Raises:
      UserError: neither of these, its package is not installed, or it does not answer.
    """
    kind, _, place = to.partition(":")
    if kind == "lancedb" and place:
        return Lance.open(place, layout)
    if kind == "milvus" and place:
        return Milvus.open(place, layout)
    raise UserError(f"--to {to}: write lancedb:PATH or milvus:URI")


def absolute(to: str) -> str:
    """Returns where an engine is, from whatever folder it is asked."""
    kind, _, place = to.partition(":")
    if not place or "://" in place:
        return to
    return f"{kind}:{Path(place).resolve()}"
