"""Bad data files, given to the command line: one clear error and exit status 2."""

import command
import polars as pl
import pytest

T = 1_600_000_000
EVENTS = f"user,item,timestamp\nu1,i1,{T}\nu1,i2,{T + 100}\nu2,i1,{T + 200}\n"
SECOND = str(T + 100)
ITEMS = "item,title\ni1,Red shoe\ni2,Blue shoe\n"
PAIRS = "query,candidate,grade,title\nshoe,p1,3,Red shoe\nhat,p2,2.5,Hat\n"
PRODUCTS = "product,title\np1,Red shoe\np2,Hat\n"

INTERACTIONS = [
    # case, text of the file, what the message must hold
    ("empty file", "", ["empty file", "Fix: give it a header and rows"]),
    ("header alone", "user,item,timestamp\n", ["no rows", "Fix: give it rows"]),
    (
        "a wrong column",
        EVENTS.replace("timestamp", "time"),
        ["missing column", "'timestamp'", "user", "--rename events:NAME=timestamp"],
    ),
    (
        "another separator",
        EVENTS.replace(",", ";"),
        ["missing column", "separated by semicolons"],
    ),
    (
        "a timestamp that is no number",
        EVENTS.replace(SECOND, "yesterday"),
        ["row 3", "'timestamp'", '"yesterday"', "not a timestamp", "Fix: write unix"],
    ),
    ("a timestamp before time", EVENTS.replace(SECOND, "-1"), ["row 3", "negative"]),
    (
        "milliseconds",
        EVENTS.replace(SECOND, "1700000000000"),
        ["times of several units", "2 in seconds, 1 in milliseconds"],
    ),
    (
        "a missing id",
        EVENTS.replace("u1,i2", ",i2"),
        ["row 3", "'user'", "Fix: fill it in"],
    ),
    (
        "a NaN rating",
        f"user,item,timestamp,rating\nu1,i1,{T},5\nu1,i2,{T},NaN\n",
        ["row 3", "'rating'", '"NaN"', "Fix: give it a number"],
    ),
    (
        "an infinite rating",
        f"user,item,timestamp,rating\nu1,i1,{T},inf\n",
        ["row 2", "'rating'", '"inf"', "Fix: give it a finite number"],
    ),
    (
        "an event twice",
        EVENTS + f"u1,i1,{T}\n",
        ["row 5", "the same event twice", "first in row 2", "Fix: keep one"],
    ),
    (
        "too few fields",
        EVENTS + "u1,i1\n",
        ["row 5", "wrong number of fields", "2 fields"],
    ),
    ("an open quote", EVENTS + 'u1,"i1,1600000400\n', ["never closed", "row 5"]),
    (
        "other bytes",
        EVENTS.encode() + b"u\xe9,i1,1600000400\n",
        ["row 5", "--encoding"],
    ),
    ("a binary file", b"\x00\x01\x02", ["not a text file", "Fix: save it as text"]),
    (
        "UTF-16",
        EVENTS.encode("utf-16"),
        ["not a text file", "--encoding utf-16"],
    ),
]


def write(path, content):
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(content)
    return path


def both(capfd, tmp_path, *given):
    """Returns the message of `validate`, after checking that of `prepare`."""
    out = tmp_path / "prepared"
    checked = command.fails(capfd, "data", "validate", *given)
    given = ("data", "prepare", *given, "--out", out)
    refused = command.fails(capfd, *given)
    assert refused.startswith(checked.strip()[:200])
    assert "Nothing was prepared." in refused
    assert not out.exists()
    return checked


@pytest.mark.parametrize(
    ("content", "words"),
    [c[1:] for c in INTERACTIONS],
    ids=[c[0] for c in INTERACTIONS],
)
def test_events(capfd, tmp_path, content, words):
    path = write(tmp_path / "events.csv", content)
    message = both(capfd, tmp_path, "--events", path)
    assert "events.csv" in message
    assert not [word for word in words if word not in message], message


def test_no_such_file_names_its_neighbour(capfd, tmp_path):
    write(tmp_path / "events.csv", EVENTS)
    message = both(capfd, tmp_path, "--events", tmp_path / "event.csv")
    assert "no such file" in message and "Did you mean 'events.csv'" in message


def test_a_folder_and_an_unknown_extension(capfd, tmp_path):
    message = both(capfd, tmp_path, "--events", tmp_path)
    assert "a folder without data" in message
    path = write(tmp_path / "events.xlsx", EVENTS)
    message = both(capfd, tmp_path, "--events", path)
    assert "unknown extension" in message and ".csv" in message


def test_items_that_events_do_not_know(capfd, tmp_path):
    events = write(tmp_path / "events.csv", EVENTS)
    items = write(tmp_path / "items.csv", ITEMS.replace("i2", "i3"))
    message = both(capfd, tmp_path, "--events", events, "--items", items)
    assert "unknown item" in message and "row 3" in message and '"i2"' in message
    write(items, ITEMS + "i1,Again\n")
    message = both(capfd, tmp_path, "--events", events, "--items", items)
    assert "items.csv: item given twice" in message and "first in row 2" in message


