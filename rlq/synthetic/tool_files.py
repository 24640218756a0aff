"""Results of other tools and of other versions of them: forms of AlphaPose, OpenPose, COCO, and other label sets."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.masks import PALETTE

# Where each joint of OpenPose's two skeletons comes from: a COCO joint, the middle of two, or one of another's.
BODY_25 = (
    0, (5, 6), 6, 8, 10, 5, 7, 9, (11, 12), 12, 14, 16, 11, 13, 15, 2, 1, 4, 3, 15, 15, 15, 16, 16, 16,
)  # fmt: skip
COCO_18 = (0, (5, 6), 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
OPENPOSE = {"body_25": ("pose_keypoints_2d", BODY_25, 1.2), "coco_18": ("pose_keypoints", COCO_18, 1.0)}
HALPE_BODY = (0, (5, 6), (11, 12), 15, 16, 15, 16, 15, 16)  # 17..25: head, neck, hip, toes and heels
CROWDPOSE = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, (5, 6))
COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
IDX_FORMS = (None, [0.0], [[0.0], [0.0]], 0)  # None: no such key

# LIP label -> ATR's. Gloves and socks have no side in LIP: they become left arm and left leg.
LIP_TO_ATR = (0, 1, 2, 14, 3, 4, 7, 4, 12, 6, 7, 17, 5, 11, 14, 15, 12, 13, 9, 10)
# LIP label -> Pascal-Person-Part's: head, torso, upper and lower arms, upper and lower legs. It knows no clothes.
LIP_TO_PASCAL = (0, 1, 1, 4, 1, 2, 2, 2, 6, 5, 2, 2, 5, 1, 3, 3, 6, 6, 6, 6)

Entry = dict[str, Any]  # one person as AlphaPose writes them


def to_atr(mask: np.ndarray) -> np.ndarray:
    """ATR labels (0..17) [H, W] of LIP labels [H, W]."""
    return np.array(LIP_TO_ATR, np.uint8)[mask]


def to_pascal(mask: np.ndarray) -> np.ndarray:
    """Pascal-Person-Part labels (0..6) [H, W] of LIP labels [H, W]."""
    return np.array(LIP_TO_PASCAL, np.uint8)[mask]


def write_small_palette_mask(path: Path, mask: np.ndarray) -> None:
    """Labels below 16 [H, W] as a palette PNG of 4 bits per pixel."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE[: 3 * 16])
    image.save(path, bits=4)


def write_rgb_mask(path: Path, mask: np.ndarray) -> None:
    """The colours of labels [H, W], which no reader should take for labels."""
    Image.fromarray(np.array(PALETTE, np.uint8).reshape(256, 3)[mask]).save(path)


def write_keypoints(path: Path, entries: Sequence[Entry], oddities: Collection[str] = ()) -> None:
    """AlphaPose's result file: a flat list, or as those of KEYPOINT_ODDITIES have it that are asked for."""
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
    """Half as large again, at half the score."""
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
    """COCO's joints [17, 3] in another skeleton [len(sources), 3]; a middle is as sure as the worse of its two."""
    rows = []
    for source in sources:
        chosen = joints[list(source) if isinstance(source, tuple) else [source]]
        rows.append([*chosen[:, :2].mean(axis=0), chosen[:, 2].min()])
    return np.array(rows)


def write_openpose(folder: Path, pictures: Sequence[str], entries: Sequence[Entry], form: str = "body_25") -> None:
    """A file per picture, `<stem>_keypoints.json`, also where nobody was found; joints of confidence 0 are 0, 0, 0.

    `form` is body_25 (version 1.2, 25 joints) or coco_18 (version 1.0, 18 joints).
    """
    key, sources, version = OPENPOSE[form]
    people: dict[str, list[dict[str, Any]]] = {picture: [] for picture in pictures}
    for entry in entries:
        joints = remapped(np.array(entry["keypoints"]).reshape(17, 3), sources)
        joints[joints[:, 2] == 0] = 0
        people[entry["image_id"]].append({key: joints.round(3).ravel().tolist()})
    folder.mkdir(parents=True, exist_ok=True)
    for picture, found in people.items():
        path = folder / f"{Path(picture).stem}_keypoints.json"
        if path.exists():
            raise DataError(f"{path} is there already: OpenPose names files by stem, and several pictures share one")
        path.write_text(json.dumps({"version": version, "people": found}), encoding="utf-8")


def write_coco(path: Path, sizes: Mapping[str, tuple[int, int]], entries: Sequence[Entry]) -> None:
    """Keypoint annotations as COCO has them, with flags 0, 1, 2 for confidences; `sizes`: name -> height, width.

    The last picture has one more entry, without any joint.
    """
    numbers = {name: number for number, name in enumerate(sizes, start=1)}
    images = [
        {"id": numbers[name], "file_name": name, "height": height, "width": width}
        for name, (height, width) in sizes.items()
    ]
    annotations = [_annotation(numbers[entry["image_id"]], entry) for entry in entries]
    nobody = {"image_id": len(numbers), "keypoints": [0] * 51, "num_keypoints": 0, "bbox": [0.0, 0.0, 4.0, 4.0]}
    annotations.append(nobody | {"category_id": 1, "area": 16.0, "iscrowd": 0})
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": COCO_NAMES}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    path.write_text(json.dumps(content), encoding="utf-8")


def _annotation(image: int, entry: Entry) -> dict[str, Any]:
    joints = np.array(entry["keypoints"]).reshape(17, 3)
    flags = np.where(joints[:, 2] == 0, 0, np.where(joints[:, 2] < 0.5, 1, 2))
    joints[flags == 0] = 0
    rows = np.column_stack([joints[:, :2].round(), flags]).astype(int)
    box = [float(number) for number in entry["box"]]
    return {
        "image_id": image,
        "category_id": 1,
        "keypoints": rows.ravel().tolist(),
        "num_keypoints": int((flags > 0).sum()),
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
    }
