"""Draw a dressed figure: from joints to an image of parts, an image of shade and 17 keypoints."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import cos, hypot, radians, sin

import numpy as np

from rlq.synthetic.canvas import HEIGHT, SCALE, WIDTH, Canvas, Part, below
from rlq.synthetic.head import HeadFrame, draw_head, draw_tails, head_frame
from rlq.synthetic.patterns import mark_pattern
from rlq.synthetic.people import Person
from rlq.synthetic.skeleton import Joint, Pose, View, joints
from rlq.synthetic.wardrobe import Outfit

# Radii of the limbs as shares of the stature, for thickness 1.
THIGH, KNEE, ANKLE, FOOT = 0.054, 0.037, 0.023, 0.024
UPPER_ARM, ELBOW, WRIST, HAND = 0.031, 0.025, 0.018, 0.022
FACE_SPOTS = np.array([(0, -8), (22, 8), (-22, 8), (92, 0), (-92, 0)], float)  # nose, eyes, ears
BODY_JOINTS = (
    Joint.L_SHOULDER, Joint.R_SHOULDER, Joint.L_ELBOW, Joint.R_ELBOW, Joint.L_WRIST, Joint.R_WRIST,
    Joint.L_HIP, Joint.R_HIP, Joint.L_KNEE, Joint.R_KNEE, Joint.L_ANKLE, Joint.R_ANKLE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Framing:
    """The place of the figure in the picture, as a detector would crop it."""

    fill: float  # height of the figure, as a share of the picture's
    shift: tuple[float, float]  # of its middle, as shares of the picture's width and height


@dataclass(frozen=True)
class Figure:
    """A drawn figure. keypoints [17, 3]: x, y in pixels of the final picture, 1 if seen and 0 if hidden."""

    canvas: Canvas
    keypoints: np.ndarray
    feet: np.ndarray  # [2] middle of the feet in pixels of the final picture
    unit: float  # pixels of the final picture per stature


@dataclass(frozen=True)
class _Sketch:
    """A figure placed in the picture, while it is drawn."""

    person: Person
    outfit: Outfit
    view: View
    pose: Pose
    at: np.ndarray  # [18, 2] pixels of the canvas
    depth: np.ndarray  # [18]
    unit: float  # pixels of the canvas per stature
    canvas: Canvas
    frame: HeadFrame

    def wide(self, half_width: float, thickness: float) -> float:
        """Return the half width in pixels of an upright elliptic section in this view."""
        yaw = radians(self.view.yaw)
        return self.unit * hypot(half_width * cos(yaw), half_width * thickness * sin(yaw))


def draw_figure(
    person: Person, outfit: Outfit, pose: Pose, view: View, framing: Framing, light: tuple[float, float]
) -> Figure:
    """Draw one person in one outfit."""
    sketch = _place(person, outfit, pose, view, framing, light)
    for _, paint in sorted(_layers(sketch), key=lambda layer: layer[0]):
        paint()
    keypoints = _keypoints(sketch)
    feet = (sketch.at[Joint.L_ANKLE] + sketch.at[Joint.R_ANKLE]) / 2 / SCALE
    feet[1] = max(sketch.at[Joint.L_TOE, 1], sketch.at[Joint.R_TOE, 1]) / SCALE
    _patterns(sketch)
    return Figure(sketch.canvas, keypoints, feet, sketch.unit / SCALE)


def _place(
    person: Person, outfit: Outfit, pose: Pose, view: View, framing: Framing, light: tuple[float, float]
) -> _Sketch:
    body = person.body
    seen = joints(body, person.gait, pose) @ view.rotation().T  # [18, 3]
    seen[:, :2] /= 1 - view.nearness * seen[:, 2:]
    top = max(seen[Joint.HEAD, 1] + 1.1 * body.head, seen[Joint.CHEST, 1] + 0.1)
    low = seen[:, 1].min() - 0.02
    # The crop keeps head, trunk and legs; a hand or a toe may reach out of it, as it may in a detector's box.
    core = np.delete(seen[:, 0], [Joint.L_WRIST, Joint.R_WRIST, Joint.L_TOE, Joint.R_TOE])
    margin = 0.05 * body.limb
    left = min(core.min() - margin, seen[Joint.HEAD, 0] - 1.2 * body.head)
    right = max(core.max() + margin, seen[Joint.HEAD, 0] + 1.2 * body.head)
    high, broad = HEIGHT * SCALE, WIDTH * SCALE
    unit = min(framing.fill * high / (top - low), 0.97 * broad / (right - left))
    middle = np.array([(left + right) / 2, (top + low) / 2])
    at = (seen[:, :2] - middle) * [unit, -unit]
    at += [broad * (0.5 + framing.shift[0]), high * (0.5 + framing.shift[1])]
    turned = view.rotation(pose.turn, pose.lean * 0.5 + pose.nod)
    frame = head_frame(body, at, unit, turned)
    return _Sketch(person, outfit, view, pose, at, seen[:, 2], unit, Canvas(light), frame)


def _layers(s: _Sketch) -> list[tuple[float, Callable[[], None]]]:
    """Return what to paint, each with its depth: larger is nearer, and the trunk has depth 0."""
    middle = (s.depth[Joint.PELVIS] + s.depth[Joint.CHEST]) / 2
    facing = cos(radians(s.view.yaw))
    layers: list[tuple[float, Callable[[], None]]] = []
    for side, hip, shoulder in ((0, Joint.L_HIP, Joint.L_SHOULDER), (1, Joint.R_HIP, Joint.R_SHOULDER)):
        leg = s.depth[hip : hip + 3].mean()
        layers.append((-2.0 + leg * 0.1, partial(_leg, s, side)))
        arm = s.depth[shoulder : shoulder + 3].mean() - middle
        layers.append((1.0 + arm if arm > -0.035 else -1.0 + arm, partial(_arm, s, side)))
    layers.append((0.0, lambda: _hips(s)))
    layers.append((0.1, lambda: _trunk(s)))
    layers.append((1.9 if facing < 0 else 0.2, lambda: _neck(s)))
    layers.append((2.0, lambda: draw_head(s.canvas, s.person.hair, s.person.face, s.frame, s.outfit.hat)))
    tails_behind = s.frame.rotation[2, 2] > -0.05
    layers.append((-0.5 if tails_behind else 2.5, lambda: draw_tails(s.canvas, s.person.hair, s.frame)))
    if s.outfit.bag == "backpack":
        layers.append((-0.6 if facing > 0.1 else 0.5, lambda: _backpack(s)))
    elif s.outfit.bag == "shoulder":
        layers.append((0.6, lambda: _shoulder_bag(s)))
    elif s.outfit.bag == "handbag":
        layers.append((1.5 if s.depth[Joint.R_WRIST] > middle else -1.5, lambda: _handbag(s)))
    return layers


def _between(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    return start + (end - start) * share


def _sleeve(s: _Sketch, line: np.ndarray, radii: np.ndarray, share: float, part: Part, loose: float) -> None:
    """Cover a share of a limb of two bones (points [3, 2], radii [3]) with cloth."""
    if share <= 0.02:
        return
    if share <= 0.5:
        cut, radius = _between(line[0], line[1], share * 2), radii[0] + (radii[1] - radii[0]) * share * 2
        s.canvas.tube(np.stack([line[0], cut]), np.array([radii[0], radius]) * loose, part, 0.5)
        return
    part_below = (share - 0.5) * 2
    cut, radius = _between(line[1], line[2], part_below), radii[1] + (radii[2] - radii[1]) * part_below
    s.canvas.tube(line[:2], radii[:2] * loose, part)
    s.canvas.tube(np.stack([line[1], cut]), np.array([radii[1] * loose, radius * loose]), part, 0.6)


def _leg(s: _Sketch, side: int) -> None:
    hip = (Joint.L_HIP, Joint.R_HIP)[side]
    skin, shoe = ((Part.L_LEG, Part.L_SHOE), (Part.R_LEG, Part.R_SHOE))[side]
    line = s.at[hip : hip + 3]
    radii = np.array([THIGH, KNEE, ANKLE]) * s.person.body.limb * s.unit
    garment, part = (s.outfit.lower, Part.LOWER) if s.outfit.lower else (s.outfit.upper, Part.UPPER)
    wrapped = garment.kind in ("skirt", "dress")
    covered = 0.0 if wrapped else garment.length
    if covered < 0.5:
        s.canvas.tube(line[:2], radii[:2], skin)
    if covered < 0.95:
        s.canvas.tube(line[1:], radii[1:], skin)
    foot = FOOT * s.unit * (0.8 + 0.2 * s.person.body.limb)
    if s.outfit.sock_height > 0.1:
        top = _between(line[2], line[1], s.outfit.sock_height)
        thick = radii[2] + (radii[1] - radii[2]) * s.outfit.sock_height
        s.canvas.tube(np.stack([top, line[2]]), np.array([thick, radii[2]]) * 1.05, Part.SOCKS, 0.4)
    heel, toe = below(line[2], 0.35 * foot), s.at[hip + 3]
    s.canvas.tube(np.stack([heel, toe]), np.array([foot * 1.15, foot * 0.9]), shoe)
    _sleeve(s, line, radii, covered, part, garment.loose)
    if s.outfit.boots > 0:
        top = _between(line[2], line[1], s.outfit.boots)
        s.canvas.tube(np.stack([top, heel]), np.array([radii[1] * 1.12, foot * 1.15]), shoe, 0.4)
    if s.outfit.upper.kind == "coat" and s.outfit.upper.length > 0.3:
        _sleeve(s, line, radii, min(0.5, s.outfit.upper.length * 0.8), Part.UPPER, s.outfit.upper.loose * 1.1)


def _arm(s: _Sketch, side: int) -> None:
    shoulder = (Joint.L_SHOULDER, Joint.R_SHOULDER)[side]
    skin = (Part.L_ARM, Part.R_ARM)[side]
    line = s.at[shoulder : shoulder + 3]
    radii = np.array([UPPER_ARM, ELBOW, WRIST]) * s.person.body.limb * s.unit
    upper = s.outfit.upper
    if upper.sleeve < 0.55:
        s.canvas.tube(line[:2], radii[:2], skin)
    if upper.sleeve < 0.98:
        s.canvas.tube(line[1:], radii[1:], skin)
    hand = HAND * s.unit * (0.75 + 0.25 * s.person.body.limb)
    reach = line[2] - line[1]
    tip = line[2] + reach / (np.linalg.norm(reach) + 1e-6) * hand * 1.3
    s.canvas.tube(np.stack([line[2], tip]), np.array([hand, hand * 0.8]), Part.GLOVE if s.outfit.gloves else skin)
    _sleeve(s, line, radii, upper.sleeve, Part.UPPER, upper.loose)


def _hips(s: _Sketch) -> None:
    """Draw the pelvis with trousers, or a skirt down to its hem."""
    body, pelvis, waist = s.person.body, s.at[Joint.PELVIS], _between(s.at[Joint.PELVIS], s.at[Joint.CHEST], 0.35)
    hip, middle = s.wide(body.hip, 0.85), s.wide(body.waist, body.belly)
    garment, part = (s.outfit.lower, Part.LOWER) if s.outfit.lower else (s.outfit.upper, Part.UPPER)
    if garment.kind in ("skirt", "dress"):
        knees = (s.at[Joint.L_KNEE] + s.at[Joint.R_KNEE]) / 2
        ankles = (s.at[Joint.L_ANKLE] + s.at[Joint.R_ANKLE]) / 2
        hem_at = _between(pelvis, knees, min(1.0, garment.length * 2))
        if garment.length > 0.5:
            hem_at = _between(knees, ankles, (garment.length - 0.5) * 2)
        apart = abs(s.at[Joint.L_KNEE, 0] - s.at[Joint.R_KNEE, 0]) / 2
        hem = max(hip * garment.loose, apart + KNEE * body.limb * s.unit * 1.2)
        s.canvas.tube(np.stack([waist, pelvis, hem_at]), np.array([middle, hip * 1.04, hem]), part, 0.15)
        return
    seat = below(pelvis, 0.045 * s.unit)
    s.canvas.tube(np.stack([waist, pelvis, seat]), np.array([middle, hip, hip * 0.9]), part, 0.5)


def _trunk(s: _Sketch) -> None:
    body, upper = s.person.body, s.outfit.upper
    pelvis, chest = s.at[Joint.PELVIS], s.at[Joint.CHEST]
    spine = chest - pelvis
    loose = 1 + (upper.loose - 1) * 0.55
    shoulder = s.wide(body.shoulder + 0.6 * UPPER_ARM * body.limb, 0.5)
    bust = s.wide(body.shoulder * 0.93 + 0.01, 0.72)
    middle, hip = s.wide(body.waist, body.belly), s.wide(body.hip, 0.85)
    # A belly shows in front: the waist moves forward in the side view.
    forward = np.array([sin(radians(s.view.yaw)), 0.0]) * s.unit * max(0.0, body.waist * (body.belly - 0.7))
    points = [chest + spine * 0.03, chest - spine * 0.22, pelvis + spine * 0.36 + forward, pelvis + spine * 0.05]
    radii = [shoulder * 0.86, max(bust, shoulder * 0.92) * loose, middle * loose, hip * loose]
    if upper.kind != "dress":
        points.append(pelvis - spine / (np.linalg.norm(spine) + 1e-6) * upper.length * 0.75 * body.leg * s.unit)
        radii.append(hip * loose * (1.12 if upper.kind == "coat" else 1.0))
    s.canvas.tube(np.stack(points), np.array(radii), Part.UPPER, 0.18)
    facing = cos(radians(s.view.yaw))
    if s.outfit.inner and facing > 0.25:
        slit = np.array([0.3, 0.28, 0.22, 0.25]) * shoulder * facing
        offset = np.array([sin(radians(s.view.yaw)) * 0.35 * shoulder, 0.0])
        s.canvas.tube(np.stack(points[:4]) + offset, slit, Part.INNER, 0.1)
    elif upper.kind in ("shirt", "tshirt", "tank", "dress") and facing > 0.2:
        neck = s.at[Joint.NECK] + [sin(radians(s.view.yaw)) * 0.3 * shoulder, 0.012 * s.unit]
        s.canvas.dot(neck, (0.34 * shoulder * facing, 0.03 * s.unit), Part.FACE)


def _neck(s: _Sketch) -> None:
    thick = (0.032 + 0.008 * s.person.body.limb) * s.unit
    base = _between(s.at[Joint.CHEST], s.at[Joint.NECK], 0.4)
    s.canvas.tube(np.stack([s.at[Joint.HEAD], base]), np.array([thick, thick * 1.1]), Part.FACE, 0.5, 0.85)
    if s.outfit.scarf:
        s.canvas.ball(s.at[Joint.NECK], (thick * 1.9, 0.032 * s.unit), Part.SCARF)
        end = s.at[Joint.NECK] + [thick * 0.7, 0.14 * s.unit]
        s.canvas.tube(np.stack([s.at[Joint.NECK], end]), np.array([thick * 0.6, thick * 0.6]), Part.SCARF, 0.2)


def _backpack(s: _Sketch) -> None:
    chest, pelvis = s.at[Joint.CHEST], s.at[Joint.PELVIS]
    back = np.array([-sin(radians(s.view.yaw)), 0.0]) * s.unit * 0.1
    size = s.wide(s.person.body.shoulder * 0.85, 0.55)
    line = np.stack([_between(chest, pelvis, 0.1), _between(chest, pelvis, 0.75)]) + back
    s.canvas.tube(line, np.array([size, size * 1.05]), Part.BAG, 0.3)


def _shoulder_bag(s: _Sketch) -> None:
    strap = np.stack([s.at[Joint.L_SHOULDER], s.at[Joint.R_HIP]])
    s.canvas.line(strap, 0.014 * s.unit, Part.BAG)
    pouch = below(s.at[Joint.R_HIP], 0.02 * s.unit)
    s.canvas.tube(np.stack([pouch, below(pouch, 0.07 * s.unit)]), np.full(2, 0.05 * s.unit), Part.BAG, 0.2)


def _handbag(s: _Sketch) -> None:
    hand = below(s.at[Joint.R_WRIST], 0.05 * s.unit)
    s.canvas.tube(np.stack([hand, below(hand, 0.1 * s.unit)]), np.array([0.05, 0.065]) * s.unit, Part.BAG, 0.2)


def _patterns(s: _Sketch) -> None:
    trunk = (s.at[Joint.CHEST], s.at[Joint.PELVIS])
    mark_pattern(s.canvas.parts, s.outfit.upper, (Part.UPPER, Part.UPPER_SECOND), trunk, s.unit, s.view.yaw)
    if s.outfit.lower is not None:
        mark_pattern(s.canvas.parts, s.outfit.lower, (Part.LOWER, Part.LOWER_SECOND), trunk, s.unit, s.view.yaw)


def _keypoints(s: _Sketch) -> np.ndarray:
    face, facing = s.frame.surface(FACE_SPOTS)
    body = s.at[list(BODY_JOINTS)]
    middle = (s.depth[Joint.PELVIS] + s.depth[Joint.CHEST]) / 2
    seen = np.ones(17)
    seen[:5] = facing > np.array([-0.1, 0.0, 0.0, -0.25, -0.25])
    # A far arm or leg is hidden where the trunk or the near leg lies over it.
    depth = s.depth[list(BODY_JOINTS)]
    trunk = s.wide(s.person.body.shoulder, 0.6)
    low, high = s.at[Joint.CHEST, 1], s.at[Joint.PELVIS, 1] + 0.05 * s.unit
    over = (np.abs(body[:, 0] - s.at[Joint.PELVIS, 0]) < 0.8 * trunk) & (body[:, 1] > low - 5) & (body[:, 1] < high)
    seen[5:11] = ~(over[:6] & (depth[:6] < middle - 0.05))
    for left, right in ((8, 9), (10, 11)):  # knees, ankles
        if np.abs(body[left] - body[right]).max() < 0.03 * s.unit:
            seen[5 + (left if depth[left] < depth[right] else right)] = 0
    return np.column_stack([np.concatenate([face, body]) / SCALE, seen])
