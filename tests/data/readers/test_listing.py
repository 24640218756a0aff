import re

import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.readers.listing import absent, missing_parts, named_pictures, pictures_of_people

NAME = re.compile(r"(?P<pid>\d+)_\d+\.jpg")
WORDS = {"title": "Toy", "example": "1_1.jpg", "layout": "1_1.jpg and such"}


def test_pictures_come_sorted_whatever_the_file_system_says(tmp_path, touch, backwards):
    touch(tmp_path, "a/2_1.jpg", "a/10_1.jpg", "a/1_2.jpg", "b/2/2_1.jpg", "b/2/2_02.jpg", "b/10/10_3.jpg")
    assert [path.name for path, _ in named_pictures(tmp_path / "a", NAME, **WORDS)] == [
        "10_1.jpg",
        "1_2.jpg",
        "2_1.jpg",
    ]
    found = pictures_of_people(tmp_path / "b", re.compile(r"\d+"), NAME, **WORDS)
    assert [(person, path.name) for person, path, _ in found] == [
        ("10", "10_3.jpg"),
        ("2", "2_02.jpg"),
        ("2", "2_1.jpg"),
    ]
    assert all(path == tmp_path / "b" / person / match.string for person, path, match in found)


def test_hidden_files_and_files_that_are_no_pictures_are_left_alone(tmp_path, touch):
    touch(tmp_path, "1_1.jpg", "._1_1.jpg", ".DS_Store", "Thumbs.db", "readme.txt", "1_1.json")
    assert [path.name for path, _ in named_pictures(tmp_path, NAME, **WORDS)] == ["1_1.jpg"]


def test_pictures_of_other_kinds_are_told_and_not_lost(tmp_path, touch):
    touch(tmp_path, "1_1.jpg", "1_2.PNG", "1_3.JPG", "1_4.jpeg", "1_5.png")
    with pytest.raises(DataError, match=r"(?=.*\b5\b)(?=.*\b4\b)") as raised:
        named_pictures(tmp_path, NAME, **WORDS)
    assert_names(raised.value, "1_1.jpg", "['1_2.PNG', '1_3.JPG', '1_4")


def test_what_lies_beside_the_folders_of_people_is_told(tmp_path, touch):
    touch(tmp_path, "1/1_1.jpg", "rlq/masks.png")
    people = re.compile(r"\d+")
    with pytest.raises(DataError, match=r"\['rlq'\]"):
        pictures_of_people(tmp_path, people, NAME, **WORDS)
    assert len(pictures_of_people(tmp_path, people, NAME, **WORDS, beside=frozenset({"rlq"}))) == 1
    touch(tmp_path, "1_7.jpg")
    with pytest.raises(DataError, match=r"\['rlq', '1_7\.jpg'\]"):
        pictures_of_people(tmp_path, people, NAME, **WORDS)


def test_a_picture_in_the_folder_of_somebody_else_is_told(tmp_path, touch):
    touch(tmp_path, "1/1_1.jpg", "1/2_1.jpg", "2/2_1.jpg")
    with pytest.raises(DataError, match=r"\['1/2_1\.jpg'\]"):
        pictures_of_people(tmp_path, re.compile(r"\d+"), NAME, **WORDS)


def test_missing_folders_files_in_their_place_and_empty_ones_are_explained(tmp_path, touch):
    touch(tmp_path, "file", "empty/readme.txt")
    for name in ("nowhere", "file"):
        with pytest.raises(DataError) as raised:
            named_pictures(tmp_path / name, NAME, **WORDS)
        assert_names(raised.value, "Toy", tmp_path / name, "1_1.jpg")
    with pytest.raises(DataError) as raised:
        named_pictures(tmp_path / "empty", NAME, **WORDS)
    assert_names(raised.value, tmp_path / "empty", "1_1.jpg")


def test_absent_files_are_found_as_asking_for_each_would(tmp_path, touch):
    touch(tmp_path, "a.jpg", "b/c.jpg", "b/d/e.jpg")
    names = ["a.jpg", "x.jpg", "b/c.jpg", "b/a.jpg", "b/d/e.jpg", "nowhere/a.jpg", "a.jpg/a.jpg"]
    assert absent(tmp_path, names) == [i for i, name in enumerate(names) if not (tmp_path / name).exists()]
    assert absent(tmp_path / "nowhere", ["a.jpg"]) == [0]


def test_missing_parts_are_files_or_folders(tmp_path, touch):
    touch(tmp_path, "a/b.txt", "c.txt")
    assert missing_parts(tmp_path, ("a", "a/b.txt", "c.txt", "d", "a/e")) == ["d", "a/e"]
