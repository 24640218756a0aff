"""What every data set of the catalogue has to pass. A new one joins with one entry in SETS."""

import shutil
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from naming import assert_names
from small_sets import SIZE, SMALL

from rlq.core.errors import DataError
from rlq.data.catalogue import CATALOGUE, read
from rlq.data.ntu_frames import extract_frames
from rlq.data.records import Record, ReidData, class_indices
from rlq.synthetic.build import write_set
from rlq.synthetic.layouts.albums import Spec
from rlq.synthetic.layouts.celeb_reid import CelebLightSpec
from rlq.synthetic.layouts.own import OwnSpec
from rlq.synthetic.layouts.vc_clothes import VcClothesSpec


class Example(NamedTuple):
    """A small data set of one kind."""

    write: Callable[[Path], object]  # into a folder that does not exist yet
    ignores_unlisted: bool = False  # a list decides which pictures belong to it, so that others are no error


def synthetic(spec: Spec) -> Callable[[Path], object]:
    return partial(write_set, spec=spec)


def write_ntu(folder: Path) -> None:
    extract_frames(write_set(folder.with_name("videos"), SMALL["ntu120"]), folder)


SETS = {
    "prcc": Example(synthetic(SMALL["prcc"])),
    "ltcc": Example(synthetic(SMALL["ltcc"])),
    "deepchange": Example(synthetic(SMALL["deepchange"]), ignores_unlisted=True),
    "last": Example(synthetic(SMALL["last"])),
    "celeb_reid": Example(synthetic(SMALL["celeb_reid"])),
    "celeb_reid_light": Example(
        synthetic(
            CelebLightSpec(2, 2, train_pictures=2, query_pictures=1, gallery_pictures=1, picture_size=SIZE),
        )
    ),
    "vc_clothes": Example(synthetic(VcClothesSpec(2, 2, train_pictures=1, gallery_pictures=1, picture_size=SIZE))),
    "ntu120": Example(write_ntu),
    "ccvid": Example(synthetic(SMALL["ccvid"])),
    "csv": Example(synthetic(OwnSpec(2, 2, pictures=2, picture_size=SIZE)), ignores_unlisted=True),
    "synthetic": Example(synthetic(SMALL["prcc"])),
    "synthetic_celeb": Example(synthetic(SMALL["celeb_reid"])),
}
# It holds what readers search the names of pictures for: splits, cameras, clothes, people, dates, sessions.
MISLEADING = "session3 query_test 7_9_c5 p0009_c09_20190101 C_cropped_rgb001.jpg 7-3-2-01 S009C009P009R009A009_rgb"
COUNTED = {"pictures", "tracklets", "identities", "clothes", "cameras"}

every_reader = pytest.mark.parametrize("name", CATALOGUE)
with_parts = pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.parts])
with_counts = pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if entry.published])


def usual_folder(name: str, parent: Path) -> Path:
    return parent / CATALOGUE[name].folders[0]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Data set -> its folder, each below a parent of its own. Tests copy what they change."""
    folders = {}
    for name, example in SETS.items():
        folder = usual_folder(name, tmp_path_factory.mktemp(name))
        folder.parent.mkdir(exist_ok=True)
        example.write(folder)
        folders[name] = folder
    return folders


@pytest.fixture(scope="module")
def data_of(sets: dict[str, Path]) -> dict[str, ReidData]:
    return {name: read(name, folder) for name, folder in sets.items()}


@pytest.fixture
def copy(sets: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Copy a data set to its usual folder below a parent of the test's own."""
    return lambda name: shutil.copytree(sets[name], usual_folder(name, tmp_path / "copy"))


def labels(data: ReidData) -> list[tuple[str, ...]]:
    """All that a reader says of each record but its path."""
    return [(r.key, r.pid, r.camera, r.clothes, r.split, r.tracklet, *r.frames) for r in data.records]


def first_picture(data: ReidData) -> Path:
    return data.train[0].pictures[0]


def test_every_data_set_of_the_catalogue_has_an_example():
    assert SETS.keys() == CATALOGUE.keys()


