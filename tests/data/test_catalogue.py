import shutil

import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.catalogue import CATALOGUE, data_set, find, read


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


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known():
    with pytest.raises(DataError, match=r"\bprc\b") as raised:
        data_set("prc")
    assert_names(raised.value, *CATALOGUE)
    assert str(raised.value).count("prcc") > 1  # as the nearest, and among the known ones
    with pytest.raises(DataError) as raised:
        data_set("zebra")
    assert_names(raised.value, "zebra", *CATALOGUE)


def test_all_sets_are_known_in_the_order_in_which_they_are_shown():
    assert list(CATALOGUE) == [
        "prcc",
        "ltcc",
        "deepchange",
        "last",
        "celeb_reid",
        "celeb_reid_light",
        "vc_clothes",
        "ntu120",
        "ccvid",
        "csv",
        "synthetic",
        "synthetic_celeb",
    ]
    for known in CATALOGUE.values():
        assert known.title and known.folders and known.layout


LTCC = {
    "LTCC_ReID/train/001_1_c1_000001.png",
    "LTCC_ReID/query/002_1_c1_000001.png",
    "LTCC_ReID/test/002_1_c2_000001.png",
}
LAST = {
    f"last/{part}/000001_001_00001_0001_01_001.jpg" for part in ("train/000001", "test/query", "test/gallery/000001")
}


def test_a_table_of_any_name_is_a_data_set(tmp_path, touch):
    touch(tmp_path, "a.jpg")
    touch(tmp_path, "mine.csv", text="path,pid,camera,split\na.jpg,1,1,train")
    assert len(read("csv", tmp_path / "mine.csv").train) == len(read("csv", tmp_path).train) == 1
    touch(tmp_path, "other.csv", text="path,pid,camera,split\na.jpg,1,1,train")  # which of the two is meant?
    with pytest.raises(DataError) as raised:
        read("csv", tmp_path)
    assert_names(raised.value, "data.root", tmp_path / "own", "pictures.csv")


def test_words_that_are_nearly_a_name_are_answered_with_it_and_clips_with_the_way_to_frames(tmp_path):
    for word, name in (("LTCC", "ltcc"), ("Celeb-reID", "celeb_reid"), ("DeepChang", "deepchange")):
        with pytest.raises(DataError, match=rf"\b{name}\b.*\b{name}\b") as raised:
            read(word, tmp_path)
        assert_names(raised.value, word)
    with pytest.raises(DataError, match="rlq data ntu-frames"):
        read("ntu120", tmp_path)


def test_what_a_half_unpacked_folder_lacks_is_said(tmp_path, touch):
    touch(
        tmp_path, "LTCC_ReID/train/001_1_c1_000001.png", "DeepChange/train-set/a.jpg", "DeepChange/train-set-bbox.txt"
    )
    with pytest.raises(DataError) as error:
        read("ltcc", tmp_path)
    assert_names(error.value, "query, test")
    named = {folder: str(error.value).count(f"{tmp_path}/{folder}") for folder in ("LTCC_ReID", "LTCC-reID")}
    assert named == {"LTCC_ReID": 2, "LTCC-reID": 1}  # among those tried, and as the one that lacks something
    with pytest.raises(DataError, match=rf"{tmp_path}/DeepChange\b.*{tmp_path}/DeepChange\b") as raised:
        read("deepchange", tmp_path)
    assert_names(raised.value, "test-set-query, test-set-query-bbox.txt")
    with pytest.raises(DataError, match=r"rgb/test/<pid>|rgb/test/\{A,B,C\}") as error:
        read("prcc", tmp_path)
    assert str(error.value).count(f"{tmp_path}/prcc") == 1


def test_each_set_refuses_the_layout_of_the_others(tmp_path, touch, prcc_folder):
    touch(tmp_path, *LTCC, *LAST)
    for name in ("prcc", "deepchange", "celeb_reid", "vc_clothes", "ntu120", "ccvid", "csv"):
        with pytest.raises(DataError, match=rf"data\.root.*{tmp_path}"):
            read(name, tmp_path)
    for name in ("ltcc", "last", "deepchange", "ccvid", "ntu120", "celeb_reid", "vc_clothes", "csv"):
        with pytest.raises(DataError, match=rf"data\.root.*{prcc_folder}"):
            read(name, prcc_folder)
