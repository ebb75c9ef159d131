"""Home Depot product search relevance (Kaggle 2016; research use only).

74,067 judged pairs of 11,795 queries with 54,667 products (distinct `product_uid`),
relevance 1 to 3 as the mean of at least 3 raters. A product is an id, not a title:
54,667 products have 53,474 distinct titles, and 15 with two titles keep their first.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import polars as pl

from recjax import fetch
from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.write import Data
from recjax.tables.typed import TypedColumn

FILE = ("home_depot", "train.csv.zip")
URL = "https://www.kaggle.com/c/home-depot-product-search-relevance/data"


def data() -> Data:
    """Returns the data.

    Raises:
      UserError: the raw file is missing or damaged.
    """
    how = f"download train.csv.zip from {URL} (free account; research use only) "
    how += "and put it"
    return read(fetch.by_hand(*FILE, what="Home Depot's raw data is", how=how))


def read(path: Path) -> Data:
    """Reads Kaggle's zip of one latin-1 CSV.

    Raises:
      UserError: the file is damaged or holds other columns.
    """
    try:
        with zipfile.ZipFile(path) as file:
            text = file.read("train.csv").decode("latin-1")
        frame = pl.read_csv(
            text.encode(),
            columns=["product_uid", "product_title", "search_term", "relevance"],
            infer_schema=False,
        ).select(
            pl.col("search_term").str.strip_chars().alias("query"),
            pl.col("product_uid").alias("product"),
            pl.col("product_title").str.strip_chars().alias("title"),
            pl.col("relevance").cast(pl.Float32),
        )
    except (
        *(OSError, KeyError, ValueError, EOFError),
        *(zipfile.BadZipFile, zlib.error, pl.exceptions.PolarsError),
    ) as error:
        raise UserError(
            f"{path} is not Home Depot's train.csv.zip as {URL} gives it "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error
    products = frame.unique("product", keep="first", maintain_order=True)
    queries = frame["query"].unique(maintain_order=True)
    query, item = (
        make.entity(queries),
        make.entity(products["product"], make.text("title", products["title"])),
    )
    judgements = make.table(
        make.refers("query", make.index_of(frame["query"], queries), query),
        TypedColumn(
            "candidate", "id", make.index_of(frame["product"], products["product"])
        ),
        make.category("candidate_type", np.repeat("item", frame.height)),
        make.number("grade", frame["relevance"]),
    )
    return Data({"query": query, "item": item, "judgements": judgements})
