import numpy as np
import pytest

from rlq.evaluation.metrics import Labels, rank
from rlq.evaluation.similarity import cosine_scores
from rlq.evaluation.single_shot import one_per_person, single_shot

QUERY = Labels(np.repeat(np.arange(5), 3), np.full(15, "C"), np.full(15, "c"))
GALLERY = Labels(np.repeat(np.arange(6), [4, 3, 5, 1, 2, 6]), np.full(21, "A"), np.full(21, "a"))


def features(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, 8)).astype(np.float32)


def test_one_picture_of_every_person_is_drawn_and_draws_differ():
    random = np.random.default_rng(0)
    draws = [one_per_person(GALLERY.pid, random) for _ in range(20)]
    assert all(GALLERY.pid[draw].tolist() == [0, 1, 2, 3, 4, 5] for draw in draws)
    assert {draw[0] for draw in draws} == {0, 1, 2, 3}


def test_the_result_is_the_mean_over_draws_and_mAP_is_the_mean_reciprocal_rank():
    found = single_shot(QUERY, GALLERY, features(15, 0), features(21, 1), ["GENERAL"], draws=4)["GENERAL"]
    assert len({draw.first_match.tobytes() for draw in found.draws}) > 1
    assert found.cmc(1) == pytest.approx(np.mean([(draw.first_match == 1).mean() for draw in found.draws]))
    assert found.mAP == pytest.approx(np.mean([(1 / draw.first_match).mean() for draw in found.draws]))
    summary = found.summary()
    assert (summary["rank1"], summary["mAP"]) == (found.cmc(1), found.mAP)
    assert (summary["queries"], summary["gallery"], summary["draws"], summary["rank10"]) == (15, 6, 4, 1.0)


def test_the_same_seed_draws_the_same_pictures():
    def first(seed):
        found = single_shot(QUERY, GALLERY, features(15, 0), features(21, 1), ["GENERAL"], seed=seed)["GENERAL"]
        return np.concatenate([draw.first_match for draw in found.draws]).tolist()

    assert first(3) == first(3) != first(4)


def test_one_picture_per_person_in_the_gallery_makes_it_the_ordinary_protocol():
    gallery = Labels(np.arange(6), np.full(6, "A"), np.full(6, "a"))
    query_features, gallery_features = features(15, 0), features(6, 1)
    shot = single_shot(QUERY, gallery, query_features, gallery_features, ["CC"], draws=2)["CC"]
    plain = rank(QUERY, gallery, cosine_scores(query_features, gallery_features), ["CC"])["CC"]
    assert (shot.cmc(1), shot.mAP) == (pytest.approx(plain.rank1), pytest.approx(plain.mAP))


def test_without_any_valid_query_there_is_no_number():
    found = single_shot(QUERY, GALLERY, features(15, 0), features(21, 1), ["SC"], draws=2)["SC"]
    assert (found.cmc(1), found.mAP) == (None, None)
    with pytest.raises(ValueError, match=r"draws\b.*\b0\b.*\b1\b"):
        single_shot(QUERY, GALLERY, features(15, 0), features(21, 1), ["SC"], draws=0)
