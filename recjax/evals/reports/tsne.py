"""A map of embeddings: near neighbours in many dimensions stay near in two."""

from __future__ import annotations

import numpy as np

from recjax.extras import require

STEPS = 500


def tsne(vectors: np.ndarray, perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """Places vectors in the plane by t-SNE. Needs scikit-learn.

    Source: van der Maaten and Hinton 2008, forces by Barnes and Hut (van der Maaten
    2014); start and learning rate of Kobak and Berens 2019.

    Args:
      vectors: [N, D], at least three.
      perplexity: how many neighbours each vector cares for; at most (N - 1) / 3 count.
      seed: of the tiny noise that parts equal vectors.

    Returns:
      f64[N, 2], centred.

    Raises:
      ValueError: fewer than three vectors, or one that is not finite.
      UserError: scikit-learn is not installed.
    """
    size = len(vectors)
    if size < 3 or not np.isfinite(vectors).all():
        raise ValueError(f"{size} vectors, all finite and at least 3 are needed")
    require("sklearn", "baselines", "a map of embeddings")
    from sklearn.manifold import TSNE

    noise = np.random.default_rng(seed).standard_normal(vectors.shape)
    scale = 1e-6 * max(float(np.abs(vectors).max()), 1.0)
    chart = TSNE(
        perplexity=min(perplexity, (size - 1) / 3),
        max_iter=STEPS,
        init="pca",
        random_state=seed,
    )
    place = chart.fit_transform(vectors + scale * noise).astype(np.float64)
    return place - place.mean(0)
