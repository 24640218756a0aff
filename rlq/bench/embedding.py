"""Features of pictures: how many per second a network of two branches gives in each form, and how exact they are."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from rlq.bench.measurement import Options, take_turns
from rlq.bench.pictures import make_picture
from rlq.bench.results import Goal, Results, Table
from rlq.bench.setups import METHOD, REAL, TINY, label_of, steps_of
from rlq.core.distributed import has_bfloat16
from rlq.data.transforms import TestTransform
from rlq.methods.benchmark import BenchSetup, ImageFunction
from rlq.methods.catalogue import find_method
from rlq.models.compiling import compiled, forget_compiled
from rlq.models.folding import fold_batch_norms, largest_deviation
from rlq.models.freezing import freeze

CPU = torch.device("cpu")
BATCH, COMPARED = 16, 32  # pictures that are timed at once, and those whose neighbours are compared
PLAIN = "plain: float32, contiguous"
EXACT = "float32 + channels_last (the default)"
FOLDED = "float32 + channels_last + folded batch norms"
FAST = "--fast: folded + bfloat16 weights + channels_last"
LACKING = "this processor does not compute in bfloat16"


class ImageModel(Protocol):
    """A model of single pictures."""

    @property
    def network(self) -> Any:
        """The torch module."""

    @property
    def image_features(self) -> ImageFunction:
        """Its features [B, D] of images [B, 3, H, W]."""


def bench(options: Options) -> Results:
    """Time the base model without its heads on a CPU, without mirrored pictures."""
    setup = TINY if options.quick else REAL
    pictures = _pictures(setup, COMPARED)
    plain = _frozen_model(setup, pictures[:BATCH])
    forms = _forms(plain)
    if options.compiled:
        forget_compiled()
        forms["folded + channels_last, compiled"] = compiled(forms[FOLDED])
    batch = pictures[:BATCH]
    with torch.inference_mode():
        variants = {name: partial(form, batch) for name, form in forms.items()}
        times = take_turns(variants, rounds=min(options.rounds, 5))
        compared = pictures[: BATCH if options.quick else COMPARED]
        exact, rows = _features(forms[PLAIN], compared), []
        for name, form in forms.items():
            features = _features(form, compared)
            same_nearest = float((_nearest(features) == _nearest(exact)).float().mean())
            speed, ratio = BATCH / times[name].median, times[PLAIN].ratio_to(times[name])
            rows.append((name, speed, ratio, largest_deviation(features, exact), same_nearest))
    table = Table(
        f"Features of the base model, {BATCH} pictures at once ({label_of(setup)})",
        ("form", "pictures/s", "times as fast", "off by, of the length", "same nearest picture"),
        rows,
        f"Off by: the longest difference of {len(compared)} features from those of the plain form. The weights are "
        "random, so all pictures look alike to the network; trained networks keep far more nearest pictures. A "
        "mirrored picture, as evaluation adds it, counts as one more picture.",
    )
    fast = times[PLAIN].ratio_to(times[FAST]) if FAST in times else None
    return Results(
        [table],
        [
            Goal("float32, exact: times as fast as plain", ">=", 1.3, times[PLAIN].ratio_to(times[EXACT])),
            Goal("bfloat16: times as fast as plain", ">=", 3.0, fast, "" if fast else LACKING),
        ],
    )


def _forms(plain: ImageModel) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return the forms by name; each takes pictures [B, 3, H, W] in channels_last, as the loader gives them."""
    channels_last = _channels_last(plain)
    folded = _channels_last(plain)
    fold_batch_norms(folded.network)

    def contiguous(images: Tensor) -> Tensor:
        return plain.image_features(images.contiguous())

    forms: dict[str, Callable[[Tensor], Tensor]] = {
        PLAIN: contiguous,
        EXACT: channels_last.image_features,
        FOLDED: folded.image_features,
    }
    if has_bfloat16(CPU):
        fast: Any = find_method(METHOD).fast(_channels_last(plain), CPU)
        forms |= {
            "bfloat16 autocast": _autocast(contiguous),
            "bfloat16 autocast + channels_last": _autocast(channels_last.image_features),
            FAST: fast.image_features,
        }
    return forms


def _channels_last(model: ImageModel) -> ImageModel:
    """Return a copy of a model in the memory format channels_last."""
    other = copy.deepcopy(model)  # its function of images then calls the copied network
    other.network.to(memory_format=torch.channels_last)
    return other


def _autocast(form: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def embed(images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return form(images)

    return embed


def _frozen_model(setup: BenchSetup, pictures: Tensor) -> ImageModel:
    """Return the base model with random weights, its batch norms set by these pictures."""
    model: ImageModel = steps_of(setup._replace(channels_last=False))["TAD of the base model"]().model
    with torch.no_grad():
        for module in model.network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 1.0
        model.network(pictures.contiguous())
    freeze(model.network)
    return model


def _pictures(setup: BenchSetup, count: int) -> Tensor:
    """Return made pictures [count, 3, H, W] in channels_last."""
    transform = TestTransform(setup.size)
    pictures = [torch.from_numpy(transform(make_picture((256, 128), number))) for number in range(count)]
    return torch.stack(pictures).contiguous(memory_format=torch.channels_last)


def _features(form: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    return torch.cat([form(batch).float() for batch in pictures.split(BATCH)])


def _nearest(features: Tensor) -> Tensor:
    """Return the most similar other picture of each, [N]."""
    directions = torch.nn.functional.normalize(features)
    return (directions @ directions.T).fill_diagonal_(-2).argmax(dim=1)
