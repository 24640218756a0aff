"""Weights to give away: the part of the network that computes features, with all that is needed to use it."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rlq import __version__
from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.files import write_file
from rlq.core.seeding import generator
from rlq.data.transforms import DEVIATION, MEAN
from rlq.methods.rlq.network import RlqNetwork
from rlq.methods.rlq.settings import RlqSettings
from rlq.methods.rlq.weights import leave_features_only, load_network
from rlq.methods.weights_folder import EXPORTED
from rlq.training.checkpoint import write_whole

# How far ONNX may be off: the length of the difference as a share of the feature's length. In a network as deep as
# ResNet-50 rounding in float32 alone can make 1e-4 of it; no cosine moves by more than the share.
TOLERANCE = 1e-3
CHECKED_BATCHES = (1, 3)


def export(source: Path, output: Path, console: Console) -> None:
    """Write the inference network of a weights folder or exported file as .safetensors or .onnx, by `output`'s ending.

    Raises RlqError when ONNX computes other features, or a library of the extra `export` is missing.
    """
    if output.suffix == ".onnx":
        need_onnx()
    network, settings = load_network(source, torch.device("cpu"))
    if output.suffix == ".onnx":
        facts, off = write_onnx(network, settings, output)
        console.line(f"checked  onnxruntime's features are off by {off:.1e} of their length (allowed: {TOLERANCE:.0e})")
    else:
        facts = write_safetensors(network, settings, output)
    console.line(f"input    {facts['input']}; here {facts['size']}")
    console.line(f"output   {facts['output']}")


def write_safetensors(network: RlqNetwork, settings: RlqSettings, path: Path) -> dict[str, str]:
    """Write trunk, branches and necks, with `about` them as metadata, which is returned; load_network reads it."""
    state = leave_features_only(network).state_dict()
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    metadata = about(network, settings)
    write_whole(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))
    return metadata


def write_onnx(network: RlqNetwork, settings: RlqSettings, path: Path) -> tuple[dict[str, str], float]:
    """Write `image` [B, 3, H, W] -> `feature` [B, D] for any B; return the metadata and how far ONNX was off.

    The file appears only once onnxruntime has given the network's features on batches of two sizes. Raises RlqError
    when they differ, or when a library of the extra `export` is missing.
    """
    onnx = need_onnx()
    network = leave_features_only(network).cpu().to(memory_format=torch.contiguous_format).eval()
    metadata = about(network, settings)
    model = _translate(network, settings)
    onnx.helper.set_model_props(model, metadata)
    content = model.SerializeToString()
    off = _farthest(content, network, settings)
    if not off <= TOLERANCE:
        raise RlqError(
            f"{path} is not written: onnxruntime's features are off by {off:.1e} of their length, "
            f"more than {TOLERANCE:.0e}"
        )
    write_file(path, content)
    return metadata, off


def need_onnx() -> Any:
    """The module onnx, once all that an export takes is there. Raises RlqError that says how to get it."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RlqError(f"ONNX takes {error.name}, which is not installed: pip install 'rlq[export]'") from error
    return onnx


def about(network: RlqNetwork, settings: RlqSettings) -> dict[str, str]:
    """What somebody needs to know who has the file alone."""
    order = [name for name in ("bot", "cal") if name in network.branch_names]
    width = network.feature_width
    return {
        "format": EXPORTED,
        "rlq": __version__,
        "dataset": settings.data.dataset,
        "size": json.dumps(list(settings.data.size)),
        "mean": json.dumps(MEAN),
        "deviation": json.dumps(DEVIATION),
        "input": "image float32 [B, 3, height, width]: RGB in 0..1, resized with antialiasing to `size` (height, "
        "width), minus `mean`, divided by `deviation`",
        "output": f"feature float32 [B, {width * len(order)}]: {', then '.join(order)}, {width} each, of any length; "
        "for retrieval add the feature of the mirrored picture, scale to length 1, compare by cosine",
        "feature_order": json.dumps(order),
        "feature_width": str(width * len(order)),
        "settings": json.dumps(settings.model_dump(mode="json")),
    }


class _Features(nn.Module):
    """The network as a function of pictures alone."""

    def __init__(self, network: RlqNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.embed(image)


def _translate(network: RlqNetwork, settings: RlqSettings) -> Any:
    """The network as an ONNX model, the number of pictures left open."""
    example = torch.zeros(2, 3, *settings.data.size)  # of one picture, torch would take the number for a constant
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            _Features(network).eval(),
            (example,),
            dynamo=True,
            input_names=["image"],
            output_names=["feature"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    assert program is not None  # dynamo=True gives one
    return program.model_proto


def _farthest(content: bytes, network: RlqNetwork, settings: RlqSettings) -> float:
    """The longest difference between features of onnxruntime and of the network, as a share of the feature's length."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    off = []
    for batch in CHECKED_BATCHES:
        random = generator("export", batch)
        images = random.standard_normal((batch, 3, *settings.data.size), dtype=np.float32)
        with torch.no_grad():
            wanted = network.embed(torch.from_numpy(images)).numpy()
        (found,) = session.run(["feature"], {"image": images})
        off += (np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1)).tolist()
    return float(np.max(off))  # not a number if any is none