@pytest.mark.parametrize("damage", ["truncated", "no parquet", "empty", "column"])
def test_parquet(capfd, tmp_path, damage):
    path = tmp_path / "events.parquet"
    frame = pl.DataFrame(
        {"user": ["u"] * 500, "item": ["i"] * 500, "timestamp": [T] * 500}
    )
    if damage == "column":
        frame = frame.with_columns(timestamp=pl.lit([1, 2]))
    frame.write_parquet(path)
    whole = path.read_bytes()
    cut = {"truncated": whole[:-40], "no parquet": b"hello" * 9, "empty": b""}
    path.write_bytes(cut.get(damage, whole))
    message = both(capfd, tmp_path, "--events", path)
    words = {"empty": "empty file", "column": "column of type List"}
    assert words.get(damage, "unreadable Parquet") in message
    assert "events.parquet" in message and "Fix: " in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PAIRS.replace(",3,", ",high,"), ["row 2", "'grade'", '"high"']),
        (PAIRS.replace(",3,", ",-3,"), ["row 2", "negative number"]),
        (PAIRS.replace("hat,", " ,"), ["row 3", "'query'"]),
        (PAIRS.replace("grade", "mark"), ["missing column", "'grade'"]),
        (PAIRS + "shoe,p1,2,Red shoe\n", ["row 4", "first in row 2"]),
        (PAIRS + "cap,p2,2,Cap\n", ["row 4", "two titles", '"Hat" in row 3']),
    ],
    ids=["no number", "negative", "empty query", "column", "twice", "two titles"],
)
def test_pairs(capfd, tmp_path, content, words):
    path = write(tmp_path / "pairs.csv", content)
    message = both(capfd, tmp_path, "--judgements", path)
    assert not [word for word in words if word not in message], message


def test_pairs_of_unknown_products(capfd, tmp_path):
    pairs = write(tmp_path / "pairs.csv", PAIRS)
    products = write(tmp_path / "products.tsv", "product\ttitle\np1\tRed shoe\n")
    message = both(
        capfd, tmp_path, "--judgements", pairs, "--entity", f"product={products}"
    )
    assert "unknown product" in message and '"p2"' in message


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--column", "user"], "--column user: expected [FILE:]NAME=TYPE"),
        (["--column", "user=di"], "Did you mean 'id'"),
        (["--column", "usr=id"], "Did you mean 'user'"),
        (["--rename", "usr=user"], "Did you mean 'user'"),
        (["--rename", "a=user", "--rename", "b=user"], "'user' is named twice"),
        (["--rename", "a=user", "--rename", "a=item"], "'a' is 'user' already"),
        (["--gap", "0"], "--gap 0: must be at least 1"),
        (["--longest", "9"], "--longest, but no sessions"),
        (["--encoding", "utf8000"], "--encoding 'utf8000': no such encoding"),
        (["--encoding", "undefined"], "--encoding 'undefined': no such encoding"),
        (["--encoding", "punycode"], "--encoding 'punycode': no such encoding"),
        (["--encoding", "hex"], "--encoding 'hex': no such encoding"),
        (["--encoding", "a\0b"], "no such encoding"),
    ],
)
def test_arguments_of_both_commands(capfd, tmp_path, more, words):
    path = write(tmp_path / "events.csv", EVENTS)
    for told in (["validate"], ["prepare"]):
        out = ["--out", tmp_path / "x"] if told == ["prepare"] else []
        given = ["data", *told, "--events", path, *out, *more]
        assert words in command.fails(capfd, *given)


def test_arguments_of_prepare(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path / "events.csv", EVENTS + f"u1,i1,{T}\n")
    given = ["data", "prepare", "--events", path, "--out"]
    skip = ["--on-bad-row", "skip"]
    message = command.fails(capfd, *given, "x", *skip, "--max-bad-share", "2")
    assert "--max-bad-share 2.0: must be between 0 and 1" in message
    message = command.fails(capfd, *given, "x", *skip)
    assert "1 of 4 rows (25.00%) are bad, more than --max-bad-share" in message
    message = command.fails(capfd, *given, "home_depot", *skip)
    assert "--out home_depot: a built-in data set" in message
    write(path, EVENTS)
    (tmp_path / "taken").mkdir()
    write(tmp_path / "taken" / "letter.txt", "Dear Sir")
    message = command.fails(capfd, *given, tmp_path / "taken")
    assert "taken exists and is no prepared data set" in message
    message = command.fails(capfd, *given, path / "inside")
    assert "cannot write the prepared data set" in message
    assert command.misused(capfd, *given, "x", "--unit", "h").startswith("╭─ Invalid")
