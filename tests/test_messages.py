"""A dozen messages of the command line, word by word; all other tests look only for the names and values in them."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from tiny_runs import EXPERIMENTS

from rlq.cli import main
from rlq.data.catalogue import CATALOGUE
from rlq.methods.catalogue import METHODS
from rlq.runs.folder import About, write_about

# What each call below writes to the error stream. HERE is the folder that it works in.
MESSAGES = {
    "unknown setting": "experiment.yaml: unknown setting optim.weight_decai; did you mean optim.weight_decay?",
    "no equals sign": "--set 'seed' should read NAME=VALUE, such as optim.lr=1e-4",
    "clothes too late": (
        "experiment.yaml: schedule.clothes_from = 9 is never reached in schedule.epochs = 8 (epochs count from 0); "
        "lower it, or turn the loss off with losses.clothes_adversarial=0"
    ),
    "unknown method": f"method = 'rql': there is no such method; known are {', '.join(sorted(METHODS))}",
    "unknown data set": (
        f"unknown data set 'synthetik'; did you mean synthetic? Known: {', '.join(sorted(CATALOGUE))}"
    ),
    "unknown run": (
        "there is no run nobody in runs; existing runs: aaaa1111 (RLQ prcc); name a run elsewhere by its folder"
    ),
    "missing inputs": (
        "the run cannot start; missing or broken:\n"
        "  - external set: Celeb-reID (celeb_reid) is not below data.root = data; tried HERE/data, "
        "HERE/data/Celeb-reID, HERE/data/celeb_reid; its folder holds train, query and gallery with "
        "pictures such as 1_1_0.jpg\n"
        "  - parsing masks: 3 of 3 training pictures have no usable mask in HERE/data/prcc/rlq/masks: "
        "HERE/data/prcc/rlq/masks/rgb/train/001/A_cropped_rgb001.png: there is no such file; rlq parsing import makes "
        "masks of SCHP's outputs, rlq parsing check --data prcc lists all problems, clothes.masks names another "
        "folder\n"
        "  - poses: there is no HERE/data/prcc/rlq/keypoints.json; rlq pose import and rlq pose extract make "
        "keypoints, and cap.pose.file takes keypoints or pose clusters from elsewhere\n"
        "  - genders: there is no HERE/data/prcc/rlq/gender.csv; rlq gender annotate --data prcc makes it\n"
        "to run without them: rlq train prcc.yaml --set tad.enabled=false --set clothes.augment=false "
        "--set cap.pose.enabled=false --set cap.gender.enabled=false"
    ),
    "broken pictures": (
        "2 of 3 pictures cannot be read (--skip-bad leaves them out):\n  a.jpg: empty file\n  b.jpg: no picture"
    ),
    "no pictures": "empty holds no pictures (.jpg, .jpeg, .png, .bmp, .webp, .tif, .tiff)",
    "unknown key in a sweep": "sweep.yaml, line 3: unknown trails; did you mean trials?",
    "unknown key in a table": "table.yaml: unknown setting rows.0.setings; did you mean rows.0.settings?",
    "weights of others": "published.pth: rlq weights import turns it into a folder first",
}
CALLS = {
    "unknown setting": "train experiment.yaml --set optim.weight_decai=1",
    "no equals sign": "train experiment.yaml --set seed",
    "clothes too late": "train experiment.yaml --set schedule.clothes_from=9",
    "unknown method": "train experiment.yaml --set method=rql",
    "unknown data set": "data check synthetik",
    "unknown run": "evaluate nobody",
    "missing inputs": "train prcc.yaml",
    "broken pictures": "embed weights pictures --output features.npz",
    "no pictures": "embed weights empty --output features.npz",
    "unknown key in a sweep": "sweep sweep.yaml",
    "unknown key in a table": "ablate table.yaml",
    "weights of others": "evaluate published.pth",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the calls name, and a PRCC of a few pictures without anything beside them."""
    (tmp_path / "experiment.yaml").write_text(f"extends: {EXPERIMENTS}/synthetic.yaml\n")
    (tmp_path / "prcc.yaml").write_text(f"extends: {EXPERIMENTS}/prcc.yaml\n")
    (tmp_path / "sweep.yaml").write_text(
        "experiment: experiment.yaml\nmetric: {name: CC/rank1, goal: maximize}\ntrails: 5\n"
        "parameters: {optim.lr: {values: [0.1, 0.2]}}\n"
    )
    (tmp_path / "table.yaml").write_text(
        "title: Parts\nbases: {experiment.yaml: [CC]}\nrows:\n  - name: BM\n    setings: {tad.enabled: false}\n"
    )
    write_about(tmp_path / "runs/RLQ-1", About("aaaa1111", "RLQ prcc", "run", "prcc.yaml", "FINISHED"))
    for folder in ("weights", "pictures", "empty"):
        (tmp_path / folder).mkdir()
    (tmp_path / "weights/config.json").write_text("{}")
    (tmp_path / "published.pth").touch()
    (tmp_path / "pictures/a.jpg").touch()
    (tmp_path / "pictures/b.jpg").write_text("words")
    picture = Image.new("RGB", (16, 32))
    picture.save(tmp_path / "pictures/c.jpg")
    train = [f"train/001/{camera}_cropped_rgb001" for camera in "ABC"]
    test = [f"test/{camera}/002/cropped_rgb001" for camera in "ABC"]
    for name in (*train, *test):
        path = tmp_path / f"data/prcc/rgb/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_this_one_word_by_word(here, name):
    shown = CliRunner().invoke(main, CALLS[name].split(), prog_name="rlq")
    assert shown.exit_code == 1, shown.output
    assert shown.stderr.replace(str(here), "HERE") == f"Error: {MESSAGES[name]}\n"
