"""Packages that only some parts need: imported when asked for, or one message."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from recjax.errors import UserError

PACKAGES = {"sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow"}
"""Name on import -> name to install, where they differ."""


def require_tensorflow() -> Any:
    """Returns the `tensorflow` module.

    Raises:
      UserError: TensorFlow is not installed.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise UserError(
            "a SavedModel needs TensorFlow, which is not installed: "
            "pip install 'recjax[savedmodel]', or export without one: "
            "--set export.saved_model=false"
        ) from error
    return tensorflow


def require(package: str, extra: str, what: str) -> None:
    """Checks that a package is there, which `what` needs.

    Args:
      package: its name on import.
      extra: recjax's extra that installs it.
      what: for the message, such as "a map of embeddings".

    Raises:
      UserError: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        name = PACKAGES.get(package, package)
        raise UserError(
            f"{what} needs {name}, which is not installed: "
            f"pip install 'recjax[{extra}]'"
        )


def compiled(**options: Any) -> Callable[[Callable], Any]:
    """Returns numba's `njit`, which keeps what it compiles where it can.

    Args:
      options: of `njit`.
    """
    from numba import njit

    def wrap(function: Callable) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            # There is no folder that it may write: each process compiles anew.
            return njit(**options)(function)

    return wrap
