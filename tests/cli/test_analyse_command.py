import json

from naming import assert_names
from PIL import Image

from rlq.analysis import ANALYSES
from rlq.cli.analyse import analyse


def test_the_help_lists_every_analysis():
    listed = [line.split()[0] for line in analyse.help.split("\b")[1].strip().splitlines()]
    assert sorted(listed) == sorted(ANALYSES)


def test_figure_and_numbers_are_kept_and_the_table_is_printed(home, whole_run, tmp_path):
    words = ("--output", tmp_path / "new", "--seed", 2, "--option", "pictures=6")
    shown = home.command("analyse", "sharpness", "whole", *words)
    assert shown.exit_code == 0, shown.output
    header, *_, last = shown.stdout.splitlines()
    assert header.startswith("| ")
    assert_names(header, 6, "synthetic_celeb")
    assert last.startswith("kept ")
    assert_names(last, f"{tmp_path}/new/sharpness.png", ".json")
    kept = json.loads((tmp_path / "new/sharpness.json").read_text())
    assert (kept["analysis"], kept["seed"], kept["options"]) == ("sharpness", 2, {"pictures": 6})
    assert kept["runs"]["whole"]["run_id"] == whole_run.run_id and kept["numbers"]["pictures"] == 6
    assert Image.open(tmp_path / "new/sharpness.png").width > 300
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["sharpness.json", "sharpness.png"]


def test_wrong_words_are_one_line(home, whole_run, tmp_path):
    for words, told in (
        (("nothing", "whole"), ("nothing", "curves")),
        (("curves", "nobody"), ("nobody", "runs")),
        (("tsne", "whole", "--option", "picures=3"), ("tsne", "picures", "pictures")),
        (("tsne", "whole", "--option", "pictures"), ("--option", "pictures", "NAME=VALUE")),
    ):
        shown = home.command("analyse", *words, "--output", tmp_path)
        assert shown.exit_code == 1 and shown.stderr.count("\n") == 1
        assert_names(shown.stderr, *told)
    assert list(tmp_path.iterdir()) == []
