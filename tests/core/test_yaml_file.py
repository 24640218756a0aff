import math

import pytest

from rlq.core.errors import SettingsError
from rlq.core.yaml_file import DEEPEST, parse_yaml, read_yaml, value_lines, yaml_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.", 1.0),
        ("-.5", -0.5),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-.inf", -math.inf),
        ("TRUE", True),
        ("~", None),
        *((word, word) for word in ("on", "no", "yes", "off", "y", "12:30", "2020-01-01", "=", "1e")),
        ("!!str 5", "5"),
        ("'5'", "5"),
        ("%YAML 1.1\n---\nno", "no"),
        ("", None),
        ("# nothing", None),
    ],
)
def test_words_and_numbers_are_those_of_yaml_1_2(text, value):
    read = parse_yaml(text)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: 1\nb: 2\n'a': 3", ("a ", "1", "3")),
        ("x: {<<: {a: 1}, <<: {b: 1}}", ("<<", "line")),
        ("a: 1\n3: 2", ("line 2",)),
        ("a: 1\n? {b: c}\n: 2", ("line 2",)),
        ("a: !!float 1", ("line 1", "!!float")),
        ("a:\n- !x 1", ("line 2", "!x")),
        ("a: !!seq {b: c}", ("line 1", "!!seq")),
        ("a: &a [1, *a]", ("line 1",)),
        ("a: *b", ("'b'",)),
        (f"a: 0x{'f' * 5000}", ("line 1", "5002")),
        ('a: "\\ud800"', ("ud800",)),
        ("a: -_", ("YAML",)),
        ("a: 1\n---\nb: 2", ("line 2",)),
        ("a: 'b", ("line 1",)),
        ("x" * 1_000_001, ("1,000,001", "1,000,000")),
        ("[" * DEEPEST + "1", ("line 1",)),
    ],
)
def test_what_no_settings_hold_is_refused_with_its_place(text, named):
    with pytest.raises(SettingsError) as raised:
        parse_yaml(text)
    assert [piece for piece in named if piece not in str(raised.value)] == []


@pytest.mark.parametrize(
    "nested",
    [
        lambda depth: "[" * depth + "]" * depth,
        lambda depth: "- " * depth,
        lambda depth: "\n".join(" " * level + "a:" for level in range(depth)),
        lambda depth: "a1: &a1 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(2, depth - 1)),
    ],
    ids=["brackets", "dashes", "mappings", "aliases"],
)
def test_depth_is_limited_however_it_is_written(nested):
    assert parse_yaml(nested(DEEPEST - 1)) is not None
    with pytest.raises(SettingsError, match=f"more than {DEEPEST} deep"):
        parse_yaml(nested(DEEPEST + 1))


def test_values_are_counted_with_their_aliases_unfolded():
    laughs = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 5))
    assert parse_yaml(laughs)["a4"][9][9][9][9] == ["x"]
    with pytest.raises(SettingsError, match=r"100,000 values from line 6 on"):
        parse_yaml(f"{laughs}a5: [{', '.join(['*a4'] * 10)}]\n")


def test_what_is_merged_gives_way_to_what_is_written():
    assert parse_yaml("b: &b {x: 1, y: 2}\nc: {<<: *b, y: 3}\nd: &b 4\ne: *b")["c"] == {"x": 1, "y": 3}


def test_an_anchor_may_be_used_again_without_a_warning(recwarn):
    assert parse_yaml("a: &x 1\nb: &x 2\nc: *x") == {"a": 1, "b": 2, "c": 2}
    assert len(recwarn) == 0


def test_a_file_is_named_in_what_is_wrong_with_it(tmp_path):
    for name, content in (("list.yaml", b"- 1"), ("latin.yaml", b"a: \xe4"), ("open.yaml", b"a: [")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SettingsError, match=f"{tmp_path}/{name} "):
            read_yaml(tmp_path / name)
    with pytest.raises(SettingsError, match=f"{tmp_path}/none.yaml cannot be read"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").touch()
    assert read_yaml(tmp_path / "empty.yaml") == {}


def test_every_value_has_the_line_of_its_name_or_its_own_in_a_list():
    assert value_lines("# a comment\na: 1\nb:\n- 2\n- c:\n    3\n") == {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "c"): 5,
    }
    assert value_lines("# nothing") == {}


def test_a_tree_reads_back_equal_in_its_order():
    words = ["yes", "12:30", "1e-4", "0o17", "2020-01-01", "=", "", " a  b ", "two\nlines", "ä", "~", "x" * 300 + "  y"]
    tree = {"z": words, "a": {"n": None, "t": True, "f": [1e-5, 1e300, 0.1, 3], "e": [], "m": {}}, "l": [{"b": [1]}]}
    text = yaml_text(tree)
    assert parse_yaml(text) == tree and list(parse_yaml(text)) == ["z", "a", "l"]
    assert "\n  f: [1.0e-05, 1.0e+300, 0.1, 3]\n" in text
