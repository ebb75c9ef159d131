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
# # What next in a session?
#
# HierTCN keeps a state of each user over sessions, and follows what happens inside one.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt

import recjax as rj

made = rj.testing.sessions(users=40)
data = rj.prepare(**made)
experiment = rj.templates.sessions(data).replace("steps", 100)

# %%
run = rj.train(experiment)

# %% [markdown]
# Each user's last session is the test. `markov` counts what followed what.

# %%
run.evaluate()

# %%
run.plot()

# %% [markdown]
# ## Look
#
# The timeline of a user: what was met, and at which place the model had it, asked just
# before. Place 1 is right.

# %%
titles = dict(made["items"].select("item", "title").iter_rows())
ids = list(titles)
log = made["events"].filter(made["events"]["user"] == "u0").sort("timestamp")
met = log["item"].to_list()


def places(run):
    """Returns the place of each item but the first, asked just before it was met."""
    found = []
    for at in range(1, len(met)):
        answers = [one.id for one in run.query(history=met[:at], k=len(ids))]
        found.append(answers.index(met[at]) + 1)
    return found


def draw(run):
    """Draws the places along the user's events; a new colour is a new session."""
    figure, axis = plt.subplots(figsize=(8, 3.5), layout="constrained")
    at = places(run)
    names = [titles[one] for one in met[1:]]
    colours = [
        f"C{int(name.split('-')[1]) % 10}" for name in log["session"].to_list()[1:]
    ]
    axis.bar(range(len(at)), at, color=colours)
    axis.set_xticks(range(len(at)), names, rotation=45, ha="right")
    axis.set(yscale="log", ylabel="place")
    return figure


draw(run)
plt.show()

# %%
run.query(history=met[:4], k=5)

# %% [markdown]
# ## Change one line
#
# Without what was counted beside it (`pairs`: repeats and transitions), and look again.

# %%
plain = rj.train(replace(experiment, data=replace(experiment.data, pairs=())))
plain.evaluate()

# %%
draw(plain)
plt.show()
