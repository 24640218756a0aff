from dataclasses import replace
from pathlib import Path

import pytest

from rlq.core.errors import DataError
from rlq.data.readers.prcc import read_prcc
from rlq.data.records import Record, class_indices, sorted_pids


def record(pid: str, clothes: str, name: str = "x.jpg") -> Record:
    return Record(Path("/set") / pid / name, pid, "A", clothes, "train", f"{pid}_x")


def test_people_are_numbered_by_number_and_clothes_as_text():
    labels = class_indices([record("10", "10b"), record("2", "2a"), record("10", "10a"), record("002", "002")])
    assert labels.pid_names == ["002", "2", "10"]
    assert labels.clothes_names == ["002", "10a", "10b", "2a"]
    assert labels.pids.tolist() == [2, 1, 2, 0]
    assert labels.clothes.tolist() == [2, 3, 1, 0]
    assert labels.owner.tolist() == [0, 2, 2, 1]
    assert sorted_pids({"p10", "p0002", "3"}) == ["3", "p0002", "p10"]


def test_clothes_of_two_people_and_no_records_are_refused():
    with pytest.raises(DataError, match="'red'"):
        class_indices([record("1", "red"), record("2", "red")])
    with pytest.raises(DataError, match="training"):
        class_indices([])


def test_the_fingerprint_knows_names_sizes_and_splits_but_not_the_folder(prcc_folder, tmp_path):
    data = read_prcc(prcc_folder)
    before = data.fingerprint
    assert len(before) == 16 and before == data.fingerprint
    moved = tmp_path / "elsewhere"
    moved.symlink_to(prcc_folder)
    assert read_prcc(moved).fingerprint == before
    assert replace(data, train=data.train[1:]).fingerprint != before
    copy = tmp_path / "a.jpg"
    copy.write_bytes(b"1")
    one = replace(data, root=tmp_path, train=[replace(data.train[0], path=copy)], query=[], gallery=[])
    small = one.fingerprint
    copy.write_bytes(b"12")
    assert replace(one).fingerprint != small


def test_the_fingerprint_knows_what_list_files_say(prcc_folder, tmp_path):
    data = read_prcc(prcc_folder)
    listed = tmp_path / "list.txt"
    found = []
    for text in ("001 1", "001 2"):
        listed.write_text(text)
        found.append(replace(data, lists=(listed,)).fingerprint)
    assert len({*found, data.fingerprint}) == 3


def test_a_tracklet_knows_its_pictures_in_order(prcc_folder):
    data = read_prcc(prcc_folder)
    folder = data.train[0].path.parent
    names = tuple(path.name for path in sorted(folder.iterdir(), reverse=True))
    tracklet = replace(data.train[0], path=folder, frames=names)
    assert tracklet.pictures == [folder / name for name in names] and len(names) > 1
    assert data.train[0].pictures == [data.train[0].path]
    assert replace(data, train=[tracklet]).holds_tracklets and not data.holds_tracklets
    assert replace(data, train=[tracklet]).fingerprint != data.fingerprint


def test_records_and_side_files_of_a_set(prcc_folder):
    data = read_prcc(prcc_folder)
    assert data.records == [*data.train, *data.query, *data.gallery]
    assert data.side_files == prcc_folder.resolve() / "rlq"
