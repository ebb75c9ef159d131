"""Messages of commands as Python spells them."""

import logging
import traceback

import pytest

import recjax as rj
from recjax.api.logs import told
from recjax.api.spelling import in_python
from recjax.errors import UserError
from recjax.tables.columns import renamed
from recjax.tables.report import Findings, accept

SPELLED = {
    "correct --rename sku no=item": 'correct rename={"sku no": "item"}',
    "--column action=categry: no such type": 'column={"action": "categry"}: no such',
    "leave out --gap, or pass --gap SECONDS": "leave out gap, or pass gap=SECONDS",
    "--on-bad-row 'drop': must be": "on_bad_row='drop': must be",
    "more than --max-bad-share 0.01 allows": "more than max_bad_share=0.01 allows",
    "pass --on-bad-row empty": 'pass on_bad_row="empty"',
    "or with --unit ms, us or ns": 'or with unit="ms", us or ns',
    "or pass --encoding (say latin-1)": "or pass encoding (say latin-1)",
    "give --events FILE or --entity NAME=FILE": 'or entities={"NAME": "FILE"}',
    "pip install 'recjax[x]', or --set export.saved_model=false": "saved_model=False",
    "recjax train EXPERIMENT --workdir NEW --from runs/a": ', "NEW", start="runs/a")',
    "run `recjax data prepare --out NAME`": "run `recjax data prepare --out NAME`",
    "pip download --no-deps x": "pip download --no-deps x",
    "no such value '--gap'": "no such value '--gap'",
}


@pytest.mark.parametrize("text", SPELLED)
def test_options_become_arguments(text):
    found = in_python(text)
    assert SPELLED[text] in found
    assert in_python(found) == found


def test_what_the_reader_of_tables_says_is_python():
    findings = Findings()
    findings.of_file("items", "missing column", renamed("id", "items"))
    assert 'rename={"items:NAME": "id"}' in in_python(str(findings.report()))
    findings = Findings()
    findings.of_rows("items", "year", "not a number", [1], ["V"], "write a number")
    with pytest.raises(UserError) as error:
        accept(findings.report(), on_bad_row="error", max_bad_share=0.01)
    assert 'pass on_bad_row="skip"' in in_python(str(error.value))


def test_a_mistake_has_one_traceback(cache, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("film,year\na,1990\n")
    with pytest.raises(UserError) as error:
        rj.prepare(items=str(path), events=rj.testing.interactions(users=4)["events"])
    shown = "".join(traceback.format_exception(error.value))
    assert shown.count("Traceback") == 1 and "--" not in str(error.value)
    assert shown.count('rename={"items:NAME": "id"}') == 1


def test_notes_that_are_printed_are_python(capsys):
    with told():
        logging.getLogger("recjax.prepare").info("pass --column items:year=TYPE")
    assert 'pass column={"items:year": "TYPE"}' in capsys.readouterr().out
