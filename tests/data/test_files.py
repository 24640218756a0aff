import pytest

from rlq.data.files import written_whole
from rlq.errors import DataError


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "folder/a.png"
    with written_whole(path) as partial:
        partial.write_text("first")
        assert not path.exists() and partial.parent == path.parent and partial.suffix == ".png"
    assert path.read_text() == "first"
    with pytest.raises(ZeroDivisionError), written_whole(path) as partial:
        partial.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_a_folder_that_cannot_be_is_told_with_the_file(tmp_path):
    (tmp_path / "folder").write_text("in the way")
    with (
        pytest.raises(DataError, match=r"a\.png cannot be written: .*exists"),
        written_whole(tmp_path / "folder/a.png"),
    ):
        pass
