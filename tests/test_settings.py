"""Overrides of typed trees, and trees as text."""

import dataclasses
import subprocess
import sys
from collections.abc import Mapping
from typing import Literal

import pytest
import small
from hypothesis import given
from hypothesis import strategies as st

from recjax import settings
from recjax.data.splits import ByQuery, ByUser
from recjax.errors import UserError
from recjax.experiment import Runtime
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower


@dataclasses.dataclass(frozen=True)
class Leaf:
    whole: int = 1
    real: float = 0.5
    flag: bool = False
    text: str = "a"
    maybe: int | None = None
    name: str | None = None
    ks: tuple[int, ...] = (1, 2)
    spread: tuple[float, float] = (0.1, 0.9)
    none_yet: tuple[str, ...] = ()
    choice: Literal["one", "two"] = "one"

    def __post_init__(self):
        if self.whole < 0:
            raise ValueError("whole must not be negative")


@dataclasses.dataclass(frozen=True)
class Tree:
    leaf: Leaf = Leaf()
    rules: Mapping[str, Leaf] = dataclasses.field(
        default_factory=lambda: {n: Leaf() for n in ("tables/.*", ".*", "a", "a.b")}
    )
    pair: tuple[Leaf, ...] = (Leaf(), Leaf(2))
    sizes: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"data": 1})
    nothing: Mapping[str, int] = dataclasses.field(default_factory=dict)
    towers: Mapping[str, Tower] = dataclasses.field(
        default_factory=lambda: {"query": Tower({"text": EmbeddingBag("token")}, 8)}
    )


def get(tree, path):
    return dict(settings.leaves(tree))[path]


