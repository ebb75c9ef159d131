"""Invented catalogues as prepared data sets."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from recjax.data.prepared import place
from recjax.prepare.datasets.catalog import OwnCatalog, from_checked
from recjax.prepare.synthetic import write as synthetic
from recjax.prepare.synthetic.world import CatalogSettings
from recjax.prepare.validate_catalog import validate_catalog
from recjax.prepare.write import is_prepared, write

log = logging.getLogger(__name__)


def sized(pins: int) -> CatalogSettings:
    """Returns the settings of the built-in ones: half as many products as pins."""
    return replace(CatalogSettings(asked=0.12).sized(pins), products=pins // 2)


def prepare_invented(settings: CatalogSettings, out: str | Path) -> Path:
    """Makes and prepares an invented catalogue, or returns at once if it is there.

    Args:
      settings: what to make; they and the code that makes it are the data's source.
      out: name or path of the data set.
    """
    code = hashlib.sha256(repr(settings).encode())
    for file in sorted(Path(synthetic.__file__).parent.glob("*.py")):
        code.update(file.read_bytes())
    path, source = place(out), {"invented": code.hexdigest()}
    if is_prepared(path, source):
        return path
    log.info("Inventing a catalogue of %d pins in %s", settings.pins, path)
    with tempfile.TemporaryDirectory() as folder:
        rows = synthetic.write_catalog(settings, Path(folder))
        files = {name: Path(folder, f"{name}.parquet") for name in rows}
        data = from_checked(validate_catalog(**files))
        builder = partial(OwnCatalog, data=data)
        return write(builder, path, kind="catalog", source=source)
