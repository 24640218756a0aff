"""Detect people and their joints with torchvision's Keypoint R-CNN (He et al. 2017, arXiv 1703.06870)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection import KeypointRCNN, KeypointRCNN_ResNet50_FPN_Weights
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from rlq.core.errors import DataError
from rlq.core.safe_load import load_plain
from rlq.data.image_check import look_at
from rlq.data.pictures import read_picture
from rlq.labels.extraction_journal import Entry, Finding
from rlq.labels.pose_format import JOINTS

WEIGHTS = KeypointRCNN_ResNet50_FPN_Weights.COCO_V1
SIDES = (800, 1333)  # a picture's shorter side is resized to the first, unless the longer would exceed the second


def load_detector(
    weights: Path | None, device: torch.device, *, score: float, sides: tuple[int, int] = SIDES
) -> nn.Module:
    """Return torchvision's network with its COCO weights, or with those of a local .pth file of the same names.

    It returns people above this score. Raises DataError if weights cannot be downloaded or read, or do not fit.
    """
    state = _downloaded() if weights is None else load_plain(weights, "file of weights")
    network = KeypointRCNN(
        resnet_fpn_backbone(backbone_name="resnet50", weights=None, trainable_layers=0),
        num_classes=2,
        num_keypoints=JOINTS,
        min_size=sides[0],
        max_size=sides[1],
        box_score_thresh=score,
    )
    for layer in network.modules():
        if isinstance(layer, FrozenBatchNorm2d):
            layer.eps = 0.0  # as the published weights were trained
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:  # other names or shapes; no tensors
        lines = str(error).splitlines()
        reason = (lines[1] if len(lines) > 1 else lines[0]).strip()[:200]
        raise DataError(
            f"{weights or WEIGHTS.url}: not weights of torchvision's keypointrcnn_resnet50_fpn ({reason})"
        ) from error
    return network.eval().requires_grad_(False).to(device)


def detect(network: nn.Module, pictures: Sequence[tuple[str, Path]], device: torch.device) -> list[Finding]:
    """Detect the people in a batch of pictures (name, path)."""
    reasons = {name: look_at(path).reason for name, path in pictures}
    readable = [(name, path) for name, path in pictures if reasons[name] is None]
    findings = {name: Finding(name, [], reason) for name, reason in reasons.items()}
    if readable:
        tensors = [_tensor(path).to(device) for _, path in readable]
        with torch.inference_mode():
            outputs = network(tensors)
        for (name, _), output in zip(readable, outputs, strict=True):
            findings[name] = Finding(name, _entries(name, {key: part.cpu() for key, part in output.items()}))
    return [findings[name] for name, _ in pictures]


def _downloaded() -> dict[str, Tensor]:
    try:
        return WEIGHTS.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network, or a truncated file
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"torchvision's keypoint weights cannot be downloaded ({reason}); download {WEIGHTS.url} on a machine with "
            "a network, and name the file with --weights FILE"
        ) from error


def _tensor(path: Path) -> Tensor:
    """Return a picture as the network takes it: float32 [3, H, W] from 0 to 1."""
    return torch.from_numpy(read_picture(path)).permute(2, 0, 1).float() / 255


def _entries(name: str, output: dict[str, Tensor]) -> list[Entry]:
    """Return the people of one picture.

    output: boxes [P, 4], scores [P], keypoints [P, 17, 3] and keypoints_scores [P, 17].
    """
    confidences = output["keypoints_scores"].sigmoid()  # the network returns the peaks of heat maps
    joints = torch.cat([output["keypoints"][..., :2], confidences[..., None]], dim=-1)  # [P, 17, 3]
    sizes = output["boxes"][:, 2:] - output["boxes"][:, :2]
    boxes = torch.cat([output["boxes"][:, :2], sizes], dim=1)  # corner, width, height
    return [
        {
            "image_id": name,
            "category_id": 1,
            "keypoints": [round(value, 4) for value in joints[person].flatten().tolist()],
            "score": round(output["scores"][person].item(), 6),
            "box": [round(value, 3) for value in boxes[person].tolist()],
        }
        for person in range(len(boxes))
    ]
