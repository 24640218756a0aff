"""rlq parsing: import and check."""

import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names
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
    assert_names(lines[0], TRAIN, tmp_path / "out")
    assert re.search(r"train\D+96\D+96\b.*query\D+0\D+16\b.*gallery\D+0\D+8\b", lines[0])
    assert_names(lines[1], "rgb/val/001/A_cropped_rgb999.png")
    assert re.search(r"\b1\b", lines[1])
    checked = home.command("parsing", "check", "--data", "synthetic").stdout.splitlines()
    assert lines[2:] == [line for line in checked if "background 96, " in line]
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
    assert shown.exit_code == 0 and re.search(r"\btrain\D+12\D+96\b", shown.stdout)
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
    for said, hinted in (("lip", True), (labels, False)):
        shown = imported(home, schp, tmp_path / "out", "--labels", said)
        assert shown.exit_code == 0, shown.output
        seen = ", ".join(f"{NAMES[said][label]} {counts[label]}" for label in sorted(counts))
        _, labels_seen, *hints = shown.stdout.splitlines()
        assert labels_seen.endswith(seen) and len(hints) == hinted
        for hint in hints:
            assert_names(hint, "LIP", title, f"--labels {labels}")


def test_names_that_fit_several_pictures_are_refused(home, schp, tmp_path):
    (tmp_path / "flat").mkdir()
    for path in schp.rglob("A_cropped_rgb001.png"):
        shutil.copy(path, tmp_path / "flat")
    shown = imported(home, tmp_path / "flat", tmp_path / "out")
    assert shown.exit_code == 1 and not (tmp_path / "out").exists()
    assert_names(shown.stderr, tmp_path / "flat")
    assert re.search(r"\b1\b.*\b1\b", shown.stderr.partition(str(tmp_path / "flat"))[0])


def test_nothing_is_written_when_a_mask_cannot_be_taken(home, schp, tmp_path):
    small, colours = sorted(schp.rglob("*.png"))[:2]
    mask = read_mask(small)
    write_mask(small, mask[1:])
    Image.new("RGB", mask.shape[::-1]).save(colours)
    shown = imported(home, schp, tmp_path / "out")
    height, width = mask.shape
    assert shown.exit_code == 1 and not (tmp_path / "out").exists()
    head, *rows = shown.stderr.splitlines()
    assert_names(head, 2, 96)
    (of_small,), (of_colours,) = ([row for row in rows if f"{path}: " in row] for path in (small, colours))
    assert_names(of_small, f"{width} x {height - 1}", f"{width} x {height}")
    assert_names(of_colours, "PNG")


def test_a_source_of_another_set_and_one_within_the_output_are_refused(home, target, schp, tmp_path):
    (tmp_path / "other").mkdir()
    shutil.copy(next(schp.rglob("*.png")), tmp_path / "other/0001_c1s1.png")
    shown = imported(home, tmp_path / "other", tmp_path / "out")
    assert shown.exit_code == 1
    assert_names(shown.stderr, 1, ".png, .npy", tmp_path / "other", "rgb/train/001/", "0001_c1s1.png")
    shown = home.command("parsing", "import", target / "rlq/masks/rgb", "--data", "synthetic")
    assert shown.exit_code == 1
    assert_names(shown.stderr, "rlq/masks/rgb", "--output")


@pytest.mark.slow
def test_check_counts_what_training_will_find(home, tmp_path):
    sheet = tmp_path / "sheets/masks.png"
    shown = home.command("parsing", "check", "--data", "synthetic", "--sheet", sheet, "--palette", 6)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert counts(lines[0]) == [96, 96, 0, 0, 0]
    for name in ("upper", "lower"):
        (row,) = [line for line in lines if line.startswith(name)]
        assert len(re.findall(r"\d+", row)) == 1  # nothing is listed
    assert "background 96, " in shown.stdout
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
    assert counts(shown.stdout.splitlines()[0]) == [96, 81, 12, 1, 2]
    assert shown.stdout.count("\n  /") == 10 + 1 + 2 and re.search(r"\n  [^/\n]*\b2\b", shown.stdout)
    assert f"  {masks[12]}: " in shown.stdout and f"  {masks[13]}: " in shown.stdout
    assert re.search(rf"  {re.escape(str(masks[14]))}: .*\b20\b", shown.stdout)
    shutil.rmtree(schp)
    sheet = schp / "sheet.png"
    shown = home.command("parsing", "check", "--data", "synthetic", "--masks", schp, "--sheet", sheet)
    assert shown.exit_code == 1 and counts(shown.stdout.splitlines()[0]) == [96, 0, 96, 0, 0]
    assert "background" not in shown.stdout and "sheet" not in shown.stdout.splitlines()[-1] and not sheet.exists()


def test_lists_of_unusable_masks_count_for_training_pictures_only(home, target, tmp_path):
    shutil.copytree(target, tmp_path / "prcc")
    keys = [f"{path.parent.name}_{path.stem}" for path in sorted((target / "rgb/train").rglob("*.jpg"))]
    (tmp_path / "prcc/rlq/bad_upper.txt").write_text("\n".join([*keys[:5], "A/009_cropped_rgb001", "999_x"]))
    shown = home.command("parsing", "check", "--data", "prcc", "--root", tmp_path)
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert shown.exit_code == 0
    (upper,) = [row for row in rows if row[:1] == ["upper"]]
    (lower,) = [row for row in rows if row[:1] == ["lower"]]
    assert upper[1:3] == ["5", "2"] and lower[-2] == "-"
    (told,) = [line for line in shown.stdout.splitlines() if re.match(rf"\d+\b.*\b{TRAIN}\b", line)]
    small = [mask for mask in (read_mask(path) for path in (target / "rlq/masks").rglob("*.png")) if not both(mask)]
    assert len(small) <= int(told.split()[0]) <= len(small) + 5


def counts(line: str) -> list[int]:
    """The five numbers at the end of the first line of a check, behind the folder."""
    return [int(number) for number in re.findall(r"(?<![\w.])\d+(?![\w.])", line)][-5:]


def both(mask: np.ndarray) -> bool:
    """Whether upper and lower clothes cover one picture in a hundred each."""
    return all(np.isin(mask, labels).sum() * 100 >= mask.size for labels in ((5, 7, 10), (9, 12)))


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["import", "nowhere", "--data", "synthetic"], 2, ("'nowhere'",)),
        (["import", ".", "--data", "synthetic", "--labels", "cihp"], 2, ("--labels", "'cihp'", "'lip'")),
        (["check"], 2, ("'--data'",)),
        (["check", "--data", "synthetic", "--palette", "7"], 2, ("--palette", "'7'", "'6'")),
        (["check", "--data", "synthetic", "--sheet", "sheet.jpg"], 1, ("--sheet", "sheet.jpg", ".png")),
    ],
)
def test_wrong_usage_says_what_is_wrong(home, words, status, told):
    shown = home.command("parsing", *words)
    assert shown.exit_code == status
    assert_names(shown.stderr, *told)
