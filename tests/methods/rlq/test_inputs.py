"""What an experiment reads before it trains, and what it says when something is missing."""

import re
import shutil

import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.labels.clusters import write_clusters
from rlq.labels.gender import plain_id, read_genders
from rlq.methods.rlq import input_checks
from rlq.methods.rlq.inputs import gather_inputs


@pytest.fixture
def gather(home):
    """Read the inputs of the small experiment with some changes."""

    def gather(*changes: str):
        with home.entered():
            return gather_inputs(home.load(*changes).settings, "experiment.yaml --set seed=3")

    return gather


@pytest.fixture
def own_set(home, tmp_path):
    """A copy of the target set to be spoilt, and the change that names it."""
    root = tmp_path / "prcc"
    shutil.copytree(home.folder / "data/synthetic/prcc", root)
    (root / "rlq/synthetic.json").unlink()
    return root


def on(root) -> tuple[str, ...]:
    """Changes that read the target set elsewhere, without the external one."""
    return ("data.dataset=prcc", f"data.root={root}", "tad.enabled=false")


def missing(gather, *changes: str) -> tuple[list[str], str]:
    """What the refusal lists, each in a line of its own, and the whole of it."""
    with pytest.raises(DataError) as refused:
        gather(*changes)
    message = str(refused.value)
    return re.findall(r"^  - (.+)$", message, flags=re.MULTILINE), message


def test_all_parts_are_read_and_fit_each_other(gather):
    found = gather()
    count, tests = len(found.data.train), len(found.data.query) + len(found.data.gallery)
    assert count == len(found.labels.pids) == len(found.poses.train) == len(found.genders.train) == 96
    assert tests == len(found.poses.test) == len(found.genders.test) == 24
    assert found.poses.keypoints.shape == (96, 17, 3) and found.poses.mirrored is None
    assert 0 < found.poses.train.max() <= 4 and found.poses.train.min() >= 0
    assert found.recolouring is not None and found.clothes.total > 16
    assert len(found.external_train) == len(found.external.train) == 48


def test_genders_are_those_of_the_people(gather, home):
    found = gather()
    known = read_genders(home.folder / "data/synthetic/prcc/rlq/gender.csv")
    assert {0, 1} >= set(found.genders.train) and len(set(found.genders.train)) == 2
    by_person = {(record.pid, gender) for record, gender in zip(found.data.train, found.genders.train, strict=True)}
    assert by_person == {(record.pid, known["train", plain_id(record.pid)]) for record in found.data.train}


def test_parts_that_are_off_are_not_read(gather, own_set):
    shutil.rmtree(own_set / "rlq")
    off = ("cap.pose.enabled=false", "cap.gender.enabled=false", "clothes.augment=false")
    found = gather(*on(own_set), *off)
    assert found.poses is found.genders is found.recolouring is found.external is None
    assert found.external_train == [] and found.clothes.total == 16


def test_mirrored_poses_are_known_when_asked_for(gather):
    found = gather("cap.pose.flip_aware=true")
    assert found.poses.mirrored.shape == (96,) and (found.poses.mirrored != found.poses.train).any()
    assert ((found.poses.mirrored == 0) == (found.poses.train == 0)).all()  # not found stays not found


def test_shares_of_the_external_set_are_kept(gather):
    whole = gather().external_train
    half = gather("tad.fraction=0.5").external_train
    people = gather("tad.sampling=0.5").external_train
    assert len(half) == 24 and {record.pid for record in half} == {record.pid for record in whole}
    assert len(people) == 24 and len({record.pid for record in people}) == 4
    assert gather("tad.fraction=0.5").external_train == half


def test_held_out_people_are_queries_and_gallery_with_their_attributes(gather):
    found = gather("data.selection=holdout", "data.holdout=0.25")
    held = {record.pid for record in (*found.data.query, *found.data.gallery)}
    assert len(held) == 2 and held.isdisjoint({record.pid for record in found.data.train})
    assert len(found.labels.pid_names) == 6 and len(found.poses.train) == len(found.data.train) == 72
    assert len(found.genders.test) == len(found.poses.test) == 24


def test_everything_that_is_missing_is_told_at_once_with_a_way_out(gather, own_set):
    shutil.rmtree(own_set / "rlq")
    changes = ("data.dataset=prcc", f"data.root={own_set}", "tad.external=celeb_reid")
    parts, message = missing(gather, *changes)
    external, masks, poses, genders = parts
    assert_names(external, "celeb_reid")
    assert_names(masks, 96, own_set / "rlq/masks", "clothes.masks")
    assert_names(poses, own_set / "rlq/keypoints.json", "cap.pose.file")
    assert_names(genders, own_set / "rlq/gender.csv", "rlq gender annotate --data prcc")
    assert message.splitlines()[-1].endswith(
        "rlq train experiment.yaml --set seed=3 --set tad.enabled=false --set clothes.augment=false "
        "--set cap.pose.enabled=false --set cap.gender.enabled=false"
    )


def test_without_the_target_set_no_command_is_offered_that_could_not_run(gather, tmp_path):
    (pictures, external), message = missing(
        gather, "data.dataset=prcc", "tad.external=celeb_reid", f"data.root={tmp_path}"
    )
    assert_names(pictures, "prcc", tmp_path)
    assert_names(external, "celeb_reid", tmp_path)
    assert "rlq train" not in message and "make train" in message


