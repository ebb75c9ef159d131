"""The text encoder of BERT and DistilBERT: from token ids to one vector a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.errors import UserError
from recjax.execution import block, dtype
from recjax.features import IdFeature
from recjax.nn.dropout import Dropout
from recjax.nn.inputs import NoRows
from recjax.typing import Array, Batch, Float

_start = nn.initializers.truncated_normal(0.02)
_HIDDEN = -1e30
"""Logit of padding: finite, so that a text of nothing but padding stays a number."""


@dataclass(frozen=True)
class TransformerSettings:
    """Sizes of an encoder; the defaults are those of a small one (MiniLM-L6).

    Attributes:
      vocabulary: `V`, number of token ids; id 0 is padding.
      width: `D` inside the encoder.
      layers: number of layers.
      heads: attention heads; they divide the width.
      feed_forward: width of the hidden layer of each feed-forward block.
      max_length: most tokens of a text.
      token_types: rows of the token-type table, of which row 0 is used; 0 for no table
        (DistilBERT).
      layer_norm_eps: added to variances.
      dropout: rate on embeddings, attention and the output of each block.
    """

    vocabulary: int
    width: int = 384
    layers: int = 6
    heads: int = 12
    feed_forward: int = 1536
    max_length: int = 64
    token_types: int = 2
    layer_norm_eps: float = 1e-12
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Checks the sizes.

        Raises:
          ValueError: a size is too small, or the heads do not divide the width.
        """
        for name in ("vocabulary", "width", "heads", "feed_forward", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide width {self.width}")


class Transformer(NoRows, nn.Module):
    """BERT (Devlin et al. 2019) as an input of a tower, learned with the dense part.

    Post-norm layers, learned positions, exact GELU. Parameters, LayerNorm, softmax and
    pooling are float32 whatever `Runtime.activations` says. A vocabulary of word pieces
    is small, so its vectors are dense parameters and no table. With `Runtime.remat` the
    backward pass is given layers' inputs alone (MiniLM, 64 texts of 64 tokens,
    bfloat16: 19 MB, not 960 MB).

    Attributes:
      settings: sizes.
      pooling: "cls" takes the first token's vector, "mean" that of all tokens.
      width: output width of one linear map (`head`); None for none.
    """

    settings: TransformerSettings
    pooling: Literal["cls", "mean"] = "mean"
    width: int | None = None

    def check(self, name: str, feature: IdFeature) -> None:
        """Checks that the encoder has a vector for every id of a feature.

        Raises:
          UserError: it has not, or too few positions.
        """
        sizes = self.settings
        for wanted, held, field in (
            (feature.rows, sizes.vocabulary, "vocabulary"),
            (feature.length, sizes.max_length, "max_length"),
        ):
            if wanted > held:
                what = "ids" if field == "vocabulary" else "ids a text"
                raise UserError(
                    f"feature {name!r} has {wanted} {what}, the encoder's settings "
                    f"say {field}={held}: make it {wanted}, or take the tokenizer "
                    "that belongs to the encoder"
                )

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a text, float32; a text of only padding gives zeros.

        Raises:
          UserError: texts are longer than there are positions.
        """
        del rows
        ids, sizes = features[name], self.settings
        length, width = ids.shape[1], sizes.width
        if length > sizes.max_length:
            raise UserError(
                f"feature {name!r} holds {length} tokens a text, the encoder has "
                f"{sizes.max_length} positions; set one as the other"
            )
        held = ids > 0
        x = self.param("word", _start, (sizes.vocabulary, width))[ids]
        x += self.param("position", _start, (sizes.max_length, width))[:length]
        if sizes.token_types:
            x += self.param("token_type", _start, (sizes.token_types, width))[0]
        x = _norm(sizes, "embedding_norm")(x)
        x = Dropout(sizes.dropout)(x, train).astype(dtype())
        for i in range(sizes.layers):
            x = block(_Layer(sizes, name=f"layer_{i}")(x, held, train))
        pooled = _pool(x.astype(jnp.float32), held, self.pooling)
        if self.width is not None:
            pooled = nn.Dense(self.width, kernel_init=_start, name="head")(pooled)
        return pooled * jnp.any(held, 1, keepdims=True)


class _Layer(nn.Module):
    """Self-attention and a feed-forward block, each added to its input, then normed."""

    settings: TransformerSettings

    @nn.compact
    def __call__(
        self, x: Float[Array, "B L D"], held: Array, train: bool
    ) -> Float[Array, "B L D"]:
        sizes, kind = self.settings, dtype()

        def dense(width: int, name: str) -> nn.Dense:
            return nn.Dense(width, dtype=kind, kernel_init=_start, name=name)

        def drop(x: Array) -> Array:
            return Dropout(sizes.dropout)(x, train)

        def add_norm(x: Array, new: Array, name: str) -> Array:
            total = x.astype(jnp.float32) + drop(new)
            return _norm(sizes, name)(total).astype(kind)

        shape = x.shape
        # One row a token: gradients of matrices are then plain products.
        x = x.reshape(-1, shape[-1])
        split = (*shape[:2], sizes.heads, sizes.width // sizes.heads)
        query, key, value = (
            dense(sizes.width, name)(x).reshape(split)
            for name in ("query", "key", "value")
        )
        logits = jnp.einsum(
            "bqhd,bkhd->bhqk", query, key, preferred_element_type=jnp.float32
        )
        logits = jnp.where(held[:, None, None], logits / split[-1] ** 0.5, _HIDDEN)
        weights = drop(jax.nn.softmax(logits)).astype(kind)
        seen = jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(x.shape)
        x = add_norm(x, dense(sizes.width, "attention_out")(seen), "attention_norm")
        deep = nn.gelu(dense(sizes.feed_forward, "hidden")(x), approximate=False)
        return add_norm(x, dense(sizes.width, "out")(deep), "norm").reshape(shape)


def _norm(sizes: TransformerSettings, name: str) -> nn.LayerNorm:
    # The fast variance, E[x^2] - E[x]^2, loses digits where the mean is large.
    return nn.LayerNorm(
        sizes.layer_norm_eps, dtype=jnp.float32, use_fast_variance=False, name=name
    )


def _pool(x: Float[Array, "B L D"], held: Array, kind: str) -> Float[Array, "B D"]:
    if kind == "cls":
        return x[:, 0]
    weight = held.astype(x.dtype)
    total = jnp.einsum("bld,bl->bd", x, weight)
    return total / jnp.maximum(jnp.sum(weight, 1, keepdims=True), 1)
