"""Outfits: garments with the LIP labels that a parser gives them, colours, patterns and carried things."""

import colorsys
from dataclasses import dataclass

import numpy as np

from rlq.data.lip import Lip

PATTERNS = ("plain", "stripes", "bars", "checks", "dots", "print", "two_tone")
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Garment:
    """One piece of clothing."""

    kind: str
    label: Lip
    colour: Colour
    second: Colour  # of the pattern
    pattern: str  # one of PATTERNS
    period: float  # of the pattern, as a share of the stature
    loose: float  # widens the body beneath it, 1 is tight
    length: float  # share of the leg covered below the hip
    sleeve: float = 0.0  # share of the arm covered


@dataclass(frozen=True, slots=True)
class Outfit:
    """Everything worn at one time."""

    upper: Garment
    lower: Garment | None  # a dress or jumpsuit has none
    inner: Colour | None  # the shirt in an open coat
    socks: Colour
    sock_height: float  # share of the shin
    shoes: Colour
    boots: float  # share of the shin
    bag: str  # none, backpack, shoulder, handbag
    bag_colour: Colour
    hat: str | None  # cap, beanie, brimmed
    hat_colour: Colour
    scarf: Colour | None
    gloves: Colour | None


def cloth_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour of clothes: often dark, white, grey or denim, otherwise any hue."""
    draw = rng.random()
    if draw < 0.32:
        value = int(rng.choice((18, 40, 90, 140, 190, 238)))
        red, green, blue = np.clip(value + rng.normal(0, 5, 3), 0, 255)
    else:
        hue = rng.random() if draw < 0.85 else rng.uniform(0.56, 0.66)
        tone = colorsys.hsv_to_rgb(hue, rng.uniform(0.35, 0.95), rng.uniform(0.25, 0.95))
        red, green, blue = (255 * part for part in tone)
    return int(red), int(green), int(blue)


def sample_outfit(rng: np.random.Generator, gender: str) -> Outfit:
    """Draw an outfit; the gender only changes how often skirts and dresses are drawn."""
    feminine = gender == "female"
    draw = rng.random()
    lower: Garment | None
    inner: Colour | None = None
    if feminine and draw < 0.14:
        upper, lower = _garment(rng, "dress", Lip.DRESS, (1.1, 1.5), (0.35, 0.95), (0.0, 0.6)), None
    elif draw < 0.18:
        upper, lower = _garment(rng, "jumpsuit", Lip.JUMPSUIT, (1.1, 1.4), (0.95, 0.97), (0.2, 1.0)), None
    else:
        upper = _upper(rng)
        lower = _lower(rng, feminine)
        if upper.kind == "coat" and rng.random() < 0.6:
            inner = cloth_colour(rng)
    cold = upper.kind == "coat"
    return Outfit(
        upper=upper,
        lower=lower,
        inner=inner,
        socks=cloth_colour(rng),
        sock_height=rng.uniform(0.05, 0.55),
        shoes=cloth_colour(rng),
        boots=rng.uniform(0.25, 0.6) if rng.random() < 0.15 else 0.0,
        bag=str(rng.choice(("none", "backpack", "shoulder", "handbag"), p=(0.55, 0.2, 0.13, 0.12))),
        bag_colour=cloth_colour(rng),
        hat=str(rng.choice(("cap", "beanie", "brimmed"))) if rng.random() < 0.05 else None,
        hat_colour=cloth_colour(rng),
        scarf=cloth_colour(rng) if rng.random() < (0.2 if cold else 0.04) else None,
        gloves=cloth_colour(rng) if rng.random() < (0.25 if cold else 0.02) else None,
    )


def _upper(rng: np.random.Generator) -> Garment:
    kind = str(rng.choice(("tshirt", "tank", "shirt", "jumper", "coat"), p=(0.3, 0.08, 0.22, 0.2, 0.2)))
    if kind == "coat":
        return _garment(rng, kind, Lip.COAT, (1.18, 1.42), (0.1, 0.6), (1.0, 1.0))
    sleeves = {"tshirt": (0.25, 0.45), "tank": (0.0, 0.02), "shirt": (0.5, 1.0), "jumper": (0.97, 1.0)}[kind]
    return _garment(rng, kind, Lip.UPPER_CLOTHES, (1.05, 1.3), (0.02, 0.14), sleeves)


def _lower(rng: np.random.Generator, feminine: bool) -> Garment:
    draw = rng.random()
    if draw < (0.25 if feminine else 0.01):
        return _garment(rng, "skirt", Lip.SKIRT, (1.1, 1.7), (0.3, 0.85), (0.0, 0.0))
    if draw < 0.45:
        return _garment(rng, "shorts", Lip.TROUSERS, (1.15, 1.5), (0.25, 0.55), (0.0, 0.0))
    return _garment(rng, "trousers", Lip.TROUSERS, (1.05, 1.6), (0.85, 0.98), (0.0, 0.0))


def _garment(
    rng: np.random.Generator,
    kind: str,
    label: Lip,
    loose: tuple[float, float],
    length: tuple[float, float],
    sleeve: tuple[float, float],
) -> Garment:
    patterned = 0.25 if label == Lip.TROUSERS else 0.5
    pattern = str(rng.choice(PATTERNS[1:])) if rng.random() < patterned else "plain"
    return Garment(
        kind=kind,
        label=label,
        colour=cloth_colour(rng),
        second=cloth_colour(rng),
        pattern=pattern,
        period=rng.uniform(0.03, 0.08),
        loose=rng.uniform(*loose),
        length=rng.uniform(*length),
        sleeve=rng.uniform(*sleeve),
    )
