"""recjax: train, evaluate, export and serve retrieval embeddings with JAX and Flax.

    import recjax as rj

has the verbs, and packages with what experiments are made of: `rj.data.NextItem`,
`rj.nn.Tower`, `rj.losses.SampledSoftmax`. Each name is imported when it is first asked
for, so that this is quick; `dir(rj)` and `dir(rj.nn)` list them. What is rarer is
imported from the module where it lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recjax import lazy

__version__ = "0.2.0"

if TYPE_CHECKING:
    from recjax import (
        bundle,
        data,
        evals,
        losses,
        models,
        nn,
        optim,
        pretrained,
        templates,
        testing,
        text,
    )
    from recjax.api.ask import load
    from recjax.api.data import prepare
    from recjax.api.run import Run
    from recjax.api.train import train
    from recjax.api.users import cluster_users, ward
    from recjax.errors import UserError
    from recjax.experiment import Experiment, Runtime

_get, _list = lazy.names(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _get(name)
    except AttributeError as error:
        there = [
            one for one in lazy.public_names().values() if one.endswith(f".{name}")
        ]
        if not there:
            raise
        raise AttributeError(f"{error}: it is rj.{there[0]}", name=name) from None


def __dir__() -> list[str]:
    return ["__version__", *_list()]
