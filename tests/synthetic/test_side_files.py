import csv
import json

import numpy as np

from rlq.core.seeding import generator
from rlq.synthetic.people import sample_person
from rlq.synthetic.side_files import detect, write_gender, write_people

TRUTH = np.column_stack([np.linspace(30, 90, 17), np.linspace(20, 240, 17), np.ones(17)])


def detections(bad, count=400):
    return [detect(f"{number}.jpg", TRUTH, bad, generator("detect", bad, number)) for number in range(count)]


def best(entries):
    return np.array(max(entries, key=lambda entry: entry["score"])["keypoints"]).reshape(17, 3)


def test_entries_have_the_form_of_alphapose():
    for entry in (entry for entries in detections(True, 30) for entry in entries):
        assert set(entry) == {"image_id", "category_id", "keypoints", "score", "box", "idx"}
        assert entry["category_id"] == 1
        assert len(entry["keypoints"]) == 51
        assert len(entry["box"]) == 4
        assert min(entry["box"][2:]) > 0


def test_bad_pictures_are_detected_less_often_and_less_exactly():
    good, bad = detections(False), detections(True)
    assert sum(not entries for entries in good) < sum(not entries for entries in bad)
    assert sum(not entries for entries in bad) > 10

    def error(found):
        return np.mean([np.abs(best(entries)[:, :2] - TRUTH[:, :2]).mean() for entries in found if entries])

    assert error(good) < 0.6 * error(bad) < 3


def test_the_oddities_of_real_files_occur():
    found = [entries for entries in detections(False) if entries]
    sure = np.stack([best(entries)[:, 2] for entries in found])
    assert (sure > 1).any()
    assert (sure == 0).any()
    pairs = [entries for entries in found if len(entries) == 2]
    assert len(pairs) > 5
    first_is_best = {entries[0]["score"] > entries[1]["score"] for entries in pairs}
    assert first_is_best == {True, False}  # the first is not always the best


def test_hidden_joints_are_less_certain():
    truth = TRUTH.copy()
    truth[10, 2] = 0
    entries = [detect("x.jpg", truth, False, generator("hidden", number)) for number in range(60)]
    sure = np.stack([best(found)[:, 2] for found in entries if found])
    assert sure[:, 10].mean() < 0.6 * sure[:, 5].mean()


def test_gender_and_truth_are_listed_by_category(tmp_path):
    people = [sample_person(generator("listed", number)) for number in range(12)]
    rows = [("train" if number < 9 else "query", f"{number:03d}", person) for number, person in enumerate(people)]
    write_gender(tmp_path / "gender.csv", rows)
    write_people(tmp_path / "people.json", rows)
    with (tmp_path / "gender.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["ID"] for row in listed] == [pid for _, pid, _ in rows]
    assert [row["Gender"] for row in listed] == [str(int(person.gender == "male")) for person in people]
    assert {row["Category"] for row in listed} == {"train", "query"}
    truth = json.loads((tmp_path / "people.json").read_text())
    assert truth["train"]["004"]["gender"] == people[4].gender
    assert truth["query"]["010"]["hair"] == people[10].hair.style
