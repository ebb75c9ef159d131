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
# # One embedding for queries, products and pins
#
# OmniSearchSage's task: a query finds products and pins, trained on all kinds of
# engagement at once. The data is an invented catalogue.

# %%
import matplotlib.pyplot as plt
import numpy as np

import recjax as rj

data = rj.prepare(**rj.testing.catalog())
experiment = rj.templates.catalog(data).replace("steps", 100)

# %%
run = rj.train(experiment)

# %%
run.evaluate()

# %%
run.plot()

# %% [markdown]
# ## Look
#
# Answers to a query:

# %%
run.query("red lamp", k=5)

# %% [markdown]
# The map: items and queries in the two directions in which items differ most. Items of
# a kind lie together, and a query lies among what fits it.

# %%
KINDS = ("kettle", "lamp", "chair", "rug")
items = rj.testing.catalog()["entities"]["pin"]


def draw(run):
    """Draws the map of pins (dots) and of queries (crosses)."""
    vectors = run.embed(items=items["id"].to_list())
    asked = run.embed(queries=list(KINDS))
    centre = vectors.mean(0)
    axes = np.linalg.svd(vectors - centre, full_matrices=False)[2][:2].T
    figure, axis = plt.subplots(figsize=(6, 4))
    for at, kind in enumerate(KINDS):
        rows = items["title"].str.ends_with(kind).to_numpy()
        x, y = ((vectors[rows] - centre) @ axes).T
        axis.scatter(x, y, s=12, color=f"C{at}", label=kind)
        x, y = (asked[at] - centre) @ axes
        axis.scatter(x, y, marker="x", s=60, color=f"C{at}")
    axis.legend()
    return figure


draw(run)
plt.show()

# %% [markdown]
# ## Change one line
#
# A quarter of the steps, and look again.

# %%
short = rj.train(experiment.replace("steps", experiment.steps // 4))
short.evaluate()

# %%
draw(short)
plt.show()
