"""Identities: everything that stays when the clothes change, drawn from wide and independent ranges."""

from dataclasses import dataclass

import numpy as np

from rlq.synthetic.head import BEARDS, STYLES_FEMALE, STYLES_MALE, Face, Hair
from rlq.synthetic.skeleton import Gait, Proportions

GENDERS = ("female", "male")
AGES = ("young", "adult", "senior")
# RGB; the last ones are dyed.
HAIR_COLOURS = {
    "black": (26, 22, 24), "dark_brown": (62, 40, 28), "brown": (104, 66, 40), "light_brown": (146, 106, 70),
    "auburn": (134, 48, 30), "ginger": (208, 98, 34), "blond": (220, 182, 104), "platinum": (240, 226, 188),
    "grey": (146, 146, 150), "white": (232, 232, 236), "blue": (52, 92, 196), "green": (58, 150, 84),
    "pink": (226, 96, 158), "violet": (124, 62, 168),
}  # fmt: skip
NATURAL = ("black", "dark_brown", "brown", "light_brown", "auburn", "ginger", "blond", "platinum")
DYED = ("blue", "green", "pink", "violet")
SKINS = np.array(
    [(252, 220, 198), (240, 194, 162), (222, 170, 128), (190, 132, 92), (144, 94, 64), (96, 60, 42), (62, 40, 32)]
)


@dataclass(frozen=True, slots=True)
class Person:
    """An identity."""

    gender: str
    age: str
    skin: tuple[int, int, int]
    hair: Hair
    face: Face
    body: Proportions
    gait: Gait

    def truth(self) -> dict[str, float]:
        """Return the measurable biometrics by name, each in its own unit."""
        numbers = {f"body.{name}": getattr(self.body, name) for name in Proportions.__dataclass_fields__}
        numbers |= {f"gait.{name}": getattr(self.gait, name) for name in Gait.__dataclass_fields__}
        numbers |= {f"skin.{channel}": float(value) for channel, value in zip("rgb", self.skin, strict=True)}
        numbers |= {f"hair.{channel}": float(value) for channel, value in zip("rgb", self.hair.colour, strict=True)}
        return numbers


def sample_person(rng: np.random.Generator) -> Person:
    """Draw an identity."""
    male = bool(rng.random() < 0.5)
    age = AGES[int(rng.choice(3, p=(0.35, 0.4, 0.25)))]
    return Person(
        gender=GENDERS[male],
        age=age,
        skin=_skin(rng),
        hair=_hair(rng, male, age),
        face=_face(rng, male),
        body=_body(rng, male),
        gait=_gait(rng, age),
    )


def _skin(rng: np.random.Generator) -> tuple[int, int, int]:
    tone = rng.uniform(0, len(SKINS) - 1)
    low = min(int(tone), len(SKINS) - 2)
    colour = SKINS[low] + (tone - low) * (SKINS[low + 1] - SKINS[low]) + rng.normal(0, 5, 3)
    return _rgb(colour)


def _hair(rng: np.random.Generator, male: bool, age: str) -> Hair:
    style = str(rng.choice(STYLES_MALE if male else STYLES_FEMALE))
    draw = rng.random()
    if age == "senior":
        name = str(rng.choice(("grey", "white"))) if draw < 0.75 else str(rng.choice(NATURAL))
    else:
        name = str(rng.choice(DYED)) if draw < 0.12 else str(rng.choice(NATURAL))
    streak = None
    if rng.random() < 0.12:
        streak = HAIR_COLOURS[str(rng.choice(sorted(set(HAIR_COLOURS) - {name})))]
    colour = _rgb(np.array(HAIR_COLOURS[name]) + rng.normal(0, 7, 3))
    return Hair(style, colour, rng.uniform(0.8, 1.3), rng.uniform(0.7, 1.35), streak)


def _face(rng: np.random.Generator, male: bool) -> Face:
    return Face(
        beard=str(rng.choice(BEARDS, p=(0.4, 0.15, 0.13, 0.2, 0.12))) if male else "none",
        moustache=bool(male and rng.random() < 0.4),
        glasses=str(rng.choice(("none", "thin", "thick", "dark"), p=(0.6, 0.13, 0.17, 0.1))),
        brows=rng.uniform(0.6, 1.9),
        jaw=rng.uniform(0.75, 1.2),
        nose=rng.uniform(0.5, 1.6),
    )


def _body(rng: np.random.Generator, male: bool) -> Proportions:
    build = rng.uniform(0.68, 1.48)  # slight to heavy
    leg = rng.uniform(0.40, 0.56)
    return Proportions(
        leg=leg,
        torso=0.79 - leg + rng.uniform(-0.03, 0.03),
        neck=rng.uniform(0.02, 0.065),
        head=rng.uniform(0.104, 0.142),
        head_width=rng.uniform(0.68, 0.95),
        shoulder=(0.112 if male else 0.094) * rng.uniform(0.8, 1.25) * build**0.35,
        waist=(0.082 if male else 0.070) * rng.uniform(0.82, 1.2) * build**1.05,
        hip=(0.084 if male else 0.096) * rng.uniform(0.84, 1.2) * build**0.75,
        belly=rng.uniform(0.62, 0.8) * build**0.45,
        arm=rng.uniform(0.32, 0.42),
        limb=rng.uniform(0.8, 1.2) * build**0.6,
    )


def _gait(rng: np.random.Generator, age: str) -> Gait:
    old = age == "senior"
    return Gait(
        stride=rng.uniform(9, 24) if old else rng.uniform(12, 34),
        swing=rng.uniform(4, 40),
        elbow=rng.uniform(4, 55),
        lean=rng.uniform(4, 20) if old else rng.uniform(-6, 11),
        hunch=rng.uniform(0.1, 0.7) if old else rng.uniform(-0.05, 0.35),
        stance=rng.uniform(-1, 8),
        carry=rng.uniform(4, 24),
    )


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in np.clip(np.rint(colour), 0, 255))
    return red, green, blue
