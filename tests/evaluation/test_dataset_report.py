import json
import shutil
from dataclasses import replace

import pytest

from rlq.core.errors import DataError
from rlq.data.catalogue import read
from rlq.data.pictures import read_picture
from rlq.evaluation import dataset_report
from rlq.evaluation.histogram import colour_histogram


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
    assert report.asked["CC"] == (8, 8, 8) and report.asked["General"] == (16, 16, 8)
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


def test_json_and_text_say_the_same(home, report):
    tree, text = json.loads(report.to_json()), report.to_text()
    data = read("synthetic", home.folder / "data")
    assert tree["fingerprint"] == data.fingerprint and f"fingerprint {tree['fingerprint']}" in text
    assert tree["protocols"]["CC"]["mAP"] == report.rankings["CC"].mAP
    assert f"{100 * tree['protocols']['CC']['mAP']:.1f}" in text
    assert f"{100 * tree['chance']['CC']['mAP']:.1f}" in text


def test_counts_are_compared_with_the_published_ones(home):
    report = dataset_report.check("prcc", home.folder / "data/synthetic/prcc")
    lines = {line.split()[0]: line for line in report.to_text().splitlines() if line}
    assert "96 (differs from 17896)" in lines["train"] and "16 (not published)" not in lines["train"]
    assert "3 (equal)" in lines["train"] and "4 (not published)" in lines["gallery"]
    assert "8 (differs from 3543)" in lines["CC"] and "16 (not published)" in lines["General"]
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
    shown = {found.why: set(found.paths) for found in report.duplicates}
    assert set(shown) == {"2 people", "query and gallery"}
    assert shown["2 people"] == {f"rgb/train/{people[0].name}/{shared.name}", "rgb/train/002/A_cropped_rgb9999.jpg"}
    assert "duplicates: 2 pictures lie in two splits or under two people:" in report.to_text()
    assert len(json.loads(report.to_json())["duplicates"]) == 2


def test_colours_are_left_out_when_not_wanted_and_the_queries_are_counted_all_the_same(home):
    report = dataset_report.check("synthetic", home.folder / "data", colours=False)
    assert not report.rankings and "--colours does it" in report.to_text()
    assert json.loads(report.to_json())["protocols"]["CC"] == {"queries": 8, "valid_queries": 8, "gallery": 8}


def test_people_of_the_test_who_are_in_training_are_told(home, tmp_path):
    folder = tmp_path / "prcc"
    shutil.copytree(home.folder / "data/synthetic/prcc", folder)
    person = min((folder / "rgb/test/C").iterdir())
    shutil.copytree(person, folder / "rgb/test/C/001")
    report = dataset_report.check("prcc", folder)
    assert "people: 1 pids of the test are in training too (001); are they the same people?" in report.to_text()
    assert json.loads(report.to_json())["shared_pids"] == ["001"]
    again = dataset_report.check("synthetic_celeb", home.folder / "data")
    assert "people: numbers begin anew in the test" in again.to_text() and not again.data.shared_pids


def test_clothes_that_nobody_labelled_are_not_counted(home):
    data = read("synthetic", home.folder / "data")
    bare = [replace(record, clothes=record.pid) for record in data.query]
    assert dataset_report._counts(bare, dataset_report._labelled(bare))["clothes"] == 0
    assert dataset_report._counts(data.gallery, dataset_report._labelled([*data.query, *data.gallery]))["clothes"] == 4


def test_the_side_files_that_are_there_are_named(report):
    assert report.side_files == ["keypoints.json", "gender.csv", "masks"]
    assert "(not there: pose_clusters.csv, bad_upper.txt, bad_lower.txt)" in report.to_text()


def test_a_set_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="PRCC .prcc. is not below data.root"):
        dataset_report.check("prcc", tmp_path)
