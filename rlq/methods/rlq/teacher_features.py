"""A teacher's features of whole, untransformed pictures: computed once, in a file that runs and processes share."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rlq.core.distributed import wait_for_all
from rlq.core.errors import DataError
from rlq.core.files import exclusive_access, written_whole
from rlq.data.picture_source import PictureSource
from rlq.methods.rlq.network import RlqNetwork


class KeptFeatures:
    """What a teacher sees in pictures, by path: float32, mapped from a file, so that memory holds what is in use."""

    def __init__(self, file: Path, paths: Sequence[Path], branches: Sequence[str], width: int) -> None:
        """`file` holds [pictures, branches, width]. Raises DataError when it does not."""
        wanted = (len(paths), len(branches), width)
        try:
            self._rows = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{file} cannot be read: {error}; without it, it is made anew") from error
        if self._rows.shape != wanted or self._rows.dtype != np.float32:
            raise DataError(
                f"{file} holds {self._rows.dtype} {list(self._rows.shape)}, wanted float32 {list(wanted)}; without it, "
                "it is made anew"
            )
        self.branches = tuple(branches)
        self._places = {str(path): place for place, path in enumerate(paths)}

    def of(self, paths: Sequence[str], device: torch.device) -> dict[str, Tensor]:
        """By branch, the features [P, D] of these pictures, on a device."""
        rows = torch.from_numpy(self._rows[[self._places[path] for path in paths]])  # [P, branches, D], a copy
        if device.type == "cuda":
            rows = rows.pin_memory()  # or the copy to the GPU would wait for it
        moved = rows.to(device, non_blocking=True)
        return {name: moved[:, number] for number, name in enumerate(self.branches)}


def keep_features(teacher: RlqNetwork, paths: Sequence[Path], folder: Path, source: PictureSource) -> KeptFeatures:
    """Compute a teacher's features of these pictures, resized and normalised only, unless a file in `folder` has them.

    Always float32 arithmetic, so that the file serves every precision. The main process computes, whoever comes second
    waits. Raises DataError when the disk has no room.
    """
    shape = (len(paths), len(teacher.branch_names), teacher.feature_width)
    file = folder / f"teacher-{_digest(teacher, paths, source.size)}.npy"
    if source.place.is_main:
        with exclusive_access(file):
            if not file.is_file():
                _check_room(file, shape)
                _write(teacher, paths, file, source)
    wait_for_all()
    kept = KeptFeatures(file, paths, teacher.branch_names, teacher.feature_width)
    source.console.line(f"teacher  features of {shape[0]} pictures in {file} ({4 * np.prod(shape) / 1e6:,.1f} MB)")
    return kept


def _write(teacher: RlqNetwork, paths: Sequence[Path], file: Path, source: PictureSource) -> None:
    shape = (len(paths), len(teacher.branch_names), teacher.feature_width)
    with written_whole(file) as temporary, temporary.open("wb") as output, torch.inference_mode():
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(output, header)
        for batch in source.batches(paths, label="teacher's features"):
            features = teacher.branch_features(batch.images.contiguous(memory_format=torch.channels_last))
            rows = torch.stack([features[name].float() for name in teacher.branch_names], dim=1)  # [B, branches, D]
            output.write(np.ascontiguousarray(rows.cpu().numpy()).tobytes())


def _check_room(file: Path, shape: tuple[int, int, int]) -> None:
    needed, free = 4 * int(np.prod(shape)), shutil.disk_usage(file.parent).free
    if needed > free:
        raise DataError(
            f"the teacher's features of {shape[0]} pictures take {needed / 1e9:.1f} GB, and {file.parent} has "
            f"{free / 1e9:.1f} GB left; tad.teacher_features=each_step needs no room"
        )


def _digest(teacher: RlqNetwork, paths: Sequence[Path], size: tuple[int, int]) -> str:
    """16 hex digits of the teacher's weights and of the pictures in their present state."""
    digest = hashlib.sha256(repr((tuple(size), teacher.branch_names)).encode())
    for name, value in sorted(teacher.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    for path in paths:
        state = path.stat()
        digest.update(f"{path.absolute()} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
