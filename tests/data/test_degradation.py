import cv2
import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import SettingsError
from rlq.data.degradation import (
    KINDS,
    MIXES,
    Degradation,
    DegradationRanges,
    at_severity,
    changes,
    degrade,
    draw_degradation,
    gaussian_blur,
    motion_blur,
    motion_kernel,
    odd_sizes,
    only,
    pixelate,
    sigma_from_kernel,
)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 20, 3), np.uint8)


def test_golden_artefacts(golden_folder):
    golden = np.load(golden_folder / "artefacts.npz", allow_pickle=False)
    source, compared = golden["picture"], 0
    for key in golden.files:
        kind, *values = key.split("_")
        if kind == "motion":
            made, allowed = motion_blur(source, int(values[0]), int(values[1])), 0
        elif kind == "gaussian":
            made, allowed = gaussian_blur(source, int(values[0]), float(values[1])), 1
        elif kind == "pixelation":
            made, allowed = pixelate(source, int(values[0])), 1
        else:
            continue
        assert made.dtype == np.uint8 and made.shape == golden[key].shape, key
        assert np.abs(made.astype(int) - golden[key]).max() <= allowed, key
        compared += 1
    assert compared == len(golden.files) - 1


def test_pixelation_keeps_the_aspect_and_either_side_may_be_the_shorter(picture):
    assert pixelate(picture, 7).shape == (16, 7, 3)  # 7 * 48 / 20 = 16.8
    assert pixelate(np.swapaxes(picture, 0, 1), 7).shape == (7, 16, 3)
    expected = np.asarray(Image.fromarray(picture).resize((7, 16), Image.Resampling.BICUBIC))
    assert (pixelate(picture, 7) == expected).all()


def test_a_picture_that_is_small_already_stays_as_it_is(picture):
    for side in (20, 63):
        assert (degrade(picture, Degradation("pixelation", side)) == picture).all()
        assert not changes(picture, Degradation("pixelation", side))
    assert changes(picture, Degradation("pixelation", 19))
    assert changes(picture, Degradation("motion", 20))


def test_gaussian_blur_is_its_definition(picture):
    kernel, sigma = 5, 0.8
    weights = np.array([np.exp(-(x**2) / (2 * sigma**2)) for x in range(-2, 3)])
    weights /= weights.sum()
    padded = np.pad(picture.astype(float), ((2, 2), (2, 2), (0, 0)), mode="reflect")
    slow = np.zeros(picture.shape)
    for dy in range(kernel):
        for dx in range(kernel):
            slow += weights[dy] * weights[dx] * padded[dy : dy + 48, dx : dx + 20]
    assert np.abs(gaussian_blur(picture, kernel, sigma) - slow).max() <= 0.51


def test_a_kernel_larger_than_the_picture_is_no_problem():
    tiny = np.full((6, 4, 3), 77, np.uint8)
    assert (gaussian_blur(tiny, 21, 2.0) == 77).all()
    assert (motion_blur(tiny, 19, 30) == 77).all()


def test_an_unturned_motion_kernel_is_a_row_and_a_quarter_turn_a_column():
    assert np.allclose(motion_kernel(9, 0), np.eye(9)[4][:, None] * np.ones(9) / 9)
    assert np.allclose(motion_kernel(9, 90), motion_kernel(9, 0).T, atol=1e-6)
    for size, angle in ((8, 45), (19, 137)):
        assert motion_kernel(size, angle).sum() == pytest.approx(1, abs=1e-5)


def test_motion_blur_averages_along_the_row(picture):
    middle = picture[10, 3:12].astype(float).mean(axis=0)
    assert np.abs(motion_blur(picture, 9, 0)[10, 7] - middle).max() <= 0.51


def test_draws_stay_in_their_inclusive_ranges_and_reach_both_ends():
    ranges = DegradationRanges((16, 18), (5, 9), (0.1, 2.0), (8, 10), MIXES["ltcc"])
    rng = np.random.default_rng(1)
    drawn = [draw_degradation(rng, ranges) for _ in range(1500)]
    sizes = {kind: {a.size for a in drawn if a.kind == kind} for kind in ("pixelation", "gaussian", "motion")}
    assert sizes == {"pixelation": {16, 17, 18}, "gaussian": {5, 7, 9}, "motion": {8, 9, 10}}
    sigmas = [a.sigma for a in drawn if a.kind == "gaussian"]
    assert 0.1 <= min(sigmas) < 0.2 and 1.9 < max(sigmas) <= 2.0
    angles = [a.angle for a in drawn if a.kind == "motion"]
    assert min(angles) < 10 and 170 < max(angles) <= 179


def test_the_mix_of_ltcc_is_33_30_37():
    class Fixed:
        def __init__(self, uniform):
            self.uniform = uniform

        def random(self):
            return self.uniform

        def integers(self, low, high=None, endpoint=False):
            return low

        def choice(self, values):
            return values[0]

    ranges = DegradationRanges(gaussian_sigma="from_kernel", mix=MIXES["ltcc"])
    kinds = [draw_degradation(Fixed(u), ranges).kind for u in (0.0, 0.329, 0.331, 0.629, 0.631, 0.999)]
    assert kinds == ["pixelation", "pixelation", "motion", "motion", "gaussian", "gaussian"]


def test_a_kind_without_share_is_never_drawn():
    rng = np.random.default_rng(2)
    assert {draw_degradation(rng, DegradationRanges()).kind for _ in range(200)} == {"pixelation", "gaussian"}
    only = DegradationRanges(mix={"motion": 1.0})
    assert {draw_degradation(rng, only).kind for _ in range(20)} == {"motion"}


