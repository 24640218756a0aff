import pytest

from rlq.errors import DataError
from rlq.files import written_whole


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "folder/a.png"
    with written_whole(path) as partial:
        partial.write_text("first")
        assert not path.exists() and partial.parent == path.parent and partial.suffix == ".png"
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), written_whole(path) as partial:
            partial.write_text("half")
            raise error
    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_a_place_that_cannot_be_written_is_told_with_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file/a.png", tmp_path):
        with pytest.raises(DataError, match=rf"{path} cannot be written: "), written_whole(path) as partial:
            partial.write_text("x")
