import numpy as np
import pytest

from rlq.core.seeding import generator
from rlq.synthetic.canvas import HEIGHT, SCALE, WIDTH, Canvas, Part, below, outline
from rlq.synthetic.draw import Framing, draw_figure
from rlq.synthetic.head import CAPS, draw_head, draw_tails, head_frame
from rlq.synthetic.people import sample_person
from rlq.synthetic.skeleton import Joint, View, standing, walking
from rlq.synthetic.wardrobe import sample_outfit

UPRIGHT = Framing(0.9, (0.0, 0.0))


def figure(number, yaw):
    person = sample_person(generator("figure", number))
    outfit = sample_outfit(generator("figure outfit", number), person.gender)
    pose = walking(person.gait, 0.1 * number, generator("figure pose", number))
    return draw_figure(person, outfit, pose, View(yaw, 8, 0.2), UPRIGHT, (-0.7, -0.7))


def test_a_tube_of_two_equal_discs_covers_a_capsule():
    canvas = Canvas((0.0, -1.0))
    canvas.tube(np.array([[100.0, 100.0], [100.0, 300.0]]), np.array([20.0, 20.0]), Part.L_LEG)
    drawn = (canvas.parts == Part.L_LEG).sum()
    assert drawn == pytest.approx(200 * 40 + np.pi * 20**2, rel=0.05)
    assert canvas.shade[200, 100] > canvas.shade[200, 82]  # the rim is darker


def test_an_outline_without_caps_is_a_rectangle():
    polygon = outline(np.array([[0.0, 0.0], [0.0, 10.0]]), np.array([3.0, 3.0]), 0.0)
    assert polygon.min(axis=0) == pytest.approx([-3, 0])
    assert polygon.max(axis=0) == pytest.approx([3, 10])
    assert below(np.array([1.0, 2.0]), 5) == pytest.approx([1, 7])


@pytest.mark.parametrize("yaw", [-170, -90, -30, 0, 45, 90, 135])
def test_a_figure_fills_its_frame_from_every_side(yaw):
    for number in range(4):
        drawn = figure(number, yaw)
        rows = np.flatnonzero((drawn.canvas.parts > 0).any(axis=1))
        high = (rows[-1] - rows[0]) / (HEIGHT * SCALE)
        assert 0.7 < high <= 1
        assert {Part.L_SHOE, Part.R_SHOE} & set(np.unique(drawn.canvas.parts).tolist())


def test_faces_are_seen_from_the_front_and_hair_from_behind():
    faces = {yaw: [(figure(number, yaw).canvas.parts == Part.EYES).sum() for number in range(8)] for yaw in (0, 180)}
    assert np.mean(faces[0]) > 10
    assert sum(faces[180]) == 0


def test_seen_keypoints_lie_on_the_figure():
    on_figure, seen = 0, 0
    for number in range(12):
        drawn = figure(number, 30 * number)
        solid = drawn.canvas.parts > 0
        for x, y, visible in drawn.keypoints:
            column, row = int(x * SCALE), int(y * SCALE)
            if not visible or not (0 <= column < WIDTH * SCALE and 0 <= row < HEIGHT * SCALE):
                continue
            seen += 1
            on_figure += bool(solid[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5].any())
    assert seen > 120
    assert on_figure / seen > 0.97


def test_a_nose_is_hidden_from_behind_and_left_is_left():
    front, back = figure(2, 0).keypoints, figure(2, 180).keypoints
    assert front[0, 2] == 1
    assert back[0, 2] == 0
    assert front[5, 0] > front[6, 0]  # the left shoulder is on the right of the picture
    assert back[5, 0] < back[6, 0]


@pytest.mark.parametrize("style", sorted(CAPS))
def test_every_hair_style_is_visible_from_behind(style):
    person = sample_person(generator("style"))
    hair = type(person.hair)(style, (10, 200, 10), 1.0, 1.0, None)
    placed = np.zeros((len(Joint), 2))
    placed[Joint.HEAD] = (128, 128)
    canvas = Canvas((0.0, -1.0))
    frame = head_frame(person.body, placed, 400.0, View(180, 5, 0).rotation())
    draw_tails(canvas, hair, frame)
    draw_head(canvas, hair, person.face, frame, None)
    drawn = (canvas.parts == Part.HAIR).sum()
    skin = (canvas.parts == Part.FACE).sum()
    if style == "bald":
        assert drawn == 0
        assert skin > 1000
    else:
        assert drawn > 300


@pytest.mark.parametrize("hat", ["cap", "beanie", "brimmed"])
def test_a_hat_leaves_hair_to_be_seen(hat):
    person = sample_person(generator("hat"))
    hair = type(person.hair)("bob", (10, 200, 10), 1.0, 1.0, None)
    placed = np.zeros((len(Joint), 2))
    placed[Joint.HEAD] = (128, 128)
    canvas = Canvas((0.0, -1.0))
    draw_head(canvas, hair, person.face, head_frame(person.body, placed, 400.0, View(20, 5, 0).rotation()), hat)
    assert (canvas.parts == Part.HAT).sum() > 300
    assert (canvas.parts == Part.HAIR).sum() > 300


def test_a_standing_figure_keeps_its_trunk_near_the_middle():
    person = sample_person(generator("middle"))
    outfit = sample_outfit(generator("middle outfit"), person.gender)
    pose = standing(person.gait, generator("middle pose"))
    drawn = draw_figure(person, outfit, pose, View(10, 5, 0.1), UPRIGHT, (0.0, -1.0))
    assert abs(drawn.keypoints[11:13, 0].mean() - WIDTH / 2) < 20
    assert drawn.feet[1] > 0.8 * HEIGHT
    assert drawn.unit > 150
