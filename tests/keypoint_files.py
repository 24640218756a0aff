"""Write keypoints as OpenPose and COCO do, for tests of the readers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlq.core.errors import DataError
from rlq.synthetic.tool_files import Entry, remapped

# Where each joint of OpenPose's two skeletons comes from: a COCO joint, the middle of two, or one of another's.
BODY_25 = (
    0, (5, 6), 6, 8, 10, 5, 7, 9, (11, 12), 12, 14, 16, 11, 13, 15, 2, 1, 4, 3, 15, 15, 15, 16, 16, 16,
)  # fmt: skip
COCO_18 = (0, (5, 6), 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
OPENPOSE = {"body_25": ("pose_keypoints_2d", BODY_25, 1.2), "coco_18": ("pose_keypoints", COCO_18, 1.0)}
COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


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
