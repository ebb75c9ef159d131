"""Deep Ranking: one network that embeds images, trained on triplets.

Wang et al. 2014, Figures 2 and 3. A convolutional branch sees the image, two shallow
paths see it at low resolution; the branch's vector and the paths' (taken together) are
scaled to length 1, joined, embedded linearly and scaled to length 1 again. With AlexNet
and the paper's paths that is 86,269,504 parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from recjax import rng
from recjax.execution import in_parts
from recjax.features import Sides
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.nn import convolution as cnn
from recjax.nn.backbones import Backbone, FrozenBranch, FrozenFront
from recjax.nn.levels import measured, standardised
from recjax.nn.pyramid import PAPER, LowPath
from recjax.outputs import Graded
from recjax.typing import Array, Batch, Float, Memory, Params, PRNGKey

SIDE = "image"
MAPS = "maps"
STANDARD = "standard"
"""Name of the parameters that standardise what is kept."""


@dataclass(frozen=True)
class Multiscale:
    """The triplet network; its three images share all weights.

    Attributes:
      branch: convolutional branch, for example `recjax.nn.alexnet.AlexNet`.
      low: low-resolution paths; none makes the single-scale network.
      width: `D` of the embedding.
      dropout: rate on the joined vector before the embedding.
      classes: classes of each level of labels, for losses that classify: their logits
        are cosines of the embedding and a vector a class. Serving needs them not.
      kept: share of squared distances that the branch gives as it was before training,
        scaled to length 1 and joined behind the embedding when images are embedded. It
        knows kinds of images that this training never shows. Its parameters, `start`,
        need the rule `Frozen()`.
      kept_blocks: blocks of the branch, behind its frozen parts, whose pooled maps are
        joined to what is kept. Each number is then standardised as it lies in the
        images of the first batch, each block scaled to length 1.
      kept_branches: further networks, such as `recjax.nn.FrozenLite(ImageNet(2))`,
        whose vectors are joined to what is kept, standardised likewise; none is ever
        trained. Their parameters are among `start`. Images are resized to their size
        from that of the branch (bilinear), so that what they see is no sharper.
    """

    branch: Backbone
    low: tuple[LowPath, ...] = PAPER
    width: int = 4096
    dropout: float = 0.0
    classes: tuple[int, ...] = ()
    kept: float = 0.0
    kept_blocks: tuple[int, ...] = ()
    kept_branches: tuple[FrozenBranch, ...] = ()

    def __post_init__(self) -> None:
        """Checks the share that is kept.

        Raises:
          ValueError: it is no share, or the branch has no start to keep.
        """
        if not 0 <= self.kept < 1:
            raise ValueError(f"kept = {self.kept}: must be a share from 0 to below 1")
        if self._joins and not self.kept:
            joined = "blocks" if self.kept_blocks else "branches"
            what = getattr(self, f"kept_{joined}")
            raise ValueError(f"kept_{joined} = {what}, but kept = 0")
        if self.kept and self._front.weights is None:
            raise ValueError(f"kept = {self.kept}: the branch starts from no weights")

    @property
    def _front(self) -> FrozenFront:
        if isinstance(self.branch, FrozenFront):
            return self.branch
        raise ValueError(
            f"kept = {self.kept}: the branch starts from no weights, {self.branch} "
            "cannot; EfficientNetLite can"
        )

    @property
    def _joins(self) -> bool:
        """Whether several vectors are kept, which are joined."""
        return bool(self.kept_blocks or self.kept_branches)

    def table_specs(self, sides: Sides) -> dict[str, TableSpec]:
        """Returns no tables.

        Raises:
          ValueError: the data has no images, or of another size.
        """
        feature = sides.get(SIDE, {}).get(SIDE)
        size = getattr(feature, "size", None)
        if size != self.branch.size:
            raise ValueError(
                f"the branch takes images of {self.branch.size} pixels, the data has "
                f"{f'{size} pixels' if size else 'none'}"
            )
        return {}

    def rows(self, batch: Batch) -> RowIds:
        """Names no rows."""
        del batch
        return {}

    def side_rows(self, side: str, features: Batch) -> RowIds:
        """Names no rows."""
        del side, features
        return {}

    @property
    def joined(self) -> int:
        """Numbers that the linear embedding sees."""
        low = sum(path.width(self.branch.size) for path in self.low)
        return self.branch.width + low

    def init(
        self, key: PRNGKey, rows: Mapping[str, TableRows], batch: Batch
    ) -> tuple[Params, Memory]:
        """Returns the parameters; there is no memory."""
        del rows
        own = rng.stream(key, "embedding")
        embedding = cnn.init_layer(own, (self.joined, self.width), gain=1.0)
        # The paths start without a say, so that they cannot harm a trained branch.
        start = embedding["kernel"].at[self.branch.width :].set(0)
        params = {
            "branch": self.branch.init(rng.stream(key, "branch")),
            "embedding": {**embedding, "kernel": start},
        }
        for i, path in enumerate(self.low):
            params[f"low_{i}"] = path.init(rng.stream(key, f"low_{i}"))
        for i, count in enumerate(self.classes):
            own = rng.stream(key, f"classes_{i}")
            params[f"classes_{i}"] = {
                "kernel": jax.random.normal(own, (self.width, count))
            }
        if self.kept:
            start = self._front.trained(params["branch"])
            # A copy: a step takes over the buffers of what it is given.
            params["start"] = jax.tree.map(jnp.copy, start)
            for i, branch in enumerate(self.kept_branches):
                own = jax.tree.map(jnp.asarray, branch.load())
                params["start"][f"branch_{i}"] = own
            if self._joins:
                params["start"][STANDARD] = self._standard(params, batch)
        return params, {}

    def apply(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        batch: Batch,
        memory: Memory,
        key: PRNGKey,
    ) -> tuple[Graded, Memory]:
        """Embeds the three images of each triplet."""
        del rows
        vector = in_parts(
            lambda given, key: self._embed(params, given[0], key, given[1]),
            _flat(batch),
            key,
        ).reshape(len(batch["image"]), 3, -1)
        logits = tuple(
            vector @ cnn.unit(params[f"classes_{i}"]["kernel"].T).T
            for i in range(len(self.classes))
        )
        outputs = Graded(
            vector=vector,
            relevance=batch["relevance"],
            label=batch["label"],
            image=batch["image_id"],
            logits=logits,
            weight=batch["weight"],
        )
        return outputs, memory

    def embed(
        self,
        params: Params,
        rows: Mapping[str, TableRows],
        side: str,
        features: Batch,
    ) -> Float[Array, "B D"]:
        """Embeds images, without randomness; `D` is more than `width` with `kept`."""
        del rows, side
        images, maps = features[SIDE], features.get(MAPS)
        if not self.kept:
            return self._embed(params, images, None, maps)
        x = _scaled(images)
        if maps is None:
            maps = self._front.front(params["branch"], x)
        learned = self._embed(params, images, None, maps)
        levels = self._levels(params["start"], x, maps)
        if self._joins:
            start = standardised(levels, params["start"][STANDARD])
        else:
            start = cnn.unit(levels[-1])
        parts = (1 - self.kept) ** 0.5 * learned, self.kept**0.5 * start
        return jnp.concatenate(parts, -1)

    def _levels(self, start: Params, x: Array, maps: Array) -> list[Array]:
        """Returns the vectors that are kept [B, D], as they come."""
        levels = self._front.levels(start, maps, self.kept_blocks)
        for i, branch in enumerate(self.kept_branches):
            shape = (x.shape[0], branch.size, branch.size, 3)
            seen = jax.image.resize(x, shape, "bilinear")
            levels += branch.levels(start[f"branch_{i}"], seen)
        return levels

    def _standard(self, params: Params, batch: Batch) -> dict[str, Array]:
        """Returns mean and scale of what is kept, in the images of a batch."""

        def levels(given: tuple[Array, Array | None], _: object) -> list[Array]:
            x, maps = _scaled(given[0]), given[1]
            if maps is None:
                maps = self._front.front(params["branch"], x)
            return self._levels(params["start"], x, maps)

        return measured(in_parts(levels, _flat(batch), None))

    def _embed(
        self,
        params: Params,
        images: Array,
        key: PRNGKey | None,
        maps: Array | None = None,
    ) -> Float[Array, "B D"]:
        x = _scaled(images)

        def own(name: str) -> PRNGKey | None:
            return None if key is None else rng.stream(key, name)

        given = params["branch"], x, own("branch")
        if maps is None:
            branch = self.branch.apply(*given)
        else:  # What its frozen parts made of the images is known.
            branch = self._front.apply(*given, maps)
        parts = [cnn.unit(branch.astype(jnp.float32))]
        if self.low:
            low = [p.apply(params[f"low_{i}"], x) for i, p in enumerate(self.low)]
            parts.append(cnn.unit(jnp.concatenate(low, -1).astype(jnp.float32)))
        joined = cnn.dropout(own("dropout"), jnp.concatenate(parts, -1), self.dropout)
        linear = params["embedding"]
        return cnn.unit(joined @ linear["kernel"] + linear["bias"])


def _flat(batch: Batch) -> tuple[Array, Array | None]:
    """Returns the images of triplets [B * 3, size, size, 3], and maps if known."""
    images, maps = batch["image"], batch.get(MAPS)  # [B, 3, ...]
    if maps is not None:
        maps = maps.reshape(-1, *maps.shape[2:])
    return images.reshape(-1, *images.shape[2:]), maps


def _scaled(images: Array) -> Array:
    return images.astype(jnp.float32) / 127.5 - 1
