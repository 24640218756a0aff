"""Oddities of real files, by name. A synthetic data set has none of them by default."""

from collections.abc import Collection, Mapping

from rlq.core.errors import SettingsError

# Variants of AlphaPose's result file, keypoints.json.
KEYPOINT_ODDITIES = {
    "joints_14": "14 joints per person, CrowdPose's, which differ from COCO's",
    "joints_26": "26 joints per person, the first 17 are COCO's",
    "joints_136": "136 joints per person, the first 17 are COCO's",
    "keyed_by_picture": "people keyed by picture in place of a flat list",
    "idx_forms": "idx absent, [0.0], [[0.0], [0.0]] or a number, in turn",
    "without_box": "no boxes, as in older versions",
    "nan_joint": "a coordinate of the first person is NaN",
    "large_bystanders": "larger people with lower scores before every third one",
    "joints_outside": "joints far outside of their box and below 0",
    "shuffled_entries": "entries in random order",
    "broken_json": "the file ends in the middle",
}
# Variants of the parsing masks.
MASK_ODDITIES = {
    "atr_masks": "ATR's 18 labels in place of LIP's 20",
    "pascal_masks": "Pascal-Person-Part's 7 labels, 4 bits per pixel",
    "npy_masks": "arrays of labels in .npy files in place of PNG",
    "rgb_masks": "colours in place of labels, as after a careless conversion",
    "mask_of_another_size": "the first mask is smaller than its picture",
}
# The authors' lists.
LIST_ODDITIES = {
    "bad_mask_lists": "bad_upper.txt and bad_lower.txt",
    "names_of_other_splits": "bad-mask lists that name test pictures too",
    "no_newline_at_end": "bad-mask lists whose last line has no line break",
    "pose_clusters": "pose_clusters.csv, and pose_clusters_test.csv with other clusters",
    "float_labels": "pose clusters written as 10.0",
}
FILE_ODDITIES = {
    "hidden_files": "._name twins, .DS_Store and Thumbs.db among the pictures",
    "truncated_picture": "the first training picture is half a file",
}
PICTURE_ODDITIES = KEYPOINT_ODDITIES | MASK_ODDITIES | LIST_ODDITIES | FILE_ODDITIES  # of every set of pictures
# A data set has at most one of each group.
EXCLUSIVE = (("joints_14", "joints_26", "joints_136"), ("atr_masks", "pascal_masks"), ("npy_masks", "rgb_masks"))


def check_oddities(names: Collection[str], available: Mapping[str, str], layout: str) -> None:
    """Raise SettingsError for names that a layout does not have, and for names that exclude each other."""
    unknown = sorted(set(names) - set(available))
    if unknown:
        raise SettingsError(f"{layout} has no oddity {', '.join(unknown)}; known are {', '.join(sorted(available))}")
    for group in EXCLUSIVE:
        chosen = [name for name in group if name in names]
        if len(chosen) > 1:
            raise SettingsError(f"{layout}: the oddities {' and '.join(chosen)} exclude each other; choose one")
