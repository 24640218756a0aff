import shutil

import pytest

from rlq.data.celeb_reid import LIGHT_PUBLISHED, PUBLISHED, holds_celeb_reid, read_celeb_reid
from rlq.data.records import class_indices
from rlq.errors import DataError


def test_every_training_picture_is_its_own_clothes_class(celeb_folder):
    labels = class_indices(read_celeb_reid(celeb_folder).train)
    assert len(labels.owner) == 30 and len(set(labels.clothes)) == 30
    assert labels.pid_names == ["1", "2", "10"]


def test_pictures_that_share_a_name_stay_apart(celeb_folder):
    data = read_celeb_reid(celeb_folder)
    same = [r for r in data.records if r.key == "1_1_0"]
    assert [r.split for r in same] == ["train", "gallery"]
    assert len({r.path for r in data.records}) == len(data.records)
    assert len({r.clothes for r in data.records}) == len(data.records)


@pytest.mark.parametrize(
    ("reading", "cameras"), [("first_digit", ["1", "1", "1", "2", "2"]), ("y", ["12", "12", "1", "2", "2"])]
)
def test_the_reading_of_y_decides_the_camera(celeb_folder, reading, cameras):
    data = read_celeb_reid(celeb_folder, camera=reading)
    assert [r.camera for r in (*data.query, *data.gallery) if r.pid == "1"] == cameras


def test_without_cameras_no_two_pictures_agree(celeb_folder):
    data = read_celeb_reid(celeb_folder, camera="none")
    assert len({r.camera for r in data.records}) == len(data.records)


def test_there_is_one_protocol(celeb_folder):
    (protocol,) = read_celeb_reid(celeb_folder).protocols
    assert (protocol.name, protocol.rule, protocol.query_cameras) == ("General", "GENERAL", None)


def test_odd_names_and_missing_folders_are_explained(celeb_folder, tmp_path):
    root = shutil.copytree(celeb_folder, tmp_path / "set")
    (root / "readme.txt").write_text("words")
    (root / "train/.hidden.jpg").write_bytes(b"x")
    assert len(read_celeb_reid(root).train) == 30
    (root / "query/1_12.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"query has 3 pictures, 1 of them not named like 1_1_0.jpg: \['1_12.jpg'\]"):
        read_celeb_reid(root)
    shutil.rmtree(root / "gallery")
    (root / "query/1_12.jpg").unlink()
    with pytest.raises(DataError, match="gallery is not a folder; the set holds train, query and gallery"):
        read_celeb_reid(root)


def test_the_layout_is_recognised(celeb_folder, prcc_folder):
    assert holds_celeb_reid(celeb_folder) and not holds_celeb_reid(prcc_folder)


def test_the_counts_add_up_to_the_published_totals():
    for published, total in ((PUBLISHED, 34_186), (LIGHT_PUBLISHED, 10_842)):
        pictures = {split: counts["pictures"] for split, counts in published.splits.items()}
        assert pictures["train"] + pictures["query"] + pictures["gallery"] == total
        assert pictures["test"] == pictures["query"] + pictures["gallery"]
