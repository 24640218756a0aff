"""Arrays and pictures: score files, masks, pictures of every format."""

import io
import zipfile
from pathlib import Path

import numpy as np
from fuzzing import Files, Target
from hypothesis import strategies as st
from mutations import changed_seeds, one_file, one_of
from PIL import Image

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.clothes import read_mask
from rlq.data.image_check import look_at
from rlq.data.masks import PALETTE
from rlq.data.pictures import picture_sizes, read_picture
from rlq.evaluation.score_file import score_file
from rlq.labels.parsing import read_labels

FORMATS = (
    *(("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16")),
    *(("PNG", "1"), ("BMP", "RGB"), ("WEBP", "RGB"), ("WEBP", "RGBA"), ("TIFF", "RGB"), ("GIF", "P")),
)
LABELS = np.tile(np.arange(20, dtype=np.uint8), (12, 1))  # [12, 20]
DTYPES = ("<f4", "<f8", "<i8", "<U4", "|S4", "|u1", "|b1", "<c8", "|O", "<M8[s]", "<f2", "V4", "[('a', '<i4')]", ">i4")


def scores() -> dict[str, np.ndarray]:
    """What a score file holds."""
    rng = generator("fuzzed scores")
    found: dict[str, np.ndarray] = {"f_query": rng.random((3, 4), np.float32), "f_gallery": rng.random((5, 4))}
    for side, count in (("q", 3), ("g", 5)):
        found[f"{side}_pid"] = np.arange(count) % 2
        found[f"{side}_cam"] = np.arange(count)
        found[f"{side}_clothes"] = np.array([f"{number}_1" for number in range(count)])
    return found


def npy(descr: str, shape: str, data: bytes, *, fortran: bool = False, version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy whose header says what it likes."""
    words = descr if descr.startswith("[") else repr(descr)
    header = f"{{'descr': {words}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + bytes(version) + length + header + data


def archive(parts: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these parts, under any names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as found:
        for name, content in parts.items():
            found.writestr(zipfile.ZipInfo(name), content, packing)  # with a date that is always the same
    return file.getvalue()


def picture(form: str, mode: str, size: tuple[int, int] = (10, 14)) -> bytes:
    """A small picture, width and height, with an orientation where the format knows one."""
    noise = generator("fuzzed picture", form, mode).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(noise)
    image = Image.fromarray(noise[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, form, **({"exif": exif} if form in ("JPEG", "WEBP") else {}))
    return file.getvalue()


def mask(mode: str) -> bytes:
    """Labels as a palette PNG, or as a greyscale one."""
    image, file = Image.fromarray(LABELS), io.BytesIO()
    if mode == "P":
        image.putpalette(PALETTE)
    image.save(file, "PNG")
    return file.getvalue()


def _decode(folder: Path) -> None:
    """What the three readers of pictures make of one file: they agree on its size."""
    path = folder / "picture.jpg"
    refused = look_at(path).reason
    try:
        width, height = picture_sizes([path])[0]
    except DataError:
        read_picture(path)
        return
    found = read_picture(path).shape
    if not refused and {*found[:2]} != {height, width}:  # of a broken EXIF the two make what they like
        raise AssertionError(f"the header says {(height, width)}, the picture is {found}")


def _npys() -> st.SearchStrategy[bytes]:
    size = st.integers(-2, 2**40) | st.integers(0, 6) | st.sampled_from((2**63, 10**30, "'a'", "None", 2.5))
    shape = st.lists(size, max_size=3).map(lambda sizes: f"({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})")
    odd = st.sampled_from(("()", "[3]", "(3", "-1", "'x'", "(2, 3)", "__import__('os')", "(" * 300 + ")" * 300))
    version = st.sampled_from(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    data = st.binary(max_size=64) | st.just(bytes(96))
    return st.builds(
        lambda d, s, c, f, v: npy(d, s, c, fortran=f, version=v),
        *(st.sampled_from(DTYPES), shape | odd, data, st.booleans(), version),
    )


def _archives() -> st.SearchStrategy[bytes]:
    """Score files some of whose arrays are others, or are missing."""
    whole = scores()
    plain = {f"{name}.npy": _alone(array) for name, array in whole.items()}
    name = st.sampled_from([*plain, "../../x.npy", "/etc/x.npy", "f_query", "f_query.npy.npy", "q_camera.npy"])
    changes = st.dictionaries(name, _npys() | one_of(list(plain.values())) | st.just(b""), max_size=3)
    packing = st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    left_out = st.sets(name, max_size=1)
    return st.builds(
        lambda new, out, way: archive({n: c for n, c in {**plain, **new}.items() if n not in out}, way),
        *(changes, left_out, packing),
    )


def _alone(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


SCORES: tuple[Files, ...] = tuple(
    {"scores.npz": archive({f"{name}.npy": _alone(array) for name, array in scores().items()}, packing)}
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
)
PICTURES: tuple[Files, ...] = tuple({"picture.jpg": picture(*form)} for form in FORMATS)
MASKS: tuple[Files, ...] = tuple({"mask.png": mask(mode)} for mode in "PL")
NPY_MASKS: tuple[Files, ...] = ({"mask.npy": _alone(LABELS.astype(np.int64))},)

TARGETS = (
    Target(
        "score_file",
        lambda folder: score_file(folder / "scores.npz"),
        changed_seeds(SCORES) | one_file("scores.npz", _archives()),
        SCORES,
    ),
    Target("picture", _decode, changed_seeds(PICTURES), PICTURES, share=3),
    Target("mask", lambda folder: read_mask(folder / "mask.png"), changed_seeds(MASKS), MASKS, share=1.5),
    Target(
        "parser_mask",
        lambda folder: read_labels(folder / "mask.npy"),
        changed_seeds(NPY_MASKS) | one_file("mask.npy", _npys()),
        NPY_MASKS,
        share=1.5,
    ),
)
