import numpy as np
import pytest

from rlq.core.seeding import generator
from rlq.synthetic.people import sample_person
from rlq.synthetic.render import shoot
from rlq.synthetic.scene import PHOTOGRAPHER, SURVEILLANCE
from rlq.synthetic.wardrobe import sample_outfit


def shots(count, camera=SURVEILLANCE["A"]):
    for number in range(count):
        person = sample_person(generator("render", number))
        outfit = sample_outfit(generator("render outfit", number), person.gender)
        yield person, outfit, shoot(person, outfit, camera, generator("render shot", number))


def test_a_shot_is_repeated_by_the_same_generator():
    for (_, _, one), (_, _, other) in zip(shots(3), shots(3), strict=True):
        assert np.array_equal(one.picture, other.picture)
        assert np.array_equal(one.mask, other.mask)
        assert np.array_equal(one.keypoints, other.keypoints)


def test_pictures_masks_and_keypoints_have_their_shapes():
    for _, _, shot in shots(4, PHOTOGRAPHER):
        assert (shot.picture.shape, shot.picture.dtype) == ((256, 128, 3), np.uint8)
        assert (shot.mask.shape, shot.mask.dtype) == ((256, 128), np.uint8)
        assert shot.keypoints.shape == (17, 3)
        assert set(np.unique(shot.keypoints[:, 2])) <= {0, 1}


def test_masks_hold_the_garments_that_are_worn():
    hidden = 0
    for _, outfit, shot in shots(40):
        found = set(np.unique(shot.mask).tolist())
        assert found <= set(range(20))
        assert outfit.upper.label in found
        hidden += outfit.lower is not None and outfit.lower.label not in found
        assert 0.08 < (shot.mask > 0).mean() < 0.8
        assert np.isin(shot.mask, [5, 6, 7, 9, 10, 12]).mean() > 0.04
    assert hidden <= 3  # a long coat may cover short trousers


def test_the_picture_shows_a_garment_in_its_colour():
    error = []
    for _, outfit, shot in shots(30, PHOTOGRAPHER):
        if outfit.upper.pattern == "plain" and outfit.inner is None:
            seen = shot.picture[shot.mask == outfit.upper.label].mean(axis=0)
            error.append(np.abs(seen - np.array(outfit.upper.colour)).mean())
    assert len(error) > 5
    assert np.mean(error) < 45  # shade and light change it, no more


def test_heads_are_above_feet_and_large_enough_to_be_seen_in_a_small_picture():
    sizes = []
    for _, _, shot in shots(40):
        head = np.isin(shot.mask, [1, 2, 4, 13])
        shoes = np.isin(shot.mask, [18, 19])
        sizes.append(head.mean())
        if shoes.any():
            assert np.nonzero(head)[0].mean() < np.nonzero(shoes)[0].mean()
    assert np.mean(sizes) > 0.04


@pytest.mark.parametrize("name", sorted(SURVEILLANCE))
def test_every_camera_leaves_the_figure_visible(name):
    spread = [shot.picture[shot.mask > 0].std() for _, _, shot in shots(10, SURVEILLANCE[name])]
    assert min(spread) > 10
