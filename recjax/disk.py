"""Writing to a disk that may be full: whole or not at all, and told in one message."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recjax.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FAULTS = (*FULL, errno.EROFS, errno.EIO)
"""What a disk refuses whatever is written; other errors have other causes too."""


GO_ON = (
    "free space or choose another --workdir, then run the same command again to go on"
)
"""The fix of everything that belongs to a run."""


@contextlib.contextmanager
def writing(what: str, place: Path, fix: str) -> Iterator[None]:
    """Tells what the disk refuses while `place` is written as the user's error.

    Args:
      what: is written, for example "the bundle".
      place: the file or folder; temporary ones beside it have its name in theirs.
      fix: what the user can do about it.

    Raises:
      UserError: instead of an error of the disk. Other errors pass, those of files
        elsewhere too.
    """
    try:
        yield
    except Exception as error:
        reason = _reason(error, Path(os.path.abspath(place)))
        if reason is None:
            raise
        raise UserError(f"cannot write {what} {place}: {reason}; {fix}") from error


def write_text(path: Path, text: str) -> None:
    """Writes a file that appears at once and whole; else the one before stays.

    Raises:
      OSError: it cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file of bytes in the same way.

    Raises:
      OSError: it cannot be written.
    """
    with whole(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Gives the name of a file to write; once that is done, it becomes `path`.

    Raises:
      OSError: it cannot be written; `path` is as before.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            # Some file systems tell of a full disk only here.
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path, fix: str, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """Returns the JSON object that a file holds.

    Args:
      path: the file.
      fix: what the user can do where it is damaged.
      kinds: key that must be there -> type of its value.

    Raises:
      UserError: it is damaged.
      OSError: it cannot be read.
    """
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise TypeError("no JSON object")
        for key, kind in kinds.items():
            if not isinstance(found[key], kind):
                raise TypeError(f"{key} = {found[key]!r}")
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error!r}; {fix}") from error
    return found


class Appender:
    """A file to whose end records are written, each whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file."""
        # A buffer would keep what cannot be written, and fail once more in close().
        self._file = path.open("ab", buffering=0)

    def append(self, record: bytes) -> None:
        """Writes one record.

        Raises:
          OSError: it cannot be written; the file is as before.
        """
        found = os.fstat(self._file.fileno())
        if not found.st_nlink:  # What is written would be nowhere.
            raise FileNotFoundError(errno.ENOENT, "it was removed", self._file.name)
        before = found.st_size
        try:
            left = memoryview(record)
            while left:
                left = left[self._file.write(left) :]
        except BaseException:
            with contextlib.suppress(OSError):  # A pipe or a device has no length.
                os.ftruncate(self._file.fileno(), before)
            raise

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def told(number: int | None, text: str | None) -> str:
    """Returns an error of the system as a person says it.

    Args:
      number: its number.
      text: how the system names it.
    """
    if number == errno.EDQUOT:
        return f"your quota is used up ({text})"
    return f"the disk is full ({text})" if number == errno.ENOSPC else str(text)


def _reason(error: Exception, place: Path) -> str | None:
    """Returns why the disk refused, or None for any other error."""
    if isinstance(error, UserError):
        return None
    if isinstance(error, OSError):
        ours = _is_near(error.filename, place) or _is_near(error.filename2, place)
        unnamed = not isinstance(error.filename, str | bytes)
        if ours or (unnamed and error.errno in FAULTS):
            return told(error.errno, error.strerror or str(error))
        return None
    # The threads of TensorStore, array_record, TensorFlow and Polars tell the system's
    # errors as others, by number or in their text alone.
    found = re.search(r"os_error_code='(\d+)'", str(error))
    numbers = [int(found[1])] if found else (*FAULTS, errno.EACCES, errno.EPERM)
    for number in numbers:
        if found or os.strerror(number) in str(error):
            return told(number, os.strerror(number))
    return None


def _is_near(name: object, place: Path) -> bool:
    """Whether a file lies below the place, above it, or is a temporary one for it."""
    if not isinstance(name, str | bytes):
        return False
    file = Path(os.path.abspath(os.fsdecode(name)))
    if place.is_relative_to(file):
        return True
    beside = file.is_relative_to(place.parent) and file != place.parent
    return beside and place.name in file.relative_to(place.parent).parts[0]


def checksum(path: Path) -> int:
    """Returns 32 bits of what a file holds."""
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            value = zlib.crc32(chunk, value)
    return value
