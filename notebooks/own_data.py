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
# # From your own CSV to answers
#
# Two files: who met what and when, and what the things are. Here an invented shop
# writes them; put your own in their place.

# %%
import recjax as rj

for name, table in rj.testing.interactions().items():
    table.write_csv(f"{name}.csv")

# %% [markdown]
# `prepare` checks every row and tells all that is wrong at once, with row, column,
# value and fix. `describe` says what each column was taken for.

# %%
shop = rj.prepare(events="events.csv", items="items.csv")
shop.describe()

# %% [markdown]
# A template looks at the columns that are there and says what it chose. It returns an
# experiment: a tree of settings, all of which you may change.

# %%
experiment = rj.templates.two_tower(shop)
experiment

# %%
run = rj.train(experiment)

# %% [markdown]
# The last tenth of the events is the test. The baselines stand in the same table: a
# model that is not above them is not worth its steps.

# %%
run.evaluate()

# %%
run.plot()

# %% [markdown]
# Ask it: by words, by what somebody had before, by a thing, with a condition on
# columns.

# %%
run.query("red lamp", k=5)

# %%
run.query(history=["ke-smbla", "la-smred"], k=5, where="price < 100")

# %%
run.neighbors("ke-smbla", k=5)

# %% [markdown]
# Where it does worst: what was asked, what it found, what should have been found.

# %%
run.errors(5)

# %% [markdown]
# A bundle is what you serve: vectors, index and model, compared with the live model
# before it exists. It answers without the data and the experiment.

# %%
bundle = run.export("bundles/shop", saved_model=False)
bundle.query("red lamp", k=3)

# %%
run.report()
