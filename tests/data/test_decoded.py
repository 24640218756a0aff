"""Decoded pictures on disk: the same as from the files, however often, by whomever, and whatever happens to them."""

import errno
import multiprocessing
import os
import pickle
import shutil
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from rlq.data import decoded, pictures
from rlq.data.datasets import PlainPictures, collate_plain, in_order, loader
from rlq.data.decoded import keep_decoded
from rlq.data.pictures import decode_picture, look_first_in, read_picture
from rlq.data.transforms import TestTransform
from rlq.errors import DataError


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_kept", {})


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Pictures of several sizes, forms and modes, one turned by its EXIF data."""
    random = np.random.default_rng(0)
    found = []
    for number, (height, width, name) in enumerate(
        [(7, 5, "a.png"), (16, 9, "b.jpg"), (1, 1, "c.png"), (8, 6, "d.jpg")]
    ):
        picture = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "d.jpg" else 1
        (picture.convert("L") if number == 2 else picture).save(tmp_path / name, exif=exif)
        found.append(tmp_path / name)
    return found


def no_decoding(*_: object) -> None:
    raise AssertionError("decoded again")


def test_pictures_are_the_same_to_the_last_bit_and_decoded_once(paths, tmp_path, monkeypatch):
    wanted = [decode_picture(path) for path in paths]
    assert wanted[3].shape == (6, 8, 3)
    keep_decoded(paths, tmp_path / "cache", "prcc")
    monkeypatch.setattr(decoded, "decode_picture", no_decoding)
    monkeypatch.setattr(pictures, "decode_picture", no_decoding)
    look_first_in({"prcc": keep_decoded(paths, tmp_path / "cache", "prcc")})
    for path, picture in zip(paths, wanted, strict=True):
        found = read_picture(path)
        assert found.dtype == np.uint8 and np.array_equal(found, picture)
        found[:] = 0  # a picture is its reader's own
        assert np.array_equal(read_picture(path), picture)


def test_a_picture_that_is_not_kept_is_decoded(paths, tmp_path):
    look_first_in({"prcc": keep_decoded(paths[:2], tmp_path / "cache", "prcc")})
    assert np.array_equal(read_picture(paths[3]), decode_picture(paths[3]))


def test_a_picture_that_changes_is_decoded_anew_and_kept_anew(paths, tmp_path):
    first = keep_decoded(paths, tmp_path / "cache", "prcc")
    look_first_in({"prcc": first})
    Image.new("RGB", (3, 4), (9, 9, 9)).save(paths[0])
    assert read_picture(paths[0]).shape == (4, 3, 3)  # the same run sees it already
    second = keep_decoded(paths, tmp_path / "cache", "prcc")
    assert second.file != first.file and second.find(paths[0]).shape == (4, 3, 3)
    paths[0].unlink()
    assert second.find(paths[0]) is None
    with pytest.raises(DataError, match=r"a\.png"):
        read_picture(paths[0])
    with pytest.raises(DataError, match=r"a\.png is not there"):
        keep_decoded(paths, tmp_path / "cache", "prcc")


def test_a_disk_without_room_is_told_before_anything_is_written(paths, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 90, 10))
    with pytest.raises(
        DataError, match=r"the 4 decoded pictures of prcc-.*\.pictures take 0\.0 GB, and .* 0\.0 GB left"
    ):
        keep_decoded(paths, tmp_path / "cache", "prcc")
    assert not list((tmp_path / "cache").glob("*.pictures"))


def test_a_disk_that_fills_up_on_the_way_leaves_nothing_behind(paths, tmp_path, monkeypatch):
    def full(path: Path) -> np.ndarray:
        if path == paths[2]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return decode_picture(path)

    monkeypatch.setattr(decoded, "decode_picture", full)
    with pytest.raises(DataError, match=r"\.pictures cannot be written: No space left on device"):
        keep_decoded(paths, tmp_path / "cache", "prcc")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def _keep(paths: list[Path], folder: Path, log: Path) -> None:
    real = decoded.decode_picture

    def noted(path: Path) -> np.ndarray:
        with log.open("a") as file:
            file.write(f"{path.name} {os.getpid()}\n")
        return real(path)

    decoded.decode_picture = noted
    assert np.array_equal(keep_decoded(paths, folder, "prcc").find(paths[1]), real(paths[1]))


def test_two_processes_at_once_decode_every_picture_once(paths, tmp_path):
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_keep, args=(paths, tmp_path / "cache", tmp_path / "log")) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == len(paths) and len({line.split()[1] for line in lines}) == 1


def test_another_process_maps_the_file_for_itself(paths, tmp_path):
    kept = keep_decoded(paths, tmp_path / "cache", "prcc")
    kept.find(paths[0])
    sent = pickle.dumps(kept)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent).find(paths[1]), decode_picture(paths[1]))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_same_batches_from_kept_pictures(paths, tmp_path, monkeypatch, workers):
    def batches() -> list[torch.Tensor]:
        data = PlainPictures(paths, TestTransform((16, 8)))
        return [batch.images for batch in loader(data, in_order(4, 2), collate_plain, workers=workers)]

    wanted = batches()
    look_first_in({"prcc": keep_decoded(paths, tmp_path / "cache", "prcc")})
    monkeypatch.setattr(cv2, "imdecode", no_decoding)  # workers are forked with it
    assert all(torch.equal(one, other) for one, other in zip(wanted, batches(), strict=True))
