"""Evaluate features from a file of any origin: `rlq score FILE.npz`."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlq.core.errors import DataError
from rlq.core.safe_arrays import MOST_COMPRESSION, UNREADABLE, zip_bombs
from rlq.evaluation.metrics import Labels, rank
from rlq.evaluation.similarity import cosine_scores

EXPECTED = (
    "f_query [Q, D], f_gallery [G, D], q_pid [Q], g_pid [G], q_cam [Q], g_cam [G]"
    " and, for CC and SC, q_clothes [Q], g_clothes [G]"
)
Arrays = dict[str, NDArray]


def score_file(path: Path | str) -> dict[str, dict[str, float | int | None]]:
    """Return rates, mAP (fractions) and counts per rule, for JSON: GENERAL, and CC and SC if there are clothes.

    The file is a NumPy .npz of `EXPECTED`; q_camera and g_camera are accepted too. Features may have any length,
    because scores are cosines. Labels are integers or strings. Without a valid query, rates and mAP are None.
    """
    arrays = _read(Path(path))
    try:
        query, gallery = _labels(arrays, "q"), _labels(arrays, "g")
        scores = cosine_scores(arrays["f_query"], arrays["f_gallery"])
        rules = ["GENERAL"] if query.clothes is None else ["GENERAL", "CC", "SC"]
        return {rule: ranking.summary() for rule, ranking in rank(query, gallery, scores, rules).items()}
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read(path: Path) -> Arrays:
    """Return the arrays of the file. Raise DataError unless they have the expected names and shapes."""
    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(f"{path} holds a single array; an .npz of {EXPECTED} is expected")
        with file:
            names = sorted(file.files)
            oversized = zip_bombs(path, _expected_names(names))
            if oversized:
                raise DataError(
                    f"{path} is refused: {oversized[0]} unpacks to over {MOST_COMPRESSION} times its size in the file"
                )
            arrays = {name: _member(path, file, name) for name in _expected_names(names)}
    except UNREADABLE as error:
        # NumPy treats any other file as a pickle and suggests to open it unsafely.
        reason = "it is not a zip archive" if "pickle" in str(error) else error
        raise DataError(f"{path} cannot be read as an .npz ({reason}); an .npz of {EXPECTED} is expected") from error
    _check_names(path, arrays, names)
    _check_shapes(path, arrays)
    return arrays


def _expected_names(names: list[str]) -> list[str]:
    """Return those of the names that this module reads, sorted."""
    expected = {"f_query", "f_gallery", *(f"{side}_{x}" for side in "qg" for x in ("pid", "cam", "camera", "clothes"))}
    return sorted(expected & set(names))


def _member(path: Path, file: np.lib.npyio.NpzFile, name: str) -> NDArray:
    try:
        array = file[name]
        if not isinstance(array, np.ndarray):  # NumPy returns bytes if the part does not begin like an array
            raise DataError(f"{path}: {name} is not an array")
        return array
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: {name} holds Python objects, which could run code when read; "
            "save plain arrays of numbers or strings, such as np.array(list_of_strings)"
        ) from error


def _check_names(path: Path, arrays: Arrays, names: list[str]) -> None:
    for side in "qg":
        if f"{side}_camera" in arrays:
            if f"{side}_cam" in arrays:
                raise DataError(f"{path} holds both {side}_cam and {side}_camera; one is enough")
            arrays[f"{side}_cam"] = arrays.pop(f"{side}_camera")
    missing = [name for name in ("f_query", "f_gallery", "q_pid", "g_pid", "q_cam", "g_cam") if name not in arrays]
    if ("q_clothes" in arrays) != ("g_clothes" in arrays):
        missing.append("g_clothes" if "q_clothes" in arrays else "q_clothes")
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: it holds {names}, expected are {EXPECTED}")


def _check_shapes(path: Path, arrays: Arrays) -> None:
    shapes = ", ".join(f"{name} {list(array.shape)} {array.dtype}" for name, array in sorted(arrays.items()))
    query, gallery = arrays["f_query"], arrays["f_gallery"]
    real = all(array.dtype.kind in "fiu" for array in (query, gallery))
    two = query.ndim == gallery.ndim == 2
    if not real or not two or query.shape[1] != gallery.shape[1] or not query.size or not gallery.size:
        raise DataError(f"{path}: the features should be real numbers, none of Q, G and D being 0: {shapes}")
    for name, array in arrays.items():
        side = query if name[0] == "q" else gallery
        if not name.startswith("f_") and array.shape != (len(side),):
            raise DataError(f"{path}: {name} should have one label per picture, {len(side)} of them: {shapes}")


def _labels(arrays: Arrays, side: str) -> Labels:
    return Labels(arrays[f"{side}_pid"], arrays[f"{side}_cam"], arrays.get(f"{side}_clothes"))
