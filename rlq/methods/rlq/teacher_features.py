"""A teacher's features of whole, untransformed pictures, computed once, in a file that runs and processes share."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rlq.core.cache import derived_file, ensure_built
from rlq.core.digest import short_digest
from rlq.core.distributed import wait_for_all
from rlq.core.errors import DataError
from rlq.data.picture_source import PictureSource
from rlq.methods.rlq.network import RlqNetwork


class CachedFeatures:
    """A teacher's float32 features by path, mapped from a file, so that only parts in use take memory."""

    def __init__(self, file: Path, paths: Sequence[Path], branches: Sequence[str], width: int) -> None:
        """Map `file`, which holds [pictures, branches, width]. Raises DataError if it does not."""
        shape = (len(paths), len(branches), width)
        try:
            self._rows = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{file} cannot be read: {error}; delete it, and it is computed again") from error
        if self._rows.shape != shape or self._rows.dtype != np.float32:
            raise DataError(
                f"{file} holds {self._rows.dtype} {list(self._rows.shape)}, wanted float32 {list(shape)}; delete it, "
                "and it is computed again"
            )
        self.branches = tuple(branches)
        self._places = {str(path): place for place, path in enumerate(paths)}

    def of(self, paths: Sequence[str], device: torch.device) -> dict[str, Tensor]:
        """Return the features [P, D] of these pictures on a device, by branch."""
        rows = torch.from_numpy(self._rows[[self._places[path] for path in paths]])  # [P, branches, D], a copy
        if device.type == "cuda":
            rows = rows.pin_memory()  # else the copy to the GPU would wait for it
        moved = rows.to(device, non_blocking=True)
        return {name: moved[:, number] for number, name in enumerate(self.branches)}


def cached_features(teacher: RlqNetwork, paths: Sequence[Path], folder: Path, source: PictureSource) -> CachedFeatures:
    """Return a teacher's features of these pictures, resized and normalised only, from a file in `folder`.

    The main process computes the file if it is missing; other runs and processes wait. Arithmetic is float32, so that
    the file serves every precision. Raises DataError if the disk has no room.
    """
    shape = (len(paths), len(teacher.branch_names), teacher.feature_width)
    file = derived_file(folder, "teacher", _digest(teacher, paths, source.size), ".npy")
    if source.place.is_main:
        ensure_built(file, lambda temporary: _write(teacher, paths, temporary, source))
    wait_for_all()
    features = CachedFeatures(file, paths, teacher.branch_names, teacher.feature_width)
    source.console.line(f"teacher  features of {shape[0]} pictures in {file} ({4 * np.prod(shape) / 1e6:,.1f} MB)")
    return features


def _write(teacher: RlqNetwork, paths: Sequence[Path], file: Path, source: PictureSource) -> None:
    shape = (len(paths), len(teacher.branch_names), teacher.feature_width)
    _check_room(file.parent, shape)
    with file.open("wb") as output, torch.inference_mode():
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(output, header)
        for batch in source.batches(paths, label="teacher's features"):
            features = teacher.branch_features(batch.images.contiguous(memory_format=torch.channels_last))
            rows = torch.stack([features[name].float() for name in teacher.branch_names], dim=1)  # [B, branches, D]
            output.write(np.ascontiguousarray(rows.cpu().numpy()).tobytes())


def _check_room(folder: Path, shape: tuple[int, int, int]) -> None:
    needed, free = 4 * int(np.prod(shape)), shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"the teacher's features of {shape[0]} pictures take {needed / 1e9:.1f} GB, and {folder} has "
            f"{free / 1e9:.1f} GB left; free some, or set tad.teacher_features=each_step, which stores nothing"
        )


def _digest(teacher: RlqNetwork, paths: Sequence[Path], size: tuple[int, int]) -> str:
    """Return 16 hex digits of the teacher's weights and of the pictures' names, sizes and times."""
    parts: list[str | memoryview] = [repr((tuple(size), teacher.branch_names))]
    for name, value in sorted(teacher.state_dict().items()):
        parts += [name, value.detach().cpu().contiguous().numpy().ravel().data]
    for path in paths:
        state = path.stat()
        parts.append(f"{path.absolute()} {state.st_size} {state.st_mtime_ns}\n")
    return short_digest(*parts)
