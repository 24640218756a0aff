"""The canvas of a figure: an image of parts and an image of shade, at twice the final resolution.

Every part is an index into a table of LIP labels and colours, so drawing needs a single channel, and a pattern is drawn
by replacing one index by another.
"""

from enum import IntEnum

import cv2
import numpy as np

WIDTH, HEIGHT = 128, 256
SCALE = 2  # figures are drawn larger and then averaged, which gives smooth edges without blending each stroke
FULL_LIGHT = 160  # the shade value that leaves a colour unchanged
CAP_ANGLES = np.radians([30.0, 60.0, 90.0, 120.0, 150.0])
# Shade of the rings of a limb, from the rim inwards: (size, brightness).
RINGS = ((1.0, 0.68), (0.86, 0.81), (0.68, 0.93), (0.4, 1.04))


class Part(IntEnum):
    """The parts of a figure; each has its own colour."""

    NOTHING = 0
    HAT = 1
    HAIR = 2
    GLOVE = 3
    GLASSES = 4
    UPPER = 5
    UPPER_SECOND = 6
    INNER = 7
    LOWER = 8
    LOWER_SECOND = 9
    SOCKS = 10
    SCARF = 11
    FACE = 12
    L_ARM = 13
    R_ARM = 14
    L_LEG = 15
    R_LEG = 16
    L_SHOE = 17
    R_SHOE = 18
    BEARD = 19
    EYES = 20
    BROWS = 21
    MOUTH = 22
    BAG = 23
    HAT_BRIM = 24
    HAIR_SECOND = 25


class Canvas:
    """Parts and shade of one figure, drawn from back to front."""

    def __init__(self, light: tuple[float, float]) -> None:
        self.parts = np.zeros((HEIGHT * SCALE, WIDTH * SCALE), np.uint8)
        # Dark where nothing is drawn, so that softening the shade leaves no bright rim.
        self.shade = np.full((HEIGHT * SCALE, WIDTH * SCALE), FULL_LIGHT * 6 // 10, np.uint8)
        self.light = np.array(light)  # towards the light, in picture coordinates

    def tube(
        self, points: np.ndarray, radii: np.ndarray, part: Part, caps: float = 1.0, brightness: float = 1.0
    ) -> None:
        """Draw a stack of discs: points [n, 2] in pixels, radii [n], rounded ends of `caps` times the radius."""
        sizes = np.array([size for size, _ in RINGS])[:, None]  # [K, 1]
        ringed = sizes * radii  # [K, n]
        shifted = points + self.light * ((1 - sizes) * radii * 0.45)[..., None]  # [K, n, 2]
        outlines = np.rint(outline(shifted, ringed, caps)).astype(np.int32)  # [K, P, 2]
        cv2.fillPoly(self.parts, [outlines[0]], int(part))
        for polygon, (_, shade) in zip(outlines, RINGS, strict=True):
            cv2.fillPoly(self.shade, [polygon], round(FULL_LIGHT * shade * brightness))

    def patch(self, polygon: np.ndarray, part: Part, brightness: float | None = 1.0) -> None:
        """Draw a polygon [n, 2] in pixels; brightness None leaves the shade unchanged."""
        corners = [np.rint(polygon).astype(np.int32)]
        cv2.fillPoly(self.parts, corners, int(part))
        if brightness is not None:
            cv2.fillPoly(self.shade, corners, round(FULL_LIGHT * brightness))

    def ball(self, centre: np.ndarray, axes: tuple[float, float], part: Part, brightness: float = 1.0) -> None:
        """Draw an upright ellipse, shaded like a sphere."""
        for index, (size, shade) in enumerate(RINGS):
            x, y = centre + self.light * (1 - size) * min(axes) * 0.45
            box = ((float(x), float(y)), (2 * size * axes[0], 2 * size * axes[1]), 0.0)
            if index == 0:
                cv2.ellipse(self.parts, box, int(part), -1)
            cv2.ellipse(self.shade, box, round(FULL_LIGHT * shade * brightness), -1)

    def dot(self, centre: np.ndarray, axes: tuple[float, float], part: Part) -> None:
        """Draw a small flat ellipse, leaving the shade unchanged."""
        box = ((float(centre[0]), float(centre[1])), (max(1.5, 2 * axes[0]), max(1.5, 2 * axes[1])), 0.0)
        cv2.ellipse(self.parts, box, int(part), -1)

    def line(self, points: np.ndarray, width: float, part: Part) -> None:
        """Draw a flat open line [n, 2], leaving the shade unchanged."""
        cv2.polylines(self.parts, [np.rint(points).astype(np.int32)], False, int(part), max(1, round(width)))


def outline(points: np.ndarray, radii: np.ndarray, caps: float) -> np.ndarray:
    """Return the outlines [..., 2n + 10, 2] of stacks of discs: points [..., n, 2], radii [..., n]."""
    along = points[..., -1, :] - points[..., 0, :]
    along = along / (np.linalg.norm(along, axis=-1, keepdims=True) + 1e-6)  # [..., 2]
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    side = across[..., None, :] * radii[..., None]  # [..., n, 2]

    def cap(end: int, direction: float) -> np.ndarray:
        radius = radii[..., end, None, None]
        turn = np.cos(CAP_ANGLES)[:, None] * across[..., None, :] * direction
        reach = np.sin(CAP_ANGLES)[:, None] * along[..., None, :] * direction * caps
        return points[..., end, None, :] + radius * (turn + reach)

    return np.concatenate(
        [points + side, cap(-1, 1.0), (points - side)[..., ::-1, :], cap(0, -1.0)],
        axis=-2,
    )


def below(point: np.ndarray, pixels: float) -> np.ndarray:
    """Return the place this many pixels below a point [2]."""
    return point + np.array([0.0, pixels])
