"""Tiny data sets in the layouts of the real ones."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

WritePicture = Callable[..., Path]


@pytest.fixture(scope="session")
def write_picture() -> WritePicture:
    """Write noise, which differs from seed to seed, as a JPEG or PNG."""

    def write(path: Path, seed: int = 0, size: tuple[int, int] = (16, 8)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
        assert cv2.imwrite(str(path), noise)
        return path

    return write


@pytest.fixture(scope="session")
def touch() -> Callable[..., Path]:
    """Make files, empty but for `text`, below a folder: readers look at names only."""

    def make(root: Path, *names: str, text: str = "") -> Path:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    return make


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders list their entries in another order than usual, as other file systems do."""
    forwards = os.scandir

    class Backwards:
        def __init__(self, folder: Path | str = ".") -> None:
            with forwards(folder) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> "Backwards":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def __iter__(self) -> Iterator[os.DirEntry]:
            return iter(self.entries)

    monkeypatch.setattr(os, "scandir", Backwards)
    monkeypatch.setattr(os, "listdir", lambda folder=".": [entry.name for entry in Backwards(folder)])


@pytest.fixture(scope="session")
def prcc_folder(tmp_path_factory: pytest.TempPathFactory, write_picture: WritePicture) -> Path:
    """Six training people (one without camera B) and two for the test, as in the real set."""
    root = tmp_path_factory.mktemp("sets") / "prcc"
    seed = 0
    for person in range(6):
        for camera in "AC" if person == 5 else "ABC":
            for n in (7, 1000):
                name = f"{camera}_cropped_rgb{n:03d}.jpg"
                write_picture(root / "rgb/train" / f"{person + 1:03d}" / name, seed := seed + 1)
    write_picture(root / "rgb/val/001/A_cropped_rgb008.jpg")
    write_picture(root / "sketch/train/001/A_cropped_sketch001.jpg")
    for pid in ("092", "255"):
        for camera, count in (("A", 1), ("B", 2), ("C", 2)):
            for n in range(count):
                write_picture(root / f"rgb/test/{camera}/{pid}/cropped_rgb{n + 1:03d}.jpg", seed := seed + 1)
    return root


@pytest.fixture(scope="session")
def celeb_folder(tmp_path_factory: pytest.TempPathFactory, write_picture: WritePicture) -> Path:
    """Three training people, and two others who have numbers of training people."""
    root = tmp_path_factory.mktemp("sets") / "Celeb-reID"
    for pid in (1, 2, 10):
        for y in range(1, 11):
            write_picture(root / "train" / f"{pid}_{y}_0.jpg", 100 * pid + y)
    for pid in (1, 2):
        write_picture(root / "query" / f"{pid}_12_0.jpg", pid)
        for y, z in ((1, 0), (12, 1), (2, 0), (2, 1)):
            write_picture(root / "gallery" / f"{pid}_{y}_{z}.jpg", 7 * y + z)
    return root


@pytest.fixture(scope="session")
def write_mask() -> Callable[[Path, np.ndarray], Path]:
    """Write labels as the parser does: a palette PNG."""

    def write(path: Path, labels: np.ndarray) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(labels.astype(np.uint8), mode="P")
        image.putpalette([(37 * i + j) % 256 for i in range(20) for j in range(3)])
        image.save(path)
        return path

    return write
