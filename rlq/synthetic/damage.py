"""Damage to finished files, as it occurs in practice: hidden twins, a truncated picture, a mask of another size."""

from pathlib import Path

import numpy as np
from PIL import Image

from rlq.synthetic.layouts.albums import Album, Spec

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "


def damage_files(root: Path, spec: Spec, todo: list[Album]) -> None:
    """Apply the requested oddities that concern finished files."""
    present = [root / picture.path for album in todo for picture in album.pictures if (root / picture.path).is_file()]
    if "truncated_picture" in spec.oddities:
        content = present[0].read_bytes()
        present[0].write_bytes(content[: len(content) // 2])
    if "mask_of_another_size" in spec.oddities:
        _shrink(next(path for path in sorted((root / "rlq/masks").rglob("*.*")) if path.is_file()))
    if "hidden_files" in spec.oddities:
        _hide_files(root, present)


def _hide_files(root: Path, pictures: list[Path]) -> None:
    for picture in sorted({picture.parent: picture for picture in pictures}.values()):
        picture.with_name(f"._{picture.name}").write_bytes(APPLE_DOUBLE)
        (picture.parent / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
        for folder in picture.parents:
            if not folder.is_relative_to(root):
                break
            (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")


def _shrink(path: Path) -> None:
    """Remove every other row and column of a mask."""
    if path.suffix == ".npy":
        np.save(path, np.load(path)[::2, ::2])
        return
    with Image.open(path) as image:
        smaller = image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST)
    smaller.save(path)
