"""A map of embeddings: near neighbours in many dimensions stay near in two."""

from __future__ import annotations

import numpy as np

EXAGGERATION, EXAGGERATED = 12.0, 100


def tsne(
    vectors: np.ndarray, perplexity: float = 30.0, steps: int = 500, seed: int = 0
) -> np.ndarray:
    """Places vectors in the plane by exact t-SNE.

    Source: van der Maaten and Hinton 2008; start and learning rate of Kobak and Berens
    2019. Memory and time of a step are N x N: meant for some hundred vectors.

    Args:
      vectors: [N, D], at least three.
      perplexity: how many neighbours each vector cares for; at most (N - 1) / 3 count.
      steps: of gradient descent.
      seed: of the tiny noise that parts equal vectors.

    Returns:
      f64[N, 2], centred.

    Raises:
      ValueError: fewer than three vectors, or one that is not finite.
    """
    size = len(vectors)
    if size < 3 or not np.isfinite(vectors).all():
        raise ValueError(f"{size} vectors, all finite and at least 3 are needed")
    near = _neighbours(_square_distances(vectors), min(perplexity, (size - 1) / 3))
    near = (near + near.T) / (2 * size)
    place = _principal(vectors)
    place *= 1e-4 / max(place[:, 0].std(), 1e-12)
    place += 1e-6 * np.random.default_rng(seed).standard_normal(place.shape)
    velocity, gain = np.zeros_like(place), np.ones_like(place)
    rate = max(size / EXAGGERATION, 50.0)
    for step in range(steps):
        early = step < EXAGGERATED
        closeness = 1 / (1 + _square_distances(place))
        np.fill_diagonal(closeness, 0)
        pull = near * EXAGGERATION if early else near
        force = (pull - closeness / closeness.sum()) * closeness
        gradient = 4 * (force.sum(1, keepdims=True) * place - force @ place)
        turned = np.sign(gradient) != np.sign(velocity)
        gain = np.maximum(np.where(turned, gain + 0.2, gain * 0.8), 0.01)
        velocity = (0.5 if early else 0.8) * velocity - rate * gain * gradient
        place = place + velocity
        place -= place.mean(0)
    return place


def _principal(vectors: np.ndarray) -> np.ndarray:
    """Returns the first two principal components [N, 2]."""
    centred = vectors.astype(np.float64) - vectors.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    both = np.zeros((len(vectors), 2))
    both[:, : min(2, len(size))] = (left * size)[:, :2]
    return both


def _square_distances(x: np.ndarray) -> np.ndarray:
    square = (x * x).sum(1)
    return np.maximum(square[:, None] + square[None] - 2 * x @ x.T, 0)


def _neighbours(distances: np.ndarray, perplexity: float) -> np.ndarray:
    """Returns each row's chances of picking the others, of that perplexity."""
    size = len(distances)
    # Only differences within a row count; the nearest at 0 keeps exp() in range.
    others = distances + np.diag(np.full(size, np.inf))
    others = others - others.min(1, keepdims=True)
    low, high = np.full((size, 1), 1e-10), np.full((size, 1), 1e10)
    for _ in range(64):
        precision = np.sqrt(low * high)
        chance = _rows(others, precision)
        entropy = -(chance * np.log(np.maximum(chance, 1e-300))).sum(1, keepdims=True)
        flat = entropy > np.log(perplexity)
        low, high = np.where(flat, precision, low), np.where(flat, high, precision)
    return _rows(others, np.sqrt(low * high))


def _rows(distances: np.ndarray, precision: np.ndarray) -> np.ndarray:
    chance = np.exp(-distances * precision)
    return chance / chance.sum(1, keepdims=True)