@every_reader
def test_it_is_found_in_its_folder_and_below_a_parent_by_each_of_its_usual_names(name, sets, data_of, tmp_path):
    for number, folder in enumerate(CATALOGUE[name].folders):
        place = tmp_path / str(number) / folder
        place.parent.mkdir(parents=True)
        place.symlink_to(sets[name], target_is_directory=True)
        data = read(name, tmp_path / str(number))
        assert (data.name, data.root) == (name, sets[name].resolve())
        assert data.fingerprint == data_of[name].fingerprint and labels(data) == labels(data_of[name])


@every_reader
def test_a_folder_without_it_is_refused_with_the_places_tried_and_its_layout(name, tmp_path):
    entry = CATALOGUE[name]
    with pytest.raises(DataError, match=r"data\.root") as raised:
        read(name, tmp_path)
    assert_names(raised.value, name, entry.title, *(tmp_path / folder for folder in entry.folders))
    assert_names(raised.value, entry.layout, entry.hint)


@every_reader
def test_records_are_files_with_labels(name, data_of):
    data = data_of[name]
    assert data.train and data.root.is_absolute()
    for record in data.records:
        assert record.path.is_absolute() and record.path.is_relative_to(data.root)
        assert all(picture.is_file() for picture in record.pictures)
        assert record.pid and record.camera and record.clothes and record.key


@every_reader
def test_the_order_does_not_depend_on_the_disk(name, sets, data_of, backwards):
    assert labels(read(name, sets[name])) == labels(data_of[name])


@every_reader
def test_no_picture_and_no_key_comes_twice(name, data_of):
    data = data_of[name]
    pictures = [picture for record in data.records for picture in record.pictures]
    assert len(set(pictures)) == len(pictures)
    for records in (data.train, [*data.query, *data.gallery]):
        keys = [(record.split, record.key) for record in records]
        assert len(set(keys)) == len(keys)


@every_reader
def test_splits_hold_their_own_records_and_queries_have_their_people_in_the_gallery(name, data_of):
    data = data_of[name]
    for split, records in (("train", data.train), ("query", data.query), ("gallery", data.gallery)):
        assert {record.split for record in records} <= {split}
    assert {r.pid for r in data.query} <= {r.pid for r in data.gallery}
    assert data.shared_pids == []


@every_reader
def test_clothes_belong_to_one_person_in_training_and_in_the_test(name, data_of):
    data = data_of[name]
    assert len({record.pid for record in data.train}) > 1
    for records in (data.train, [*data.query, *data.gallery]):
        owners = defaultdict(set)
        for record in records:
            owners[record.clothes].add(record.pid)
        assert all(len(people) == 1 for people in owners.values())
    numbered = class_indices(data.train)
    assert len(numbered.owner) == len({record.clothes for record in data.train})


@every_reader
def test_protocols_have_known_names_and_rules_and_those_refused_have_a_reason(name, data_of):
    data = data_of[name]
    offered = [protocol.name for protocol in data.protocols]
    assert offered and len(set(offered)) == len(offered) and set(offered) <= {"CC", "SC", "General"}
    assert {protocol.rule for protocol in data.protocols} <= {"GENERAL", "CC", "SC"}
    assert {protocol.junk_by for protocol in data.protocols} <= {"camera", "tracklet"} <= set(Record.__slots__)
    assert not set(offered) & data.refused.keys() and all(data.refused.values())


@every_reader
def test_hidden_files_and_files_of_the_system_are_ignored(name, copy, data_of):
    folder = copy(name)
    for parent in {picture.parent for record in read(name, folder).records for picture in record.pictures}:
        picture = next(path for path in parent.iterdir() if path.suffix in (".jpg", ".png"))
        for junk in (".DS_Store", "Thumbs.db", f"._{picture.name}"):
            (parent / junk).write_bytes(b"junk")
    (folder / ".DS_Store").write_bytes(b"junk")
    data = read(name, folder)
    assert labels(data) == labels(data_of[name]) and data.fingerprint == data_of[name].fingerprint


