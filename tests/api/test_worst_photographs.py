"""The photographs that a model does worst on, against a sort by hand."""

import html_pages
import numpy as np
import tiny_images

from recjax.api.errors import worst
from recjax.data.images.source import Images, ImagesData
from recjax.data.triplets.exact import TripletRules
from recjax.evals.baselines.images import ImageFeature
from recjax.evals.embed import embed_images
from recjax.evals.gallery import GalleryRanking
from recjax.experiment import Experiment, Runtime
from recjax.losses import TripletHinge
from recjax.models import Multiscale
from recjax.nn.backbones import SmallNet
from recjax.nn.pyramid import SMALL
from recjax.optim import Adam, Optimizer
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program

SIZE = 32


def program():
    data = Images("tiny", (0.1, 0.5, 1.0), TripletRules(), batch_size=8, size=SIZE)
    experiment = Experiment(
        name="bright",
        seed=0,
        steps=1,
        data=data,
        model=Multiscale(SmallNet(SIZE, (4, 8)), SMALL, width=3, classes=(2, 4, 8)),
        losses={"ranking": TripletHinge(0.5)},
        optimizer=Optimizer({".*": Adam(1e-3)}),
        evals={
            "lab": GalleryRanking(scorer=ImageFeature("lab")),
            "model": GalleryRanking(),
        },
    )
    opened = ImagesData(data, 0, tiny_images.table())
    made = Program(experiment, Runtime(), opened, make_mesh({"data": 1}))
    # How bright the columns of an image are: no network needs to be compiled.
    bright = {"image": lambda state, batch: batch["image"].mean((1, 3)) - 128}
    made.__dict__["embedders"] = bright
    return made


def test_worst_queries_are_those_whose_class_lies_deepest():
    made, state = program(), None
    table = made.dataset.table
    asked, held = table.of_split("validation"), table.of_split("train")
    x, y = (embed_images(made, state, p, made.dataset.shown) for p in (asked, held))
    places = {}
    for query, scores in zip(asked, x @ y.T, strict=True):
        order = held[np.argsort(-scores)]
        right = table.labels[order, 2] == table.labels[query, 2]
        first, names = int(right.argmax()), [table.names[i] for i in order]
        places[table.names[query]] = first + 1, names[first], names[:3]
    wrong = sorted((p for p, *_ in places.values() if p > 1), reverse=True)
    found = worst(made, state, "validation", 5)
    assert [one.place for one in found] == wrong[:5]
    for one in found:
        place, first, top = places[one.asked[0].note]
        assert (one.place, one.wanted[0].note) == (place, first)
        assert [shown.note for shown in one.found] == top
        assert one.asked[0].title == one.wanted[0].title != one.found[0].title
    page, told = found._repr_html_(), repr(found)
    html_pages.check(page)
    assert page.count('src="data:image/jpeg') == 7 * len(found)
    assert "should have been" in told and found[0].wanted[0].title in told
