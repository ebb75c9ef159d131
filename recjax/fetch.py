"""Fetching a raw file from the first source that answers."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from recjax.errors import UserError
from recjax.paths import find_raw, raw_root, writable_raw

log = logging.getLogger(__name__)
ANSWER_SECONDS = 3
DOWNLOAD_SECONDS = 60
PIP_SECONDS = 120
MOST_BYTES = 500_000_000
"""No download is larger: what sends more is not what was asked for."""

Source = tuple[str, Callable[[Path], Path]]


def by_hand(*parts: str, what: str, how: str) -> Path:
    """Returns a raw file that only people can get, because of its licence or login.

    Args:
      parts: its path below the raw root.
      what: is missing, for the message, such as "Globo's raw data is".
      how: says what to get and from where.

    Raises:
      UserError: it is not there.
    """
    path = find_raw(*parts)
    if path is None:
        raise UserError(
            f"{what} not here: {how} at {raw_root().joinpath(*parts)}, or name "
            "another folder of raw data in $RECJAX_DATA."
        )
    return path


def first_of(folder: str, sources: Sequence[Source], *, by_hand: str) -> Path:
    """Returns the raw file of the first source that gives it.

    Args:
      folder: name of the data set's folder under the raw root.
      sources: (what it is, function from that folder to the file fetched into it).
      by_hand: what the user can put there, and from where.

    Raises:
      UserError: none does; the message says why and what to do.
    """
    tried = []
    try:
        to = writable_raw(folder)
    except OSError as error:
        raise UserError(
            f"There is no place for the raw file of {folder}: {error}. Name a folder "
            "that you may write in $RECJAX_CACHE."
        ) from error
    for name, get in sources:
        try:
            log.info("Fetching %s into %s", name, to)
            return get(to)
        except (OSError, subprocess.SubprocessError) as error:
            tried.append(f"  {name}: {error}")
    tried = "\n".join(tried)
    raise UserError(
        f"The raw file of {folder} is not here and could not be fetched:\n{tried}\n"
        f"Fix the network, or put {by_hand} into {to} yourself."
    )


def zip_file(address: str, to: Path, sha256: str | None = None) -> Path:
    """Downloads a zip file to `to` if its host answers within 3 seconds.

    Args:
      address: http or https.
      to: appears when all is well.
      sha256: of the file, where it is known.

    Raises:
      OSError: it does not, the download breaks off, takes over a minute or has over
        500 MB, or it is no zip file (but, say, the page of a proxy), or another.
    """
    answer: list = []

    def ask() -> None:
        try:
            answer.append(urllib.request.urlopen(address, timeout=ANSWER_SECONDS))
        except OSError as error:
            answer.append(error)

    # A thread, as a timeout of urlopen does not cover a name server that is silent.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if not answer:
        raise TimeoutError(f"no answer within {ANSWER_SECONDS} s")
    if isinstance(answer[0], OSError):
        raise answer[0]
    with tempfile.TemporaryDirectory(dir=to.parent) as work:
        part = Path(work) / to.name
        try:
            with answer[0] as response, open(part, "wb") as file:
                _copy(response, file)
        except http.client.HTTPException as error:
            raise OSError(f"the download broke off: {error!r}") from error
        if not zipfile.is_zipfile(part):
            raise OSError("what came is no complete zip file")
        _expect(part, sha256)
        os.replace(part, to)
    return to


def wheel(requirement: str, to: Path, sha256: str | None = None) -> Path:
    """Downloads a wheel from the package index to `to`; nothing is installed.

    Args:
      requirement: package and version.
      to: the wheel, by the name that the index gives it.
      sha256: of the wheel, where it is known.

    Raises:
      OSError: pip cannot be run, fails, or gives another file.
      subprocess.TimeoutExpired: pip takes over 2 minutes.
    """
    with tempfile.TemporaryDirectory(dir=to.parent) as work:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
            + ["--disable-pip-version-check", "--only-binary=:all:"]
            + ["--retries=1", "--timeout=10", "--dest", work, requirement],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PIP_SECONDS,
        )
        if done.returncode:
            said = [s for s in done.stderr.splitlines() if s.strip()] or ["no message"]
            raise OSError(said[-1].strip().removeprefix("ERROR: ")[:300])
        part = Path(work) / to.name
        if not part.exists():
            raise OSError(f"pip gave {os.listdir(work)}, not {to.name}")
        _expect(part, sha256)
        os.replace(part, to)
    return to


def _copy(response: http.client.HTTPResponse, file: BinaryIO) -> None:
    """Writes an answer to a file, whole, or raises OSError."""
    deadline, size = time.monotonic() + DOWNLOAD_SECONDS, 0
    promised = response.headers.get("Content-Length")
    while block := response.read(1 << 16):
        size += file.write(block)
        if size > MOST_BYTES:
            raise OSError(f"it has over {MOST_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError(f"not complete after {DOWNLOAD_SECONDS} s")
    if promised is not None and size != int(promised):
        raise OSError(f"the download broke off after {size:,} of {promised} bytes")


def _expect(file: Path, sha256: str | None) -> None:
    """Raises OSError where a file is another than the one that was meant."""
    if sha256 is None:
        return
    with open(file, "rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != sha256:
        raise OSError(f"{file.name} has sha256 {found}, not {sha256}: another file")
