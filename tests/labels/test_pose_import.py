"""rlq pose import: keypoints of other tools, brought to the pictures of a set."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.data.catalogue import read
from rlq.labels import pose_import
from rlq.labels.alphapose import write_alphapose
from rlq.labels.keypoints import read_keypoints
from rlq.labels.openpose import ORDERS
from rlq.labels.pose import match

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def root(home, tmp_path_factory) -> Path:
    """The small target set in PRCC's layout."""
    folder = tmp_path_factory.mktemp("sets") / "prcc"
    shutil.copytree(home.folder / "data/synthetic/prcc", folder)
    return folder


@pytest.fixture
def entries(root) -> list[dict]:
    """What AlphaPose wrote about the set, validation pictures too."""
    return json.loads((root / "rlq/keypoints.json").read_text())


def bring(source: Path, root: Path, **options) -> pose_import.Imported:
    return pose_import.import_keypoints(
        source, "prcc", root, output=source.parent / "out.json", console=QUIET, **options
    )


def test_the_poses_that_training_reads_stay_the_same(root, tmp_path, entries):
    source = tmp_path / "k.json"
    write_alphapose(source, entries)
    done = bring(source, root)
    data = read("prcc", root)
    before, after = (match(read_keypoints(file).people, data.records, data.root) for file in (source, done.output))
    assert np.array_equal(before.keypoints, after.keypoints) and np.array_equal(before.found, after.found)


def test_the_summary_counts_pictures_by_split_and_names_without_one(root, tmp_path, entries):
    write_alphapose(tmp_path / "k.json", entries)
    done = bring(tmp_path / "k.json", root)
    named, paths = {entry["image_id"] for entry in entries}, {}
    for record in read("prcc", root).records:
        paths.setdefault(record.split, []).append(record.path.relative_to(root).as_posix())
    assert done.splits == {split: (len(names), len(named & set(names))) for split, names in paths.items()}
    assert done.splits["train"][1] < done.splits["train"][0] == 96
    val = sorted(name for name in named if name.startswith("rgb/val/"))
    assert list(done.unused) == val and val
    (line,) = [line for line in done.to_text().splitlines() if ", ".join(val[:3]) in line]
    assert str(len(val)) in line and not any(name in line for name in val[3:])


def test_the_best_person_of_each_picture_is_written_in_the_order_of_the_set(root, tmp_path, entries):
    write_alphapose(tmp_path / "k.json", entries)
    written = json.loads(bring(tmp_path / "k.json", root).output.read_text())
    names = [record.path.relative_to(root).as_posix() for record in read("prcc", root).records]
    ids = {entry["image_id"] for entry in entries}
    assert [entry["image_id"] for entry in written] == [name for name in names if name in ids]
    for entry in written:
        own = [other for other in entries if other["image_id"] == entry["image_id"]]
        best = max(own, key=lambda other: other["score"])
        assert entry == {name: best[name] for name in ("image_id", "category_id", "keypoints", "score")}


def test_joints_outside_of_their_picture_are_counted_with_those_left_out(root, tmp_path, entries):
    entry = next(one for one in entries if one["image_id"].startswith("rgb/train"))
    inside = [60.0, 100.0, 0.5] * 13
    edges = [-0.5, 5, 1.2, 128, 5, 0.9, 5, 256, 0.9, 127.9, 255.9, 0.9]  # of 128 x 256
    odd = {**entry, "image_id": "rgb/train/elsewhere.jpg", "keypoints": [float("nan")] * 51}
    (tmp_path / "k.json").write_text(json.dumps([{**entry, "keypoints": inside + edges}, odd]))
    done = bring(tmp_path / "k.json", root)
    assert (done.outside, done.source.above_one, done.source.left_out, done.source.people) == (3, 1, 1, 1)
    _, left_out, kept, unused, *table, written = done.to_text().splitlines()
    counts = [[int(number) for number in re.findall(r"\b\d+\b", line)] for line in (left_out, kept, unused)]
    assert counts[0] == [1, 0] and {1, 3} <= set(counts[1]) and counts[2] == [0]
    assert table[0].split()[0] == "split" and f"{tmp_path}/out.json" in written


def test_results_of_openpose_come_by_the_stem(root, tmp_path):
    pictures = [record.path.relative_to(root) for record in read("prcc", root).train[:3]]
    for number, picture in enumerate(pictures):
        person = {"pose_keypoints_2d": [value for joint in range(25) for value in (joint, number, 0.5)]}
        path = (tmp_path / "openpose" / picture).with_name(f"{picture.stem}_keypoints.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 1.2, "people": [person] if number else []}))
    done = bring(tmp_path / "openpose", root)
    assert done.source.format == "OpenPose" and done.splits["train"] == (96, 2)
    written = json.loads(done.output.read_text())
    assert [entry["image_id"] for entry in written] == [picture.as_posix() for picture in pictures[1:]]
    assert written[1]["keypoints"][::3] == list(ORDERS[25]) and written[1]["score"] == 0.5


def test_names_may_begin_at_a_folder_of_the_set(root, tmp_path, entries):
    train = [entry for entry in entries if entry["image_id"].startswith("rgb/train/")]
    bare = [{**entry, "image_id": entry["image_id"].removeprefix("rgb/train/001/")} for entry in train]
    of_one = [entry for entry in bare if "/" not in entry["image_id"]]
    write_alphapose(tmp_path / "k.json", of_one)
    done = bring(tmp_path / "k.json", root, below="rgb/train/001/")
    assert done.splits["train"][1] == len({entry["image_id"] for entry in of_one}) > 0


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        (lambda name: Path(name).name, r"prcc.*'\w+\.jpg'.*rgb/"),
        (lambda name: f"0001_c1s1_{name[-7:]}", r"\d+.*'0001_c1s1_.*rgb/"),
    ],
)
def test_names_that_mean_several_pictures_or_none_write_nothing(root, tmp_path, entries, rename, message):
    write_alphapose(tmp_path / "k.json", [{**entry, "image_id": rename(entry["image_id"])} for entry in entries])
    with pytest.raises(DataError, match=message):
        bring(tmp_path / "k.json", root)
    assert not (tmp_path / "out.json").exists()


def test_an_import_goes_where_training_looks_for_it(home, root, tmp_path, entries):
    own = tmp_path / "prcc"
    shutil.copytree(root, own)
    write_alphapose(tmp_path / "k.json", entries[:50])
    done = pose_import.import_keypoints(tmp_path / "k.json", "prcc", tmp_path, console=QUIET)
    assert done.output == own / "rlq/keypoints.json"
    assert len(json.loads(done.output.read_text())) < len(entries) // 2  # in place of the older one
