"""Decoded pictures on disk: the same as from the files, however often, by whomever, and whatever happens to them."""

import errno
import multiprocessing
import os
import pickle
import shutil
from collections import namedtuple
from multiprocessing.synchronize import Event
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from filelock import FileLock
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.data import image_cache, pictures
from rlq.data.batches import collate_plain
from rlq.data.datasets import PlainPictures, in_order, loader
from rlq.data.image_cache import keep_decoded
from rlq.data.pictures import CachedReader, PictureReader, read_picture
from rlq.data.transforms import TestTransform


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
    wanted = [read_picture(path) for path in paths]
    assert wanted[3].shape == (6, 8, 3)
    keep_decoded(paths, tmp_path / "cache", "prcc")
    monkeypatch.setattr(image_cache, "read_picture", no_decoding)
    monkeypatch.setattr(pictures, "read_picture", no_decoding)
    reader = CachedReader([keep_decoded(paths, tmp_path / "cache", "prcc")])
    for path, picture in zip(paths, wanted, strict=True):
        found = reader(path)
        assert found.dtype == np.uint8 and np.array_equal(found, picture)
        found[:] = 0  # a picture is its reader's own
        assert np.array_equal(reader(path), picture)


def test_a_picture_that_is_not_kept_is_decoded(paths, tmp_path):
    reader = CachedReader([keep_decoded(paths[:2], tmp_path / "cache", "prcc")])
    assert np.array_equal(reader(paths[3]), read_picture(paths[3]))


def test_sources_are_looked_in_one_after_another(paths, tmp_path, monkeypatch):
    wanted = [read_picture(path) for path in paths]
    reader = CachedReader([keep_decoded(part, tmp_path / "cache", "prcc") for part in (paths[:2], paths[2:])])
    monkeypatch.setattr(pictures, "read_picture", no_decoding)
    assert all(np.array_equal(reader(path), picture) for path, picture in zip(paths, wanted, strict=True))


def test_a_picture_that_changes_is_decoded_anew_and_kept_anew(paths, tmp_path):
    first = keep_decoded(paths, tmp_path / "cache", "prcc")
    reader = CachedReader([first])
    Image.new("RGB", (3, 4), (9, 9, 9)).save(paths[0])
    assert reader(paths[0]).shape == (4, 3, 3)  # the same run sees it already
    second = keep_decoded(paths, tmp_path / "cache", "prcc")
    assert second.file != first.file and second.find(paths[0]).shape == (4, 3, 3)
    paths[0].unlink()
    assert second.find(paths[0]) is None
    with pytest.raises(DataError, match=r"a\.png"):
        reader(paths[0])
    with pytest.raises(DataError, match=r"a\.png"):
        keep_decoded(paths, tmp_path / "cache", "prcc")


