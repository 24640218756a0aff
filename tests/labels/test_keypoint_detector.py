"""Weights that cannot be had; the network itself runs in tests/labels/test_pose_extract.py."""

from urllib.error import URLError

import pytest
import torch
from naming import assert_names
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights

from rlq.core.errors import DataError
from rlq.labels.keypoint_detector import load_detector

CPU = torch.device("cpu")


def test_without_a_network_the_way_out_is_told(monkeypatch):
    def away(*_args: object, **_options: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(KeypointRCNN_ResNet50_FPN_Weights, "get_state_dict", away)
    with pytest.raises(DataError, match=r"https://\S+\.pth") as raised:
        load_detector(None, CPU, score=0.5)
    assert_names(raised.value, "Name or service not known", "--weights")


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        ({"backbone.body.conv1.weight": torch.zeros(2)}, ("keypointrcnn_resnet50_fpn",)),
        ([1, 2], ("keypointrcnn_resnet50_fpn",)),
        (b"words", ()),
        (None, ()),
    ],
)
def test_weights_of_something_else_are_refused(tmp_path, content, pieces):
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(DataError) as raised:
        load_detector(path, CPU, score=0.5)
    assert_names(raised.value, "w.pth", *pieces)
