"""Deep Ranking on photographs of groceries: multiscale, on an ImageNet branch.

recjax data prepare grocery_store
recjax train experiments/deep_ranking_grocery.py --workdir runs/deep_ranking
recjax sweep experiments/deep_ranking_grocery.py --seeds 0,1,2 --workdir runs/ablations

Three tenths of the distance are those of two pretrained branches, Lite0 as it was and
Lite2: for photographs of what training never shows.

Most of the branch is frozen, so eight views of each training image, and what evaluation
sees of all images, are kept with what its frozen parts make of them: 5 GB below
RECJAX_CACHE, made once for all these runs.
"""

from collections.abc import Mapping
from dataclasses import replace

import recjax as rj
from recjax.evals.baselines.images import ImageFeature, Lda, LogisticAccuracy
from recjax.images.augment import Augment
from recjax.losses import Loss, Piecewise
from recjax.nn.backbones import SmallNet
from recjax.nn.pyramid import PAPER, SMALL

FROZEN = 12
"""Stem and the first eleven blocks; the last five and the head are trained."""
KEPT = 0.3
"""Share of the distance that pretrained branches give: for photographs of others."""
UNSEEN = ("Packages",)
"""Held out of training where `sweep` asks for what was never seen."""


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    branch = rj.nn.EfficientNetLite(
        weights=rj.pretrained.ImageNet(), frozen=FROZEN, dropout=0.0
    )
    kept = "|".join(["stem", *(f"block_{i:02}" for i in range(FROZEN - 1))])
    return rj.Experiment(
        name="deep_ranking_grocery",
        seed=0,
        steps=200,
        data=rj.data.Images(
            "grocery_store",
            # Two images of one kind, of one coarse class, of one fine class.
            grades=(0.02, 0.3, 1.0),
            rules=rj.data.TripletRules(out_of_class=0.2, margin=0.2),
            batch_size=32,
            size=224,
            views=8,
        ),
        model=rj.models.Multiscale(
            branch,
            PAPER,
            512,
            dropout=0.4,
            classes=(3, 43, 81),
            kept=KEPT,
            kept_branches=(rj.nn.FrozenLite(rj.pretrained.ImageNet(2)),),
        ),
        losses={
            "ranking": rj.losses.TripletHinge(gap=0.3, weight=1.0),
            "fine": rj.losses.Softmax(-1, smoothing=0.1),
            "coarse": rj.losses.Softmax(-2, smoothing=0.1, weight=0.5),
        },
        optimizer=rj.optim.Optimizer(
            rules={
                f"branch/({kept})/.*": rj.optim.Frozen(),
                "start/.*": rj.optim.Frozen(),
                "branch/.*": rj.optim.Adam(4.5e-4, weight_decay=0.01),
                ".*": rj.optim.Adam(3e-3, weight_decay=0.01),
            },
            schedule=rj.optim.WarmupCosine(warmup=40),
        ),
        evals={
            "deep_ranking": rj.evals.GalleryRanking("test"),
            "validation": rj.evals.GalleryRanking("validation"),
            "lab": rj.evals.GalleryRanking("test", ImageFeature("lab")),
            "hog": rj.evals.GalleryRanking("test", ImageFeature("hog")),
            "efficientnet": rj.evals.GalleryRanking(
                "test", ImageFeature(rj.pretrained.ImageNet())
            ),
            "lda": rj.evals.GalleryRanking("test", Lda(rj.pretrained.ImageNet())),
            "logistic": LogisticAccuracy(rj.pretrained.ImageNet(), "test"),
        },
        export=rj.bundle.ImageBundle(),
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns what the paper compares, and each loss alone; no fixed features again.

    Only what is trained is compared; `whole` is the experiment itself.
    """
    shown = {"deep_ranking", "validation"}
    evals = {name: one for name, one in base.evals.items() if name in shown}
    whole = replace(base, evals=evals)
    judged = {**evals, "efficientnet": base.evals["efficientnet"]}
    unseen = replace(
        whole,
        data=replace(base.data, held_out=UNSEEN),
        evals={
            **{name: replace(one, of=UNSEEN) for name, one in judged.items()},
            "share": rj.evals.BranchShare(of=UNSEEN),
        },
    )
    base = replace(whole, model=replace(base.model, kept=0.0, kept_branches=()))
    rules, single = base.data.rules, replace(base.model, low=())
    classifiers = {k: v for k, v in base.losses.items() if k != "ranking"}
    return {
        "multiscale": base,
        "single scale": replace(base, model=single),
        "uniform sampling": replace(
            base, data=replace(base.data, rules=replace(rules, weighted=False))
        ),
        "ranking alone": replace(base, losses={"ranking": base.losses["ranking"]}),
        "softmax, then ranking": replace(base, losses=in_turn(base.losses)),
        # Fine-tuning as it is usually done: the paper's ConvNet line.
        "softmax, single scale": replace(base, model=single, losses=classifiers),
        "whole": whole,
        # Photographs of what was never trained on.
        "packages unseen": unseen,
        "packages unseen, multiscale": replace(unseen, model=base.model),
    }


def in_turn(losses: Mapping[str, Loss]) -> dict[str, Loss]:
    """Returns the losses in the order of the paper: first classes, then triplets."""
    return {
        name: replace(loss, weight=Piecewise(0.0, loss.weight))
        if name == "ranking"
        else replace(loss, weight=Piecewise(loss.weight, 0.0))
        for name, loss in losses.items()
    }


def tiny() -> rj.Experiment:
    """Returns the small form from noise, for continuous integration."""
    full = experiment()
    return replace(
        full,
        name="deep_ranking_grocery_tiny",
        steps=6,
        data=replace(
            full.data,
            size=64,
            batch_size=16,
            augment=Augment(flip=0.0),
            views=0,
        ),
        model=rj.models.Multiscale(SmallNet(64), SMALL, width=32, classes=(3, 43, 81)),
        optimizer=rj.optim.Optimizer(
            rules={".*": rj.optim.Adam(1e-3)}, schedule=rj.optim.WarmupCosine(2)
        ),
        evals={"deep_ranking": rj.evals.GalleryRanking("validation")},
    )
