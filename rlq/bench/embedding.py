"""Features of pictures: what a network of two branches gives per second, in which form, and how far off."""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from rlq.bench.findings import Findings, Goal, Table
from rlq.bench.measuring import Options, take_turns
from rlq.bench.pictures import make_picture
from rlq.bench.training import BASE, REAL, TINY, Scale, build_network, experiment
from rlq.core.distributed import has_bfloat16
from rlq.data.transforms import TestTransform
from rlq.methods.rlq.cap import freeze
from rlq.methods.rlq.fast import farthest, quicken
from rlq.methods.rlq.network import RlqNetwork
from rlq.models.compiling import compiled, forget_compiled
from rlq.models.folding import fold_batch_norms

CPU = torch.device("cpu")
BATCH, COMPARED = 16, 32  # pictures that are timed at once, and those whose neighbours are compared
PLAIN = "plain: float32, contiguous"
EXACT = "float32 + channels_last (the default)"
FAST = "--fast: folded + bfloat16 weights + channels_last"
LACKING = "this processor does not compute in bfloat16"


def bench(options: Options) -> Findings:
    """The base model without its heads, no mirrored pictures, on a CPU."""
    scale = TINY if options.quick else REAL
    pictures = _pictures(scale, COMPARED)
    plain = _settled(scale, pictures[:BATCH])
    forms = _forms(plain, scale)
    if options.compiled:
        forget_compiled()
        forms["folded + channels_last, compiled"] = compiled(forms["float32 + channels_last + folded batch norms"])
    batch = pictures[:BATCH]
    with torch.inference_mode():
        works = {name: partial(form, batch) for name, form in forms.items()}
        times = take_turns(works, rounds=min(options.rounds, 5))
        compared = pictures[: BATCH if options.quick else COMPARED]
        exact, rows = _features(forms[PLAIN], compared), []
        for name, form in forms.items():
            found = _features(form, compared)
            one = times[name]
            agreeing = float((_nearest(found) == _nearest(exact)).float().mean())
            rows.append((name, BATCH / one.median, times[PLAIN].over(one), farthest(found, exact), agreeing))
    table = Table(
        f"Features of the base model, {BATCH} pictures at once ({scale})",
        ("form", "pictures/s", "times as fast", "off by, of the length", "same nearest picture"),
        rows,
        f"Off by: the longest difference of {len(compared)} features from the plain form's. Weights are random, so "
        "that all pictures look alike to the network: trained ones keep far more nearest pictures. A mirrored picture, "
        "as evaluation adds, is one more picture.",
    )
    fast = times[PLAIN].over(times[FAST]) if FAST in times else None
    return Findings(
        [table],
        [
            Goal("float32, exact: times as fast as plain", ">=", 1.3, times[PLAIN].over(times[EXACT])),
            Goal("bfloat16: times as fast as plain", ">=", 3.0, fast, "" if fast else LACKING),
        ],
    )


def _forms(plain: RlqNetwork, scale: Scale) -> dict[str, Callable[[Tensor], Tensor]]:
    """Every form takes pictures [B, 3, H, W], channels last, as the loader gives them."""
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    folded = copy.deepcopy(last)
    fold_batch_norms(folded)
    forms: dict[str, Callable[[Tensor], Tensor]] = {
        PLAIN: lambda images: plain.embed(images.contiguous()),
        EXACT: last.embed,
        "float32 + channels_last + folded batch norms": folded.embed,
    }
    if has_bfloat16(CPU):
        forms |= {
            "bfloat16 autocast": _autocast(lambda images: plain.embed(images.contiguous())),
            "bfloat16 autocast + channels_last": _autocast(last.embed),
            FAST: quicken(copy.deepcopy(last), scale.size, CPU),
        }
    return forms


def _autocast(form: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def embed(images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return form(images)

    return embed


def _settled(scale: Scale, pictures: Tensor) -> RlqNetwork:
    """Frozen, of random weights, its batch norms used to such pictures."""
    network = build_network(experiment(scale, *BASE), scale, CPU, channels_last=False)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 1.0
        network(pictures.contiguous())
    freeze(network)
    return network


def _pictures(scale: Scale, count: int) -> Tensor:
    transform = TestTransform(scale.size)
    made = [torch.from_numpy(transform(make_picture((256, 128), number))) for number in range(count)]
    return torch.stack(made).contiguous(memory_format=torch.channels_last)


def _features(form: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    return torch.cat([form(batch).float() for batch in pictures.split(BATCH)])


def _nearest(features: Tensor) -> Tensor:
    """[N] the most similar other picture of each."""
    directions = torch.nn.functional.normalize(features)
    return (directions @ directions.T).fill_diagonal_(-2).argmax(dim=1)
