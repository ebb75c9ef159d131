"""Features of a network that lies in a file."""

from dataclasses import dataclass

import numpy as np

from recjax.evals.baselines.images import ImageFeature
from recjax.evals.embed import unit
from recjax.nn.backbones import FrozenBranch

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)


@dataclass(frozen=True)
class Mixed:
    """Mean colours, mixed as a file says."""

    path: str
    size: int = 4

    def load(self):
        return {"mix": np.load(self.path)}

    def levels(self, params, images):
        return [images.mean((1, 2)) @ params["mix"]]


class Photos:
    """A data set that stays open."""

    def center_crops(self, positions, size):
        return PIXELS[list(positions)]


def test_a_file_that_is_written_anew_is_another_network(tmp_path):
    photos, path, found = Photos(), tmp_path / "mix.npy", []
    assert isinstance(Mixed(str(path)), FrozenBranch)
    colours = PIXELS.astype(np.float32).mean((1, 2)) / 127.5 - 1
    for seed in range(2):
        mix = np.random.default_rng(seed).normal(size=(3, 6)).astype(np.float32)
        np.save(path, mix)
        embed, _ = ImageFeature(Mixed(str(path))).fit(photos, np.arange(5))
        found.append(embed(np.arange(5)))
        np.testing.assert_allclose(found[-1], unit(colours @ mix), atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0.1
