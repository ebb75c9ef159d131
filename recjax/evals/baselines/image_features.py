"""Linear methods on fixed image features: logistic regression and shrinkage LDA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize


@dataclass(frozen=True)
class LinearEmbedding:
    """x -> unit((x - mean) @ weights).

    Attributes:
      mean: [W].
      weights: [W, D].
    """

    mean: np.ndarray
    weights: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Embeds features [N, W] to vectors of length 1 [N, D]."""
        return unit((features - self.mean) @ self.weights)


def unit(x: np.ndarray) -> np.ndarray:
    """Returns rows scaled to length 1; zeros stay zeros."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def fit_lda(
    features: np.ndarray,
    label: np.ndarray,
    shrinkage: float = 0.3,
    width: int | None = None,
) -> LinearEmbedding:
    """Fits Fisher's discriminants with a shrunk covariance within classes.

    Directions maximise the variance of class means over the variance within classes,
    which is shrunk to (1 - s) S + s trace(S) / W (Ledoit & Wolf's target, s given).
    They are scaled so that the shrunk covariance becomes the identity.

    Args:
      features: [N, W].
      label: classes [N].
      shrinkage: `s`, 0..1.
      width: `D`; None takes one less than there are classes.

    Raises:
      ValueError: fewer than two classes.
    """
    features = features.astype(np.float64)
    classes, place, counts = np.unique(label, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError("LDA needs two classes or more")
    means = np.zeros((len(classes), features.shape[1]))
    np.add.at(means, place, features)
    means /= counts[:, None]
    apart = features - means[place]
    within = apart.T @ apart / len(features)
    # Classes of one point each have no covariance at all.
    target = max(np.trace(within) / len(within), 1e-12)
    within = (1 - shrinkage) * within + shrinkage * target * np.eye(len(within))
    mean = features.mean(0)
    spread = (means - mean) * np.sqrt(counts / len(features))[:, None]
    width = min(width or len(classes) - 1, len(classes) - 1, features.shape[1])
    # The rank of the class means is small: solve in their space.
    solved = linalg.solve(within, spread.T, assume_a="pos")
    values, vectors = linalg.eigh(spread @ solved)
    order = np.argsort(values)[::-1][:width]
    weights = solved @ vectors[:, order] / np.sqrt(np.maximum(values[order], 1e-12))
    return LinearEmbedding(mean, weights)


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression.

    Attributes:
      classes: [C].
      weights: [W, C].
      bias: [C].
    """

    classes: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Returns the class of each row [N]."""
        return self.classes[np.argmax(features @ self.weights + self.bias, 1)]


def fit_logistic(
    features: np.ndarray, label: np.ndarray, strength: float = 1.0, steps: int = 200
) -> Logistic:
    """Fits by L-BFGS: the sum of cross-entropies + |weights|^2 / (2 strength).

    Args:
      features: [N, W].
      label: classes [N].
      strength: inverse of the regularisation, as `C` of scikit-learn.
      steps: most iterations.
    """
    features = features.astype(np.float64)
    classes, place = np.unique(label, return_inverse=True)
    rows, width, count = np.arange(len(place)), features.shape[1], len(classes)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat[: width * count].reshape(width, count)
        logits = features @ weights + flat[width * count :]
        logits -= logits.max(1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        value = -log_p[rows, place].sum() + (weights**2).sum() / (2 * strength)
        error = np.exp(log_p)
        error[rows, place] -= 1
        by_weights = features.T @ error + weights / strength
        return value, np.r_[by_weights.ravel(), error.sum(0)]

    start = np.zeros(width * count + count)
    options = {"maxiter": steps}
    found = optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options=options
    ).x
    weights = found[: width * count].reshape(width, count)
    return Logistic(classes, weights, found[width * count :])