def test_a_tuple_of_parts_is_emptied():
    assert settings.override(Tree(), ["pair=()"]).pair == ()
    with pytest.raises(UserError, match="this is a tuple, set one of its parts: 0, 1"):
        settings.override(Tree(), ["pair=None"])


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("leaf.whole", "7", 7),
        ("leaf.whole", "1_000", 1000),
        ("leaf.real", "7", 7.0),
        ("leaf.real", "1e-3", 0.001),
        ("leaf.real", "-2", -2.0),
        ("leaf.flag", "true", True),
        ("leaf.flag", "False", False),
        ("leaf.text", "12", "12"),
        ("leaf.text", "a=b c", "a=b c"),
        ("leaf.text", "", ""),
        ("leaf.text", "None", "None"),
        ("leaf.maybe", "3", 3),
        ("leaf.maybe", "None", None),
        ("leaf.name", "None", None),
        ("leaf.name", "x", "x"),
        ("leaf.ks", "(3,)", (3,)),
        ("leaf.ks", "3,4,5", (3, 4, 5)),
        ("leaf.ks", "()", ()),
        ("leaf.spread", "(0, 1)", (0.0, 1.0)),
        ("leaf.none_yet", "('a', 'b')", ("a", "b")),
        ("leaf.choice", "two", "two"),
        ("rules.tables/.*.real", "2", 2.0),
        ("rules..*.real", "2", 2.0),
        ("rules.a.real", "2", 2.0),
        ("rules.a.b.real", "2", 2.0),
        ("pair.1.whole", "5", 5),
        ("sizes.data", "-1", -1),
        ("towers.query.width", "16", 16),
        ("towers.query.hidden", "(4, 4)", (4, 4)),
        ("towers.query.inputs.text.importance", "x", "x"),
        ("towers.query.inputs.text.importance", "None", None),
    ],
)
def test_one_setting_changes_and_no_other(path, text, value):
    tree = Tree()
    before = dict(settings.leaves(tree))
    changed = settings.override(tree, [f"{path}={text}"])
    after = dict(settings.leaves(changed))
    assert after.pop(path) == value
    assert type(get(changed, path)) is type(value)
    if isinstance(value, tuple):
        assert [type(v) for v in get(changed, path)] == [type(v) for v in value]
    del before[path]
    assert after == before
    assert dict(settings.leaves(tree)) == dict(settings.leaves(Tree()))


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("leaf.whole", "expected path=value"),
        ("=3", "expected path=value"),
        ("", "expected path=value"),
        ("leaf.whole=1.5", "expected int, now 1"),
        ("leaf.whole=true", "expected int, now 1"),
        ("leaf.whole=None", "expected int, now 1"),
        ("leaf.whole=a b", "expected int, now 1"),
        ("leaf.whole=", "expected int, now 1"),
        ("leaf.whole=" + "(" * 300, "expected int, now 1"),
        ("leaf.real=x", "expected float, now 0.5"),
        ("leaf.real=true", "expected float, now 0.5"),
        ("leaf.flag=1", "expected bool, now False"),
        ("leaf.flag=yes", "expected bool, now False"),
        ("leaf.maybe=x", "expected int or None, now None"),
        ("leaf.ks=3", "expected a tuple like (int, ...), now (1, 2)"),
        ("leaf.ks=(1, 'a')", "expected a tuple like (int, ...), now (1, 2)"),
        ("leaf.ks=[1, 2]", "expected a tuple like (int, ...), now (1, 2)"),
        ("leaf.spread=(0.1,)", "expected a tuple (float, float), now (0.1, 0.9)"),
        ("leaf.none_yet=(1,)", "expected a tuple like (str, ...), now ()"),
        ("leaf.choice=three", "expected 'one' or 'two', now 'one'"),
        ("sizes.data=0.5", "expected int, now 1"),
        ("towers.query.hidden=4", "expected a tuple like (int, ...) or None, now None"),
        ("leaf.whole=-1", "whole must not be negative"),
        ("leaf=3", "this is a Leaf, set one of its parts: whole, real"),
        ("pair=(1,)", "set one of its parts: 0, 1"),
        ("leaf.hole=3", "Did you mean 'leaf.whole'"),
        ("laef.whole=3", "Did you mean 'leaf.whole'"),
        ("rules.tables/*.real=3", "Did you mean 'rules.tables/.*.real'"),
        ("sizes.date=3", "Did you mean 'sizes.data'"),
        ("pair.2.whole=3", "Did you mean 'pair."),
        ("leaf.whole.more=3", "there is no setting 'leaf.whole.more'"),
        ("nothing.at.all=3", "there is no setting 'nothing.at.all'"),
        ("leaf.=3", "this is a Leaf, set one of its parts: whole, real"),
        ("towers.query.parent=None", "there is no setting 'towers.query.parent'"),
    ],
)
def test_bad_overrides_say_what_and_how(assignment, words):
    with pytest.raises(UserError) as caught:
        settings.override(Tree(), [assignment])
    message = str(caught.value)
    assert message.startswith(f"--set {assignment.partition('=')[0]}")
    assert words in message


def test_a_part_of_another_class():
    before = small.experiment()
    changed = settings.override(before, ["data.settings.split=ByUser((0.5, .3, .2))"])
    assert changed.data.settings.split == ByUser((0.5, 0.3, 0.2))
    changed = settings.override(changed, ["data.settings.split=ByQuery(5, fold=2)"])
    assert changed.data.settings.split == ByQuery(5, 2)
    for text, words in {
        "ByUsers()": "set one of its parts: fractions; or take one of ByTime,",
        "ByQuery(5": "was never closed",
        "ByQuery(5, 9)": "fold 9 of 5",
        "ByQuery(five=5)": "unexpected keyword argument 'five'",
        "ByQuery(open('x'))": "malformed",
    }.items():
        with pytest.raises(UserError) as caught:
            settings.override(before, [f"data.settings.split={text}"])
        assert words in str(caught.value)


def test_later_overrides_win():
    told = ["leaf.whole=2", "leaf.ks=(9,)", "leaf.whole=3"]
    changed = settings.override(Tree(), told)
    assert (changed.leaf.whole, changed.leaf.ks) == (3, (9,))


def test_linen_modules_stay_modules():
    changed = settings.override(Tree(), ["towers.query.inputs.text.dropout=0.5"])
    tower = changed.towers["query"]
    assert isinstance(tower, Tower) and isinstance(tower.inputs["text"], EmbeddingBag)
    assert tower.inputs["text"].dropout == 0.5


