"""Odd pictures, names and sets: handled or refused with a reason, alike by training, evaluation, embed and check."""

import io
import os
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from marks import slow
from naming import assert_names
from PIL import Image, ImageOps
from tiny_runs import Home

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.degradation import DegradationRanges, degrade, draw_degradation
from rlq.data.image_check import look_at
from rlq.data.pictures import picture_sizes, read_picture
from rlq.data.transforms import TestTransform, TrainTransform

HEADER = "path,pid,camera,split,clothes"


def scene(width: int = 24, height: int = 40) -> Image.Image:
    """Four fields of other colours, so that every turn and mirror image of it looks different."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = (220, 30, 30), (200, 200, 200)
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = (20, 200, 40), (10, 20, 230)
    return Image.fromarray(pixels)


def saved(kind: str, picture: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return saved(kind, scene(), exif=exif)


def sixteen_bits(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture.astype(np.uint16) * 257)[1].tobytes()


def of_size(width: int, height: int) -> bytes:
    """A PNG whose header gives this size, which is all that is looked at where it is too large."""
    small = saved("PNG", Image.new("1", (8, 8)))
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]


def translucent() -> Image.Image:
    picture = scene().convert("RGBA")
    picture.putalpha(128)
    return picture


FRAMES = {"save_all": True, "append_images": [scene().rotate(180), scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT)]}
GOOD = {
    "grey.jpg": saved("JPEG", scene().convert("L")),
    "grey.png": saved("PNG", scene().convert("L")),
    "grey_alpha.png": saved("PNG", scene().convert("LA")),
    "black_and_white.png": saved("PNG", scene().convert("1")),
    "rgba.png": saved("PNG", translucent()),
    "palette.png": saved("PNG", scene().quantize(4)),
    "palette_transparent.png": saved("PNG", scene().quantize(4), transparency=0),
    "cmyk.jpg": saved("JPEG", scene().convert("CMYK"), quality=95),
    "sixteen_bits.png": sixteen_bits(np.asarray(scene())[..., ::-1]),
    "animated.gif": saved("GIF", scene(), **FRAMES),
    "animated.webp": saved("WEBP", scene(), **FRAMES, lossless=True),
    "animated.png": saved("PNG", scene(), **FRAMES),
    "one_pixel.png": saved("PNG", scene(1, 1)),
    "one_column.jpg": saved("JPEG", scene(1, 60)),
    "one_row.jpg": saved("JPEG", scene(60, 1)),
    **{
        f"turned_{n}.{s}": turned(k, n)
        for s, k in (("jpg", "JPEG"), ("png", "PNG"), ("tif", "TIFF"))
        for n in range(1, 9)
    },
}
BAD = {
    "empty.jpg": (b"", ("empty",)),
    "words.jpg": (b"these are words, and no picture", ("picture",)),
    "page.png": (b"<html><body>404 Not Found</body></html>", ("picture",)),
    "only_a_head.jpg": (GOOD["grey.jpg"][:60], ("picture",)),
    "huge.png": (of_size(20_000, 20_000), ("20000 x 20000", 400, 100)),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_picture_is_seen_as_pillow_sees_it(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(GOOD[name])
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file).convert("RGB")).astype(int)
    picture = read_picture(path)
    assert look_at(path).reason is None
    assert picture.shape == expected.shape and abs(picture - expected).max() <= 1
    assert picture_sizes([path]).tolist() == [[picture.shape[1], picture.shape[0]]]


def test_sixteen_bits_of_grey_become_eight(tmp_path):
    values = np.arange(0, 65536, 1024, np.uint16).reshape(8, 8)  # Pillow cuts these off at 255
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", values)[1].tobytes())
    assert look_at(tmp_path / "a.png").reason is None
    assert abs(read_picture(tmp_path / "a.png")[..., 0].astype(int) - values // 257).max() <= 1


@pytest.mark.parametrize("name", ["one_pixel.png", "one_column.jpg", "one_row.jpg"])
@pytest.mark.parametrize("seed", range(6))
def test_the_smallest_pictures_go_through_artefacts_and_transforms(tmp_path, name, seed):
    (tmp_path / name).write_bytes(GOOD[name])
    picture = read_picture(tmp_path / name)
    worse = degrade(picture, draw_degradation(generator("odd", seed), DegradationRanges()))
    assert worse.shape == picture.shape
    assert TrainTransform((32, 16))(worse, seed).image.shape[-2:] == (32, 16)
    assert TestTransform((32, 16))(worse).shape[-2:] == (32, 16)


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_has_one_reason_for_all(tmp_path, name):
    content, named = BAD[name]
    (tmp_path / name).write_bytes(content)
    reason = look_at(tmp_path / name).reason
    assert_names(reason, *named)
    with pytest.raises(DataError) as error:
        read_picture(tmp_path / name)
    assert_names(error.value, tmp_path / name, reason)


def made_table(folder: Path, rows: list[tuple[str, str, str, str, str]], contents: dict[str, bytes]) -> Path:
    folder.mkdir()
    for row in rows:
        (folder / row[0]).write_bytes(contents[row[0]])
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    (folder / "pictures.csv").write_text("\n".join([HEADER, *quoted]) + "\n")
    return folder


def people(count: int, *, split: str, first: int = 0, cameras: int = 2, each: int = 4) -> list[tuple[str, ...]]:
    """Rows of people with some pictures each, in two clothes."""
    numbers = [(pid, n) for pid in range(first, first + count) for n in range(each)]
    return [(f"{pid}-{n}.png", str(pid), str(n % cameras), split, str(n // 2)) for pid, n in numbers]


@pytest.fixture
def noise() -> dict[str, bytes]:
    """Pictures by name, each of them another."""

    class Made(dict):
        def __missing__(self, name: str) -> bytes:
            pixels = generator("odd data", name).integers(0, 255, (40, 24, 3), np.uint8)
            return saved("PNG", Image.fromarray(pixels))

    return Made(GOOD | {name: content for name, (content, _) in BAD.items()})


ON_TABLE = (
    "data.dataset=csv",
    "tad.enabled=false",
    "cap.pose.enabled=false",
    "cap.gender.enabled=false",
    "clothes.augment=false",
    "schedule.baselines=false",
    "schedule.epochs=2",
    "schedule.evaluate_every=2",
    "optim.milestones=[1]",
    "data.batch=8",
)


def train(home: Home, root: Path, *more: str):
    return home.command(*home.train_words(f"data.root={root}", *ON_TABLE, *more))


@pytest.mark.slow
def test_odd_pictures_and_names_train_evaluate_and_embed(home, whole_run, noise, tmp_path):
    names = ["with space.png", "two\nlines.png", 'quote " comma, .png', "ünïcode ☃.png", *sorted(GOOD)]
    train_rows = [(n, str(i % 4), str(i % 2), "train", str(i % 2)) for i, n in enumerate(names)]
    rows = [*train_rows, *people(2, split="gallery", first=10), ("q 1.png", "10", "7", "query", "0")]
    rows += [("q\n2.png", "11", "7", "query", "9")]
    root = made_table(tmp_path / "own", rows, noise)
    shown = train(home, root, "tracking.name=odd")
    assert shown.exit_code == 0, shown.output
    checked = home.command("data", "check", "csv", "--root", root)
    assert checked.exit_code == 0 and "Traceback" not in checked.output
    assert home.command("evaluate", "odd", "--data", "csv", "--root", root, "--json").exit_code == 0
    (root / os.fsdecode(b"caf\xe9.png")).write_bytes(noise["a"])  # no UTF-8
    embedded = home.command("embed", "whole", root, "--output", tmp_path / "features.npz")
    assert embedded.exit_code == 0, embedded.output
    with np.load(tmp_path / "features.npz") as found:
        assert {"with space.png", "two\nlines.png", os.fsdecode(b"caf\xe9.png")} <= set(found["names"].tolist())
        assert np.isfinite(found["features"]).all()


def test_a_refused_picture_is_told_by_every_command(home, whole_run, noise, tmp_path):
    rows = [*people(4, split="train"), *people(2, split="gallery", first=10), ("q.png", "10", "7", "query", "0")]
    rows += [("huge.png", "1", "0", "train", "0"), ("words.jpg", "2", "0", "train", "0")]
    root = made_table(tmp_path / "own", rows, noise)
    told = [train(home, root), home.command("data", "check", "csv", "--root", root)]
    told.append(home.command("embed", "whole", root, "--output", tmp_path / "features.npz"))
    for shown in told:
        assert shown.exit_code == 1 and "Traceback" not in shown.output
        assert_names(shown.output, "huge.png", "20000 x 20000", "words.jpg")


@pytest.mark.parametrize(
    ("training", "test", "told"),
    [
        (people(1, split="train", each=16), None, ("1 ", 4, "data.batch")),
        ([], None, ("csv", "training", "rlq evaluate")),
        slow(people(4, split="train"), [], ("csv", "query", "gallery", "data.selection=holdout")),
        slow(people(4, split="train"), people(1, split="gallery", first=10), ("pictures.csv", "gallery", "query")),
        slow(
            people(4, split="train"),
            [*people(1, split="gallery", first=10), ("q.png", "11", "7", "query", "0")],
            ("csv", "query", "gallery", " CC", "rlq data check csv"),
        ),
        slow(
            people(4, split="train", cameras=1),
            [*people(1, split="gallery", first=10, cameras=1), ("q.png", "10", "0", "query", "0")],
            ("csv", "query", "gallery", " CC", "rlq data check csv"),
        ),
    ],
    ids=["one identity", "no training", "no test", "no query", "no match", "one camera"],
)
def test_a_set_that_cannot_be_trained_on_is_refused_in_words(home, noise, tmp_path, training, test, told):
    usual = [*people(2, split="gallery", first=10), ("q.png", "10", "7", "query", "9")]
    root = made_table(tmp_path / "own", [*training, *(usual if test is None else test)], noise)
    shown = train(home, root)
    assert shown.exit_code == 1 and "Traceback" not in shown.output
    assert_names(shown.stderr, *told)


@pytest.mark.slow
def test_a_person_with_one_picture_is_repeated_and_trains(home, noise, tmp_path):
    rows = [*people(3, split="train"), ("alone.png", "3", "0", "train", "0")]
    rows += [*people(2, split="gallery", first=10), ("q.png", "10", "7", "query", "9")]
    shown = train(home, made_table(tmp_path / "own", rows, noise), "tracking.name=alone")
    assert shown.exit_code == 0, shown.output
