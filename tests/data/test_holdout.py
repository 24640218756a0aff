from dataclasses import replace
from pathlib import Path

import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.holdout import split_holdout
from rlq.data.readers.celeb_reid import read_celeb_reid
from rlq.data.readers.prcc import read_prcc
from rlq.data.records import Protocol, Record


def record(pid: str, clothes: str, name: str = "x.jpg") -> Record:
    return Record(Path("/set") / pid / name, pid, "A", clothes, "train", f"{pid}_x")


def test_a_holdout_of_prcc_ranks_b_and_c_against_a_of_people_who_do_not_train(prcc_folder):
    data = read_prcc(prcc_folder)
    held = split_holdout(data, 0.5, seed=3)
    held_pids = {r.pid for r in held.query + held.gallery}
    assert len(held_pids) == 3 and held_pids.isdisjoint({r.pid for r in held.train})
    assert {r.camera for r in held.gallery} == {"A"} and {r.camera for r in held.query} == {"B", "C"}
    assert {r.split for r in held.query} == {"query"} and {r.split for r in held.gallery} == {"gallery"}
    assert {r.path for r in held.train + held.query + held.gallery} == {r.path for r in data.train}
    assert held.protocols == data.protocols
    assert split_holdout(data, 0.5, seed=3) == held
    assert any({r.pid for r in split_holdout(data, 0.5, seed=s).gallery} != held_pids for s in range(4, 9))


def test_a_holdout_without_cameras_takes_a_fifth_of_each_persons_pictures_as_queries(celeb_folder):
    data = read_celeb_reid(celeb_folder)
    twins = [replace(r, pid=f"9{r.pid}", path=r.path.with_name(f"9{r.path.name}")) for r in data.train]
    held = split_holdout(replace(data, train=data.train + twins), 0.5, seed=0)
    people = {r.pid for r in held.gallery}
    assert len(people) == 3 and people.isdisjoint({r.pid for r in held.train})
    for pid in people:
        assert sum(r.pid == pid for r in held.query) == 2
        assert sum(r.pid == pid for r in held.gallery) == 8


def test_people_with_one_picture_are_no_use_in_a_holdout_and_train_on(celeb_folder):
    data = read_celeb_reid(celeb_folder)
    lonely = [record(str(pid), str(pid)) for pid in range(70, 75)]
    held = split_holdout(replace(data, train=data.train + lonely), 0.75, seed=1)
    assert {r.pid for r in held.gallery} <= {"1", "2", "10"} and held.gallery
    assert {r.pid for r in lonely} <= {r.pid for r in held.train}


def test_a_holdout_that_leaves_fewer_than_two_people_is_refused(celeb_folder):
    data = read_celeb_reid(celeb_folder)
    with pytest.raises(DataError, match=r"(?=.*\b3\b)(?=.*\b1\b)") as raised:
        split_holdout(data, 0.2, seed=0)
    assert_names(raised.value, "data.holdout", 0.2, "celeb_reid")
    with pytest.raises(DataError) as raised:
        split_holdout(data, 0.9, seed=0)
    assert_names(raised.value, "data.holdout", 0.9)


def test_held_out_people_without_clothes_labels_are_not_ranked_by_clothes(celeb_folder):
    data = read_celeb_reid(celeb_folder)
    twins = [replace(r, pid=f"9{r.pid}", path=r.path.with_name(f"9{r.path.name}")) for r in data.train]
    protocols = (Protocol("General", "GENERAL"), Protocol("CC", "CC"))
    data = replace(data, train=data.train + twins, protocols=protocols)
    held = split_holdout(replace(data, clothes_known=False), 0.5, seed=0)
    assert [protocol.name for protocol in held.protocols] == ["General"]
    assert set(held.refused) == {"CC"} and "clothes" in held.refused["CC"]
    assert split_holdout(data, 0.5, seed=0).protocols == protocols
