import re
from pathlib import Path

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.readers.own import holds_own, read_own
from rlq.data.records import class_indices
from rlq.evaluation.protocols import evaluate

HEADER = "path,pid,camera,split,clothes,tracklet,gender,pose"
ROWS = [
    "train/b.jpg,anna,1,train,red,,f,10.0",
    "train/a.png,anna,2,train,blue,,F,0",
    "train/c.jpg,10,1,train,red,,male,3",
    "test/x 1.jpg,anna,hall,query,red,t1,m,",
    "test/y.jpg,anna,door,gallery,green,t2,1,",
    "test/z.jpg,carl,door,gallery,red,,u,2",
]


@pytest.fixture
def table(tmp_path, touch):
    """Write rows, and files for the paths in them; returns the table."""

    def make(rows: list[str], header: str = HEADER, files: bool = True) -> Path:
        folder = tmp_path / "own"
        if files:
            touch(folder, *(row.split(",")[0] for row in rows if not row.startswith("/")))
        folder.mkdir(exist_ok=True)
        (folder / "pictures.csv").write_text("\n".join([header, *rows]), encoding="utf-8-sig")
        return folder / "pictures.csv"

    return make


def plain(split: str, clothes: str = "", name: str = "", camera: str = "1", pid: str = "p") -> str:
    return f"{name or split}.jpg,{pid},{camera},{split},{clothes},,,"


def test_a_full_table_gives_records_protocols_and_attributes(table):
    source = table(ROWS)
    data = read_own(source.parent)
    assert [(r.key, r.pid, r.camera, r.clothes, r.tracklet) for r in data.records] == [
        ("train/a.png", "anna", "2", "anna/blue", ""),
        ("train/b.jpg", "anna", "1", "anna/red", ""),
        ("train/c.jpg", "10", "1", "10/red", ""),
        ("test/x 1.jpg", "anna", "hall", "anna/red", "t1"),
        ("test/y.jpg", "anna", "door", "anna/green", "t2"),
        ("test/z.jpg", "carl", "door", "carl/red", ""),
    ]
    assert {p.name: (p.rule, p.junk_by) for p in data.protocols} == {
        "CC": ("CC", "camera"),
        "SC": ("SC", "camera"),
        "General": ("GENERAL", "camera"),
    }
    by_name = {name: {path.name: label for path, label in labels.items()} for name, labels in data.attributes.items()}
    assert by_name == {
        "gender": {"b.jpg": 0, "a.png": 0, "c.jpg": 1, "x 1.jpg": 1, "y.jpg": 1, "z.jpg": 0},
        "pose": {"b.jpg": 10, "a.png": 0, "c.jpg": 3, "z.jpg": 2},
    }
    assert set(data.attributes["gender"]) == {r.path for r in data.records}
    assert data.clothes_known and not data.refused and data.lists == (source.resolve(),)
    assert data.root == source.parent.resolve() and data.side_files == data.root / "rlq"
    assert class_indices(data.train).clothes_names == ["10/red", "anna/blue", "anna/red"]


def test_the_table_itself_can_be_named_and_its_words_are_in_the_fingerprint(table):
    source = table(ROWS)
    renamed = source.rename(source.with_name("mine.csv"))
    data = read_own(renamed)
    before = data.fingerprint
    assert len(data.records) == 6 and holds_own(renamed)
    assert holds_own(source.parent) and read_own(source.parent).fingerprint == data.fingerprint
    (source.parent / "notes.csv").touch()
    assert not holds_own(source.parent)
    renamed.write_text(renamed.read_text().replace("blue", "green"))
    assert read_own(renamed).fingerprint != before


def test_absolute_paths_below_the_table_are_taken_and_others_refused(table, tmp_path):
    table([plain("train")])
    (tmp_path / "link").symlink_to(tmp_path / "own")
    for folder in (tmp_path.resolve() / "own", tmp_path / "link"):
        table([f"{folder}/train.jpg,p,1,train,,,,"], files=False)
        (record,) = read_own(folder).train
        assert record.key == "train.jpg" and record.path == tmp_path.resolve() / "own/train.jpg"
    for path in ("../secret.jpg", "a/../../secret.jpg", "/etc/passwd", "."):
        with pytest.raises(DataError) as raised:
            read_own(table([f"{path},p,1,train,,,,"], files=False))
        assert_names(raised.value, "line 2", f"'{path}'", tmp_path / "own")


def test_without_cameras_nothing_bars_a_match(table):
    rows = [plain("query", camera=""), plain("gallery", camera=""), plain("train", camera="")]
    data = read_own(table(rows))
    assert len({r.camera for r in data.records}) == 3
    features = np.ones((1, 2), np.float32)
    assert evaluate(data.query, data.gallery, data.protocols, features, features)["General"].valid_queries == 1
    rows[1] = plain("gallery", camera="7")
    with pytest.raises(DataError, match=r"\b3\b") as raised:
        read_own(table(rows))
    assert_names(raised.value, "camera", "line 2", "line 4")


