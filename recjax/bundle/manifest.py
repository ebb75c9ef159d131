"""The list of a bundle's files with their hashes, and the versions that wrote them."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from recjax import disk
from recjax.errors import UserError

NAME = "manifest.json"
_FORMAT = "recjax bundle 2"
_PACKAGES = (
    "recjax", "jax", "jaxlib", "flax", "numpy", "scann", "tensorflow", "tensorflow-cpu",
)  # fmt: skip
_BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)


def write(folder: Path, info: Mapping[str, Any]) -> dict[str, Any]:
    """Writes manifest.json over all files below `folder` and returns its content.

    `info` is whatever JSON a reader should know, such as names and sizes.
    """
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": _sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / NAME
    }
    content = {"format": _FORMAT, "info": info, "versions": versions(), "files": files}
    disk.write_text(folder / NAME, json.dumps(content, indent=1) + "\n")
    return content


def verify(folder: Path) -> dict[str, Any]:
    """Returns the manifest after comparing every file with it.

    Files that it does not list are ignored.

    Raises:
      UserError: the manifest or a listed file is missing, truncated or changed, lies
        outside the folder, or an older recjax wrote it; the message names the file.
    """
    path, inside = folder / NAME, folder.resolve()
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse)
        if content["format"] != _FORMAT:
            raise UserError(
                f"{path}: format {content['format']!r}, this recjax reads {_FORMAT!r}: "
                "export the run anew (one of recjax 0.1 must be trained anew first)"
            )
        for name, entry in content["files"].items():
            if not (folder / name).resolve().is_relative_to(inside):
                raise UserError(
                    f"{path} lists {name!r}, which lies outside the bundle: do not use "
                    "this bundle"
                )
            if not isinstance(entry["bytes"], int) or not isinstance(
                entry["sha256"], str
            ):
                raise TypeError(f"{name}: {entry}")
        if not isinstance(content.setdefault("info", {}), dict):
            raise TypeError(f"info: {content['info']}")
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file; {folder} is not a bundle of recjax export"
        ) from error
    except _BROKEN as error:
        raise UserError(
            f"{path}: not a readable manifest ({error}); export the bundle anew"
        ) from error
    for name, entry in content["files"].items():
        _check(folder / name, entry["bytes"], entry["sha256"])
    return content


def model_name(bundle: Path) -> str:
    """Returns what a server calls a bundle: its folder's name, or that above a number.

    "shop" of bundles/shop, and of bundles/shop/3.
    """
    bundle = bundle.resolve()
    return (bundle.parent if bundle.name.isdecimal() else bundle).name


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the installed packages that matter."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


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
