"""Folders of BERT and DistilBERT weights as parameters of `recjax.nn.transformer`.

A folder holds `config.json` and `model.safetensors` or `pytorch_model.bin`, in the
layout of Hugging Face's transformers. Tensors of heads and poolers are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError, nearest
from recjax.nn.transformer import TransformerSettings
from recjax.pretrained import safetensors, torch_file
from recjax.typing import Params

FILES = {"model.safetensors": safetensors.read, "pytorch_model.bin": torch_file.read}
"""Weight files and their readers; the first one found is read."""


@dataclass(frozen=True)
class _Layout:
    """What one family calls things; sizes are keys of config.json."""

    prefix: str
    sizes: Mapping[str, str]
    activation: str
    dropout: str
    token_types: bool
    layers: str
    parts: Mapping[str, str]


_LAYOUTS = {
    "bert": _Layout(
        prefix="bert.",
        sizes={
            "vocabulary": "vocab_size",
            "width": "hidden_size",
            "layers": "num_hidden_layers",
            "heads": "num_attention_heads",
            "feed_forward": "intermediate_size",
        },
        activation="hidden_act",
        dropout="hidden_dropout_prob",
        token_types=True,
        layers="encoder.layer",
        parts={
            "query": "attention.self.query",
            "key": "attention.self.key",
            "value": "attention.self.value",
            "attention_out": "attention.output.dense",
            "attention_norm": "attention.output.LayerNorm",
            "hidden": "intermediate.dense",
            "out": "output.dense",
            "norm": "output.LayerNorm",
        },
    ),
    "distilbert": _Layout(
        prefix="distilbert.",
        sizes={
            "vocabulary": "vocab_size",
            "width": "dim",
            "layers": "n_layers",
            "heads": "n_heads",
            "feed_forward": "hidden_dim",
        },
        activation="activation",
        dropout="dropout",
        token_types=False,
        layers="transformer.layer",
        parts={
            "query": "attention.q_lin",
            "key": "attention.k_lin",
            "value": "attention.v_lin",
            "attention_out": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "hidden": "ffn.lin1",
            "out": "ffn.lin2",
            "norm": "output_layer_norm",
        },
    ),
}


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
    for place, name, shape in _wanted(layout, sizes, positions):
        value = _tensor(path, tensors, name, shape)
        *above, last = place
        node = params
        for part in above:
            node = node.setdefault(part, {})
        if last == "position":
            value = value[: sizes.max_length]
        node[last] = np.ascontiguousarray(value.T if last == "kernel" else value)
    return params


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


def _config(path: Path) -> tuple[_Layout, dict[str, Any]]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    family = config.get("model_type") if isinstance(config, dict) else None
    if family not in _LAYOUTS:
        raise UserError(
            f"{path}: model_type {family!r} is not known, only {', '.join(_LAYOUTS)}"
        )
    layout = _LAYOUTS[family]
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


def _wanted(
    layout: _Layout, sizes: TransformerSettings, positions: int
) -> Iterator[tuple[tuple[str, ...], str, tuple[int, ...]]]:
    """Yields (place in our tree, name and shape in the file) of every parameter."""
    width, deep = sizes.width, sizes.feed_forward
    tables = {"word": (sizes.vocabulary, width), "position": (positions, width)}
    if sizes.token_types:
        tables["token_type"] = (sizes.token_types, width)
    for table, shape in tables.items():
        yield (table,), f"embeddings.{table}_embeddings.weight", shape
    norms = {("embedding_norm",): "embeddings.LayerNorm"}
    for i in range(sizes.layers):
        for part, name in layout.parts.items():
            place, name = (f"layer_{i}", part), f"{layout.layers}.{i}.{name}"
            if part.endswith("norm"):
                norms[place] = name
                continue
            shape = (deep if part == "hidden" else width,)
            inner = deep if part == "out" else width
            yield (*place, "kernel"), f"{name}.weight", (*shape, inner)
            yield (*place, "bias"), f"{name}.bias", shape
    for place, name in norms.items():
        yield (*place, "scale"), f"{name}.weight", (width,)
        yield (*place, "bias"), f"{name}.bias", (width,)


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
