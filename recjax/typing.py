"""Array and tree names used in signatures.

Shape letters, everywhere in recjax: `B` batch, `L` length, `S` sessions, `D`
embedding width, `V` vocabulary, `N` corpus, `K` top-k, `Q` queries, `U` distinct
table rows that one batch touches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from jaxtyping import Array, Bool, Float, Int

PRNGKey = jax.Array
Params = Any
"""A pytree of float arrays: what the dense optimizer updates."""
Memory = Any
"""A model's own pytree that a step reads and returns (may be empty)."""
Batch = Mapping[str, Any]
"""Nested mapping of arrays; the leading axis of each is split over devices."""

__all__ = ["Array", "Batch", "Bool", "Float", "Int", "Memory", "PRNGKey", "Params"]
