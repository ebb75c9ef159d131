"""Files of search pairs and products: every kind of bad row."""

import pytest

from recjax.prepare.validate import validate_search

PAIRS = "query,product,relevance\nred nut,p1,3\nbolt,p2,1\n"
PRODUCTS = "product,title\np1,Nut\np2,Bolt\n"


def check_search(tmp_path, pairs, products=None):
    (tmp_path / "pairs.csv").write_text(pairs)
    if products is None:
        return validate_search(tmp_path / "pairs.csv")
    (tmp_path / "products.csv").write_text(products)
    return validate_search(tmp_path / "pairs.csv", products=tmp_path / "products.csv")


def only(checked):
    """Returns (kind, row, column, value) of the one problem there is."""
    (problem,) = checked.report.problems
    assert problem.fix
    assert list(checked.report.counts.values()) == [1]
    return problem.kind, problem.row, problem.column, problem.value


def test_good_search_files(tmp_path):
    checked = check_search(tmp_path, PAIRS, PRODUCTS)
    assert checked.report.ok
    assert checked.main.rows() == [(2, "red nut", "p1", 3.0), (3, "bolt", "p2", 1.0)]
    assert checked.corpus.rows() == [(2, "p1", "Nut"), (3, "p2", "Bolt")]


@pytest.mark.parametrize(
    "row, kind, column",
    [
        ("nut,p9,2", "unknown product", "product"),
        (" ,p1,2", "empty text", "query"),
        ("nut,p1,-1", "negative number", "relevance"),
        ("nut,p1,nan", "NaN", "relevance"),
        ("bolt,p2,2", "the same query and product twice", "query, product"),
    ],
)
def test_bad_pair(tmp_path, row, kind, column):
    checked = check_search(tmp_path, f"{PAIRS}{row}\n", PRODUCTS)
    assert only(checked)[:3] == (kind, 4, column)
    assert checked.main.height == 2


def test_bad_products(tmp_path):
    checked = check_search(tmp_path, PAIRS, PRODUCTS + "p1,Other\np3,\n")
    found = {(p.kind, p.row) for p in checked.report.problems}
    assert found == {("product given twice", 4), ("empty text", 5)}
    assert checked.corpus["title"].to_list() == ["Nut", "Bolt"]


def test_one_search_file_with_a_product_of_two_titles(tmp_path):
    rows = "query,product,relevance,title\na,p1,3,Nut\nb,p1,2,Nut\nc,p1,1,Bolt\n"
    checked = check_search(tmp_path, rows)
    assert only(checked) == (
        *("a product with two titles", 4, "title"),
        'product p1: "Bolt", but "Nut" in row 2',
    )
    assert checked.main.height == 2 and checked.corpus.height == 1


def test_search_file_without_titles(tmp_path):
    report = check_search(tmp_path, PAIRS).report
    assert report.fatal and "'title' (the file has 'query'" in str(report)
