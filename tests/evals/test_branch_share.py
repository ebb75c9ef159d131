"""The share of distances that is left to the branch, chosen on held-out classes."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_images

from recjax.data.images.source import Images, ImagesData
from recjax.errors import UserError
from recjax.evals import branch_share
from recjax.evals.branch_share import BranchShare
from recjax.models import Multiscale
from recjax.nn.backbones import SmallNet
from recjax.nn.lite import EfficientNetLite

HELD_OUT = ("coarse3",)
WIDTH, OTHER = 8, 6


@dataclass(frozen=True)
class Nothing:
    variant, name = 0, "nothing"

    def load(self):
        return {}


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def vectors(of):
    generator = np.random.default_rng(7)
    count = len(tiny_images.table().names)
    made = [unit(generator.normal(size=(count, w))) for w in (WIDTH, OTHER)]
    return [one[of].astype(np.float32) for one in made]


def data(held_out=HELD_OUT):
    settings = Images("tiny", (0.1, 0.5, 1.0), size=32, held_out=held_out)
    return ImagesData(settings, 0, tiny_images.table())


def program(branch, kept):
    model = Multiscale(branch, (), WIDTH, kept=kept)
    return SimpleNamespace(dataset=data(), experiment=SimpleNamespace(model=model))


@pytest.mark.parametrize("kept", [0.25, 0.0])
def test_every_share_has_the_figures_of_its_distances(kept, monkeypatch):
    def embedded(program, state, positions, show):
        learned, start = vectors(positions)
        joined = [(1 - kept) ** 0.5 * learned, kept**0.5 * start]
        return np.concatenate(joined if kept else joined[:1], 1)

    class Frozen:
        def __init__(self, weights):
            assert weights == Nothing()

        def fit(self, data, held):
            return (lambda positions: vectors(positions)[1]), None

    monkeypatch.setattr(branch_share, "embed_images", embedded)
    monkeypatch.setattr(branch_share, "ImageFeature", Frozen)
    evaluation = BranchShare(HELD_OUT, shares=(0.0, 0.3, 1.0))
    made = program(EfficientNetLite(0, Nothing(), pixels=32), kept)
    found = evaluation.run(made, None).figures
    assert set(found) == set(evaluation.metrics(made.dataset))

    table = made.dataset.table
    asked = table.of_split("validation")
    asked = asked[table.in_classes(HELD_OUT)[asked]]
    held, label = table.of_split("train"), table.labels[:, -1]
    apart = [
        np.square(one[asked][:, None] - one[held][None]).sum(-1)
        for one in vectors(slice(None))
    ]
    for share in evaluation.shares:
        nearest = held[((1 - share) * apart[0] + share * apart[1]).argmin(1)]
        right = (label[nearest] == label[asked]).mean()
        assert found[f"{share}/recall@1"] == pytest.approx(right)


def test_what_cannot_tell_is_refused():
    with pytest.raises(UserError, match=r"set data.held_out = \('coarse3',\)"):
        BranchShare(HELD_OUT).metrics(data(("coarse2",)))
    with pytest.raises(UserError, match="whose branch starts from weights"):
        BranchShare(HELD_OUT).run(program(SmallNet(32), 0.0), None)
    for wrong in ({"split": "test"}, {"shares": (1.5,)}, {"of": ()}):
        with pytest.raises(ValueError, match="BranchShare"):
            BranchShare(**{"of": HELD_OUT, **wrong})
