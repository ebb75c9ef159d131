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
from typing import Any, NamedTuple

import numpy as np

from recjax import disk, settings
from recjax.evals.evaluation import Evaluated
from recjax.evals.outside import outside
from recjax.experiment import Experiment, Runtime
from recjax.launch import hosts
from recjax.metrics.sample import Sample
from recjax.train.checkpoint import listing
from recjax.train.run_folder import versions

log = logging.getLogger(__name__)
FILE, INDEX = "measured.npz", "index"


class Now(NamedTuple):
    """What a run holds.

    Attributes:
      step: of its newest state.
      data: `recjax.data.identity.stamp` of its data.
      checkpoint: tells that state from another of the same step; "" in a run of several
        hosts, which may see the files of one at different times.
    """

    step: int
    data: tuple[int, ...]
    checkpoint: str

    @classmethod
    def of(cls, run: Path, step: int, data: tuple[int, ...]) -> Now:
        """Returns what a run folder holds at a step, on data of that stamp."""
        told = listing(run / "checkpoints", step)
        known = hosts.alone() and told.is_file()
        return cls(step, data, told.read_text() if known else "")


def key_of(
    run: Path,
    experiment: Experiment,
    runtime: Runtime,
    step: int,
    data: Sequence[int],
) -> str | None:
    """Returns what changes whenever a measurement may find other figures.

    The code of recjax counts, and so do files that the settings name, such as a folder
    of an encoder.

    Args:
      run: the run folder.
      experiment: its settings, evaluations among them.
      runtime: where it is measured; its precision counts.
      step: of the state, whose checkpoint counts.
      data: its `stamp`.

    Returns:
      A digest; None where nobody can tell: of data that recjax did not prepare,
      without a checkpoint, or with code of the user, which may change.
    """
    state = listing(run / "checkpoints", step)
    if not data or not state.is_file() or not _of_recjax(experiment):
        return None
    code = versions(), CODE, runtime.matmul_precision
    told = (code, step, list(data), settings.to_text(experiment), outside(experiment))
    return hashlib.sha256(json.dumps(told).encode() + state.read_bytes()).hexdigest()


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
    if isinstance(node, list | tuple | set | frozenset):
        return all(map(_of_recjax, node))
    inside = settings.children(node) or {}
    return all(_of_recjax(one) for one in inside.values())


def _digest_of_code() -> str:
    found, root = hashlib.sha256(), Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        found.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return found.hexdigest()


CODE = _digest_of_code()
"""Of recjax as it was imported: an edit while a training runs does not count."""
