"""Paths of pytree leaves, and picking leaves by them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jax

from recjax.errors import UserError


def path_text(path: tuple[Any, ...]) -> str:
    """Returns a key path as text, for example "model/query/mlp_0/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """Returns (path, leaf) for every leaf, in the tree's own order."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(path_text(path), leaf) for path, leaf in leaves]


def first_match(rules: Mapping[str, Any], name: str) -> str | None:
    """Returns the first pattern of `rules` that matches the whole of `name`."""
    for pattern in rules:
        if re.fullmatch(pattern, name):
            return pattern
    return None


def label(tree: Any, rules: Mapping[str, Any], setting: str) -> Any:
    """Returns `tree` with each leaf replaced by the pattern that covers it.

    Args:
      tree: the tree.
      rules: patterns of whole paths.
      setting: which setting they are, for messages.

    Raises:
      UserError: a leaf that no pattern covers.
    """

    def one(path: tuple[Any, ...], _: Any) -> str:
        name = path_text(path)
        pattern = first_match(rules, name)
        if pattern is None:
            raise UserError(
                f"{setting}: no rule covers {name!r}; patterns: "
                + ", ".join(map(repr, rules))
            )
        return pattern

    return jax.tree_util.tree_map_with_path(one, tree)


def count(tree: Any) -> int:
    """Returns the number of array elements in a tree."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
