import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from naming import assert_names

from rlq.core.errors import DataError
from rlq.data.catalogue import read
from rlq.data.pictures import read_picture
from rlq.evaluation import dataset_report
from rlq.evaluation.histogram import colour_histogram
from rlq.synthetic.build import ensure_written
from rlq.synthetic.layouts.ccvid import CcvidSpec


@pytest.fixture(scope="module")
def report(home):
    return dataset_report.check("synthetic", home.folder / "data")


def test_every_split_is_counted(report):
    assert report.splits == {
        "train": {"pictures": 96, "identities": 8, "clothes": 16, "cameras": 3},
        "query": {"pictures": 16, "identities": 4, "clothes": 8, "cameras": 2},
        "gallery": {"pictures": 8, "identities": 4, "clothes": 4, "cameras": 1},
        "test": {"pictures": 24, "identities": 4, "clothes": 8, "cameras": 3},
    }
    assert report.query_counts["CC"] == (8, 8, 8) and report.query_counts["General"] == (16, 16, 8)
    assert report.clothes_per_person["train"] == {
        "people": 8, "with_several": 8, "fewest": 2, "median": 2.0, "most": 2
    }  # fmt: skip
    assert report.files == 120 and report.seconds > 0


def test_colours_are_ranked_as_one_would_by_hand(home, report):
    data = read("synthetic", home.folder / "data")
    gallery = [(record.pid, colour_histogram(read_picture(record.path))) for record in data.gallery]
    hits = []
    for record in data.query:
        if record.camera == "B":
            own = colour_histogram(read_picture(record.path))
            hits.append(max(gallery, key=lambda entry: float(entry[1] @ own))[0] == record.pid)
    assert report.rankings["SC"].rank1 == pytest.approx(sum(hits) / len(hits))
    assert report.chances["SC"]["rank1"] == pytest.approx(2 / 8)


def test_tracklets_are_ranked_by_the_mean_histogram_of_their_frames(tmp_path):
    ensure_written(tmp_path / "CCVID", CcvidSpec(train_people=2, test_people=3, frames=2))
    report = dataset_report.check("ccvid", tmp_path)
    data = read("ccvid", tmp_path)

    def mean(record):
        features = np.mean([colour_histogram(read_picture(frame)) for frame in record.pictures], axis=0)
        return features / np.linalg.norm(features)

    hits = []
    for query in data.query:
        ranked = [record for record in data.gallery if (record.pid, record.camera) != (query.pid, query.camera)]
        if query.pid in {record.pid for record in ranked}:
            hits.append(max(ranked, key=lambda record: float(mean(record) @ mean(query))).pid == query.pid)
    assert report.rankings["General"].rank1 == pytest.approx(sum(hits) / len(hits))


def test_json_and_text_say_the_same(home, report):
    tree, text = json.loads(report.to_json()), report.to_text()
    data = read("synthetic", home.folder / "data")
    assert tree["fingerprint"] == data.fingerprint and f"fingerprint {tree['fingerprint']}" in text
    assert tree["protocols"]["CC"]["mAP"] == report.rankings["CC"].mAP
    assert f"{100 * tree['protocols']['CC']['mAP']:.1f}" in text
    assert f"{100 * tree['chance']['CC']['mAP']:.1f}" in text


def test_counts_are_compared_with_the_published_ones(home):
    report = dataset_report.check("prcc", home.folder / "data/synthetic/prcc")
    rows = [re.split(r" {2,}", line) for line in report.to_text().splitlines()]
    cells = {label: row for label, *row in rows if row}
    numbers = {label: [re.findall(r"\d+", cell) for cell in row] for label, row in cells.items()}
    pictures, _, clothes, cameras = numbers["train"]
    assert pictures == ["96", "17896"] and clothes[0] == "16" and len(clothes) == 2
    assert cameras == ["3"] and ["4"] in numbers["gallery"]  # equal to the published one; nothing published
    assert numbers["CC"][1] == ["8", "3543"] and numbers["General"][1] == ["16"]
    assert cells["train"][3].partition(" ")[2] != cells["General"][1].partition(" ")[2]
    tree = json.loads(report.to_json())
    assert tree["published"]["splits"]["train"]["pictures"] == 17896
    assert tree["published"]["valid_queries"] == {"CC": 3543, "SC": 3873}


def test_a_picture_in_two_splits_or_under_two_people_is_found(home, tmp_path):
    folder = tmp_path / "prcc"
    shutil.copytree(home.folder / "data/synthetic/prcc", folder)
    people = sorted((folder / "rgb/train").iterdir())
    shared = min(people[0].iterdir())
    shutil.copy(shared, people[1] / "A_cropped_rgb9999.jpg")
    queries = sorted((folder / "rgb/test/C").rglob("*.jpg"))
    shutil.copy(queries[0], min((folder / "rgb/test/A").iterdir()) / "cropped_rgb9998.jpg")
    shutil.copy(min(people[2].iterdir()), people[2] / "A_cropped_rgb9997.jpg")  # the same person: no harm
    report = dataset_report.check("prcc", folder)
    (of_people,), (of_splits,) = ([one for one in report.duplicates if part in one.reason] for part in ("2", "query"))
    assert len(report.duplicates) == 2 and "gallery" in of_splits.reason
    wanted = {f"rgb/train/{people[0].name}/{shared.name}", "rgb/train/002/A_cropped_rgb9999.jpg"}
    assert set(of_people.paths) == wanted
    assert re.search(r"^duplicates\b.*\b2\b", report.to_text(), re.MULTILINE)
    assert len(json.loads(report.to_json())["duplicates"]) == 2


def test_colours_are_left_out_when_not_wanted_and_the_queries_are_counted_all_the_same(home):
    report = dataset_report.check("synthetic", home.folder / "data", colours=False)
    assert not report.rankings and "--colours" in report.to_text()
    assert json.loads(report.to_json())["protocols"]["CC"] == {"queries": 8, "valid_queries": 8, "gallery": 8}


def test_people_of_the_test_who_are_in_training_are_told(home, tmp_path):
    folder = tmp_path / "prcc"
    shutil.copytree(home.folder / "data/synthetic/prcc", folder)
    person = min((folder / "rgb/test/C").iterdir())
    shutil.copytree(person, folder / "rgb/test/C/001")
    report = dataset_report.check("prcc", folder)
    assert re.search(r"^people\b.*\b1\b.*\b001\b", report.to_text(), re.MULTILINE)
    assert json.loads(report.to_json())["shared_pids"] == ["001"]
    again = dataset_report.check("synthetic_celeb", home.folder / "data")
    assert re.search(r"^people\b\D*$", again.to_text(), re.MULTILINE) and not again.data.shared_pids


def test_clothes_that_nobody_labelled_are_not_counted(home):
    data = read("synthetic", home.folder / "data")
    bare = [replace(record, clothes=record.pid) for record in data.query]
    assert dataset_report._counts(bare, dataset_report._has_clothes(bare))["clothes"] == 0
    assert (
        dataset_report._counts(data.gallery, dataset_report._has_clothes([*data.query, *data.gallery]))["clothes"] == 4
    )


def test_the_side_files_that_are_there_are_named(report):
    assert report.side_files == ["keypoints.json", "gender.csv", "masks"]
    assert_names(
        report.to_text(), "keypoints.json, gender.csv, masks", "pose_clusters.csv, bad_upper.txt, bad_lower.txt"
    )


def test_a_set_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError) as told:
        dataset_report.check("prcc", tmp_path)
    assert_names(told.value, "prcc", "data.root", tmp_path)
