"""recjax: train, evaluate, export and serve retrieval embeddings with JAX and Flax.

    import recjax as rj

has the verbs, and packages with what experiments are made of: `rj.data.NextItem`,
`rj.nn.Tower`, `rj.losses.SampledSoftmax`. Each name is imported when it is first asked
for, so that this is quick; `dir(rj)` and `dir(rj.nn)` list them. What is rarer is
imported from the module where it lies.
"""

from __future__ import annotations

from pathlib import Path
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
        text,
    )
    from recjax.bundle.open import open_bundle as load
    from recjax.errors import UserError
    from recjax.experiment import Experiment, Runtime

_get, _list = lazy.names(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _get(name)
    except AttributeError as error:
        there = _in_package(name)
        if not there:
            raise
        raise AttributeError(f"{error}: it is rj.{there}.{name}", name=name) from None


def __dir__() -> list[str]:
    return ["__version__", *_list()]


def _in_package(name: str) -> str:
    """Returns which package has a name, "" where none has."""
    here = Path(__file__)
    for package, (module, _) in lazy.places(__file__).items():
        face = here.with_name(package) / "__init__.py"
        if module == __name__ and name in lazy.places(str(face)):
            return package
    return ""
