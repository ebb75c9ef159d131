# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What looks alike?
#
# Deep Ranking learns from triplets: a photograph is to lie nearer to one of its class
# than to one of another. The photographs are invented: a colour a class.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import recjax as rj

data = rj.prepare(**rj.testing.images("photos", kinds=3, each=10))
experiment = (
    rj.templates.images(data)
    .replace("steps", 20)
    .replace("data.size", 32)
    .replace("model.branch.size", 32)
)

# %%
run = rj.train(experiment)

# %%
run.evaluate()

# %%
run.plot()

# %% [markdown]
# ## Look
#
# A grid: a photograph of each class, and the nearest four.

# %%
bundle = run.export("bundles/photos", saved_model=False)
ids = list(bundle.items.ids)


def grid(bundle):
    """Draws a row a class: a photograph, then its nearest."""
    firsts = {Path(one).parent.name: one for one in reversed(ids)}
    figure, axes = plt.subplots(len(firsts), 5, figsize=(6, 1.3 * len(firsts)))
    for row, kind in zip(axes, sorted(firsts), strict=True):
        near = bundle.neighbors(firsts[kind], k=4)
        shown = [firsts[kind], *(one.id for one in near)]
        for axis, one in zip(row, shown, strict=True):
            axis.imshow(plt.imread(Path("photos") / one))
            axis.set_title(Path(one).parent.name, fontsize=8)
            axis.axis("off")
    return figure


grid(bundle)
plt.show()

# %% [markdown]
# The map, in the two directions in which photographs differ most:


# %%
def draw(bundle):
    """Draws the map, a colour a class."""
    vectors = bundle.vectors(items=ids)
    vectors = vectors - vectors.mean(0)
    x, y = (vectors @ np.linalg.svd(vectors, full_matrices=False)[2][:2].T).T
    kinds = np.array([Path(one).parent.name for one in ids])
    figure, axis = plt.subplots(figsize=(5, 4))
    for kind in sorted({*kinds}):
        axis.scatter(x[kinds == kind], y[kinds == kind], s=14, label=kind)
    axis.legend()
    return figure


draw(bundle)
plt.show()

# %% [markdown]
# ## Change one line
#
# A wider gap between near and far, and look again.

# %%
wide = rj.train(experiment.replace("losses.ranking.gap", 0.5))
wide.evaluate()
