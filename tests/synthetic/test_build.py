import csv
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.synthetic import build
from rlq.synthetic.build import MANIFEST, ensure_written, write_set
from rlq.synthetic.capture import album_person
from rlq.synthetic.layouts import CelebSpec, PrccSpec, albums

PRCC = PrccSpec(train_people=3, test_people=2, train_pictures=3, test_pictures=2, artefacts=0.5)
CELEB = CelebSpec(train_people=2, test_people=2, train_pictures=4, query_pictures=1, gallery_pictures=2)


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def prcc(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sets") / "prcc", PRCC)


@pytest.fixture(scope="module")
def celeb(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sets") / "Celeb-reID", CELEB)


def test_one_and_two_processes_write_the_same_bytes(prcc, tmp_path):
    again = write_set(tmp_path / "again", PRCC, processes=2)
    assert contents(again) == contents(prcc)


def test_another_seed_gives_other_people(prcc, tmp_path):
    other = write_set(tmp_path / "other", PrccSpec(**{**json.loads((prcc / MANIFEST).read_text())["spec"], "seed": 2}))
    assert (other / "rlq/people.json").read_text() != (prcc / "rlq/people.json").read_text()


def test_every_picture_is_written_and_readable(prcc, celeb):
    for root, spec in ((prcc, PRCC), (celeb, CELEB)):
        wanted = {picture.path for album in albums(spec) for picture in album.pictures}
        written = {path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}
        assert written == wanted
        for name in written:
            assert cv2.imread(str(root / name)).shape == (256, 128, 3)


def test_masks_are_there_for_the_training_pictures_only_and_fit_them(prcc, celeb):
    masks = {path.relative_to(prcc / "rlq/masks").with_suffix(".jpg").as_posix() for path in prcc.rglob("*.png")}
    assert masks == {path.relative_to(prcc).as_posix() for path in (prcc / "rgb/train").rglob("*.jpg")}
    for path in sorted(prcc.rglob("*.png")):
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("P", (128, 256))
            assert np.isin(np.asarray(image), [5, 6, 7, 9, 10, 12]).any()
    assert not list(celeb.rglob("*.png"))


def test_keypoints_name_pictures_relative_to_the_set(prcc, celeb):
    for root in (prcc, celeb):
        entries = json.loads((root / "rlq/keypoints.json").read_text())
        pictures = {path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}
        named = {entry["image_id"] for entry in entries}
        assert named <= pictures
        assert len(named) > 0.7 * len(pictures)


def test_genders_agree_with_the_truth(prcc):
    truth = json.loads((prcc / "rlq/people.json").read_text())
    with (prcc / "rlq/gender.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["Category"], row["ID"]) for row in rows if row["Category"] == "train"] == [
        ("train", "001"), ("train", "002"), ("train", "003"),
    ]  # fmt: skip
    assert {row["Category"] for row in rows if row["ID"] == "004"} == {"query", "gallery"}
    for row in rows:
        assert (row["Gender"] == "1") == (truth[row["Category"]][row["ID"]]["gender"] == "male")


def test_target_and_external_people_differ_though_their_numbers_agree():
    target = [album_person(PRCC, album) for album in albums(PRCC)]
    external = [album_person(CELEB, album) for album in albums(CELEB)]
    assert len({*target, *external}) == len(target) + len(external)


def test_half_of_the_pictures_are_spoilt_when_asked_for(tmp_path):
    def sharpness(share):
        spec = PrccSpec(train_people=4, test_people=1, train_pictures=6, test_pictures=1, artefacts=share)
        root = write_set(tmp_path / f"share{share}", spec)
        pictures = [cv2.imread(str(path)) for path in sorted((root / "rgb/train").rglob("*.jpg"))]
        return np.array([cv2.Laplacian(picture, cv2.CV_64F).var() for picture in pictures])

    clean, half = sharpness(0.0), sharpness(0.5)
    assert 0.3 < (half < 0.5 * clean).mean() < 0.7


def test_ensure_makes_a_set_once_and_again_when_the_spec_changes(tmp_path):
    folder, calls = tmp_path / "data/prcc", []
    small = PrccSpec(train_people=1, test_people=1, train_pictures=1, val_pictures=0, test_pictures=1)
    wider = PrccSpec(train_people=2, test_people=1, train_pictures=1, val_pictures=0, test_pictures=1)
    assert ensure_written(folder, small, progress=lambda done, total: calls.append((done, total))) == folder
    assert calls == [(3, 6), (6, 6)]
    ensure_written(folder, small, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) == 2  # nothing was made
    ensure_written(folder, wider)
    assert sorted(path.name for path in (folder / "rgb/train").iterdir()) == ["001", "002"]
    assert json.loads((folder / MANIFEST).read_text())["spec"]["train_people"] == 2
    assert sorted(path.name for path in folder.parent.iterdir()) == [".prcc.lock", "prcc"]  # no drafts are left


def test_ensure_makes_a_set_again_when_the_version_or_the_manifest_is_wrong(tmp_path, monkeypatch):
    spec = CelebSpec(train_people=1, test_people=1, train_pictures=1, query_pictures=1, gallery_pictures=1)
    folder, calls = ensure_written(tmp_path / "celeb", spec), []
    monkeypatch.setattr(build, "VERSION", build.VERSION + 1)
    ensure_written(folder, spec, progress=lambda done, total: calls.append(done))
    assert calls == [1, 3]
    (folder / MANIFEST).write_text("{ not JSON")
    ensure_written(folder, spec, progress=lambda done, total: calls.append(done))
    assert calls == [1, 3, 1, 3]


def test_two_askers_at_once_build_one_set(tmp_path, monkeypatch):
    spec = CelebSpec(train_people=1, test_people=1, train_pictures=1, query_pictures=1, gallery_pictures=1)
    built, fill = [], build._fill
    monkeypatch.setattr(build, "_fill", lambda *parts: (built.append(1), fill(*parts)))
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: ensure_written(tmp_path / "celeb", spec), range(2)))
    assert len(built) == 1
    assert set(folders) == {tmp_path / "celeb"}


