"""The accuracy of the attribute heads on people that were not trained on, and the cost of one picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.data.picture_source import PictureSource
from rlq.methods.rlq.inputs import Inputs
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings


def attribute_metrics(
    network: RlqNetwork, inputs: Inputs, settings: RlqSettings, place: Place, console: Console
) -> dict[str, float]:
    """Return accuracies of the pose and gender heads on query and gallery pictures, and the mean |cos(f_BOT, f_POSE)|.

    Heads that the network lacks, or that have no labels for these pictures, are left out.
    """
    if network.pose_branch is None and network.gender_head is None:
        return {}
    paths = [record.cover for record in (*inputs.data.query, *inputs.data.gallery)]
    source = PictureSource.of(settings.data, place, console, inputs.reader)
    pose, gender, cosine = _outputs(network, paths, source, settings.anchor)
    poses = inputs.poses.test if inputs.poses is not None else None
    genders = inputs.genders.test if inputs.genders is not None else None
    metrics: dict[str, float] = {}
    if cosine is not None:
        metrics["attributes/pose_cosine"] = float(np.abs(cosine).mean())
    if pose is not None and poses is not None:
        metrics["attributes/pose_accuracy"] = float((pose == poses).mean())
    if gender is not None and genders is not None:
        metrics["attributes/gender_accuracy"] = float((gender == genders).mean())
    return metrics


def gigaflops(network: RlqNetwork, size: tuple[int, int]) -> float:
    """Return billions of floating-point operations for the features of one picture; a multiply-add counts as two."""
    from torch.utils.flop_counter import FlopCounterMode  # its import loads torch's compiler

    weight = next(network.parameters())
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.embed(torch.zeros(1, 3, *size, device=weight.device))
    return counter.get_total_flops() / 1e9


def _outputs(
    network: RlqNetwork, paths: Sequence[Path], source: PictureSource, anchor: str
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Return predicted poses and genders, and the cosines of pose feature and identity feature, each [N] or None."""
    rows: dict[str, list[np.ndarray]] = {"pose": [], "gender": [], "cosine": []}
    network.eval()
    with torch.inference_mode():
        for images, _ in source.batches(paths, label="attributes"):
            outputs = network(images)
            if outputs.pose is not None:
                identity = outputs.of(anchor)[0]
                rows["cosine"].append(F.cosine_similarity(identity, outputs.pose).cpu().numpy())
                rows["pose"].append(outputs.pose_logits.argmax(dim=1).cpu().numpy())
            if outputs.gender_logits is not None:
                rows["gender"].append(outputs.gender_logits.argmax(dim=1).cpu().numpy())
    joined = {name: np.concatenate(parts) if parts else None for name, parts in rows.items()}
    return joined["pose"], joined["gender"], joined["cosine"]
