"""A fine-tuned encoder as a folder of weights, to start others from: no bundle.

config.json, model.safetensors     as `recjax.pretrained.bert` reads them
tokenizer.json, ...                of the folder that the encoder started from
manifest.json                      hashes, versions, sizes, and what the checks measured
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from recjax.bundle.write import about, write_folder
from recjax.errors import UserError
from recjax.pretrained import bert
from recjax.pytree import count
from recjax.text import minilm
from recjax.train.program import Program
from recjax.train.state import State

BESIDE = "tokenizer.json tokenizer_config.json special_tokens_map.json vocab.txt"
"""Files of a tokenizer, of which a folder may hold some."""


@dataclass(frozen=True)
class EncoderFolder:
    """What an experiment says of the folder.

    Attributes:
      encoder: path of the encoder among the parameters, as in `Experiment.warm_start`,
        where it stands with the folder that it started from.
    """

    encoder: str

    def write(self, program: Program, state: State, folder: Path) -> str:
        """Writes the folder, reads it back, and says what was measured.

        Raises:
          UserError: no encoder started there, or the folder does not hold it.
        """
        fill = partial(self._write, program, state)
        return write_folder(about(program, state), folder, fill)

    def _write(self, program: Program, state: State, folder: Path) -> dict[str, Any]:
        starts = program.experiment.warm_start
        if self.encoder not in starts:
            raise UserError(
                f"export.encoder = {self.encoder!r}: no encoder was started there, "
                f"only {', '.join(map(repr, starts)) or 'none'}; name one of them"
            )
        params: Any = jax.device_get(state.params)
        for part in self.encoder.split("/"):
            params = params[part]
        like = minilm.find(starts[self.encoder].folder)
        bert.write_folder(params, like, folder)
        for name in BESIDE.split():
            if (like / name).is_file():
                shutil.copyfile(like / name, folder / name)
        apart = _farthest(bert.read_params(folder), params)
        if apart:
            raise UserError(f"the weights were read back with an error of {apart}")
        before = bert.read_params(like, max_length=len(params["position"]))
        moved = _farthest(before, params)
        return {"parameters": count(params), "farthest_moved": moved}


def _farthest(one: Any, other: Any) -> float:
    """Returns the largest difference of what `one` holds."""
    if isinstance(one, Mapping):
        return max(_farthest(value, other[name]) for name, value in one.items())
    return float(np.abs(one - other).max(initial=0))
