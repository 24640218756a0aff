from pathlib import Path

import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.labels.annotate.people import Subject
from rlq.labels.annotate.store import AnswerFile
from rlq.labels.gender import read_answers, read_genders

HEADER = "Category,ID,Gender,Answer\n"
TRAIN = [Subject(pid, "train", ("train",), ()) for pid in ("001", "002", "010")]
TEST = [Subject(pid, "test", ("query", "gallery"), ()) for pid in ("003", "004")]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "rlq/gender.csv"


def test_every_answer_is_on_the_disk_at_once_in_the_authors_form(path):
    answers = AnswerFile(path, TRAIN)
    assert not path.exists()
    answers.answer(2, "u")
    assert path.read_text() == HEADER + "train,010,0,u\n"
    answers.answer(0, "m")
    assert path.read_text() == HEADER + "train,001,1,m\ntrain,010,0,u\n"
    assert answers.answers == ["m", None, "u"]
    assert read_genders(path) == {("train", "1"): 1, ("train", "10"): 0}
    assert [file.name for file in path.parent.iterdir()] == ["gender.csv"]


def test_the_file_does_not_depend_on_the_order_of_answers(path, tmp_path):
    other = tmp_path / "other.csv"
    for file, order in ((path, (0, 1, 2)), (other, (2, 0, 1))):
        answers = AnswerFile(file, TRAIN)
        for number in order:
            answers.answer(number, "mfu"[number])
    assert path.read_bytes() == other.read_bytes()


def test_test_people_have_a_row_per_split(path):
    AnswerFile(path, TEST).answer(1, "f")
    assert path.read_text() == HEADER + "query,004,0,f\ngallery,004,0,f\n"


def test_another_day_goes_on_where_the_first_one_ended(path):
    AnswerFile(path, TRAIN).answer(1, "m")
    again = AnswerFile(path, TRAIN)
    assert again.answers == [None, "m", None]
    assert again.undo() is None and again.answers == [None, "m", None]


def test_answers_are_taken_back_one_by_one_to_what_they_were(path):
    path.parent.mkdir()
    path.write_text(HEADER + "train,001,1,m\n")
    answers = AnswerFile(path, TRAIN)
    answers.answer(0, "f")
    answers.answer(1, "m")
    answers.answer(0, "u")
    taken = [(answers.undo(), answers.answers) for _ in range(4)]
    assert taken == [
        (0, ["f", "m", None]),
        (1, ["f", None, None]),
        (0, ["m", None, None]),
        (None, ["m", None, None]),
    ]
    assert path.read_text() == HEADER + "train,001,1,m\n"


def test_the_authors_file_is_read_as_answers_and_what_else_it_holds_stays(path):
    path.parent.mkdir()
    theirs = "Category,ID,Gender,Age\ntest,3,1,40\nquery,3,1,40\ntrain,2,0,\ntrain,77,1,9\n"
    path.write_text(theirs)
    answers = AnswerFile(path, TRAIN)
    assert answers.answers == [None, "f", None] and path.read_text() == theirs
    answers.answer(1, "u")
    answers.answer(0, "m")
    assert path.read_text() == (
        "Category,ID,Gender,Age,Answer\ntrain,001,1,,m\ntrain,2,0,,u\ntrain,77,1,9,\ntest,3,1,40,\nquery,3,1,40,\n"
    )
    tested = AnswerFile(path, TEST)
    assert tested.answers == ["m", None]
    tested.answer(0, "f")  # both rows of the person change
    assert read_answers(path)["test", "3"] == "f"


def test_a_file_that_somebody_else_changed_is_not_written_over(path):
    answers, other = AnswerFile(path, TRAIN), AnswerFile(path, TRAIN)
    other.answer(0, "m")
    with pytest.raises(DataError, match=r"gender\.csv"):
        answers.answer(1, "f")
    assert answers.answers == [None, None, None] and answers.undo() is None
    assert path.read_text() == HEADER + "train,001,1,m\n"


def test_an_answer_that_cannot_be_saved_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    answers = AnswerFile(tmp_path / "folder/gender.csv", TRAIN)
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(DataError, match=r"gender\.csv"):
        answers.answer(0, "m")
    assert answers.answers == [None, None, None]


def test_a_broken_file_is_refused_before_anybody_answers(path):
    path.parent.mkdir()
    path.write_text("Category,ID,Gender\ntrain,1,2\n")
    with pytest.raises(DataError) as raised:
        AnswerFile(path, TRAIN)
    assert_names(raised.value, "gender.csv", "line 2", "'2'")
    path.write_text("Category,ID,Gender\n")
    assert AnswerFile(path, TRAIN).answers == [None, None, None]
