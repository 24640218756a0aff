"""Head, hair and face, drawn on an ellipsoid so that they are correct in every view."""

from dataclasses import dataclass
from math import cos, hypot, radians, sin

import cv2
import numpy as np

from rlq.synthetic.canvas import Canvas, Part, below
from rlq.synthetic.skeleton import Joint, Proportions

STYLES_MALE = ("bald", "fringe_of_hair", "crew", "short", "quiff", "curly", "afro", "mohawk", "mop", "long", "man_bun")
STYLES_FEMALE = (
    "crew",
    "bob",
    "long",
    "very_long",
    "ponytail",
    "high_ponytail",
    "bun",
    "curly",
    "afro",
    "pigtails",
    "mop",
)
BEARDS = ("none", "stubble", "goatee", "full", "long")
# style: (thickness of the cap, elevation of the hairline at the forehead, azimuth of the hairline at the temple,
#         elevation down to which the sides reach)
CAPS = {
    "bald": (0.0, 90.0, 180.0, 90.0),
    "fringe_of_hair": (0.05, 90.0, 100.0, -20.0),
    "crew": (0.05, 46.0, 72.0, 0.0),
    "short": (0.13, 40.0, 68.0, -8.0),
    "quiff": (0.10, 50.0, 70.0, -5.0),
    "curly": (0.26, 34.0, 62.0, -30.0),
    "afro": (0.50, 40.0, 66.0, -35.0),
    "mohawk": (0.02, 55.0, 95.0, 0.0),
    "mop": (0.24, 20.0, 56.0, -25.0),
    "long": (0.16, 42.0, 52.0, -60.0),
    "very_long": (0.16, 46.0, 50.0, -60.0),
    "man_bun": (0.07, 50.0, 74.0, -12.0),
    "bob": (0.24, 26.0, 46.0, -60.0),
    "ponytail": (0.08, 48.0, 74.0, -15.0),
    "high_ponytail": (0.08, 50.0, 74.0, -12.0),
    "bun": (0.08, 48.0, 74.0, -12.0),
    "pigtails": (0.09, 40.0, 70.0, -15.0),
}
TAILS = ("long", "very_long", "ponytail", "high_ponytail", "pigtails")
RING_ANGLES = [radians(angle) for angle in range(0, 361, 45)]


@dataclass(frozen=True, slots=True)
class Hair:
    """Style (a key of CAPS), colour and amount."""

    style: str
    colour: tuple[int, int, int]
    volume: float  # multiplies thickness and tails
    length: float  # multiplies the length of tails and long hair
    streak: tuple[int, int, int] | None  # colour of the ends or the crown


