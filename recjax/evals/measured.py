"""What the end of a training measured, kept in the run folder.

measured.npz  a key of what it is of; figure by evaluation; the samples of queries or
              users that figures are means of
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recjax import __version__, disk, settings
from recjax.evals.evaluation import Evaluated
from recjax.experiment import Experiment
from recjax.metrics.sample import Sample

log = logging.getLogger(__name__)
FILE, INDEX = "measured.npz", "index"


def key_of(
    run: Path, experiment: Experiment, step: int, data: Sequence[int]
) -> str | None:
    """Returns what changes whenever a measurement may find other figures.

    Args:
      run: the run folder.
      experiment: its settings, evaluations among them.
      step: of the state, whose checkpoint counts.
      data: its `stamp`.

    Returns:
      A digest; None where nobody can tell: of data that recjax did not prepare,
      without a checkpoint, or with code of the user, which may change.
    """
    listing = run / "checkpoints" / f"{step}.files.json"
    if not data or not listing.is_file() or not _of_recjax(experiment):
        return None
    told = (__version__, step, list(data), settings.to_text(experiment))
    return hashlib.sha256(json.dumps(told).encode() + listing.read_bytes()).hexdigest()


def write(run: Path, key: str, found: Mapping[str, Evaluated]) -> None:
    """Keeps figures and samples in a run folder."""
    arrays: dict[str, Any] = {}
    names: dict[str, list[str]] = {}
    for row, (name, one) in enumerate(found.items()):
        names[name] = list(one.samples)
        for place, sample in enumerate(one.samples.values()):
            arrays[f"{row}_{place}_total"] = sample.total
            arrays[f"{row}_{place}_weight"] = sample.weight
    figures = {
        name: {metric: float(value) for metric, value in one.figures.items()}
        for name, one in found.items()
    }
    index = json.dumps({"key": key, "figures": figures, "samples": names})
    held = io.BytesIO()
    arrays[INDEX] = np.frombuffer(index.encode(), np.uint8)
    np.savez_compressed(held, **arrays)
    with disk.writing("the run folder", run, disk.GO_ON):
        disk.write_bytes(run / FILE, held.getvalue())


def read(run: Path, key: str | None) -> dict[str, Evaluated] | None:
    """Returns what was measured; None where that was of something else, or is unknown.

    Args:
      run: the run folder.
      key: of what is asked for.
    """
    path = run / FILE
    if key is None or not path.is_file():
        return None
    try:
        with np.load(path) as held:
            index = json.loads(held[INDEX].tobytes())
            if index["key"] != key:
                return None
            return {
                name: Evaluated(
                    figures,
                    samples={
                        metric: Sample(
                            held[f"{row}_{place}_total"], held[f"{row}_{place}_weight"]
                        )
                        for place, metric in enumerate(index["samples"][name])
                    },
                )
                for row, (name, figures) in enumerate(index["figures"].items())
            }
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        log.warning("%s is damaged (%s): measured anew", path, error)
        return None


def _of_recjax(node: Any) -> bool:
    """Returns whether all code of some settings is recjax's own."""
    code = node if callable(node) and hasattr(node, "__qualname__") else type(node)
    if code.__module__.split(".")[0] not in ("recjax", "builtins"):
        return False
    inside = settings.children(node) or {}
    return all(_of_recjax(one) for one in inside.values())
