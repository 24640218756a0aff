from pathlib import Path

import numpy as np
import pytest
import torch
from naming import assert_names

from rlq.core.errors import DataError
from rlq.evaluation import similarity
from rlq.evaluation.metrics import RULES, Labels, rank
from rlq.evaluation.similarity import cosine_scores, lengths, repeated_rows


def features(rows: int, width: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32) * 3


def wanted_cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scores_are_cosines_for_any_precision(dtype):
    query, gallery = features(5).astype(dtype), features(2500, seed=1).astype(dtype)
    scores = cosine_scores(query, gallery)
    for rows in (slice(0, 3), slice(3, 5)):
        found = scores(rows)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted_cosines(query[rows], gallery), atol=1e-6)


def test_every_way_to_multiply_gives_the_same_scores(monkeypatch):
    query, gallery = features(7, 40), features(2500, 40, seed=1)
    gallery.flags.writeable = False  # as a memory-mapped file is
    plain = cosine_scores(query, gallery)(slice(0, 7)).copy()
    monkeypatch.setattr(similarity, "LARGE", 0)
    monkeypatch.setattr(similarity, "_onednn_is_faster", lambda: True)
    np.testing.assert_allclose(cosine_scores(query, gallery)(slice(0, 7)), plain, atol=1e-6)


def test_training_with_reduced_precision_does_not_reduce_the_scores(monkeypatch):
    query, gallery = features(7, 40), features(300, 40, seed=1)
    monkeypatch.setattr(similarity, "LARGE", 0)
    monkeypatch.setattr(similarity, "_onednn_is_faster", lambda: True)
    torch.set_float32_matmul_precision("medium")
    try:
        np.testing.assert_allclose(
            cosine_scores(query, gallery)(slice(0, 7)), wanted_cosines(query, gallery), atol=1e-6
        )
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_tensors_are_taken_as_they_are(dtype):
    query, gallery = torch.from_numpy(features(4)).to(dtype), torch.from_numpy(features(9, seed=1)).to(dtype)
    found = cosine_scores(query.requires_grad_(), gallery)(slice(0, 4))
    np.testing.assert_allclose(
        found, wanted_cosines(query.detach().double().numpy(), gallery.double().numpy()), atol=1e-6
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_scores():
    query, gallery = features(7, 40), features(2500, 40, seed=1)
    plain = cosine_scores(query, gallery)(slice(0, 7)).copy()
    np.testing.assert_allclose(cosine_scores(query, gallery, device="cuda")(slice(0, 7)), plain, atol=1e-6)
    on_gpu = torch.from_numpy(gallery).cuda()
    np.testing.assert_allclose(cosine_scores(torch.from_numpy(query).cuda(), on_gpu)(slice(0, 7)), plain, atol=1e-6)


@pytest.mark.parametrize("large", [1e18, 0], ids=["numpy", "onednn"])
@pytest.mark.parametrize("gallery", [9, 1000, 1025, 3001])
def test_equal_features_score_equally_wherever_they_stand(monkeypatch, large, gallery):
    monkeypatch.setattr(similarity, "LARGE", large)
    monkeypatch.setattr(similarity, "_onednn_is_faster", lambda: True)
    three = features(3, 513, seed=1)
    found = cosine_scores(features(33, 513), three[np.arange(gallery) % 3])(slice(0, 33))
    assert [len(np.unique(row)) for row in found] == [3] * 33


def test_repeated_rows_are_found_among_rows_of_the_same_length():
    rows = np.array([[1, 0], [0, 1], [1, 0], [-1, 0], [0, 1], [-0.0, 1], [0.6, 0.8]])
    copies, originals = repeated_rows(rows, lengths(rows, "gallery"))
    assert (copies.tolist(), originals.tolist()) == ([2, 4, 5], [0, 1, 1])
    binary = np.random.default_rng(0).integers(0, 2, (400, 10))
    copies, originals = repeated_rows(binary, lengths(binary, "gallery"))
    assert len(copies) == 400 - len(np.unique(binary, axis=0)) and (binary[copies] == binary[originals]).all()


def test_a_zero_vector_scores_zero_with_everybody():
    gallery = features(3)
    gallery[1] = 0
    found = cosine_scores(features(2, seed=1), gallery)(slice(0, 2))
    assert (found[:, 1] == 0).all() and found[:, [0, 2]].all()


def test_broken_features_are_counted_and_the_first_is_named():
    gallery = features(2000)
    gallery[1500, 2], gallery[1999, 0] = np.nan, np.inf
    with pytest.raises(DataError, match=r"\b2\b") as raised:
        cosine_scores(features(2), gallery)
    assert_names(raised.value, "2000", "gallery", "1500")
    with pytest.raises(DataError, match=r"(?=.*\b1\b)(?=.*\b2\b)(?=.*\b0\b)") as raised:
        cosine_scores(np.array([[1e30, 0], [1, 0]]), features(3, 2))
    assert_names(raised.value, "query")
    with pytest.raises(DataError, match="complex64"):
        lengths(features(3).astype(np.complex64), "query")


def test_lengths_are_euclidean_and_never_zero():
    np.testing.assert_allclose(lengths(np.array([[3, 4], [0, 0]]), "query"), [5, 1])


@pytest.mark.parametrize("factor", [1e-22, 1e-3, 1e15])
def test_only_the_direction_of_a_feature_counts(factor):
    query, gallery = features(3), features(70, seed=1)
    wanted = wanted_cosines(query, gallery)
    factors = np.where(np.arange(70) % 2, factor, 1)[:, None].astype(np.float32)
    np.testing.assert_allclose(
        cosine_scores(query * np.float32(factor), gallery * factors)(slice(0, 3)), wanted, atol=1e-6
    )


def test_features_of_two_widths_are_refused():
    with pytest.raises(ValueError, match=r"query_features \[2, 6\].*gallery_features \[3, 5\]"):
        cosine_scores(features(2), features(3, 5))


def test_golden_ranking_from_features(golden_folder: Path):
    with np.load(golden_folder / "ranking.npz") as file:
        query, gallery = (Labels(file[f"{s}_pid"], file[f"{s}_cam"], file[f"{s}_clothes"]) for s in "qg")
        found = rank(query, gallery, cosine_scores(file["f_query"], file["f_gallery"]))
        for rule in RULES:
            assert found[rule].rank1 == pytest.approx(float(file[f"{rule}_cmc"][0]), abs=1e-12)
            assert found[rule].mAP == pytest.approx(float(file[f"{rule}_map"]), abs=1e-7)