@every_reader
def test_a_misnamed_picture_is_refused_by_its_name_unless_a_list_leaves_it_out(name, copy, data_of):
    folder = copy(name)
    picture = first_picture(read(name, folder))
    misnamed = picture.with_name("holiday 3.jpeg")
    shutil.copy(picture, misnamed)
    if SETS[name].ignores_unlisted:
        assert labels(read(name, folder)) == labels(data_of[name])
    else:
        with pytest.raises(DataError, match=r"\b1\b") as raised:
            read(name, folder)
        assert_names(raised.value, misnamed.name, picture.name[-4:])


@with_parts
def test_a_half_unpacked_archive_is_refused_with_the_missing_parts(name, copy, tmp_path):
    for part in CATALOGUE[name].parts:
        folder = copy(name)
        shutil.rmtree(folder / part) if (folder / part).is_dir() else (folder / part).unlink()
        with pytest.raises(DataError) as raised:
            read(name, tmp_path / "copy")
        _, _, rest = str(raised.value).replace(CATALOGUE[name].layout, "").rpartition(str(folder))
        assert_names(rest, part)
        shutil.rmtree(folder)


@with_parts
def test_an_empty_part_is_refused_by_its_name(name, copy):
    for part in CATALOGUE[name].parts:
        folder = copy(name)
        if (folder / part).is_dir():
            shutil.rmtree(folder / part)
            (folder / part).mkdir()
        else:
            (folder / part).write_text("\n")
        with pytest.raises(DataError) as raised:
            read(name, folder)
        assert_names(raised.value, folder, part)
        shutil.rmtree(folder)


@with_counts
def test_published_counts_have_one_form_and_agree_with_each_other(name, data_of):
    published = CATALOGUE[name].published
    assert published.splits.keys() <= {"train", "query", "gallery", "test"} and "train" in published.splits
    for counts in published.splits.values():
        assert counts and counts.keys() <= COUNTED and all(type(n) is int and n > 0 for n in counts.values())
    for kind in ("pictures", "tracklets"):
        count = {split: counts[kind] for split, counts in published.splits.items() if kind in counts}
        if {"query", "gallery", "test"} <= count.keys():
            assert count["query"] + count["gallery"] == count["test"]
        for valid in published.valid_queries.values() if "query" in count else ():
            assert valid <= count["query"]
    assert published.valid_queries.keys() <= {protocol.name for protocol in data_of[name].protocols}


@every_reader
def test_one_more_byte_changes_the_fingerprint(name, copy, data_of):
    folder = copy(name)
    data = read(name, folder)
    assert len(data.fingerprint) == 16 and data.fingerprint == data_of[name].fingerprint
    for path in (first_picture(data), *data.lists):
        with path.open("ab") as file:
            file.write(b"\n")
        changed = read(name, folder)
        assert labels(changed) == labels(data) and changed.fingerprint != data.fingerprint
        data = changed


@every_reader
def test_names_of_the_folders_above_it_change_no_label(name, sets, data_of, tmp_path):
    inside = tmp_path / MISLEADING / sets[name].name
    shutil.copytree(sets[name], inside)
    data = read(name, inside)
    assert data.root == inside.resolve()
    assert labels(data) == labels(data_of[name]) and data.fingerprint == data_of[name].fingerprint


@every_reader
def test_a_link_out_of_the_set_is_refused_where_a_list_names_it_and_followed_elsewhere(name, copy, data_of, tmp_path):
    folder = copy(name)
    data = read(name, folder)
    record = data.train[0]
    outside = tmp_path / "outside"
    record.path.rename(outside)
    record.path.symlink_to(outside, target_is_directory=outside.is_dir())
    if data.lists:
        with pytest.raises(DataError, match=r"\bline \d+\b") as raised:
            read(name, folder)
        assert_names(raised.value, record.path.name, data.lists[0].name)
    else:
        linked = read(name, folder)
        assert labels(linked) == labels(data) and linked.fingerprint == data.fingerprint
