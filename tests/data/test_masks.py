import numpy as np
import pytest
from PIL import Image

from rlq.data.masks import label_palette, write_mask


def test_masks_are_palette_pictures_in_the_colours_of_schp(tmp_path):
    mask = np.arange(20, dtype=np.uint8).reshape(4, 5)
    write_mask(tmp_path / "mask.png", mask)
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), mask)
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert colours[1] == pytest.approx([128, 0, 0])
    assert colours[2] == pytest.approx([0, 128, 0])
    assert colours[13] == pytest.approx([192, 0, 128])
    assert len({tuple(colour) for colour in colours}) == 20
    assert len(label_palette()) == 768
