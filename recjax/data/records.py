"""Reading a prepared data set back: a folder of TFDS configs and `prepared.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recjax.errors import UserError

ABOUT = "prepared.json"
BLOCK = 8_192


def about(path: Path) -> dict[str, Any]:
    """Returns what `prepare` wrote about the data set in folder `path`.

    Raises:
      UserError: `path` is no prepared data set.
    """
    file = Path(path) / ABOUT
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is not a prepared data set ({file.name}: {_reason(error)}). "
            "Make one with `recjax data prepare`."
        ) from error
    if not isinstance(found, dict) or "kind" not in found:
        raise UserError(
            f"{file} is not a description that `recjax data prepare` wrote."
        )
    return found


def expect(path: Path, kind: str) -> dict[str, Any]:
    """Returns `about(path)` after checking that the data set is of that kind.

    Raises:
      UserError: `path` is no prepared data set, or one of another kind.
    """
    found = about(path)
    if found["kind"] != kind:
        raise UserError(f"{path} holds {found['kind']} data, {kind} data is needed.")
    return found


def read(path: Path, config: str, block: int = BLOCK) -> Iterator[dict[str, Any]]:
    """Yields the records of one config in the order they were written.

    Args:
      path: the prepared data set.
      config: name of a TFDS config in it.
      block: records held at a time.

    Raises:
      UserError: the records are missing or damaged.
    """
    import tensorflow_datasets as tfds

    versions = sorted((Path(path) / config).glob("*.*.*"))
    try:
        if not versions:
            raise FileNotFoundError(f"no folder {config}/ in it")
        source = tfds.builder_from_directory(versions[-1]).as_data_source("train")
        _check_sizes(Path(path), config)
        for start in range(0, len(source), block):
            stop = min(start + block, len(source))
            yield from source.__getitems__(list(range(start, stop)))
    # array_record and protobuf raise bare C++ errors of many types for damage.
    except Exception as error:
        raise UserError(
            f"Cannot read the {config} of the prepared data set {path}: "
            f"{_reason(error)}. Delete that folder and prepare it again."
        ) from error


def sizes(path: Path) -> dict[str, int]:
    """Returns the bytes of every file of records below `path`."""
    files = sorted(path.glob("*/*.*.*/*.array_record-*"))
    return {str(file.relative_to(path)): file.stat().st_size for file in files}


def _check_sizes(path: Path, config: str) -> None:
    # array_record gives empty records, not an error, for a file that was cut short.
    found = sizes(path)
    for name, size in about(path).get("bytes", {}).items():
        if name.startswith(f"{config}/") and found.get(name) != size:
            was = f"has {found[name]:,}" if name in found else "is not there"
            raise ValueError(f"{name} {was}, {size:,} bytes were written")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
