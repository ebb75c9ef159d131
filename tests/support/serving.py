"""A server in a process of its own, and small bundles for it to serve."""

import concurrent.futures
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import small
import tiny_images

from recjax.bundle import signatures
from recjax.bundle.check import Function
from recjax.bundle.image import image_graphs
from recjax.bundle.open import IMAGE, INPUTS
from recjax.bundle.serving import Serving
from recjax.bundle.write import Contents, write_bundle
from recjax.data import inputs as raw_inputs
from recjax.data.inputs import AgeListInput, IdListInput, encode_all
from recjax.images.augment import CenterCrop
from recjax.images.decode import example_image
from recjax.index.compact import compact
from recjax.index.plan import Plan
from recjax.tables.typed import Table, TypedColumn
from recjax.text import Vocabulary
from recjax.text.column import pack
from recjax.text.features import TextInput

IDS = tuple(f"i{i}" for i in range(40))
TITLES = tuple(
    f"{('red', 'green', 'blue', 'grey')[i % 4]} thing {i}" for i in range(40)
)
WIDTH, SIDE = 8, 32
PROGRAM = (
    SimpleNamespace(experiment=SimpleNamespace(name="made"), data=None),
    SimpleNamespace(step=0, params={}),
)


def unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def bag(table, ids):
    return (table[ids] * (ids > 0)[..., None]).sum(1)


def query(held, features):
    """Texts and histories, whose films count less the older they are."""
    weight = (
        jnp.exp(-features["history_age"])[..., None] * held["film"][features["history"]]
    )
    seen = (weight * (features["history"] > 0)[..., None]).sum(1)
    return unit(bag(held["token"], features["text"]) + seen + held["bias"])


def item(held, features):
    return unit(bag(held["token"], features["text"]) + held["bias"])


def known():
    """Returns what is known of films: a price, of some none, and a colour."""
    colours = pack([title.split()[0] for title in TITLES])
    price = np.where(np.arange(40) % 5 == 0, np.nan, np.arange(40)).astype(np.float32)
    made = TypedColumn("price", "number", price), TypedColumn("colour", "text", colours)
    return Table(40, {one.name: one for one in made})


def films(folder, seed=0, sizes=(1, 128), saved=False, type="float32"):
    """Writes a bundle of films that answers queries and embeds films."""
    random = np.random.default_rng(seed)
    words = Vocabulary.build(TITLES, unigrams=50, bigrams=50, trigrams=50)
    history = IdListInput(IDS, 6)
    inputs = {
        "text": TextInput(words, 8),
        "history": history,
        "history_age": AgeListInput("history", history),
    }
    held = {
        "token": random.normal(size=(words.size, WIDTH)),
        "film": random.normal(size=(len(IDS) + 1, WIDTH)),
        "bias": random.normal(size=WIDTH),
    }
    held = {name: array.astype(np.float32) for name, array in held.items()}
    raw = {"text": list(TITLES[:4]), "history": [["i3"], [], ["i4", "i5"], ["i6"]]}
    raw["history_age"] = [[0.5], [], [2.0, 0.1], [0.0]]
    features = encode_all(inputs, raw, 4)
    own = {"text": inputs["text"].encode(TITLES)}
    vectors = np.asarray(item(held, own))
    functions = {
        "query": Function(
            query,
            features,
            np.asarray(query(held, features)),
            lambda saved: lambda _: saved["embed"](raw)["embedding"],
            raw=raw,
        ),
        "item": Function(item, {"text": own["text"][:4]}, vectors[:4]),
    }

    def save(at):
        (at / INPUTS).mkdir()
        raw_inputs.save(at / INPUTS, inputs)

    stored = compact(vectors, type)
    serving = Serving(len(IDS), sizes)
    graphs = partial(
        signatures.queries,
        inputs=inputs,
        vectors=stored,
        item_ids=IDS,
        plan=Plan(len(IDS)),
        item=functions["item"].example,
    )
    made = Contents(
        *(IDS, TITLES, stored, functions, held, save, graphs, serving),
        columns=known(),
    )
    write_bundle(*PROGRAM, folder, lambda *_: made, saved, 1e-4)