def test_one_missing_mask_is_enough_to_be_told(gather, own_set):
    mask = sorted((own_set / "rlq/masks").rglob("*.png"))[5]
    mask.unlink()
    (masks,), message = missing(gather, *on(own_set))
    assert_names(masks, 1, 96, own_set / "rlq/masks", mask)
    assert message.endswith("--set clothes.augment=false")


def test_files_named_in_settings_are_read_instead(gather, own_set, tmp_path):
    for name in ("keypoints.json", "gender.csv"):
        shutil.move(own_set / "rlq" / name, tmp_path / name)
    shutil.move(own_set / "rlq/masks", tmp_path / "masks")
    found = gather(
        *on(own_set),
        f"cap.pose.file={tmp_path / 'keypoints.json'}",
        f"cap.gender.file={tmp_path / 'gender.csv'}",
        f"clothes.masks={tmp_path / 'masks'}",
    )
    usual = gather()
    assert (found.poses.train == usual.poses.train).all() and (found.genders.train == usual.genders.train).all()


def test_broken_side_files_are_told_with_what_is_wrong(gather, own_set):
    (own_set / "rlq/keypoints.json").write_text("[{]")
    (own_set / "rlq/gender.csv").write_text("Category,ID,Gender\ntrain,1,2\n")
    (own_set / "rlq/bad_upper.txt").write_bytes(b"\xff\xfe\x00")
    (lists, poses, genders), _ = missing(gather, *on(own_set))
    assert_names(lists, "bad_upper.txt")
    assert_names(poses, "keypoints.json")
    assert_names(genders, "gender.csv", "line 2", "'2'")


def test_a_person_without_gender_is_told(gather, own_set):
    file = own_set / "rlq/gender.csv"
    kept = [line for line in file.read_text().splitlines() if not line.startswith("train,003,")]
    file.write_text("\n".join(kept) + "\n")
    (genders,), _ = missing(gather, *on(own_set))
    assert re.search(r"gender\.csv.*\b0*3\b", genders)


def test_missing_genders_of_test_people_only_leave_out_a_number(gather, own_set):
    file = own_set / "rlq/gender.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *(line for line in lines if line.lower().startswith("train"))]) + "\n")
    found = gather(*on(own_set))
    assert found.genders.test is None and len(found.genders.train) == 96


def test_broken_pictures_are_listed_ten_at_a_time(gather, own_set):
    broken = sorted((own_set / "rgb/train").rglob("*.jpg"))[:12]
    for path in broken:
        path.write_bytes(path.read_bytes()[:100])
    (pictures,), message = missing(gather, *on(own_set), "cap.pose.enabled=false")
    assert_names(pictures, "prcc", 12, "rlq data check prcc", *broken[:10])
    assert not any(str(path) in pictures for path in broken[10:]) and re.search(r"\b2\b", pictures)
    assert "rlq train" not in message  # nothing can run: they have to be mended


def test_a_set_found_whole_is_not_read_again_until_it_changes(gather, own_set, monkeypatch):
    looked = []
    usual = input_checks.inspect
    monkeypatch.setattr(input_checks, "inspect", lambda paths, processes: looked.append(len(paths)) or usual(paths, 1))
    for number, path in enumerate(sorted((own_set / "rgb/test/A").rglob("*.jpg"))[:2], start=1):
        path.write_bytes(path.read_bytes() + b"end")  # decoders do not mind
        gather(*on(own_set))
        gather(*on(own_set))
        assert looked == [120] * number


def test_clusters_from_a_file_are_taken_as_they_are(gather, own_set):
    usual = gather()
    wanted = np.arange(96) % 5
    write_clusters(own_set / "rlq/pose_clusters.csv", usual.data.train, {"R_LA_4": wanted})
    found = gather(*on(own_set))
    assert found.poses.train.tolist() == wanted.tolist() != usual.poses.train.tolist()
    assert found.poses.test is found.poses.keypoints is None
    file = f"cap.pose.file={own_set}/rlq/pose_clusters.csv"
    (poses,), _ = missing(gather, *on(own_set), file, "cap.pose.flip_aware=true")
    assert "cap.pose.flip_aware" in poses


def test_clusters_of_another_k_are_made_from_keypoints_where_these_are_there(gather, own_set):
    usual = gather()
    write_clusters(own_set / "rlq/pose_clusters.csv", usual.data.train, {"R_LA_9": np.arange(96) % 10})
    found = gather(*on(own_set))
    assert found.poses.train.tolist() == usual.poses.train.tolist() and found.poses.keypoints is not None
    assert gather(*on(own_set), "cap.pose.clusters=9", "cap.pose.flip_aware=true").poses.mirrored is not None
    (own_set / "rlq/keypoints.json").unlink()
    (poses,), _ = missing(gather, *on(own_set))
    assert_names(poses, "pose_clusters.csv", "R_LA_4", "rlq pose cluster --k 4")


def test_a_mask_of_another_size_stops_the_run_before_it_starts(gather, own_set):
    mask = sorted((own_set / "rlq/masks").rglob("*.png"))[7]
    Image.new("P", (60, 256)).save(mask)
    (masks,), _ = missing(gather, *on(own_set))
    assert_names(masks, 1, 96, mask, "60 x 256", "128 x 256", "rlq parsing check --data prcc")
