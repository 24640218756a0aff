import shutil

import pytest

from rlq.data.catalogue import CATALOGUE, data_set, find, read
from rlq.errors import DataError


def test_a_set_is_found_in_its_folder_and_in_the_parent(prcc_folder):
    assert find("prcc", prcc_folder) == find("prcc", prcc_folder.parent) == prcc_folder
    data = read("prcc", prcc_folder.parent)
    assert data.name == "prcc" and data.root == prcc_folder.resolve() and len(data.train) == 34


def test_the_synthetic_sets_have_the_layouts_of_the_real_ones(prcc_folder, celeb_folder, tmp_path):
    shutil.copytree(prcc_folder, tmp_path / "synthetic/prcc")
    shutil.copytree(celeb_folder, tmp_path / "synthetic/Celeb-reID")
    assert read("synthetic", tmp_path).name == "synthetic"
    assert read("synthetic_celeb", tmp_path).root == (tmp_path / "synthetic/Celeb-reID").resolve()
    assert len(read("celeb_reid_light", celeb_folder).train) == 30


def test_the_real_set_is_never_taken_for_the_synthetic_one(prcc_folder):
    with pytest.raises(DataError, match="synthetic/prcc"):
        read("synthetic", prcc_folder.parent)


def test_the_reading_of_cameras_reaches_the_reader(celeb_folder):
    assert {r.camera for r in read("celeb_reid", celeb_folder, celeb_camera="y").query} == {"12"}


def test_the_error_lists_every_path_tried_and_the_layout(tmp_path):
    with pytest.raises(DataError) as error:
        read("celeb_reid", tmp_path)
    for part in (str(tmp_path), str(tmp_path / "Celeb-reID"), str(tmp_path / "celeb_reid"), "train, query and gallery"):
        assert part in str(error.value)


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known():
    with pytest.raises(DataError, match=r"unknown data set 'prc'; did you mean prcc\? Known: celeb_reid, .*prcc"):
        data_set("prc")
    with pytest.raises(DataError, match=r"unknown data set 'zebra'. Known"):
        data_set("zebra")
    assert set(CATALOGUE) >= {"prcc", "celeb_reid", "synthetic", "synthetic_celeb"}
