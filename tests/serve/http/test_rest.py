"""Whatever a body holds, it is read, or refused with one message."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recjax.bundle.contract import Spec
from recjax.bundle.served import signatures
from recjax.errors import UserError
from recjax.serve.http import rest
from recjax.serve.http.limits import Limits

NAMES = ("text", "history", "history_age", "k", "signature_name", "b64", "instances")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["i3", "red thing", "", "/w==", "serving_default", "embed"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner)
    ),
    max_leaves=12,
)
ROW = st.fixed_dictionaries(
    {"text": JSON, "history": JSON, "history_age": JSON, "k": JSON}
)
BODY = (
    JSON
    | st.fixed_dictionaries({"instances": st.lists(ROW | JSON, max_size=3)})
    | st.fixed_dictionaries({"inputs": ROW | JSON, "signature_name": JSON})
)


@pytest.fixture(scope="module")
def made(films):
    return signatures(films)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODY)
def test_any_json_is_read_or_refused(made, body):
    limits = Limits()
    try:
        asked = rest.parse(json.dumps(body).encode(), made, limits, 128)
        signature = asked.signature
        columns = signature.read(asked.columns)
        arrays = signature.encode(columns, asked.rows)
    except UserError as error:
        assert 0 < len(str(error)) < 1_000
    else:
        assert {len(array) for array in arrays.values()} == {asked.rows}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(made, body):
    with pytest.raises(UserError):
        rest.parse(body, made, Limits(), 128)


def test_vectors_and_labels_may_be_missing():
    spec = {
        "look": Spec("DT_FLOAT", (-1, -1, 2), True),
        "price": Spec("DT_FLOAT", (-1,), True),
        "kinds": Spec("DT_STRING", (-1, -1), True),
    }
    signature = type("S", (), {"inputs": spec, "narrowed": None})
    rows = [
        {"look": [[1, 2.5]], "price": 3, "kinds": ["a"]},
        {"look": None, "price": None, "kinds": None},
    ]
    body = json.dumps({"instances": rows}).encode()
    asked = rest.parse(body, {"serving_default": signature}, Limits(), 128)
    assert asked.columns["look"] == [[[1, 2.5]], None]
    assert asked.columns["price"] == [3, None]
    assert asked.columns["kinds"] == [["a"], None]
    rows[0]["look"] = [[1, 2, 3]]
    body = json.dumps({"instances": rows}).encode()
    with pytest.raises(UserError, match="look, row 0: 3 values where 2 are taken"):
        rest.parse(body, {"serving_default": signature}, Limits(), 128)
