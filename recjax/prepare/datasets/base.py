"""The two schemas as TFDS builders; a data set only says what is in its tables.

Each builder has two configs of one split "train". Their records keep their order, so
the position of an item or product record is the index that events and pairs refer to.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from recjax.data.interactions import Interactions
from recjax.data.search_pairs import SearchPairs

Example = tuple[int, dict[str, Any]]


class Builder(tfds.core.GeneratorBasedBuilder):
    """Writes the records of `config` in order."""

    VERSION = tfds.core.Version("1.0.0")

    @abc.abstractmethod
    def tables(self) -> Interactions | SearchPairs:
        """Returns the data to write, from raw files."""

    @abc.abstractmethod
    def features(self) -> dict[str, dict[str, Any]]:
        """Returns the features of a record for each config."""

    @abc.abstractmethod
    def records(self) -> Iterator[dict[str, Any]]:
        """Yields the records of this builder's config."""

    def _info(self) -> tfds.core.DatasetInfo:
        features = self.features()[self.builder_config.name]
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # positions in the file are the indices
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Example]]:
        del dl_manager  # raw files are found or fetched by `tables`
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[Example]:
        return enumerate(self.records())


class InteractionsBuilder(Builder):
    """Config `users` has a record a user, its events in time order; `items` an item."""

    KIND = "interactions"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=n) for n in ("users", "items")]

    @abc.abstractmethod
    def tables(self) -> Interactions:
        """Returns the data to write, from raw files."""

    def features(self) -> dict[str, dict[str, Any]]:
        """Returns the features of a record for each config."""

        def sequence(dtype: type) -> tfds.features.Tensor:
            return tfds.features.Tensor(shape=(None,), dtype=dtype)

        text = tfds.features.Text()
        return {
            "users": {
                "id": text,
                "items": sequence(np.int32),
                "timestamps": sequence(np.int64),
                "ratings": sequence(np.float32),
            },
            "items": {"id": text, "title": text, "tags": text},
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """Yields the records of this builder's config."""
        data = self.tables()
        if self.builder_config.name == "items":
            for id_, title, tags in zip(
                data.item_ids, data.titles, data.tags, strict=True
            ):
                yield {"id": id_, "title": title, "tags": tags}
            return
        starts = data.offsets
        for u, id_ in enumerate(data.user_ids):
            own = slice(starts[u], starts[u + 1])
            yield {
                "id": id_,
                "items": data.item[own],
                "timestamps": data.timestamp[own],
                "ratings": data.rating[own],
            }


class SearchBuilder(Builder):
    """Config `pairs` has a record a judged pair, `products` one a product."""

    KIND = "search"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=n) for n in ("pairs", "products")]

    @abc.abstractmethod
    def tables(self) -> SearchPairs:
        """Returns the data to write, from raw files."""

    def features(self) -> dict[str, dict[str, Any]]:
        """Returns the features of a record for each config."""
        text = tfds.features.Text()
        return {
            "pairs": {"query": text, "product": np.int32, "relevance": np.float32},
            "products": {"id": text, "title": text},
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """Yields the records of this builder's config."""
        data = self.tables()
        if self.builder_config.name == "products":
            for id_, title in zip(data.product_ids, data.titles, strict=True):
                yield {"id": id_, "title": title}
            return
        for query, product, relevance in zip(
            data.query, data.product, data.relevance, strict=True
        ):
            yield {
                "query": data.queries[query],
                "product": product,
                "relevance": relevance,
            }
