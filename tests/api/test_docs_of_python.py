"""The code of docs/python.md runs, block after block, on the invented shop."""

import re
import runpy
import sys

import small

CODE = r"```python\n(.*?)```"


def test_every_block_runs(cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["example_shop.py", "shop"])
    runpy.run_path(str(small.ROOT / "tools/example_shop.py"), run_name="__main__")
    known = {"__name__": "page"}
    text = (small.ROOT / "docs/python.md").read_text()
    blocks = re.findall(CODE, text, re.DOTALL)
    assert len(blocks) > 8
    for block in blocks:
        # A full run takes a minute: this page's own is short, and stands for it.
        short = 'rj.templates.two_tower(shop).replace("steps", 2)'
        block = block.replace("rj.templates.two_tower(shop), ", f"{short}, ")
        exec(compile(block, "python.md", "exec"), known)
    said = capsys.readouterr().out
    assert "model, data and losses fit" in said and "should have been" in said
    assert said.count(" score  ") >= 5