@dataclass(frozen=True, slots=True)
class Face:
    """The features that are visible in a face of ten pixels."""

    beard: str  # one of BEARDS
    moustache: bool
    glasses: str  # none, thin, thick or dark
    brows: float  # thickness
    jaw: float  # width of the jaw, 1 is average
    nose: float  # reach of the nose


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """The head's ellipsoid in the picture: centre in pixels, semi-axes in pixels, rotation to the camera frame."""

    centre: np.ndarray
    axes: np.ndarray  # [3]: left, up, forward
    rotation: np.ndarray

    def surface(self, spots: np.ndarray, grow: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Return picture positions [n, 2] and facing (> 0: towards the camera) of (azimuth, elevation) in degrees."""
        azimuth, elevation = np.radians(spots[:, 0]), np.radians(spots[:, 1])
        level = np.cos(elevation)
        unit = np.stack([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level], axis=1)
        seen = (unit * self.axes * grow) @ self.rotation.T  # [n, 3]
        facing = (unit / self.axes) @ self.rotation[2] * self.axes.mean()
        return self.centre + seen[:, :2] * [1, -1], facing

    def point(self, left: float, up: float, forward: float) -> np.ndarray:
        """Return the picture position of a place given in semi-axes from the centre."""
        seen = self.rotation @ (np.array([left, up, forward]) * self.axes)
        return self.centre + seen[:2] * [1, -1]

    def silhouette(self) -> tuple[float, float]:
        """Return half the width and half the height of the head in this view."""
        return float(np.linalg.norm(self.rotation[0] * self.axes)), float(np.linalg.norm(self.rotation[1] * self.axes))

    def chart(self) -> "Chart":
        """Return the azimuth and elevation of every pixel of the head in this view."""
        wide, high = self.silhouette()
        left, top = int(self.centre[0] - wide), int(self.centre[1] - high)
        columns = (np.arange(left, left + 2 * wide + 2) - self.centre[0]) / wide
        rows = -(np.arange(top, top + 2 * high + 2) - self.centre[1]) / high
        across, up = np.meshgrid(columns, rows)
        out = np.sqrt(np.maximum(0.0, 1 - across**2 - up**2))  # towards the camera
        unit = np.stack([across, up, out], axis=-1) @ self.rotation  # [h, w, 3] in the head's own frame
        azimuth = np.degrees(np.arctan2(unit[..., 0], unit[..., 2]))
        elevation = np.degrees(np.arcsin(np.clip(unit[..., 1], -1, 1)))
        return Chart(left, top, np.abs(azimuth), elevation, across**2 + up**2 < 1)


@dataclass(frozen=True, slots=True)
class Chart:
    """The place on the head of each pixel of a window; azimuths are counted from the nose in both directions."""

    left: int
    top: int
    azimuth: np.ndarray  # [h, w] degrees, 0 to 180
    elevation: np.ndarray  # [h, w] degrees
    inside: np.ndarray  # [h, w]

    def paint(self, canvas: Canvas, where: np.ndarray, part: Part) -> None:
        """Assign the head's pixels where `where` [h, w] is true to a part; the shade stays."""
        y, x = max(0, self.top), max(0, self.left)
        window = canvas.parts[y : self.top + where.shape[0], x : self.left + where.shape[1]]
        chosen = (where & self.inside)[y - self.top :, x - self.left :][: window.shape[0], : window.shape[1]]
        window[chosen] = part


def head_frame(body: Proportions, placed: np.ndarray, unit: float, rotation: np.ndarray) -> HeadFrame:
    """Return the frame of a head; `placed` [18, 2] joints in pixels, `unit` pixels per stature."""
    high = body.head * unit
    wide = high * body.head_width
    return HeadFrame(placed[Joint.HEAD], np.array([wide, high, wide * 1.12]), rotation)


def draw_tails(canvas: Canvas, hair: Hair, frame: HeadFrame) -> None:
    """Draw the hair that hangs behind the head, which is behind or in front of the trunk, depending on the view."""
    wide, high = frame.axes[0], frame.axes[1]
    thick = hair.volume
    ends = Part.HAIR_SECOND if hair.streak else Part.HAIR
    if hair.style in ("long", "very_long"):
        drop = (1.9 if hair.style == "long" else 3.1) * hair.length
        top, bottom = frame.point(0, 0.2, -0.5), below(frame.point(0, 0.2, -0.65), drop * high)
        middle = (top + bottom) / 2
        spread = hypot(frame.rotation[0, 0] * wide, 0.75 * frame.rotation[0, 2] * wide)
        canvas.tube(np.stack([top, middle, bottom]), spread * np.array([1.1, 1.2, 0.95]) * thick, Part.HAIR, 0.5)
        if hair.streak:
            canvas.tube(np.stack([middle, bottom]), spread * np.array([1.2, 0.95]) * thick, ends, 0.5)
    elif hair.style == "bob":
        top, bottom = frame.point(0, 0.2, -0.25), below(frame.point(0, 0.1, -0.3), hair.length * high)
        spread = hypot(frame.rotation[0, 0] * wide, 0.9 * frame.rotation[0, 2] * wide)
        canvas.tube(np.stack([top, bottom]), spread * np.array([1.15, 1.35]) * thick, Part.HAIR, 0.3)
    elif hair.style in ("ponytail", "high_ponytail"):
        rise = 0.1 if hair.style == "ponytail" else 0.85
        root = frame.point(0, rise, -1.05)
        bow = frame.point(0, rise + 0.1, -1.75)
        tip = below(frame.point(0, rise, -1.6), 2.1 * hair.length * high)
        canvas.tube(np.stack([root, bow]), wide * np.array([0.3, 0.42]) * thick, Part.HAIR)
        canvas.tube(np.stack([bow, tip]), wide * np.array([0.45, 0.22]) * thick, ends)
    elif hair.style == "pigtails":
        for side in (1, -1):
            root = frame.point(side * 1.1, -0.1, -0.35)
            tip = below(frame.point(side * 1.45, -0.4, -0.35), 1.3 * hair.length * high)
            canvas.tube(np.stack([root, tip]), wide * np.array([0.3, 0.32]) * thick, ends)


def draw_head(canvas: Canvas, hair: Hair, face: Face, frame: HeadFrame, hat: str | None) -> None:
    """Draw the cap of hair, the face with its features, and a hat under which hair stays visible."""
    wide, high = frame.silhouette()
    thickness, forehead, temple, sides = CAPS[hair.style]
    thickness *= hair.volume
    if hair.style == "bun":
        canvas.ball(frame.point(0, 0.95, -0.75), (0.5 * wide * hair.volume, 0.42 * high * hair.volume), Part.HAIR)
    if hair.style == "man_bun":
        canvas.ball(frame.point(0, 0.55, -1.2), (0.36 * wide * hair.volume, 0.32 * high * hair.volume), Part.HAIR)
    if thickness == 0 or hair.style in ("mohawk", "fringe_of_hair"):
        canvas.ball(frame.centre, (wide, high), Part.FACE)
    else:
        lift = frame.point(0, 0.25 * thickness, -0.35 * thickness)
        canvas.ball(lift, (wide * (1 + thickness), high * (1 + 0.75 * thickness)), Part.HAIR)
        if hair.streak and hair.style not in TAILS:
            crown = frame.point(0, 0.75 + 0.7 * thickness, -0.1)
            canvas.dot(crown, (0.6 * wide, 0.3 * high), Part.HAIR_SECOND)
    chart = frame.chart()
    if hair.style == "fringe_of_hair":
        ring = (chart.azimuth > temple - 20) & (chart.elevation > -38) & (chart.elevation < 28)
        chart.paint(canvas, ring, Part.HAIR)
    elif forehead < 90:
        low = temple + 8 if sides > -40 else temple
        bound = np.interp(
            chart.elevation,
            [-90, -66, -48, min(sides, -1.0), 0.0, 0.55 * forehead, 0.93 * forehead, forehead],
            [50, 58, 0.9 * temple * face.jaw, low, temple, 0.85 * temple, 0.5 * temple, 0],
        )
        chart.paint(canvas, chart.azimuth < bound, Part.FACE)
    if hair.style == "mohawk":
        crest = np.array([(0, 48), (0, 70), (0, 89), (180, 60), (180, 30), (180, 5)], float)
        inner, _ = frame.surface(crest, 0.9)
        outer, _ = frame.surface(crest, 1.0 + 0.5 * hair.volume)
        canvas.patch(np.concatenate([inner, outer[::-1]]), Part.HAIR, 0.95)
        canvas.line((inner + outer) / 2, 0.36 * frame.axes[0], Part.HAIR)
    if hair.style == "quiff":
        canvas.ball(frame.point(0, 0.95, 0.55), (0.75 * wide * hair.volume, 0.32 * high * hair.volume), Part.HAIR)
    _features(canvas, frame, chart, face)
    if hat is not None:
        _hat(canvas, frame, hat, thickness)


def _features(canvas: Canvas, frame: HeadFrame, chart: Chart, face: Face) -> None:
    wide, high = frame.axes[0], frame.axes[1]
    if face.beard in ("full", "long", "stubble"):
        top = -18.0 if face.beard != "stubble" else -24.0
        edge = np.interp(chart.azimuth, [0, 16, 40, 78], [top - 6, top, top, 2.0])
        chart.paint(canvas, (chart.elevation < edge) & (chart.azimuth < 78), Part.BEARD)
        if face.beard == "long" and frame.rotation[2, 2] > -0.3:
            chin = frame.point(0, -0.8, 0.6)
            canvas.tube(np.stack([chin, below(chin, 0.75 * high)]), wide * np.array([0.62, 0.35]), Part.BEARD)
    elif face.beard == "goatee":
        chart.paint(canvas, (chart.azimuth < 24) & (chart.elevation < -40), Part.BEARD)
    if face.moustache:
        middle = -20 - 0.25 * chart.azimuth
        chart.paint(canvas, (np.abs(chart.elevation - middle) < 7) & (chart.azimuth < 34), Part.BEARD)
    spots = np.array([(-22, 8), (22, 8), (-22, 24), (22, 24), (0, -6), (0, -36), (-95, 2), (95, 2)], float)
    at, facing = frame.surface(spots)
    if facing[5] > 0.2:
        canvas.dot(at[5], (0.24 * wide * max(0.3, facing[5]), 0.05 * high), Part.MOUTH)
    for eye in (0, 1):
        if facing[eye] > 0.15:
            squeeze = min(1.0, 0.35 + facing[eye])
            canvas.dot(at[eye], (0.11 * wide * squeeze, 0.06 * high), Part.EYES)
            canvas.dot(at[eye + 2], (0.2 * wide * squeeze, 0.055 * high * face.brows), Part.BROWS)
            if face.glasses == "dark":
                canvas.dot(at[eye], (0.32 * wide * squeeze, 0.19 * high), Part.GLASSES)
            elif face.glasses != "none":
                ring = np.array([(sin(a) * 0.29 * wide * squeeze, cos(a) * 0.19 * high) for a in RING_ANGLES])
                canvas.line(at[eye] + ring, 0.07 * high * (1.9 if face.glasses == "thick" else 1.0), Part.GLASSES)
    if face.glasses != "none":
        for eye, ear in ((0, 6), (1, 7)):
            if facing[eye] > -0.1 and facing[ear] > -0.1:
                canvas.line(np.stack([at[eye], at[ear]]), 0.07 * high, Part.GLASSES)
        if facing[0] > 0 and facing[1] > 0:
            canvas.line(at[:2], 0.07 * high, Part.GLASSES)
    if abs(frame.rotation[0, 2]) > 0.4:  # the nose stands out of the profile
        root, tip, base = (
            frame.point(0, 0.12, 0.98),
            frame.point(0, -0.2, 1.0 + 0.24 * face.nose),
            frame.point(0, -0.3, 0.95),
        )
        if frame.rotation[2, 2] > -0.3:
            canvas.patch(np.stack([root, tip, base]), Part.FACE, 1.0)


def _hat(canvas: Canvas, frame: HeadFrame, hat: str, thickness: float) -> None:
    rim = np.array([(azimuth, 42.0) for azimuth in range(0, 360, 30)], float)
    top = np.array([(azimuth, 66.0) for azimuth in range(0, 360, 30)], float)
    grow = 1.06 + thickness
    base, _ = frame.surface(rim, grow)
    crown, _ = frame.surface(top, grow * (1.25 if hat == "beanie" else 1.12))
    hull = np.concatenate([base, crown])
    canvas.patch(_hull(hull), Part.HAT, 0.9)
    if hat == "cap":
        brim, _ = frame.surface(np.array([(-55, 40), (-30, 38), (0, 36), (30, 38), (55, 40)], float), grow)
        reach, _ = frame.surface(np.array([(30, 30), (0, 28), (-30, 30)], float), grow * 1.6)
        if frame.rotation[2, 2] > -0.5:
            canvas.patch(_hull(np.concatenate([brim, reach])), Part.HAT_BRIM, 0.85)
    elif hat == "brimmed":
        wide, _ = frame.surface(rim, grow * 1.45)
        canvas.patch(_hull(wide + (base.mean(axis=0) - wide.mean(axis=0))), Part.HAT_BRIM, 0.85)
        canvas.patch(_hull(np.concatenate([crown, base])), Part.HAT, 0.95)


def _hull(points: np.ndarray) -> np.ndarray:
    return cv2.convexHull(points.astype(np.float32))[:, 0]
