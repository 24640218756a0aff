import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.readers.tables import read_lines, read_table, refuse_lines


def test_rows_are_read_without_blanks_marks_and_whatever_ends_the_lines(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("\ufeffa, b ,c\r\n 1 ,two words,\r\n3,,\r\n".encode())
    rows = list(read_table(path, ("a", "b"), "table"))
    assert rows == [{"a": "1", "b": "two words", "c": ""}, {"a": "3", "b": "", "c": ""}]
    assert [row.place for row in rows] == [f"{path}: line 2", f"{path}: line 3"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,c\n1,2\n", ("a, b", "['a', 'c']")),
        ("", ("a, b",)),
        ("a;b\n1;2\n", ("'a;b'",)),
        ("a\tb\n", (r"'a\tb'",)),
        ("a,b,a\n", ("column",)),
        ("a,b\n1,2\n1,2,3\n", ("line 3", "['a', 'b']")),
    ],
)
def test_a_table_of_another_kind_is_explained(tmp_path, text, told):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(DataError) as raised:
        list(read_table(tmp_path / "table.csv", ("a", "b"), "table"))
    assert_names(raised.value, "table.csv", *told)


def test_lines_have_their_numbers_and_need_no_end(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfone 1\r\n\r\n  two 2 \nthree 3")
    assert list(read_lines(tmp_path / "list.txt", "list")) == [(1, "one 1"), (3, "two 2"), (4, "three 3")]


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "list.txt", tmp_path):
        with pytest.raises(DataError) as raised:
            list(read_lines(path, "list"))
        assert_names(raised.value, path)


def test_wrong_lines_are_counted_and_three_are_shown(tmp_path):
    refuse_lines(tmp_path, [], "never said")
    with pytest.raises(DataError) as raised:
        refuse_lines(tmp_path / "list.txt", [(4, "is odd")], "mend it")
    assert_names(raised.value, "list.txt", "line 4", "is odd", "mend it")
    with pytest.raises(DataError, match=r"\b5\b") as error:
        refuse_lines(tmp_path, [(number, "is odd") for number in range(1, 6)], "mend it")
    assert_names(error.value, "line 1", "line 2", "line 3", "mend it")
    assert str(error.value).count("is odd") == 3
