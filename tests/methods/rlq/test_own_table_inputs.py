"""What an experiment reads of a set that is a table, and of sets that lack what others have."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError, SettingsError
from rlq.core.scores import RANKING
from rlq.methods.ranking_inputs import check_selectable
from rlq.methods.rlq.inputs import gather_inputs

COLUMNS = ("path", "pid", "camera", "split", "clothes", "gender", "pose")


@pytest.fixture
def table(tmp_path, rows):
    """Write a table of pictures with these columns left out; returns its path."""

    def write(*without: str, splits: tuple[str, ...] = ("train", "query", "gallery")) -> Path:
        with (tmp_path / "pictures.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [name for name in COLUMNS if name not in without], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in rows if row["split"] in splits)
        return tmp_path / "pictures.csv"

    return write


@pytest.fixture
def rows(tmp_path):
    """Four training and two test people: two cameras, two outfits, a picture of each."""
    found = []
    for pid in range(6):
        for number in range(4):
            name = f"{pid}_{number}.png"
            Image.new("RGB", (8, 16), (40 * pid, 60 * number, 7)).save(tmp_path / name)
            split = "train" if pid < 4 else ("query", "gallery")[number % 2]
            row = (name, pid, f"c{number // 2}", split, number % 2, "mf"[pid % 2], number % 3)
            found.append(dict(zip(COLUMNS, row, strict=True)))
    return found


@pytest.fixture
def gather(home, table):
    def gather(*changes: str, **options):
        path = table(*options.pop("without", ()), **options)
        own = ("data.dataset=csv", f"data.root={path}", "tad.enabled=false", "clothes.augment=false")
        with home.entered():
            return gather_inputs(home.load(*own, *changes).settings, "own.yaml")

    return gather


def test_poses_and_genders_come_from_the_columns_of_the_table(gather):
    found = gather()
    rows = [(record.path.name, pose, gender) for record, pose, gender in zip(
        found.data.train, found.poses.train.tolist(), found.genders.train.tolist(), strict=True
    )]  # fmt: skip
    assert rows == [(f"{p}_{n}.png", n % 3, int(p % 2 == 0)) for p in range(4) for n in range(4)]
    assert found.poses.test is None and len(found.genders.test) == 8
    assert found.settings.losses.clothes_adversarial == 1 and found.clothes.total == 8


def test_clusters_above_k_and_flip_awareness_are_refused(gather, rows):
    for row in rows:
        row["pose"] = 7
    with pytest.raises(DataError) as raised:
        gather()
    assert_names(raised.value, 7, "0_0.png", "cap.pose.clusters", 4)
    with pytest.raises(DataError, match=r"flip_aware\b.*\bcsv\b"):
        gather("cap.pose.flip_aware=true")


def test_a_file_of_genders_goes_before_the_column_and_its_strangers_are_told(gather, tmp_path):
    (tmp_path / "rlq").mkdir()
    rows = "".join(f"train,{pid},0\n" for pid in (0, 1, 2, 3, 9))
    (tmp_path / "rlq/gender.csv").write_text(f"Category,ID,Gender\n{rows}")
    found = gather()
    assert found.genders.train.tolist() == [0] * 16 and found.genders.test is None
    (note,) = found.notes
    assert re.search(r"\bgender\b.*\b1\b.*\bcsv\b", note)


def test_people_of_the_test_who_train_are_told(gather, rows):
    assert gather().notes == ()
    rows[0]["split"] = "query"
    (note,) = gather().notes
    assert re.search(r"\b1\b.*\['0'\]", note)


def test_a_column_that_is_empty_for_some_training_pictures_is_refused(gather, rows):
    rows[3]["pose"] = ""
    with pytest.raises(DataError, match=r"\bpose\b.*\bcsv\b.*\b1\b.*\b16\b.*\b0_3\.png"):
        gather()


def test_without_clothes_the_losses_on_clothes_are_off(gather):
    found = gather(without=["clothes"])
    assert not found.data.clothes_known and [protocol.name for protocol in found.data.protocols] == ["General"]
    losses = found.settings.losses
    assert losses.clothes_adversarial == losses.kl_clothes == 0 and losses.id_cal == 1
    assert found.settings.clothes.labels == "none"
    with pytest.raises(SettingsError) as raised:
        check_selectable(found.settings, found.data, RANKING)
    assert_names(raised.value, "schedule.select", "CC/rank1", "csv", "clothes")


def test_a_run_on_a_table_without_clothes_says_that_their_losses_are_off(home, table):
    path = table("clothes", "pose", "gender")
    changes = ["data.dataset=csv", f"data.root={path}", "tad.enabled=false", "clothes.augment=false", "data.workers=0"]
    changes += ["cap.pose.enabled=false", "cap.gender.enabled=false", "schedule.select=General/rank1"]
    shown = home.command(*home.train_words(*changes, "tracking.name=table", "data.batch=8"))
    assert shown.exit_code == 0, shown.output
    (note,) = [line for line in shown.output.splitlines() if line.startswith("note ")]
    assert_names(note, "csv", "losses.clothes_adversarial", "losses.kl_clothes")
    run = home.named("table")
    assert run.data.params["losses.clothes_adversarial"] == "0.0"
    assert "loss/cap/clothes_adversarial" not in run.data.metrics and "loss/cap/clothes_ce" not in run.data.metrics
    assert run.data.metrics["loss/cap/id_cal"] > 0


def test_a_table_without_test_pictures_needs_held_out_people(gather):
    with pytest.raises(DataError, match=r"csv.*\bquery\b.*\bgallery\b.*\bdata\.selection=holdout\b"):
        gather(splits=("train",))
    found = gather("data.selection=holdout", "data.holdout=0.5", splits=("train",))
    assert {record.pid for record in found.data.train}.isdisjoint(record.pid for record in found.data.query)
    with pytest.raises(DataError, match=r"csv.*\brlq evaluate\b"):
        gather(splits=("query", "gallery"))


def test_a_protocol_that_no_query_has_a_match_under_cannot_choose_an_epoch(gather, rows):
    for row in rows:
        row["camera"] = "c1"
    found = gather("schedule.select=General/rank1")
    with pytest.raises(DataError, match=r"\bcsv\b.*\bGeneral\b.*\brlq data check csv\b"):
        check_selectable(found.settings, found.data, RANKING)


def test_the_clothes_of_lasts_test_are_not_to_be_had(gather):
    found = gather("schedule.select=SC/mAP")
    refusing = replace(found.data, name="last", refused={"SC": "LaST has clothes labels for training pictures only"})
    with pytest.raises(SettingsError) as raised:
        check_selectable(found.settings, refusing, RANKING)
    assert_names(raised.value, "schedule.select", "SC/mAP", "last", refusing.refused["SC"])
