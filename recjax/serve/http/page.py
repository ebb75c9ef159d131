"""The search page: one file, no network but this server, and what it shows of items."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import recjax.serve.http
from recjax.errors import UserError
from recjax.serve.http.limits import RefusedError
from recjax.serve.http.models import Model

MOST = 1_000
"""Items of one request."""
PICTURES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


@cache
def page() -> tuple[str, dict[str, str]]:
    """Returns the page, and headers that let it run its own script alone."""
    text = resources.files(recjax.serve.http).joinpath("page.html").read_text("utf-8")
    allowed = {
        tag: " ".join(
            f"'sha256-{_hash(part)}'"
            for part in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        )
        for tag in ("script", "style")
    }
    policy = (
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"script-src {allowed['script']}; style-src {allowed['style']}"
    )
    return text, {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def _hash(part: str) -> str:
    return base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()


def items(model: Model, ids: list[str], pictures: Mapping[str, Path]) -> dict[str, Any]:
    """Returns what there is to show of items.

    Raises:
      UserError: an id is unknown, or there are too many.
    """
    if len(ids) > MOST:
        raise UserError(f"{len(ids)} ids, of at most {MOST} a request")
    known, found = model.bundle.items, []
    for id in ids:
        if id not in known.rows:
            raise UserError(f"the bundle knows no item {id[:80]!r}")
        row = known.rows[id]
        about = {"id": id, "title": known.titles[row]}
        if picture(model, row, pictures) is not None:
            about["picture"] = f"/v1/models/{quote(model.name)}/items/{row}/picture"
        found.append(about)
    return {"items": found}


def picture(model: Model, row: int, pictures: Mapping[str, Path]) -> Path | None:
    """Returns the file that shows an item: its id, below the model's folder."""
    folder = pictures.get(model.name)
    if folder is None or not 0 <= row < len(model.bundle.items.ids):
        return None
    try:
        path = (folder / model.bundle.items.ids[row]).resolve()
        inside = path.is_relative_to(folder) and path.suffix.lower() in PICTURES
        return path if inside and path.is_file() else None
    except (OSError, ValueError):
        return None


def picture_file(
    model: Model, row: int, pictures: Mapping[str, Path]
) -> tuple[Path, str]:
    """Returns a picture and its type.

    Raises:
      RefusedError: the item has none (404).
    """
    found = picture(model, row, pictures)
    if found is None:
        raise RefusedError(404, f"item {row} has no picture")
    return found, PICTURES[found.suffix.lower()]
