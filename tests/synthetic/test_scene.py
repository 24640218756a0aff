import numpy as np
import pytest

from rlq.core.seeding import generator
from rlq.synthetic.canvas import HEIGHT, WIDTH
from rlq.synthetic.scene import KINDS, PHOTOGRAPHER, SURVEILLANCE, backdrop, crop_backdrop, tint_table


@pytest.mark.parametrize("kind", KINDS)
def test_backdrops_have_structure_and_differ(kind):
    one, other = backdrop(kind, 1), backdrop(kind, 2)
    assert one.dtype == np.uint8
    assert one.std() > 10
    assert not np.array_equal(one, other)
    backdrop.cache_clear()
    assert np.array_equal(one, backdrop(kind, 1))


def test_crops_are_of_the_pictures_size_and_depend_on_the_generator_alone():
    for camera in (*SURVEILLANCE.values(), PHOTOGRAPHER):
        piece = crop_backdrop(camera, generator("crop", 1))
        assert piece.shape == (HEIGHT, WIDTH, 3)
        assert np.array_equal(piece, crop_backdrop(camera, generator("crop", 1)))


def test_the_light_of_camera_c_is_bluer_than_that_of_a():
    def cast(name):
        tables = [tint_table(SURVEILLANCE[name], generator("light", name, number)) for number in range(40)]
        middle = np.mean([table[0, 128] for table in tables], axis=0)
        return middle[2] / middle[0]

    assert cast("C") > cast("A") + 0.1
