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
# # Serve it and query it
#
# A bundle behind a port, by TensorFlow Serving's contract, without TensorFlow.

# %%
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import recjax as rj

shop = rj.prepare(**rj.testing.interactions())
run = rj.train(rj.templates.two_tower(shop))
bundle = run.export("bundles/shop", saved_model=False)

# %% [markdown]
# In a shell this is `recjax serve bundles/shop`. Here it runs beside the notebook, at a
# port that is free.

# %%
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = subprocess.Popen(
    [sys.executable, "-m", "recjax", "serve", "bundles/shop", "--port", str(port)]
)
MODEL = f"http://127.0.0.1:{port}/v1/models/shop"


def ask(path, rows=None):
    """Asks the server, by POST where there are rows."""
    data = None if rows is None else json.dumps({"instances": rows}).encode()
    with urllib.request.urlopen(MODEL + path, data, timeout=30) as answer:
        return json.load(answer)


for _ in range(120):
    try:
        ask(":predict", [{"text": "red lamp", "k": 3}])
        break
    except (urllib.error.URLError, ConnectionError):
        time.sleep(0.5)

# %%
print(ask(""))
ask(":predict", [{"text": "red lamp", "k": 3}])

# %% [markdown]
# The same as the bundle in this process says:

# %%
bundle.query("red lamp", k=3)

# %% [markdown]
# The search page is at the server's root. More: batching, limits, metrics and versions
# in the guide "Serve a bundle".

# %%
server.terminate()
server.wait(30)
