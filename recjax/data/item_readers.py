"""Reading the item reader of a bundle."""

from __future__ import annotations

import json
from pathlib import Path

from recjax.data import column_reader
from recjax.data.catalog import entity_reader
from recjax.data.dataset import ItemReader
from recjax.errors import UserError


def load(folder: Path, item_ids: tuple[str, ...]) -> ItemReader:
    """Reads what an item reader's `save` wrote.

    Args:
      folder: the folder.
      item_ids: the corpus's own ids in index order.

    Raises:
      UserError: a file is missing or broken.
    """
    path = folder / column_reader.INDEX
    try:
        about = json.loads(path.read_text())
        if about["kind"] == entity_reader.KIND:
            return entity_reader.EntityReader.load(folder, about)
        return column_reader.ColumnReader.load(folder, about, item_ids)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); export anew") from error
