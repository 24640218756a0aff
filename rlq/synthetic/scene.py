"""Cameras: backgrounds, light, and the tint and noise of the sensor."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from rlq.core.seeding import generator
from rlq.synthetic.canvas import HEIGHT, WIDTH

SCENE_HEIGHT, SCENE_WIDTH = 300, 640
KINDS = ("street", "corridor", "park", "shop", "parking", "plaza")


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. Pairs are ranges; `gain` multiplies red, green and blue, `gain_jitter` changes it per picture."""

    name: str
    kinds: tuple[str, ...]
    backdrops: int  # different places behind the people
    gain: tuple[float, float, float]
    gain_jitter: float
    brightness_jitter: float
    gamma: tuple[float, float]
    elevation: tuple[float, float]  # degrees
    nearness: tuple[float, float]
    fill: tuple[float, float]  # height of the figure over the height of the picture
    shift: float  # jitter of the crop, as a share of the picture
    light: tuple[float, float]  # direction of the light source, in picture coordinates
    noise: float  # grey levels
    softness: float  # share of pictures that are slightly out of focus


# The three cameras of the surveillance set: B resembles A; C shows other places in another light.
SURVEILLANCE = {
    "A": Camera(
        "A", ("corridor", "shop"), 6, (1.0, 1.0, 0.98), 0.015, 0.03, (0.97, 1.03),
        (4, 12), (0.1, 0.25), (0.86, 0.95), 0.02, (-0.7, -0.7), 3.0, 0.2,
    ),
    "B": Camera(
        "B", ("corridor", "plaza"), 6, (1.02, 1.0, 0.97), 0.015, 0.03, (0.97, 1.03),
        (2, 10), (0.1, 0.25), (0.86, 0.95), 0.02, (0.7, -0.6), 3.0, 0.2,
    ),
    "C": Camera(
        "C", ("street", "park", "parking"), 12, (0.88, 0.98, 1.10), 0.035, 0.08, (0.88, 1.12),
        (5, 16), (0.1, 0.3), (0.84, 0.95), 0.025, (0.1, -1.0), 5.0, 0.3,
    ),
}  # fmt: skip
# Careful photographs in many places.
PHOTOGRAPHER = Camera(
    "photo", KINDS, 36, (1.0, 1.0, 1.0), 0.05, 0.10, (0.88, 1.12),
    (-2, 14), (0.1, 0.35), (0.84, 0.96), 0.025, (-0.5, -0.8), 1.0, 0.0,
)  # fmt: skip


