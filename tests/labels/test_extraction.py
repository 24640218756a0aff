"""Weights that cannot be had; the network itself runs in tests/labelling/test_pose_extract.py."""

from urllib.error import URLError

import pytest
import torch
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights

from rlq.core.errors import DataError
from rlq.labels.extraction import load_detector

CPU = torch.device("cpu")


def test_without_a_network_the_way_out_is_told(monkeypatch):
    def away(*_args: object, **_options: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(KeypointRCNN_ResNet50_FPN_Weights, "get_state_dict", away)
    message = r"cannot be fetched \(Name or service not known\); fetch https://\S+\.pth where .*: --weights FILE$"
    with pytest.raises(DataError, match=message):
        load_detector(None, CPU, score=0.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"backbone.body.conv1.weight": torch.zeros(2)},
            r"w\.pth: are no weights of torchvision's keypointrcnn",
        ),
        ([1, 2], r"w\.pth: are no weights of torchvision's keypointrcnn_resnet50_fpn"),
        (b"words", r"w\.pth is not a file of weights"),
        (None, r"there is no file of weights .*w\.pth"),
    ],
)
def test_weights_of_something_else_are_refused(tmp_path, content, message):
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(DataError, match=message):
        load_detector(path, CPU, score=0.5)
