"""Render one picture of a person in an outfit before a camera, with mask and keypoints."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike

from rlq.core.seeding import generator
from rlq.data.lip import Lip
from rlq.synthetic.canvas import FULL_LIGHT, HEIGHT, SCALE, WIDTH, Part
from rlq.synthetic.draw import Framing, draw_figure
from rlq.synthetic.people import Person
from rlq.synthetic.scene import Camera, crop_backdrop, tint_table
from rlq.synthetic.skeleton import Pose, View, bending, standing, walking
from rlq.synthetic.wardrobe import Outfit

# The LIP label of every part except the garments; carried things are background, as in parsers' masks.
LABELS = {
    Part.HAT: Lip.HAT, Part.HAT_BRIM: Lip.HAT, Part.HAIR: Lip.HAIR, Part.HAIR_SECOND: Lip.HAIR, Part.GLOVE: Lip.GLOVE,
    Part.GLASSES: Lip.SUNGLASSES, Part.INNER: Lip.UPPER_CLOTHES, Part.SOCKS: Lip.SOCKS, Part.SCARF: Lip.SCARF,
    Part.FACE: Lip.FACE, Part.BEARD: Lip.FACE, Part.EYES: Lip.FACE, Part.BROWS: Lip.FACE, Part.MOUTH: Lip.FACE,
    Part.L_ARM: Lip.LEFT_ARM, Part.R_ARM: Lip.RIGHT_ARM, Part.L_LEG: Lip.LEFT_LEG, Part.R_LEG: Lip.RIGHT_LEG,
    Part.L_SHOE: Lip.LEFT_SHOE, Part.R_SHOE: Lip.RIGHT_SHOE,
}  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """picture [256, 128, 3] RGB; mask [256, 128] of LIP labels; keypoints [17, 3]: x, y, 1 if seen."""

    picture: np.ndarray
    mask: np.ndarray
    keypoints: np.ndarray


def shoot(person: Person, outfit: Outfit, camera: Camera, rng: np.random.Generator, phase: float | None = None) -> Shot:
    """Take one picture, of a random pose or of this phase of a walk (in turns of the gait).

    Equal generators give the same place, view and light, so a walk is several phases with equal generators.
    """
    view = View(_yaw(rng), rng.uniform(*camera.elevation), rng.uniform(*camera.nearness))
    framing = Framing(rng.uniform(*camera.fill), (rng.normal(0, camera.shift), rng.normal(0, camera.shift * 0.4)))
    figure = draw_figure(person, outfit, _pose(person, rng, phase), view, framing, camera.light)
    colours, labels = _tables(person, outfit)
    parts = figure.canvas.parts
    shade = cv2.multiply(cv2.blur(figure.canvas.shade, (7, 7)), _folds(int(rng.integers(8))), scale=1 / 128)
    flat = cv2.applyColorMap(parts, colours[:, None])  # ten times as fast as a look-up in NumPy
    painted = cv2.multiply(flat, cv2.cvtColor(shade, cv2.COLOR_GRAY2RGB), scale=1 / FULL_LIGHT)
    painted = cv2.resize(painted, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    empty = cv2.compare(parts, 0, cv2.CMP_EQ)  # type: ignore[call-overload]  # OpenCV accepts a number, its type hints do not
    around = cv2.resize(empty, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    ground = crop_backdrop(camera, rng)
    _shadow(ground, figure.feet, figure.unit)
    picture = cv2.add(painted, cv2.multiply(ground, cv2.cvtColor(around, cv2.COLOR_GRAY2RGB), scale=1 / 255))
    if rng.random() < camera.softness:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 0.8))
    picture = cv2.LUT(picture, tint_table(camera, rng))
    grain = _grain(int(rng.integers(8)))
    picture = cv2.addWeighted(picture, 1.0, grain, camera.noise / 8.0, -128 * camera.noise / 8.0)
    return Shot(picture, labels[parts[::SCALE, ::SCALE]], figure.keypoints)


def _yaw(rng: np.random.Generator) -> float:
    """Draw any direction, but prefer that of a person who walks towards the camera."""
    return rng.normal(0, 40) if rng.random() < 0.7 else rng.uniform(-180, 180)


def _pose(person: Person, rng: np.random.Generator, phase: float | None) -> Pose:
    if phase is not None:
        return walking(person.gait, phase, rng)
    draw = rng.random()
    if draw < 0.7:
        return walking(person.gait, rng.random(), rng)
    if draw < 0.95:
        return standing(person.gait, rng)
    return bending(person.gait, rng)


def _tables(person: Person, outfit: Outfit) -> tuple[np.ndarray, np.ndarray]:
    """Return the colour [256, 3] and the LIP label [256] of every part."""
    upper, lower = outfit.upper, outfit.lower or outfit.upper
    skin, hair = np.array(person.skin), np.array(person.hair.colour)
    beard = 0.35 * skin + 0.65 * hair if person.face.beard == "stubble" else 0.9 * hair
    colour_of: dict[Part, ArrayLike] = {
        Part.HAT: outfit.hat_colour, Part.HAT_BRIM: np.array(outfit.hat_colour) * 0.8, Part.HAIR: hair,
        Part.HAIR_SECOND: person.hair.streak or hair, Part.GLOVE: outfit.gloves or skin, Part.GLASSES: (22, 22, 26),
        Part.UPPER: upper.colour, Part.UPPER_SECOND: upper.second, Part.INNER: outfit.inner or upper.colour,
        Part.LOWER: lower.colour, Part.LOWER_SECOND: lower.second, Part.SOCKS: outfit.socks,
        Part.SCARF: outfit.scarf or upper.colour, Part.FACE: skin, Part.L_ARM: skin, Part.R_ARM: skin,
        Part.L_LEG: skin, Part.R_LEG: skin, Part.L_SHOE: outfit.shoes, Part.R_SHOE: outfit.shoes, Part.BEARD: beard,
        Part.EYES: (30, 26, 26), Part.BROWS: hair * 0.7, Part.MOUTH: 0.5 * skin + 0.5 * np.array((150, 40, 50)),
        Part.BAG: outfit.bag_colour,
    }  # fmt: skip
    colours, labels = np.zeros((256, 3), np.uint8), np.zeros(256, np.uint8)
    for part, colour in colour_of.items():
        colours[part] = np.clip(colour, 0, 255)
    for part, label in LABELS.items():
        labels[part] = label
    labels[[Part.UPPER, Part.UPPER_SECOND]] = upper.label
    labels[[Part.LOWER, Part.LOWER_SECOND]] = lower.label
    return colours, labels


def _shadow(ground: np.ndarray, feet: np.ndarray, unit: float) -> None:
    """Darken the ground under the feet."""
    low = max(0, int(feet[1] - 0.04 * unit))
    strip = ground[low:]
    if not len(strip):
        return
    dark = np.full(strip.shape[:2], 255, np.uint8)
    box = ((float(feet[0]), float(feet[1]) - low), (0.36 * unit, 0.07 * unit), 0.0)
    cv2.ellipse(dark, box, 130, -1)
    ground[low:] = cv2.multiply(strip, cv2.cvtColor(cv2.blur(dark, (9, 5)), cv2.COLOR_GRAY2RGB), scale=1 / 255)


@lru_cache(maxsize=8)
def _folds(index: int) -> np.ndarray:
    """Return soft light and dark areas as folds make them, around 128, at drawing size."""
    rng = generator("folds", index)
    coarse = cv2.resize(rng.normal(0, 1, (28, 20)).astype(np.float32), (WIDTH * SCALE, HEIGHT * SCALE))
    fine = cv2.resize(rng.normal(0, 1, (80, 56)).astype(np.float32), (WIDTH * SCALE, HEIGHT * SCALE))
    return np.clip(128 + 10 * coarse + 6 * fine, 0, 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _grain(index: int) -> np.ndarray:
    """Return sensor noise around 128 with standard deviation 8."""
    noise = generator("grain", index).normal(128, 8, (HEIGHT, WIDTH, 3))
    return np.clip(np.rint(noise), 0, 255).astype(np.uint8)