def test_missing_clothes_are_said_not_invented(table):
    untold = read_own(table([plain("train"), plain("query"), plain("gallery", camera="2")]))
    assert not untold.clothes_known and [p.name for p in untold.protocols] == ["General"]
    assert set(untold.refused) == {"CC", "SC"} and "clothes" in untold.refused["CC"]
    assert [r.clothes for r in untold.train] == ["p"]
    tested = read_own(table([plain("train"), plain("query", "a"), plain("gallery", "b", camera="2")]))
    assert not tested.clothes_known and [p.name for p in tested.protocols] == ["CC", "SC", "General"]
    trained = read_own(table([plain("train", "a"), plain("query"), plain("gallery", camera="2")]))
    assert trained.clothes_known and set(trained.refused) == {"CC", "SC"}
    with pytest.raises(DataError, match=r"\b2\b") as raised:
        read_own(table([plain("train"), plain("query"), plain("gallery", "b")]))
    assert_names(raised.value, "query", "gallery", "clothes", "line 3")
    with pytest.raises(DataError, match=r"\b1\b") as raised:
        read_own(table([plain("train"), plain("train", "a", name="t2")]))
    assert_names(raised.value, "clothes", "line 2")


def test_clothes_and_more_columns_may_be_left_out(table):
    data = read_own(table(["a.jpg,p,1,train,note"], header="path,pid,camera,split,remark"))
    assert not data.clothes_known and data.attributes == {} and data.train[0].tracklet == ""


def test_there_may_be_no_training_or_no_test(table):
    evaluated = read_own(table([plain("query", "a"), plain("gallery", "b")]))
    assert evaluated.train == [] and len(evaluated.query) == 1 and evaluated.clothes_known
    trained = read_own(table([plain("train", "a")]))
    assert trained.query == trained.gallery == [] and [p.name for p in trained.protocols] == ["CC", "SC", "General"]
    for split in ("query", "gallery"):
        with pytest.raises(DataError) as raised:
            read_own(table([plain("train"), plain(split)]))
        assert_names(raised.value, "pictures.csv", "query", "gallery")


def test_people_of_training_and_test_may_share_a_pid_but_not_within(table):
    header = "path,pid,camera,split,gender"
    rows = ["a.jpg,1,1,train,m", "b.jpg,1,1,query,f", "c.jpg,1,2,gallery,u"]
    assert sorted(read_own(table(rows, header)).attributes["gender"].values()) == [0, 0, 1]
    rows[2] = "c.jpg,1,2,gallery,male"
    with pytest.raises(DataError, match=r"\bf\b") as raised:
        read_own(table(rows, header))
    assert_names(raised.value, "line 4", "male", "line 3")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a.jpg,p,1,test,,,,", ("split", "'test'", "train", "query", "gallery")),
        ("a.jpg,,1,train,,,,", ("pid",)),
        ("a.jpg,p,1,train,,,x,", ("gender", "'x'")),
        ("a.jpg,p,1,train,,,,-1", ("pose", "'-1'")),
        ("a.jpg,p,1,train,,,,2.5", ("pose", "'2.5'")),
        ("a.jpg,p,1,train,,,,1,2", ("8", "'gender', 'pose'")),
    ],
)
def test_a_wrong_row_is_told_with_its_line(table, row, told):
    with pytest.raises(DataError) as raised:
        read_own(table([row]))
    assert_names(raised.value, "pictures.csv", "line 2", *told)


def test_pictures_that_are_not_there_are_counted_and_three_are_shown(table):
    rows = [plain("train", name=f"n{n}") for n in range(6)]
    source = table(rows)
    for n in (1, 2, 4, 5):
        (source.parent / f"n{n}.jpg").unlink()
    with pytest.raises(DataError) as error:
        read_own(source)
    assert_names(error.value, "line 3", "n1.jpg", "line 6", "n4.jpg", source.parent)
    assert "n5.jpg" not in str(error.value) and re.search(r"(?=.*\b4\b)(?=.*\b6\b)", str(error.value))


def test_missing_columns_slips_of_the_pen_twins_and_empty_tables_are_explained(table):
    with pytest.raises(DataError) as raised:
        read_own(table(["a.jpg,p,train"], header="path,pid,split"))
    assert_names(raised.value, "pictures.csv", "camera", "['path', 'pid', 's")
    with pytest.raises(DataError) as raised:
        read_own(table(["a.jpg,p,1,train,red"], header="path,pid,camera,split,cloths"))
    assert_names(raised.value, "pictures.csv", "'cloths'", "'clothes'")
    with pytest.raises(DataError) as raised:
        read_own(table([plain("train", name="a"), plain("train"), "./a.jpg,p,1,train,,,,"]))
    assert_names(raised.value, "line 4", "a.jpg", "pictures.csv", "line 2")
    with pytest.raises(DataError) as raised:
        read_own(table([]))
    assert_names(raised.value, "pictures.csv", "path", "pid", "camera", "split")
