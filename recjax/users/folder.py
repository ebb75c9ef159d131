"""The folder of profiles that `build` makes: its store, and what it was made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recjax.bundle.items import data_of, open_items
from recjax.data.identity import Identity
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.users.settings import Settings
from recjax.users.shard import Job
from recjax.users.store import SqliteStore

MANIFEST = "manifest.json"
STORE = "profiles.sqlite"


@dataclass(frozen=True)
class Made:
    """What a folder of profiles was made of.

    Attributes:
      job: the job.
      vectors: folder of the item vectors.
      digest: of these.
      data: that they are of, if they were a bundle's.
    """

    job: Job
    vectors: Path
    digest: str
    data: Identity | None


def read_manifest(folder: Path) -> Made:
    """Returns what a folder of profiles was made of.

    Raises:
      UserError: there is no manifest, or it is broken.
    """
    try:
        content = json.loads((Path(folder) / MANIFEST).read_text())
        told = dict(content["job"])
        job = Job(settings=Settings(**told.pop("settings")), **told)
        data = content["data"] and Identity.read(content["data"])
        return Made(job, Path(content["vectors"]), str(content["digest"]), data)
    except FileNotFoundError:
        raise UserError(
            f"{folder}/{MANIFEST}: no such file; `recjax users build` writes it last"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}/{MANIFEST}: not readable: {error!r}; build the profiles again"
        ) from None


def open_profiles(folder: Path) -> tuple[SqliteStore, ItemVectors, Job]:
    """Opens profiles, and the item vectors that they were made with.

    Raises:
      UserError: one of them is missing or damaged, or the vectors are others now.
    """
    made = read_manifest(folder)
    items = open_items(made.vectors)
    if items.digest != made.digest:
        now, whose = data_of(made.vectors), ""
        if made.data is not None or now is not None:
            whose = f"\n  were of {made.data}\n  are of  {now}\n "
        raise UserError(
            f"{folder} was built with other items or vectors than {made.vectors} holds "
            f"now:{whose} build the profiles again with those, or put those of before "
            "back"
        )
    return SqliteStore(Path(folder) / STORE), items, made.job


def items_of(folder: Path) -> tuple[ItemVectors, dict[str, Any]]:
    """Returns the items that profiles are of, and what a bundle is to say of them.

    Raises:
      UserError: see `open_profiles`.
    """
    _, items, _ = open_profiles(folder)
    made = read_manifest(folder)
    data = None if made.data is None else made.data.told
    return items, {"experiment": "users", "data": data, "parameters": made.digest}
