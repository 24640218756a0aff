import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.manifold import trustworthiness

from rlq.evaluation.figures import HIT, MISS, rank_list_figure, tsne, tsne_figure, value_figure


def picture(value: int = 0) -> np.ndarray:
    return np.full((16, 8, 3), value, np.uint8)


def blobs(rows: int = 60) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.standard_normal((rows, 64)) + 8 * np.eye(64)[np.arange(rows) % 3]).astype(np.float32)


def test_hits_are_framed_green_and_misses_red():
    figure = rank_list_figure([picture(), picture()], [[picture()] * 3, [picture()]], [[True, False, True], [False]])
    assert len(figure.axes) == 8
    frames = {i: to_hex(figure.axes[i].spines["top"].get_edgecolor()) for i in (1, 2, 3, 5)}
    assert frames == {1: HIT, 2: MISS, 3: HIT, 5: MISS}
    assert [i for i, axes in enumerate(figure.axes) if axes.spines["top"].get_visible()] == [1, 2, 3, 5]
    assert figure.axes[1].get_title() == "1" and figure.axes[4].get_title() == "query"
    figure.savefig(drawn := io.BytesIO(), format="png")
    assert drawn.getvalue().startswith(b"\x89PNG")


def test_hits_that_do_not_fit_the_pictures_are_refused():
    with pytest.raises(ValueError, match=r"\b0\b.*\b2\b.*\b1\b"):
        rank_list_figure([picture()], [[picture()] * 2], [[True]])
    with pytest.raises(ValueError, match=r"(?=.*\b1\b.*\b1\b)(?=.*\b2\b)"):
        rank_list_figure([picture()], [[picture()]] * 2, [[True]])


def test_neighbours_stay_neighbours_on_the_map_and_the_seed_decides_it():
    places = tsne(blobs())
    assert places.shape == (60, 2)
    assert trustworthiness(blobs(), places, n_neighbors=5) > 0.85
    np.testing.assert_array_equal(places, tsne(blobs()))
    with pytest.raises(ValueError, match=r"\b3\b"):
        tsne(blobs(3))


def test_the_map_shows_every_picture_twice_and_joins_the_pairs():
    features = blobs(30)
    axes = tsne_figure(features, features + 0.1).axes[0]
    assert [len(points.get_offsets()) for points in axes.collections] == [30, 30]
    assert len(axes.lines) == 30
    for i, line in enumerate(axes.lines):
        ends = [points.get_offsets()[i] for points in axes.collections]
        np.testing.assert_allclose(line.get_xydata(), ends, rtol=1e-6)
    with pytest.raises(ValueError, match=r"lq_features \[29, 64\]"):
        tsne_figure(features, features[:29])


def test_a_metric_over_values_is_in_percent_with_its_spread_and_its_best():
    points = [(5, 0.25, 0.01), (10, 0.5, None), (20, 0.375, 0.02)]
    (axes,) = value_figure(points, "cap.pose.clusters", "CC/rank1", percent=True).axes
    assert axes.lines[0].get_xydata().tolist() == [[5, 25], [10, 50], [20, 37.5]]
    assert [line.get_xydata().tolist() for line in axes.lines if line.get_label() == "best: 10"] == [[[10, 50]]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("cap.pose.clusters", "CC/rank1, %")
    spread = [path.vertices[:, 1].tolist() for path in axes.collections[0].get_paths()]
    assert np.allclose(spread, [[24, 26], [50, 50], [35.5, 39.5]])


def test_values_that_are_words_stand_side_by_side_and_the_least_may_be_the_best():
    (axes,) = value_figure([("b", 3.0, None), ("a", 2.0, None)], "losses.kl", "time/s", goal="minimize").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["b", "a"]
    assert axes.lines[-1].get_xydata().tolist() == [[1, 2.0]] and axes.get_ylabel() == "time/s"
    assert axes.lines[0].get_linestyle() == "None"
    with pytest.raises(ValueError, match=r"\bk\b"):
        value_figure([], "k", "mAP")
