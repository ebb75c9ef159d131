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
# # Many embeddings for every user
#
# PinnerSage clusters what a user did by Ward's rule, keeps one item for each cluster
# (its medoid), and how much it matters now. It trains nothing: vectors of items come
# from any model, here a two-tower.

# %%
import matplotlib.pyplot as plt
from scipy.cluster.hierarchy import dendrogram

import recjax as rj
from recjax.users.dendrogram import linkage

made = rj.testing.interactions()
shop = rj.prepare(**made)
run = rj.train(rj.templates.users(shop))

# %%
run.evaluate()

# %%
run.plot()

# %%
bundle = run.export("bundles/shop", saved_model=False)
clusters = rj.cluster_users(made["events"], bundle)
clusters.head(6)

# %% [markdown]
# ## Look
#
# One user: the tree in which what he met was joined. A cut at `alpha` makes the
# clusters.

# %%
titles = dict(made["items"].select("item", "title").iter_rows())
met = made["events"].filter(made["events"]["user"] == "u0")["item"].to_list()


def draw(alpha):
    """Draws the tree of a user, cut at alpha."""
    figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
    tree = linkage(rj.ward(run.embed(items=met)))
    names = [titles[one] for one in met]
    cut = alpha**0.5  # SciPy's heights are distances, Ward's are their squares.
    dendrogram(tree, labels=names, orientation="right", color_threshold=cut, ax=axis)
    axis.axvline(cut, color="grey", linestyle=":")
    return figure


draw(1.0)
plt.show()

# %% [markdown]
# What his most important medoid asks the index for:

# %%
mine = clusters.filter(clusters["user"] == "u0")
bundle.neighbors(mine["medoid"][0], k=5)

# %% [markdown]
# ## Change one line
#
# A smaller `alpha` makes more and narrower clusters.

# %%
narrow = rj.cluster_users(made["events"], bundle, alpha=0.3)
print(
    f"{len(clusters) / 80:.1f} clusters a user, with alpha=0.3 {len(narrow) / 80:.1f}"
)

# %%
draw(0.3)
plt.show()
