from pathlib import Path

import pytest

from rlq.attributes.gender import genders_of, part_of, plain_id, read_genders
from rlq.data.records import Record
from rlq.errors import DataError


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


def test_ids_match_with_and_without_zeros_and_letters(write):
    path = write("train,2,1", "train,p0003,0", "train,40.0,1")
    people = records(("train", "000002"), ("train", "p0003"), ("train", "3"), ("train", "0040"))
    assert genders_of(people, read_genders(path), path).tolist() == [1, 0, 0, 1]
    assert [plain_id(pid) for pid in ("000", "p0003", "100", "x_y")] == ["0", "3", "100", "x_y"]


def test_query_and_gallery_are_the_same_people_and_training_shows_others(write):
    path = write("train,1,1", "query,1,0", "gallery,1,0", "test,2,1")
    people = records(("train", "1"), ("gallery", "1"), ("query", "2"))
    assert genders_of(people, read_genders(path), path).tolist() == [1, 0, 1]
    assert [part_of(split) for split in ("train", "query", "gallery", "test")] == ["train", "test", "test", "test"]


def test_missing_people_are_counted_and_named(write):
    path = write("train,1,1", "test,10,1")
    people = records(*[("train", str(pid)) for pid in (10, 1, 9, 9)])
    with pytest.raises(DataError, match=r"gender\.csv: has no row for 2 of 3 people: 9, 10$"):
        genders_of(people, read_genders(path), path)
    many = records(*[("train", str(pid)) for pid in range(1, 20)])
    with pytest.raises(DataError, match=r"18 of 19 people: 2, 3, .*, 11, \.\.\.$"):
        genders_of(many, read_genders(path), path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["train,1,2"], r"line 2: gender '2' is neither 1 \(male\) nor 0 \(female\)"),
        (["train,1"], r"line 2: gender '' is neither"),
        (["train,1,1", "train,01,0"], "line 3: person 01 is 0 here and 1 before"),
        ([], "holds no person"),
    ],
)
def test_broken_rows_are_explained(write, rows, message):
    with pytest.raises(DataError, match=message):
        read_genders(write(*rows))


def test_other_columns_and_a_missing_file_are_explained(write, tmp_path):
    with pytest.raises(DataError, match=r"a gender file has Category, ID, Gender; found are \['pid', 'sex'\]"):
        read_genders(write("1,1", header="pid,sex"))
    with pytest.raises(DataError, match="no readable gender file"):
        read_genders(tmp_path / "gone.csv")
