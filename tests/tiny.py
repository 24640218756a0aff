"""A network of RLQ that fits in a test, with batches and data sets of noise: what the tests of its training share."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from rlq.core.config import apply_changes, validate
from rlq.core.distributed import Place, wrap
from rlq.data.batches import Batch, PairBatch
from rlq.data.clothes import ClothesClasses
from rlq.data.records import Protocol, Record, ReidData, class_indices
from rlq.methods.rlq.coarse_labels import GenderLabels, PoseLabels
from rlq.methods.rlq.inputs import Inputs
from rlq.methods.rlq.learner import Learner
from rlq.methods.rlq.network import RlqNetwork, clothes_head
from rlq.methods.rlq.settings import RlqSettings
from rlq.models.freezing import freeze
from rlq.training.optim import adam

CPU = Place(torch.device("cpu"))
IDENTITIES, OUTFITS, CLUSTERS = 4, 3, 5  # of each identity so many outfits
SIZE = (32, 16)
BACKBONE = {"name": "test_resnet.r160_in1k", "pretrained": False}
ATTRIBUTES_OFF = ("cap.pose.enabled=false", "cap.gender.enabled=false")
PLAIN_CAL = ("branches=[cal]", "losses.triplet=0", *ATTRIBUTES_OFF)


def tiny_settings(*changes: str) -> RlqSettings:
    """The defaults on a tiny network, clothes from the second epoch on; weight decay off, so that only gradients move
    parameters."""
    tree = {
        "data": {"dataset": "prcc", "size": list(SIZE), "batch": 8, "instances": 2, "workers": 0, "test_batch": 3},
        "backbone": dict(BACKBONE),
        "cap": {"pose": {"clusters": CLUSTERS}},
        "optim": {"weight_decay": 0.0},
        "schedule": {"clothes_from": 1},
    }
    return validate(RlqSettings, apply_changes(tree, changes), "test")


def tiny_network(settings: RlqSettings, seed: int = 0) -> RlqNetwork:
    """In training mode; heads a hundred times as strong as they start, so that their losses are not all alike."""
    torch.manual_seed(seed)
    network = RlqNetwork(settings, identities=IDENTITIES)
    with torch.no_grad():
        for head in (*network.id_heads.values(), network.pose_head, network.gender_head):
            if head is not None:
                head.weight *= 100
    return network.train()


def tiny_learner(settings: RlqSettings, network: RlqNetwork, place: Place = CPU, seed: int = 1) -> Learner:
    """What a step needs around a network, as a run has it."""
    torch.manual_seed(seed)
    head = clothes_head(network, IDENTITIES * OUTFITS)
    optim = settings.optim
    return Learner(
        model=wrap(network, place),
        clothes_head=head,
        optimiser=adam(network.parameters(), lr=optim.lr, weight_decay=optim.weight_decay),
        clothes_optimiser=adam(head.parameters(), lr=optim.clothes_lr, weight_decay=optim.weight_decay)
        if head is not None
        else None,
        owner=torch.arange(IDENTITIES * OUTFITS) // OUTFITS,
        device=place.device,
        compute_type=torch.float32,
        channels_last=settings.compute.channels_last,
    )


def tiny_teacher(settings: RlqSettings, seed: int = 7) -> RlqNetwork:
    """Another network, with batch norms that have seen something, frozen."""
    teacher = tiny_network(settings, seed)
    with torch.no_grad():
        teacher(noise(8, seed))
    return freeze(teacher)


def noise(rows: int, seed: int) -> torch.Tensor:
    """Pictures [rows, 3, H, W] of nothing."""
    return torch.randn(rows, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


def target_batch(rows: int = 8, seed: int = 0) -> Batch:
    """Every two rows of one person; the last row of every four has no clothes class."""
    generator = torch.Generator().manual_seed(seed)
    pids = torch.arange(rows) // 2 % IDENTITIES
    clothes = pids * OUTFITS + torch.randint(OUTFITS, (rows,), generator=generator)
    clothes[3::4] = -1
    return Batch(
        images=noise(rows, seed + 1),
        pids=pids,
        clothes=clothes,
        labels={"pose": torch.randint(CLUSTERS + 1, (rows,), generator=generator), "gender": pids % 2},
        paths=tuple(f"{seed}-{row}.png" for row in range(rows)),
    )


def pair_batch(pairs: int = 6, seed: int = 0, unchanged: int = 0) -> PairBatch:
    """Noise, and the same noise with something added."""
    hq = noise(pairs, seed + 2)
    return PairBatch(hq, hq + 0.5 * noise(pairs, seed + 3), tuple(f"{seed}-{n}.png" for n in range(pairs)), unchanged)


def noise_data(folder: Path) -> ReidData:
    """Four people with six training pictures in three outfits each, three queries and four gallery pictures: written
    where they are not yet."""

    def record(split: str, number: int, pid: int, camera: str) -> Record:
        path = folder / split / f"{number:02d}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = np.random.default_rng([number, len(split)]).integers(0, 256, (48, 24, 3), np.uint8)
            assert cv2.imwrite(str(path), picture)
        return Record(path, str(pid), camera, f"{pid}_{number % OUTFITS}", split, path.stem)

    train = [record("train", number, number // 6, "A") for number in range(6 * IDENTITIES)]
    query = [record("query", number, number % 2, "B") for number in range(3)]
    gallery = [record("gallery", number, number % 2, "A") for number in range(4)]
    return ReidData("noise", folder, train, query, gallery, (Protocol("CC", "CC"), Protocol("General", "GENERAL")))


def noise_inputs(folder: Path) -> Inputs:
    """What a run reads, of noise_data, which is the external set too."""
    data = noise_data(folder)
    labels = class_indices(data.train)
    return Inputs(
        settings=tiny_settings(),
        data=data,
        labels=labels,
        clothes=ClothesClasses(labels.owner, IDENTITIES, labels="none"),
        recolouring=None,
        poses=PoseLabels(np.arange(len(data.train)) % (CLUSTERS + 1), None, None, None),
        genders=GenderLabels(labels.pids % 2, None),
        external=data,
        external_train=data.train,
    )


def values_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of all parameters and buffers."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def gradients_of(module: nn.Module) -> dict[str, torch.Tensor | None]:
    """A copy of each parameter's gradient; None where there is none."""
    return {name: None if p.grad is None else p.grad.clone() for name, p in module.named_parameters()}


def assert_equal_gradients(found: dict, wanted: dict, tolerance: float = 1e-5) -> None:
    """Both of gradients_of: within `tolerance` of the largest entry of all (at least 1), None only beside None."""
    assert found.keys() == wanted.keys()
    given = {name: gradient for name, gradient in wanted.items() if gradient is not None}
    assert {name for name, gradient in found.items() if gradient is not None} == given.keys()
    scale = max(1.0, *(gradient.abs().max().item() for gradient in given.values()))
    apart = {name: (found[name] - gradient).abs().max().item() / scale for name, gradient in given.items()}
    assert max(apart.values()) <= tolerance, {name: value for name, value in apart.items() if value > tolerance}