def test_the_name_next_to_a_typo_in_a_real_experiment():
    with pytest.raises(UserError, match="'model.temperature'"):
        settings.override(small.experiment(), ["model.temprature=1"])
    with pytest.raises(UserError, match="'log_every'"):
        settings.override(small.runtime(), ["log_evry=1"])


def test_text_shows_every_setting_once():
    text = settings.to_text(Tree())
    lines = text.splitlines()
    assert lines[0] == "Tree"
    assert "leaf : Leaf" in lines
    assert "leaf.spread = (0.1, 0.9)" in lines
    assert "rules.tables/.*.choice = 'one'" in lines
    assert "nothing = {}" in lines
    assert "towers.query : Tower" in lines
    assert not any("parent" in line for line in lines)
    full = [line for line in lines if " = " in line and not line.endswith("{}")]
    wanted = [path for path, _ in settings.leaves(Tree())]
    assert [line.split(" = ")[0] for line in full] == wanted


def test_every_line_of_a_text_may_be_set_again():
    for tree in (Tree(), small.experiment(), small.runtime(), Runtime()):
        told = [f"{path}={value}" for path, value in settings.leaves(tree)]
        again = settings.override(tree, told)
        assert settings.to_text(again) == settings.to_text(tree)


def test_equal_trees_have_equal_texts_and_others_do_not():
    for path, text in (("whole", "2"), ("real", "0.6"), ("none_yet", "('',)")):
        changed = settings.override(Tree(), [f"leaf.{path}={text}"])
        assert settings.to_text(changed) != settings.to_text(Tree())
    assert settings.to_text(Tree()) == settings.to_text(Tree())


def test_text_is_the_same_in_every_process():
    code = "import small; from recjax import settings as s;"
    code += "print(s.to_text(small.experiment()), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=small.environment(PYTHONHASHSEED="7"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == settings.to_text(small.experiment())


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0))
def test_numbers_survive_their_text(real, whole):
    told = [f"leaf.real={real!r}", f"leaf.whole={whole}"]
    leaf = settings.override(Tree(), told).leaf
    assert leaf.real == real and leaf.whole == whole


@given(st.text())
def test_any_text_may_be_a_value(text):
    assert settings.override(Tree(), [f"leaf.text={text}"]).leaf.text == text


@dataclasses.dataclass(frozen=True)
class Grown(Tree):
    """A tree of a later version: it has learned to be set."""

    later: Leaf = Leaf(3)


def test_a_setting_that_came_later_is_no_change_at_its_default():
    before = settings.to_text(Tree())
    same = Grown()
    assert settings.changes(before.replace("Tree", "Grown"), same) == ([], [])
    assert settings.changes(settings.to_text(same), same) == ([], [])


@pytest.mark.parametrize(
    ("change", "gone", "new"),
    [
        # Set to what is not its default, though the text does not know it.
        ("later.whole=4", [], ["later : Leaf", "later.whole = 4"]),
        # Known, and set to its default: it was another.
        ("pair.1.whole=1", ["pair.1.whole = 2"], ["pair.1.whole = 1"]),
        ("leaf.whole=4", ["leaf.whole = 1"], ["leaf.whole = 4"]),
    ],
)
def test_changes_are_told(change, gone, new):
    before = settings.to_text(Tree()).replace("Tree", "Grown")
    tree = settings.override(Grown(), [change])
    assert settings.changes(before, tree) == (gone, new)


def test_another_order_is_a_change():
    before = Tree(sizes={"data": 1, "model": 2})
    gone, new = settings.changes(
        settings.to_text(before), Tree(sizes={"model": 2, "data": 1})
    )
    assert gone == new and len(gone) == 1 and gone[0].startswith("sizes.")


def test_a_setting_that_is_no_more_is_a_change():
    gone, new = settings.changes(settings.to_text(Grown()), Tree())
    assert gone[0] == "Grown" and "later.whole = 3" in gone and new == ["Tree"]
