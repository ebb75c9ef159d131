"""The command `recjax push`."""

from __future__ import annotations

from pathlib import Path

import tyro

from recjax.cli.files import EventForm, Flat, refuse_unused


def push(
    bundle: tyro.conf.Positional[Path],
    to: str,
    items: str = "",
    name: str = "",
    *,
    form: Flat[EventForm],
) -> None:
    """Writes a bundle's vectors into Milvus or LanceDB; goes on where it stopped.

    Args:
      bundle: folder that `recjax export` wrote.
      to: milvus:URI (a server, or a file of this process) or lancedb:PATH.
      items: table (item or id, and any columns) to filter answers by; by default the
        columns that the bundle has.
      name: begins that of the collection; by default that of the bundle's folder.
      form: how the table is written.
    """
    from recjax.bundle.push import push as write

    refuse_unused(form, "--items", items)
    print(write(bundle, to, items, form.options, name))
