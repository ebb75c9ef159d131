"""The list of a bundle's files with their hashes, and the versions that wrote them."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from recjax.errors import UserError

NAME = "manifest.json"
_FORMAT = "recjax bundle 1"
_PACKAGES = (
    "recjax", "jax", "jaxlib", "flax", "numpy", "scann", "tensorflow", "tensorflow-cpu",
)  # fmt: skip


def write(folder: str | Path, info: Mapping[str, Any]) -> dict[str, Any]:
    """Writes manifest.json over all files below `folder` and returns its content.

    Args:
      folder: the bundle; every file in it is listed.
      info: whatever JSON a reader should know, such as names and sizes.
    """
    folder = Path(folder)
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": _sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / NAME
    }
    content = {
        "format": _FORMAT,
        "info": dict(info),
        "versions": versions(),
        "files": files,
    }
    # Renamed into place, so that a manifest is whole or absent.
    partial = folder / f"{NAME}.partial"
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / NAME)
    return content


def verify(folder: str | Path) -> dict[str, Any]:
    """Returns the manifest after comparing every file with it.

    Files that it does not list are ignored.

    Raises:
      UserError: the manifest or a listed file is missing, truncated or changed; the
        message names the file.
    """
    folder = Path(folder)
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}, expected {_FORMAT!r}")
        listed = [
            (name, int(entry["bytes"]), str(entry["sha256"]))
            for name, entry in content["files"].items()
        ]
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file; {folder} is not a bundle of recjax export"
        ) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a readable manifest ({error}); export the bundle anew"
        ) from error
    for name, size, digest in listed:
        _check(folder / name, size, digest)
    return content


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the installed packages that matter."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _check(path: Path, size: int, digest: str) -> None:
    if not path.is_file():
        raise UserError(f"{path}: missing, but {NAME} lists it; export the bundle anew")
    found = path.stat().st_size
    if found < size:
        raise UserError(
            f"{path}: truncated, {found} of {size} bytes; copy or export it again"
        )
    if found != size or _sha256(path) != digest:
        raise UserError(
            f"{path}: changed since the export (hash or size differ from {NAME}); "
            "export the bundle anew"
        )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