def pictures(folder, sizes=(4,), saved=False):
    """Writes a bundle that embeds photographs by the colours of their quarters."""
    table, random = tiny_images.table(), np.random.default_rng(0)
    held = random.normal(size=(12, WIDTH)).astype(np.float32)

    def image(held, arrays):
        half = SIDE // 2
        parts = arrays["image"].reshape(-1, 2, half, 2, half, 3).mean((2, 4))
        return unit((parts.reshape(-1, 12) / 255 - 0.5) @ held)

    crop = CenterCrop()
    pixels = {"image": np.stack([crop(table.read(i), SIDE) for i in range(48)])}
    vectors = np.asarray(image(held, pixels))
    some = {"image": pixels["image"][:4]}
    functions = {"image": Function(image, some, vectors[:4])}
    about = json.dumps({"size": SIDE, "center_crop": crop.share})
    made = Contents(
        table.names,
        table.names,
        vectors,
        functions,
        held,
        lambda at: (at / IMAGE).write_text(about),
        partial(image_graphs, crop, SIDE, vectors, table.names, 48),
        Serving(48, sizes),
        asked={"image_bytes": [example_image()]},
    )
    write_bundle(*PROGRAM, folder, lambda *_: made, saved, 1e-4)


class Server:
    """`recjax serve` with some arguments; a context manager that ends it."""

    def __init__(self, *arguments, **environment):
        command = [sys.executable, "-m", "recjax", "serve", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stderr=subprocess.PIPE,
            env=small.environment(**environment),
            cwd=small.ROOT,
            text=True,
        )
        self.lines, self.port = [], 0
        # Who does not read stops a server that writes.
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def ready(self, count=1):
        """Waits until it has said so this often; returns what it said."""
        until = time.monotonic() + 120
        while len(found := [x for x in self.said() if x["message"] == "ready"]) < count:
            assert self.process.poll() is None, self.rest()
            assert time.monotonic() < until, self.lines
            time.sleep(0.05)
        return found

    def said(self):
        """Returns the lines of its log."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def __enter__(self):
        self.port = self.ready()[0]["port"]
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.rest()

    def rest(self):
        """Waits for its end, and returns all that it said."""
        self.reader.join(30)
        return "\n".join(self.lines)

    def ask(self, path, body=None, method=None, headers=None):
        """Returns status, content and headers of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        method = method or ("GET" if body is None else "POST")
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, content, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        kind = answer.headers.get("content-type", "")
        return (
            answer.status,
            json.loads(text) if kind == "application/json" else text.decode(),
            dict(answer.headers),
        )

    def predict(self, model, **content):
        """Returns the answer to a request that is as it should be."""
        status, said, _ = self.ask(f"/v1/models/{model}:predict", content)
        assert status == 200, said
        return said


PATH = "/v1/models/films:predict"
BEARER = {"Authorization": "Bearer secret"}
ROW = {"text": "red thing", "history": ["i3"], "history_age": [], "k": 5}


def hammer(port, seconds, threads=8, rows=8):
    """Asks as fast as it can; returns (status, content) of each answer."""
    until, found = time.monotonic() + seconds, []

    def client(number):
        own = []
        body = json.dumps({"instances": [{**ROW, "k": number + 1}] * rows})
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.monotonic() < until:
            try:
                link.request("POST", PATH, body, BEARER)
                answer = link.getresponse()
                own.append((answer.status, number, json.loads(answer.read())))
            except (OSError, http.client.HTTPException) as error:
                own.append((0, number, repr(error)))
                link.close()
                time.sleep(0.01)
        link.close()
        return own

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for own in pool.map(client, range(threads)):
            found += own
    return found
