"""Oddities of real files, by the words that ask for them. A plain synthetic set has none of these."""

from collections.abc import Collection, Mapping

from rlq.core.errors import SettingsError

# Forms of AlphaPose's result file, keypoints.json.
KEYPOINT_ODDITIES = {
    "joints_14": "14 joints per person, CrowdPose's, which nobody should take for COCO's",
    "joints_26": "26 joints per person, the first 17 are COCO's",
    "joints_136": "136 joints per person, the first 17 are COCO's",
    "keyed_by_picture": "people keyed by picture in place of a flat list",
    "idx_forms": "idx absent, [0.0], [[0.0], [0.0]] or a number, in turn",
    "without_box": "no boxes, as older versions write",
    "nan_joint": "a coordinate of the first person is NaN",
    "large_bystanders": "larger people with lower scores before every third one",
    "joints_outside": "joints far outside of their box and below 0",
    "shuffled_entries": "entries in no order",
    "broken_json": "the file ends in the middle",
}
# Forms of the parsing masks.
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
    "no_newline_at_end": "bad-mask lists whose last line does not end",
    "pose_clusters": "pose_clusters.csv, and pose_clusters_test.csv with clusters of its own",
    "float_labels": "pose clusters written as 10.0",
}
FILE_ODDITIES = {
    "hidden_files": "._name twins, .DS_Store and Thumbs.db among the pictures",
    "truncated_picture": "the first training picture is half a file",
}
PICTURE_ODDITIES = KEYPOINT_ODDITIES | MASK_ODDITIES | LIST_ODDITIES | FILE_ODDITIES  # of every set of pictures
# Of each group a set has one at most.
EXCLUSIVE = (("joints_14", "joints_26", "joints_136"), ("atr_masks", "pascal_masks"), ("npy_masks", "rgb_masks"))


def check_oddities(asked: Collection[str], known: Mapping[str, str], layout: str) -> None:
    """Refuse words that a layout does not know, with those it does, and words that exclude each other."""
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise SettingsError(f"{layout} has no oddity {', '.join(unknown)}; it knows {', '.join(sorted(known))}")
    for group in EXCLUSIVE:
        chosen = [word for word in group if word in asked]
        if len(chosen) > 1:
            raise SettingsError(f"{layout}: the oddities {' and '.join(chosen)} exclude each other; name one")
