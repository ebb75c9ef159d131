"""BERT and DistilBERT in float64 NumPy, one unpadded text at a time: an oracle.

Written from the papers and from the names and sizes of the published files; it knows
nothing of recjax.
"""

import numpy as np
from scipy.special import erf

BERT = {
    "model_type": "bert",
    "vocab_size": 23,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.25,
    "pad_token_id": 0,
}
DISTILBERT = {
    "model_type": "distilbert",
    "vocab_size": 23,
    "dim": 12,
    "n_layers": 2,
    "n_heads": 3,
    "hidden_dim": 20,
    "max_position_embeddings": 16,
    "activation": "gelu",
    "dropout": 0.25,
    "pad_token_id": 0,
}


def random_tensors(config, seed=0, prefix="", old_names=False):
    """Returns tensors as a published file names them, and some that are not ours."""
    random = np.random.default_rng(seed)
    bert = config["model_type"] == "bert"
    width = config["hidden_size" if bert else "dim"]
    deep = config["intermediate_size" if bert else "hidden_dim"]
    layers = config["num_hidden_layers" if bert else "n_layers"]
    tensors = {}

    def linear(name, out, inner):
        tensors[f"{name}.weight"] = random.normal(0, inner**-0.5, (out, inner))
        tensors[f"{name}.bias"] = random.normal(0, 0.1, out)

    def norm(name):
        scale, bias = ("gamma", "beta") if old_names else ("weight", "bias")
        tensors[f"{name}.{scale}"] = random.normal(1, 0.2, width)
        tensors[f"{name}.{bias}"] = random.normal(0, 0.2, width)

    def table(name, rows):
        weight = random.normal(0, 1, (rows, width))
        tensors[f"embeddings.{name}_embeddings.weight"] = weight

    table("word", config["vocab_size"])
    table("position", config["max_position_embeddings"])
    if bert:
        table("token_type", config["type_vocab_size"])
    norm("embeddings.LayerNorm")
    for i in range(layers):
        if bert:
            at = f"encoder.layer.{i}"
            for part in ("query", "key", "value"):
                linear(f"{at}.attention.self.{part}", width, width)
            linear(f"{at}.attention.output.dense", width, width)
            norm(f"{at}.attention.output.LayerNorm")
            linear(f"{at}.intermediate.dense", deep, width)
            linear(f"{at}.output.dense", width, deep)
            norm(f"{at}.output.LayerNorm")
        else:
            at = f"transformer.layer.{i}"
            for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
                linear(f"{at}.attention.{part}", width, width)
            norm(f"{at}.sa_layer_norm")
            linear(f"{at}.ffn.lin1", deep, width)
            linear(f"{at}.ffn.lin2", width, deep)
            norm(f"{at}.output_layer_norm")
    tensors = {prefix + k: v.astype(np.float32) for k, v in tensors.items()}
    tensors["cls.predictions.bias"] = np.zeros(config["vocab_size"], np.float32)
    tensors["embeddings.position_ids"] = np.arange(16)[None]
    return tensors


def vectors(config, tensors, ids, pooling):
    """Returns one vector a text, f64[B, D]; ids [B, L] end in zeros."""
    tensors = {k: np.asarray(v, np.float64) for k, v in tensors.items()}
    hidden = [tokens(config, tensors, row[row > 0]) for row in np.asarray(ids)]
    return np.stack([h[0] if pooling == "cls" else h.mean(0) for h in hidden])


def tokens(config, tensors, ids):
    """Returns the last layer's vectors of one text, f64[L, D]."""
    bert = config["model_type"] == "bert"
    heads = config["num_attention_heads" if bert else "n_heads"]

    def linear(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
        return x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def attend(query, key, value):
        parts = []
        size = query.shape[1] // heads
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            logits = query[:, part] @ key[:, part].T / np.sqrt(size)
            weights = np.exp(logits - logits.max(1, keepdims=True))
            parts.append(weights / weights.sum(1, keepdims=True) @ value[:, part])
        return np.concatenate(parts, 1)

    def gelu(x):
        return x * (1 + erf(x / np.sqrt(2))) / 2

    x = tensors["embeddings.word_embeddings.weight"][ids]
    x = x + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    if bert:
        x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    for i in range(config["num_hidden_layers" if bert else "n_layers"]):
        if bert:
            at = f"encoder.layer.{i}"
            own = f"{at}.attention.self"
            seen = attend(*(linear(x, f"{own}.{p}") for p in ("query", "key", "value")))
            seen = linear(seen, f"{at}.attention.output.dense")
            x = norm(x + seen, f"{at}.attention.output.LayerNorm")
            deep = gelu(linear(x, f"{at}.intermediate.dense"))
            x = norm(x + linear(deep, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        else:
            at = f"transformer.layer.{i}"
            own = f"{at}.attention"
            seen = attend(*(linear(x, f"{own}.{p}_lin") for p in "qkv"))
            x = norm(x + linear(seen, f"{own}.out_lin"), f"{at}.sa_layer_norm")
            deep = gelu(linear(x, f"{at}.ffn.lin1"))
            x = norm(x + linear(deep, f"{at}.ffn.lin2"), f"{at}.output_layer_norm")
    return x


def cosines(a, b):
    """Returns the cosine of each row of `a` with that row of `b`."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / lengths
