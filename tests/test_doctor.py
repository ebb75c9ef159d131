"""What the doctor finds, and what it says to do."""

import pytest

from recjax import doctor
from recjax.doctor import known_pairs, packages

GOOD = {
    "jax": "0.10.2",
    "jaxlib": "0.10.2",
    "tensorflow-cpu": "2.20.0",
    "scann": "1.4.2",
}
LINUX = ("Linux", "x86_64", (3, 11, 7))


def pairs(change=None, without=(), where=LINUX):
    found = {k: v for k, v in {**GOOD, **(change or {})}.items() if k not in without}
    return list(known_pairs(found, *where))


def test_the_pinned_set_has_no_bad_pair():
    assert pairs() == []
    assert pairs(without=("tensorflow-cpu", "scann")) == []


@pytest.mark.parametrize("tensorflow", ["2.19.1", "2.21.0"])
def test_scann_crashes_beside_any_tensorflow_but_2_20(tensorflow):
    (found,) = pairs({"tensorflow-cpu": tensorflow})
    assert found.level == "bad" and tensorflow in found.text
    assert "tensorflow-cpu==2.20.0" in found.fix
    assert pairs({"tensorflow-cpu": tensorflow}, without=("scann",)) == []


@pytest.mark.parametrize(
    ("jax", "count"), [("0.11.0", 0), ("0.11.1", 1), ("0.12.0", 1)]
)
def test_saved_models_of_newer_jax_do_not_load(jax, count):
    found = pairs({"jax": jax, "jaxlib": jax})
    assert [f.level for f in found] == ["note"] * count
    assert pairs({"jax": jax, "jaxlib": jax}, without=("tensorflow-cpu",)) == []


def test_jax_and_jaxlib_go_together():
    (found,) = pairs({"jaxlib": "0.9.0"})
    assert found.level == "bad" and found.fix == "pip install jaxlib==0.10.2"


@pytest.mark.parametrize(
    "where",
    [
        ("Darwin", "arm64", (3, 11, 0)),
        ("Windows", "AMD64", (3, 11, 0)),
        ("Linux", "aarch64", (3, 11, 0)),
        ("Linux", "x86_64", (3, 14, 0)),
    ],
)
def test_where_scann_has_no_wheel_the_note_says_what_happens(where):
    (found,) = pairs(without=("scann",), where=where)
    assert found.level == "note" and "search exactly" in found.text


def test_a_missing_package_is_bad_when_needed_and_a_note_when_not():
    levels = {f.name: f for f in packages({})}
    assert levels["jax"].level == "bad" and levels["jax"].fix
    assert levels["scann"].level == "note" and "recjax[scann]" in levels["scann"].fix


def test_data_sets_are_listed_or_the_command_is(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    (tmp_path / "raw" / "globo").mkdir(parents=True)
    raw, prepared = doctor.data_sets()
    assert "globo" in raw.text
    assert prepared.level == "note" and "recjax data prepare" in prepared.fix
    ready = tmp_path / "prepared" / "mine"
    ready.mkdir(parents=True)
    (ready / "prepared.json").write_text("{}")
    (tmp_path / "prepared" / "not_one").mkdir()
    _, *found = doctor.data_sets()
    assert [f.text.split(",")[0] for f in found] == ["mine"]


def test_the_report_is_unhealthy_where_a_line_is_bad(monkeypatch):
    text, healthy = doctor.report()
    assert healthy and "Python" in text and "devices" in text
    known = doctor.versions()
    monkeypatch.setattr(doctor, "versions", lambda: {**known, "jaxlib": "0.1.0"})
    text, healthy = doctor.report()
    assert not healthy and "X jax with jaxlib" in text
