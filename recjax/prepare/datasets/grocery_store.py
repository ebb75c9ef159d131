"""Grocery Store (Klasson et al. 2019, MIT): phone photographs of groceries.

5,421 photographs of 81 fine classes in 43 coarse ones, of fruit, vegetables and
packages; the official splits have 2,640, 296 and 2,485. Levels: kind, coarse, fine.
"""

from __future__ import annotations

import csv
from pathlib import Path

from recjax.data.splits import SPLITS
from recjax.errors import UserError
from recjax.paths import find_raw, raw_root
from recjax.prepare import make
from recjax.prepare.write import Data
from recjax.tables.image_files import files

FOLDER = "grocery_store"
URL = "https://github.com/marcusklasson/GroceryStoreDataset"
FILES = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
LEVELS = ("kind", "coarse", "fine")


def data() -> Data:
    """Returns photographs of groceries with three levels of classes.

    Raises:
      UserError: the raw files are missing or damaged.
    """
    path = find_raw(FOLDER, "classes.csv")
    if path is None:
        raise UserError(
            "Grocery Store's files are not here: get the folder `dataset` of "
            f"{URL} (MIT) and put what is in it at {raw_root() / FOLDER}, or name "
            "another folder of raw data in $RECJAX_DATA."
        )
    return read(path.parent)


def read(folder: Path) -> Data:
    """Reads the folder `dataset` of the repository.

    Raises:
      UserError: a file is missing or holds something else.
    """
    try:
        fine, coarse, parent = _classes(folder / "classes.csv")
        names, labels, split = [], [], []
        for part in SPLITS:
            for name, fine_id, coarse_id in _lines(folder / FILES[part]):
                if parent[fine_id] != coarse_id:
                    raise ValueError(f"{name}: coarse {coarse_id}, fine {fine_id}")
                names.append(name)
                labels.append((name.split("/")[1], coarse[coarse_id], fine[fine_id]))
                split.append(part)
        images = files("image", ((folder / name).read_bytes() for name in names))
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise UserError(
            f"{folder} is not the folder `dataset` of {URL} "
            f"({type(error).__name__}: {error}). Get it again."
        ) from error
    kinds = sorted({kind for kind, _, _ in labels})
    columns = [
        make.category(level, [label[i] for label in labels], known)
        for i, (level, known) in enumerate(
            zip(LEVELS, (kinds, coarse, fine), strict=True)
        )
    ]
    splits = make.category("split", split, tuple(SPLITS))
    table = make.entity(names, images, *columns, splits)
    return Data({"image": table}, {"levels": LEVELS})


def _classes(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], dict[int, int]]:
    fine, coarse, parent = {}, {}, {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            own, above = int(row["Class ID (int)"]), int(row["Coarse Class ID (int)"])
            fine[own] = row["Class Name (str)"]
            coarse[above] = row["Coarse Class Name (str)"]
            parent[own] = above
    names = [tuple(one[i] for i in range(len(one))) for one in (fine, coarse)]
    return names[0], names[1], parent


def _lines(path: Path) -> list[tuple[str, int, int]]:
    rows = []
    for line in path.read_text().splitlines():
        if line.strip():
            name, fine, coarse = line.split(",")
            rows.append((name.strip(), int(fine), int(coarse)))
    return rows
