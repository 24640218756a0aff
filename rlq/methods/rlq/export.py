"""Exported weights: the part of the network that computes features, with metadata that says how to use it."""

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
from rlq.methods.rlq.weights import load_network, remove_training_parts
from rlq.methods.weights_folder import EXPORTED
from rlq.training.checkpoint import write_whole

# Allowed deviation of ONNX: the length of the difference as a share of the feature's length. In a network as deep as
# ResNet-50, rounding in float32 alone can cause 1e-4. No cosine changes by more than this share.
TOLERANCE = 1e-3
CHECKED_BATCHES = (1, 3)


def export(source: Path, output: Path, console: Console) -> None:
    """Write the inference network of a weights folder or exported file as .safetensors or .onnx, by `output`'s ending.

    Raises RlqError if ONNX computes other features, or if a library of the extra `export` is missing.
    """
    if output.suffix == ".onnx":
        import_onnx()
    network, settings = load_network(source, torch.device("cpu"))
    if output.suffix == ".onnx":
        metadata, off = write_onnx(network, settings, output)
        console.line(f"checked  onnxruntime's features are off by {off:.1e} of their length (allowed: {TOLERANCE:.0e})")
    else:
        metadata = write_safetensors(network, settings, output)
    console.line(f"input    {metadata['input']}; here {metadata['size']}")
    console.line(f"output   {metadata['output']}")


def write_safetensors(network: RlqNetwork, settings: RlqSettings, path: Path) -> dict[str, str]:
    """Write trunk, branches and necks with metadata, and return the metadata; load_network reads the file."""
    state = remove_training_parts(network).state_dict()
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    metadata = metadata_of(network, settings)
    write_whole(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))
    return metadata


def write_onnx(network: RlqNetwork, settings: RlqSettings, path: Path) -> tuple[dict[str, str], float]:
    """Write `image` [B, 3, H, W] -> `feature` [B, D] for any B; return the metadata and the deviation of ONNX.

    The file is written only if onnxruntime computes the network's features on batches of two sizes. Raises RlqError if
    they differ, or if a library of the extra `export` is missing.
    """
    onnx = import_onnx()
    network = remove_training_parts(network).cpu().to(memory_format=torch.contiguous_format).eval()
    metadata = metadata_of(network, settings)
    model = _translate(network, settings)
    onnx.helper.set_model_props(model, metadata)
    content = model.SerializeToString()
    off = _largest_deviation(content, network, settings)
    if not off <= TOLERANCE:
        raise RlqError(
            f"{path} is not written: onnxruntime's features are off by {off:.1e} of their length, allowed are "
            f"{TOLERANCE:.0e}; export .safetensors instead"
        )
    write_file(path, content)
    return metadata, off


def import_onnx() -> Any:
    """Return the module onnx. Raises RlqError that says what to install if a library for exports is missing."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RlqError(f"ONNX needs {error.name}, which is not installed: pip install 'rlq[export]'") from error
    return onnx


def metadata_of(network: RlqNetwork, settings: RlqSettings) -> dict[str, str]:
    """Return all that a program needs to use the file."""
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
    """The network as a function from pictures to features."""

    def __init__(self, network: RlqNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.embed(image)


def _translate(network: RlqNetwork, settings: RlqSettings) -> Any:
    """Return the network as an ONNX model for any number of pictures."""
    example = torch.zeros(2, 3, *settings.data.size)  # with one picture, torch would treat the number as a constant
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


def _largest_deviation(content: bytes, network: RlqNetwork, settings: RlqSettings) -> float:
    """Return the largest difference between onnxruntime's features and the network's, relative to their length."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    off = []
    for batch in CHECKED_BATCHES:
        random = generator("export", batch)
        images = random.standard_normal((batch, 3, *settings.data.size), dtype=np.float32)
        with torch.no_grad():
            exact = network.embed(torch.from_numpy(images)).numpy()
        (features,) = session.run(["feature"], {"image": images})
        off += (np.linalg.norm(features - exact, axis=1) / np.linalg.norm(exact, axis=1)).tolist()
    return float(np.max(off))  # NaN if any is NaN
