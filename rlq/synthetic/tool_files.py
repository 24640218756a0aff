"""Results of other tools and versions: variants of AlphaPose's file, and masks in other label sets."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rlq.core.seeding import generator
from rlq.data.masks import PALETTE

HALPE_BODY = (0, (5, 6), (11, 12), 15, 16, 15, 16, 15, 16)  # 17..25: head, neck, hip, toes and heels
CROWDPOSE = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, (5, 6))
IDX_FORMS = (None, [0.0], [[0.0], [0.0]], 0)  # None: no such key

# LIP label -> ATR's. Gloves and socks have no side in LIP, so they become left arm and left leg.
LIP_TO_ATR = (0, 1, 2, 14, 3, 4, 7, 4, 12, 6, 7, 17, 5, 11, 14, 15, 12, 13, 9, 10)
# LIP label -> Pascal-Person-Part's: head, torso, upper and lower arms, upper and lower legs. It has no clothes.
LIP_TO_PASCAL = (0, 1, 1, 4, 1, 2, 2, 2, 6, 5, 2, 2, 5, 1, 3, 3, 6, 6, 6, 6)

Entry = dict[str, Any]  # one person as AlphaPose writes them


def to_atr(mask: np.ndarray) -> np.ndarray:
    """Convert LIP labels [H, W] to ATR's (0..17) [H, W]."""
    return np.array(LIP_TO_ATR, np.uint8)[mask]


def to_pascal(mask: np.ndarray) -> np.ndarray:
    """Convert LIP labels [H, W] to Pascal-Person-Part's (0..6) [H, W]."""
    return np.array(LIP_TO_PASCAL, np.uint8)[mask]


def write_small_palette_mask(path: Path, mask: np.ndarray) -> None:
    """Write labels below 16 [H, W] as a palette PNG of 4 bits per pixel."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE[: 3 * 16])
    image.save(path, bits=4)


def write_rgb_mask(path: Path, mask: np.ndarray) -> None:
    """Write the colours of labels [H, W], which readers must refuse."""
    Image.fromarray(np.array(PALETTE, np.uint8).reshape(256, 3)[mask]).save(path)


def write_keypoints(path: Path, entries: Sequence[Entry], oddities: Collection[str] = ()) -> None:
    """Write AlphaPose's result file: a flat list, or a variant with the given KEYPOINT_ODDITIES."""
    people = list(entries)
    if "large_bystanders" in oddities:
        people = [
            person
            for number, entry in enumerate(entries)
            for person in ([_bystander(entry), entry] if number % 3 == 0 else [entry])
        ]
    people = [_odd_entry(dict(entry), number, oddities) for number, entry in enumerate(people)]
    if "nan_joint" in oddities and people:
        people[0]["keypoints"] = [float("nan"), *people[0]["keypoints"][1:]]
    if "shuffled_entries" in oddities:
        people = [people[place] for place in generator("shuffled entries", len(people)).permutation(len(people))]
    content: Any = people
    if "keyed_by_picture" in oddities:
        content = {}
        for person in people:
            content.setdefault(person.pop("image_id"), []).append(person)
    text = json.dumps(content)
    path.write_text(text[: len(text) // 2] if "broken_json" in oddities else text, encoding="utf-8")


def _bystander(entry: Entry) -> Entry:
    """Return a person 1.5 times as large, with half the score."""
    joints = np.array(entry["keypoints"]).reshape(17, 3) * (1.5, 1.5, 0.5)
    box = [round(1.5 * number, 2) for number in entry["box"]]
    return entry | {"keypoints": joints.round(4).ravel().tolist(), "box": box, "score": round(0.5 * entry["score"], 4)}


def _odd_entry(entry: Entry, number: int, oddities: Collection[str]) -> Entry:
    joints = np.array(entry["keypoints"]).reshape(17, 3)
    if "joints_outside" in oddities:
        joints[number % 17, :2] = (-12.5, -40.0) if number % 2 else (5000.0, 6000.0)
    if "joints_14" in oddities:
        joints = remapped(joints, CROWDPOSE)
    if "joints_26" in oddities or "joints_136" in oddities:
        joints = np.concatenate([joints, remapped(joints, HALPE_BODY)])
    if "joints_136" in oddities:  # 68 of the face, 21 of each hand
        joints = np.concatenate([joints, joints[[0] * 68], joints[[9] * 21], joints[[10] * 21]])
    entry["keypoints"] = joints.ravel().tolist()
    if "without_box" in oddities:
        del entry["box"]
    if "idx_forms" in oddities:
        form = IDX_FORMS[number % len(IDX_FORMS)]
        entry = {name: value for name, value in entry.items() if name != "idx"}
        entry |= {} if form is None else {"idx": form}
    return entry


def remapped(joints: np.ndarray, sources: Sequence[int | tuple[int, int]]) -> np.ndarray:
    """Convert COCO's joints [17, 3] to another skeleton [len(sources), 3].

    The confidence of a midpoint is the smaller one of its two joints.
    """
    rows = []
    for source in sources:
        chosen = joints[list(source) if isinstance(source, tuple) else [source]]
        rows.append([*chosen[:, :2].mean(axis=0), chosen[:, 2].min()])
    return np.array(rows)
