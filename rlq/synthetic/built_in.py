"""The built-in data sets by their names in experiment files. They are written on first use and read like any other."""

import json
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlq.core.console import Console
from rlq.core.distributed import Place, wait_for_all
from rlq.synthetic.build import MANIFEST, VERSION, ensure_written
from rlq.synthetic.layouts.albums import Spec
from rlq.synthetic.layouts.catalogue import layout_called
from rlq.synthetic.layouts.celeb_reid import CelebSpec
from rlq.synthetic.layouts.prcc import PrccSpec

# name in experiment files -> folder below data.root, sizes
BUILT_IN: dict[str, tuple[str, Spec]] = {
    "synthetic": ("synthetic/prcc", PrccSpec()),
    "synthetic_celeb": ("synthetic/Celeb-reID", CelebSpec()),
}


def ensure_built_in(name: str, root: Path, place: Place, console: Console) -> None:
    """Write a built-in set below `root` unless it holds one of this version, of any size; ignore other names."""
    if name not in BUILT_IN:
        return
    below, spec = BUILT_IN[name]
    folder = root / below
    if place.is_main and not is_current(folder, spec):
        console.line(f"data     making {folder} (once)")
        ensure_written(folder, spec, processes=os.cpu_count() or 1)
    wait_for_all()


def is_current(folder: Path, spec: Spec) -> bool:
    """Return whether the folder holds a synthetic set of this layout, written by this version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return manifest.get("version") == VERSION and manifest.get("layout") == type(spec).__name__


def make_all(root: Path, *, people: int | None = None, seed: int = 1) -> list[tuple[Path, Spec]]:
    """Write both built-in sets below `root`, optionally with another number of training people or another seed."""
    folders = []
    for below, spec in BUILT_IN.values():
        chosen = replace(spec, seed=seed, train_people=people or spec.train_people)
        folders.append((ensure_written(root / below, chosen, processes=os.cpu_count() or 1), chosen))
    return folders


def make_layout(
    root: Path, layout: str, *, people: int | None = None, seed: int = 1, oddities: Collection[str] = ()
) -> tuple[Path, Spec]:
    """Write a small set of any layout to its usual folder below `root`, optionally with other sizes or oddities."""
    chosen = layout_called(layout)
    sizes: dict[str, Any] = {"train_people": people} if people else {}
    spec = chosen.spec(seed=seed, oddities=frozenset(oddities), **sizes)
    return ensure_written(root / chosen.folder, spec, processes=os.cpu_count() or 1), spec
