"""Compute features of every picture, or of every tracklet, below a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.core.cache import STALE
from rlq.core.console import Console
from rlq.core.errors import DataError, RlqError
from rlq.core.files import remove_partial, written_whole
from rlq.core.settings import TrackingSettings
from rlq.data.image_check import look_at
from rlq.data.readers.listing import PICTURES
from rlq.data.records import Sample
from rlq.methods.catalogue import load_model, method_of
from rlq.runs.folder import find_weights
from rlq.weights.alone import alone


class Embedded(NamedTuple):
    """The size of the file that was written."""

    samples: int
    width: int  # of a feature
    bad: int  # pictures that cannot be read and were left out
    of_tracklets: bool


def embed_folder(
    word: str,
    folder: Path,
    output: Path,
    *,
    weights: str = "best",
    skip_bad: bool = False,
    fast: bool = False,
    tracklets: bool = False,
) -> Embedded:
    """Write names and features of every picture below a folder; with `tracklets`, of every folder of frames.

    names: POSIX paths relative to the folder, sorted; features float32 [n, D]. `fast` folds batch norms and computes in
    bfloat16 if the hardware does, so that features are near the exact ones. A model of tracklets always takes folders
    of frames. Raises DataError that lists the pictures that cannot be read, unless `skip_bad`.
    """
    if output.suffix != ".npz":
        raise RlqError(f"--output {output} should end in .npz")
    source, _ = find_weights(word, weights, Path(TrackingSettings().folder))
    readable, bad = _readable(folder, skip_bad)
    with alone() as place:
        model = load_model(source, place.device)
        if fast:
            model = method_of(model.settings).fast(model, place.device)
        of_tracklets = tracklets or model.sample == "tracklet"
        samples = _by_folder(readable) if of_tracklets else _each(readable)
        names = sorted(samples)
        features = model.embed([samples[name] for name in names], place=place, console=Console())

    remove_partial(output.parent, output.name, older=STALE)
    with written_whole(output) as temporary, temporary.open("wb") as file:
        np.savez(file, names=np.array(names), features=features)
    return Embedded(len(names), features.shape[1], bad, of_tracklets)


def _readable(folder: Path, skip_bad: bool) -> tuple[dict[str, Path], int]:
    """Return all readable pictures below a folder by name, and the number of the others. Raises DataError."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if _is_picture(path, folder)}
    if not paths:
        raise DataError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    bad = {name: reason for name in sorted(paths) if (reason := look_at(paths[name]).reason)}
    if bad and not skip_bad:
        lines = "\n".join(f"  {name}: {reason}" for name, reason in bad.items())
        raise DataError(f"{len(bad)} of {len(paths)} pictures cannot be read (--skip-bad leaves them out):\n{lines}")
    readable = {name: path for name, path in paths.items() if name not in bad}
    if not readable:
        raise DataError(f"none of the {len(paths)} pictures in {folder} can be read")
    return readable, len(bad)


def _each(paths: Mapping[str, Path]) -> dict[str, Sample]:
    return {name: (path,) for name, path in paths.items()}


def _by_folder(paths: Mapping[str, Path]) -> dict[str, Sample]:
    """Return the frames of each folder by the folder's name, sorted by frame number, then by name."""
    frames: dict[str, list[Path]] = {}
    for name, path in paths.items():
        frames.setdefault(name.rpartition("/")[0] or ".", []).append(path)
    return {name: tuple(sorted(pictures, key=_frame_order)) for name, pictures in frames.items()}


def _frame_order(path: Path) -> tuple[int, str]:
    digits = "".join(c for c in path.stem if c in "0123456789")
    return int(digits[-18:]) if digits else 0, path.name


def _is_picture(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in PICTURES and path.is_file() and not hidden
