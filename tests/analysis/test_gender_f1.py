import shutil

import numpy as np
import pytest

from rlq.analysis.gender_f1 import answers_of, judge, wrong_matches
from rlq.core.errors import DataError
from rlq.data.catalogue import read


def test_f1_is_its_definition_and_people_in_doubt_do_not_count():
    truth, found = list("fffmmuf"), list("ffmmfmu")
    judged = judge(truth, found)
    pairs = [(a, b) for a, b in zip(truth, found) if a != "u" and b != "u"]
    for word, letter in (("female", "f"), ("male", "m")):
        right = sum(a == b == letter for a, b in pairs)
        precision = right / sum(b == letter for _, b in pairs)
        recall = right / sum(a == letter for a, _ in pairs)
        assert judged["f1"][word] == pytest.approx(2 * precision * recall / (precision + recall))
    assert (judged["wrong"], judged["judged"], judged["same_gender"]) == (7, 5, 3 / 5)
    assert judged["found"] == {
        "female for female": 2, "male for female": 1, "female for male": 1, "male for male": 1,
    }  # fmt: skip
    assert judge([], [])["f1"] == {"female": None, "male": None}


def test_wrong_matches_are_those_of_a_plain_search(home):
    data = read("synthetic", home.folder / "data")
    random = np.random.default_rng(4)
    query, gallery = (random.standard_normal((len(side), 5)).astype(np.float32) for side in (data.query, data.gallery))
    query, gallery = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (query, gallery))
    (protocol,) = (one for one in data.protocols if one.name == "CC")
    expected = []
    for i, asked in enumerate(data.query):
        if asked.camera not in protocol.query_cameras:
            continue
        ranked = [
            (query[i] @ gallery[j], j) for j, other in enumerate(data.gallery)
            if other.pid != asked.pid or (other.camera != asked.camera and other.clothes != asked.clothes)
        ]  # fmt: skip
        best = max(ranked)[1]
        if data.gallery[best].pid != asked.pid:
            expected.append((i, best))
    asked, found = wrong_matches(data, protocol, query, gallery)
    assert list(zip(asked.tolist(), found.tolist())) == expected and len(expected) > 2


def test_wrong_matches_of_a_run_are_counted_and_judged(trained, whole_run, ask):
    drawn = ask("gender_f1", trained)
    run = drawn.numbers["runs"]["whole"]
    assert run["wrong"] == round(8 * (1 - whole_run.metrics["best/CC/rank1"])) == sum(run["found"].values())
    heights = [bar.get_height() for bar in drawn.figure.axes[0].patches]
    assert heights == [run["f1"]["female"], run["f1"]["male"]]


def test_people_without_an_answer_and_a_missing_file_are_named(home, trained, tmp_path):
    data = read("synthetic", home.folder / "data")
    file = tmp_path / "gender.csv"
    shutil.copy(data.side_files / "gender.csv", file)
    lines = file.read_text().splitlines(keepends=True)
    last = lines[-1].split(",")[1]  # a test person
    file.write_text("".join(line for line in lines if line.split(",")[1] != last))
    with pytest.raises(DataError, match=rf"gender\.csv\b.*\b1\b.*\b0*{int(last)}$"):
        answers_of(data, trained, str(file))
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        answers_of(data, trained, "nowhere.csv")
