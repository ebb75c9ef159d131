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
# # Compare two experiments
#
# Does label smoothing help? The same data, seed and steps, with and without.

# %%
import matplotlib.pyplot as plt
import polars as pl

import recjax as rj

shop = rj.prepare(**rj.testing.interactions())
experiment = rj.templates.two_tower(shop)
other = experiment.replace("losses.softmax.label_smoothing", 0.3)
other

# %%
runs = {"as it is": rj.train(experiment), "smoothed": rj.train(other)}

# %% [markdown]
# ## Side by side
#
# Choose on validation; look at test once.

# %%
model = "two_tower"
pl.DataFrame(
    [
        {"run": name, "split": split, **run.evaluate(split)[model]}
        for name, run in runs.items()
        for split in ("validation", "test")
    ]
)

# %% [markdown]
# The loss is no comparison here, since the losses differ; their validation is.

# %%
figure, axis = plt.subplots(figsize=(6, 3))
for name, run in runs.items():
    best = run.experiment.best
    line = run.history.select("step", best).drop_nulls()
    axis.plot(line["step"], line[best], label=name, marker="o")
axis.set(xlabel="step", ylabel=best)
axis.legend()
plt.show()

# %% [markdown]
# ## Is it more than the seed?
#
# Another seed of each says how much of the difference may be chance. Where they
# overlap, there is no winner; take three seeds or more for a claim.

# %%
rows = []
for name, one in (("as it is", experiment), ("smoothed", other)):
    found = rj.train(one.replace("seed", 1)).evaluate("validation")[model]
    rows.append({"run": name, "seed": 1, "recall@10": found["recall@10"]})
for name, run in runs.items():
    found = run.evaluate("validation")[model]["recall@10"]
    rows.append({"run": name, "seed": 0, "recall@10": found})
pl.DataFrame(rows).group_by("run").agg(
    pl.col("recall@10").mean().alias("mean"), pl.col("recall@10").std().alias("std")
)

# %% [markdown]
# From the command line, `recjax sweep` does this for a file of variants, with a table
# over seeds.
