"""Packages that only some parts need: imported when asked for, or one message."""

from __future__ import annotations

import importlib.util
from typing import Any

from recjax.errors import UserError


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
            "pip install 'recjax[savedmodel]'"
        ) from error
    return tensorflow


def require_sklearn(what: str) -> None:
    """Checks that scikit-learn is there, which `what` needs.

    Raises:
      UserError: it is not installed.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise UserError(
            f"{what} needs scikit-learn, which is not installed: "
            "pip install 'recjax[baselines]'"
        )
