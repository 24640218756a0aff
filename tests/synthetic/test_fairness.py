"""The built-in problem is fair: clothes give nobody away once they are changed, and the person still shows."""

import cv2
import numpy as np
import pytest

from rlq.core.seeding import generator
from rlq.evaluation.histogram import colour_histogram
from rlq.synthetic.build import write_set
from rlq.synthetic.capture import album_person
from rlq.synthetic.layouts import PrccSpec, albums
from rlq.synthetic.render import shoot
from rlq.synthetic.scene import SURVEILLANCE
from rlq.synthetic.wardrobe import sample_outfit


def rank1(features, pids, cameras, query):
    gallery = cameras == "A"
    nearest = (features[cameras == query] @ features[gallery].T).argmax(axis=1)
    return (pids[gallery][nearest] == pids[cameras == query]).mean()


def histogram_rank1(root):
    """Rank-1 of colour histograms with the same clothes (B) and with others (C), against all of A."""
    paths = sorted((root / "rgb/test").rglob("*.jpg"))
    features = np.stack([colour_histogram(cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB)) for p in paths])
    pids, cameras = (np.array([path.parts[part] for path in paths]) for part in (-2, -3))
    return rank1(features, pids, cameras, "B"), rank1(features, pids, cameras, "C")


@pytest.mark.slow
def test_histograms_match_the_same_clothes_and_fail_once_they_change(tmp_path):
    spec = PrccSpec(train_people=1, test_people=32, train_pictures=1, test_pictures=3)
    same, changed = histogram_rank1(write_set(tmp_path / "prcc", spec))
    assert same > 0.7
    assert changed < 0.15


@pytest.mark.slow
def test_the_default_set_is_fair_to_histograms(tmp_path):
    same, changed = histogram_rank1(write_set(tmp_path / "prcc", PrccSpec(train_people=1), processes=2))
    assert same > 0.7
    assert changed < 0.10


def test_hair_skin_and_build_identify_people_in_other_clothes():
    """Two colours and three ratios, measured inside the mask, beat chance many times over in changed clothes."""
    features, pids, cameras = [], [], []
    for album in albums(PrccSpec(train_people=1, test_people=40))[1:]:
        person = album_person(PrccSpec(), album)
        for number, (camera, worn) in enumerate((("A", 0), ("A", 0), ("A", 0), ("C", 1), ("C", 1))):
            outfit = sample_outfit(generator("fair", album.pid, worn), person.gender)
            shot = shoot(person, outfit, SURVEILLANCE[camera], generator("fair", album.pid, "shot", number))
            features.append(measure(shot.picture, shot.mask))
            pids.append(album.pid)
            cameras.append(camera)
    measured, pids, cameras = np.stack(features), np.array(pids), np.array(cameras)
    for camera in "AC":  # each camera's own light is common to all
        rows = measured[cameras == camera]
        measured[cameras == camera] = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    gallery, query = cameras == "A", cameras == "C"
    distance = ((measured[query][:, None] - measured[gallery][None]) ** 2).sum(axis=2)
    found = (pids[gallery][distance.argmin(axis=1)] == pids[query]).mean()
    assert found > 10 / 40


def measure(picture, mask):
    """Colours of hair and skin, shares of the hair and of the head, width over height of the figure."""
    figure = mask > 0
    hair, skin = mask == 2, np.isin(mask, [13, 14, 15])
    dark = np.zeros(3)
    rows, columns = np.nonzero(figure)
    head = np.isin(mask, [2, 4, 13])
    return np.concatenate(
        [
            picture[hair].mean(axis=0) if hair.any() else dark,
            picture[skin].mean(axis=0) if skin.any() else dark,
            [200 * hair.sum() / head.sum(), 400 * head.sum() / figure.sum(), 100 * np.std(columns) / np.std(rows)],
        ]
    )