@lru_cache(maxsize=128)
def backdrop(kind: str, index: int) -> np.ndarray:
    """Return a wide RGB scene [300, 640, 3], which depends on the kind and the number only."""
    rng = generator("backdrop", kind, index)
    scene = {
        "street": _street, "corridor": _corridor, "park": _park, "shop": _shop, "parking": _parking, "plaza": _plaza,
    }[kind](rng)  # fmt: skip
    scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.6, 1.8))
    grain = cv2.resize(rng.normal(0, 9, (SCENE_HEIGHT // 4, SCENE_WIDTH // 4)).astype(np.float32), scene.shape[1::-1])
    return np.clip(scene.astype(np.float32) + grain[..., None], 0, 255).astype(np.uint8)


def crop_backdrop(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return a piece [256, 128, 3] of one of the camera's places, sometimes mirrored."""
    kind = camera.kinds[int(rng.integers(len(camera.kinds)))]
    scene = backdrop(kind, int(rng.integers(camera.backdrops)) * 100 + ord(camera.name[0]))
    y = int(rng.integers(SCENE_HEIGHT - HEIGHT))
    x = int(rng.integers(SCENE_WIDTH - WIDTH))
    piece = scene[y : y + HEIGHT, x : x + WIDTH]
    return np.ascontiguousarray(piece[:, ::-1] if rng.random() < 0.5 else piece)


def tint_table(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return the look-up table [1, 256, 3] of a picture's colour cast, brightness and gamma."""
    gain = np.array(camera.gain) * np.exp(rng.normal(0, camera.gain_jitter, 3))
    gain *= np.exp(rng.normal(0, camera.brightness_jitter))
    curve = (np.arange(256) / 255.0) ** rng.uniform(*camera.gamma)
    return np.clip(255 * curve[:, None] * gain, 0, 255).astype(np.uint8)[None]


def _canvas(rng: np.random.Generator, wall: np.ndarray, floor: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a wall above a floor, both with a gradient, and the row between them."""
    horizon = int(rng.uniform(0.5, 0.78) * SCENE_HEIGHT)
    scene = np.empty((SCENE_HEIGHT, SCENE_WIDTH, 3), np.float32)
    scene[:horizon] = wall * np.linspace(rng.uniform(0.8, 1.1), rng.uniform(0.75, 1.0), horizon)[:, None, None]
    below = SCENE_HEIGHT - horizon
    scene[horizon:] = floor * np.linspace(rng.uniform(0.7, 0.9), rng.uniform(0.95, 1.2), below)[:, None, None]
    return np.clip(scene, 0, 255).astype(np.uint8), horizon


def _tone(rng: np.random.Generator, low: float, high: float, colourful: float) -> np.ndarray:
    value = rng.uniform(low, high)
    return np.clip(value * (1 + 0.6 * colourful * rng.uniform(-1, 1, 3)), 0, 255)


def _paint(colour: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in colour)
    return red, green, blue


def _box(scene: np.ndarray, x: float, y: float, wide: float, high: float, colour: np.ndarray) -> None:
    cv2.rectangle(scene, (int(x), int(y)), (int(x + wide), int(y + high)), _paint(colour), -1)


def _tiles(scene: np.ndarray, horizon: int, rng: np.random.Generator, colour: np.ndarray) -> None:
    """Draw lines on the floor that meet at the horizon."""
    middle = int(rng.uniform(0, SCENE_WIDTH))
    for x in range(-SCENE_WIDTH, 2 * SCENE_WIDTH, int(rng.uniform(40, 110))):
        cv2.line(scene, (middle + (x - middle) // 4, horizon), (x, SCENE_HEIGHT), _paint(colour), 1)
    y, step = float(horizon), rng.uniform(4, 9)
    while y < SCENE_HEIGHT:
        cv2.line(scene, (0, int(y)), (SCENE_WIDTH, int(y)), _paint(colour), 1)
        y, step = y + step, step * 1.5


def _street(rng: np.random.Generator) -> np.ndarray:
    scene, horizon = _canvas(rng, _tone(rng, 120, 210, 0.25), _tone(rng, 90, 150, 0.06))
    x = 0.0
    while x < SCENE_WIDTH:
        wide = rng.uniform(70, 160)
        _box(scene, x, 0, wide, horizon, _tone(rng, 80, 200, 0.3))
        glass, step = _tone(rng, 40, 130, 0.2), rng.uniform(28, 46)
        for row in np.arange(10, horizon - 30, step * 1.3):
            for column in np.arange(x + 8, x + wide - 20, step):
                _box(scene, column, row, step * 0.5, step * 0.8, glass)
        x += wide
    for _ in range(int(rng.integers(1, 4))):
        _car(scene, rng, horizon)
    return scene


def _car(scene: np.ndarray, rng: np.random.Generator, horizon: int) -> None:
    x, size, colour = rng.uniform(0, SCENE_WIDTH), rng.uniform(60, 110), _tone(rng, 50, 210, 0.5)
    y = horizon - size * 0.2
    _box(scene, x, y, size, size * 0.28, colour)
    _box(scene, x + size * 0.2, y - size * 0.2, size * 0.55, size * 0.22, colour * 0.7)
    for wheel in (0.2, 0.8):
        cv2.circle(scene, (int(x + wheel * size), int(y + size * 0.3)), int(size * 0.1), (25, 25, 28), -1)


def _corridor(rng: np.random.Generator) -> np.ndarray:
    scene, horizon = _canvas(rng, _tone(rng, 150, 225, 0.12), _tone(rng, 100, 190, 0.12))
    _tiles(scene, horizon, rng, _tone(rng, 90, 170, 0.1))
    _box(scene, 0, horizon - 8, SCENE_WIDTH, 8, _tone(rng, 60, 140, 0.2))
    for x in np.arange(rng.uniform(0, 60), SCENE_WIDTH, rng.uniform(110, 190)):
        wide = rng.uniform(45, 70)
        if rng.random() < 0.6:
            _box(scene, x, horizon * 0.1, wide, horizon * 0.9, _tone(rng, 70, 180, 0.3))
            cv2.circle(scene, (int(x + wide * 0.85), int(horizon * 0.6)), 3, (200, 200, 190), -1)
        else:
            _box(scene, x, horizon * 0.25, wide, horizon * 0.3, _tone(rng, 80, 230, 0.5))
    return scene


def _park(rng: np.random.Generator) -> np.ndarray:
    grass = np.array([rng.uniform(60, 120), rng.uniform(100, 160), rng.uniform(40, 90)])
    scene, horizon = _canvas(rng, _tone(rng, 150, 230, 0.15), grass)
    for _ in range(26):
        leaf = np.array([rng.uniform(30, 110), rng.uniform(70, 150), rng.uniform(25, 80)])
        centre = (int(rng.uniform(0, SCENE_WIDTH)), int(rng.uniform(0.1, 1.0) * horizon))
        cv2.ellipse(scene, centre, (int(rng.uniform(20, 60)), int(rng.uniform(15, 50))), 0, 0, 360, _paint(leaf), -1)
    for x in rng.uniform(0, SCENE_WIDTH, 4):
        _box(scene, x, horizon * 0.3, rng.uniform(6, 14), horizon * 0.75, _tone(rng, 50, 100, 0.2))
    aside = int(rng.uniform(-150, 150))
    path = [(aside, SCENE_HEIGHT), (200 + aside, horizon), (330 + aside, horizon), (SCENE_WIDTH + aside, SCENE_HEIGHT)]
    cv2.fillPoly(scene, [np.array(path, np.int32)], _paint(_tone(rng, 130, 200, 0.08)))
    return scene


def _shop(rng: np.random.Generator) -> np.ndarray:
    scene, horizon = _canvas(rng, _tone(rng, 120, 200, 0.1), _tone(rng, 120, 200, 0.1))
    _tiles(scene, horizon, rng, _tone(rng, 110, 180, 0.1))
    for row in np.arange(10, horizon, rng.uniform(38, 55)):
        x = 0.0
        while x < SCENE_WIDTH:
            wide, high = rng.uniform(10, 34), rng.uniform(18, 34)
            _box(scene, x, row + 34 - high, wide - 2, high, _tone(rng, 50, 210, 0.55))
            x += wide
        _box(scene, 0, row + 34, SCENE_WIDTH, 4, _tone(rng, 80, 140, 0.1))
    return scene


def _parking(rng: np.random.Generator) -> np.ndarray:
    scene, horizon = _canvas(rng, _tone(rng, 90, 180, 0.2), _tone(rng, 70, 120, 0.06))
    for x in np.arange(0, SCENE_WIDTH, rng.uniform(60, 100)):
        cv2.line(scene, (int(x), horizon), (int(x * 1.3 - 80), SCENE_HEIGHT), (215, 215, 205), 3)
    for _ in range(7):
        _car(scene, rng, int(horizon + rng.uniform(-6, 16)))
    return scene


def _plaza(rng: np.random.Generator) -> np.ndarray:
    wall = _tone(rng, 110, 190, 0.25)
    scene, horizon = _canvas(rng, wall, _tone(rng, 120, 190, 0.1))
    for row, y in enumerate(range(0, horizon, 14)):
        cv2.line(scene, (0, y), (SCENE_WIDTH, y), _paint(wall * 0.8), 1)
        for x in range(14 * (row % 2), SCENE_WIDTH, 28):
            cv2.line(scene, (x, y), (x, min(y + 14, horizon)), _paint(wall * 0.8), 1)
    _tiles(scene, horizon, rng, _tone(rng, 90, 150, 0.1))
    for x in rng.uniform(0, SCENE_WIDTH, 4):
        _box(scene, x, 0, rng.uniform(14, 30), horizon + 6, _tone(rng, 90, 220, 0.15))
    return scene