def test_a_disk_without_room_is_told_before_anything_is_written(paths, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 90, 10))
    with pytest.raises(DataError, match=r"\b4\b") as raised:
        keep_decoded(paths, tmp_path / "cache", "prcc")
    assert_names(raised.value, "prcc-", ".pictures", "0.0 GB", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.pictures"))


def test_a_folder_that_takes_no_file_is_told(paths, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cache\b.*(File exists|Not a directory)"):
        keep_decoded(paths, tmp_path / "cache", "set")


def test_a_disk_that_fills_up_on_the_way_leaves_nothing_behind(paths, tmp_path, monkeypatch):
    def full(path: Path) -> np.ndarray:
        if path == paths[2]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return read_picture(path)

    monkeypatch.setattr(image_cache, "read_picture", full)
    with pytest.raises(DataError, match=r"\.pictures.*No space left on device"):
        keep_decoded(paths, tmp_path / "cache", "prcc")
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".lock"}


def _keep(paths: list[Path], folder: Path, log: Path) -> None:
    real = image_cache.read_picture

    def noted(path: Path) -> np.ndarray:
        with log.open("a") as file:
            file.write(f"{path.name} {os.getpid()}\n")
        return real(path)

    image_cache.read_picture = noted
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
    assert np.array_equal(pickle.loads(sent).find(paths[1]), read_picture(paths[1]))


@pytest.fixture
def sets(tmp_path: Path) -> list[list[Path]]:
    """Three sets of one picture each, 3016 bytes when decoded."""
    found = []
    for name in "abc":
        (tmp_path / name).mkdir()
        Image.new("RGB", (10, 100), (7, 8, 9)).save(tmp_path / name / "a.png")
        found.append([tmp_path / name / "a.png"])
    return found


def files(folder: Path) -> list[str]:
    return sorted(path.name[0] for path in folder.glob("*.pictures"))


def test_the_folder_is_bounded_and_what_was_not_used_for_longest_makes_room(sets, tmp_path):
    cache, room = tmp_path / "cache", 6100 / 1e9  # for two of them
    for name, paths in zip("ab", sets, strict=False):
        os.utime(keep_decoded(paths, cache, name, room).file, ns=(1, ord(name)))
    keep_decoded(sets[0], cache, "a", room)  # used again
    keep_decoded(sets[2], cache, "c", room)
    assert files(cache) == ["a", "c"]
    with pytest.raises(DataError) as raised:
        keep_decoded(sets[1], cache, "b", 3000 / 1e9)
    assert_names(raised.value, "0.0 GB", "data.cache_gb")
    assert files(cache) == ["a", "c"]  # nothing goes for what has no room anyway


def _hold(paths: list[Path], folder: Path, held: Event, done: Event) -> None:
    kept = keep_decoded(paths, folder, "a")
    held.set()
    assert done.wait(60) and kept.find(paths[0]) is not None


def test_a_file_that_another_process_has_open_stays(sets, tmp_path):
    fork = multiprocessing.get_context("fork")
    held, done, cache = fork.Event(), fork.Event(), tmp_path / "cache"
    other = fork.Process(target=_hold, args=(sets[0], cache, held, done))
    other.start()
    assert held.wait(60)
    keep_decoded(sets[1], cache, "b", 6100 / 1e9)
    keep_decoded(sets[2], cache, "c", 6100 / 1e9)
    assert files(cache) == ["a", "c"]
    with pytest.raises(DataError) as raised:
        keep_decoded(sets[1], cache, "b", 3100 / 1e9)
    assert_names(raised.value, "0.0 GB", "data.cache_gb")
    done.set()
    other.join()
    assert other.exitcode == 0
    keep_decoded(sets[1], cache, "b", 3100 / 1e9)
    assert files(cache) == ["b"]


@pytest.mark.parametrize("damage", ["empty", "within the sizes", "within the pixels", "longer", "sizes of zero"])
def test_a_damaged_file_is_written_anew(paths, tmp_path, damage):
    file = keep_decoded(paths, tmp_path / "cache", "prcc").file
    whole = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "within the sizes": whole[:29],
            "within the pixels": whole[:-1],
            "longer": whole + b"x",
            "sizes of zero": bytes(len(whole)),
        }[damage]
    )
    kept = keep_decoded(paths, tmp_path / "cache", "prcc")
    assert file.read_bytes() == whole
    assert all(np.array_equal(kept.find(path), read_picture(path)) for path in paths)


def test_what_a_killed_process_left_is_removed_but_not_what_another_one_writes(paths, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("dead-0", "alive-0"):
        (cache / f".1234abcd.{name}.pictures").write_bytes(b"half")
    with FileLock(cache / "alive-0.lock"):
        keep_decoded(paths, cache, "prcc")
    left = sorted(path.name for path in cache.glob(".*.pictures"))
    assert left == [".1234abcd.alive-0.pictures"]


def test_a_file_that_is_gone_is_done_without(paths, tmp_path):
    sent = pickle.dumps(keep_decoded(paths, tmp_path / "cache", "prcc"))
    next((tmp_path / "cache").glob("*.pictures")).unlink()
    assert pickle.loads(sent).find(paths[0]) is None


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_same_batches_from_kept_pictures(paths, tmp_path, monkeypatch, workers):
    def batches(reader: PictureReader) -> list[torch.Tensor]:
        data = PlainPictures(paths, TestTransform((16, 8)), reader=reader)
        return [batch.images for batch in loader(data, in_order(4, 2), collate_plain, workers=workers)]

    wanted = batches(read_picture)
    reader = CachedReader([keep_decoded(paths, tmp_path / "cache", "prcc")])
    monkeypatch.setattr(cv2, "imdecode", no_decoding)  # workers are forked with it
    assert all(torch.equal(one, other) for one, other in zip(wanted, batches(reader), strict=True))
