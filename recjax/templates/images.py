"""Images: what looks alike, by classes from coarse to fine?"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from recjax.bundle.image import ImageBundle
from recjax.data.images.source import Images
from recjax.data.prepared import Prepared
from recjax.data.triplets.exact import TripletRules
from recjax.errors import UserError
from recjax.evals.baselines.images import ImageFeature
from recjax.evals.gallery import GalleryRanking
from recjax.experiment import Experiment
from recjax.losses.triplet import Softmax, TripletHinge
from recjax.models.multiscale import Multiscale
from recjax.nn.backbones import SmallNet
from recjax.nn.pyramid import SMALL
from recjax.optim.optimizer import Adam, Optimizer
from recjax.optim.schedule import WarmupCosine
from recjax.templates import chosen

WIDTH, SIZE, BATCH = 64, 64, 16


def images(data: Prepared | str | Path, say: chosen.Say = print) -> Experiment:
    """Returns an experiment: which images show the same?

    Args:
      data: prepared images with classes, or its name or folder.
      say: takes a line for each choice, with its reason.

    Raises:
      UserError: the data is not prepared, or has no images or no classes.
    """
    known = chosen.opened(data, "images", "image")
    table, levels = known.table("image"), tuple(known.settings.get("levels", ()))
    if not levels:
        raise UserError(
            f"templates.images: the images of {known.path.name} have no classes; "
            "prepare a folder of class folders, or a table with a column for each level"
        )
    classes = tuple(len(table[level].vocabulary) - 1 for level in levels)
    grades = tuple(round((i + 1) / len(levels), 3) for i in range(len(levels)))
    told = ", ".join(f"{n} {count}" for n, count in zip(levels, classes, strict=True))
    say(f"classes: {told}; images that share a finer one are more alike: {grades}")
    say(
        f"size: {SIZE} pixels and a small network from noise, so that a CPU trains it; "
        "rj.nn.EfficientNetLite(weights=rj.pretrained.ImageNet()) is better and slower"
    )
    steps = chosen.steps(table.rows, BATCH)
    evals = {
        "model": GalleryRanking("test"),
        "validation": GalleryRanking("validation"),
    }
    if importlib.util.find_spec("skimage") is not None:
        evals["lab"] = GalleryRanking("test", ImageFeature("lab"))
    return Experiment(
        name=f"images_{chosen.data_name(known)}",
        seed=0,
        steps=steps,
        data=Images(
            chosen.source(known),
            grades=grades,
            rules=TripletRules(out_of_class=0.2 if len(levels) > 1 else 1.0),
            batch_size=BATCH,
            size=SIZE,
        ),
        model=Multiscale(SmallNet(WIDTH), SMALL, WIDTH, classes=classes),
        losses={"ranking": TripletHinge(), "classes": Softmax(-1, smoothing=0.1)},
        optimizer=Optimizer({".*": Adam(2e-3)}, WarmupCosine(steps // 10)),
        evals=evals,
        export=ImageBundle(),
    )
