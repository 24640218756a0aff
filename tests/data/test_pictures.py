import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.data.image_header import refusal
from rlq.data.pictures import picture_sizes, read_picture


def test_colours_come_in_the_order_red_green_blue(tmp_path):
    Image.new("RGB", (4, 6), (250, 10, 90)).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.shape == (6, 4, 3) and picture.dtype == np.uint8
    assert (picture == (250, 10, 90)).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    Image.new(mode, (4, 6)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").shape == (6, 4, 3)


def test_the_orientation_of_a_camera_is_honoured(tmp_path):
    upright = Image.new("RGB", (8, 16), (0, 0, 0))
    upright.paste((255, 255, 255), (0, 0, 8, 8))  # the upper half is white
    exif = Image.Exif()
    exif[274] = 6  # the file holds it turned to the left
    upright.rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif, quality=95)
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.shape == (16, 8, 3)
    assert picture[:6].mean() > 240 and picture[10:].mean() < 15
    assert picture_sizes([tmp_path / "a.jpg"]).tolist() == [[8, 16]]


def test_sizes_are_width_and_height(write_picture, tmp_path):
    paths = [write_picture(tmp_path / "a.jpg", size=(16, 8)), write_picture(tmp_path / "b.png", size=(5, 9))]
    assert picture_sizes(paths).tolist() == [[8, 16], [9, 5]]
    assert picture_sizes([]).shape == (0, 2)
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"c\.jpg"):
        picture_sizes([tmp_path / "c.jpg"])


@pytest.mark.parametrize("content", [b"", b"words, no picture"])
def test_what_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_picture(tmp_path / "a.jpg")
    assert_names(raised.value, "a.jpg", refusal(content))


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jpg.*No such file"):
        read_picture(tmp_path / "gone.jpg")
