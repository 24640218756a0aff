"""tsne and retrieval: features of good pictures beside those of their bad versions."""

import numpy as np
import pytest

from rlq.analysis.retrieval import agreement
from rlq.core.errors import DataError


def unit(rows: int, seed: int) -> np.ndarray:
    features = np.random.default_rng(seed).standard_normal((rows, 4))
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def test_agreement_is_its_definition():
    good, bad = unit(9, 0), unit(9, 0) + 1.5 * unit(9, 1)
    bad /= np.linalg.norm(bad, axis=1, keepdims=True)
    hits = sum(all(bad[i] @ good[i] > bad[i] @ good[j] for j in range(9) if j != i) for i in range(9))
    found = agreement(good, bad)
    assert 0 < hits < 9 and found.rank1 == pytest.approx(hits / 9)
    assert found.cosine == pytest.approx(np.mean([bad[i] @ good[i] for i in range(9)]))
    assert found.others == pytest.approx(np.mean([bad[i] @ good[j] for i in range(9) for j in range(9) if i != j]))


def test_a_tie_is_a_miss_and_one_picture_is_refused():
    same = np.repeat(unit(1, 0), 2, axis=0)
    assert agreement(same, same).rank1 == 0
    with pytest.raises(DataError, match=r"\b1\b"):
        agreement(same[:1], same[:1])
    with pytest.raises(ValueError, match=r"\bdegraded\b"):
        agreement(same, same[:1])


def test_retrieval_gives_every_run_and_artefact_the_same_pictures(trained, untrained, ask):
    drawn = ask("retrieval", trained, untrained, pictures=10)
    assert drawn.numbers["dataset"] == "synthetic_celeb" and drawn.numbers["pictures"] == 10
    assert [list(run) for run in drawn.numbers["runs"].values()] == [["pixelation", "motion", "gaussian"]] * 2
    assert all(
        -1 <= one["others"] < one["cosine"] <= 1 for run in drawn.numbers["runs"].values() for one in run.values()
    )
    assert len(drawn.text.splitlines()) == 2 + 6


def test_each_run_has_a_map_of_pairs_which_the_seed_decides(trained, untrained, ask):
    drawn = ask("tsne", trained, untrained, pictures=8, seed=2)
    assert len(drawn.figure.axes) == 2
    for axes in drawn.figure.axes:
        assert len(axes.lines) == 8 and [len(dots.get_offsets()) for dots in axes.collections] == [8, 8]
    assert ask("tsne", trained, pictures=8, seed=3).numbers["runs"]["whole"] != drawn.numbers["runs"]["whole"]