def test_sigma_from_kernel_is_the_rule_of_opencv(picture):
    assert sigma_from_kernel(5) == pytest.approx(1.1)
    drawn = draw_degradation(
        np.random.default_rng(0), DegradationRanges(gaussian_sigma="from_kernel", mix={"gaussian": 1})
    )
    assert drawn.sigma == pytest.approx(sigma_from_kernel(drawn.size))
    theirs = cv2.GaussianBlur(picture, (9, 9), 0)
    assert np.abs(gaussian_blur(picture, 9, sigma_from_kernel(9)).astype(int) - theirs).max() <= 1


def test_odd_sizes_are_the_odd_numbers_of_the_range():
    assert list(odd_sizes((5, 9))) == [5, 7, 9]
    assert list(odd_sizes((4, 10))) == [5, 7, 9]


def test_degrading_is_the_same_twice_and_the_named_function(picture):
    blurred = degrade(picture, Degradation("gaussian", 7, sigma=1.5))
    assert (blurred == gaussian_blur(picture, 7, 1.5)).all()
    assert (degrade(picture, Degradation("motion", 8, angle=30)) == motion_blur(picture, 8, 30)).all()


def test_a_mix_that_does_not_add_up_or_has_unknown_kinds_is_refused():
    with pytest.raises(SettingsError) as told:
        DegradationRanges(mix={"pixelation": 0.5, "gaussian": 0.4})
    assert_names(told.value, 0.5, 0.4)
    with pytest.raises(SettingsError, match="rain"):
        DegradationRanges(mix={"rain": 1.0})
    with pytest.raises(SettingsError) as told:
        DegradationRanges(gaussian_kernel=(6, 6))
    assert_names(told.value, "gaussian_kernel", "[6, 6]")


def test_severities_step_from_the_mild_end_of_a_range_to_the_strong_one():
    ranges = DegradationRanges((10, 40), (9, 21), (0.5, 2.5), (12, 24))
    at = {kind: [at_severity(ranges, kind, level) for level in range(1, 6)] for kind in KINDS}
    assert [one.pixelation for one in at["pixelation"]] == [(n, n) for n in (40, 32, 25, 18, 10)]
    assert [one.motion_kernel for one in at["motion"]] == [(n, n) for n in (12, 15, 18, 21, 24)]
    assert [one.gaussian_kernel for one in at["gaussian"]] == [(n, n) for n in (9, 13, 15, 17, 21)]
    assert [one.gaussian_sigma for one in at["gaussian"]] == [(s, s) for s in (0.5, 1.0, 1.5, 2.0, 2.5)]
    assert all(one.mix == {kind: 1.0} for kind in KINDS for one in at[kind])
    from_kernel = at_severity(DegradationRanges(gaussian_sigma="from_kernel"), "gaussian", 5)
    assert from_kernel.gaussian_sigma == "from_kernel" and from_kernel.gaussian_kernel == (21, 21)


def test_at_one_severity_only_the_direction_of_motion_is_drawn():
    rng = np.random.default_rng(0)
    drawn = [draw_degradation(rng, at_severity(DegradationRanges(), "motion", 3)) for _ in range(50)]
    assert {one.size for one in drawn} == {14} and len({one.angle for one in drawn}) > 20
    sharp, soft = (draw_degradation(rng, at_severity(DegradationRanges(), "gaussian", level)) for level in (1, 5))
    assert (sharp.size, sharp.sigma, soft.size, soft.sigma) == (5, 0.1, 21, 2.0)


def test_one_kind_alone_keeps_the_ranges_and_there_are_five_severities():
    ranges = DegradationRanges((10, 40), mix=MIXES["ltcc"])
    assert only(ranges, "motion") == DegradationRanges((10, 40), mix={"motion": 1.0})
    for level in (0, 6):
        with pytest.raises(SettingsError) as told:
            at_severity(ranges, "motion", level)
        assert_names(told.value, "severity", level, 1, 5)


ODD_SHAPES = [(1, 1), (1, 23), (40, 1), (2, 3), (17, 5), (48, 20)]


@pytest.mark.parametrize("shape", ODD_SHAPES)
def test_gaussian_blur_is_its_plain_form_to_the_last_byte_over_the_whole_range(shape):
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (*shape, 3), np.uint8)
    for kernel in odd_sizes((5, 21)):
        for sigma in (0.1, *random.uniform(0.1, 2.0, 4), 2.0, sigma_from_kernel(kernel)):
            weights = np.exp(-0.5 * ((np.arange(kernel) - (kernel - 1) / 2) / sigma) ** 2)
            weights = (weights / weights.sum()).astype(np.float32)
            sums = cv2.sepFilter2D(picture.astype(np.float32), -1, weights, weights, borderType=cv2.BORDER_REFLECT_101)
            plain = np.clip(np.rint(sums), 0, 255).astype(np.uint8)
            assert np.array_equal(gaussian_blur(picture, kernel, sigma), plain), (kernel, sigma)


@pytest.mark.parametrize("shape", ODD_SHAPES)
def test_motion_blur_is_filter2d_with_its_kernel_to_the_last_byte_over_the_whole_range(shape):
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for size in range(8, 21):
        for angle in range(0, 180, 1 if size in (8, 19) else 9):
            plain = cv2.filter2D(picture, -1, motion_kernel(size, angle))
            assert np.array_equal(motion_blur(picture, size, angle), plain), (size, angle)
