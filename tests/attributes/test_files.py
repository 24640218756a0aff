import pytest

from rlq.attributes.files import whole_file
from rlq.errors import DataError


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "new/labels.csv"
    with whole_file(path) as temporary:
        temporary.write_text("first")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "first" and [entry.name for entry in path.parent.iterdir()] == ["labels.csv"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file/labels.csv", tmp_path):
        with pytest.raises(DataError, match=rf"{path} cannot be written: "), whole_file(path) as temporary:
            temporary.write_text("x")
