"""What the files of BERT and DistilBERT call sizes and tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recjax.nn.transformer import TransformerSettings


@dataclass(frozen=True)
class BertLayout:
    """What one family calls things; sizes are keys of config.json."""

    prefix: str
    sizes: Mapping[str, str]
    activation: str
    dropout: str
    token_types: bool
    layers: str
    parts: Mapping[str, str]


LAYOUTS = {
    "bert": BertLayout(
        prefix="bert.",
        sizes={
            "vocabulary": "vocab_size",
            "width": "hidden_size",
            "layers": "num_hidden_layers",
            "heads": "num_attention_heads",
            "feed_forward": "intermediate_size",
        },
        activation="hidden_act",
        dropout="hidden_dropout_prob",
        token_types=True,
        layers="encoder.layer",
        parts={
            "query": "attention.self.query",
            "key": "attention.self.key",
            "value": "attention.self.value",
            "attention_out": "attention.output.dense",
            "attention_norm": "attention.output.LayerNorm",
            "hidden": "intermediate.dense",
            "out": "output.dense",
            "norm": "output.LayerNorm",
        },
    ),
    "distilbert": BertLayout(
        prefix="distilbert.",
        sizes={
            "vocabulary": "vocab_size",
            "width": "dim",
            "layers": "n_layers",
            "heads": "n_heads",
            "feed_forward": "hidden_dim",
        },
        activation="activation",
        dropout="dropout",
        token_types=False,
        layers="transformer.layer",
        parts={
            "query": "attention.q_lin",
            "key": "attention.k_lin",
            "value": "attention.v_lin",
            "attention_out": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "hidden": "ffn.lin1",
            "out": "ffn.lin2",
            "norm": "output_layer_norm",
        },
    ),
}


def wanted(
    layout: BertLayout, sizes: TransformerSettings, positions: int
) -> Iterator[tuple[tuple[str, ...], str, tuple[int, ...]]]:
    """Yields (place in our tree, name and shape in the file) of every parameter."""
    width, deep = sizes.width, sizes.feed_forward
    tables = {"word": (sizes.vocabulary, width), "position": (positions, width)}
    if sizes.token_types:
        tables["token_type"] = (sizes.token_types, width)
    for table, shape in tables.items():
        yield (table,), f"embeddings.{table}_embeddings.weight", shape
    norms: dict[tuple[str, ...], str] = {("embedding_norm",): "embeddings.LayerNorm"}
    for i in range(sizes.layers):
        for part, name in layout.parts.items():
            place, name = (f"layer_{i}", part), f"{layout.layers}.{i}.{name}"
            if part.endswith("norm"):
                norms[place] = name
                continue
            shape = (deep if part == "hidden" else width,)
            inner = deep if part == "out" else width
            yield (*place, "kernel"), f"{name}.weight", (*shape, inner)
            yield (*place, "bias"), f"{name}.bias", shape
    for place, name in norms.items():
        yield (*place, "scale"), f"{name}.weight", (width,)
        yield (*place, "bias"), f"{name}.bias", (width,)
