"""What a catalogue's tables hold: pairs, pins and products (OmniSearchSage's format).

Names are the same for pins and products, since one tower reads both. The published
names (arXiv 2404.16260, public code) are found as well, see `PUBLISHED`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recjax.tables.old.columns import Column

TYPES = ("pin", "product", "query")
"""Candidate types; a pair stores the position in here."""

ENTITIES = ("pin", "product")
"""Candidate types that have a table."""

TABLES = {"pin": "pins", "product": "products"}

TEXT_FIELDS = (
    "title",
    "description",
    "domains",
    "brand",
    "colors",
    "size_type",
    "links",
    "size",
    "patterns",
    "materials",
    "product_types",
    "gpt",
    "canonical_desc",
    "board_title",
    "engaged_queries",
    "domain",
    "image_caption",
    "rich_pin_title",
    "rich_pin_description",
)

VECTORS = ("gs_v5", "item_is_v2", "legacy")
"""Float vectors: PinSage, ItemSage, and frozen embeddings to stay compatible with."""

CODES = ("ue_v4",)
"""Vectors of bytes, whose bits are the features."""

DENSE = (*VECTORS, *CODES)

CREATED = "created"
"""When an entity came to be: before, it could not be shown to anybody."""

PUBLISHED: Mapping[str, tuple[str, ...]] = {
    **{
        name: (f"item_{name}",)
        for name in TEXT_FIELDS[:12]  # from title to gpt
    },
    "engaged_queries": ("navboost_v2",),
    "image_caption": ("image_caption_feat",),
    "rich_pin_title": ("item_rich_pin_title",),
    "rich_pin_description": ("item_rich_pin_description",),
}
"""recjax's name -> other names of the same column."""

PAIRS = (
    Column("query", "text"),
    Column("candidate_id", "id"),
    Column("candidate_type", "text"),
    Column("action", "text"),
    Column("timestamp", "time", required=False),
)

ENTITY = (
    Column("id", "id", shared=True),
    *(Column(name, "words", required=False, shared=True) for name in TEXT_FIELDS),
    *(Column(name, "vectors", required=False, shared=True) for name in VECTORS),
    *(Column(name, "codes", required=False, shared=True) for name in CODES),
    Column(CREATED, "time", required=False, shared=True),
)


def with_published(
    columns: Mapping[str, str], header: Sequence[str]
) -> Mapping[str, str]:
    """Returns `columns` and, where a name is not in `header`, its published one."""
    found = {
        name: other
        for name, others in PUBLISHED.items()
        for other in others
        if name not in header and other in header
    }
    return {**found, **columns}
