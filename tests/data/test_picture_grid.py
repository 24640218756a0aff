import numpy as np
import pytest

from rlq.data.picture_grid import picture_grid


def picture(value: int = 0) -> np.ndarray:
    return np.full((16, 8, 3), value, np.uint8)


def test_rows_of_a_grid_may_differ_in_length_but_captions_must_fit():
    figure = picture_grid([[picture(1), picture(2)], [picture(3)]], [["a", "b"], ["c"]])
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", ""]
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 0]
    assert (figure.axes[2].images[0].get_array() == 3).all()
    with pytest.raises(ValueError, match=r"\[1\].*\[2\]"):
        picture_grid([[picture()]], [["a", "b"]])
