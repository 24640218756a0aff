"""Data sets: names of pictures and folders, list files and tables, of every layout."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from fuzzing import Files, Target
from hypothesis import strategies as st
from mutations import changed_seeds, words

from rlq.data.clothes import mask_path
from rlq.data.readers import ccvid, celeb_reid, deepchange, last, ltcc, ntu, own, prcc, vc_clothes
from rlq.data.records import ReidData
from rlq.labels.mask_names import mask_files, match_masks
from rlq.synthetic.build import album_person
from rlq.synthetic.layouts import LAYOUTS
from rlq.synthetic.layouts.albums import Facts

SIZES = {"train_people": 2, "test_people": 2}
SMALL = {
    "prcc": {"train_pictures": 1, "val_pictures": 1, "test_pictures": 1},
    "celeb_reid": {"train_pictures": 1, "query_pictures": 1, "gallery_pictures": 1},
    "ltcc": {"cameras": 2, "pictures": 2},
    "deepchange": {"days": 1, "cameras": 1, "tracklets": 2, "pictures": 2, "val_people": 0},
    "last": {"val_people": 1, "outfits": 1, "train_pictures": 1, "gallery_pictures": 1},
    "vc_clothes": {"train_pictures": 1, "gallery_pictures": 1},
    "ccvid": {"walks": 2, "frames": 1},
    "csv": {"pictures": 2},
}
NTU = ("P001/S001C003P001R001A001_rgb.jpg", "P001/S002C003P001R001A001_rgb.jpg", "P002/S001C003P002R001A002_rgb.jpg")


def _laid_out(name: str) -> Files:
    """A set as the built-in pedestrians would be laid out, with empty pictures and the true lists."""
    layout = LAYOUTS[name]
    spec = layout.spec(**SIZES, **SMALL[name])
    albums = layout.albums(spec)
    files: dict[str, bytes | Path] = {picture.path: b"" for album in albums for picture in album.pictures}
    poses = dict.fromkeys(files, 1)
    with tempfile.TemporaryDirectory() as folder:
        layout.write_lists(Path(folder), spec, [Facts(album, album_person(spec, album), poses) for album in albums])
        for path in sorted(Path(folder).rglob("*.*")):
            if path.is_file():
                files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files


def _lists(files: Files) -> list[str]:
    return [name for name in files if name.endswith((".txt", ".csv"))]


def _other_names(seed: Files) -> st.SearchStrategy[Files]:
    """A set some of whose pictures are called otherwise, lie elsewhere, are missing, or are links out of the set."""
    names = [name for name in seed if name not in _lists(seed)]

    def rename(changes: list[tuple[int, int, str, str]]) -> Files:
        found = dict(seed)
        for place, way, word, letter in changes:
            name = names[place % len(names)]
            if name not in found:
                continue
            folder, _, last_part = name.rpartition("/")
            at = place % (len(last_part) + 1)
            safe = "".join(c for c in word if c not in "/\0" and not 0xD800 <= ord(c) < 0xE000)[:40]
            new = {
                0: f"{folder}/{last_part[:at]}{letter}{last_part[at + 1 :]}",
                1: f"{folder}/{safe}.jpg",
                2: f"{folder}/{safe}/{last_part}",
                3: f"{letter}/{last_part}",
                4: f"{folder}/{safe}{last_part}",
            }.get(way)
            if way == 5:
                found[name] = Path(("/etc/passwd", "/dev/zero", "nowhere")[place % 3])
            else:
                del found[name]
                if new is not None:
                    found[new.strip("/")] = b""
        return _without_clashes(found)

    change = st.tuples(st.integers(0, 999), st.integers(0, 6), words(), st.sampled_from("aZ09_-.é٠ \n\\"))
    return st.lists(change, min_size=1, max_size=3).map(rename)


def _without_clashes(files: dict[str, bytes | Path]) -> Files:
    """No name may be a file and a folder at once, nor a way around."""
    parts = {name: [part for part in name.split("/") if part] for name in files}
    kept = {"/".join(way): files[name] for name, way in parts.items() if way and not {".", ".."} & set(way)}
    folders = {"/".join(name.split("/")[:end]) for name in kept for end in range(1, name.count("/") + 1)}
    return {name: content for name, content in kept.items() if name not in folders and len(name.encode()) < 200}


def _changed_lists(seed: Files) -> st.SearchStrategy[Files]:
    """The same pictures with a broken list."""
    listed = {name: seed[name] for name in _lists(seed)}
    return changed_seeds((listed,)).map(lambda lists: {**seed, **lists})


def _whole(read: Callable[[Path], ReidData]) -> Callable[[Path], object]:
    """Read a set, and look at what training asks of it."""

    def parse(folder: Path) -> None:
        data = read(folder)
        root = folder.resolve()
        for record in data.records:
            if not record.path.resolve().is_relative_to(root) and data.lists:
                raise AssertionError(f"{record.path} leads out of the set")
            if not mask_path(root / "masks", record.path, data.root).resolve().is_relative_to(root):
                raise AssertionError(f"the mask of {record.path} lies outside")
        assert data.fingerprint

    return parse


def _masks(folder: Path) -> None:
    data = prcc.read_prcc(folder / "set")
    match_masks(mask_files(folder / "masks", (".png", ".npy")), folder / "masks", data.records, data.root)


PRCC = _laid_out("prcc")
MASKS: Files = {f"set/{name}": b"" for name in PRCC} | {
    f"masks/{name.removesuffix('.jpg')}.png": b"" for name in PRCC if name.startswith("rgb/train")
}
READERS: dict[str, tuple[Callable[[Path], ReidData], Files]] = {
    "prcc": (prcc.read_prcc, PRCC),
    "celeb_reid": (celeb_reid.read_celeb_reid, _laid_out("celeb_reid")),
    "ltcc": (ltcc.read_ltcc, _laid_out("ltcc")),
    "deepchange": (deepchange.read_deepchange, _laid_out("deepchange")),
    "last": (last.read_last, _laid_out("last")),
    "vc_clothes": (vc_clothes.read_vc_clothes, _laid_out("vc_clothes")),
    "ccvid": (ccvid.read_ccvid, _laid_out("ccvid")),
    "own": (own.read_own, _laid_out("csv")),
    "ntu": (ntu.read_ntu, dict.fromkeys(NTU, b"")),
}


def _target(name: str) -> Target:
    read, seed = READERS[name]
    inputs = _other_names(seed)
    if _lists(seed):
        inputs = _changed_lists(seed) | _changed_lists(seed) | inputs
    return Target(name, _whole(read), inputs, (seed,), share=0.4)


TARGETS = (
    *map(_target, READERS),
    Target("mask_names", _masks, _other_names(MASKS), (MASKS,), share=0.3),
)
