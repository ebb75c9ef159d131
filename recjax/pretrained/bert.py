"""Folders of BERT and DistilBERT weights as parameters of `recjax.nn.transformer`.

A folder holds `config.json` and `model.safetensors` or `pytorch_model.bin`, in the
layout of Hugging Face's transformers. Tensors of heads and poolers are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError, nearest
from recjax.nn.transformer import TransformerSettings
from recjax.pretrained import safetensors, torch_file
from recjax.pretrained.bert_layout import LAYOUTS, BertLayout, wanted
from recjax.typing import Params

FILES = {"model.safetensors": safetensors.read, "pytorch_model.bin": torch_file.read}
"""Weight files and their readers; the first one found is read."""


def read_settings(
    folder: str | Path, *, max_length: int | None = None, dropout: float | None = None
) -> TransformerSettings:
    """Returns the sizes that a folder's config.json tells.

    Args:
      folder: the folder.
      max_length: keep this many positions, not all (512, mostly).
      dropout: a rate other than the one that the model was trained with.

    Raises:
      UserError: no config.json, an unknown family or activation, a size is missing, or
        `max_length` exceeds the positions.
    """
    path = Path(folder) / "config.json"
    layout, config = _config(path)
    positions = _number(path, config, "max_position_embeddings")
    if max_length is not None and not 0 < max_length <= positions:
        raise UserError(
            f"{path}: {max_length} positions were asked for, the model has {positions}"
        )
    if dropout is None:
        dropout = config.get(layout.dropout, 0.1)
    sizes = {n: _number(path, config, key) for n, key in layout.sizes.items()}
    types = _number(path, config, "type_vocab_size") if layout.token_types else 0
    try:
        return TransformerSettings(
            **sizes,
            max_length=max_length or positions,
            token_types=types,
            layer_norm_eps=float(config.get("layer_norm_eps", 1e-12)),
            dropout=float(dropout),
        )
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {error}") from error


def read_params(folder: str | Path, *, max_length: int | None = None) -> Params:
    """Returns the parameters of a `Transformer` of a folder's sizes, without its head.

    Args:
      folder: the folder.
      max_length: as in `read_settings`.

    Returns:
      A tree of float32 NumPy arrays.

    Raises:
      UserError: as `read_settings`; or no weight file, a tensor is missing or not of
        the shape that config.json tells.
    """
    folder = Path(folder)
    layout, config = _config(folder / "config.json")
    sizes = read_settings(folder, max_length=max_length)
    positions = config["max_position_embeddings"]
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise UserError(f"{folder}: holds no weights ({' or '.join(FILES)})")
    tensors = {
        name.removeprefix(layout.prefix): (name, value)
        for name, value in FILES[path.name](path).items()
    }
    params: dict[str, Any] = {}
    for place, name, shape in wanted(layout, sizes, positions):
        value = _tensor(path, tensors, name, shape)
        *above, last = place
        node = params
        for part in above:
            node = node.setdefault(part, {})
        if last == "position":
            value = value[: sizes.max_length]
        node[last] = np.ascontiguousarray(value.T if last == "kernel" else value)
    return params


def write_folder(params: Params, like: str | Path, folder: str | Path) -> None:
    """Writes an encoder as a folder that `read_params`, and others, read.

    Args:
      params: of a `Transformer` that started as `like`; its head is left out.
      like: the folder whose sizes and names are taken.
      folder: where `config.json` and `model.safetensors` go.

    Raises:
      UserError: as `read_settings`, or the parameters are not of these sizes.
      OSError: the folder cannot be written.
    """
    like, folder = Path(like), Path(folder)
    layout, config = _config(like / "config.json")
    sizes, length = read_settings(like), len(params["position"])
    tensors = {}
    for place, name, shape in wanted(layout, sizes, length):
        node: Any = params
        for part in place:
            node = node.get(part, {}) if isinstance(node, Mapping) else {}
        value = np.asarray(node).T if place[-1] == "kernel" else np.asarray(node)
        if value.shape != shape:
            raise UserError(
                f"parameter {'/'.join(place)} is {list(value.shape)}, {like} says "
                f"{list(shape)}: name the folder that the encoder started from"
            )
        tensors[name] = value.astype(np.float32)
    config = {**config, "max_position_embeddings": length}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    safetensors.write(folder / "model.safetensors", tensors)


def fill(params: Params, pretrained: Params, path: str = "") -> Params:
    """Returns parameters with those that `read_params` gave in the place of their own.

    What the folder does not hold (`head`) stays.

    Args:
      params: of a `Transformer`.
      pretrained: from `read_params`.
      path: where in the tree this is, for messages.

    Raises:
      UserError: a shape differs, or the folder holds what the encoder lacks.
    """
    if not isinstance(pretrained, Mapping):
        if params.shape != pretrained.shape:
            raise UserError(
                f"pretrained parameter {path} is {list(pretrained.shape)}, the "
                f"encoder's {list(params.shape)}: take its settings from read_settings"
            )
        return pretrained
    filled = dict(params)
    for name, value in pretrained.items():
        inner = f"{path}/{name}" if path else name
        if name not in filled:
            raise UserError(
                f"pretrained parameter {inner} has no place in the encoder: take its "
                "settings from read_settings"
            )
        filled[name] = fill(filled[name], value, inner)
    return filled


def _config(path: Path) -> tuple[BertLayout, dict[str, Any]]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    family = config.get("model_type") if isinstance(config, dict) else None
    if family not in LAYOUTS:
        raise UserError(
            f"{path}: model_type {family!r} is not known, only {', '.join(LAYOUTS)}"
        )
    layout = LAYOUTS[family]
    only = {layout.activation: "gelu", "position_embedding_type": "absolute"}
    for key, value in only.items():
        if config.get(key, value) != value:
            raise UserError(
                f"{path}: {key} {config[key]!r} is not known, only {value!r}"
            )
    if config.get("pad_token_id", 0) != 0:
        raise UserError(
            f"{path}: pad_token_id is {config['pad_token_id']!r}; here 0 is padding"
        )
    return layout, config


def _number(path: Path, config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if type(value) is not int or value < 0:
        raise UserError(f"{path}: {key} must be a whole number, found {value!r}")
    return value


_OLD_NAMES = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
"""What files that were converted from TensorFlow call them."""


def _tensor(
    path: Path,
    tensors: Mapping[str, tuple[str, np.ndarray]],
    name: str,
    shape: tuple[int, ...],
) -> np.ndarray:
    old = name
    for new_end, old_end in _OLD_NAMES.items():
        if name.endswith(new_end):
            old = name.removesuffix(new_end) + old_end
    found = tensors.get(name) or tensors.get(old)
    if found is None:
        raise UserError(
            f"{path}: holds no tensor {name!r}, which config.json promises."
            + nearest(name, tensors)
        )
    full, value = found
    if value.shape != shape:
        raise UserError(
            f"{path}: tensor {full!r} is {list(value.shape)}, config.json promises "
            f"{list(shape)}"
        )
    return value.astype(np.float32)
