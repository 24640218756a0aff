"""rlq parsing: import and check."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rlq.data.clothes import read_mask
from rlq.data.masks import write_mask
from rlq.labels.parsing import NAMES
from rlq.synthetic.tool_files import to_atr, to_pascal

TRAIN = 96  # training pictures of the tiny set


@pytest.fixture(scope="module")
def target(home) -> Path:
    return home.folder / "data/synthetic/prcc"


@pytest.fixture
def schp(target, tmp_path) -> Path:
    """A copy of the set's masks, as a parser would leave them."""
    shutil.copytree(target / "rlq/masks", tmp_path / "schp")
    return tmp_path / "schp"


def imported(home, source, output, *words):
    return home.command("parsing", "import", source, "--data", "synthetic", "--output", output, *words)


def test_masks_come_in_by_path_and_are_counted_by_split(home, target, schp, tmp_path):
    (schp / "rgb/val/001").mkdir(parents=True)
    shutil.copy(next(schp.rglob("*.png")), schp / "rgb/val/001/A_cropped_rgb999.png")
    (schp / "rgb/train/001/notes.txt").write_text("not a mask")
    shown = imported(home, schp, tmp_path / "out")
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0] == f"{TRAIN} masks written to {tmp_path / 'out'}: train 96 of 96, query 0 of 16, gallery 0 of 8"
    assert lines[1].endswith("1 files of the source show no picture of the set: rgb/val/001/A_cropped_rgb999.png")
    checked = home.command("parsing", "check", "--data", "synthetic").stdout.splitlines()
    assert lines[2:] == [line for line in checked if line.startswith("labels seen: background 96, ")]
    theirs = sorted((target / "rlq/masks").rglob("*.png"))
    assert len(theirs) == TRAIN == len([path for path in (tmp_path / "out").rglob("*") if path.is_file()])
    for path in theirs:
        assert (read_mask(tmp_path / "out" / path.relative_to(target / "rlq/masks")) == read_mask(path)).all()


def test_a_flat_folder_of_keys_and_another_label_set(home, target, tmp_path):
    (tmp_path / "flat").mkdir()
    for path in sorted((target / "rlq/masks/rgb/train/001").iterdir()):
        parts = np.where(read_mask(path) > 0, 2, 0).astype(np.uint8)
        np.save(tmp_path / f"flat/001_{path.stem}.npy", parts)
    shown = imported(home, tmp_path / "flat", tmp_path / "out", "--labels", "pascal", "--split", "train")
    assert shown.exit_code == 0 and "train 12 of 96" in shown.stdout
    made = sorted((tmp_path / "out/rgb/train/001").iterdir())
    assert len(made) == 12 and set(np.unique(read_mask(made[0]))) == {0, 5}


@pytest.mark.parametrize(
    ("convert", "labels", "title"), [(to_atr, "atr", "ATR"), (to_pascal, "pascal", "Pascal-Person-Part")]
)
def test_masks_of_another_set_are_taken_with_a_hint(home, schp, tmp_path, convert, labels, title):
    counts = Counter()
    for path in schp.rglob("*.png"):
        mask = convert(read_mask(path))
        counts.update(set(mask.ravel().tolist()))
        write_mask(path, mask)
    for said, hints in (
        ("lip", [f"are these masks of LIP's labels? they look like {title}'s: --labels {labels}"]),
        (labels, []),
    ):
        shown = imported(home, schp, tmp_path / "out", "--labels", said)
        assert shown.exit_code == 0, shown.output
        seen = ", ".join(f"{NAMES[said][label]} {counts[label]}" for label in sorted(counts))
        assert shown.stdout.splitlines()[1:] == [f"labels seen: {seen}", *hints]


def test_names_that_fit_several_pictures_are_refused(home, schp, tmp_path):
    (tmp_path / "flat").mkdir()
    for path in schp.rglob("A_cropped_rgb001.png"):
        shutil.copy(path, tmp_path / "flat")
    shown = imported(home, tmp_path / "flat", tmp_path / "out")
    assert shown.exit_code == 1 and not (tmp_path / "out").exists()
    assert "1 of 1 masks in " in shown.stderr and "name masks by their pictures' paths" in shown.stderr


def test_nothing_is_written_when_a_mask_cannot_be_taken(home, schp, tmp_path):
    small, colours = sorted(schp.rglob("*.png"))[:2]
    mask = read_mask(small)
    write_mask(small, mask[1:])
    Image.new("RGB", mask.shape[::-1]).save(colours)
    shown = imported(home, schp, tmp_path / "out")
    height, width = mask.shape
    assert shown.exit_code == 1 and not (tmp_path / "out").exists()
    assert "2 of 96 masks cannot be taken, so none is:" in shown.stderr
    assert (
        f"{small}: the mask is {width} x {height - 1} (width x height), its picture {width} x {height}" in shown.stderr
    )
    assert f"{colours}: a mask is a palette PNG" in shown.stderr


