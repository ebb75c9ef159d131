"""One device and eight: the same training, ranking and checkpoints."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small

pytestmark = pytest.mark.slow
MANY = ("8", "4x2")


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The folder of what a process made that pretends to have eight devices."""
    folder = tmp_path_factory.mktemp("eight_devices")
    script = Path(small.__file__).with_name("eight_devices_all.py")
    done = subprocess.run(
        [sys.executable, script, folder],
        env=small.environment(XLA_FLAGS=small.devices(8)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def made(everything):
    return everything / "tables"


@pytest.fixture(scope="module")
def report(made):
    return json.loads((made / "report.json").read_text())


@pytest.fixture(scope="module")
def omni(everything):
    return json.loads((everything / "omni" / "report.json").read_text())


def arrays(path):
    with np.load(path) as held:
        return dict(held)


@pytest.mark.parametrize("mesh", (*MANY, "fsdp"))
def test_losses_are_those_of_one_device(report, mesh):
    assert report["devices"] == 8
    one, many = report["train"]["1"]["losses"], report["train"][mesh]["losses"]
    assert len(set(one)) == len(one) == 8
    np.testing.assert_allclose(many, one, rtol=2e-5)


def test_losses_of_bfloat16_on_several_devices_are_near(report, made):
    one, near = (report["train"][mesh]["losses"] for mesh in ("1", "bfloat16"))
    # Adam's steps are as large for small gradients: what was rounded grows with them.
    np.testing.assert_allclose(near[:3], one[:3], rtol=2e-3)
    np.testing.assert_allclose(near, one, rtol=5e-2)
    assert near != one
    kinds = {array.dtype for array in arrays(made / "trained_bfloat16.npz").values()}
    assert np.dtype("float32") in kinds and not any(k.itemsize == 2 for k in kinds)


@pytest.mark.parametrize("mesh", (*MANY, "fsdp"))
def test_all_arrays_are_those_of_one_device(made, mesh):
    one, many = (arrays(made / f"trained_{m}.npz") for m in ("1", mesh))
    assert one.keys() == many.keys()
    for name in one:
        np.testing.assert_allclose(
            many[name], one[name], rtol=2e-3, atol=2e-5, err_msg=name
        )


@pytest.mark.parametrize("mesh", MANY)
def test_each_device_holds_an_eighth_of_a_table(report, mesh):
    trained = report["train"][mesh]
    assert trained["shard_rows"] == [trained["rows"] // 8]
    assert trained["whole_tables"] == 0


@pytest.mark.parametrize("mesh", MANY)
def test_no_collective_of_a_step_is_as_large_as_a_column_of_the_table(report, mesh):
    found = report["train"][mesh]
    assert found["rows"] > 20_000
    assert 0 < max(found["sizes"]) < found["rows"]


@pytest.mark.parametrize("mesh", ["1", "8", "4x2", "2x4"])
def test_ranking_is_numpys(made, mesh):
    got = arrays(made / f"ranking_{mesh}.npz")
    scores = got["queries"] @ got["corpus"].T
    ranks, behind = [], []
    for q, row in enumerate(scores):
        a, b = got["exclude_offsets"][q : q + 2]
        row[got["exclude"][a:b]] = -np.inf
        a, b = got["offsets"][q : q + 2]
        for item in got["items"][a:b]:
            above, equal = (row > row[item]).sum(), (row == row[item]).sum()
            ranks.append(1 + above + (equal - 1) / 2)
            behind.append(1 + (row[:50] >= row[item]).sum() - (item < 50))
        top = np.argsort(-row, kind="stable")[:9]
        np.testing.assert_array_equal(got["top"][q], top)
    np.testing.assert_array_equal(got["rank"], ranks)
    np.testing.assert_array_equal(got["behind"], behind)


@pytest.mark.parametrize("mesh", ["1", "8", "4x2", "2x4"])
def test_rows_are_read_and_written_as_by_numpy(made, mesh):
    got = arrays(made / f"rows_{mesh}.npz")
    ids, table = got["ids"], got["table"]
    inside = ids < len(table)
    expected = np.where(inside[:, None], table[np.minimum(ids, len(table) - 1)], 0)
    np.testing.assert_array_equal(got["read"], expected)
    table[ids[inside]] = got["values"][inside]
    np.testing.assert_array_equal(got["written"], table)


@pytest.mark.parametrize(
    ("saved", "mesh"), [("4x2", "4x2"), ("4x2", "2x4"), ("4x2", "1"), ("1", "8")]
)
def test_a_checkpoint_restores_bit_by_bit_on_another_mesh(made, saved, mesh):
    before = arrays(made / f"trained_{saved}.npz")
    after = arrays(made / f"restored_{saved}_on_{mesh}.npz")
    assert before.keys() == after.keys()
    for name in before:
        assert before[name].dtype == after[name].dtype, name
        assert before[name].tobytes() == after[name].tobytes(), name


def test_losses_of_several_kinds_are_those_of_one_device(omni):
    for one, many in zip(omni["1"]["means"], omni["4x2"]["means"], strict=True):
        assert one.keys() == many.keys()
        for name, value in one.items():
            assert many[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name


def test_parameters_tables_and_sketches_are_those_of_one_device(everything):
    with (
        np.load(everything / "omni" / "omni_1.npz") as one,
        np.load(everything / "omni" / "omni_4x2.npz") as many,
    ):
        assert set(one) == set(many) and any("cells" in name for name in one)
        for name in one:
            if name.startswith("memory"):
                np.testing.assert_array_equal(many[name], one[name], err_msg=name)
            else:
                np.testing.assert_allclose(
                    many[name], one[name], rtol=2e-3, atol=5e-5, err_msg=name
                )


def test_no_collective_is_as_large_as_a_table_or_a_sketch(omni):
    sizes, width = [size for size, _ in omni["4x2"]["collectives"]], 1 << 17
    assert omni["4x2"]["cells"] == [width // 8]
    # The table has 40,001 rows of 12, a sketch 2 rows of 2^17, a batch 3,456 n-grams.
    assert 0 < max(sizes) < width


def test_collectives_are_few_and_none_stands_in_a_loop(omni):
    sent = omni["4x2"]["collectives"]
    assert len(sent) <= 60 and not any(looped for _, looped in sent)


def test_dense_state_is_split_over_its_axis(report):
    held, whole = report["dense"]
    assert whole / 8 <= held <= 1.1 * whole / 8


def test_losses_of_triplets_are_those_of_one_device(everything):
    images = json.loads((everything / "images" / "report.json").read_text())
    assert images["devices"] == 8 and len(set(images["1"])) == 4
    np.testing.assert_allclose(images["8"], images["1"], rtol=2e-4)
    # What the first parts of EfficientNet make of images, on each device.
    assert images["frozen"] < 1e-5
