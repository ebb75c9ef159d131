"""Invented catalogues as prepared data sets."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl

from recjax.data.prepared import place
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import check
from recjax.prepare.synthetic import write as synthetic
from recjax.prepare.synthetic.world import CatalogSettings
from recjax.prepare.write import is_prepared, write

KNOWN = ("id", "created")
VECTORS = {
    **{name: "vector" for name in ("gs_v5", "item_is_v2", "legacy")},
    "ue_v4": "bits",
}
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
        synthetic.write_catalog(settings, Path(folder))
        checked = check(*invented_files(Path(folder)))
        if checked.data is None or not checked.report.ok:
            raise ValueError(f"what was invented has problems:\n{checked.report}")
        command = f"recjax data prepare {path.name}"
        return write(checked.data, path, source=source, command=command)


def invented_files(folder: Path) -> tuple[Files, How]:
    """Returns the tables that `write_catalog` wrote, and the types of their columns."""
    entities = {kind: folder / f"{kind}s.parquet" for kind in ("pin", "product")}
    types = [
        f"{kind}:{name}={VECTORS.get(name, 'text')}"
        for kind, path in entities.items()
        for name in pl.read_parquet_schema(path)
        if name not in KNOWN
    ]
    files = Files(judgements=folder / "pairs.parquet", entities=entities)
    return files, How(column=tuple(types), unit="s")