def test_a_folder_of_somebody_else_is_not_touched(tmp_path):
    (tmp_path / "prcc").mkdir()
    (tmp_path / "prcc/thesis.txt").write_text("mine")
    with pytest.raises(DataError) as raised:
        ensure_written(tmp_path / "prcc", PRCC)
    assert_names(raised.value, tmp_path / "prcc")
    assert (tmp_path / "prcc/thesis.txt").read_text() == "mine"


def test_a_failure_leaves_the_old_set_and_no_draft(tmp_path, monkeypatch):
    spec = CelebSpec(train_people=1, test_people=1, train_pictures=1, query_pictures=1, gallery_pictures=1)
    folder = ensure_written(tmp_path / "celeb", spec)
    before = contents(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "write_gender", full)
    with pytest.raises(DataError, match="No space left"):
        write_set(folder, spec)
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [".celeb.lock", "celeb"]


def test_what_a_killed_process_left_beside_the_set_is_removed_and_nothing_else(tmp_path):
    spec = CelebSpec(train_people=1, test_people=1, train_pictures=1, query_pictures=1, gallery_pictures=1)
    for name in (".0a1b2c3d.celeb", ".mine.celeb", ".0a1b2c3d.celebs", "0a1b2c3d.celeb"):
        (tmp_path / name / "train").mkdir(parents=True)
    for make in (write_set, ensure_written):
        make(tmp_path / "celeb", spec)
        kept = sorted(path.name for path in tmp_path.iterdir())
        assert kept == [".0a1b2c3d.celebs", ".celeb.lock", ".mine.celeb", "0a1b2c3d.celeb", "celeb"]
        (tmp_path / ".0123abcd.celeb").mkdir()


def test_a_set_that_is_being_replaced_is_never_there_in_part(tmp_path, monkeypatch):
    spec = CelebSpec(train_people=1, test_people=1, train_pictures=1, query_pictures=1, gallery_pictures=1)
    folder, seen = ensure_written(tmp_path / "celeb", spec), []
    before, usual = contents(folder), shutil.rmtree

    def watched(path, **options):
        seen.append((path.exists(), contents(folder)))
        usual(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)
    write_set(folder, spec)
    assert seen == [(False, before), (True, before)]  # the old one was deleted once the new one had taken its place


def test_the_folder_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = CelebSpec(train_people=1, test_people=1, train_pictures=1, query_pictures=1, gallery_pictures=1)
    assert ensure_written(Path("here"), spec) == tmp_path / "here"
    assert (tmp_path / "here" / MANIFEST).is_file()
