from pathlib import Path

import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.records import Record
from rlq.labels.gender import genders_of, part_of, people_of, plain_id, read_answers, read_genders


def records(*people: tuple[str, str]) -> list[Record]:
    return [Record(Path(f"/{split}/{pid}.jpg"), pid, "A", pid, split, pid) for split, pid in people]


@pytest.fixture
def write(tmp_path):
    def write(*rows: str, header: str = "Category,ID,Gender"):
        path = tmp_path / "gender.csv"
        path.write_text("\n".join((header, *rows)))
        return path

    return write


def test_genders_reach_every_picture(write):
    path = write("train,000,1", "train,092,0.0", "query,092,1")
    people = records(("train", "092"), ("train", "000"), ("query", "092"), ("train", "092"))
    assert genders_of(people, read_genders(path), path).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("listed", "pid"), [("2", "000002"), ("p0003", "p0003"), ("3", "p0003"), ("40.0", "0040"), ("0", "000")]
)
def test_ids_match_with_and_without_zeros_and_letters(write, listed, pid):
    path = write(f"train,{listed},1", "train,77,0")
    assert genders_of(records(("train", pid), ("train", "77")), read_genders(path), path).tolist() == [1, 0]


def test_plain_ids_are_numbers_where_there_is_one():
    assert [plain_id(pid) for pid in ("000", "p0003", "100", "x_y")] == ["0", "3", "100", "x_y"]


def test_two_people_that_a_gender_file_cannot_tell_apart_are_refused():
    with pytest.raises(DataError) as raised:
        people_of(records(("train", "p0003"), ("train", "3")))
    assert_names(raised.value, "'3'", "'p0003'")
    people = people_of(records(("gallery", "3"), ("query", "3"), ("train", "10"), ("train", "9"), ("train", "3")))
    assert list(people) == [("train", "3"), ("train", "9"), ("train", "10"), ("test", "3")]


def test_rows_of_query_and_test_are_one_person_of_ltcc(write):
    assert read_genders(write("query,5,1", "test,5,1")) == {("test", "5"): 1}
    with pytest.raises(DataError, match=r"line 3.*\b5\b.*\bf\b.*\bm\b"):
        read_genders(write("query,5,1", "test,5,0"))


def test_our_column_keeps_doubt_and_words_do_for_numbers(write):
    path = write("train,1,0,u", "train,2,1,m", "train,3,0,f", "train,4,0,", header="Category,ID,Gender,Answer")
    assert list(read_answers(path).values()) == ["u", "m", "f", "f"]
    assert list(read_genders(path).values()) == [0, 1, 0, 0]
    path = write("train,1,M", "train,2,female", "train,3,Male", "train,4,f", "train,5,u")
    assert list(read_answers(path).values()) == ["m", "f", "m", "f", "u"]


def test_query_and_gallery_are_the_same_people_and_training_shows_others(write):
    path = write("train,1,1", "query,1,0", "gallery,1,0", "test,2,1")
    people = records(("train", "1"), ("gallery", "1"), ("query", "2"))
    assert genders_of(people, read_genders(path), path).tolist() == [1, 0, 1]
    assert [part_of(split) for split in ("train", "query", "gallery", "test")] == ["train", "test", "test", "test"]


def test_missing_people_are_counted_and_named_beside_those_of_the_file(write):
    path = write("train,1,1", "test,10,1")
    people = records(*[("train", str(pid)) for pid in (10, 1, 9, 9)])
    with pytest.raises(DataError, match=r"gender\.csv.*\b2\b.*\b3\b.*\btrain\b.*\b9, 10\b.*\b1\b"):
        genders_of(people, read_genders(path), path)
    many = records(*[("train", str(pid)) for pid in range(1, 20)])
    with pytest.raises(DataError, match=r"\b18\b.*\b19\b.*\btrain\b.*\b2, 3, .*, 11\b"):
        genders_of(many, read_genders(path), path)


def test_the_file_of_another_set_is_told_so(write):
    path = write(*[f"train,p{pid:04},1" for pid in range(900, 910)])
    with pytest.raises(DataError, match=r"gender\.csv.*\b2\b.*\b10\b.*\b900, 901, 902, 903, 904\b"):
        genders_of(records(("train", "1"), ("train", "2")), read_genders(path), path)
    with pytest.raises(DataError, match=r"gender\.csv.*\btest\b"):
        genders_of(records(("train", "1")), read_genders(write("query,1,0")), path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["train,1,2"], r"gender\.csv.*line 2.*'2'.*\b1\b.*\b0\b"),
        (["train,1"], r"gender\.csv.*line 2.*''"),
        (["train,1,1", "train,01,0"], r"gender\.csv.*line 3.*\b01\b.*\bf\b.*\bm\b"),
        ([], r"gender\.csv"),
    ],
)
def test_broken_rows_are_explained(write, rows, message):
    with pytest.raises(DataError, match=message):
        read_genders(write(*rows))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("train,1,1,x", r"line 2.*'x'.*\bm, male, f, female, u\b"),
        ("train,1,1,u", r"line 2.*\b1\b.*\bu\b"),
        ("train,1,0,m", r"line 2.*\b0\b.*\bm\b"),
    ],
)
def test_broken_answers_are_explained(write, row, message):
    with pytest.raises(DataError, match=message):
        read_answers(write(row, header="Category,ID,Gender,Answer"))


def test_other_columns_and_a_missing_file_are_explained(write, tmp_path):
    with pytest.raises(DataError, match=r"\bCategory, ID, Gender\b.*'pid', 'sex'"):
        read_genders(write("1,1", header="pid,sex"))
    with pytest.raises(DataError, match=r"gone\.csv"):
        read_genders(tmp_path / "gone.csv")
