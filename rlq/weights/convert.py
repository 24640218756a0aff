"""The authors' weights in, ours out: what `rlq weights` does."""

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from rlq.core.console import Console
from rlq.core.errors import DataError, RlqError
from rlq.core.files import parsed_json
from rlq.core.settings import TrackingSettings
from rlq.data.catalogue import CATALOGUE, data_set
from rlq.methods.rlq.author_checkpoints import Rebuilt, Released, finite_or_text, read_released, rebuild
from rlq.methods.rlq.export import TOLERANCE, need_onnx, write_onnx, write_safetensors
from rlq.methods.rlq.weights import CONFIG, WEIGHTS, load_network, write_config
from rlq.runs.folder import find_weights
from rlq.training.checkpoint import save_weights

SOURCE = "source.json"
NO_GENDER = "no gender head: the authors' files hold none"


def import_weights(
    file: Path,
    *,
    output: Path | None = None,
    dataset: str | None = None,
    root: str = "data",
    force: bool = False,
    console: Console | None = None,
) -> Path:
    """Turn a file of the authors into a weights folder and return the folder (runs/imported/<stem> by default).

    The data set is told by the number of identities unless it is given. Raises DataError for a file that is not exactly
    one of the published networks, RlqError for a folder that holds other weights, unless `force`.
    """
    console = console or Console()
    output = output or Path(TrackingSettings().folder) / "imported" / _stem(file)
    released, digest = read_released(file)
    _check_free(output, digest, force)
    name, identities, reason = guess_data(file, released, dataset)
    try:
        rebuilt = rebuild(released, dataset=name, root=root, identities=identities)
    except DataError as error:
        raise DataError(f"{file} {error}") from error
    source = _source(file, digest, released, rebuilt, identities, f"{name} ({reason})")

    def write(folder: Path) -> None:
        save_weights(folder / WEIGHTS, rebuilt.network)
        write_config(folder, rebuilt.settings, identities)
        (folder / SOURCE).write_text(json.dumps(source, indent=1, allow_nan=False) + "\n")

    _replace_folder(output, write)
    console.line(f"read      {file}: epoch {source['epoch']} (from 0), rank-1 {source['rank1']}, sha256 {digest[:16]}")
    console.line(f"network   {source['network']}, {identities} identities")
    console.line(f"data      {source['data']}")
    for label, lines in (("left out", source["left_out"]), ("not there", source["not_there"])):
        for line in lines:
            console.line(f"{label:<9} {line}")
    console.line(f"written   {output}; rlq evaluate {output} ranks {name} with it")
    return output


def export_weights(word: str, output: Path, *, which: str = "best", console: Console | None = None) -> None:
    """Write the inference network of a run or weights folder as .safetensors or .onnx, by the output's ending."""
    console = console or Console()
    if output.suffix not in (".safetensors", ".onnx"):
        raise RlqError(f"--output {output} should end in .safetensors or .onnx")
    if output.is_dir():
        raise RlqError(f"--output {output} is a folder")
    if output.name == WEIGHTS and (output.parent / CONFIG).exists():
        raise RlqError(f"--output {output} would replace the weights that {output.parent / CONFIG} describes")
    if output.suffix == ".onnx":
        need_onnx()
    source, _ = find_weights(word, which, Path(TrackingSettings().folder))
    network, settings = load_network(source, torch.device("cpu"))
    if output.suffix == ".onnx":
        about, off = write_onnx(network, settings, output)
        console.line(f"checked  onnxruntime's features are off by {off:.1e} of their length (allowed: {TOLERANCE:.0e})")
    else:
        about = write_safetensors(network, settings, output)
    console.line(f"input    {about['input']}; here {about['size']}")
    console.line(f"output   {about['output']}")
    console.line(f"written  {output}, from {source}")


def guess_data(file: Path, released: Released, given: str | None) -> tuple[str, int, str]:
    """The data set's name, the number of identities, and how both are known."""
    trained_on = {
        name: known.published.splits["train"]["identities"]
        for name, known in CATALOGUE.items()
        if known.published is not None and "identities" in known.published.splits.get("train", {})
    }
    listed = ", ".join(f"{name} {count}" for name, count in trained_on.items())
    if given is not None:
        data_set(given)  # says which names there are
        identities = released.identities or trained_on.get(given)
        if identities is None:
            raise DataError(f"{file} has no identity head, and how many people {given} trains is not known ({listed})")
        return given, identities, _as_said(given, identities, trained_on.get(given))
    if released.identities is None:
        raise DataError(f"{file} has no identity head to tell its data set by; say it with --data ({listed})")
    fitting = [name for name, count in trained_on.items() if count == released.identities]
    if len(fitting) != 1:
        raise DataError(
            f"{file} has heads for {released.identities} people, the number of {len(fitting)} data sets ({listed}); "
            "say which one with --data"
        )
    return fitting[0], released.identities, f"the set with {released.identities} training identities; or say --data"


def _as_said(name: str, identities: int, published: int | None) -> str:
    """A set of another size may well be meant, such as a part of it; a slip of the pen should show."""
    other = published not in (None, identities)
    return "as you say" + (f"; {name} trains {published} people, this file {identities}" if other else "")


def _stem(file: Path) -> str:
    return file.name.removesuffix(".tar").removesuffix(".pth")


def _source(
    file: Path, digest: str, released: Released, rebuilt: Rebuilt, identities: int, data: str
) -> dict[str, Any]:
    """What is kept about where the weights come from."""
    left_out = [
        f"{name} {list(shape)}: the clothes head serves training only" for name, shape in released.left_out.items()
    ]
    left_out += [f"{key}: no part of the network" for key in released.unread]
    zeros = [f"{name}: the file has none, so it is 0; features do not depend on it" for name in rebuilt.zeros]
    return {
        "file": file.name,
        "sha256": digest,
        "epoch": released.epoch,
        "rank1": finite_or_text(released.rank1),
        "network": released.layout.describe(),
        "identities": identities,
        "data": data,
        "left_out": left_out,
        "not_there": [*zeros, NO_GENDER],
    }


def _check_free(output: Path, digest: str, force: bool) -> None:
    """Refuse a folder with anything but weights in it, and one with other weights unless forced."""
    if not output.exists():
        return
    if not output.is_dir():
        raise RlqError(f"--output {output} is a file; it should name a folder")
    names = sorted(path.name for path in output.iterdir())
    strange = [name for name in names if name not in (WEIGHTS, CONFIG, SOURCE)]
    if strange:
        raise RlqError(f"{output} holds {strange[0]}, which is no part of imported weights; take another --output")
    if names and not force and _digest_in(output) != digest:
        raise RlqError(f"{output} holds other weights; --force replaces them, --output FOLDER leaves them alone")


def _digest_in(folder: Path) -> str | None:
    """The sha256 of the file that a folder was imported from, if it says so."""
    try:
        source = parsed_json((folder / SOURCE).read_text())
    except (OSError, ValueError):  # then they come from somewhere else
        return None
    return source.get("sha256") if isinstance(source, dict) else None


def _replace_folder(output: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, then put it in the place of `output`, which is there whole or as it was."""
    place, mark = output.absolute(), secrets.token_hex(4)
    new, old = (place.with_name(f".{place.name}.{mark}.{word}") for word in ("new", "old"))
    try:
        new.mkdir(parents=True)
        write(new)
        if place.exists():
            place.rename(old)
        new.rename(place)
    except OSError as error:
        raise RlqError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)