def test_a_source_of_another_set_and_one_within_the_output_are_refused(home, target, schp, tmp_path):
    (tmp_path / "other").mkdir()
    shutil.copy(next(schp.rglob("*.png")), tmp_path / "other/0001_c1s1.png")
    shown = imported(home, tmp_path / "other", tmp_path / "out")
    assert shown.exit_code == 1 and "none of the 1 masks (.png, .npy) in " in shown.stderr
    assert "such as rgb/train/001/" in shown.stderr and "found are 0001_c1s1.png" in shown.stderr
    shown = home.command("parsing", "import", target / "rlq/masks/rgb", "--data", "synthetic")
    assert shown.exit_code == 1 and "one within the other; give --output" in shown.stderr


def test_check_counts_what_training_will_find(home, tmp_path):
    sheet = tmp_path / "sheets/masks.png"
    shown = home.command("parsing", "check", "--data", "synthetic", "--sheet", sheet, "--palette", 6)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0].endswith(
        "96 training pictures, 96 with a mask, 0 without, 0 with one of another size, 0 with an unreadable one"
    )
    assert [line.split()[:3] for line in lines if line.startswith(("upper", "lower"))] == [
        ["upper", "no", "list"],
        ["lower", "no", "list"],
    ]
    assert "labels seen: background 96, " in shown.stdout
    with Image.open(sheet) as drawn:
        assert drawn.size[0] > 500 and drawn.size[1] > 1000
    first = sheet.read_bytes()
    home.command("parsing", "check", "--data", "synthetic", "--sheet", sheet, "--palette", 6)
    assert sheet.read_bytes() == first
    home.command("parsing", "check", "--data", "synthetic", "--sheet", sheet, "--palette", 6, "--seed", 1)
    assert sheet.read_bytes() != first


def test_check_lists_what_would_stop_training_and_is_status_1(home, schp):
    masks = sorted(schp.rglob("*.png"))
    for path in masks[:12]:
        path.unlink()
    write_mask(masks[12], read_mask(masks[12]).T.copy())
    masks[13].write_bytes(b"")
    write_mask(masks[14], np.full_like(read_mask(masks[14]), 20))
    shown = home.command("parsing", "check", "--data", "synthetic", "--masks", schp)
    assert shown.exit_code == 1
    told = "96 training pictures, 81 with a mask, 12 without, 1 with one of another size, 2 with an unreadable one"
    assert told in shown.stdout
    assert shown.stdout.count("\n  /") == 10 + 1 + 2 and "  and 2 more\n" in shown.stdout
    assert f"  {masks[12]}: the mask is " in shown.stdout and f"  {masks[13]}: no readable mask" in shown.stdout
    assert f"  {masks[14]}: holds label 20" in shown.stdout
    shutil.rmtree(schp)
    sheet = schp / "sheet.png"
    shown = home.command("parsing", "check", "--data", "synthetic", "--masks", schp, "--sheet", sheet)
    assert shown.exit_code == 1 and "0 with a mask, 96 without" in shown.stdout
    assert "labels seen" not in shown.stdout and "sheet" not in shown.stdout.splitlines()[-1] and not sheet.exists()


def test_lists_of_unusable_masks_count_for_training_pictures_only(home, target, tmp_path):
    shutil.copytree(target, tmp_path / "prcc")
    keys = [f"{path.parent.name}_{path.stem}" for path in sorted((target / "rgb/train").rglob("*.jpg"))]
    (tmp_path / "prcc/rlq/bad_upper.txt").write_text("\n".join([*keys[:5], "A/009_cropped_rgb001", "999_x"]))
    shown = home.command("parsing", "check", "--data", "prcc", "--root", tmp_path)
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert shown.exit_code == 0
    (upper,) = [row for row in rows if row[:1] == ["upper"]]
    (lower,) = [row for row in rows if row[:1] == ["lower"]]
    assert upper[1:3] == ["5", "2"] and lower[1:4] == ["no", "list", "-"]
    (told,) = [line for line in shown.stdout.splitlines() if "get one colour for everything worn" in line]
    small = [mask for mask in (read_mask(path) for path in (target / "rlq/masks").rglob("*.png")) if not both(mask)]
    assert len(small) <= int(told.split()[0]) <= len(small) + 5


def both(mask: np.ndarray) -> bool:
    """Whether upper and lower clothes cover one picture in a hundred each."""
    return all(np.isin(mask, labels).sum() * 100 >= mask.size for labels in ((5, 7, 10), (9, 12)))


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["import", "nowhere", "--data", "synthetic"], 2, "'nowhere' does not exist"),
        (["import", ".", "--data", "synthetic", "--labels", "cihp"], 2, "'cihp' is not one of"),
        (["check"], 2, "Missing option '--data'"),
        (["check", "--data", "synthetic", "--palette", "7"], 2, "'7' is not one of"),
        (["check", "--data", "synthetic", "--sheet", "sheet.jpg"], 1, "--sheet sheet.jpg should end in .png"),
    ],
)
def test_wrong_usage_says_what_is_wrong(home, words, status, told):
    shown = home.command("parsing", *words)
    assert shown.exit_code == status and told in shown.stderr
