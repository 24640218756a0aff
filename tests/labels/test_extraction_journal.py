import pytest

from rlq.core.errors import DataError
from rlq.labels.extraction_journal import Finding, Journal, pending

RUN = {"weights": "COCO_V1", "score": 0.5}
PERSON = {"image_id": "a.jpg", "keypoints": [1.5] * 51, "score": 0.9}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rlq/keypoints.json.journal"
    journal = Journal(path, RUN)
    journal.add([Finding("a.jpg", [PERSON]), Finding("b.jpg", [], "no picture"), Finding("c.jpg", [])])
    return path


def test_a_journal_goes_on_where_it_was(path):
    again = Journal(path, RUN)
    assert again.people == {"a.jpg": [PERSON], "c.jpg": []}  # what could not be read is looked at again
    again.add([Finding("b.jpg", [PERSON, PERSON])])
    assert Journal(path, RUN).people["b.jpg"] == [PERSON, PERSON]


@pytest.mark.parametrize("left", [3, 30])
def test_a_torn_last_line_is_done_again(path, left):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:left])
    journal = Journal(path, RUN)
    assert list(journal.people) == (["a.jpg"])
    journal.add([Finding("c.jpg", [PERSON])])
    assert Journal(path, RUN).people == {"a.jpg": [PERSON], "c.jpg": [PERSON]}


def test_a_journal_torn_in_its_first_line_begins_anew(path):
    path.write_bytes(path.read_bytes()[:5])
    assert Journal(path, RUN).people == {} and not path.exists()


def test_a_journal_of_other_settings_is_refused(path):
    with pytest.raises(DataError, match=r"journal.*\bscore\b.*\b0\.5\b"):
        Journal(path, {**RUN, "score": 0.7})


def test_a_journal_without_a_picture_may_go_on_with_other_settings(path):
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    journal = Journal(path, {**RUN, "score": 0.7})
    assert journal.people == {} and not path.exists()
    journal.add([Finding("b.jpg", [], "no picture")])
    assert not path.exists()  # nothing is worth keeping yet
    journal.add([Finding("a.jpg", [])])
    assert path.read_text() == '{"weights": "COCO_V1", "score": 0.7}\n{"picture": "a.jpg", "people": []}\n'


def test_a_broken_line_is_named(path):
    path.write_text(path.read_text().replace('"people": [{', '"people": {', 1))
    with pytest.raises(DataError, match=r"journal.*line 2\b"):
        Journal(path, RUN)


def test_batches_with_something_to_do_are_done_whole():
    names = list("abcdefg")
    assert list(pending(names, {}, 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(pending(names, {name: [] for name in "abcdf"}, 3)) == [[3, 4, 5], [6]]
    assert list(pending(names, {name: [] for name in names}, 3)) == []
