"""The whole way of the image experiment's tiny twin, with the command line."""

import json

import pytest
import small
import tiny_images

from recjax.cli.main import main


@pytest.mark.slow
def test_the_whole_way_of_images(tmp_path, capsys):
    pytest.importorskip("tensorflow", reason="needs the extra savedmodel")
    photos, data = tmp_path / "photos", tmp_path / "data"
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    tiny_images.write(photos)
    main(["data", "prepare", "--images", str(photos), "--out", str(data)])
    path = small.ROOT / "experiments" / "deep_ranking_grocery.py"
    config = small.ROOT / "configs" / "cpu.py"
    told = ["train", path, "--tiny", "--on", config, "--workdir", run]
    main([*map(str, told), "--set", f"data.source={data}"])
    figures = json.loads((run / "result.json").read_text())["results"]["deep_ranking"]
    assert {"level_1/recall@1", "level_2/map@r"} <= set(figures)
    main(["eval", str(run)])
    again = json.loads((run / "eval.json").read_text())["results"]["deep_ranking"]
    assert again["level_2/map@r"] == pytest.approx(figures["level_2/map@r"], abs=1e-6)
    main(["export", str(run), "--to", str(bundle)])
    names = sorted(p.relative_to(photos).as_posix() for p in photos.rglob("*.png"))
    rows = [",".join(three) for three in zip(names, names[1:], names[2:], strict=False)]
    triplets = tmp_path / "triplets.csv"
    header = "query_image,positive_image,negative_image"
    triplets.write_text("\n".join([header, *rows]) + "\n")
    told = ["--triplets", str(triplets), "--images", str(photos)]
    said = []
    for judged in (run, bundle):
        capsys.readouterr()
        main(["eval", str(judged), *told])
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] and f"of {len(rows)} triplets" in said[0]
    main(["eval", str(run), *told, "--beside", "lab", "--beside", str(bundle)])
    lines = capsys.readouterr().out.splitlines()
    assert [len(rows)] * 3 == [int(x.split(" of ")[1].split()[0]) for x in lines[1:4]]
    assert lines[1].split()[0] == str(run) and lines[3].endswith("+0.00 [+0.00, +0.00]")
