import json

import pytest

from rlq import checks
from rlq.data.catalogue import read
from rlq.data.pictures import read_picture
from rlq.data.records import fingerprint
from rlq.errors import DataError
from rlq.evaluation.histogram import colour_histogram


@pytest.fixture(scope="module")
def report(home):
    return checks.check("synthetic", home.folder / "data")


def test_every_split_is_counted(report):
    assert report.splits == {
        "train": {"pictures": 96, "identities": 8, "clothes": 16, "cameras": 3},
        "query": {"pictures": 16, "identities": 4, "clothes": 8, "cameras": 2},
        "gallery": {"pictures": 8, "identities": 4, "clothes": 4, "cameras": 1},
    }
    assert (report.found.train, report.found.query, report.found.gallery, report.found.test_pids) == (96, 16, 8, 4)


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
    assert tree["fingerprint"] == fingerprint(data) and f"fingerprint {tree['fingerprint']}" in text
    assert tree["protocols"]["CC"]["mAP"] == report.rankings["CC"].mAP
    assert f"{100 * tree['protocols']['CC']['mAP']:.1f}" in text
    assert f"{100 * tree['chance']['CC']['mAP']:.1f}" in text


def test_counts_are_compared_with_the_published_ones(home):
    report = checks.check("prcc", home.folder / "data/synthetic/prcc")
    (line,) = [line for line in report.to_text().splitlines() if line.startswith("counts: ")]
    assert "train 96 (differs from 17896)" in line and "gallery 8 (differs from 3384)" in line
    assert json.loads(report.to_json())["published"]["train"] == 17896


def test_a_set_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="PRCC .prcc. is not below data.root"):
        checks.check("prcc", tmp_path)
